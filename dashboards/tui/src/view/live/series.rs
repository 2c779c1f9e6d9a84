//! What a chart can show, second by second.

use model::moment::Position;
use model::{Quantile, Second};

use crate::state::{Metric, Percentiles, State};
use crate::style::Role;
use crate::text::{cores, count, ms, percent};

/// A value of one second, and whether it can be believed: enough samples, and no more to come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub value: f64,
    pub sure: bool,
}

/// The value of a load second of an arm; `None` is a gap.
type Of = fn(&State, char, Position, u32) -> Option<Point>;

/// A line of a chart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Series {
    /// Its term in the glossary, whose name stands at its end.
    pub term: &'static str,
    pub role: Role,
    pub of: Of,
}

const P50: Series = Series {
    term: "latency_p50",
    role: Role::Median,
    of: |state, arm, place, at| quantile(state, arm, place, at, Second::p50),
};
const P99: Series = Series {
    term: "latency_p99",
    role: Role::Tail,
    of: |state, arm, place, at| quantile(state, arm, place, at, Second::p99),
};
const P999: Series = Series {
    term: "latency_p999",
    role: Role::FarTail,
    of: |state, arm, place, at| quantile(state, arm, place, at, Second::p999),
};
const STALENESS: Series = Series {
    term: "staleness_p99",
    role: Role::Tail,
    of: |state, arm, place, at| quantile(state, arm, place, at, Second::staleness_p99),
};
const GOODPUT: Series = Series {
    term: "rate",
    role: Role::Median,
    of: |state, arm, place, at| counted(state, arm, place, at, |s| Some(s.good as f64)),
};
const ERRORS: Series = Series {
    term: "errors",
    role: Role::Error,
    of: |state, arm, place, at| counted(state, arm, place, at, Second::error_ratio),
};
const QUEUE: Series = Series {
    term: "edge_queue",
    role: Role::Tail,
    of: |state, arm, place, at| {
        let waiting = state.detail().longest_queue_at(arm, place.end_of(at))?;
        Some(Point { value: waiting as f64, sure: true })
    },
};
const CPU: Series = Series {
    term: "proc_cpu",
    role: Role::Median,
    of: |state, arm, place, at| {
        let used = state.run.cpu_cores_at(arm, place.end_of(at))?;
        Some(Point { value: used, sure: true })
    },
};

fn quantile(
    state: &State,
    arm: char,
    place: Position,
    at: u32,
    of: fn(&Second) -> Quantile,
) -> Option<Point> {
    let second = state.run.second(arm, place.round, at)?;
    let quantile = of(second);
    Some(Point { value: quantile.ms?, sure: second.closed && quantile.is_believable() })
}

fn counted(
    state: &State,
    arm: char,
    place: Position,
    at: u32,
    of: fn(&Second) -> Option<f64>,
) -> Option<Point> {
    let second = state.run.second(arm, place.round, at)?;
    Some(Point { value: of(second)?, sure: second.closed })
}

/// The lines of a metric, as titles name them.
pub(super) fn of(metric: Metric, percentiles: Percentiles) -> &'static [Series] {
    match (metric, percentiles) {
        (Metric::Latency, Percentiles::All) => &[P50, P99, P999],
        (Metric::Latency, Percentiles::Two) => &[P50, P99],
        (Metric::Latency, Percentiles::Tail) => &[P99],
        (Metric::Goodput, _) => &[GOODPUT],
        (Metric::Errors, _) => &[ERRORS],
        (Metric::Queue, _) => &[QUEUE],
        (Metric::Cpu, _) => &[CPU],
        (Metric::Staleness, _) => &[STALENESS],
    }
}

/// The one line a narrow title has room for: the tail's, if there is one.
pub(super) fn foremost(lines: &[Series]) -> &[Series] {
    let at = lines.iter().position(|series| series.role == Role::Tail).unwrap_or(0);
    &lines[at..(at + 1).min(lines.len())]
}

/// Whether orders of magnitude matter more than differences.
pub(super) const fn is_log(metric: Metric) -> bool {
    matches!(metric, Metric::Latency | Metric::Staleness)
}

/// A value as a title has it.
pub(super) fn shown(metric: Metric, value: Option<f64>) -> String {
    match metric {
        Metric::Latency | Metric::Staleness => ms(value),
        Metric::Goodput | Metric::Queue => count(value),
        Metric::Errors => percent(value),
        Metric::Cpu => cores(value),
    }
}

/// The unit behind the values; empty where the values carry it.
pub(super) const fn unit(metric: Metric) -> &'static str {
    match metric {
        Metric::Latency | Metric::Staleness => "ms",
        Metric::Cpu => "cores",
        Metric::Goodput | Metric::Errors | Metric::Queue => "",
    }
}

/// A value beside an axis, at most four cells.
pub(super) fn label(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Latency | Metric::Staleness => match value {
            v if v >= 1_000.0 => format!("{}s", plain(v / 1_000.0)),
            v if v >= 0.01 || v == 0.0 => plain(v),
            v => format!("{:.0}u", v * 1_000.0),
        },
        Metric::Goodput | Metric::Queue if value >= 1_000.0 => format!("{}k", plain(value / 1_000.0)),
        Metric::Goodput | Metric::Queue => plain(value),
        Metric::Cpu => plain(value),
        Metric::Errors => format!("{}%", plain(value * 100.0)),
    }
}

/// As few digits as it takes: `5`, `100`, `.2`.
fn plain(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let text = if value.abs() < 1.0 { text.trim_start_matches('0') } else { text };
    if text.is_empty() { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_take_four_cells() {
        let steps = (-3..=5).flat_map(|power| [1.0, 2.0, 2.5, 5.0].map(|digit| digit * 10_f64.powi(power)));
        for value in steps.chain([0.0]) {
            for metric in Metric::ALL {
                let is_in_range = match metric {
                    // A hundredth of a percent of 2.5 is not a step.
                    Metric::Errors => (0.001..=5.0).contains(&value),
                    Metric::Cpu => value <= 500.0,
                    _ => true,
                };
                if !is_in_range {
                    continue;
                }
                let label = label(metric, value);
                assert!(label.chars().count() <= 4, "{metric:?} {value} is {label}");
            }
        }
    }
}
