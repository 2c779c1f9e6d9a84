//! OTLP's spans as `trace` needs them: ids as numbers, and of the attributes those that show where time went. Texts are cut, since
//! what is held of spans is counted by their number.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use telemetry::names::attr;
use trace::{Kind, ReceivedSpan};

/// Longest text that is kept of a span: our own are shorter, and what another program sends may have megabytes.
const MAX_TEXT_BYTES: usize = 256;

/// All spans of an export.
pub(super) fn observed(request: &ExportTraceServiceRequest) -> Vec<ReceivedSpan> {
    request.resource_spans.iter().flat_map(of_resource).collect()
}

fn of_resource(resource: &ResourceSpans) -> Vec<ReceivedSpan> {
    let attributes = resource.resource.as_ref().map_or(&[][..], |resource| &resource.attributes);
    let service: Arc<str> = text(attributes, "service.name").unwrap_or("unknown").into();
    // `run/arm/feed#0`; an arm's name may have slashes of its own.
    let id = whole_text(attributes, "service.instance.id").unwrap_or_default();
    let instance: Arc<str> = cut(id.rsplit('/').next().unwrap_or_default()).into();
    let spans = resource.scope_spans.iter().flat_map(|scope| &scope.spans);
    spans.map(|span| of_span(span, &service, &instance)).collect()
}

fn of_span(span: &Span, service: &Arc<str>, instance: &Arc<str>) -> ReceivedSpan {
    let has = |name| text(&span.attributes, name);
    let failed = span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error);
    let carrier = has(attr::CARRIER).unwrap_or_default();
    ReceivedSpan {
        trace: number(&span.trace_id),
        id: u64::try_from(number(&span.span_id)).unwrap_or(0),
        parent: u64::try_from(number(&span.parent_span_id)).unwrap_or(0),
        service: service.clone(),
        instance: instance.clone(),
        name: cut(&span.name).to_owned(),
        kind: kind(span.kind()),
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano,
        error: if failed { has("error.type").unwrap_or("error").to_owned() } else { String::new() },
        peer: has(attr::PEER).unwrap_or_default().to_owned(),
        edge: has(attr::EDGE).unwrap_or_default().to_owned(),
        local: matches!(carrier, "local" | "wire"),
        database: has("db.system.name").is_some(),
    }
}

/// An id's bytes, most significant first; bytes beyond those of a number are ignored.
fn number(bytes: &[u8]) -> u128 {
    bytes.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// The first bytes of a text, up to a character's end.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}

fn text<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a str> {
    whole_text(attributes, name).map(cut)
}

fn whole_text<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a str> {
    let attribute = attributes.iter().find(|attribute| attribute.key == name)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

fn kind(kind: SpanKind) -> Kind {
    match kind {
        SpanKind::Server => Kind::Server,
        SpanKind::Client => Kind::Client,
        SpanKind::Producer => Kind::Producer,
        SpanKind::Consumer => Kind::Consumer,
        SpanKind::Internal | SpanKind::Unspecified => Kind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::AnyValue;
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Status};

    use super::*;

    fn attribute(key: &str, value: &str) -> KeyValue {
        let value = Some(AnyValue { value: Some(Value::StringValue(value.into())) });
        KeyValue { key: key.into(), value, ..KeyValue::default() }
    }

    fn observe(span: Span) -> ReceivedSpan {
        let resource = Resource {
            attributes: vec![
                attribute("service.name", "feed"),
                attribute("service.instance.id", "run/naive/micro/feed#1"),
            ],
            ..Resource::default()
        };
        let scope = ScopeSpans { spans: vec![span], ..ScopeSpans::default() };
        let resource =
            ResourceSpans { resource: Some(resource), scope_spans: vec![scope], ..ResourceSpans::default() };
        observed(&ExportTraceServiceRequest { resource_spans: vec![resource] }).remove(0)
    }

    #[test]
    fn a_span_keeps_its_ids_its_instance_and_its_times() {
        let span = Span {
            trace_id: [0; 14].into_iter().chain([1, 2]).collect(),
            span_id: vec![0, 0, 0, 0, 0, 0, 0, 9],
            start_time_unix_nano: 5,
            end_time_unix_nano: 8,
            kind: SpanKind::Client.into(),
            attributes: vec![attribute(attr::PEER, "photo"), attribute(attr::CARRIER, "local")],
            ..Span::default()
        };
        let observed = observe(span);
        assert_eq!((observed.trace, observed.id, observed.parent), (0x0102, 9, 0));
        assert_eq!((&*observed.service, &*observed.instance), ("feed", "feed#1"));
        assert_eq!((observed.start, observed.end, observed.kind), (5, 8, Kind::Client));
        assert_eq!((observed.peer.as_str(), observed.local, observed.database), ("photo", true, false));
        assert_eq!(observed.error, "");
    }

    #[test]
    fn a_long_text_is_cut_at_the_end_of_a_character() {
        // Two bytes each, after one of one byte: the 256th byte is in the middle of one.
        let long = format!("a{}", "é".repeat(1 << 20));
        let status = Status { code: StatusCode::Error.into(), ..Status::default() };
        let attributes = vec![attribute("error.type", &long), attribute(attr::PEER, &long)];
        let observed =
            observe(Span { name: long.clone(), status: Some(status), attributes, ..Span::default() });
        for kept in [&observed.name, &observed.error, &observed.peer] {
            assert!(kept.len() == MAX_TEXT_BYTES - 1 && long.starts_with(kept.as_str()));
        }
    }

    #[test]
    fn a_failed_span_has_an_error_with_or_without_a_type() {
        let failed = |attributes| {
            let status = Status { code: StatusCode::Error.into(), ..Status::default() };
            observe(Span { status: Some(status), attributes, ..Span::default() }).error
        };
        assert_eq!(failed(vec![attribute("error.type", "timeout")]), "timeout");
        assert_eq!(failed(Vec::new()), "error");
    }
}
