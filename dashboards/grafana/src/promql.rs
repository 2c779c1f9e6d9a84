//! What a query names, and how it reads without Grafana: for the tests that run every panel's query.

use std::collections::BTreeSet;

/// Words that are neither metric nor label.
const WORDS: &[&str] = &["by", "without", "ignoring", "on", "or", "and", "unless", "offset", "bool"];
/// Words after which labels stand in parentheses.
const GROUPING: &[&str] = &["by", "without", "ignoring", "on"];

/// Metrics and labels of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// As they stand there, with `_bucket` and the like.
    pub metrics: BTreeSet<String>,
    /// In matchers and groupings.
    pub labels: BTreeSet<String>,
}

/// The query as Prometheus takes it: variables stand for everything there is, intervals are those of a
/// panel that shows some minutes at a scrape each second. As raw text it would not even parse.
pub fn filled(query: &str) -> String {
    // The longer name first: one begins like the other.
    [("$__rate_interval", "5s"), ("$run_id", ".*"), ("$component", ".*"), ("$arm", ".*")]
        .into_iter()
        .fold(query.to_owned(), |text, (variable, value)| text.replace(variable, value))
}

/// Everything a query, filled in, names.
pub fn names(query: &str) -> Names {
    let mut names = Names::default();
    let (mut in_matchers, mut grouping) = (false, false);
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        let is_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
        match first {
            '"' => rest = after_string(rest),
            // A range: numbers and units.
            '[' => rest = rest.find(']').map_or("", |end| &rest[end + 1..]),
            '{' | '}' => {
                in_matchers = first == '{';
                rest = &rest[1..];
            }
            ')' => {
                grouping = false;
                rest = &rest[1..];
            }
            c if c.is_ascii_digit() => rest = rest.trim_start_matches(|c: char| is_of_word(c) || c == '.'),
            c if is_of_word(c) => {
                let end = rest.find(|c: char| !is_of_word(c)).unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                rest = after;
                if in_matchers || grouping {
                    names.labels.insert(word.to_owned());
                } else if WORDS.contains(&word) {
                    grouping = GROUPING.contains(&word);
                } else if !after.trim_start().starts_with('(') && !is_aggregation(word, after) {
                    names.metrics.insert(word.to_owned());
                }
            }
            c => rest = &rest[c.len_utf8()..],
        }
    }
    names
}

/// `sum by (..) (..)`: a function whose grouping stands before its argument.
fn is_aggregation(word: &str, after: &str) -> bool {
    let next = after.trim_start();
    matches!(word, "sum" | "max" | "min" | "avg" | "count")
        && (next.starts_with("by") || next.starts_with("without"))
}

fn after_string(text: &str) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, metrics: &[&str], labels: &[&str]) {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(names(query), Names { metrics: owned(metrics), labels: owned(labels) }, "{query}");
    }

    #[test]
    fn metrics_and_labels_are_distinguished_from_functions_and_text() {
        check("up", &["up"], &[]);
        check(
            "sum by (arm, le) (rate(a_bucket{run_id=~\"x{y}\",b!=\"\"}[5s]))",
            &["a_bucket"],
            &["arm", "b", "le", "run_id"],
        );
        check("(a{x=\"1\"} or 0 * b) / ignoring (arm) (c > 0)", &["a", "b", "c"], &["arm", "x"]);
        check("histogram_quantile(0.99, sum by (le) (rate(d[1m])))", &["d"], &["le"]);
        check("a{x=\"a \\\" b{\"}", &["a"], &["x"]);
    }

    #[test]
    fn a_query_is_filled_in_before_it_is_run() {
        assert_eq!(filled("a{run_id=~\"$run_id\"}[$__rate_interval]"), "a{run_id=~\".*\"}[5s]");
    }
}
