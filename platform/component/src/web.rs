//! The REST face: callers, pages, idempotency keys, and refusals as JSON.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract::{CallContext, Principal, Refusal, RefusalKind};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Identity, Parameter};

/// A refusal on its way out: `{"error":{"code":"..","message":".."}}`.
#[derive(Debug)]
pub struct RefusalResponse(pub Refusal);

impl From<Refusal> for RefusalResponse {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<storage::StorageError> for RefusalResponse {
    fn from(error: storage::StorageError) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for RefusalResponse {
    fn into_response(self) -> Response {
        transport::refusal_response::encode(&self.0).map(Into::into)
    }
}

/// What a route answers.
pub type RestResult<T> = Result<T, RefusalResponse>;

/// The request's context as the door made it: deadline, trace, key, and the
/// user where a valid token came along.
pub struct Caller(pub CallContext);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = RefusalResponse;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, RefusalResponse> {
        transport::headers::idempotency_key(&parts.headers)?;
        let mut cx = transport::headers::public_context(&parts.headers);
        if parts.headers.contains_key(AUTHORIZATION) {
            let identity = parts
                .extensions
                .get::<Arc<Identity>>()
                .ok_or_else(|| Refusal::internal("the process has no identity to check tokens with"))?;
            cx.principal = Some(authenticate(identity, &parts.headers)?);
        }
        Ok(Self(cx))
    }
}

/// The user whose token a request carries.
///
/// # Errors
/// 401 without a token, and for one that is forged, expired or malformed.
pub fn authenticate(identity: &Identity, headers: &HeaderMap) -> Result<Principal, Refusal> {
    let token = headers.get(AUTHORIZATION).ok_or_else(Refusal::unauthenticated)?;
    identity.check(bearer(token)?)
}

/// Like [`Caller`], where a token is required.
pub struct AuthenticatedCaller(pub CallContext, pub Principal);

impl<S: Send + Sync> FromRequestParts<S> for AuthenticatedCaller {
    type Rejection = RefusalResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, RefusalResponse> {
        let Caller(cx) = Caller::from_request_parts(parts, state).await?;
        let principal = cx.principal.ok_or_else(Refusal::unauthenticated)?;
        Ok(Self(cx, principal))
    }
}

/// Like [`AuthenticatedCaller`], for writes: an `Idempotency-Key` makes them safe to repeat.
/// Without one the write happens, and a repeat happens again.
pub struct AuthenticatedWriter(pub CallContext, pub Principal);

impl<S: Send + Sync> FromRequestParts<S> for AuthenticatedWriter {
    type Rejection = RefusalResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, RefusalResponse> {
        let AuthenticatedCaller(cx, principal) =
            AuthenticatedCaller::from_request_parts(parts, state).await?;
        Ok(Self(cx, principal))
    }
}

/// The token of a bearer; the scheme's name has no case (RFC 9110, section 11.1).
fn bearer(value: &HeaderValue) -> Result<&str, Refusal> {
    let (scheme, token) =
        value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(Refusal::unauthenticated)?;
    if scheme.eq_ignore_ascii_case("Bearer") {
        Ok(token.trim_start_matches(' '))
    } else {
        Err(Refusal::unauthenticated())
    }
}

/// A JSON body, read with errors in our own shape.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = RefusalResponse;

    async fn from_request(request: Request, state: &S) -> Result<Self, RefusalResponse> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(RefusalResponse(body_refusal(&rejection))),
        }
    }
}

fn body_refusal(rejection: &JsonRejection) -> Refusal {
    let (kind, code) = match rejection.status() {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (RefusalKind::Unsupported, "json_required"),
        StatusCode::PAYLOAD_TOO_LARGE => (RefusalKind::TooLarge, "body_too_large"),
        StatusCode::UNPROCESSABLE_ENTITY => (RefusalKind::Unprocessable, "body_invalid"),
        _ => (RefusalKind::BadRequest, "json_malformed"),
    };
    Refusal::new(kind, code, rejection.body_text())
}

/// A path or query parameter that should be an id.
///
/// # Errors
/// 400 with the parameter's name.
pub fn parse_id<Kind>(name: &'static str, text: &str) -> Result<contract::Id<Kind>, Refusal> {
    text.parse().map_err(|why| Refusal::bad_request("id_invalid", format!("`{name}`: {why}")))
}

/// The one parameter of a path, percent-decoded.
pub struct PathParam(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathParam {
    type Rejection = RefusalResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, RefusalResponse> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|why| Refusal::bad_request("path_invalid", why.body_text()))?;
        Ok(Self(text))
    }
}

/// Which page of a list: `?cursor=..&limit=..`.
#[derive(Clone, Debug, Deserialize)]
struct PageQuery {
    cursor: Option<String>,
    limit: Option<String>,
}

/// Items on a page unless asked otherwise.
pub const DEFAULT_PAGE_ITEMS: u32 = 20;
/// Items on a page at most.
pub const MAX_PAGE_ITEMS: u32 = 100;

/// What the query of a list may hold.
pub const PAGE: &[Parameter] = &[
    Parameter::of::<String>("cursor", "`next` of the previous page, unchanged; the first page without one"),
    Parameter::of::<Limit>("limit", "Items on the page"),
];

/// How many items a page may have.
#[derive(JsonSchema)]
#[schemars(inline)]
#[expect(dead_code, reason = "only its schema is asked for")]
struct Limit(#[schemars(range(min = 1, max = MAX_PAGE_ITEMS))] u32);

/// A page request, its cursor not yet opened.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// 1 to [`MAX_PAGE_ITEMS`].
    pub limit: u32,
    cursor: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for PageRequest {
    type Rejection = RefusalResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, RefusalResponse> {
        let Query(query) = Query::<PageQuery>::from_request_parts(parts, state)
            .await
            .map_err(|why| Refusal::bad_request("query_invalid", why.body_text()))?;
        let limit = match query.limit.as_deref() {
            None => DEFAULT_PAGE_ITEMS,
            Some(text) => {
                text.parse().ok().filter(|n| (1..=MAX_PAGE_ITEMS).contains(n)).ok_or_else(|| {
                    Refusal::bad_request("limit_invalid", format!("`limit` is 1 to {MAX_PAGE_ITEMS}"))
                })?
            }
        };
        Ok(Self { limit, cursor: query.cursor })
    }
}

impl PageRequest {
    /// Where the previous page ended: the sort key of its last item, so that
    /// items added or removed meanwhile shift nothing.
    ///
    /// # Errors
    /// 400 for a cursor this service did not make.
    pub fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, Refusal> {
        let Some(text) = self.cursor.as_deref() else { return Ok(None) };
        URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .map(Some)
            .ok_or_else(|| {
                Refusal::bad_request("cursor_invalid", "pass `next` of the previous page, unchanged")
            })
    }
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// Its items, in the list's order.
    pub items: Vec<T>,
    /// Cursor of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page of at most `limit` items out of `items`, fetched as `limit + 1`
    /// to know whether more follow. `key` is an item's sort key.
    pub fn cut<K: Serialize>(mut items: Vec<T>, limit: u32, key: impl Fn(&T) -> K) -> Self {
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next = items.last().filter(|_| more).map(|last| encode_cursor(&key(last)));
        Self { items, next }
    }

    /// The same page with other items.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}

/// A cursor for a sort key: opaque to clients, stable for us.
pub fn encode_cursor<K: Serialize>(key: &K) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).expect("sort keys are plain data"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_a_foreign_one_is_400() {
        let paging = PageRequest { limit: 20, cursor: Some(encode_cursor(&(5_i64, 7_u64))) };
        assert_eq!(paging.after::<(i64, u64)>().expect("ours"), Some((5, 7)));
        for bad in ["%%%", "bm90IGpzb24", &encode_cursor(&"text")] {
            let paging = PageRequest { limit: 20, cursor: Some(bad.to_owned()) };
            let refusal = paging.after::<(i64, u64)>().expect_err("not ours");
            assert_eq!((refusal.kind.status(), refusal.code.as_ref()), (400, "cursor_invalid"), "{bad}");
        }
    }

    #[test]
    fn a_scheme_has_no_case() {
        let token = |text: &'static str| bearer(&HeaderValue::from_static(text)).map(str::to_owned).ok();
        for text in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c"] {
            assert_eq!(token(text).as_deref(), Some("a.b.c"), "{text}");
        }
        for text in ["Basic a.b.c", "a.b.c", "Bearera.b.c", ""] {
            assert_eq!(token(text), None, "{text}");
        }
    }

    #[test]
    fn the_last_page_has_no_next() {
        let page = |n: u32| Page::cut((0..n).collect(), 20, |item| *item);
        assert!(page(20).next.is_none());
        assert_eq!(page(21).items.len(), 20);
        assert_eq!(page(21).next, Some(encode_cursor(&19)));
    }
}
