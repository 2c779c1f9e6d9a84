//! Users' tokens: nothing that a client can write speaks for another user.
//!
//! An input is a text in the place of a token or, from `!` on, changes to a real one: a place and a byte each.

use std::sync::LazyLock;

use component::{Identity, web};
use contract::Principal;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use super::{Target, no_seeds};

pub(super) const TARGET: Target = Target { name: "tokens", run, seeds: no_seeds, words: WORDS };

const WORDS: &[&[u8]] = &[
    b"!",
    b".",
    b"..",
    b"Bearer ",
    b"eyJhbGciOiJub25lIn0",
    b"eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9",
    b"eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzM4NCJ9",
    b"eyJzdWIiOiIwMDAwMDAwMDAwMDA3IiwiZXhwIjo0MTAyNDQ0ODAwfQ",
    b"eyJzdWIiOiIwMDAwMDAwMDAwMDA5In0",
    b"=",
    b"\0",
];

/// Whose token it is.
const OWNER: Principal = Principal::new(7);

static IDENTITY: LazyLock<Identity> =
    LazyLock::new(|| Identity::new(b"a secret of thirty-two bytes or so").expect("a secret"));
static TOKEN: LazyLock<String> = LazyLock::new(|| IDENTITY.token(OWNER).expect("it signs"));

fn run(input: &[u8]) {
    let text = match input.strip_prefix(b"!") {
        Some(changes) => changed(changes),
        None => input.to_vec(),
    };
    let is_real = text == TOKEN.as_bytes();
    if let Ok(text) = std::str::from_utf8(&text) {
        let accepted = IDENTITY.check(text).ok();
        assert!(accepted.is_none_or(|user| user == OWNER), "it speaks for {accepted:?}");
        assert!(!is_real || accepted.is_some(), "a real token is accepted");
    }
    let Ok(value) = HeaderValue::from_bytes(&[&b"Bearer "[..], &text].concat()) else { return };
    let headers: HeaderMap = [(AUTHORIZATION, value)].into_iter().collect();
    let accepted = web::authenticate(&IDENTITY, &headers).ok();
    assert!(accepted.is_none_or(|user| user == OWNER), "it speaks for {accepted:?}");
}

/// The real token with some of its bytes replaced.
fn changed(changes: &[u8]) -> Vec<u8> {
    let mut token = TOKEN.as_bytes().to_vec();
    for change in changes.chunks_exact(2) {
        let at = usize::from(change[0]) % token.len();
        token[at] = change[1];
    }
    token
}
