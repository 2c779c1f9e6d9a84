//! What a story may do to the service, whatever lies between them.

use std::future::Future;
use std::time::Duration;

use contract::{Call, CallContext, ComponentName, Deadline, Event, Principal, Refusal};

use crate::{Reply, Request};

/// A way to the service under test. Stories are written against this, so that
/// the same words hold for a function call and for another process.
pub trait Client: Send + Sync {
    /// Sends a request to its REST face.
    fn send(&self, request: Request) -> impl Future<Output = Reply> + Send;
    /// Asks it as another component would.
    fn ask<C: Call>(&self, call: C) -> impl Future<Output = Result<C::Reply, Refusal>> + Send;
    /// Publishes an event on behalf of a component that is not there. Across a
    /// database the effect comes later: see [`eventually`].
    fn publish<E: Event>(&self, id: &str, event: E) -> impl Future<Output = ()> + Send;
    /// What it has published so far, oldest first.
    fn published<E: Event>(&self) -> impl Future<Output = Vec<E>> + Send;
    /// A token that speaks for `user`.
    fn token(&self, user: Principal) -> String;
}

/// Long enough for a loaded machine; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `probe` finds what it looks for.
///
/// # Panics
/// With `what` when it does not come true.
pub async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = runtime::clock::now() + PATIENCE;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(runtime::clock::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A context with time to spare.
pub(crate) fn context() -> CallContext {
    CallContext::background(ComponentName::CLIENT, Deadline::after(runtime::clock::now(), PATIENCE))
}
