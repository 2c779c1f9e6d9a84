//! A REST request and the reply to it.

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use serde::Serialize;
use serde_json::Value;
use tower::ServiceExt;

/// A request, built up a word at a time.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    path: String,
    token: Option<String>,
    key: Option<String>,
    headers: Vec<(&'static str, String)>,
    body: Option<(String, Bytes)>,
}

/// `GET path`.
pub fn get(path: impl Into<String>) -> Request {
    Request::new(Method::GET, path)
}

/// `POST path`.
pub fn post(path: impl Into<String>) -> Request {
    Request::new(Method::POST, path)
}

/// `PUT path`.
pub fn put(path: impl Into<String>) -> Request {
    Request::new(Method::PUT, path)
}

/// `PATCH path`.
pub fn patch(path: impl Into<String>) -> Request {
    Request::new(Method::PATCH, path)
}

/// `DELETE path`.
pub fn delete(path: impl Into<String>) -> Request {
    Request::new(Method::DELETE, path)
}

impl Request {
    fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), token: None, key: None, headers: Vec::new(), body: None }
    }

    /// With a bearer token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// With an `Idempotency-Key`.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// With another header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(self, body: impl Serialize) -> Self {
        let bytes = serde_json::to_vec(&body).expect("test bodies are plain data");
        self.body("application/json", bytes)
    }

    /// With any body.
    #[must_use]
    pub fn body(mut self, media_type: &str, bytes: impl Into<Bytes>) -> Self {
        self.body = Some((media_type.to_owned(), bytes.into()));
        self
    }

    /// Sends it to routes of this process, by function call.
    pub async fn send_to(self, router: &Router) -> Reply {
        Reply::read(router.clone().oneshot(self.into_http()).await.expect("a router is infallible")).await
    }

    /// As HTTP sees it.
    pub(crate) fn into_http(self) -> http::Request<Body> {
        // The default of 2 s is for users; a debug build on a loaded machine is no user.
        let mut request =
            http::Request::builder().method(self.method).uri(self.path).header("x-deadline-ms", "20000");
        if let Some(token) = self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(key) = self.key {
            request = request.header("idempotency-key", key);
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let body = match self.body {
            Some((media_type, bytes)) => {
                request = request.header(CONTENT_TYPE, media_type);
                Body::from(bytes)
            }
            None => Body::empty(),
        };
        request.body(body).expect("the story's path and headers are well-formed")
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Reply {
    /// Reads a response to its end.
    pub(crate) async fn read<B>(response: http::Response<B>) -> Self
    where
        B: http_body_util::BodyExt<Data = Bytes>,
        B::Error: std::fmt::Debug,
    {
        let (parts, body) = response.into_parts();
        let body = BodyExt::collect(body).await.expect("the body arrives whole").to_bytes();
        Self { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// The JSON body of a reply that must have this status.
    ///
    /// # Panics
    /// With the body, when the status is another.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        if self.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).expect("replies are JSON")
        }
    }

    /// Asserts a refusal of this status and stable code.
    ///
    /// # Panics
    /// When it is another, or has no sentence.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) {
        let body = self.expect(status);
        assert_eq!(body["error"]["code"], code, "{body}");
        assert!(body["error"]["message"].as_str().is_some_and(|sentence| !sentence.is_empty()), "{body}");
    }
}
