//! Histograms of durations, counted where they are recorded.
//!
//! The exporter's own keep each value with its moment until the next scrape or upkeep: 16 bytes a value, and the work of a
//! request once more beside the requests. Here a value is two additions, and nothing is kept. All else is the exporter's.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Label, Metadata, Recorder, SharedString, Unit,
};
use metrics_exporter_prometheus::PrometheusRecorder;

use crate::names;

/// Values by bucket, the last of which has no bound, and their sum.
#[derive(Debug, Default)]
struct Buckets {
    counts: [AtomicU64; names::BUCKETS.len() + 1],
    sum_ns: AtomicU64,
}

impl HistogramFn for Buckets {
    fn record(&self, seconds: f64) {
        let bucket = names::BUCKETS.partition_point(|bound| *bound < seconds);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        // Saturates at 0: durations are not negative.
        self.sum_ns.fetch_add((seconds * 1e9) as u64, Ordering::Relaxed);
    }
}

/// Histograms of one name, by their labels as they are written.
type Family = BTreeMap<String, Arc<Buckets>>;

/// All histograms of the process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histograms {
    /// Labels of all of them, as they are written.
    global: Arc<str>,
    families: Arc<Mutex<BTreeMap<String, Family>>>,
}

impl Histograms {
    /// None yet; all of them will carry these labels.
    pub fn new(global: &[(&'static str, &str)]) -> Self {
        let labels: Vec<Label> =
            global.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
        Self { global: written(&labels).into(), families: Arc::default() }
    }

    fn families(&self) -> MutexGuard<'_, BTreeMap<String, Family>> {
        self.families.lock().expect("no panic while held")
    }

    fn register(&self, key: &Key) -> Arc<Buckets> {
        let labels: Vec<Label> = key.labels().cloned().collect();
        let mut families = self.families();
        families.entry(key.name().to_owned()).or_default().entry(written(&labels)).or_default().clone()
    }

    /// All of them, in the Prometheus text format.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for (name, family) in &*self.families() {
            let help = names::NODE.iter().find(|(known, _)| known == name).map_or("", |(_, help)| help);
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} histogram");
            for (own, buckets) in family {
                let separator = if self.global.is_empty() || own.is_empty() { "" } else { "," };
                let labels = format!("{}{separator}{own}", self.global);
                buckets.render(name, &labels, &mut text);
            }
            text.push('\n');
        }
        text
    }
}

impl Buckets {
    fn render(&self, name: &str, labels: &str, text: &mut String) {
        let separator = if labels.is_empty() { "" } else { "," };
        let mut count = 0;
        for (at, in_bucket) in self.counts.iter().enumerate() {
            count += in_bucket.load(Ordering::Relaxed);
            let bound = names::BUCKETS.get(at).map_or_else(|| "+Inf".to_owned(), f64::to_string);
            let _ = writeln!(text, "{name}_bucket{{{labels}{separator}le=\"{bound}\"}} {count}");
        }
        let sum = self.sum_ns.load(Ordering::Relaxed) as f64 / 1e9;
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(text, "{name}_sum{labels} {sum}\n{name}_count{labels} {count}");
    }
}

/// Labels as the text format has them, without braces. Names are ours and plain; values are escaped.
fn written(labels: &[Label]) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs = labels.iter().map(|label| format!("{}=\"{}\"", label.key(), escaped(label.value())));
    pairs.collect::<Vec<_>>().join(",")
}

/// The exporter's recorder, but for histograms.
pub(crate) struct HistogramRecorder {
    pub others: PrometheusRecorder,
    pub histograms: Histograms,
}

impl Recorder for HistogramRecorder {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.others.describe_counter(key, unit, description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.others.describe_gauge(key, unit, description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.others.describe_histogram(key, unit, description);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.others.register_counter(key, metadata)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.others.register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.histograms.register(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rendered_as_prometheus_reads_them() {
        let histograms = Histograms::new(&[("arm", "a \"b\"")]);
        let labels = vec![Label::new("service", "feed"), Label::new("peer_service", "photo")];
        let key = Key::from_parts(names::HTTP_CLIENT_REQUEST_DURATION, labels);
        let one = histograms.register(&key);
        // At a bound, between two, above all.
        [0.0005, 0.003, 11.0].into_iter().for_each(|seconds| one.record(seconds));
        histograms.register(&key).record(0.003);
        let text = histograms.render();
        let labels = r#"arm="a \"b\"",service="feed",peer_service="photo""#;
        let line = |rest: &str| text.contains(&format!("{}{rest}\n", names::HTTP_CLIENT_REQUEST_DURATION));
        for (bound, count) in
            [("0.0005", 1), ("0.001", 1), ("0.0025", 1), ("0.005", 3), ("10", 3), ("+Inf", 4)]
        {
            assert!(line(&format!("_bucket{{{labels},le=\"{bound}\"}} {count}")), "{bound}: {text}");
        }
        assert!(
            line(&format!("_count{{{labels}}} 4")) && line(&format!("_sum{{{labels}}} 11.0065")),
            "{text}"
        );
        assert!(text.starts_with("# HELP http_client_request_duration_seconds Tries sent"), "{text}");
        assert!(text.contains("\n# TYPE http_client_request_duration_seconds histogram\n"), "{text}");
    }
}
