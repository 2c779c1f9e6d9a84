//! Head sampling: the caller decides; without one, a share of requests is sampled.

use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

/// Head sampling. A consumer's span is a root that exists only where its
/// producer was sampled, so it is always kept.
#[derive(Clone, Debug)]
pub(crate) struct HeadSampler {
    pub(crate) ratio: f64,
}

impl ShouldSample for HeadSampler {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        _name: &str,
        kind: &SpanKind,
        _attributes: &[KeyValue],
        _links: &[Link],
    ) -> SamplingResult {
        let parent = parent.filter(|cx| cx.has_active_span()).map(|cx| cx.span().span_context().clone());
        let (sampled, trace_state) = match parent {
            Some(parent) if parent.is_valid() => (parent.is_sampled(), parent.trace_state().clone()),
            _ => (self.samples_root(trace_id, kind), TraceState::default()),
        };
        let decision = if sampled { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
        SamplingResult { decision, attributes: Vec::new(), trace_state }
    }
}

impl HeadSampler {
    fn samples_root(&self, trace_id: TraceId, kind: &SpanKind) -> bool {
        match kind {
            SpanKind::Consumer => true,
            // Only a request from outside starts a trace; background work is not one.
            SpanKind::Server => {
                let bits = u64::from_be_bytes(trace_id.to_bytes()[8..].try_into().expect("eight bytes"));
                runtime::random::unit(bits) < self.ratio
            }
            _ => false,
        }
    }
}
