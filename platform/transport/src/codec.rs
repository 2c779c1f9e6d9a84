//! How calls and replies become bytes.

use bytes::Bytes;
use contract::Carrier;
use http::HeaderValue;
use runtime::cost::{self, Part};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// An encoding of calls and replies. Its time is charged to [`Part::Encoding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Readable, self-describing, larger.
    Json,
    /// Compact and positional (<https://postcard.jamesmunns.com>): both sides must be of one build.
    Postcard,
}

/// What was read is not what was promised.
#[derive(Debug, thiserror::Error)]
#[error("the bytes are no {0}")]
pub struct DecodeError(&'static str, #[source] Box<dyn std::error::Error + Send + Sync>);

impl Codec {
    /// The encoding of calls that leave the process under `carrier`.
    pub const fn of(carrier: Carrier) -> Self {
        match carrier {
            Carrier::Binary | Carrier::Http2Binary => Self::Postcard,
            Carrier::Json | Carrier::Local | Carrier::Wire => Self::Json,
        }
    }

    /// Its `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Postcard => "application/x-postcard",
        }
    }

    /// The encoding a `Content-Type` names; parameters are ignored.
    pub fn read_content_type(value: &HeaderValue) -> Option<Self> {
        let essence = value.to_str().ok()?.split(';').next()?.trim();
        [Self::Json, Self::Postcard]
            .into_iter()
            .find(|codec| essence.eq_ignore_ascii_case(codec.content_type()))
    }

    /// Bytes of `value`.
    ///
    /// # Panics
    /// If the type cannot be encoded, which a test of it would show.
    pub fn encode<T: Serialize>(self, value: &T) -> Bytes {
        cost::run(Part::Encoding, || match self {
            Self::Json => serde_json::to_vec(value).expect("calls and replies are plain data"),
            Self::Postcard => postcard::to_stdvec(value).expect("calls and replies are plain data"),
        })
        .into()
    }

    /// A value from its bytes.
    ///
    /// # Errors
    /// When they are something else.
    pub fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, DecodeError> {
        cost::run(Part::Encoding, || match self {
            Self::Json => {
                serde_json::from_slice(bytes).map_err(|why| DecodeError("JSON of its kind", why.into()))
            }
            Self::Postcard => {
                postcard::from_bytes(bytes).map_err(|why| DecodeError("postcard of its kind", why.into()))
            }
        })
    }
}
