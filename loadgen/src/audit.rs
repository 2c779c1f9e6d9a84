//! Acknowledged writes, looked for afterwards through the public door: each is there once, or it is said.
//!
//! Events need a moment to travel, so what is missing is looked for again until
//! it is there or patience ends. Lost is what is still missing then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use record::Audit;
use reqwest::StatusCode;
use serde_json::Value;

use crate::journeys::Written;
use crate::slot::Lane;

/// How long what is missing is looked for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Items on a page of a list.
const PAGE: u32 = 100;
/// Pages of a list at most: a longer one is taken for a circle.
const PAGES: u32 = 1_000;

/// How often a write was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Never,
    Once,
    Again,
}

/// Looks for everything that was acknowledged at an arm.
pub async fn audit(lane: &Lane, round: u32) -> Audit {
    let written = lane.people.written();
    let mut audit =
        Audit { arm: lane.recorder.arm(), round, acknowledged: written.len() as u64, ..Audit::default() };
    let until = runtime::clock::now() + PATIENCE;
    let mut missing: Vec<&Written> = written.iter().collect();
    loop {
        let mut lists = Lists { lane, photos: BTreeMap::new(), following: BTreeMap::new() };
        let mut still = Vec::new();
        for write in missing {
            match lists.find(write).await {
                Found::Once => audit.found += 1,
                Found::Again => audit.duplicated += 1,
                Found::Never => still.push(write),
            }
        }
        missing = still;
        if missing.is_empty() || runtime::clock::now() > until {
            break;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    audit.lost = missing.len() as u64;
    let mut lists = Lists { lane, photos: BTreeMap::new(), following: BTreeMap::new() };
    (audit.unacknowledged, audit.orphaned) = lists.strangers(&written).await;
    audit
}

/// Lists already read in this look: many writes are in the same one.
struct Lists<'a> {
    lane: &'a Lane,
    photos: BTreeMap<u32, Vec<String>>,
    following: BTreeMap<u32, Vec<String>>,
}

impl Lists<'_> {
    async fn find(&mut self, write: &Written) -> Found {
        let people = self.lane.people.clone();
        match write {
            Written::Photo { id, author } => {
                // There itself, and exactly once in its author's list, which another component keeps.
                if self.get(&format!("/v1/photos/{id}"), None).await.is_none() {
                    return Found::Never;
                }
                count(self.photos_of(*author).await, id)
            }
            Written::Like { photo, user } => {
                let path = format!("/v1/photos/{}", people.photo(*photo));
                match self.get(&path, Some(people.token(*user))).await {
                    Some(answer) if answer["liked"] == true => Found::Once,
                    _ => Found::Never,
                }
            }
            Written::Edge { follower, followee, there } => {
                let id = people.user(*followee).to_string();
                let found = count(self.following_of(*follower).await, &id);
                match (there, found) {
                    (true, found) => found,
                    (false, Found::Never) => Found::Once,
                    (false, _) => Found::Never,
                }
            }
            Written::Profile { user, bio } => {
                match self.get(&format!("/v1/users/{}", people.user(*user)), None).await {
                    Some(answer) if answer["bio"] == bio.as_str() => Found::Once,
                    _ => Found::Never,
                }
            }
            Written::Account { handle } => {
                match self.get(&format!("/v1/users/by-handle/{handle}"), None).await {
                    Some(answer) if answer["handle"] == handle.as_str() => Found::Once,
                    _ => Found::Never,
                }
            }
        }
    }

    /// Photos nobody was told of, and photos in a list that are not there.
    async fn strangers(&mut self, written: &[Written]) -> (u64, u64) {
        let people = self.lane.people.clone();
        let mut authors = BTreeSet::new();
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for write in written {
            if let Written::Photo { id, author } = write {
                authors.insert(*author);
                known.insert(id);
            }
        }
        let (mut unacknowledged, mut orphaned) = (0, 0);
        for author in authors {
            let data = people.dataset();
            let seeded: BTreeSet<String> =
                data.photos_of(author).iter().map(|photo| people.photo(*photo).to_string()).collect();
            for id in self.photos_of(author).await.to_vec() {
                if !known.contains(id.as_str()) && !seeded.contains(&id) {
                    unacknowledged += 1;
                    let there = self.get(&format!("/v1/photos/{id}"), None).await.is_some();
                    orphaned += u64::from(!there);
                }
            }
        }
        (unacknowledged, orphaned)
    }

    async fn photos_of(&mut self, author: u32) -> &[String] {
        if !self.photos.contains_key(&author) {
            let id = self.lane.people.user(author);
            let ids = self.list(&format!("/v1/users/{id}/photos"), |item| item["photo"]["id"].as_str()).await;
            self.photos.insert(author, ids);
        }
        &self.photos[&author]
    }

    async fn following_of(&mut self, user: u32) -> &[String] {
        if !self.following.contains_key(&user) {
            let id = self.lane.people.user(user);
            let ids = self.list(&format!("/v1/users/{id}/following"), |item| item["id"].as_str()).await;
            self.following.insert(user, ids);
        }
        &self.following[&user]
    }

    /// A whole list, page by page.
    async fn list(&self, path: &str, id: impl Fn(&Value) -> Option<&str>) -> Vec<String> {
        let mut ids = Vec::new();
        let mut cursor = String::new();
        for _ in 0..PAGES {
            let Some(page) = self.get(&format!("{path}?limit={PAGE}{cursor}"), None).await else { break };
            let items = page["items"].as_array().cloned().unwrap_or_default();
            ids.extend(items.iter().filter_map(&id).map(str::to_owned));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        ids
    }

    /// An answer, if there is one; a busy moment is looked at again by the caller.
    async fn get(&self, path: &str, token: Option<&str>) -> Option<Value> {
        let mut request = self.lane.client.get(format!("{}{path}", self.lane.url));
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

fn count(list: &[String], id: &str) -> Found {
    match list.iter().filter(|other| *other == id).count() {
        0 => Found::Never,
        1 => Found::Once,
        _ => Found::Again,
    }
}
