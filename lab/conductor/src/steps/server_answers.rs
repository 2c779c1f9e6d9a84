//! What a database server answers the lab's sessions.

use std::time::Duration;

use storage::StorageError;

/// A server that answers nothing for so long stands still, or has no time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What a server answers in time.
pub(super) async fn in_time<T>(
    answer: impl Future<Output = Result<T, StorageError>>,
) -> Result<T, StorageError> {
    let silent = || StorageError::Unreachable(format!("no answer within {ANSWER_TIMEOUT:?}").into());
    tokio::time::timeout(ANSWER_TIMEOUT, answer).await.unwrap_or_else(|_| Err(silent()))
}
