//! What the gateway makes of a request's head: what is refused before routing, and what is passed on.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use contract::hash::{fnv1a64, fnv1a64_with, mix};
use contract::{CallContext, ComponentName, Deadline, TraceContext};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE, EXPECT, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version};
use policy::deadline::remaining_ms;
use policy::retry::Idempotency;
use runtime::random;
use transport::Peer;
#[cfg(feature = "response-cache")]
use transport::attempt::SentTries;
use transport::{Body, headers, sanitize};

use crate::table::ResolvedRoute;

/// Headers that a request may have. With what is added on its way, a dozen at most, they are a hundred, which is as many as
/// the server of a component reads: one more, and it would close the connection that others use as well.
const MAX_FIELDS: usize = 88;

/// Why a request goes no further than its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: &'static str,
}

/// Refuses what two readers could understand differently, before any route is
/// looked up. Returns the host the request is addressed to.
pub(crate) fn screen(head: &Parts) -> Result<Option<HeaderValue>, Rejection> {
    let no = |status, code, message| Err(Rejection { status, code, message });
    if matches!(head.method, Method::CONNECT | Method::TRACE) {
        return no(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_refused",
            "unsupported method: CONNECT and TRACE are not served",
        );
    }
    let host = match sanitize::host(head.version, &head.uri, &head.headers) {
        Ok(host) => host,
        Err(_) => {
            return no(
                StatusCode::BAD_REQUEST,
                "host_invalid",
                "send exactly one `Host`: a name or an address, and perhaps a port",
            );
        }
    };
    if count_fields(head) > MAX_FIELDS {
        return no(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "headers_too_many",
            "send at most 88 headers",
        );
    }
    if head.method == Method::OPTIONS && head.uri.path() == "*" {
        return Ok(host);
    }
    if sanitize::path(head.uri.path()).is_err() {
        let message =
            "the path has empty or dot segments, a backslash, encoded separators or a broken escape";
        return no(StatusCode::BAD_REQUEST, "path_invalid", message);
    }
    let expects = |value: &HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if head.headers.get_all(EXPECT).iter().any(expects) {
        return no(
            StatusCode::EXPECTATION_FAILED,
            "expectation_failed",
            "only `100-continue` can be expected here",
        );
    }
    if headers::idempotency_key(&head.headers).is_err() {
        let message = "send one Idempotency-Key of 1 to 128 visible ASCII characters, e.g. a UUID";
        return no(StatusCode::BAD_REQUEST, "key_invalid", message);
    }
    Ok(host)
}

/// Headers as they are passed on: cookies that HTTP/2 has in fields of their own become one.
fn count_fields(head: &Parts) -> usize {
    let is_joined = head.version == Version::HTTP_2;
    let cookies = if is_joined { head.headers.get_all(COOKIE).iter().count() } else { 0 };
    head.headers.len() - cookies.saturating_sub(1)
}

/// A request on its way through, without its body.
#[cfg_attr(feature = "response-cache", derive(Clone))]
pub(crate) struct RequestContext {
    pub target: Arc<ResolvedRoute>,
    pub method: Method,
    /// Path and query only: also for a request in absolute form.
    uri: Uri,
    host: Option<HeaderValue>,
    /// The client's headers, without what concerns one connection or claims to be ours.
    headers: HeaderMap,
    /// `None` when the client has stopped waiting already.
    pub deadline: Option<Deadline>,
    pub idempotency: Idempotency,
    /// Whether the client sends its body only when it is asked to (RFC 9110, section 10.1.1).
    pub expects_continue: bool,
    /// Whether its content means nothing, and is not passed on (RFC 9110, section 9.3.1): it only reads.
    pub ignores_content: bool,
    pub trace: TraceContext,
    /// Where the client is.
    pub peer: IpAddr,
    /// The key of all dice that are thrown for this request.
    pub request: u64,
    /// How often it has been sent, of one that may write.
    #[cfg(feature = "response-cache")]
    sent: Option<SentTries>,
}

impl RequestContext {
    /// Reads the head, then strips it. `trace` is what its `traceparent` holds; a request that came on no connection has
    /// no `peer`.
    pub fn new(
        mut head: Parts,
        peer: Option<&Peer>,
        host: Option<HeaderValue>,
        target: Arc<ResolvedRoute>,
        trace: TraceContext,
        arrived: Instant,
    ) -> Self {
        let given = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let budget = remaining_ms(given(&headers::DEADLINE), target.route.deadline_ms);
        let deadline = budget.map(|ms| {
            let deadline = Deadline::after(arrived, std::time::Duration::from_millis(ms));
            if ms < target.route.deadline_ms { deadline.chosen_by_client() } else { deadline }
        });
        let expects_continue = head.headers.contains_key(EXPECT);
        // First: what `Connection` lists does not reach the component, and means nothing here either.
        sanitize::strip_hop_by_hop(&mut head.headers);
        let request = request_id(&head.headers);
        // One that cannot be used has been refused.
        let repeatable = head.method.is_idempotent() || head.headers.contains_key(headers::KEY);
        let idempotency = if repeatable { Idempotency::Idempotent } else { Idempotency::NotIdempotent };
        let nowhere = || (IpAddr::V4(Ipv4Addr::UNSPECIFIED), HeaderValue::from_static("0.0.0.0"), false);
        let known = |peer: &Peer| (peer.addr.ip(), peer.host.clone(), peer.is_secured);
        let (peer, client, is_secured) = peer.map_or_else(nowhere, known);

        if head.version == Version::HTTP_2 {
            sanitize::join_cookies(&mut head.headers);
            sanitize::join_lengths(&mut head.headers);
        }
        sanitize::strip_claims(&mut head.headers);
        for name in [EXPECT, HOST, headers::DEADLINE] {
            head.headers.remove(name);
        }
        // One trace that can be read is passed on as it came, unless a span of ours takes its place.
        if !trace.is_valid() || head.headers.get_all(headers::TRACEPARENT).iter().nth(1).is_some() {
            head.headers.remove(headers::TRACEPARENT);
        }
        let ignores_content = target.route.max_body == 0 && head.method.is_safe();
        if ignores_content {
            head.headers.remove(CONTENT_LENGTH);
        }
        sanitize::forwarded(&mut head.headers, &client, is_secured, host.as_ref());
        head.headers.insert(headers::CALLER, HeaderValue::from_static(ComponentName::GATEWAY.as_str()));
        Self {
            #[cfg(feature = "response-cache")]
            sent: (!head.method.is_safe()).then(SentTries::default),
            target,
            method: head.method,
            uri: origin_form(head.uri),
            host,
            headers: head.headers,
            deadline,
            idempotency,
            expects_continue,
            ignores_content,
            trace,
            peer,
            request,
        }
    }

    /// The client's headers, as they are passed on.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A hash of what is asked for: of what the path names, and whose it is where it names nothing.
    pub fn affinity(&self) -> u64 {
        let path = fnv1a64(self.uri.path().as_bytes());
        let is_named = self.target.route.path.contains('{');
        let account = self.headers.get(AUTHORIZATION).filter(|_| !is_named);
        mix(account.map_or(path, |account| fnv1a64_with(account.as_bytes(), path)))
    }

    /// The request as one try sends it. `to` is the `Host` of the endpoint that is asked;
    /// `None` in this process.
    pub fn request(
        &self,
        body: Body,
        to: Option<&HeaderValue>,
        attempt_headers: &AttemptHeaders,
    ) -> Request<Body> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        let mut fields = self.headers.clone();
        if self.target.route.api_key {
            // It has been checked, and is no component's business.
            fields.remove(headers::API_KEY);
        }
        fields.insert(headers::REQUEST, headers::request_value(self.request));
        fields.insert(headers::DEADLINE, HeaderValue::from(attempt_headers.deadline_ms));
        headers::write_chooser(attempt_headers.by_client, &mut fields);
        if attempt_headers.attempt > 0 {
            fields.insert(headers::ATTEMPT, HeaderValue::from(u16::from(attempt_headers.attempt)));
        }
        let span = attempt_headers.trace;
        if let Some(span) = span.is_valid().then(|| HeaderValue::try_from(span.header()).ok()).flatten() {
            fields.insert(headers::TRACEPARENT, span);
        }
        let own = to.filter(|_| !self.target.route.preserve_host).or(self.host.as_ref()).or(to);
        if let Some(host) = own {
            fields.insert(HOST, host.clone());
        }
        *request.headers_mut() = fields;
        #[cfg(feature = "response-cache")]
        if let Some(sent) = &self.sent {
            request.extensions_mut().insert(sent.clone());
        }
        request
    }

    /// What travels along with the request, for its first try.
    pub fn context(&self, deadline: Deadline) -> CallContext {
        let background = CallContext::background(ComponentName::GATEWAY, deadline);
        CallContext { request: self.request, trace: self.trace, ..background }
    }
}

#[cfg(feature = "response-cache")]
impl RequestContext {
    /// The host that it is addressed to.
    pub fn host(&self) -> Option<&HeaderValue> {
        self.host.as_ref()
    }

    /// Path and query.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// How often it has been sent; `None` of one that only reads.
    pub fn sent(&self) -> Option<&SentTries> {
        self.sent.as_ref()
    }

    /// The same request with other headers.
    pub fn with_headers(&self, change: impl FnOnce(&mut HeaderMap)) -> Self {
        let mut changed = self.clone();
        change(&mut changed.headers);
        changed
    }
}

/// What one try adds to the headers of the request.
pub(crate) struct AttemptHeaders {
    /// Remaining time of this try, milliseconds.
    pub deadline_ms: u64,
    /// Whether the client chose it.
    pub by_client: bool,
    /// Tries before it.
    pub attempt: u8,
    /// The span of this try; none where the request is not sampled.
    pub trace: TraceContext,
}

impl AttemptHeaders {
    /// Those of a request that is sent once.
    pub fn first(until: Deadline, now: Instant, trace: TraceContext) -> Self {
        let left = until.remaining(now).unwrap_or_default();
        // Rounded up: a callee must not give up before its caller does.
        let deadline_ms = left.as_micros().div_ceil(1_000) as u64;
        Self { deadline_ms, by_client: until.is_chosen_by_client(), attempt: 0, trace }
    }
}

/// The client's own id, so that its dice are the same in every arm; a text that
/// is not a number in our form is hashed. Without one, a keyed write is known by its key.
fn request_id(fields: &HeaderMap) -> u64 {
    let hashed = |value: &HeaderValue| mix(fnv1a64(value.as_bytes()));
    let number =
        |value: &HeaderValue| u64::from_str_radix(value.to_str().ok()?, 16).ok().filter(|id| *id != 0);
    let id = match (fields.get(headers::REQUEST), fields.get(headers::KEY)) {
        (Some(id), _) => number(id).unwrap_or_else(|| hashed(id)),
        (None, Some(key)) => hashed(key),
        (None, None) => random::bits(),
    };
    id.max(1)
}

fn origin_form(uri: Uri) -> Uri {
    if uri.authority().is_none() {
        return uri;
    }
    uri.into_parts().path_and_query.map_or_else(|| Uri::from_static("/"), Uri::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: &str, uri: &str, fields: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    fn check(method: &str, uri: &str, fields: &[(&str, &str)], expected: u16) {
        let screened = screen(&head(method, uri, fields));
        let status = screened.map_or_else(|away| away.status.as_u16(), |_| 0);
        assert_eq!(status, expected, "{method} {uri} {fields:?}");
    }

    #[test]
    fn what_is_ambiguous_is_refused_before_routing() {
        let host = ("host", "a");
        check("GET", "/v1/feed", &[host], 0);
        check("GET", "/v1/feed", &[], 400);
        check("GET", "/v1/feed", &[host, ("host", "b")], 400);
        for path in
            ["/v1/a%2fb", "/v1/../call", "/v1/%2e%2e/call", "/v1//feed", "/v1/a\\b", "/v1/%00", "/v1/%zz"]
        {
            check("GET", path, &[host], 400);
        }
        check("TRACE", "/v1/feed", &[host], 405);
        check("CONNECT", "a:80", &[host], 405);
        check("OPTIONS", "*", &[host], 0);
        check("POST", "/v1/feed", &[host, ("expect", "100-Continue")], 0);
        check("POST", "/v1/feed", &[host, ("expect", "a pony")], 417);
        check("POST", "/v1/feed", &[host, ("idempotency-key", "k")], 0);
        check("POST", "/v1/feed", &[host, ("idempotency-key", "")], 400);
    }

    #[test]
    fn headers_are_counted_as_they_are_passed_on() {
        let mut head = head("GET", "http://a/v1/feed", &[("host", "a")]);
        for _ in 0..MAX_FIELDS {
            head.headers.append(COOKIE, HeaderValue::from_static("a=b"));
        }
        let status = |head: &Parts| screen(head).err().map(|away| away.status.as_u16());
        assert_eq!(status(&head), Some(431));
        head.version = Version::HTTP_2;
        assert_eq!(status(&head), None, "these become one");
    }

    #[test]
    fn a_request_is_known_by_its_id_then_by_its_key() {
        let id = |fields: &[(&str, &str)]| request_id(&head("GET", "/", fields).headers);
        assert_eq!(id(&[("x-cleave-request", "00000000000000ff")]), 255);
        assert_eq!(id(&[("x-cleave-request", "journey 7")]), id(&[("x-cleave-request", "journey 7")]));
        assert_ne!(id(&[("x-cleave-request", "journey 7")]), id(&[("x-cleave-request", "journey 8")]));
        assert_eq!(id(&[("idempotency-key", "k")]), id(&[("idempotency-key", "k")]));
        assert_ne!(id(&[]), id(&[]));
        assert_ne!(id(&[("x-cleave-request", "0")]), 0);
    }
}
