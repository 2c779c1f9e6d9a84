//! What may pass from one connection to another. Pure functions, for the gateway.

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Uri, Version};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
/// The client for which a request is forwarded, as some proxies write it.
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
/// The client for which a request is forwarded; the gateway's word.
pub const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Why a request is malformed although it parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// RFC 9112, section 3.2: exactly one.
    #[error("an HTTP/1.1 request has exactly one `Host`, a name or an address")]
    Host,
    /// `..`, `//`, `\`, `%2f`, `%00` and the like mean different things to different readers.
    #[error("the path has empty or dot segments, a backslash, or encoded separators")]
    Path,
    /// `%` without two hex digits.
    #[error("the path has a `%` without two hex digits")]
    Percent,
}

/// Removes what concerns one connection only: the names that `Connection`
/// lists, then the fixed ones (RFC 9110, section 7.6.1). Do this before
/// anything of our own is added, or a client could have it removed.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let listed: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .filter_map(|name| name.trim().parse().ok())
            .collect();
        for name in listed {
            headers.remove(name);
        }
    }
    remove_where(headers, |name| HOP_BY_HOP.contains(name));
}

/// What concerns one connection only, whether `Connection` lists it or not.
static HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Looks at the names that are there, of which few are to go, in place of looking for each that might be there.
fn remove_where(headers: &mut HeaderMap, is_unwanted: impl Fn(&HeaderName) -> bool) {
    while let Some(name) = headers.keys().find(|name| is_unwanted(name)).cloned() {
        headers.remove(name);
    }
}

/// Removes what only the suite itself may set: identity, caller, token, tries,
/// and where the request came from.
pub fn strip_claims(headers: &mut HeaderMap) {
    static CLAIMS: [HeaderName; 3] = [crate::headers::ATTEMPT, FORWARDED, REAL_IP];
    // Of the second, proxies have more than those that are written here: `-Port`, `-Prefix`, `-Server`.
    const PREFIXES: [&str; 2] = ["x-cleave-", "x-forwarded-"];
    let is_claim = |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    remove_where(headers, |name| is_claim(name.as_str()) || CLAIMS.contains(name));
}

/// Writes for which client a request is forwarded, in place of what it claimed. `peer` is the client's address, and `is_secured`
/// whether it came over TLS.
pub fn forwarded(headers: &mut HeaderMap, peer: &HeaderValue, is_secured: bool, host: Option<&HeaderValue>) {
    headers.remove(FORWARDED);
    headers.insert(FORWARDED_FOR, peer.clone());
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(if is_secured { "https" } else { "http" }));
    match host {
        Some(host) => headers.insert(FORWARDED_HOST, host.clone()),
        None => headers.remove(FORWARDED_HOST),
    };
}

/// Writes cookies that HTTP/2 has in fields of their own into one, as HTTP/1.1 has them (RFC 9113, section 8.2.3).
pub fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(COOKIE).iter();
    let Some(first) = cookies.next() else { return };
    let mut joined = first.as_bytes().to_vec();
    for cookie in cookies {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(cookie.as_bytes());
    }
    if joined.len() > first.len() {
        headers.insert(COOKIE, HeaderValue::try_from(joined).expect("it is made of such"));
    }
}

/// Leaves one of lengths that are the same, as RFC 9110 asks of those that pass a message on (section 8.6). HTTP/2 takes no others,
/// and HTTP/1.1 leaves one as it reads them.
pub fn join_lengths(headers: &mut HeaderMap) {
    if headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some()
        && let Some(length) = headers.get(CONTENT_LENGTH).cloned()
    {
        headers.insert(CONTENT_LENGTH, length);
    }
}

/// The host the request is addressed to: the authority of an absolute URI, else
/// `Host`. `None` only in HTTP/1.0, which may leave it out. Of HTTP/2 the authority is `:authority`, which has nothing but a
/// host and perhaps a port, and which a `Host` next to it has to repeat (RFC 9113, section 8.3.1).
///
/// # Errors
/// When `Host` is missing, stands there twice, or is no name or address with perhaps a port.
pub fn host(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<Option<HeaderValue>, Malformed> {
    let mut hosts = headers.get_all(HOST).iter();
    let first = hosts.next();
    let is_missing = first.is_none()
        && (version == Version::HTTP_11 || (version == Version::HTTP_2 && uri.authority().is_none()));
    if hosts.next().is_some() || is_missing {
        return Err(Malformed::Host);
    }
    if first.is_some_and(|host| !host.to_str().is_ok_and(is_authority)) {
        return Err(Malformed::Host);
    }
    match uri.authority().map(Authority::as_str) {
        Some(authority) if version == Version::HTTP_2 => {
            let differs = |host: &HeaderValue| !host.as_bytes().eq_ignore_ascii_case(authority.as_bytes());
            if !is_authority(authority) || first.is_some_and(differs) {
                return Err(Malformed::Host);
            }
            HeaderValue::from_str(authority).map(Some).map_err(|_| Malformed::Host)
        }
        Some(authority) => {
            let host = authority.rsplit('@').next().unwrap_or_default();
            let host = is_authority(host).then(|| HeaderValue::from_str(host).ok()).flatten();
            host.map(Some).ok_or(Malformed::Host)
        }
        None => Ok(first.cloned()),
    }
}

/// Longest name of a host, bytes (RFC 1035, section 2.3.4).
const MAX_HOST: usize = 253;

/// A name or an address, and perhaps a port: of RFC 3986's authorities those that name a host
/// (section 3.2.2, with the letters of DNS and `_`, which containers use).
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_port = |port: &str| {
        port.is_empty() || (port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok())
    };
    let is_host = match host.strip_prefix('[') {
        Some(address) => {
            address.strip_suffix(']').is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
        }
        None => {
            let is_label = |label: &str| {
                !label.is_empty()
                    && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            };
            // A name may end in the dot of the root.
            host.len() <= MAX_HOST && host.strip_suffix('.').unwrap_or(host).split('.').all(is_label)
        }
    };
    is_host && port.is_none_or(is_port)
}

/// Refuses paths that two readers could understand differently, before any
/// route is looked up.
///
/// # Errors
/// For empty and dot segments, a backslash, which some take for a slash (WHATWG URL, section 4.4), encoded separators and NUL, and
/// broken escapes.
pub fn path(path: &str) -> Result<(), Malformed> {
    let Some(inner) = path.strip_prefix('/') else { return Err(Malformed::Path) };
    if path.bytes().any(|b| b == b'\\') {
        return Err(Malformed::Path);
    }
    if path.bytes().any(|b| b == b'%') {
        escapes(path.as_bytes())?;
    }
    if inner.is_empty() {
        return Ok(());
    }
    let segments = inner.strip_suffix('/').unwrap_or(inner).split('/');
    if segments.into_iter().any(|segment| segment.is_empty() || is_dots(segment)) {
        return Err(Malformed::Path);
    }
    Ok(())
}

fn escapes(bytes: &[u8]) -> Result<(), Malformed> {
    let hex = |b: Option<&u8>| b.and_then(|&b| char::from(b).to_digit(16)).ok_or(Malformed::Percent);
    for (at, _) in bytes.iter().enumerate().filter(|(_, b)| **b == b'%') {
        let byte = hex(bytes.get(at + 1))? << 4 | hex(bytes.get(at + 2))?;
        if [0, u32::from(b'/'), u32::from(b'\\')].contains(&byte) {
            return Err(Malformed::Path);
        }
    }
    Ok(())
}

/// `.` or `..`, in any spelling.
fn is_dots(segment: &str) -> bool {
    if segment.len() > "%2e%2e".len() || !segment.starts_with(['.', '%']) {
        return false;
    }
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".."
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).expect("visible");
        list.iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect()
    }

    #[test]
    fn what_connection_lists_goes_first() {
        let mut map = headers(&[
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("keep-alive", "5"),
            ("te", "trailers"),
            ("upgrade", "websocket"),
            ("accept", "*/*"),
        ]);
        strip_hop_by_hop(&mut map);
        assert_eq!(map, headers(&[("accept", "*/*")]));
    }

    #[test]
    fn forged_claims_do_not_pass() {
        let mut map = headers(&[
            ("x-cleave-principal", "0000000000001"),
            ("x-cleave-token", "guess"),
            ("x-retry-attempt", "3"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-port", "443"),
            ("x-forwarded-prefix", "/admin"),
            ("forwarded", "for=10.0.0.1"),
            ("x-real-ip", "10.0.0.1"),
            ("authorization", "Bearer t"),
        ]);
        strip_claims(&mut map);
        assert_eq!(map, headers(&[("authorization", "Bearer t")]));
        forwarded(&mut map, &HeaderValue::from_static("127.0.0.1"), false, None);
        assert_eq!(map["x-forwarded-for"], "127.0.0.1");
        assert_eq!(map["x-forwarded-proto"], "http");
        forwarded(&mut map, &HeaderValue::from_static("127.0.0.1"), true, None);
        assert_eq!(map["x-forwarded-proto"], "https");
    }

    #[test]
    fn one_host_and_only_one() {
        let uri = Uri::from_static("/v1/feed");
        let two = headers(&[("host", "a"), ("host", "b")]);
        assert_eq!(host(Version::HTTP_11, &uri, &two), Err(Malformed::Host));
        assert_eq!(host(Version::HTTP_11, &uri, &HeaderMap::new()), Err(Malformed::Host));
        assert_eq!(host(Version::HTTP_10, &uri, &HeaderMap::new()), Ok(None));
        let one = headers(&[("host", "a")]);
        assert_eq!(host(Version::HTTP_11, &uri, &one), Ok(Some(HeaderValue::from_static("a"))));
        let absolute = Uri::from_static("http://me@b:8/v1");
        assert_eq!(host(Version::HTTP_11, &absolute, &one), Ok(Some(HeaderValue::from_static("b:8"))));
    }

    #[test]
    fn in_http2_the_authority_is_the_host_and_a_host_next_to_it_the_same() {
        let of = |uri: &'static str, list: &[(&'static str, &str)]| {
            host(Version::HTTP_2, &Uri::from_static(uri), &headers(list))
        };
        let (a, expected) = ("http://a:8/v1", Ok(Some(HeaderValue::from_static("a:8"))));
        assert_eq!(of(a, &[]), expected);
        assert_eq!(of(a, &[("host", "A:8")]), expected);
        assert_eq!(of("/v1", &[("host", "a:8")]), expected, "one that was HTTP/1.1 before");
        for (uri, list) in [
            (a, &[("host", "b:8")][..]),
            (a, &[("host", "a:8"), ("host", "a:8")]),
            ("http://me@a:8/v1", &[]),
            ("/v1", &[]),
        ] {
            assert_eq!(of(uri, list), Err(Malformed::Host), "{uri} {list:?}");
        }
    }

    #[test]
    fn cookies_of_http2_are_one_field_before_they_pass_on() {
        let mut map = HeaderMap::new();
        join_cookies(&mut map);
        assert!(map.is_empty());
        for cookie in ["a=1", "b=2", "c=3"] {
            map.append(COOKIE, HeaderValue::from_static(cookie));
        }
        join_cookies(&mut map);
        let cookies: Vec<_> = map.get_all(COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3"]);
    }

    #[test]
    fn lengths_that_are_the_same_are_one_before_they_pass_on() {
        let mut map = HeaderMap::new();
        join_lengths(&mut map);
        assert!(map.is_empty());
        for count in [1, 3] {
            for _ in 0..count {
                map.append(CONTENT_LENGTH, HeaderValue::from_static("5"));
            }
            join_lengths(&mut map);
            let left: Vec<_> = map.get_all(CONTENT_LENGTH).iter().collect();
            assert_eq!(left, ["5"]);
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        for good in [
            "a",
            "cleave",
            "a.b.example.",
            "127.0.0.1:8080",
            "[::1]",
            "[::1]:80",
            "gateway_1:80",
            "a:",
            "x-1",
        ] {
            assert!(is_authority(good), "{good}");
        }
        let long = "a".repeat(254);
        for bad in [
            "",
            ":80",
            "a b",
            "a\tb",
            "a/b",
            "a@b",
            "a#b",
            "a?b",
            "[::1",
            "::1",
            "[a]",
            "a:99999",
            "a:b",
            "a:-1",
            "a,b",
            "a..b",
            ".",
            ".a",
            "%00",
            "a%20b",
            "a;b",
            "a\\b",
            "caf\u{e9}",
            "[::1]x",
            &long,
        ] {
            assert!(!is_authority(bad), "{bad}");
        }
        let uri = Uri::from_static("/v1/feed");
        let mut raw = HeaderMap::new();
        raw.insert(HOST, HeaderValue::from_bytes(b"\xff").expect("a header value"));
        assert_eq!(host(Version::HTTP_11, &uri, &raw), Err(Malformed::Host));
    }

    #[test]
    fn ambiguous_paths_are_refused() {
        for good in ["/", "/v1/feed", "/v1/users/", "/a%20b", "/..a", "/a.b", "/v1/caf%C3%A9"] {
            assert_eq!(path(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "v1",
            "//",
            "/a//b",
            "/./a",
            "/a/..",
            "/%2e%2e/a",
            "/.%2E",
            "/a%2fb",
            "/a%5Cb",
            "/a\\b",
            "/a/..\\b",
            "/%00",
            "/a//",
        ] {
            assert_eq!(path(bad), Err(Malformed::Path), "{bad}");
        }
        for bad in ["/%", "/%2", "/%zz", "/%2g"] {
            assert_eq!(path(bad), Err(Malformed::Percent), "{bad}");
        }
    }

    proptest! {
        /// Whatever passes, decoding it once changes no segment boundary.
        #[test]
        fn an_accepted_path_means_one_thing(text in "(/|%2[eEfF]|%5c|\\.|a|%41){0,12}") {
            if path(&text).is_ok() {
                let decoded = text.replace("%41", "A").replace("%2e", ".").replace("%2E", ".");
                prop_assert!(!decoded.contains('%'), "{text}");
                prop_assert!(decoded.split('/').all(|s| s != "." && s != ".."), "{text}");
            }
        }

        #[test]
        fn stripping_twice_is_stripping_once(list in "[a-z-]{1,8}(, ?[a-z-]{1,8}){0,3}") {
            let mut map = headers(&[("accept", "*/*"), ("x-a", "1")]);
            map.insert(CONNECTION, HeaderValue::from_str(&list).expect("visible"));
            strip_hop_by_hop(&mut map);
            let once = map.clone();
            strip_hop_by_hop(&mut map);
            prop_assert_eq!(map, once);
        }
    }
}
