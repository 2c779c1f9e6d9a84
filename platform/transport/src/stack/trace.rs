//! Span of a call as its caller made it, around all its tries.

use std::future::Future;
use std::sync::Arc;

use tracing::Instrument;

use super::{Layer, Message, OutboundCall, Outcome};
use crate::edge::Edge;

pub(super) struct TraceLayer<L> {
    inner: L,
    edge: Arc<Edge>,
}

impl<L> TraceLayer<L> {
    pub fn over(inner: L, edge: Arc<Edge>) -> Self {
        Self { inner, edge }
    }
}

impl<L: Layer> Layer for TraceLayer<L> {
    fn send<M: Message>(&self, outbound: OutboundCall<M>) -> impl Future<Output = Outcome<M>> + Send {
        let span = outbound.message.span(&self.edge);
        self.inner.send(outbound).instrument(span)
    }
}
