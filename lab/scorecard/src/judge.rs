//! From measures to a verdict: how each expectation stands, what makes a run unbelievable, and what follows.

use model::{Run, SECOND};
use record::{Check, Lint, Measured, Verdict};

use crate::expect::{Expectation, Kind, Measure, Op, Side, Unit};
use crate::lints;
use crate::measure::{measure, ratio};

/// Samples a share needs before it is believed.
const MIN_SHARE: u64 = 100;
/// Samples a 99th percentile needs.
const MIN_P99: u64 = 1_000;
/// Samples a 99.9th percentile needs.
const MIN_P999: u64 = 10_000;

/// Program exit codes, the same in every mode.
pub const EXIT_USAGE: u8 = 2;
/// Interrupted by the user.
pub const EXIT_INTERRUPTED: u8 = 130;

/// The exit code of a verdict.
pub const fn exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => 0,
        Verdict::Fail => 1,
        Verdict::Invalid => 3,
        Verdict::Inconclusive => 4,
    }
}

/// How an expectation stands: one check per arm it binds to, or one for a comparison of arms.
pub fn checks(run: &Run, id: u32, expectation: &Expectation) -> Vec<Check> {
    let Side::Measure { factor, measure: left } = &expectation.left else { return Vec::new() };
    match &expectation.right {
        Side::Quantity { value, .. } => {
            let arms = if left.kind.is_host() { vec!['-'] } else { bound(run, left) };
            arms.into_iter()
                .map(|arm| against_limit(run, id, expectation, left, *factor, arm, *value))
                .collect()
        }
        Side::Measure { factor: right_factor, measure: right } => {
            vec![against_measure(run, id, expectation, (*factor, left), (*right_factor, right))]
        }
    }
}

/// What is left of checks where two arms shared a machine that was too busy for both:
/// comparisons of latencies are not judged, whichever way they went.
pub fn withhold(checks: &mut [Check], that: &Expectation) {
    if lints::compares_latencies(that) {
        for check in checks {
            (check.verdict, check.reason) = (Verdict::Inconclusive, lints::TOO_BUSY.to_owned());
        }
    }
}

/// Arms a measure is bound to: those whose topology and variant are named, or all.
pub(crate) fn bound(run: &Run, measure: &Measure) -> Vec<char> {
    let arms = run.header.arms.iter();
    arms.filter(|arm| {
        measure.axes.iter().all(|axis| *axis == arm.topology || *axis == arm.variant || *axis == arm.name)
    })
    .map(|arm| arm.letter)
    .collect()
}

fn against_limit(
    run: &Run,
    id: u32,
    expectation: &Expectation,
    left: &Measure,
    factor: f64,
    arm: char,
    limit: f64,
) -> Check {
    // A host measure is the same whichever arm is asked.
    let asked = if arm == '-' { run.letters().first().copied().unwrap_or('A') } else { arm };
    let measured = crate::measure::scaled(measure(run, &left.kind, &left.window, asked), factor);
    let (verdict, reason) = judge(&left.kind, measured, expectation.op, limit);
    Check {
        id,
        text: expectation.text.clone(),
        arm,
        value: measured.value,
        limit: Some(limit),
        unit: unit_of(&left.kind),
        margin: margin(expectation.op, measured.value, Some(limit)),
        n: measured.n,
        since_ns: if verdict == Verdict::Fail {
            crate::since::since(run, expectation, left, factor, asked, limit)
        } else {
            None
        },
        verdict,
        reason,
    }
}

fn against_measure(
    run: &Run,
    id: u32,
    expectation: &Expectation,
    (left_factor, left): (f64, &Measure),
    (right_factor, right): (f64, &Measure),
) -> Check {
    let check = |value, limit, n, (verdict, reason): (Verdict, String)| Check {
        id,
        text: expectation.text.clone(),
        arm: '-',
        value,
        limit,
        unit: unit_of(&left.kind),
        margin: margin(expectation.op, value, limit),
        n,
        verdict,
        reason,
        since_ns: None,
    };
    let (lefts, rights) = (bound(run, left), bound(run, right));
    let ([a], [b]) = (lefts.as_slice(), rights.as_slice()) else {
        let reason = "each side of a comparison must name exactly one arm that is run".to_owned();
        return check(None, None, 0, (Verdict::Inconclusive, reason));
    };
    let one = measure(run, &left.kind, &left.window, *a);
    let other = measure(run, &right.kind, &right.window, *b);
    let n = one.n.min(other.n);
    let (value, limit) = (one.value.map(|v| v * left_factor), other.value.map(|v| v * right_factor));
    // The same measure in two arms: the ratio of paired blocks decides, since
    // whatever both arms felt cancels in it.
    let paired = (left.kind == right.kind && left.window == right.window)
        .then(|| ratio(run, &left.kind, &left.window, *b, *a))
        .flatten()
        .filter(|ratio| ratio.interval.is_some());
    let standing = match paired {
        Some(ratio) => {
            let mut standing =
                judge(&left.kind, Measured { n, ..ratio }, expectation.op, right_factor / left_factor);
            if standing.0 == Verdict::Inconclusive && standing.1.is_empty() {
                let (low, high) = ratio.interval.unwrap_or_default();
                standing.1 = format!("the ratio's interval {low:.2} to {high:.2} straddles {right_factor}");
            }
            standing
        }
        None => apart(&left.kind, one, left_factor, other, right_factor, expectation.op),
    };
    check(value, limit, n, standing)
}

/// How far a value is from its limit; negative beyond it. What never happened is at no distance from anything.
fn margin(op: Op, value: Option<f64>, limit: Option<f64>) -> Option<f64> {
    let (value, limit) = (value?, limit?);
    let distance = (limit - value).abs();
    Some(if op.holds(value, limit) { distance } else { -distance }).filter(|margin| margin.is_finite())
}

/// Two measures without pairs: they stand apart when their intervals do.
fn apart(kind: &Kind, one: Measured, k: f64, other: Measured, m: f64, op: Op) -> (Verdict, String) {
    let (Some(left), Some(right)) = (one.value, other.value) else {
        return (Verdict::Inconclusive, "no samples".into());
    };
    if let Some(reason) = too_few(kind, one.n.min(other.n)) {
        return (Verdict::Inconclusive, reason);
    }
    let (left_low, left_high) = one.interval.map_or((left * k, left * k), |(l, h)| (l * k, h * k));
    let (right_low, right_high) = other.interval.map_or((right * m, right * m), |(l, h)| (l * m, h * m));
    let corners =
        [(left_low, right_low), (left_low, right_high), (left_high, right_low), (left_high, right_high)];
    let holding = corners.iter().filter(|(l, r)| op.holds(*l, *r)).count();
    match holding {
        4 => (Verdict::Pass, String::new()),
        0 => (Verdict::Fail, String::new()),
        _ => (Verdict::Inconclusive, "the intervals of both sides overlap".into()),
    }
}

/// One measured value against a limit.
fn judge(kind: &Kind, measured: Measured, op: Op, limit: f64) -> (Verdict, String) {
    let Some(value) = measured.value else { return (Verdict::Inconclusive, "no samples".into()) };
    if let Some(reason) = too_few(kind, measured.n) {
        return (Verdict::Inconclusive, reason);
    }
    // `== 0` is about what was seen: no interval of an estimate is a point.
    let interval = measured.interval.filter(|_| op != Op::Equal);
    let (low, high) = interval.unwrap_or((value, value));
    match (op.holds(low, limit), op.holds(high, limit)) {
        (true, true) => (Verdict::Pass, String::new()),
        (false, false) => (Verdict::Fail, String::new()),
        _ => (
            Verdict::Inconclusive,
            format!("the interval {} to {} straddles the limit", show(kind, low), show(kind, high)),
        ),
    }
}

fn too_few(kind: &Kind, n: u64) -> Option<String> {
    let needed = match kind {
        Kind::Latency(q, _) | Kind::Staleness(q) if *q >= 0.999 => MIN_P999,
        Kind::Latency(q, _) | Kind::Staleness(q) if *q >= 0.99 => MIN_P99,
        Kind::Latency(..)
        | Kind::Staleness(_)
        | Kind::Goodput(_)
        | Kind::Errors(_)
        | Kind::Availability(_)
        | Kind::Rate(_)
        | Kind::CpuPerJourney
        | Kind::Cost
        | Kind::BlastRadius(_)
        | Kind::Wasted(_)
        | Kind::CacheHits(_)
        | Kind::Slower(..)
        | Kind::StaleReads => MIN_SHARE,
        _ => 1,
    };
    (n < needed).then(|| format!("{n} samples; it takes {needed}"))
}

fn unit_of(kind: &Kind) -> String {
    kind.unit().symbol().to_owned()
}

/// A value of a measure, for people.
pub fn show(kind: &Kind, value: f64) -> String {
    show_unit(kind.unit(), value)
}

/// A value in a unit, for people.
pub fn show_unit(unit: Unit, value: f64) -> String {
    if !value.is_finite() {
        return "never".to_owned();
    }
    match unit {
        Unit::Time if value >= 1.0 => format!("{value:.2}s"),
        Unit::Time if value >= 1e-3 => format!("{:.1}ms", value * 1e3),
        Unit::Time => format!("{:.0}us", value * 1e6),
        Unit::Share => format!("{:.1}%", value * 100.0),
        Unit::Rate => format!("{value:.1}/s"),
        Unit::Bytes => format!("{:.1}MiB", value / 1_048_576.0),
        Unit::Count if value.fract() == 0.0 => format!("{value:.0}"),
        Unit::Count => format!("{value:.2}"),
    }
}

/// The run's verdict: invalid before fail before inconclusive before pass.
pub fn verdict(valid: &[Check], checks: &[Check], lints: &[Lint]) -> Verdict {
    if valid.iter().any(|check| check.verdict == Verdict::Fail) {
        return Verdict::Invalid;
    }
    let standings =
        valid.iter().chain(checks).map(|check| check.verdict).chain(lints.iter().map(|lint| lint.verdict));
    standings.max_by_key(|verdict| precedence(*verdict)).unwrap_or(Verdict::Pass)
}

const fn precedence(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => 0,
        Verdict::Inconclusive => 1,
        Verdict::Fail => 2,
        Verdict::Invalid => 3,
    }
}

/// Seconds a run has been going, for stop conditions with `held`.
pub const fn seconds(ns: u64) -> u64 {
    ns / SECOND
}
