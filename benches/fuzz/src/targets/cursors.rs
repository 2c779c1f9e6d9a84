//! Pages of lists: what a client brings back of the one before.

use axum::extract::FromRequestParts;
use component::web::{MAX_PAGE_ITEMS, PageRequest, encode_cursor};
use feed_api::Position;
use futures_util::FutureExt;
use http::{Request, Uri};

use super::{Target, no_seeds};

pub(super) const TARGET: Target = Target { name: "cursors", run, seeds: no_seeds, words: WORDS };

const WORDS: &[&[u8]] = &[
    b"cursor=",
    b"&limit=",
    b"limit=100",
    b"limit=101",
    b"limit=-1",
    b"eyJwb3N0ZWRfdXMiOjUsInBob3RvIjoiMDAwMDAwMDAwMDAwNyJ9",
    b"WzUsN10",
    b"IjAwMDAwMDAwMDAwMDci",
    b"%3D",
    b"%00",
    b"&cursor=&cursor=",
];

/// The page that a query asks for; `None` where it is no query, or is refused.
fn page(query: &[u8]) -> Option<PageRequest> {
    let mut parts = Request::new(()).into_parts().0;
    parts.uri = Uri::try_from([&b"/v1/feed?"[..], query].concat()).ok()?;
    let reading = PageRequest::from_request_parts(&mut parts, &());
    reading.now_or_never().expect("a query is all here").ok()
}

fn run(input: &[u8]) {
    let Some(asked) = page(input) else { return };
    assert!((1..=MAX_PAGE_ITEMS).contains(&asked.limit), "a page of {}", asked.limit);
    if let Ok(Some(after)) = asked.after::<Position>() {
        let query = format!("cursor={}", encode_cursor(&after));
        let again = page(query.as_bytes()).expect("a cursor of ours is a query");
        assert_eq!(again.after::<Position>().ok().flatten(), Some(after), "what is written is read");
    }
    // Lists by other keys.
    let _refused = (asked.after::<(i64, u64)>(), asked.after::<profile_api::UserId>(), asked.after::<u32>());
}
