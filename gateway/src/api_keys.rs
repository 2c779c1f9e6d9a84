//! API keys: the programs that may use a route which asks for one.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use contract::{ComponentName, Refusal, RefusalKind, is_run_token};
use http::{HeaderMap, HeaderValue};
use transport::headers;

use crate::config::ConfigError;

/// Each is compared with what a request has, and counted under a label of its own.
const MAX_KEYS: usize = 64;
/// Longest name, bytes: it is a label.
const MAX_NAME_BYTES: usize = 64;
/// Lengths of a key, bytes: 16 random characters are beyond guessing.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=128;

/// Code of the refusal of a request without a valid key.
pub(crate) const REQUIRED: &str = "api_key_required";
/// What that refusal asks for (`WWW-Authenticate`). There is no registered scheme for keys; a token would be `Bearer`.
pub(crate) const SCHEME: &str = "ApiKey";

/// The keys that are valid now, replaced whole while requests come. None at first: a route that asks for one is closed.
#[derive(Default)]
pub(crate) struct ApiKeys {
    current: ArcSwap<Vec<ApiKey>>,
}

struct ApiKey {
    name: String,
    key: String,
}

impl ApiKeys {
    /// Whether a request has a valid key, whose use is counted.
    pub fn admit(&self, fields: &HeaderMap) -> Result<(), Refusal> {
        let given = fields.get(headers::API_KEY).map(HeaderValue::as_bytes);
        let keys = self.current.load();
        // All are compared: the time shows neither which key it is nor how many there are before it.
        let mut found = None;
        for key in keys.iter() {
            if is_run_token(given, &key.key) {
                found = Some(key.name.as_str());
            }
        }
        telemetry::api_key(ComponentName::GATEWAY, found);
        if found.is_some() {
            return Ok(());
        }
        let message = "send a valid key as `x-api-key`; the operator of the gateway has them";
        Err(Refusal::new(RefusalKind::Unauthenticated, REQUIRED, message))
    }

    /// Names of the keys.
    pub fn names(&self) -> Vec<String> {
        self.current.load().iter().map(|key| key.name.clone()).collect()
    }

    /// Replaces all keys by these, by name.
    ///
    /// # Errors
    /// Every fault of them, none of which shows a key; the old keys stay.
    pub fn replace(&self, keys: BTreeMap<String, String>) -> Result<(), Vec<ConfigError>> {
        let mut errors = Vec::new();
        let mut wrong = |at: String, message: String| errors.push(ConfigError { at, message });
        if keys.len() > MAX_KEYS {
            wrong("keys".into(), format!("{} keys are too many; give at most {MAX_KEYS}", keys.len()));
        }
        for (name, key) in &keys {
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if !(1..=MAX_NAME_BYTES).contains(&name.len()) || !name.bytes().all(is_plain) {
                let message = format!("give a name of 1 to {MAX_NAME_BYTES} of a to z, 0 to 9 and `-`");
                wrong(format!("keys.{name}"), message);
            }
            if !KEY_BYTES.contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
                let (least, most) = KEY_BYTES.into_inner();
                let message = format!("give a random key of {least} to {most} visible ASCII characters");
                wrong(format!("keys.{name}"), message);
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let keys = keys.into_iter().map(|(name, key)| ApiKey { name, key }).collect();
        self.current.store(Arc::new(keys));
        Ok(())
    }
}
