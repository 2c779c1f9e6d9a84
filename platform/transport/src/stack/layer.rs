//! What a layer of an edge is.

use std::future::Future;

use crate::stack::message::{Message, OutboundCall, Outcome};

/// One layer around the next. The layers of a stack are one type, so that nothing is
/// boxed on the way down.
pub(crate) trait Layer: Send + Sync {
    fn send<M: Message>(&self, outbound: OutboundCall<M>) -> impl Future<Output = Outcome<M>> + Send;
}
