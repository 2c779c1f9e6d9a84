//! A run in the OpenMetrics text format 1.0: for a scrape, or with the times of its samples for a backfill.
//! Source: <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
//!
//! The older text format has no exemplars; a client that does not ask for OpenMetrics gets that one.
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use model::Run;
use model::source::Replay;
use telemetry::names;

use crate::families::{Exemplar, FAMILIES, Kind, Labels, Value};
use crate::series::series;

/// The media type of an OpenMetrics answer.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The formats a scrape may be answered in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// With exemplars.
    OpenMetrics,
    /// The text format 0.0.4, which every client reads.
    Text,
}

impl Format {
    /// The format for a request with this `Accept` header.
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Text }
    }

    /// Its media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => CONTENT_TYPE,
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Time between two samples of a backfill, ns: as often as a live run is scraped.
const STEP_NS: u64 = 1_000_000_000;

/// Everything known at `t`, ns since the run's start, in OpenMetrics.
pub fn exposition(run: &Run, t: u64) -> String {
    exposition_in(Format::OpenMetrics, run, t)
}

/// Everything known at `t`, ns since the run's start.
pub fn exposition_in(format: Format, run: &Run, t: u64) -> String {
    let mut text = String::new();
    let mut last = None;
    for (name, labels, value) in series(run, t) {
        if last.replace(name) != Some(name) {
            head(&mut text, name, format);
        }
        samples(name, &labels, &value, &mut |sample, value, exemplar| {
            let _ = write!(text, "{sample} {value}");
            if let Some(Exemplar { trace_id, seconds }) = exemplar.filter(|_| format == Format::OpenMetrics) {
                let _ = write!(text, " # {{trace_id=\"{trace_id}\"}} {seconds}");
            }
            text.push('\n');
        });
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

/// What was written, and of when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExportSummary {
    /// Samples.
    pub samples: u64,
    /// First and last moment, seconds since the Unix epoch.
    pub range: (f64, f64),
}

/// A record as Prometheus takes it in with `promtool tsdb create-blocks-from openmetrics`: the
/// exposition of every second of it.
///
/// # Errors
/// When `out` does not take it. A record without a header has no samples.
pub fn export(mut record: Replay<'_>, out: &mut impl Write) -> io::Result<ExportSummary> {
    let mut backfill = Backfill::default();
    let first = record.next_t().unwrap_or(0);
    let mut t = first;
    loop {
        let run = record.advance_to(t);
        if run.has_begun() {
            backfill.take(run, t);
        }
        if record.next_t().is_none() {
            break;
        }
        t += STEP_NS;
    }
    let start_us = record.advance_to(t).header.wall_us;
    let seconds = |t: u64| start_us as f64 / 1e6 + t as f64 / 1e9;
    backfill.write(out, seconds)?;
    Ok(ExportSummary { samples: backfill.samples, range: (seconds(first), seconds(t)) })
}

/// A series' name and labels, and its samples: when, ns since the run's start, and what.
type SampledSeries = (String, Vec<(u64, f64)>);

/// Samples by series: OpenMetrics wants a series in one piece, its samples by rising time.
#[derive(Default)]
struct Backfill {
    places: HashMap<String, usize>,
    /// By family, then in the order they were first seen.
    series: Vec<Vec<SampledSeries>>,
    samples: u64,
}

impl Backfill {
    fn take(&mut self, run: &Run, t: u64) {
        self.series.resize(FAMILIES.len(), Vec::new());
        for (name, labels, value) in series(run, t) {
            let family = &mut self.series[place(name)];
            samples(name, &labels, &value, &mut |sample, value, _| {
                let at = *self.places.entry(sample).or_insert_with_key(|sample| {
                    family.push((sample.clone(), Vec::new()));
                    family.len() - 1
                });
                family[at].1.push((t, value));
                self.samples += 1;
            });
        }
    }

    fn write(&self, out: &mut impl Write, seconds: impl Fn(u64) -> f64) -> io::Result<()> {
        for (family, (name, ..)) in self.series.iter().zip(FAMILIES) {
            if family.is_empty() {
                continue;
            }
            let mut text = String::new();
            head(&mut text, name, Format::OpenMetrics);
            for (sample, values) in family {
                for (t, value) in values {
                    let _ = writeln!(text, "{sample} {value} {:.3}", seconds(*t));
                }
            }
            out.write_all(text.as_bytes())?;
        }
        out.write_all(b"# EOF\n")
    }
}

fn place(name: &str) -> usize {
    FAMILIES.iter().position(|(other, ..)| *other == name).expect("series come from the families")
}

/// A family's name, kind and meaning; in OpenMetrics the name of a counter is without its `_total`.
fn head(text: &mut String, name: &str, format: Format) {
    let (_, kind, help) = FAMILIES[place(name)];
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let family = match format {
        Format::OpenMetrics => name.strip_suffix("_total").unwrap_or(name),
        Format::Text => name,
    };
    let _ = writeln!(text, "# HELP {family} {help}\n# TYPE {family} {kind}");
}

/// The samples of one series: one, or for a histogram one per bucket, the count and the sum.
fn samples(
    name: &str,
    labels: &Labels,
    value: &Value,
    append: &mut dyn FnMut(String, f64, Option<&Exemplar>),
) {
    match value {
        Value::Number(value) => append(sample(name, labels, None), *value, None),
        Value::Spread(spread) => {
            let bounds = names::BUCKETS.iter().map(|bound| format!("{bound:?}")).chain(["+Inf".to_owned()]);
            let bucket = format!("{name}_bucket");
            let mut below = 0;
            for ((index, count), bound) in spread.counts.iter().enumerate().zip(bounds) {
                below += count;
                append(sample(&bucket, labels, Some(&bound)), below as f64, spread.exemplars.get(&index));
            }
            append(sample(&format!("{name}_count"), labels, None), below as f64, None);
            append(sample(&format!("{name}_sum"), labels, None), spread.sum, None);
        }
    }
}

fn sample(name: &str, labels: &Labels, le: Option<&str>) -> String {
    let all = labels.iter().map(|(name, value)| (*name, value.as_str())).chain(le.map(|le| (names::LE, le)));
    let all: Vec<String> = all.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    if all.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", all.join(",")) }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
