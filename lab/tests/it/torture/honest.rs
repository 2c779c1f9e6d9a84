//! A client that asks one thing after another, as a user does, and remembers how long each took.

use std::time::Duration;

use serde_json::json;

use super::setting;
use super::writers::{until_answered, with_comment};
use crate::http::Client;
use crate::routes::{PASSWORD, sign_up};
use crate::up::Suite;

/// One post in so many requests: pictures are what users do least.
const POST_EVERY: usize = 200;
/// One log-in in so many: it takes longer than anything else, by design, and too few of them make a p99.
const LOG_IN_EVERY: usize = 500;

/// The client, and what it asks for.
pub(super) struct Honest {
    client: Client,
    handle: String,
    user: String,
    photo: String,
}

/// What came of its requests.
#[derive(Default)]
pub(super) struct Outcome {
    took: Vec<Duration>,
    /// Those that had no answer in time, or were turned away so that others have theirs.
    late: Vec<String>,
    errors: Vec<String>,
}

impl Outcome {
    pub fn requests(&self) -> usize {
        self.took.len()
    }

    /// Fails where a request failed, or more were late than the machine can account for: none where it is this test's
    /// alone, as with `CLEAVE_TORTURE_MAX_RATIO`, and else one in twenty.
    #[track_caller]
    pub fn is_served(&self, what: &str) {
        assert_eq!(self.errors, [""; 0], "{what}");
        let most = if setting::<f64>("MAX_RATIO").is_some() { 0 } else { self.requests().div_ceil(20) };
        assert!(
            self.late.len() <= most,
            "{what}: of {} requests were late: {:?}",
            self.requests(),
            self.late
        );
    }

    /// For a line of print.
    pub fn failures(&self) -> String {
        format!("{} errors, {} late", self.errors.len(), self.late.len())
    }

    /// Milliseconds that a share of the requests took at most.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        let mut took = self.took.clone();
        took.sort();
        let rank = (share * took.len() as f64).ceil() as usize;
        took.get(rank.saturating_sub(1)).map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
    }
}

impl Honest {
    /// A new account with one photo, whose original is long enough to be streamed.
    pub fn new(suite: &Suite, handle: &str) -> Self {
        let (client, user) = sign_up(&suite.guest(), handle);
        let headers = [("content-type", "image/jpeg"), ("idempotency-key", handle)];
        let path = "/v1/photos?caption=an+honest+heron";
        let comment = [b'x'; 60_000];
        let file = with_comment(&with_comment(&pictures::jpeg(7), &comment), &comment);
        let photo = until_answered(|| client.try_send("POST", path, &headers, &file).ok());
        let photo = photo.expect("an answer").expect(201);
        let photo = photo["id"].as_str().expect("an id").to_owned();
        Self { client, handle: handle.to_owned(), user, photo }
    }

    /// Asks until `is_over`; `posts` new photos now and then as well.
    pub fn ask(&self, posts: bool, is_over: impl Fn() -> bool) -> Outcome {
        let mut outcome = Outcome::default();
        for number in 0.. {
            if is_over() {
                break;
            }
            let began = runtime::clock::now();
            let (what, reply) = self.request(number, posts);
            outcome.took.push(runtime::clock::now() - began);
            match reply {
                Ok(reply) if (200..300).contains(&reply.status) => {}
                Ok(reply) if matches!(reply.status, 503 | 504) => {
                    let body = String::from_utf8_lossy(&reply.body);
                    outcome.late.push(format!("{what}: {} {body}", reply.status));
                }
                Ok(reply) => {
                    let body = String::from_utf8_lossy(&reply.body);
                    outcome.errors.push(format!("{what}: {} {body}", reply.status));
                }
                Err(why) => outcome.errors.push(format!("{what}: {why}")),
            }
        }
        outcome
    }

    fn request(&self, number: usize, posts: bool) -> (String, std::io::Result<crate::http::Reply>) {
        if posts && number % POST_EVERY == POST_EVERY - 1 {
            let path = format!("/v1/photos?caption=heron+{number}");
            let key = format!("post-{number}");
            let headers = [("content-type", "image/jpeg"), ("idempotency-key", key.as_str())];
            let file = with_comment(&pictures::jpeg(7), key.as_bytes());
            let reply = self.client.try_send("POST", &path, &headers, &file);
            return (path, reply);
        }
        if number % LOG_IN_EVERY == LOG_IN_EVERY - 1 {
            let body = json!({ "handle": self.handle, "password": PASSWORD }).to_string();
            let headers = [("content-type", "application/json")];
            let reply = self.client.try_send("POST", "/v1/sessions", &headers, body.as_bytes());
            return ("a log-in".into(), reply);
        }
        if number % 7 == 5 {
            let body = json!({ "bio": format!("edit {number}") }).to_string();
            let headers = [("content-type", "application/json")];
            let reply = self.client.try_send("PATCH", "/v1/users/me", &headers, body.as_bytes());
            return ("an edit".into(), reply);
        }
        let path = match number % 7 {
            0 => "/v1/feed?limit=5".to_owned(),
            1 => format!("/v1/users/{}", self.user),
            2 => format!("/v1/photos/{}", self.photo),
            3 => format!("/v1/photos/{}/thumbnail", self.photo),
            6 => format!("/v1/photos/{}/original", self.photo),
            _ => "/v1/search?q=heron&in=photos".to_owned(),
        };
        let reply = self.client.try_send("GET", &path, &[], b"");
        (path, reply)
    }
}
