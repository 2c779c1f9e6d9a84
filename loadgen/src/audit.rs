//! Verifies acknowledged writes through the gateway after the load: each must exist exactly once.
//!
//! Events take a moment, so missing writes are checked again until they appear or a timeout expires.
//! Writes that are missing then are lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use record::Audit;
use reqwest::StatusCode;
use serde_json::Value;

use crate::journeys::AcknowledgedWrite;
use crate::slot::ArmContext;

/// Longest wait for missing writes.
const AUDIT_TIMEOUT: Duration = Duration::from_secs(5);
/// Interval between checks.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// Items per page of a list.
const PAGE_ITEMS: u32 = 100;
/// Most pages of a list: a longer list is taken for a cycle.
const MAX_PAGES: u32 = 1_000;

/// How often a write was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occurrence {
    Missing,
    Once,
    Duplicated,
}

/// Verifies all acknowledged writes of an arm.
pub async fn audit(arm: &ArmContext, round: u32) -> Audit {
    let writes = arm.users.writes();
    let mut audit =
        Audit { arm: arm.recorder.arm(), round, acknowledged: writes.len() as u64, ..Audit::default() };
    let deadline = runtime::clock::now() + AUDIT_TIMEOUT;
    let mut missing: Vec<&AcknowledgedWrite> = writes.iter().collect();
    loop {
        let mut lists = Lists { arm, photos: BTreeMap::new(), following: BTreeMap::new() };
        let mut still_missing = Vec::new();
        for write in missing {
            match lists.find(write).await {
                Occurrence::Once => audit.found += 1,
                Occurrence::Duplicated => audit.duplicated += 1,
                Occurrence::Missing => still_missing.push(write),
            }
        }
        missing = still_missing;
        if missing.is_empty() || runtime::clock::now() > deadline {
            break;
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
    audit.lost = missing.len() as u64;
    let mut lists = Lists { arm, photos: BTreeMap::new(), following: BTreeMap::new() };
    (audit.unacknowledged, audit.orphaned) = lists.unexpected_photos(&writes).await;
    audit
}

/// Lists read in this pass: many writes are in the same list.
struct Lists<'a> {
    arm: &'a ArmContext,
    photos: BTreeMap<u32, Vec<String>>,
    following: BTreeMap<u32, Vec<String>>,
}

impl Lists<'_> {
    async fn find(&mut self, write: &AcknowledgedWrite) -> Occurrence {
        let users = self.arm.users.clone();
        match write {
            AcknowledgedWrite::Photo { id, author } => {
                // It must exist, and be in its author's list exactly once, which another component keeps.
                if self.get(&format!("/v1/photos/{id}"), None).await.is_none() {
                    return Occurrence::Missing;
                }
                occurrence(self.photos_of(*author).await, id)
            }
            AcknowledgedWrite::Like { photo, user } => {
                let path = format!("/v1/photos/{}", users.photo(*photo));
                match self.get(&path, Some(users.token(*user))).await {
                    Some(answer) if answer["liked"] == true => Occurrence::Once,
                    _ => Occurrence::Missing,
                }
            }
            AcknowledgedWrite::Edge { follower, followee, present } => {
                let id = users.user(*followee).to_string();
                let found = occurrence(self.following_of(*follower).await, &id);
                match (present, found) {
                    (true, found) => found,
                    (false, Occurrence::Missing) => Occurrence::Once,
                    (false, _) => Occurrence::Missing,
                }
            }
            AcknowledgedWrite::Profile { user, bio } => {
                match self.get(&format!("/v1/users/{}", users.user(*user)), None).await {
                    Some(answer) if answer["bio"] == bio.as_str() => Occurrence::Once,
                    _ => Occurrence::Missing,
                }
            }
            AcknowledgedWrite::Account { handle } => {
                match self.get(&format!("/v1/users/by-handle/{handle}"), None).await {
                    Some(answer) if answer["handle"] == handle.as_str() => Occurrence::Once,
                    _ => Occurrence::Missing,
                }
            }
        }
    }

    /// Photos that were never acknowledged, and listed photos that do not exist.
    async fn unexpected_photos(&mut self, writes: &[AcknowledgedWrite]) -> (u64, u64) {
        let users = self.arm.users.clone();
        let mut authors = BTreeSet::new();
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for write in writes {
            if let AcknowledgedWrite::Photo { id, author } = write {
                authors.insert(*author);
                known.insert(id);
            }
        }
        let (mut unacknowledged, mut orphaned) = (0, 0);
        for author in authors {
            let data = users.dataset();
            let seeded: BTreeSet<String> =
                data.photos_of(author).iter().map(|photo| users.photo(*photo).to_string()).collect();
            for id in self.photos_of(author).await.to_vec() {
                if !known.contains(id.as_str()) && !seeded.contains(&id) {
                    unacknowledged += 1;
                    let present = self.get(&format!("/v1/photos/{id}"), None).await.is_some();
                    orphaned += u64::from(!present);
                }
            }
        }
        (unacknowledged, orphaned)
    }

    async fn photos_of(&mut self, author: u32) -> &[String] {
        if !self.photos.contains_key(&author) {
            let id = self.arm.users.user(author);
            let ids = self.list(&format!("/v1/users/{id}/photos"), |item| item["photo"]["id"].as_str()).await;
            self.photos.insert(author, ids);
        }
        &self.photos[&author]
    }

    async fn following_of(&mut self, user: u32) -> &[String] {
        if !self.following.contains_key(&user) {
            let id = self.arm.users.user(user);
            let ids = self.list(&format!("/v1/users/{id}/following"), |item| item["id"].as_str()).await;
            self.following.insert(user, ids);
        }
        &self.following[&user]
    }

    /// A whole list, page by page.
    async fn list(&self, path: &str, id: impl Fn(&Value) -> Option<&str>) -> Vec<String> {
        let mut ids = Vec::new();
        let mut cursor = String::new();
        for _ in 0..MAX_PAGES {
            let Some(page) = self.get(&format!("{path}?limit={PAGE_ITEMS}{cursor}"), None).await else {
                break;
            };
            let items = page["items"].as_array().cloned().unwrap_or_default();
            ids.extend(items.iter().filter_map(&id).map(str::to_owned));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        ids
    }

    /// A successful response, if any; the caller retries.
    async fn get(&self, path: &str, token: Option<&str>) -> Option<Value> {
        let mut request = self.arm.client.get(format!("{}{path}", self.arm.url));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = request.send().await.ok()?;
        if response.status() != StatusCode::OK {
            return None;
        }
        serde_json::from_slice(&response.bytes().await.ok()?).ok()
    }
}

fn occurrence(list: &[String], id: &str) -> Occurrence {
    match list.iter().filter(|other| *other == id).count() {
        0 => Occurrence::Missing,
        1 => Occurrence::Once,
        _ => Occurrence::Duplicated,
    }
}
