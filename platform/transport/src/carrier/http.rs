//! One try at one endpoint over HTTP: the innermost layer of every edge.

use std::sync::Arc;

use policy::retry::Idempotency;
use tracing::Instrument;

use crate::attempt::{self, AttemptError, NotSentReason};
use crate::cluster::Endpoint;
use crate::edge::{CallFailure, Edge, Progress};
use crate::http2;
use crate::http2::exchange::Conditions;
use crate::stack::layer::Layer;
use crate::stack::message::{AttemptContext, Message, OutboundCall, Outcome};

/// Picks an endpoint, sends, and reads the reply as the message asks for it.
pub(crate) struct HttpCarrier {
    edge: Arc<Edge>,
}

impl HttpCarrier {
    pub fn new(edge: Arc<Edge>) -> Self {
        Self { edge }
    }

    async fn exchange<M: Message>(&self, endpoint: &Arc<Endpoint>, outbound: &OutboundCall<M>) -> Outcome<M> {
        let attempt = AttemptContext { edge: &self.edge, endpoint, cx: &outbound.cx, began: outbound.began };
        let message = &outbound.message;
        let Some(request) = message.request(&attempt) else {
            // Retries and hedges ask before they send; a body that is gone here was read by a fault's duplicate.
            let refusal = AttemptError::TimedOut.refusal();
            return Err(CallFailure::new(refusal, Progress::CallerFailed("request_read")));
        };
        // One free try on another connection, for what may be repeated and can be sent again.
        let is_repeatable = outbound.idempotency == Idempotency::Idempotent && message.is_replayable();
        let again = || is_repeatable.then(|| message.request(&attempt)).flatten();
        let (flight, sure) = (endpoint.begin_request(outbound.began), !request.method().is_idempotent());
        let deadline = outbound.cx.deadline;
        let response = attempt::send_in_flight(flight, endpoint, request, deadline, sure, again)
            .await
            .map_err(|error| failure(&error))?;
        message.reply(response, deadline.instant()).await
    }

    /// The same in a stream of a connection that other calls share. Its message is encoded, so that no try uses it up.
    async fn exchange_multiplexed<M: Message>(
        &self,
        endpoint: &Arc<Endpoint>,
        outbound: &OutboundCall<M>,
    ) -> Outcome<M> {
        let attempt = AttemptContext { edge: &self.edge, endpoint, cx: &outbound.cx, began: outbound.began };
        let (message, deadline) = (&outbound.message, outbound.cx.deadline);
        let conditions = Conditions {
            connections: self.edge.policy.connections,
            until: deadline.instant(),
            is_repeatable: outbound.idempotency == Idempotency::Idempotent,
        };
        let flight = endpoint.begin_request(outbound.began);
        let exchange = http2::exchange::exchange(endpoint, conditions, || message.request(&attempt));
        let response = attempt::observe(flight, deadline, exchange).await.map_err(|error| failure(&error))?;
        message.reply(response, deadline.instant()).await
    }
}

impl Layer for HttpCarrier {
    async fn send<M: Message>(&self, outbound: OutboundCall<M>) -> Outcome<M> {
        let settled = outbound.to.clone();
        let affinity = || outbound.message.affinity();
        let Some(endpoint) = settled.or_else(|| self.edge.pick(outbound.avoid.as_ref(), affinity)) else {
            return Err(failure(&AttemptError::NotSent(NotSentReason::NoEndpoint(self.edge.callee))));
        };
        let addr = endpoint.host().to_str().unwrap_or_default();
        let resend = u32::from(outbound.cx.attempt);
        let (method, path) = outbound.message.method_and_path();
        let span = telemetry::client_span(method, path, self.edge.callee, addr, resend);
        // Boxed: the largest part of a call, which every layer above would carry and move along.
        let result = if outbound.message.is_multiplexed() {
            Box::pin(self.exchange_multiplexed(&endpoint, &outbound)).instrument(span.clone()).await
        } else {
            Box::pin(self.exchange(&endpoint, &outbound)).instrument(span.clone()).await
        };
        let status = result.as_ref().map_or_else(CallFailure::result, |reply| Ok(M::status(reply)));
        telemetry::client_end(&span, status);
        result.map_err(|failure| CallFailure { endpoint: Some(endpoint.clone()), ..failure })
    }
}

fn failure<R>(error: &AttemptError) -> CallFailure<R> {
    let kind = error.kind();
    let progress = match error {
        AttemptError::NotSent(_) => Progress::NotSent(kind),
        AttemptError::StreamsBusy => Progress::Shed(kind),
        AttemptError::ConnectionLost(_) | AttemptError::Malformed(_) | AttemptError::TimedOut => {
            Progress::Unanswered(kind)
        }
    };
    CallFailure::new(error.refusal(), progress)
}
