//! Log lines: JSON, with the trace they belong to.

use std::fmt;

use opentelemetry::trace::TraceContextExt;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// One event, one line.
pub(crate) struct JsonFormat;

impl<S, N> FormatEvent<S, N> for JsonFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = FieldWriter { text: String::new() };
        event.record(&mut fields);
        let metadata = event.metadata();
        write!(
            writer,
            "{{\"time_us\":{},\"level\":\"{}\",\"component\":\"{}\",\"target\":{}{}",
            runtime::clock::wall_us(),
            metadata.level(),
            runtime::scope::component(),
            JsonString(metadata.target()),
            fields.text
        )?;
        let context = opentelemetry::Context::current();
        let span = context.span();
        let span = span.span_context();
        if span.is_valid() {
            write!(
                writer,
                ",\"trace_id\":\"{}\",\"span_id\":\"{}\",\"trace_flags\":\"{:02x}\"",
                span.trace_id(),
                span.span_id(),
                span.trace_flags().to_u8()
            )?;
        }
        writeln!(writer, "}}")
    }
}

struct FieldWriter {
    text: String,
}

impl Visit for FieldWriter {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text += &format!(",{}:{}", JsonString(field.name()), JsonString(&format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text += &format!(",{}:{}", JsonString(field.name()), JsonString(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.text += &format!(",{}:{value}", JsonString(field.name()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.text += &format!(",{}:{value}", JsonString(field.name()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.text += &format!(",{}:{value}", JsonString(field.name()));
    }
}

/// A JSON string (RFC 8259, section 7).
struct JsonString<'a>(&'a str);

impl fmt::Display for JsonString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                c if (c as u32) < 0x20 => write!(f, "\\u{:04x}", c as u32)?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_as_json() {
        let text = "a \"b\" \\ \n \u{1} é";
        let quoted = JsonString(text).to_string();
        assert_eq!(serde_json::from_str::<String>(&quoted).expect("JSON"), text);
    }
}
