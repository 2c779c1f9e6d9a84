//! Refusals on the wire: a status and `{"error":{"code","message"}}`, the same as on the public face.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use contract::{Refusal, RefusalKind};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Body, headers};

/// Why a request was refused.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Refusal")]
pub struct ErrorDocument<'a> {
    #[serde(borrow)]
    error: Error<'a>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
struct Error<'a> {
    /// Stable, for programs: `photo_too_large`.
    #[serde(borrow)]
    code: Cow<'a, str>,
    /// What to do instead, for people.
    #[serde(borrow)]
    message: Cow<'a, str>,
}

/// The response of a refusal.
pub fn encode(refusal: &Refusal) -> Response<Body> {
    let error = Error { code: refusal.code.as_ref().into(), message: refusal.message.as_ref().into() };
    let text = serde_json::to_vec(&ErrorDocument { error }).expect("two strings are JSON");
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = StatusCode::from_u16(refusal.kind.status()).expect("kinds have real statuses");
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if refusal.kind == RefusalKind::Unauthenticated {
        // A 401 names what it asks for (RFC 9110, section 15.5.2): a token (RFC 6750, section 3).
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(wait) = refusal.retry_after {
        // Whole seconds, rounded up: rounding down would invite a herd.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if refusal.is_shed {
        response.headers_mut().insert(headers::SHED, HeaderValue::from_static("1"));
    }
    response
}

/// Reads the no of another process, however little of it came across.
pub(crate) fn decode(status: StatusCode, fields: &HeaderMap, body: &Bytes) -> Refusal {
    let kind = RefusalKind::from_status(status.as_u16());
    let mut refusal = match serde_json::from_slice::<ErrorDocument<'_>>(body) {
        Ok(ErrorDocument { error }) => {
            Refusal::new(kind, error.code.into_owned(), error.message.into_owned())
        }
        Err(_) => Refusal::new(kind, "unexplained", format!("the callee answered {status} without a reason")),
    };
    refusal.is_shed = fields.contains_key(headers::SHED);
    let wait = fields.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    refusal.retry_after = wait.map(Duration::from_secs);
    refusal
}

/// What a fault answers in place of the callee.
pub(crate) fn injected(status: u16) -> Refusal {
    Refusal::new(RefusalKind::from_status(status), "fault_injected", "an injected fault answered instead")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn a_refusal_reads_back_what_it_writes() {
        let refusal = Refusal::shed("busy", "come back", Some(Duration::from_millis(1_200)));
        let (head, body) = encode(&refusal).into_parts();
        let decoded = decode(head.status, &head.headers, &body.collect().await.expect("whole").to_bytes());
        // Retry-After counts whole seconds: 1.2 s is 2.
        assert_eq!(decoded, Refusal { retry_after: Some(Duration::from_secs(2)), ..refusal });
    }

    #[test]
    fn a_refusal_without_a_token_asks_for_one() {
        assert_eq!(encode(&Refusal::unauthenticated()).headers()[WWW_AUTHENTICATE], "Bearer");
        let forbidden = Refusal::new(RefusalKind::Forbidden, "not_yours", "it is another user's");
        assert!(!encode(&forbidden).headers().contains_key(WWW_AUTHENTICATE));
    }

    #[test]
    fn a_bare_status_is_a_refusal_as_well() {
        let decoded = decode(StatusCode::BAD_GATEWAY, &HeaderMap::new(), &Bytes::from_static(b"<html>"));
        assert_eq!((decoded.kind, decoded.code.as_ref()), (RefusalKind::Lost, "unexplained"));
    }
}
