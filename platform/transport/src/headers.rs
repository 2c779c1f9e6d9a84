//! What travels beside a call: the context as headers, and back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::hash::{fnv1a64, mix};
use contract::{CallContext, ComponentName, Deadline, Principal, TraceContext, is_run_token};
use http::{HeaderMap, HeaderName, HeaderValue};
use runtime::{clock, random};

/// Remaining milliseconds until the caller stops waiting; no clocks are compared.
pub const DEADLINE: HeaderName = HeaderName::from_static("x-deadline-ms");
/// W3C trace context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// 0 for the first try. A callee never retries on behalf of a retry.
pub const ATTEMPT: HeaderName = HeaderName::from_static("x-retry-attempt");
/// The run's token: calls, outbox and control are closed without it.
pub const TOKEN: HeaderName = HeaderName::from_static("x-cleave-token");
/// The component that asks.
pub const CALLER: HeaderName = HeaderName::from_static("x-cleave-caller");
/// The user on whose behalf, already checked; only beside the token.
pub const PRINCIPAL: HeaderName = HeaderName::from_static("x-cleave-principal");
/// The user's request, 16 hex digits, the same across all hops and tries.
pub const REQUEST: HeaderName = HeaderName::from_static("x-cleave-request");
/// Makes a write safe to repeat.
pub const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Version of the messages a caller speaks; 1 where the header is missing.
pub const SCHEMA: HeaderName = HeaderName::from_static("x-cleave-schema");

/// The deadline of a request that names none.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(2);
/// No request waits longer than this, whatever its header.
pub const MAX_DEADLINE: Duration = Duration::from_secs(30);

/// The deadline a request carries. `None` when it has passed already; what is
/// missing or no number counts as [`DEFAULT_DEADLINE`].
pub fn deadline(headers: &HeaderMap, now: Instant) -> Option<Deadline> {
    let budget = match text(headers, &DEADLINE).map(str::parse::<u64>) {
        Some(Ok(0)) => return None,
        Some(Ok(ms)) => Duration::from_millis(ms).min(MAX_DEADLINE),
        Some(Err(_)) | None => DEFAULT_DEADLINE,
    };
    Some(Deadline::after(now, budget))
}

/// The context of a public request, as the gateway passed it on. The user is not
/// known yet: it follows from the token in `Authorization`.
pub fn public_context(headers: &HeaderMap) -> CallContext {
    let now = clock::now();
    let deadline = deadline(headers, now).unwrap_or(Deadline::after(now, Duration::ZERO));
    let key = text(headers, &KEY).map(Arc::<str>::from);
    let request = request(headers).unwrap_or_else(|| match &key {
        Some(key) => mix(fnv1a64(key.as_bytes())).max(1),
        None => random::bits().max(1),
    });
    CallContext {
        deadline,
        trace: trace(headers),
        from: public_caller(headers),
        principal: None,
        request,
        key,
        attempt: attempt(headers),
    }
}

/// The context of a call from another component. The token must have been checked.
pub(crate) fn call_context(headers: &HeaderMap, deadline: Deadline) -> CallContext {
    CallContext {
        deadline,
        trace: trace(headers),
        from: caller(headers),
        principal: text(headers, &PRINCIPAL).and_then(|text| text.parse::<Principal>().ok()),
        request: request(headers).unwrap_or(0),
        key: text(headers, &KEY).map(Arc::from),
        attempt: attempt(headers),
    }
}

/// Writes the context of a call to another component. The trace is that of
/// the current span where there is one.
pub(crate) fn write_context(cx: &CallContext, now: Instant, headers: &mut HeaderMap) {
    let left = cx.deadline.remaining(now).unwrap_or_default();
    // Rounded up: a callee must not give up before its caller does.
    headers.insert(DEADLINE, HeaderValue::from(left.as_micros().div_ceil(1_000) as u64));
    headers.insert(CALLER, HeaderValue::from_static(cx.from.as_str()));
    if cx.attempt > 0 {
        headers.insert(ATTEMPT, HeaderValue::from(u16::from(cx.attempt)));
    }
    if cx.request != 0 {
        insert(headers, REQUEST, &format!("{:016x}", cx.request));
    }
    if let Some(principal) = cx.principal {
        insert(headers, PRINCIPAL, &principal.to_string());
    }
    if let Some(key) = &cx.key {
        insert(headers, KEY, key);
    }
    let current = telemetry::current_trace();
    let trace = if current.is_valid() { current } else { cx.trace };
    if trace.is_valid() {
        insert(headers, TRACEPARENT, &trace.header());
    }
}

/// The trace a request belongs to; none where its header is missing or malformed.
pub fn trace(headers: &HeaderMap) -> TraceContext {
    text(headers, &TRACEPARENT).and_then(TraceContext::parse).unwrap_or_default()
}

/// The component that asks; `client` where the header is missing. Only beside the run's
/// token: names are interned for good, and a stranger could invent many.
fn caller(headers: &HeaderMap) -> ComponentName {
    text(headers, &CALLER).map_or(ComponentName::CLIENT, ComponentName::intern)
}

/// The sender of a public request: the gateway, or any other client.
pub(crate) fn public_caller(headers: &HeaderMap) -> ComponentName {
    match text(headers, &CALLER) {
        Some(name) if name == ComponentName::GATEWAY.as_str() => ComponentName::GATEWAY,
        _ => ComponentName::CLIENT,
    }
}

/// Whether a request carries the run's token.
pub fn has_token(headers: &HeaderMap, token: &str) -> bool {
    is_run_token(headers.get(TOKEN).map(HeaderValue::as_bytes), token)
}

/// Version of the messages a caller speaks; 1 where the header is missing.
pub(crate) fn schema(headers: &HeaderMap) -> u32 {
    text(headers, &SCHEMA).and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Which try this is; 0 where the header is missing.
pub fn attempt(headers: &HeaderMap) -> u8 {
    text(headers, &ATTEMPT).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn request(headers: &HeaderMap) -> Option<u64> {
    text(headers, &REQUEST).and_then(|text| u64::from_str_radix(text, 16).ok()).filter(|&id| id != 0)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Text that cannot be a header value is left out.
fn insert(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_survives_the_wire() {
        let now = clock::now();
        let cx = CallContext {
            deadline: Deadline::after(now, Duration::from_micros(1_500_200)),
            trace: TraceContext { trace_id: 7, span_id: 9, sampled: true },
            from: ComponentName::of("feed"),
            principal: Some(Principal::new(12)),
            request: 0xabc,
            key: Some("key-1".into()),
            attempt: 2,
        };
        let mut headers = HeaderMap::new();
        write_context(&cx, now, &mut headers);
        // 1,500.2 ms are rounded up to 1,501.
        assert_eq!(headers[DEADLINE], "1501");
        let back = call_context(&headers, deadline(&headers, now).expect("not over"));
        assert_eq!(back.deadline, Deadline::after(now, Duration::from_millis(1_501)));
        assert_eq!(
            (back.trace, back.from, back.principal, back.request, back.key, back.attempt),
            (cx.trace, cx.from, cx.principal, cx.request, cx.key, cx.attempt)
        );
    }

    #[test]
    fn deadlines_are_believed_within_reason() {
        let now = clock::now();
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            insert(&mut headers, DEADLINE, value);
            deadline(&headers, now).map(|d| d.instant() - now)
        };
        assert_eq!(read("250"), Some(Duration::from_millis(250)));
        assert_eq!(read("0"), None);
        assert_eq!(read("999999999"), Some(MAX_DEADLINE));
        assert_eq!(read("-1"), Some(DEFAULT_DEADLINE));
        assert_eq!(read("abc"), Some(DEFAULT_DEADLINE));
    }

    #[test]
    fn strangers_cannot_name_themselves() {
        let from = |name: &str| {
            let mut headers = HeaderMap::new();
            insert(&mut headers, CALLER, name);
            public_context(&headers).from
        };
        assert_eq!(from("gateway"), ComponentName::GATEWAY);
        assert_eq!(from("feed"), ComponentName::CLIENT);
    }

    #[test]
    fn a_keyed_request_has_the_same_dice_on_every_try() {
        let mut headers = HeaderMap::new();
        insert(&mut headers, KEY, "one-write");
        assert_eq!(public_context(&headers).request, public_context(&headers).request);
        insert(&mut headers, REQUEST, "00000000000000ff");
        assert_eq!(public_context(&headers).request, 255);
    }
}
