//! Verifies acknowledged writes through the gateway after the load: each must exist exactly once.
//!
//! Events take a moment, so missing writes are checked again until they appear or, for a while, no other one has appeared.
//! Writes whose absence was read then are lost. One that could not be read, since no answer came or a list broke off, is
//! neither lost nor found: it is unverified.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use record::Audit;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde_json::Value;

use crate::arm_context::ArmContext;
use crate::users::{self, AcknowledgedWrite};

/// Longest wait for the next of the missing writes.
const MISSING_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a write that cannot be read: what answers again after a restart is waited for.
const UNREADABLE_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest audit. Under an overload events may be late by more than the load was long.
const AUDIT_TIMEOUT: Duration = Duration::from_secs(60);
/// Interval between checks.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// Items per page of a list.
const PAGE_ITEMS: u32 = 100;
/// Most pages of a list: a longer list is taken for a cycle.
const MAX_PAGES: u32 = 1_000;

/// How often a write was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occurrence {
    /// An answer shows that it is not there.
    Missing,
    Once,
    Duplicated,
    /// There is no answer that shows it.
    Unreadable,
}

/// What a path holds.
enum Resource {
    Found(Value),
    Absent,
    Unreadable,
}

impl Resource {
    /// A write that is there if the representation says so.
    fn shows(&self, is_there: impl Fn(&Value) -> bool) -> Occurrence {
        match self {
            Self::Found(value) if is_there(value) => Occurrence::Once,
            Self::Found(_) | Self::Absent => Occurrence::Missing,
            Self::Unreadable => Occurrence::Unreadable,
        }
    }
}

/// Verifies all acknowledged writes of an arm.
pub async fn audit(arm: &ArmContext, round: u32) -> Audit {
    let writes = arm.users.writes();
    let mut audit =
        Audit { arm: arm.recorder.arm(), round, acknowledged: writes.len() as u64, ..Audit::default() };
    let began = runtime::clock::now();
    let mut last_found = began;
    let mut open: Vec<&AcknowledgedWrite> = writes.iter().collect();
    loop {
        let mut lists = Lists { arm, photos: BTreeMap::new(), following: BTreeMap::new() };
        let (mut missing, mut unreadable) = (Vec::new(), Vec::new());
        for write in &open {
            let is_over = runtime::clock::now().saturating_duration_since(began) > AUDIT_TIMEOUT;
            match if is_over { Occurrence::Unreadable } else { lists.find(write).await } {
                Occurrence::Once => audit.found += 1,
                Occurrence::Duplicated => audit.duplicated += 1,
                Occurrence::Missing => missing.push(*write),
                Occurrence::Unreadable => unreadable.push(*write),
            }
        }
        let now = runtime::clock::now();
        if missing.len() + unreadable.len() < open.len() {
            last_found = now;
        }
        (audit.lost, audit.unverified) = (missing.len() as u64, unreadable.len() as u64);
        let patience = if unreadable.is_empty() { MISSING_TIMEOUT } else { UNREADABLE_TIMEOUT };
        let is_given_up = now.saturating_duration_since(last_found) > patience
            || now.saturating_duration_since(began) > AUDIT_TIMEOUT;
        open = missing;
        open.extend(unreadable);
        if open.is_empty() || is_given_up {
            break;
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
    let mut lists = Lists { arm, photos: BTreeMap::new(), following: BTreeMap::new() };
    lists.add_unexpected_photos(&mut audit, &writes, began + AUDIT_TIMEOUT).await;
    audit
}

/// Lists read in this pass: many writes are in the same list.
struct Lists<'a> {
    arm: &'a ArmContext,
    /// Nothing where a list could not be read to its end.
    photos: BTreeMap<u32, Option<Vec<String>>>,
    following: BTreeMap<u32, Option<Vec<String>>>,
}

impl Lists<'_> {
    async fn find(&mut self, write: &AcknowledgedWrite) -> Occurrence {
        let users = self.arm.users.clone();
        match write {
            AcknowledgedWrite::Photo { id, author } => {
                // It must exist, and be in its author's list exactly once, which another component keeps.
                let id = id.to_string();
                match self.get(&format!("/v1/photos/{id}"), None).await.shows(|_| true) {
                    Occurrence::Once => occurrence(self.photos_of(*author).await, &id),
                    other => other,
                }
            }
            AcknowledgedWrite::Like { photo, user } => {
                let path = format!("/v1/photos/{}", users.photo(*photo));
                self.get(&path, Some(users.bearer(*user))).await.shows(|photo| photo["liked"] == true)
            }
            AcknowledgedWrite::Edge { follower, followee, present } => {
                let id = users.user(*followee).to_string();
                let found = occurrence(self.following_of(*follower).await, &id);
                match (present, found) {
                    (_, Occurrence::Unreadable) => Occurrence::Unreadable,
                    (true, found) => found,
                    (false, Occurrence::Missing) => Occurrence::Once,
                    (false, _) => Occurrence::Missing,
                }
            }
            AcknowledgedWrite::Profile { user, seq } => {
                let bio = users::bio(*seq);
                let path = format!("/v1/users/{}", users.user(*user));
                self.get(&path, None).await.shows(|user| user["bio"] == bio.as_str())
            }
            AcknowledgedWrite::Account { seq, suffix } => {
                let handle = users::handle(*seq, *suffix);
                let path = format!("/v1/users/by-handle/{handle}");
                self.get(&path, None).await.shows(|user| user["handle"] == handle.as_str())
            }
        }
    }

    /// Counts photos that were never acknowledged, and listed photos that do not exist. A list that cannot be read, or is not
    /// read by `until`, may have either: it is not verified.
    async fn add_unexpected_photos(
        &mut self,
        audit: &mut Audit,
        writes: &[AcknowledgedWrite],
        until: std::time::Instant,
    ) {
        let users = self.arm.users.clone();
        let mut authors = BTreeSet::new();
        let mut known: BTreeSet<String> = BTreeSet::new();
        for write in writes {
            if let AcknowledgedWrite::Photo { id, author } = write {
                authors.insert(*author);
                known.insert(id.to_string());
            }
        }
        // One that hangs costs its timeout; the others would as well.
        let mut is_readable = true;
        for author in authors {
            let seeded = users.seeded_photos(author);
            is_readable &= runtime::clock::now() < until;
            let listed = if is_readable { self.photos_of(author).await.map(<[_]>::to_vec) } else { None };
            let Some(listed) = listed else {
                is_readable = false;
                audit.unverified += 1;
                continue;
            };
            for id in listed {
                if !known.contains(&id) && !seeded.contains(&id) {
                    audit.unacknowledged += 1;
                    let photo = self.get(&format!("/v1/photos/{id}"), None).await;
                    audit.orphaned += u64::from(matches!(photo, Resource::Absent));
                }
            }
        }
    }

    async fn photos_of(&mut self, author: u32) -> Option<&[String]> {
        if !self.photos.contains_key(&author) {
            let id = self.arm.users.user(author);
            let ids = self.list(&format!("/v1/users/{id}/photos"), |item| item["photo"]["id"].as_str()).await;
            self.photos.insert(author, ids);
        }
        self.photos[&author].as_deref()
    }

    async fn following_of(&mut self, user: u32) -> Option<&[String]> {
        if !self.following.contains_key(&user) {
            let id = self.arm.users.user(user);
            let ids = self.list(&format!("/v1/users/{id}/following"), |item| item["id"].as_str()).await;
            self.following.insert(user, ids);
        }
        self.following[&user].as_deref()
    }

    /// A whole list, page by page; `None` where a page could not be read.
    async fn list(&self, path: &str, id: impl Fn(&Value) -> Option<&str>) -> Option<Vec<String>> {
        let mut ids = Vec::new();
        let mut cursor = String::new();
        for _ in 0..MAX_PAGES {
            let page = match self.get(&format!("{path}?limit={PAGE_ITEMS}{cursor}"), None).await {
                Resource::Found(page) => page,
                Resource::Absent => break,
                Resource::Unreadable => return None,
            };
            let items = page["items"].as_array().cloned().unwrap_or_default();
            ids.extend(items.iter().filter_map(&id).map(str::to_owned));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        Some(ids)
    }

    /// What is at a path.
    async fn get(&self, path: &str, bearer: Option<&HeaderValue>) -> Resource {
        let mut request = self.arm.client.get(format!("{}{path}", self.arm.url));
        if let Some(bearer) = bearer {
            request = request.header(AUTHORIZATION, bearer);
        }
        let Ok(response) = request.send().await else { return Resource::Unreadable };
        match response.status() {
            StatusCode::OK => {
                let body = response.bytes().await.ok();
                body.and_then(|body| serde_json::from_slice(&body).ok())
                    .map_or(Resource::Unreadable, Resource::Found)
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => Resource::Absent,
            _ => Resource::Unreadable,
        }
    }
}

fn occurrence(list: Option<&[String]>, id: &str) -> Occurrence {
    let Some(list) = list else { return Occurrence::Unreadable };
    match list.iter().filter(|other| *other == id).count() {
        0 => Occurrence::Missing,
        1 => Occurrence::Once,
        _ => Occurrence::Duplicated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_shows_that_a_write_is_gone() {
        let liked = |photo: &Value| photo["liked"] == true;
        let found = Resource::Found(serde_json::json!({ "liked": true }));
        let other = Resource::Found(serde_json::json!({ "liked": false }));
        let shown =
            [found, other, Resource::Absent, Resource::Unreadable].map(|resource| resource.shows(liked));
        use Occurrence::{Duplicated, Missing, Once, Unreadable};
        assert_eq!(shown, [Once, Missing, Missing, Unreadable]);
        let list = ["a", "b", "b"].map(str::to_owned);
        assert_eq!(["a", "b", "c"].map(|id| occurrence(Some(&list), id)), [Once, Duplicated, Missing]);
        assert_eq!(occurrence(None, "a"), Unreadable, "a list that broke off");
    }
}
