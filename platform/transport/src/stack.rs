//! The one stack of layers of every edge: of calls between components, and of what the gateway forwards.
//!
//! Outermost first: deadline, span, retry with budget, hedge, throttle, breaker,
//! bulkhead, adaptive concurrency, per-try timeout, fault, carrier. Faults sit below
//! the policies, or the policies could not be tested. What a [`Message`] is, bytes or a
//! body that streams, the layers do not know.

mod adaptive_concurrency;
mod breaker;
mod bulkhead;
mod deadline;
mod fault;
mod hedge;
pub(crate) mod layer;
pub(crate) mod message;
mod retry;
mod throttle;
mod timeout;
mod trace;

use std::sync::Arc;

pub use message::{AttemptContext, Message, OutboundCall, Outcome};

use self::adaptive_concurrency::AdaptiveConcurrencyLayer;
use self::breaker::BreakerLayer;
use self::bulkhead::BulkheadLayer;
use self::deadline::DeadlineLayer;
use self::fault::FaultLayer;
use self::hedge::HedgeLayer;
pub(crate) use self::layer::Layer;
use self::retry::RetryLayer;
use self::throttle::ThrottleLayer;
use self::timeout::TryTimeoutLayer;
use self::trace::TraceLayer;
use crate::carrier::http::HttpCarrier;
use crate::edge::Edge;

type Tries = AdaptiveConcurrencyLayer<TryTimeoutLayer<FaultLayer<HttpCarrier>>>;
type Admitted = ThrottleLayer<BreakerLayer<BulkheadLayer<Tries>>>;
type Layers = DeadlineLayer<TraceLayer<RetryLayer<HedgeLayer<Admitted>>>>;

/// The layers of an edge, and what they share.
pub struct EdgeStack {
    edge: Arc<Edge>,
    layers: Layers,
}

impl EdgeStack {
    /// The layers of `edge`. Read upwards: the last is the first a message meets.
    pub fn new(edge: Arc<Edge>) -> Self {
        let layers = HttpCarrier::new(edge.clone());
        let layers = FaultLayer::over(layers, edge.clone());
        let layers = TryTimeoutLayer::over(layers, edge.clone());
        let layers = AdaptiveConcurrencyLayer::over(layers, edge.clone());
        let layers = BulkheadLayer::over(layers, edge.clone());
        let layers = BreakerLayer::over(layers, edge.clone());
        let layers = ThrottleLayer::over(layers, edge.clone());
        let layers = HedgeLayer::over(layers, edge.clone());
        let layers = RetryLayer::over(layers, edge.clone());
        let layers = TraceLayer::over(layers, edge.clone());
        let layers = DeadlineLayer::over(layers, edge.clone());
        Self { edge, layers }
    }

    /// Policy, breaker and budget of the edge.
    pub fn edge(&self) -> &Arc<Edge> {
        &self.edge
    }

    /// Sends a message: once, or as often as its edge allows and its body can be sent.
    ///
    /// # Errors
    /// When no reply came, or one that the callee answers for as a failure.
    pub async fn send<M: Message>(&self, outbound: OutboundCall<M>) -> Outcome<M> {
        self.layers.send(outbound).await
    }
}
