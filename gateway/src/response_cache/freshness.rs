//! Whether an answer may be kept, and for how long it holds (RFC 9111, sections 3 and 4.2).
//!
//! Only what a component explicitly allows is kept: nothing is guessed from the age of what an answer is about.

use std::time::{Duration, SystemTime};

use http::header::{AGE, DATE, EXPIRES, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use transport::headers;

use super::cache_control::{ResponseDirectives, list_elements};

/// Statuses whose meaning is known here, and that are for more than their request.
const STATUSES: [StatusCode; 10] = [
    StatusCode::OK,
    StatusCode::NON_AUTHORITATIVE_INFORMATION,
    StatusCode::NO_CONTENT,
    StatusCode::MULTIPLE_CHOICES,
    StatusCode::MOVED_PERMANENTLY,
    StatusCode::FOUND,
    StatusCode::TEMPORARY_REDIRECT,
    StatusCode::PERMANENT_REDIRECT,
    StatusCode::NOT_FOUND,
    StatusCode::GONE,
];

/// What differs from try to try, and cannot be compared.
static OF_TRIES: [HeaderName; 5] =
    [headers::REQUEST, headers::DEADLINE, headers::DEADLINE_BY, headers::ATTEMPT, headers::TRACEPARENT];

/// For how long an answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// From when it was made.
    pub lifetime: Duration,
    /// How old it was when it came.
    pub initial_age: Duration,
    /// Whether requests with `Authorization` may have it.
    pub allows_authorization: bool,
}

impl Freshness {
    /// Of an answer that came at `now`, `delay` after it was asked for. `None` where it is not to be kept: it does not hold
    /// for others, or not any more.
    pub fn of(status: StatusCode, headers: &HeaderMap, delay: Duration, now: SystemTime) -> Option<Self> {
        let directives = ResponseDirectives::of(headers);
        if directives.is_refused || !STATUSES.contains(&status) || headers.contains_key(SET_COOKIE) {
            return None;
        }
        let date = date(headers, &DATE);
        let expires = || {
            let given = headers.get(EXPIRES)?;
            // One that cannot be read, such as `0`, has passed (RFC 9111, section 5.3).
            let expires = given.to_str().ok().and_then(|text| httpdate::parse_http_date(text).ok());
            let since = date.unwrap_or(now);
            Some(expires.and_then(|at| at.duration_since(since).ok()).unwrap_or_default())
        };
        let lifetime = directives.shared_max_age.or(directives.max_age).or_else(expires)?;
        let age = headers.get(AGE).map_or(Some(0), |value| value.to_str().ok()?.trim().parse().ok());
        // One that cannot be read is of any age.
        let age = Duration::from_secs(age.unwrap_or(u64::from(u32::MAX)));
        let apparent = date.and_then(|date| now.duration_since(date).ok()).unwrap_or_default();
        let initial_age = apparent.max(age.saturating_add(delay));
        let allows_authorization = directives.allows_authorization();
        (lifetime > initial_age).then_some(Self { lifetime, initial_age, allows_authorization })
    }
}

/// The date of a field, where it has one.
pub fn date(headers: &HeaderMap, field: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(field)?.to_str().ok()?).ok()
}

/// The fields of a request that an answer depends on; `None` where requests cannot be compared by them.
pub fn varies_by(headers: &HeaderMap) -> Option<Vec<HeaderName>> {
    let mut names: Vec<HeaderName> = Vec::new();
    for line in headers.get_all(http::header::VARY) {
        for element in list_elements(line.to_str().ok()?) {
            // `*` is a token, and so could be a name.
            let name = (element != "*").then(|| element.parse::<HeaderName>().ok()).flatten()?;
            if OF_TRIES.contains(&name) {
                return None;
            }
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    Some(names)
}

/// What a request has in a field: its lines as one, without the space around them (RFC 9111, section 4.1). `None` without it.
pub fn field_value(headers: &HeaderMap, field: &HeaderName) -> Option<Vec<u8>> {
    let mut lines = headers.get_all(field).iter().map(HeaderValue::as_bytes).map(<[u8]>::trim_ascii);
    let mut value = lines.next()?.to_vec();
    for line in lines {
        value.extend_from_slice(b", ");
        value.extend_from_slice(line);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT: the example of RFC 9110.
    fn then() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(784_111_777)
    }

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("visible"));
        }
        headers
    }

    /// Lifetime and initial age in seconds.
    fn of(status: u16, list: &[(&'static str, &str)]) -> Option<(u64, u64)> {
        let status = StatusCode::from_u16(status).expect("a status");
        let freshness = Freshness::of(status, &headers(list), Duration::ZERO, then());
        freshness.map(|found| (found.lifetime.as_secs(), found.initial_age.as_secs()))
    }

    #[test]
    fn a_shared_time_counts_before_the_others() {
        let expires = ("expires", "Sun, 06 Nov 1994 08:50:07 GMT");
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(of(200, &[expires, date]), Some((30, 0)));
        assert_eq!(of(200, &[expires]), Some((30, 0)), "without a date it is of the moment that it came");
        assert_eq!(of(200, &[expires, ("cache-control", "max-age=9")]), Some((9, 0)));
        assert_eq!(of(200, &[("cache-control", "max-age=9, s-maxage=5")]), Some((5, 0)));
        assert_eq!(of(404, &[("cache-control", "max-age=9")]), Some((9, 0)));
    }

    #[test]
    fn what_is_not_explicitly_allowed_is_not_kept() {
        let lists: [&[(&'static str, &str)]; 8] = [
            &[],
            &[("cache-control", "public")],
            &[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")],
            &[("cache-control", "max-age=0")],
            &[("cache-control", "max-age=60, private")],
            &[("cache-control", "max-age=60"), ("set-cookie", "a=b")],
            &[("expires", "0")],
            &[("expires", "Sun, 06 Nov 1994 08:49:36 GMT")],
        ];
        for list in lists {
            assert_eq!(of(200, list), None, "{list:?}");
        }
        for status in [206, 304, 400, 401, 500, 503] {
            assert_eq!(of(status, &[("cache-control", "public, max-age=60")]), None, "{status}");
        }
    }

    #[test]
    fn an_answer_is_as_old_as_its_date_and_its_age_have_it() {
        let holds = ("cache-control", "max-age=60");
        let old = ("date", "Sun, 06 Nov 1994 08:49:17 GMT");
        assert_eq!(of(200, &[holds, old]), Some((60, 20)));
        assert_eq!(of(200, &[holds, ("age", "30"), old]), Some((60, 30)));
        assert_eq!(of(200, &[holds, ("age", "60")]), None, "stale already");
        assert_eq!(of(200, &[holds, ("age", "young")]), None);
        assert_eq!(
            of(200, &[holds, ("date", "Sun, 06 Nov 1994 08:59:37 GMT")]),
            Some((60, 0)),
            "clocks differ"
        );
        let delay = Duration::from_secs(3);
        let late = Freshness::of(StatusCode::OK, &headers(&[holds, ("age", "30")]), delay, then());
        assert_eq!(late.map(|found| found.initial_age), Some(Duration::from_secs(33)));
    }

    #[test]
    fn what_an_answer_depends_on_can_be_compared_or_it_is_not_kept() {
        let names = |value: &str| {
            let names = varies_by(&headers(&[("vary", value)]))?;
            Some(names.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>())
        };
        let expected = vec!["accept".to_owned(), "accept-language".to_owned()];
        assert_eq!(names("Accept-Language, accept,accept-language"), Some(expected));
        assert_eq!(varies_by(&HeaderMap::new()), Some(Vec::new()));
        for never in ["*", "accept, *", "x-deadline-ms", "not a name"] {
            assert_eq!(names(never), None, "{never}");
        }
        let accept = HeaderName::from_static("accept");
        let two = headers(&[("accept", " text/html "), ("accept", "*/*")]);
        assert_eq!(field_value(&two, &accept).as_deref(), Some(&b"text/html, */*"[..]));
        assert_eq!(field_value(&HeaderMap::new(), &accept), None);
    }
}
