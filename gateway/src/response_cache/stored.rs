//! An answer as it is kept: which requests it is for, how old it is, and what a client gets of it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use contract::ComponentName;
use http::header::{
    AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE,
    DATE, ETAG, EXPIRES, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use transport::Body;

use super::cache_control::RequestDirectives;
use super::conditions;
use super::freshness::{Freshness, field_value, varies_by};

/// What an entry takes next to its texts and its body, bytes: its places in three tables, about.
const OVERHEAD_BYTES: u64 = 512;
/// What a field of a head takes next to its texts, bytes.
const FIELD_OVERHEAD_BYTES: usize = 64;

/// What describes a body, which a 304 does not have (RFC 9111, section 3.2).
static OF_BODIES: [HeaderName; 4] = [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_TYPE, CONTENT_RANGE];
/// What a 304 repeats of the answer that it stands for (RFC 9110, section 15.4.5).
static OF_NOT_MODIFIED: [HeaderName; 6] = [CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, VARY];

/// The head of an answer that may be kept.
pub struct StorableHead {
    status: StatusCode,
    headers: HeaderMap,
    freshness: Freshness,
    /// What it depends on, and what its request has there.
    selection: Vec<(HeaderName, Option<Vec<u8>>)>,
}

/// When an answer came, on both clocks, and how long after it was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Monotonic, ns.
    pub now_ns: u64,
    /// By the wall.
    pub wall: SystemTime,
    /// Since its request was sent.
    pub delay: Duration,
}

impl StorableHead {
    /// The head of an answer to a request with these fields; `None` where it is not to be kept.
    pub fn of(
        request: &HeaderMap,
        is_authorized: bool,
        status: StatusCode,
        headers: &HeaderMap,
        arrival: Arrival,
    ) -> Option<Self> {
        let freshness = Freshness::of(status, headers, arrival.delay, arrival.wall)?;
        if is_authorized && !freshness.allows_authorization {
            return None;
        }
        let names = varies_by(headers)?;
        let selection = names.into_iter().map(|name| {
            let value = field_value(request, &name);
            (name, value)
        });
        let mut kept = HeaderMap::with_capacity(headers.len() + 1);
        for (name, value) in headers.iter().filter(|(name, _)| **name != AGE && **name != CONTENT_LENGTH) {
            // A copy: what came is a piece of a buffer that would be kept with it.
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("it is one already");
            kept.append(name.clone(), value);
        }
        if !kept.contains_key(DATE) {
            // A recipient with a clock adds it (RFC 9110, section 6.6.1).
            let date = httpdate::fmt_http_date(arrival.wall);
            kept.insert(DATE, HeaderValue::try_from(date).expect("a date is visible"));
        }
        Some(Self { status, headers: kept, freshness, selection: selection.collect() })
    }

    /// What it takes in a cache with a body of this length, bytes.
    pub fn cost(&self, body_bytes: u64) -> u64 {
        let fields = self.headers.iter();
        let texts = fields.map(|(name, value)| name.as_str().len() + value.len() + FIELD_OVERHEAD_BYTES);
        let chosen = self.selection.iter().map(|(name, value)| {
            name.as_str().len() + value.as_ref().map_or(0, Vec::len) + FIELD_OVERHEAD_BYTES
        });
        OVERHEAD_BYTES + body_bytes + texts.chain(chosen).sum::<usize>() as u64
    }
}

/// An answer that is kept.
pub struct StoredResponse {
    /// The component that gave it: another one's is no answer where the route has moved.
    pub component: ComponentName,
    head: StorableHead,
    body: Bytes,
    arrived_ns: u64,
}

impl StoredResponse {
    /// An answer that came at `arrived_ns`. Its body is copied, since it may be a piece of a larger buffer.
    pub fn new(component: ComponentName, head: StorableHead, body: &[u8], arrived_ns: u64) -> Self {
        Self { component, head, body: Bytes::copy_from_slice(body), arrived_ns }
    }

    /// What it takes in a cache, bytes.
    pub fn cost(&self) -> u64 {
        self.head.cost(self.body.len() as u64)
    }

    /// Its fields.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The names of the fields that it depends on.
    pub fn varies_by(&self) -> impl Iterator<Item = &HeaderName> {
        self.head.selection.iter().map(|(name, _)| name)
    }

    /// Whether it is for requests with these fields.
    pub fn is_for(&self, request: &HeaderMap) -> bool {
        self.head.selection.iter().all(|(name, value)| field_value(request, name) == *value)
    }

    /// Whether it is for the same requests as another one.
    pub fn is_for_the_same(&self, other: &Self) -> bool {
        self.head.selection == other.head.selection
    }

    /// Whether requests with `Authorization` may have it.
    pub fn allows_authorization(&self) -> bool {
        self.head.freshness.allows_authorization
    }

    fn age(&self, now_ns: u64) -> Duration {
        self.head.freshness.initial_age + Duration::from_nanos(now_ns.saturating_sub(self.arrived_ns))
    }

    /// Whether it may be given without asking, to a request that asks for no more than this.
    pub fn is_fresh(&self, now_ns: u64, asked: &RequestDirectives) -> bool {
        let age = self.age(now_ns);
        let left = self.head.freshness.lifetime.saturating_sub(age);
        // Ages are compared as they are written, in whole seconds.
        !left.is_zero()
            && left >= asked.min_fresh
            && asked.max_age.is_none_or(|oldest| age.as_secs() <= oldest.as_secs())
    }

    /// What a client gets: of an answer that it has already, that this still holds.
    pub fn response(&self, method: &Method, request: &HeaderMap, now_ns: u64) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        if self.head.status == StatusCode::OK && conditions::is_not_modified(request, &self.head.headers) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            for name in &OF_NOT_MODIFIED {
                for value in self.head.headers.get_all(name) {
                    response.headers_mut().append(name.clone(), value.clone());
                }
            }
        } else {
            *response.status_mut() = self.head.status;
            *response.headers_mut() = self.head.headers.clone();
            if *method != Method::HEAD {
                *response.body_mut() = Body::full(self.body.clone());
            } else if self.head.status != StatusCode::NO_CONTENT {
                response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
            }
        }
        response.headers_mut().insert(AGE, HeaderValue::from(self.age(now_ns).as_secs()));
        response
    }

    /// Its fields as a 304 brings them up to date (RFC 9111, section 3.2).
    pub fn updated_headers(&self, not_modified: &HeaderMap) -> HeaderMap {
        let mut headers = self.head.headers.clone();
        headers.remove(DATE);
        for name in not_modified.keys().filter(|name| !OF_BODIES.contains(name)) {
            headers.remove(name);
            for value in not_modified.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        headers
    }

    /// The same answer with the head of one that confirms it.
    pub fn confirmed(&self, head: StorableHead, arrived_ns: u64) -> Self {
        Self { component: self.component, head, body: self.body.clone(), arrived_ns }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// Its body.
    pub fn body(&self) -> Bytes {
        self.body.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use http_body::Body as _;

    use super::*;

    const PHOTO: ComponentName = ComponentName::of("photo");

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).expect("visible");
        list.iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect()
    }

    /// The answer to a request, kept at second 0 of the process.
    fn kept(request: &HeaderMap, answer: &[(&'static str, &str)]) -> Option<StoredResponse> {
        let arrival = Arrival { now_ns: 0, wall: UNIX_EPOCH, delay: Duration::ZERO };
        let is_authorized = request.contains_key("authorization");
        let head = StorableHead::of(request, is_authorized, StatusCode::OK, &headers(answer), arrival)?;
        Some(StoredResponse::new(PHOTO, head, b"a photo", 0))
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn it_holds_as_long_as_its_lifetime_and_its_request_have_it() {
        let stored = kept(&HeaderMap::new(), &[("cache-control", "max-age=10"), ("age", "3")]).expect("kept");
        let is_fresh = |second: u64, asked: RequestDirectives| stored.is_fresh(second * SECOND, &asked);
        let any = RequestDirectives::default();
        assert!(is_fresh(6, any) && !is_fresh(7, any), "three seconds old when it came");
        let young = RequestDirectives { max_age: Some(Duration::from_secs(4)), ..any };
        assert!(is_fresh(1, young) && !is_fresh(2, young));
        let lasting = RequestDirectives { min_fresh: Duration::from_secs(5), ..any };
        assert!(is_fresh(2, lasting) && !is_fresh(3, lasting));
        let response = stored.response(&Method::GET, &HeaderMap::new(), 2 * SECOND);
        assert_eq!(response.headers()["age"], "5");
        assert_eq!(response.headers()["date"], "Thu, 01 Jan 1970 00:00:00 GMT", "it had none");
    }

    #[test]
    fn it_is_for_requests_that_have_the_same_where_it_depends_on_it() {
        let answer = [("cache-control", "max-age=10"), ("vary", "accept-language")];
        let german = headers(&[("accept-language", "de"), ("accept", "*/*")]);
        let stored = kept(&german, &answer).expect("kept");
        assert!(stored.is_for(&headers(&[("accept-language", " de")])));
        assert!(!stored.is_for(&headers(&[("accept-language", "fr")])) && !stored.is_for(&HeaderMap::new()));
        let of_none = kept(&HeaderMap::new(), &answer).expect("kept");
        assert!(of_none.is_for(&HeaderMap::new()) && !of_none.is_for(&german));
        assert!(!of_none.is_for_the_same(&stored));
    }

    #[test]
    fn one_for_an_account_is_kept_where_it_is_for_all() {
        let request = headers(&[("authorization", "Bearer t")]);
        assert!(kept(&request, &[("cache-control", "max-age=10")]).is_none());
        assert!(kept(&request, &[("cache-control", "public, max-age=10")]).is_some());
        let anonymous = kept(&HeaderMap::new(), &[("cache-control", "max-age=10")]).expect("kept");
        assert!(!anonymous.allows_authorization());
    }

    #[test]
    fn a_client_gets_all_of_it_its_head_or_that_it_holds() {
        let fields = [("cache-control", "max-age=10"), ("etag", "\"1\""), ("content-type", "image/jpeg")];
        let stored = kept(&HeaderMap::new(), &fields).expect("kept");
        let get = stored.response(&Method::GET, &HeaderMap::new(), 0);
        assert_eq!((get.status().as_u16(), get.body().size_hint().exact()), (200, Some(7)));
        let head = stored.response(&Method::HEAD, &HeaderMap::new(), 0);
        assert_eq!(
            (head.headers()["content-length"].to_str().ok(), head.body().is_end_stream()),
            (Some("7"), true)
        );
        let known = stored.response(&Method::GET, &headers(&[("if-none-match", "\"1\"")]), 0);
        assert_eq!((known.status().as_u16(), known.body().is_end_stream()), (304, true));
        assert_eq!(known.headers()["etag"], "\"1\"");
        assert!(known.headers().contains_key("age") && !known.headers().contains_key("content-type"));
    }

    #[test]
    fn a_304_brings_its_fields_up_to_date() {
        let fields = [("cache-control", "max-age=10"), ("etag", "\"1\""), ("content-type", "image/jpeg")];
        let stored = kept(&HeaderMap::new(), &fields).expect("kept");
        let not_modified = headers(&[
            ("cache-control", "max-age=20"),
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("content-type", "text/plain"),
        ]);
        let expected = headers(&[
            ("cache-control", "max-age=20"),
            ("etag", "\"1\""),
            ("content-type", "image/jpeg"),
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ]);
        assert_eq!(stored.updated_headers(&not_modified), expected);
    }
}
