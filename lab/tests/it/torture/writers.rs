//! Clients that write while processes are killed, and remember what was acknowledged.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::http::{Client, Reply};

/// Before the same write is sent again: a client that hammers would find no process that is up.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// What clients know of their writes.
#[derive(Default)]
pub(super) struct Ledger {
    /// Acknowledged photos: id and caption.
    pub photos: Mutex<Vec<(String, String)>>,
    /// Captions of photos that were sent once, without a key, and not acknowledged: they may exist.
    pub unknown: Mutex<Vec<String>>,
    /// Acknowledged likes: ids of photos.
    pub likes: Mutex<Vec<String>>,
    /// The last biography that was acknowledged.
    pub bio: Mutex<String>,
    /// Acknowledged writes of all kinds.
    pub acknowledged: AtomicU64,
    /// Acknowledged photos that were sent without a key.
    pub without_key: AtomicU64,
    is_over: AtomicBool,
}

impl Ledger {
    /// No further write is begun.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    fn acknowledge(&self) {
        self.acknowledged.fetch_add(1, Ordering::Release);
    }

    /// Posts photos one after another: two of three with a key, until they are acknowledged, and one without, once.
    pub fn post_photos(&self, client: &Client, writer: u64) {
        let picture = pictures::jpeg(writer);
        for number in 0.. {
            if self.is_over() {
                return;
            }
            let caption = format!("writer{writer}photo{number}");
            let file = with_comment(&picture, caption.as_bytes());
            let path = format!("/v1/photos?caption={caption}");
            let post = |headers: &[(&str, &str)]| client.try_send("POST", &path, headers, &file).ok();
            let has_key = number % 3 != 2;
            let reply = if has_key {
                until_answered(|| post(&[("content-type", "image/jpeg"), ("idempotency-key", &caption)]))
            } else {
                post(&[("content-type", "image/jpeg")])
            };
            match reply {
                Some(reply) if reply.status == 201 => {
                    let id = reply.json()["id"].as_str().expect("an id").to_owned();
                    self.photos.lock().expect("no panic while held").push((id, caption));
                    self.without_key.fetch_add(u64::from(!has_key), Ordering::Release);
                    self.acknowledge();
                }
                Some(reply) if !is_transient(reply.status) => panic!("{caption}: {reply:?}"),
                _ => self.unknown.lock().expect("no panic while held").push(caption),
            }
        }
    }

    /// Likes the newest acknowledged photo, and edits a biography, again and again.
    pub fn like_and_edit(&self, client: &Client) {
        for number in 0.. {
            if self.is_over() {
                return;
            }
            let newest = self.photos.lock().expect("no panic while held").last().cloned();
            if let Some((id, _)) = newest {
                let key = format!("like-{number}");
                let headers = [("idempotency-key", key.as_str())];
                let path = format!("/v1/photos/{id}/like");
                let reply = until_answered(|| client.try_send("PUT", &path, &headers, b"").ok());
                assert_eq!(reply.map(|reply| reply.status), Some(200), "a like of {id}");
                self.likes.lock().expect("no panic while held").push(id);
                self.acknowledge();
            }
            let bio = format!("edit {number}");
            let headers = [("content-type", "application/json"), ("idempotency-key", bio.as_str())];
            let body = json!({ "bio": bio }).to_string();
            let edit = || client.try_send("PATCH", "/v1/users/me", &headers, body.as_bytes()).ok();
            let reply = until_answered(edit);
            assert_eq!(reply.map(|reply| reply.status), Some(200), "{bio}");
            *self.bio.lock().expect("no panic while held") = bio;
            self.acknowledge();
        }
    }
}

/// Sends until there is an answer that means something, for as long as a test is patient.
pub(super) fn until_answered(mut send: impl FnMut() -> Option<Reply>) -> Option<Reply> {
    let began = runtime::clock::now();
    let mut answers: BTreeMap<Option<u16>, u32> = BTreeMap::new();
    while runtime::clock::now() - began < crate::cleave::PATIENCE {
        match send() {
            Some(reply) if !is_transient(reply.status) => return Some(reply),
            reply => *answers.entry(reply.map(|reply| reply.status)).or_default() += 1,
        }
        std::thread::sleep(RETRY_PAUSE);
    }
    println!("tries by status, `None` without an answer: {answers:?}");
    None
}

/// Whether the same may be tried again: the suite is busy, or part of it is down; or the first try is still under way.
fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 409 | 425 | 429 | 500..=599)
}

/// The same JPEG with a comment (ITU-T T.81, B.2.4.5), so that no two files are the same.
pub(super) fn with_comment(jpeg: &[u8], comment: &[u8]) -> Vec<u8> {
    let length = u16::try_from(comment.len() + 2).expect("a short comment");
    let (start, rest) = jpeg.split_at(2);
    [start, &[0xff, 0xfe], &length.to_be_bytes(), comment, rest].concat()
}
