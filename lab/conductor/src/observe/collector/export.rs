//! An export as it is decoded, and what of it is refused before: an empty message takes two bytes of a body, and up to some
//! hundreds in memory, so that a bound on the body alone would let a request of 16 MiB take gigabytes.

use axum::body::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, EntityRef, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use super::room::ExportRoom;

/// Longest body, packed or not. An export of 512 spans is some 200 KiB; other exporters send more at a time.
pub(super) const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// Most that the messages of an export may take beside their texts. A span with 30 attributes takes some 2.5 KB: enough for
/// 8,192 of them, which OpenTelemetry's collector sends at a time (its SDKs send 512). A list begins with room for four and
/// doubles, so that it may take four times as much for a moment.
const MAX_DECODED_BYTES: usize = 32 * 1024 * 1024;
/// Deepest nesting: that of prost, which refuses more.
const MAX_DEPTH: usize = 100;

/// Sent to an exporter for whose request there is no room now.
pub(super) const NO_ROOM: &str = "too many bytes of exports are under way: send it again in a second";

/// Why an export is not taken.
#[derive(Debug)]
pub(super) enum ExportRefusal {
    /// It would be refused again, for this reason.
    Invalid(String),
    /// Others take the room for it.
    NoRoom,
}

/// A request of an exporter.
pub(super) struct Export {
    /// What it has.
    pub request: ExportTraceServiceRequest,
    /// What it takes in memory, about.
    pub bytes: usize,
}

impl Export {
    /// Decodes a body, for whose messages there has to be room beside it.
    ///
    /// # Errors
    /// Where it is invalid, takes too much, or finds no room.
    pub fn decode(body: Bytes, room: &ExportRoom) -> Result<Self, ExportRefusal> {
        let invalid = |why: &str| ExportRefusal::Invalid(format!("invalid ExportTraceServiceRequest: {why}"));
        let decoded = decoded_bytes(&body).ok_or_else(|| invalid("malformed protobuf"))?;
        if decoded > MAX_DECODED_BYTES {
            let limit = MAX_DECODED_BYTES >> 20;
            return Err(ExportRefusal::Invalid(format!(
                "an export that takes more than {limit} MiB when decoded: send fewer spans at a time"
            )));
        }
        // Texts are copied.
        let bytes = body.len() + decoded;
        if !room.grow(bytes) {
            return Err(ExportRefusal::NoRoom);
        }
        let request = ExportTraceServiceRequest::decode(body).map_err(|why| invalid(&why.to_string()))?;
        Ok(Self { request, bytes })
    }
}

/// One that the lab made itself, whose messages are not empty.
impl From<ExportTraceServiceRequest> for Export {
    fn from(request: ExportTraceServiceRequest) -> Self {
        Self { bytes: request.encoded_len(), request }
    }
}

/// Messages that have lists in them, at whatever depth (opentelemetry-proto 1.9, `trace.proto`, `common.proto` and
/// `resource.proto`).
#[derive(Clone, Copy)]
enum Level {
    Request,
    ResourceSpans,
    Resource,
    EntityRef,
    ScopeSpans,
    Scope,
    Span,
    Event,
    Link,
    KeyValue,
    AnyValue,
    ArrayValue,
    KeyValueList,
}

/// What a field has.
enum Content {
    /// An element of a list: what it is, and the bytes that it takes there.
    Element(Level, usize),
    /// A message inside of the one around it, whose bytes include it.
    Inline(Level),
    /// An element of a list of texts.
    Text,
    /// Nothing that takes more than its bytes in the body.
    Other,
}

impl Level {
    /// What the field of this number has.
    fn content(self, field: u32) -> Content {
        match (self, field) {
            (Self::Request, 1) => Content::Element(Self::ResourceSpans, size_of::<ResourceSpans>()),
            (Self::ResourceSpans, 1) => Content::Inline(Self::Resource),
            (Self::ResourceSpans, 2) => Content::Element(Self::ScopeSpans, size_of::<ScopeSpans>()),
            (Self::Resource, 3) => Content::Element(Self::EntityRef, size_of::<EntityRef>()),
            (Self::EntityRef, 3 | 4) => Content::Text,
            (Self::ScopeSpans, 1) => Content::Inline(Self::Scope),
            (Self::ScopeSpans, 2) => Content::Element(Self::Span, size_of::<Span>()),
            (Self::Span, 11) => Content::Element(Self::Event, size_of::<Event>()),
            (Self::Span, 13) => Content::Element(Self::Link, size_of::<Link>()),
            (Self::Resource, 1)
            | (Self::Scope | Self::Event, 3)
            | (Self::Span, 9)
            | (Self::Link, 4)
            | (Self::KeyValueList, 1) => Content::Element(Self::KeyValue, size_of::<KeyValue>()),
            (Self::KeyValue, 2) => Content::Inline(Self::AnyValue),
            (Self::AnyValue, 5) => Content::Inline(Self::ArrayValue),
            (Self::AnyValue, 6) => Content::Inline(Self::KeyValueList),
            (Self::ArrayValue, 1) => Content::Element(Self::AnyValue, size_of::<AnyValue>()),
            _ => Content::Other,
        }
    }
}

/// What the elements of all lists of an encoded request take when it is decoded; `None` where it is malformed or nested too
/// deeply. Reads the wire format (protobuf.dev, "Encoding") without groups, which OTLP has none of, and holds nothing of it.
fn decoded_bytes(request: &[u8]) -> Option<usize> {
    // The messages around what is read, and where they end.
    let mut open = [(Level::Request, request.len()); MAX_DEPTH];
    let (mut depth, mut at, mut total) = (0_usize, 0_usize, 0_usize);
    loop {
        let (level, end) = open[depth];
        if at == end {
            let Some(outer) = depth.checked_sub(1) else { return Some(total) };
            depth = outer;
            continue;
        }
        let message = &request[..end];
        let key = u32::try_from(varint(message, &mut at)?).ok()?;
        let (field, wire_type) = (key >> 3, key & 7);
        if field == 0 {
            return None;
        }
        let length = match wire_type {
            0 => varint(message, &mut at).map(|_| 0)?,
            1 => 8,
            2 => usize::try_from(varint(message, &mut at)?).ok()?,
            5 => 4,
            _ => return None,
        };
        if length > end - at {
            return None;
        }
        let content = if wire_type == 2 { level.content(field) } else { Content::Other };
        let (inner, bytes) = match content {
            Content::Element(inner, bytes) => (Some(inner), bytes),
            Content::Inline(inner) => (Some(inner), 0),
            Content::Text => (None, size_of::<String>()),
            Content::Other => (None, 0),
        };
        total += bytes;
        match inner {
            Some(inner) => {
                depth += 1;
                *open.get_mut(depth)? = (inner, at + length);
            }
            None => at += length,
        }
    }
}

/// The number at `at`, which is moved behind it; `None` where it is cut off, or has more than 64 bits.
fn varint(message: &[u8], at: &mut usize) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *message.get(*at)?;
        *at += 1;
        // Of a tenth byte one bit is left.
        if shift == 63 && byte > 1 {
            return None;
        }
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{ArrayValue, InstrumentationScope, KeyValueList};
    use opentelemetry_proto::tonic::resource::v1::Resource;

    use super::*;
    use crate::observe::collector::room::{ExportBudget, MAX_BYTES};

    fn decode(body: Vec<u8>) -> Result<Export, ExportRefusal> {
        Export::decode(body.into(), &ExportBudget::new().reserve())
    }

    fn array(values: Vec<AnyValue>) -> AnyValue {
        AnyValue { value: Some(Value::ArrayValue(ArrayValue { values })) }
    }

    fn attribute(value: AnyValue) -> KeyValue {
        KeyValue { key: "key".into(), value: Some(value), ..KeyValue::default() }
    }

    fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
        let scope = ScopeSpans { spans, ..ScopeSpans::default() };
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() }],
        }
    }

    #[test]
    fn every_element_of_every_list_is_counted() {
        let text = || AnyValue { value: Some(Value::StringValue("text".into())) };
        let pairs = KeyValueList { values: vec![attribute(text()), attribute(text())] };
        let nested = array(vec![text(), AnyValue { value: Some(Value::KvlistValue(pairs)) }]);
        let attributes = vec![attribute(text())];
        let span = Span {
            name: "GET /v1/feed".into(),
            start_time_unix_nano: 1,
            flags: 1,
            attributes: vec![attribute(nested)],
            events: vec![Event { attributes: attributes.clone(), ..Event::default() }],
            links: vec![Link { attributes: attributes.clone(), ..Link::default() }],
            ..Span::default()
        };
        let mut request = request(vec![span, Span::default()]);
        let keys = vec!["a".to_owned(), "b".to_owned()];
        request.resource_spans[0].resource = Some(Resource {
            attributes: attributes.clone(),
            entity_refs: vec![EntityRef {
                id_keys: keys.clone(),
                description_keys: keys,
                ..EntityRef::default()
            }],
            ..Resource::default()
        });
        request.resource_spans[0].scope_spans[0].scope =
            Some(InstrumentationScope { attributes, ..InstrumentationScope::default() });
        // Attributes: the resource's, the scope's, the span's, two inside of it, the event's and the link's.
        let expected = size_of::<ResourceSpans>()
            + size_of::<ScopeSpans>()
            + 2 * size_of::<Span>()
            + size_of::<Event>()
            + size_of::<Link>()
            + 7 * size_of::<KeyValue>()
            + 2 * size_of::<AnyValue>()
            + size_of::<EntityRef>()
            + 4 * size_of::<String>();
        let body = request.encode_to_vec();
        assert_eq!(decoded_bytes(&body), Some(expected));
        let export = decode(body).expect("valid");
        assert_eq!(export.request, request);
        assert_eq!(decoded_bytes(&[]), Some(0));
    }

    #[test]
    fn what_is_malformed_is_no_request() {
        for body in [
            // A number that is cut off, and two that are too long.
            &[0x80][..],
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
            &[0xff; 11],
            // Fields that are cut off: of eight bytes, of four, of a length, and of a length beyond that of the message around it.
            &[0x11, 1, 2],
            &[0x15, 1, 2, 3],
            &[0x12, 5, 0],
            &[0x0a, 2, 0x12, 3, 0, 0, 0],
            // A length of 64 bits, a group, and a field without a number.
            &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            &[0x0b, 0x0c],
            &[0x02, 0],
        ] {
            assert_eq!(decoded_bytes(body), None, "{body:?}");
        }
    }

    #[test]
    fn a_value_that_is_nested_too_deeply_is_refused() {
        let nested = |depth: usize| {
            let value = (0..depth).fold(AnyValue::default(), |inner, _| array(vec![inner]));
            let span = Span { attributes: vec![attribute(value)], ..Span::default() };
            decode(request(vec![span]).encode_to_vec())
        };
        assert!(nested(20).is_ok());
        assert!(nested(MAX_DEPTH).is_err());
    }

    #[test]
    fn a_small_body_that_decodes_to_very_much_is_refused() {
        let empty = |spans: usize| {
            let body = request(vec![Span::default(); spans]).encode_to_vec();
            assert!(body.len() < 1 << 20, "two bytes a span");
            decode(body)
        };
        let many = MAX_DECODED_BYTES / size_of::<Span>();
        assert!(empty(many / 2).is_ok());
        let Err(ExportRefusal::Invalid(why)) = empty(many) else { panic!("there are messages around them") };
        assert!(why.contains("32 MiB"), "{why}");
    }

    #[test]
    fn what_finds_no_room_is_not_decoded() {
        let body: Bytes = request(vec![Span::default(); 100]).encode_to_vec().into();
        let budget = ExportBudget::new();
        let (others, room) = (budget.reserve(), budget.reserve());
        assert!(others.grow(MAX_BYTES - 100 * size_of::<Span>()));
        let refused = Export::decode(body.clone(), &room);
        assert!(matches!(refused, Err(ExportRefusal::NoRoom)), "there are messages around them");
        drop(others);
        let bytes = Export::decode(body, &room).expect("valid").bytes;
        let left = budget.reserve();
        assert!(left.grow(MAX_BYTES - bytes) && !left.grow(1), "as much is counted as it takes");
    }
}
