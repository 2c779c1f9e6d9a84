//! Each acknowledged write is looked for by a client of its own: where it was written, and wherever else it must be seen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;

use super::writers::{Ledger, until_answered};
use crate::cleave::wait_for;
use crate::http::Client;

/// Bytes without a photo are swept a minute after they were written, or two where a sweep has just been.
const SWEEP_TIMEOUT: Duration = Duration::from_secs(180);

/// Who wrote, and who reads.
pub(super) struct Accounts {
    pub author: Client,
    pub author_id: String,
    /// Follows the author, and likes.
    pub reader: Client,
    pub reader_id: String,
}

/// Files of pictures of the suite in a folder, by their keys.
pub(super) fn blobs(folder: &Path) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // A SHA-256 in hex, two digits of which are its folder.
            let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
            let (Some(group), Some(rest)) = (path.parent().and_then(name), name(&path)) else { continue };
            if group.len() == 2 && rest.len() >= 62 {
                keys.insert(group + &rest);
            }
        }
    }
    keys
}

/// What a path holds, once it can be read.
fn read(client: &Client, path: &str) -> Option<Value> {
    let reply = until_answered(|| client.try_send("GET", path, &[], b"").ok());
    let reply = reply.unwrap_or_else(|| panic!("{path} cannot be read"));
    (reply.status == 200).then(|| reply.json())
}

/// A whole list, page by page.
fn list(client: &Client, path: &str, most: usize) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    while items.len() < most {
        let page = read(client, &format!("{path}?limit=100{cursor}")).unwrap_or_else(|| panic!("no {path}"));
        items.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    items
}

/// Ids and captions of the author's photos, as listed.
fn listed(accounts: &Accounts) -> Vec<(String, String)> {
    let path = format!("/v1/users/{}/photos", accounts.author_id);
    let text = |photo: &Value, field: &str| photo[field].as_str().unwrap_or_default().to_owned();
    let items = list(&accounts.author, &path, usize::MAX);
    items.iter().map(|item| (text(&item["photo"], "id"), text(&item["photo"], "caption"))).collect()
}

/// Fails unless every acknowledged write exists once, is seen wherever it must be once events are through, and nothing else is
/// there: no photo twice, none without its bytes. Returns the files of all photos.
pub(super) fn audit(folder: &Path, accounts: &Accounts, ledger: &Ledger) -> BTreeSet<String> {
    let photos = ledger.photos.lock().expect("no panic while held").clone();
    let likes = ledger.likes.lock().expect("no panic while held").clone();
    let unknown = ledger.unknown.lock().expect("no panic while held").clone();
    println!(
        "  acknowledged: {} writes, {} of them photos ({} sent without a key), {} likes; {} photos without an answer",
        ledger.acknowledged.load(Ordering::Acquire),
        photos.len(),
        ledger.without_key.load(Ordering::Acquire),
        likes.len(),
        unknown.len()
    );
    let lost: Vec<_> = photos
        .iter()
        .filter(|(id, caption)| {
            let photo = read(&accounts.author, &format!("/v1/photos/{id}"));
            photo.is_none_or(|photo| photo["caption"] != caption.as_str())
        })
        .collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let bio = ledger.bio.lock().expect("no panic while held").clone();
    let profile = read(&accounts.reader, &format!("/v1/users/{}", accounts.reader_id)).expect("an account");
    assert_eq!(profile["bio"], bio.as_str(), "the last edit that was acknowledged");
    for id in likes.iter().collect::<BTreeSet<_>>() {
        let photo = read(&accounts.reader, &format!("/v1/photos/{id}")).expect("it was acknowledged");
        assert_eq!(
            (&photo["liked"], &photo["likes"]),
            (&Value::from(true), &Value::from(1)),
            "a like of {id}"
        );
    }
    is_visible(accounts, &photos);
    is_once(accounts, &unknown);
    files_of_all(folder, accounts)
}

/// Waits until the author's list, the reader's feed and search have every acknowledged photo.
fn is_visible(accounts: &Accounts, photos: &[(String, String)]) {
    let mut missing: Vec<&(String, String)> = photos.iter().collect();
    wait_for("every acknowledged photo in its author's list", || {
        let ids: BTreeSet<String> = listed(accounts).into_iter().map(|(id, _)| id).collect();
        missing.retain(|(id, _)| !ids.contains(id));
        missing.is_empty().then_some(())
    });
    // A feed is trimmed to 800 entries.
    let newest = &photos[photos.len().saturating_sub(200)..];
    let mut missing: Vec<&(String, String)> = newest.iter().collect();
    wait_for("the newest in the reader's feed", || {
        let items = list(&accounts.reader, "/v1/feed", 700);
        let ids: BTreeSet<&str> = items.iter().filter_map(|item| item["photo"]["id"].as_str()).collect();
        missing.retain(|(id, _)| !ids.contains(id.as_str()));
        missing.is_empty().then_some(())
    });
    let mut missing: Vec<&(String, String)> = photos.iter().collect();
    wait_for("every acknowledged photo in search", || {
        missing.retain(|(id, caption)| {
            let found = read(&accounts.reader, &format!("/v1/search?q={caption}&in=photos"));
            !found.expect("a list").to_string().contains(id.as_str())
        });
        missing.is_empty().then_some(())
    });
}

/// Nothing is there twice, and nothing that was never sent; what is listed exists.
fn is_once(accounts: &Accounts, unknown: &[String]) {
    let all = listed(accounts);
    let (mut ids, mut captions) = (BTreeMap::new(), BTreeMap::new());
    for (id, caption) in &all {
        *ids.entry(id).or_insert(0) += 1;
        *captions.entry(caption).or_insert(0) += 1;
    }
    ids.retain(|_, times| *times > 1);
    captions.retain(|_, times| *times > 1);
    assert!(ids.is_empty() && captions.is_empty(), "doubled: {ids:?} {captions:?}");
    let feed = list(&accounts.reader, "/v1/feed", 700);
    let mut seen = BTreeSet::new();
    for id in feed.iter().filter_map(|item| item["photo"]["id"].as_str()) {
        assert!(seen.insert(id), "{id} stands twice in the feed");
    }
    let dangling: Vec<_> =
        all.iter().filter(|(id, _)| read(&accounts.author, &format!("/v1/photos/{id}")).is_none()).collect();
    assert!(dangling.is_empty(), "listed, and not there: {dangling:?}");
    let kept = all.iter().filter(|(_, caption)| unknown.contains(caption)).count();
    println!("  {kept} of {} photos without an answer exist", unknown.len());
}

/// Every photo has its bytes.
fn files_of_all(folder: &Path, accounts: &Accounts) -> BTreeSet<String> {
    let mut owned = BTreeSet::new();
    for (id, _) in listed(accounts) {
        for of in ["original", "thumbnail"] {
            let path = format!("/v1/photos/{id}/{of}");
            let ask = || accounts.reader.try_send("GET", &path, &[("if-none-match", "*")], b"").ok();
            let reply = until_answered(ask).unwrap_or_else(|| panic!("{path} cannot be read"));
            assert_eq!(reply.status, 304, "{path}");
            owned.insert(reply.header("etag").expect("its key").trim_matches('"').to_owned());
        }
    }
    let here = blobs(folder);
    let missing: Vec<_> = owned.difference(&here).collect();
    assert!(missing.is_empty(), "photos without bytes: {missing:?}");
    owned
}

/// Waits until the files that no photo has are gone: they are swept.
pub(super) fn is_swept(folder: &Path, owned: &BTreeSet<String>, before: &BTreeSet<String>) {
    let orphans = || -> BTreeSet<String> {
        blobs(folder).into_iter().filter(|key| !owned.contains(key) && !before.contains(key)).collect()
    };
    let first = orphans();
    println!("  {} files, {} without a photo", owned.len(), first.len());
    let began = runtime::clock::now();
    let mut left = first;
    while !left.is_empty() {
        assert!(runtime::clock::now() - began < SWEEP_TIMEOUT, "files without a photo: {left:?}");
        std::thread::sleep(Duration::from_millis(500));
        left = orphans();
    }
}
