//! Journeys as spans of OTLP: the roots of traces, which the load generator reports and no node sends. Without them a viewer
//! calls every trace incomplete, and shows the requests of a journey beside each other.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use record::{CLIENT, PhasePlan};
use telemetry::ProcessLabels;
use telemetry::export::resource_attributes;
use telemetry::names::attr;
use trace::Journey;

/// The spans of journeys in `arms`, which are those that trace, and how many there are.
pub(super) fn export(
    journeys: &[Journey],
    arms: &BTreeMap<char, ProcessLabels>,
    phases: &[PhasePlan],
) -> (ExportTraceServiceRequest, u64) {
    let mut request = ExportTraceServiceRequest::default();
    let mut count = 0;
    for (letter, labels) in arms {
        let of_arm = journeys.iter().filter(|journey| journey.arm == *letter);
        let spans: Vec<Span> = of_arm.map(|journey| span(journey, phases)).collect();
        if spans.is_empty() {
            continue;
        }
        count += spans.len() as u64;
        let scope = ScopeSpans { spans, ..ScopeSpans::default() };
        request.resource_spans.push(ResourceSpans {
            resource: Some(resource(labels)),
            scope_spans: vec![scope],
            ..ResourceSpans::default()
        });
    }
    (request, count)
}

/// The client of an arm.
fn resource(labels: &ProcessLabels) -> Resource {
    let labels = ProcessLabels { instance: CLIENT.into(), ..labels.clone() };
    let attributes = resource_attributes(CLIENT, &labels).map(|(name, value)| text(name, value));
    Resource { attributes: attributes.into(), ..Resource::default() }
}

/// From the first request sent to the last response read.
fn span(journey: &Journey, phases: &[PhasePlan]) -> Span {
    let number = i64::try_from(journey.request).unwrap_or(i64::MAX);
    let mut attributes = vec![attribute(attr::REQUEST, Value::IntValue(number))];
    if let Some(phase) = phases.get(journey.phase as usize) {
        attributes.push(text(attr::PHASE, phase.name.clone()));
    }
    let mut status = None;
    if !journey.error.is_empty() {
        attributes.push(text("error.type", journey.error.clone()));
        status = Some(Status { code: StatusCode::Error.into(), ..Status::default() });
    }
    Span {
        trace_id: journey.trace.to_be_bytes().into(),
        span_id: journey.span.to_be_bytes().into(),
        name: journey.name.clone(),
        kind: SpanKind::Client.into(),
        start_time_unix_nano: journey.sent_wall,
        end_time_unix_nano: journey.sent_wall + journey.done.saturating_sub(journey.sent),
        attributes,
        status,
        ..Span::default()
    }
}

fn text(name: &str, value: String) -> KeyValue {
    attribute(name, Value::StringValue(value))
}

fn attribute(name: &str, value: Value) -> KeyValue {
    KeyValue { key: name.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::collector::spans::observed;

    fn journey(arm: char, error: &str) -> Journey {
        Journey {
            arm,
            round: 1,
            phase: 0,
            second: 0,
            name: "upload".into(),
            request: 7,
            trace: 0x0102,
            span: 9,
            due: 1_000,
            sent: 3_000,
            done: 8_000,
            sent_wall: 50_000,
            exchanges: Vec::new(),
            error: error.into(),
        }
    }

    #[test]
    fn a_journey_is_the_root_of_its_trace_and_has_the_labels_of_its_arm() {
        let labels = ProcessLabels { run_id: "r1".into(), arm: "micro".into(), ..ProcessLabels::default() };
        let arms = BTreeMap::from([('B', labels)]);
        // Arm A does not trace: its nodes send nothing that would hang from a root.
        let journeys = [journey('A', ""), journey('B', ""), journey('B', "timeout")];
        let (request, count) = export(&journeys, &arms, &[]);
        assert_eq!((request.resource_spans.len(), count), (1, 2));
        let spans = observed(&request);
        let root = &spans[0];
        assert_eq!((root.trace, root.id, root.parent), (0x0102, 9, 0));
        assert_eq!((&*root.service, &*root.instance, root.name.as_str()), (CLIENT, CLIENT, "upload"));
        assert_eq!((root.start, root.end), (50_000, 55_000), "as long as it took, not from when it was due");
        let errors: Vec<&str> = spans.iter().map(|span| span.error.as_str()).collect();
        assert_eq!(errors, ["", "timeout"]);
        let attributes = &request.resource_spans[0].resource.as_ref().expect("it has one").attributes;
        assert!(attributes.contains(&text(attr::ARM, "micro".into())), "{attributes:?}");
    }
}
