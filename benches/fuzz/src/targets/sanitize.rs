//! What may pass from one connection to another.

use http::HeaderValue;
use transport::sanitize;

use super::{Target, head, no_seeds};

pub(super) const TARGET: Target = Target { name: "sanitize", run, seeds: no_seeds, words: head::WORDS };

/// Headers that concern one connection.
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-authorization",
];

fn run(input: &[u8]) {
    let Some((parts, _)) = head::read(input) else { return };
    let path = parts.uri.path();
    if sanitize::path(path).is_ok() {
        means_one_thing(path);
    }
    let host = sanitize::host(parts.version, &parts.uri, &parts.headers);
    if let Ok(Some(host)) = &host {
        let text = host.to_str().expect("a host that is accepted is visible ASCII");
        assert!(!text.contains(['/', '@', ' ', '\t', ',', '#', '?', '\\', '%']), "host `{text}`");
    }
    let mut headers = parts.headers;
    sanitize::strip_hop_by_hop(&mut headers);
    for name in HOP_BY_HOP {
        assert!(!headers.contains_key(name), "{name} passes on");
    }
    let once = headers.clone();
    sanitize::strip_hop_by_hop(&mut headers);
    assert_eq!(headers, once, "stripped once is stripped");
    sanitize::strip_claims(&mut headers);
    sanitize::forwarded(
        &mut headers,
        &HeaderValue::from_static("127.0.0.1"),
        false,
        host.ok().flatten().as_ref(),
    );
    assert!(headers.keys().all(|name| !name.as_str().starts_with("x-cleave-")), "a claim passes on");
    assert!(!headers.contains_key("forwarded") && !headers.contains_key("x-retry-attempt"));
    let senders: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    assert_eq!(senders, ["127.0.0.1"]);
}

/// Decoded once, an accepted path has the segments that it had, and none of them leads elsewhere.
fn means_one_thing(path: &str) {
    let mut decoded = Vec::new();
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let hex = |byte: Option<u8>| char::from(byte.expect("two digits follow")).to_digit(16);
        decoded.push(match byte {
            b'%' => {
                let digits = (hex(bytes.next()), hex(bytes.next()));
                let (Some(high), Some(low)) = digits else { panic!("a broken escape in `{path}`") };
                u8::try_from(high << 4 | low).expect("two digits are a byte")
            }
            byte => byte,
        });
    }
    assert!(!decoded.contains(&0), "a NUL in `{path}`");
    let segments = |path: &[u8]| path.split(|byte| *byte == b'/').count();
    assert_eq!(segments(&decoded), segments(path.as_bytes()), "another separator in `{path}`");
    let leads_elsewhere = |segment: &[u8]| segment == b"." || segment == b"..";
    assert!(!decoded.split(|byte| *byte == b'/').any(leads_elsewhere), "dots in `{path}`");
}
