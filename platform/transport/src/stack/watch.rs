//! Span of the call as its caller made it, around all its tries.

use std::sync::Arc;

use tracing::Instrument;

use super::{Layer, Parcel, Sent};
use crate::codec::Codec;
use crate::edge::Edge;

pub(super) struct Watched<L> {
    inner: L,
    edge: Arc<Edge>,
}

impl<L> Watched<L> {
    pub fn over(inner: L, edge: Arc<Edge>) -> Self {
        Self { inner, edge }
    }
}

impl<L: Layer> Layer for Watched<L> {
    fn send(&self, parcel: Parcel) -> Sent<'_> {
        let carrier = match parcel.codec {
            Codec::Json => "http+json",
            Codec::Postcard => "http+binary",
        };
        let span = telemetry::call_span(parcel.name, self.edge.callee, carrier);
        Box::pin(self.inner.send(parcel).instrument(span))
    }
}
