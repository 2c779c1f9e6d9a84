//! Writes that take effect once, however often they are sent.
//!
//! The reply of the first time is kept in the transaction of the write itself.
//! Writers take turns, so of two with one key the second finds the first's reply. Where they do not, the second is
//! refused as overtaken, and finds it at its next try.

use contract::{ComponentName, Refusal, RefusalKind};
use runtime::clock;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{StorageError, Tx, query};

/// The reply of the first time, if this is a repeat.
///
/// # Errors
/// 422 when the key came with another write.
pub async fn stored_reply<R: DeserializeOwned>(
    tx: &mut Tx,
    component: ComponentName,
    principal: u64,
    key: &str,
    fingerprint: u64,
) -> Result<Option<R>, Refusal> {
    let select = query(
        "SELECT",
        "storage_done",
        "SELECT fingerprint, reply FROM storage_done WHERE component = $1 AND principal = $2 AND key = $3",
    )
    .bind(component.as_str())
    .bind(principal.cast_signed())
    .bind(key);
    let known: Option<(i64, String)> = select.optional(tx.conn()).await?;
    match known {
        None => Ok(None),
        Some((kept, _)) if kept != fingerprint.cast_signed() => Err(Refusal::new(
            RefusalKind::Unprocessable,
            "key_reused",
            "this Idempotency-Key came with another write before; use a new one",
        )),
        Some((_, reply)) => {
            // It stands for the write of the first time.
            tx.settled().await?;
            serde_json::from_str(&reply)
                .map(Some)
                .map_err(|why| Refusal::internal(format!("a kept reply cannot be read: {why}")))
        }
    }
}

/// Keeps the reply for repeats, in the transaction of the write.
///
/// # Errors
/// When the database refuses.
pub async fn store_reply<R: Serialize>(
    tx: &mut Tx,
    component: ComponentName,
    principal: u64,
    key: &str,
    fingerprint: u64,
    reply: &R,
) -> Result<(), Refusal> {
    let reply = serde_json::to_string(reply).expect("replies are plain data");
    let insert = query(
        "INSERT",
        "storage_done",
        "INSERT INTO storage_done (component, principal, key, fingerprint, reply, created_us)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(component.as_str())
    .bind(principal.cast_signed())
    .bind(key)
    .bind(fingerprint.cast_signed())
    .bind(reply)
    .bind(clock::wall_us());
    // It was not there a moment ago, in this very transaction.
    let overtaken = |error| match error {
        StorageError::Unique(cause) => StorageError::Conflict(cause),
        other => other,
    };
    Ok(insert.execute(tx.conn()).await.map(drop).map_err(overtaken)?)
}
