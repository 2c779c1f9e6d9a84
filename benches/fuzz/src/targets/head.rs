//! Bytes as the head of a request and its body, as hyper would hand it over.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

/// Pieces of heads.
pub(super) const WORDS: &[&[u8]] = &[
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"OPTIONS * ",
    b"CONNECT a:80 ",
    b"/v1/",
    b"/..",
    b"/.",
    b"//",
    b"%2e",
    b"%2f",
    b"%5C",
    b"%00",
    b"%zz",
    b"/call/",
    b"/outbox/",
    b"/control/",
    b"/metrics",
    b"http://a/",
    b" HTTP/1.0",
    b"\nhost: a",
    b"\nhost: [::1]:80",
    b"\nconnection: close, x-forwarded-for, x-cleave-request",
    b"\nx-cleave-token: t",
    b"\nx-cleave-principal: 0000000000007",
    b"\nx-forwarded-for: 10.0.0.1",
    b"\nforwarded: for=10.0.0.1",
    b"\nx-retry-attempt: 3",
    b"\nx-deadline-ms: 0",
    b"\nx-deadline-ms: 18446744073709551616",
    b"\nx-cleave-deadline-by: client",
    b"\ntransfer-encoding: chunked",
    b"\ncontent-length: 5",
    b"\nexpect: 100-continue",
    b"\nidempotency-key: k",
    b"\nauthorization: Bearer x",
    b"\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    b"\n\n",
];

/// A head and what follows its empty line. `None` where hyper would have refused it: a method, URI or header that is none.
pub(super) fn read(input: &[u8]) -> Option<(Parts, Bytes)> {
    let end = input.windows(2).position(|two| two == b"\n\n");
    let (head, body) = end.map_or((input, &[][..]), |end| (&input[..end], &input[end + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut first = lines.next()?.splitn(3, |byte| *byte == b' ');
    let mut parts = Request::new(()).into_parts().0;
    parts.method = Method::from_bytes(first.next()?).ok()?;
    parts.uri = Uri::try_from(first.next()?).ok()?;
    parts.version = if first.next() == Some(b"HTTP/1.0") { Version::HTTP_10 } else { Version::HTTP_11 };
    parts.headers = headers(lines)?;
    Some((parts, Bytes::copy_from_slice(body)))
}

/// Header lines.
pub(super) fn headers<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        headers.append(name, value);
    }
    Some(headers)
}
