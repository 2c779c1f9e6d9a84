//! The headers of a request's context: deadlines, traces, keys, tries.

use policy::deadline::{MAX_DEADLINE_MS, MIN_DEADLINE_MS, remaining_ms};
use runtime::clock;
use transport::headers;

use super::{Target, head, no_seeds};

pub(super) const TARGET: Target = Target { name: "deadlines", run, seeds: no_seeds, words: head::WORDS };

/// Time of a route, ms.
const ROUTE_MS: u64 = 2_000;

fn run(input: &[u8]) {
    let Some(map) = head::headers(input.split(|byte| *byte == b'\n')) else { return };
    let given = map.get(headers::DEADLINE).and_then(|value| value.to_str().ok());
    for route_ms in [0, ROUTE_MS, u64::MAX] {
        let ms = remaining_ms(given, route_ms);
        let most = route_ms.clamp(MIN_DEADLINE_MS, MAX_DEADLINE_MS);
        assert!(ms.is_none_or(|ms| (MIN_DEADLINE_MS..=most).contains(&ms)), "{given:?}: {ms:?} ms");
    }
    let now = clock::now();
    let left = headers::deadline(&map, now).map(|deadline| deadline.remaining(now));
    assert!(left.flatten().is_none_or(|left| left <= headers::MAX_DEADLINE), "{given:?}: {left:?}");
    let context = headers::public_context(&map);
    assert!(context.principal.is_none(), "a header speaks for a user");
    assert_ne!(context.request, 0, "every request has a number");
    let key = headers::idempotency_key(&map);
    assert_eq!(context.key.as_deref(), key.as_ref().ok().copied().flatten());
    if let Ok(Some(key)) = key {
        assert!((1..=headers::MAX_KEY_BYTES).contains(&key.len()), "a key of {} bytes", key.len());
    }
    let trace = headers::trace(&map);
    if trace.is_valid() {
        let again = contract::TraceContext::parse(&trace.header());
        assert_eq!(again, Some(trace), "what is passed on is what came");
    }
    assert!(!headers::has_token(&map, "the run's token"), "no input has the run's token");
}
