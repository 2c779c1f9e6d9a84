//! What travels beside a call: the context as headers, and back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::hash::{fnv1a64, mix};
use contract::{CallContext, ComponentName, Deadline, Principal, Refusal, TraceContext, is_run_token};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use runtime::{clock, random};
use telemetry::Origin;

/// Remaining milliseconds until the caller stops waiting; no clocks are compared.
pub const DEADLINE: HeaderName = HeaderName::from_static("x-deadline-ms");
/// Beside a deadline that the client chose, shorter than its route's: its passing is the client's doing.
pub const DEADLINE_BY: HeaderName = HeaderName::from_static("x-cleave-deadline-by");
/// On a refusal of a callee that is well and has as much under way as it may.
pub const SHED: HeaderName = HeaderName::from_static("x-cleave-shed");
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
/// On a copy of a request, for whose answer no client waits.
pub const MIRROR: HeaderName = HeaderName::from_static("x-cleave-mirror");
/// The key of a client that is a program, for the gateway alone.
pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Version of the messages a caller speaks; 1 where the header is missing.
pub const SCHEMA: HeaderName = HeaderName::from_static("x-cleave-schema");

/// A request's protocol, as spans have it.
pub const fn protocol_version(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}

/// Refuses the head of an answer that two readers could end at different bytes (RFC 9112, section 6.3),
/// and a change of protocol, which was not asked for.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_framing(status: StatusCode, headers: &HeaderMap) -> Result<(), &'static str> {
    if status.is_informational() {
        return Err("it changes the protocol");
    }
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok(()),
        (Some(_), _) if headers.contains_key(CONTENT_LENGTH) => Err("it has a Content-Length and is chunked"),
        (Some(chunked), None) if chunked.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err("it has a Transfer-Encoding other than chunked"),
    }
}

/// The deadline of a request that names none.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(2);
/// No request waits longer than this, whatever its header.
pub const MAX_DEADLINE: Duration = Duration::from_secs(30);

/// The deadline a request carries. `None` when it has passed already; what is
/// missing or no number counts as [`DEFAULT_DEADLINE`].
pub fn deadline(headers: &HeaderMap, now: Instant) -> Option<Deadline> {
    let budget = time_left(headers);
    if budget.is_zero() {
        return None;
    }
    let deadline = Deadline::after(now, budget);
    Some(if is_deadline_of_client(headers) { deadline.chosen_by_client() } else { deadline })
}

/// The time that a request is given; zero where it has none left.
fn time_left(headers: &HeaderMap) -> Duration {
    match text(headers, &DEADLINE).map(str::parse::<u64>) {
        Some(Ok(ms)) => Duration::from_millis(ms).min(MAX_DEADLINE),
        Some(Err(_)) | None => DEFAULT_DEADLINE,
    }
}

/// Whether it is the client that has given a request its deadline, also one that has passed.
pub(crate) fn is_deadline_of_client(headers: &HeaderMap) -> bool {
    headers.contains_key(DEADLINE_BY)
}

/// [`deadline`] of a public request. One that did not come through the gateway has it from its client, where it is shorter than
/// [`DEFAULT_DEADLINE`].
pub(crate) fn public_deadline(headers: &HeaderMap, now: Instant) -> Option<Deadline> {
    let deadline = deadline(headers, now)?;
    let is_hurried = is_hurried_directly(headers, deadline.instant() - now);
    Some(if is_hurried { deadline.chosen_by_client() } else { deadline })
}

/// [`is_deadline_of_client`] of a public request.
pub(crate) fn is_public_deadline_of_client(headers: &HeaderMap) -> bool {
    is_deadline_of_client(headers) || is_hurried_directly(headers, time_left(headers))
}

/// Whether so much time is less than a request would have without a deadline, and given by a client that sends it past the gateway.
fn is_hurried_directly(headers: &HeaderMap, time: Duration) -> bool {
    time < DEFAULT_DEADLINE && public_caller(headers) == ComponentName::CLIENT
}

/// Writes who chose a deadline, where it was the client.
pub fn write_chooser(by_client: bool, headers: &mut HeaderMap) {
    if by_client {
        headers.insert(DEADLINE_BY, HeaderValue::from_static("client"));
    } else {
        headers.remove(DEADLINE_BY);
    }
}

/// Longest `Idempotency-Key`, bytes: a UUID with room to spare. It becomes a database key.
pub const MAX_KEY_BYTES: usize = 128;

/// The request's `Idempotency-Key`, where it has one. A key that cannot be used is
/// refused: a client that sent one believes its write to be safe to repeat.
///
/// # Errors
/// 400 `key_invalid` for two keys, and for one that is empty, too long or not visible ASCII.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut keys = headers.get_all(KEY).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let usable = |key: &&str| {
        (1..=MAX_KEY_BYTES).contains(&key.len()) && key.bytes().all(|byte| matches!(byte, b' '..=b'~'))
    };
    match key.to_str().ok().filter(usable) {
        Some(key) if keys.next().is_none() => Ok(Some(key)),
        _ => Err(Refusal::bad_request(
            "key_invalid",
            format!("send one Idempotency-Key of 1 to {MAX_KEY_BYTES} visible ASCII characters, e.g. a UUID"),
        )),
    }
}

/// The context of a public request, as the gateway passed it on. The user is not
/// known yet: it follows from the token in `Authorization`. A key that is no
/// [`idempotency_key`] is left out: what lets a request in asks for it before.
pub fn public_context(headers: &HeaderMap) -> CallContext {
    let now = clock::now();
    let deadline = public_deadline(headers, now).unwrap_or(Deadline::after(now, Duration::ZERO));
    let key = idempotency_key(headers).ok().flatten().map(Arc::<str>::from);
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
    write_chooser(cx.deadline.is_chosen_by_client(), headers);
    headers.insert(CALLER, HeaderValue::from_static(cx.from.as_str()));
    if cx.attempt > 0 {
        headers.insert(ATTEMPT, HeaderValue::from(u16::from(cx.attempt)));
    }
    if cx.request != 0 {
        headers.insert(REQUEST, request_value(cx.request));
    }
    if let Some(principal) = cx.principal {
        insert(headers, PRINCIPAL, &principal.to_string());
    }
    if let Some(key) = &cx.key {
        insert(headers, KEY, key);
    }
    let current = telemetry::current_trace();
    let trace = if current.is_valid() { current } else { cx.trace };
    // What is not sampled needs no header: without one, a callee does not sample a call.
    if trace.is_valid() && trace.sampled {
        insert(headers, TRACEPARENT, &trace.header());
    }
}

/// [`REQUEST`] as it is written.
pub fn request_value(request: u64) -> HeaderValue {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    // Without the machinery of formatting: it is written for every request.
    let digits: [u8; 16] = std::array::from_fn(|at| DIGITS[(request >> (60 - 4 * at)) as usize & 15]);
    HeaderValue::from_bytes(&digits).expect("hex digits are visible")
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

/// Where a public request comes from, if it brings no trace: only one from outside begins one.
pub(crate) fn origin(headers: &HeaderMap) -> Origin {
    match public_caller(headers) {
        ComponentName::CLIENT => Origin::Client,
        _ => Origin::Suite,
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
        let theirs = CallContext { deadline: cx.deadline.chosen_by_client(), ..cx.clone() };
        let mut written = HeaderMap::new();
        write_context(&theirs, now, &mut written);
        assert!(deadline(&written, now).expect("not over").is_chosen_by_client());
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
    fn a_deadline_is_the_clients_where_it_leaves_less_time_than_there_is() {
        let is_of_client = |list: &[(HeaderName, &'static str)]| {
            let fields: HeaderMap =
                list.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
            let of_client = is_public_deadline_of_client(&fields);
            let read = public_deadline(&fields, clock::now());
            assert!(read.is_none_or(|read| read.is_chosen_by_client() == of_client), "{list:?}");
            of_client
        };
        let (gateway, by_client) = ((CALLER, "gateway"), (DEADLINE_BY, "client"));
        assert!(is_of_client(&[(DEADLINE, "5")]) && is_of_client(&[(DEADLINE, "0")]));
        assert!(
            !is_of_client(&[]) && !is_of_client(&[(DEADLINE, "2000")]) && !is_of_client(&[(DEADLINE, "x")])
        );
        assert!(!is_of_client(&[gateway.clone(), (DEADLINE, "5")]), "a route may give little time");
        assert!(is_of_client(&[gateway.clone(), by_client.clone(), (DEADLINE, "5")]));
        assert!(is_of_client(&[gateway, by_client, (DEADLINE, "0")]));
    }

    #[test]
    fn an_answer_ends_at_one_byte_or_is_refused() {
        let check = |status: u16, list: &[(HeaderName, &'static str)]| {
            let fields: HeaderMap =
                list.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
            check_framing(StatusCode::from_u16(status).expect("a status"), &fields).is_ok()
        };
        assert!(check(200, &[(CONTENT_LENGTH, "5")]) && check(200, &[(TRANSFER_ENCODING, "Chunked")]));
        assert!(check(200, &[]) && check(304, &[(CONTENT_LENGTH, "5")]));
        assert!(!check(101, &[]));
        assert!(!check(200, &[(CONTENT_LENGTH, "5"), (TRANSFER_ENCODING, "chunked")]));
        assert!(
            !check(200, &[(TRANSFER_ENCODING, "gzip")])
                && !check(200, &[(TRANSFER_ENCODING, "gzip, chunked")])
        );
    }

    #[test]
    fn a_trace_that_is_not_sampled_is_not_written() {
        let now = clock::now();
        let cx = CallContext {
            trace: TraceContext { trace_id: 7, span_id: 9, sampled: false },
            ..CallContext::background(ComponentName::of("feed"), Deadline::after(now, DEFAULT_DEADLINE))
        };
        let mut headers = HeaderMap::new();
        write_context(&cx, now, &mut headers);
        assert!(!headers.contains_key(TRACEPARENT));
    }

    #[test]
    fn a_request_is_written_as_it_is_read() {
        for number in [1, 0xabc, 0x0123_4567_89ab_cdef, u64::MAX] {
            let value = request_value(number);
            assert_eq!(value, format!("{number:016x}"));
            let headers: HeaderMap = std::iter::once((REQUEST, value)).collect();
            assert_eq!(request(&headers), Some(number));
        }
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
    fn a_key_is_used_or_refused_and_never_ignored() {
        let read = |keys: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for key in keys {
                headers.append(KEY, HeaderValue::from_bytes(key).expect("a header value"));
            }
            idempotency_key(&headers).map(|key| key.map(str::to_owned)).map_err(|refusal| refusal.code)
        };
        assert_eq!(read(&[]), Ok(None));
        for key in [&b"k"[..], b"\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", &[b'k'; MAX_KEY_BYTES]] {
            assert_eq!(read(&[key]), Ok(Some(String::from_utf8_lossy(key).into_owned())));
        }
        for bad in [
            &[&b""[..]][..],
            &[&[b'k'; MAX_KEY_BYTES + 1]],
            &["schlüssel".as_bytes()],
            &[b"a\tb"],
            &[b"a\xffb"],
            &[b"a", b"b"],
            &[b"a", b"a"],
        ] {
            assert_eq!(read(bad), Err("key_invalid".into()), "{bad:?}");
        }
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
