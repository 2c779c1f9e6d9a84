//! Span of the call as its caller made it, around all its tries.

use std::sync::Arc;

use tracing::Instrument;

use super::{CallFuture, Layer, OutboundCall};
use crate::codec::Codec;
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
    fn send(&self, outbound: OutboundCall) -> CallFuture<'_> {
        let carrier = match outbound.codec {
            Codec::Json => "http+json",
            Codec::Postcard => "http+binary",
        };
        let span = telemetry::call_span(outbound.name, self.edge.callee, carrier);
        Box::pin(self.inner.send(outbound).instrument(span))
    }
}
