//! A write that takes effect once, however often it is sent.

use std::sync::Arc;

use contract::hash::fnv1a64;
use contract::{CallContext, ComponentName, Principal, Refusal};
use serde::Serialize;
use serde::de::DeserializeOwned;
use storage::{Tx, idempotency};

/// One write: its user and arguments, and its `Idempotency-Key`. Without a key
/// nothing is remembered, and a repeat happens again.
pub struct IdempotentWrite {
    component: ComponentName,
    principal: u64,
    key: Option<Arc<str>>,
    fingerprint: u64,
}

impl IdempotentWrite {
    /// The write `what`, in which the verb and every argument stand: one key
    /// with another `what` is refused. Never put a secret in.
    pub fn new(
        component: ComponentName,
        cx: &CallContext,
        principal: Principal,
        what: &impl Serialize,
    ) -> Self {
        let bytes = serde_json::to_vec(what).expect("arguments are plain data");
        let fingerprint = fnv1a64(&bytes);
        Self { component, principal: principal.raw(), key: cx.key.clone(), fingerprint }
    }

    /// The reply of the first time, if this is a repeat. Ask first of all in
    /// the transaction of the write: two writes with one key then take turns.
    ///
    /// # Errors
    /// 422 when the key came with another write; storage's own refusals.
    pub async fn stored_reply<R: DeserializeOwned>(&self, tx: &mut Tx) -> Result<Option<R>, Refusal> {
        let Some(key) = &self.key else { return Ok(None) };
        idempotency::stored_reply(tx, self.component, self.principal, key, self.fingerprint).await
    }

    /// Keeps the reply for repeats, in the transaction of the write.
    ///
    /// # Errors
    /// Storage's own refusals.
    pub async fn store_reply<R: Serialize>(&self, tx: &mut Tx, reply: &R) -> Result<(), Refusal> {
        let Some(key) = &self.key else { return Ok(()) };
        idempotency::store_reply(tx, self.component, self.principal, key, self.fingerprint, reply).await
    }
}
