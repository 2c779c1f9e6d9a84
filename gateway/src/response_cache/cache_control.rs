//! `Cache-Control` as it is written: directives of requests and of answers (RFC 9111, section 5.2).

use std::time::Duration;

use http::header::{CACHE_CONTROL, PRAGMA};
use http::{HeaderMap, HeaderName};

/// Longest time that a directive can name: no cache need know a longer one (RFC 9111, section 1.2.2).
const MAX_SECONDS: u64 = 1 << 31;

/// What a client asks of the caches on its way. What it would put up with (`max-stale`) is not made use of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    /// Nothing of the exchange is to be kept.
    pub no_store: bool,
    /// No kept answer is to be given without asking.
    pub no_cache: bool,
    /// The component is not to be asked.
    pub only_if_cached: bool,
    /// How old an answer may be.
    pub max_age: Option<Duration>,
    /// For how long it still has to hold.
    pub min_fresh: Duration,
}

/// What a component allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseDirectives {
    /// `no-store`, `private` or `no-cache`, with names of fields or without, or something that cannot be read.
    pub is_refused: bool,
    /// It is for all, also where it answers a request with `Authorization`.
    pub is_public: bool,
    /// `must-revalidate`. Nothing that is stale is given here anyway; `proxy-revalidate` is no more than that, and allows
    /// nothing.
    pub must_revalidate: bool,
    /// For how long it holds in any cache.
    pub max_age: Option<Duration>,
    /// For how long it holds in a shared one, such as this.
    pub shared_max_age: Option<Duration>,
}

impl RequestDirectives {
    /// Those of a request. `Pragma: no-cache` counts where there is no `Cache-Control` (RFC 9111, section 5.4).
    pub fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        each_directive(headers, &CACHE_CONTROL, |name, argument| match name {
            "no-store" => found.no_store = true,
            "no-cache" => found.no_cache = true,
            "only-if-cached" => found.only_if_cached = true,
            "max-age" => found.max_age = Some(shorter(found.max_age, seconds(argument))),
            // One that cannot be read asks for more than there is.
            "min-fresh" => {
                let asked = argument.and_then(|text| text.parse::<u64>().ok()).unwrap_or(MAX_SECONDS);
                found.min_fresh = found.min_fresh.max(Duration::from_secs(asked.min(MAX_SECONDS)));
            }
            _ => {}
        });
        if !headers.contains_key(CACHE_CONTROL) {
            each_directive(headers, &PRAGMA, |name, _| found.no_cache |= name == "no-cache");
        }
        found
    }
}

impl ResponseDirectives {
    /// Those of an answer; of two times the shorter counts, and one that cannot be read is none at all.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        let is_readable = each_directive(headers, &CACHE_CONTROL, |name, argument| match name {
            "no-store" | "private" | "no-cache" => found.is_refused = true,
            "public" => found.is_public = true,
            "must-revalidate" => found.must_revalidate = true,
            "max-age" => found.max_age = Some(shorter(found.max_age, seconds(argument))),
            "s-maxage" => found.shared_max_age = Some(shorter(found.shared_max_age, seconds(argument))),
            _ => {}
        });
        found.is_refused |= !is_readable;
        found
    }

    /// Whether an answer to a request with `Authorization` may be kept, and be given to such (RFC 9111, section 3.5).
    pub fn allows_authorization(&self) -> bool {
        self.is_public || self.must_revalidate || self.shared_max_age.is_some()
    }
}

fn shorter(known: Option<Duration>, other: Duration) -> Duration {
    known.map_or(other, |known| known.min(other))
}

/// A number of seconds; none at all where it cannot be read (RFC 9111, section 4.2.1).
fn seconds(argument: Option<&str>) -> Duration {
    let digits = argument.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    // What does not fit is longer than anything.
    let number = digits.map_or(0, |text| text.parse::<u64>().unwrap_or(MAX_SECONDS));
    Duration::from_secs(number.min(MAX_SECONDS))
}

/// Calls `each` with the directives of a field: names in lower case, arguments without quotes. Whether all could be read.
fn each_directive(headers: &HeaderMap, field: &HeaderName, mut each: impl FnMut(&str, Option<&str>)) -> bool {
    let mut is_readable = true;
    for line in headers.get_all(field) {
        let Ok(line) = line.to_str() else {
            is_readable = false;
            continue;
        };
        // What follows a quote that is escaped, or that is not closed, may stand in it or not.
        is_readable &= !line.contains('\\') && line.matches('"').count().is_multiple_of(2);
        for element in list_elements(line) {
            let (name, argument) = match element.split_once('=') {
                Some((name, argument)) => (name, Some(argument.trim().trim_matches('"'))),
                None => (element, None),
            };
            each(&name.trim().to_ascii_lowercase(), argument);
        }
    }
    is_readable
}

/// The elements of a list, at commas outside of quotes (RFC 9110, section 5.6.1).
pub fn list_elements(line: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let at_comma = move |c: char| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    };
    line.split(at_comma).map(str::trim).filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let value = |line: &&str| (CACHE_CONTROL, HeaderValue::from_str(line).expect("visible"));
        let mut headers = HeaderMap::new();
        for (name, value) in lines.iter().map(value) {
            headers.append(name, value);
        }
        headers
    }

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_answers_directives_are_read_in_any_case_line_and_form() {
        let of = |lines: &[&str]| ResponseDirectives::of(&headers(lines));
        let usual = of(&["Public, MAX-AGE=60", "s-maxage=\"5\""]);
        let expected = ResponseDirectives {
            is_public: true,
            max_age: Some(secs(60)),
            shared_max_age: Some(secs(5)),
            ..ResponseDirectives::default()
        };
        assert_eq!(usual, expected);
        for refused in
            ["no-store", "private", "private=\"a, b\"", "no-cache", "NO-CACHE=\"set-cookie\", max-age=9"]
        {
            assert!(of(&[refused]).is_refused, "{refused}");
        }
        assert!(!of(&["x=\"a, private, b\", max-age=1"]).is_refused, "what stands in quotes is no directive");
        assert_eq!(of(&["max-age=60, max-age=5"]).max_age, Some(secs(5)));
        assert_eq!(of(&["max-age=99999999999999999999"]).max_age, Some(secs(MAX_SECONDS)));
        for unreadable in ["max-age", "max-age=", "max-age=-1", "max-age=1.5", "max-age=soon"] {
            assert_eq!(of(&[unreadable]).max_age, Some(secs(0)), "{unreadable}");
        }
        for ambiguous in [r#"max-age=60, x="\"", private"#, r#"max-age=60, x=", private"#] {
            assert!(of(&[ambiguous]).is_refused, "{ambiguous}");
        }
        let mut raw = HeaderMap::new();
        raw.insert(CACHE_CONTROL, HeaderValue::from_bytes(b"max-age=60, \xff").expect("a header value"));
        assert!(ResponseDirectives::of(&raw).is_refused);
    }

    #[test]
    fn some_answers_are_for_requests_with_authorization_too() {
        let allows = |line: &str| ResponseDirectives::of(&headers(&[line])).allows_authorization();
        assert!(allows("public, max-age=1") && allows("s-maxage=1") && allows("max-age=1, must-revalidate"));
        assert!(!allows("max-age=60") && !allows("max-age=60, proxy-revalidate"));
    }

    #[test]
    fn a_requests_directives_are_read() {
        let of = |lines: &[&str]| RequestDirectives::of(&headers(lines));
        assert_eq!(of(&[]), RequestDirectives::default());
        let asked = of(&["no-store, max-age=5", "min-fresh=7, only-if-cached, max-stale"]);
        let expected = RequestDirectives {
            no_store: true,
            only_if_cached: true,
            max_age: Some(secs(5)),
            min_fresh: secs(7),
            ..RequestDirectives::default()
        };
        assert_eq!(asked, expected);
        assert_eq!(of(&["min-fresh=soon"]).min_fresh, secs(MAX_SECONDS), "asks for more than there is");
        let mut old = HeaderMap::new();
        old.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        assert!(RequestDirectives::of(&old).no_cache);
        old.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3"));
        assert!(!RequestDirectives::of(&old).no_cache);
    }
}
