//! What a client has already, and how a component is asked whether that still holds (RFC 9110, section 13).

use http::header::{
    ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderValue};

use super::cache_control::list_elements;
use super::freshness::date;

/// Whether a request asks for something that only its component can decide, or for a part.
pub fn are_beyond_a_cache(request: &HeaderMap) -> bool {
    [RANGE, IF_RANGE, IF_MATCH, IF_UNMODIFIED_SINCE].iter().any(|name| request.contains_key(name))
}

/// Whether a request is only for what differs from something that its client has.
pub fn is_conditional(request: &HeaderMap) -> bool {
    request.contains_key(IF_NONE_MATCH) || request.contains_key(IF_MODIFIED_SINCE)
}

/// Whether the client has this answer already. Its tags decide, where it names any (RFC 9110, section 13.2.2).
pub fn is_not_modified(request: &HeaderMap, answer: &HeaderMap) -> bool {
    if request.contains_key(IF_NONE_MATCH) {
        let own = answer.get(ETAG).and_then(opaque_tag);
        let lines = request.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
        let mut tags = lines.flat_map(list_elements);
        return tags.any(|tag| tag == "*" || own.is_some_and(|own| without_weakness(tag) == own));
    }
    let modified = date(answer, &LAST_MODIFIED);
    let since = date(request, &IF_MODIFIED_SINCE);
    modified.zip(since).is_some_and(|(modified, since)| modified <= since)
}

/// Whether a component can be asked if an answer still holds.
pub fn has_validator(answer: &HeaderMap) -> bool {
    answer.contains_key(ETAG) || answer.contains_key(LAST_MODIFIED)
}

/// Writes what a component is asked, in place of what the client has: whether this answer still holds, or without one for all
/// of it.
pub fn ask_whether_it_holds(request: &mut HeaderMap, answer: Option<&HeaderMap>) {
    for (condition, validator) in [(IF_NONE_MATCH, ETAG), (IF_MODIFIED_SINCE, LAST_MODIFIED)] {
        match answer.and_then(|answer| answer.get(validator)) {
            Some(value) => request.insert(condition, value.clone()),
            None => request.remove(condition),
        };
    }
}

/// Whether a 304 can be of this answer: its tag, if it has one, is that of the answer.
pub fn can_be_of(not_modified: &HeaderMap, answer: &HeaderMap) -> bool {
    let tags = not_modified.get(ETAG).and_then(opaque_tag).zip(answer.get(ETAG).and_then(opaque_tag));
    tags.is_none_or(|(one, other)| one == other)
}

fn opaque_tag(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok().map(|tag| without_weakness(tag.trim()))
}

/// Tags are compared weakly: what is as good is as good (RFC 9110, section 8.8.3.2).
fn without_weakness(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).expect("visible");
        list.iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect()
    }

    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    #[test]
    fn a_client_that_has_it_does_not_get_it_again() {
        let answer = headers(&[("etag", "\"a,b\""), ("last-modified", THEN)]);
        for known in ["\"a,b\"", "W/\"a,b\"", "\"x\", \"a,b\"", "*"] {
            assert!(is_not_modified(&headers(&[("if-none-match", known)]), &answer), "{known}");
        }
        for other in ["\"a\"", "\"b\"", "a,b", ""] {
            let request = headers(&[("if-none-match", other), ("if-modified-since", LATER)]);
            assert!(!is_not_modified(&request, &answer), "{other}: the tag decides");
        }
        for (since, expected) in [(THEN, true), (LATER, true), ("Sun, 06 Nov 1994 08:49:36 GMT", false)] {
            assert_eq!(is_not_modified(&headers(&[("if-modified-since", since)]), &answer), expected);
        }
        assert!(!is_not_modified(&headers(&[("if-modified-since", LATER)]), &HeaderMap::new()));
        assert!(!is_not_modified(&HeaderMap::new(), &answer));
    }

    #[test]
    fn a_component_is_asked_by_what_is_kept_and_not_by_what_the_client_has() {
        let mut request =
            headers(&[("if-none-match", "\"mine\""), ("if-modified-since", THEN), ("accept", "*/*")]);
        ask_whether_it_holds(&mut request, Some(&headers(&[("etag", "\"kept\"")])));
        assert_eq!(request, headers(&[("if-none-match", "\"kept\""), ("accept", "*/*")]));
        ask_whether_it_holds(&mut request, None);
        assert_eq!(request, headers(&[("accept", "*/*")]));
    }

    #[test]
    fn a_304_of_another_tag_is_of_another_answer() {
        let answer = headers(&[("etag", "\"1\"")]);
        assert!(
            can_be_of(&headers(&[("etag", "W/\"1\"")]), &answer) && can_be_of(&HeaderMap::new(), &answer)
        );
        assert!(!can_be_of(&headers(&[("etag", "\"2\"")]), &answer));
    }
}
