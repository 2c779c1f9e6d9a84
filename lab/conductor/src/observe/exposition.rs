//! What `/metrics` exposes: the Prometheus text format, version 0.0.4.
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::collections::BTreeMap;

/// One sample: name, labels, value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<'a> {
    /// Metric name, `_bucket`, `_sum` and `_count` included.
    pub name: &'a str,
    /// Labels in file order.
    pub labels: Vec<(&'a str, String)>,
    /// Value.
    pub value: f64,
}

impl Sample<'_> {
    /// The family it belongs to and which part of a histogram it is: `_bucket`, `_sum` or `_count`; empty for others.
    pub fn family(&self) -> (&str, &str) {
        let parts = ["_bucket", "_sum", "_count"];
        let split = parts.iter().find_map(|part| Some((self.name.strip_suffix(part)?, *part)));
        split.unwrap_or((self.name, ""))
    }

    /// A label's value; empty where it is absent, as Prometheus has it.
    pub fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }
}

/// The samples of an exposition. Lines that are none are skipped.
pub fn samples(text: &str) -> impl Iterator<Item = Sample<'_>> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(sample)
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name, labels, value })
}

fn labels(mut rest: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (key, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        labels.push((key, value));
        rest = &after[end + 1..];
    }
}

/// A cumulative histogram: upper bound in seconds to count at or below it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    bounds: Vec<(f64, f64)>,
}

impl Buckets {
    /// Adds one bucket sample of one series; series with equal bounds add up.
    pub fn add(&mut self, bound: &str, count: f64) {
        self.add_count(
            if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap_or(f64::INFINITY) },
            count,
        );
    }

    fn add_count(&mut self, bound: f64, count: f64) {
        match self.bounds.binary_search_by(|(other, _)| other.total_cmp(&bound)) {
            Ok(at) => self.bounds[at].1 += count,
            Err(at) => self.bounds.insert(at, (bound, count)),
        }
    }

    /// Adds another series of the same bounds.
    pub fn merge(&mut self, other: &Self) {
        if self.bounds.is_empty() {
            self.bounds.clone_from(&other.bounds);
            return;
        }
        for (bound, count) in &other.bounds {
            self.add_count(*bound, *count);
        }
    }

    /// What was added since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        let before: BTreeMap<u64, f64> = earlier.bounds.iter().map(|(b, c)| (b.to_bits(), *c)).collect();
        let bounds = self
            .bounds
            .iter()
            .map(|(bound, count)| (*bound, (count - before.get(&bound.to_bits()).unwrap_or(&0.0)).max(0.0)))
            .collect();
        Self { bounds }
    }

    /// Samples.
    pub fn count(&self) -> f64 {
        self.bounds.last().map_or(0.0, |(_, count)| *count)
    }

    /// The quantile by linear interpolation inside its bucket, seconds, as
    /// `histogram_quantile` has it; `None` without samples. In the last,
    /// unbounded bucket the highest finite bound is all that is known.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let total = self.count();
        if total <= 0.0 {
            return None;
        }
        let rank = q * total;
        let mut below = (0.0, 0.0);
        for &(bound, count) in &self.bounds {
            if count >= rank {
                if bound.is_infinite() {
                    return Some(below.0);
                }
                let inside = count - below.1;
                let share = if inside > 0.0 { (rank - below.1) / inside } else { 1.0 };
                return Some(below.0 + (bound - below.0) * share);
            }
            below = (bound, count);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_with_and_without_labels() {
        let text = "# HELP a_total x\n# TYPE a_total counter\na_total 3\nb_seconds_bucket{le=\"0.5\",route=\"/v1/{id}\",note=\"a \\\"b\\\" \\\\ c\"} 7\nbroken{\n";
        let all: Vec<_> = samples(text).collect();
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].name, all[0].value), ("a_total", 3.0));
        assert_eq!(all[1].label("route"), "/v1/{id}");
        assert_eq!(all[1].label("note"), "a \"b\" \\ c");
        assert_eq!(all[1].label("absent"), "");
        assert_eq!((all[0].family(), all[1].family()), (("a_total", ""), ("b_seconds", "_bucket")));
    }

    #[test]
    fn quantiles_interpolate_inside_their_bucket() {
        let mut buckets = Buckets::default();
        // Ten at or below 10 ms, all hundred at or below 20 ms: the median is 40/90 into the second bucket.
        for (bound, count) in [("+Inf", 100.0), ("0.01", 10.0), ("0.02", 100.0)] {
            buckets.add(bound, count);
        }
        let median = buckets.quantile(0.5).expect("samples");
        assert!((median - (0.01 + 0.01 * 40.0 / 90.0)).abs() < 1e-12, "{median}");
        assert_eq!(Buckets::default().quantile(0.5), None);
    }

    #[test]
    fn a_difference_of_two_scrapes_is_a_window() {
        let (mut earlier, mut later) = (Buckets::default(), Buckets::default());
        earlier.add("0.01", 4.0);
        earlier.add("+Inf", 5.0);
        later.add("0.01", 4.0);
        later.add("+Inf", 9.0);
        assert_eq!(later.since(&earlier).count(), 4.0);
    }
}
