//! What a write makes go, and writes as they are counted.

use std::array;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use contract::hash::{fnv1a64, fnv1a64_with, mix};
use http::header::{CONTENT_LOCATION, LOCATION};
use http::{HeaderMap, Method, Uri};

use super::target::{CacheKey, normal_path};

/// Writes are counted by path, in so many counts: of two paths with the same one, a write to one keeps answers for the other
/// that are on their way from being kept.
const WRITE_COUNTS: usize = 256;

/// What is out of date once a write has come about.
///
/// RFC 9111 (section 4.4) asks for the write's target, and allows more. Here it is its path, whatever the query and by
/// whatever `Host` it was asked for, since both lead to the same component. And, but for `POST`, all that lies below that path
/// (RFC 3986, section 1.2.3): `DELETE /v1/photos/7` takes the thumbnail and the original along, which no reader should get any
/// more, whatever they depend on. `POST` adds to a collection and changes none of what is in it: each upload would empty the
/// cache of all photos.
#[derive(Debug, PartialEq, Eq)]
pub struct WriteReach {
    path: String,
    is_deep: bool,
}

impl WriteReach {
    /// Of a write with this method to this path.
    pub fn of(method: &Method, path: &str) -> Self {
        Self { path: normal_path(path).into_owned(), is_deep: *method != Method::POST }
    }

    /// What else the answer to a write names as changed: its `Location` and `Content-Location`, where they are of the same host.
    pub fn named_by(answer: &HeaderMap, host: &str) -> impl Iterator<Item = Self> {
        let fields = [LOCATION, CONTENT_LOCATION].map(|name| answer.get(name));
        fields.into_iter().flatten().filter_map(move |value| {
            let uri: Uri = value.to_str().ok()?.parse().ok()?;
            let is_here = match uri.authority() {
                Some(authority) => uri.scheme().is_some() && authority.as_str().eq_ignore_ascii_case(host),
                None => uri.path().starts_with('/'),
            };
            is_here.then(|| Self { path: normal_path(uri.path()).into_owned(), is_deep: false })
        })
    }

    /// Whether it reaches this key.
    pub fn reaches(&self, key: &CacheKey) -> bool {
        let below = key.path().strip_prefix(self.path.as_str());
        below.is_some_and(|below| below.is_empty() || (self.is_deep && below.starts_with('/')))
    }

    /// The keys that it reaches, as ranges of their order: of the path, of the path with a query, and of what lies below.
    pub fn ranges(&self) -> Vec<Range<CacheKey>> {
        let key = |end: &str| CacheKey { target: format!("{}{end}", self.path), host: String::new() };
        // Nothing comes between a text and itself with a zero; `@` follows `?`, and `0` follows `/`.
        let ends = [("", "\0"), ("?", "@"), ("/", "0")];
        let reached = if self.is_deep { &ends[..] } else { &ends[..2] };
        reached.iter().map(|(from, to)| key(from)..key(to)).collect()
    }
}

/// Counts of writes.
pub struct WriteCounts([AtomicU64; WRITE_COUNTS]);

impl WriteCounts {
    /// None yet.
    pub fn new() -> Self {
        Self(array::from_fn(|_| AtomicU64::new(0)))
    }

    fn count(&self, path: &str, is_deep: bool) -> &AtomicU64 {
        let number = mix(fnv1a64_with(&[u8::from(is_deep)], fnv1a64(path.as_bytes())));
        &self.0[number as usize % WRITE_COUNTS]
    }

    /// Counts a write.
    pub fn add(&self, reach: &WriteReach) {
        self.count(&reach.path, reach.is_deep).fetch_add(1, Ordering::SeqCst);
    }

    /// A number that grows with every write that reaches this key: those to its path, and the deep ones to paths above it.
    pub fn reaching(&self, key: &CacheKey) -> u64 {
        let path = key.path();
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let deep = ends.map(|end| self.count(&path[..end], true).load(Ordering::SeqCst));
        deep.fold(self.count(path, false).load(Ordering::SeqCst), u64::wrapping_add)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn key(target: &str) -> CacheKey {
        CacheKey { target: target.into(), host: "cleave".into() }
    }

    #[track_caller]
    fn check(method: Method, path: &str, reached: &[&str], others: &[&str]) {
        let reach = WriteReach::of(&method, path);
        let ranges = reach.ranges();
        for (target, expected) in reached.iter().map(|t| (t, true)).chain(others.iter().map(|t| (t, false))) {
            let counts = WriteCounts::new();
            let before = counts.reaching(&key(target));
            counts.add(&reach);
            let is_reached = ranges.iter().any(|range| range.contains(&key(target)));
            assert_eq!(is_reached, expected, "{method} {path}: {target}");
            assert_eq!(reach.reaches(&key(target)), expected, "{method} {path}: {target}");
            if expected {
                assert_ne!(counts.reaching(&key(target)), before, "{method} {path}: {target}");
            }
        }
    }

    #[test]
    fn a_write_reaches_its_path_and_what_lies_below_and_a_post_does_not() {
        let others =
            ["/v1/photos", "/v1/photos/70", "/v1/photos/7.jpg", "/v1/photos/8/thumbnail", "/v1/photos/6"];
        let own =
            ["/v1/photos/7", "/v1/photos/7?size=2", "/v1/photos/7/thumbnail", "/v1/photos/7/original?a=/b"];
        for method in [Method::DELETE, Method::PUT, Method::PATCH] {
            check(method.clone(), "/v1/photos/7", &own, &others);
            check(method, "/v1/photos/%37", &own, &others);
        }
        check(Method::POST, "/v1/photos", &["/v1/photos", "/v1/photos?page=2"], &own);
    }

    #[test]
    fn what_an_answer_names_is_reached_where_it_is_of_this_host() {
        let named = |text: &'static str| {
            let answer = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(text))]);
            WriteReach::named_by(&answer, "cleave:80").map(|reach| reach.path).collect::<Vec<_>>()
        };
        assert_eq!(named("/v1/photos/%37?a=b"), ["/v1/photos/7"]);
        assert_eq!(named("https://Cleave:80/v1/photos/7"), ["/v1/photos/7"]);
        for other in ["https://elsewhere/v1/photos/7", "photos", "", "::"] {
            assert_eq!(named(other), [""; 0], "{other}");
        }
    }
}
