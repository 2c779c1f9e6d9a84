//! Refusals: the one error type between components.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why, in the few kinds a caller can act on. Each has one HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// 400: the question itself is wrong.
    BadRequest,
    /// 401: no token, or a wrong one.
    Unauthenticated,
    /// 403: a known user, not allowed.
    Forbidden,
    /// 404: no such thing.
    NotFound,
    /// 409: another state than the caller assumed.
    Conflict,
    /// 413: too many bytes.
    TooLarge,
    /// 415: not a format we read.
    Unsupported,
    /// 422: well-formed, and still not acceptable.
    Unprocessable,
    /// 429: the caller asks too often.
    TooMany,
    /// 503: not now; nothing was done.
    Unavailable,
    /// 504: the deadline passed. The call may have happened.
    DeadlineExceeded,
    /// 502: the connection broke after the call was sent. It may have happened.
    Lost,
    /// 500: our fault.
    Internal,
}

impl RefusalKind {
    /// Its HTTP status code (RFC 9110, section 15).
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::Unsupported => 415,
            Self::Unprocessable => 422,
            Self::TooMany => 429,
            Self::Internal => 500,
            Self::Lost => 502,
            Self::Unavailable => 503,
            Self::DeadlineExceeded => 504,
        }
    }

    /// The kind a peer meant by a status without a body we can read.
    pub const fn from_status(status: u16) -> Self {
        match status {
            401 => Self::Unauthenticated,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            409 => Self::Conflict,
            413 => Self::TooLarge,
            415 => Self::Unsupported,
            422 => Self::Unprocessable,
            429 => Self::TooMany,
            400..=499 => Self::BadRequest,
            502 => Self::Lost,
            503 => Self::Unavailable,
            504 => Self::DeadlineExceeded,
            _ => Self::Internal,
        }
    }

    /// Whether the callee, rather than the caller, is to blame: what breakers,
    /// ejection and error rates count.
    pub const fn is_failure(self) -> bool {
        self.status() >= 500
    }

    /// Whether the call may have taken effect although it was refused.
    pub const fn may_have_happened(self) -> bool {
        matches!(self, Self::Lost | Self::DeadlineExceeded | Self::Internal)
    }
}

/// A refusal: kind, stable code, a sentence for the person at the keyboard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What a caller acts on.
    pub kind: RefusalKind,
    /// Stable and greppable: `photo_too_large`.
    pub code: Cow<'static, str>,
    /// Lowercase, no full stop, with what to do.
    pub message: Cow<'static, str>,
    /// When to come back, for `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// Whether it protects a callee that is well from more than it can take: such a refusal
    /// is no failure of the callee to a breaker or to ejection.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_shed: bool,
}

impl Refusal {
    /// A refusal of a kind.
    pub fn new(
        kind: RefusalKind,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { kind, code: code.into(), message: message.into(), retry_after: None, is_shed: false }
    }

    /// 404 for a thing of this name.
    pub fn not_found(thing: &'static str) -> Self {
        Self::new(RefusalKind::NotFound, format!("{thing}_not_found"), format!("no such {thing}"))
    }

    /// 400.
    pub fn bad_request(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::BadRequest, code, message)
    }

    /// 401.
    pub fn unauthenticated() -> Self {
        Self::new(
            RefusalKind::Unauthenticated,
            "token_required",
            "send `Authorization: Bearer <token>`; POST /v1/sessions gives one",
        )
    }

    /// 504 before any work.
    pub fn too_late() -> Self {
        Self::new(RefusalKind::DeadlineExceeded, "deadline_exceeded", "the caller has stopped waiting")
    }

    /// 503: nothing was done.
    pub fn unavailable(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::Unavailable, code, message)
    }

    /// 503: nothing was done, since as much is under way as may be.
    pub fn shed(
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
        retry_after: Option<Duration>,
    ) -> Self {
        Self { retry_after, is_shed: true, ..Self::unavailable(code, message) }
    }

    /// 500. The cause goes to the log, not to the caller.
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::Internal, "internal", message)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Refusal {}
