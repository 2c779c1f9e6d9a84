//! The one list of layers of a remote call.
//!
//! Outermost first: deadline, span, retry with budget, hedge, throttle, breaker,
//! bulkhead, per-try timeout, fault, carrier. Faults sit below the policies, or the
//! policies could not be tested.

mod breaker;
mod bulkhead;
mod deadline;
mod fault;
mod hedge;
mod retry;
mod throttle;
mod timeout;
mod trace;

use std::sync::Arc;

use bytes::Bytes;
use contract::{Call, CallContext, Repeat};
use futures_util::future::BoxFuture;
use http::Uri;
use policy::retry::Idempotency;

use crate::carrier::http::HttpCarrier;
use crate::cluster::Endpoint;
use crate::codec::Codec;
use crate::edge::{CallFailure, Edge};

/// What a call comes to: its reply as bytes.
pub(crate) type CallFuture<'a> = BoxFuture<'a, Result<Bytes, CallFailure>>;

/// One layer around the next.
pub(crate) trait Layer: Send + Sync {
    fn send(&self, outbound: OutboundCall) -> CallFuture<'_>;
}

/// A call on its way down, encoded once however often it is tried.
#[derive(Clone)]
pub(crate) struct OutboundCall {
    /// Its name.
    pub name: &'static str,
    /// `/call/{NAME}`.
    pub uri: Uri,
    pub idempotency: Idempotency,
    pub cx: CallContext,
    pub codec: Codec,
    pub body: Bytes,
    /// Who failed before.
    pub avoid: Option<Arc<Endpoint>>,
    /// Whom to ask, where that is settled already.
    pub to: Option<Arc<Endpoint>>,
}

impl OutboundCall {
    /// What repeating `C` may do, given the context it is made in.
    pub fn idempotency<C: Call>(cx: &CallContext) -> Idempotency {
        match C::REPEAT {
            Repeat::Safe => Idempotency::Idempotent,
            Repeat::Keyed if cx.key.is_some() => Idempotency::Idempotent,
            Repeat::Keyed | Repeat::Never => Idempotency::NotIdempotent,
        }
    }
}

/// The layers of an edge. Read upwards: the last is the first a call meets.
pub(crate) fn stack(edge: &Arc<Edge>) -> Arc<dyn Layer> {
    let call = HttpCarrier::new(edge.clone());
    let call = fault::FaultLayer::over(call, edge.clone());
    let call = timeout::TryTimeoutLayer::over(call, edge.clone());
    let call = bulkhead::BulkheadLayer::over(call, edge.clone());
    let call = breaker::BreakerLayer::over(call, edge.clone());
    let call = throttle::ThrottleLayer::over(call, edge.clone());
    let call = hedge::HedgeLayer::over(call, edge.clone());
    let call = retry::RetryLayer::over(call, edge.clone());
    let call = trace::TraceLayer::over(call, edge.clone());
    let call = deadline::DeadlineLayer::over(call, edge.clone());
    Arc::new(call)
}
