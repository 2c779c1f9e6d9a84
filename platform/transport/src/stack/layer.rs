//! What a layer of an edge is.

use std::future::Future;

use crate::stack::message::{Message, OutboundCall, Outcome};

/// One layer around the next. The layers of a stack are one type, so that nothing is
/// boxed on the way down.
///
/// A layer that only looks at a message before it passes it on is a function that returns the future of the next: as one of
/// its own it would hold the message a second time, and all that is below would be moved once more.
pub(crate) trait Layer: Send + Sync {
    fn send<M: Message>(&self, outbound: OutboundCall<M>) -> impl Future<Output = Outcome<M>> + Send;
}
