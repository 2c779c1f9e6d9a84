//! From measures to a verdict: how each expectation stands, what makes a run unbelievable, and what follows.

use record::{Check, Lint, Measured, Verdict};

use crate::expect::{Expectation, Kind, Measure, Op, Side, Unit, Window};
use crate::measure::{measure, ratio};
use crate::tally::{SECOND, Tally};

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
pub fn checks(tally: &Tally, id: u32, expectation: &Expectation) -> Vec<Check> {
    let Side::Measure { factor, measure: left } = &expectation.left else { return Vec::new() };
    match &expectation.right {
        Side::Quantity { value, .. } => {
            let arms = if left.kind.is_host() { vec!['-'] } else { bound(tally, left) };
            arms.into_iter()
                .map(|arm| against_limit(tally, id, expectation, left, *factor, arm, *value))
                .collect()
        }
        Side::Measure { factor: right_factor, measure: right } => {
            vec![against_measure(tally, id, expectation, (*factor, left), (*right_factor, right))]
        }
    }
}

/// Arms a measure is bound to: those whose topology and variant are named, or all.
fn bound(tally: &Tally, measure: &Measure) -> Vec<char> {
    let arms = tally.header.arms.iter();
    arms.filter(|arm| {
        measure.axes.iter().all(|axis| *axis == arm.topology || *axis == arm.variant || *axis == arm.name)
    })
    .map(|arm| arm.letter)
    .collect()
}

fn against_limit(
    tally: &Tally,
    id: u32,
    expectation: &Expectation,
    left: &Measure,
    factor: f64,
    arm: char,
    limit: f64,
) -> Check {
    // A host measure is the same whichever arm is asked.
    let asked = if arm == '-' { tally.letters().first().copied().unwrap_or('A') } else { arm };
    let measured = crate::measure::scaled(measure(tally, &left.kind, &left.window, asked), factor);
    let (verdict, reason) = judge(&left.kind, measured, expectation.op, limit);
    Check {
        id,
        text: expectation.text.clone(),
        arm,
        value: measured.value,
        limit: Some(limit),
        unit: unit_of(&left.kind),
        n: measured.n,
        verdict,
        reason,
        since_ns: None,
    }
}

fn against_measure(
    tally: &Tally,
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
        n,
        verdict,
        reason,
        since_ns: None,
    };
    let (lefts, rights) = (bound(tally, left), bound(tally, right));
    let ([a], [b]) = (lefts.as_slice(), rights.as_slice()) else {
        let reason = "each side of a comparison must name exactly one arm that is run".to_owned();
        return check(None, None, 0, (Verdict::Inconclusive, reason));
    };
    let one = measure(tally, &left.kind, &left.window, *a);
    let other = measure(tally, &right.kind, &right.window, *b);
    let n = one.n.min(other.n);
    let (value, limit) = (one.value.map(|v| v * left_factor), other.value.map(|v| v * right_factor));
    // The same measure in two arms: the ratio of paired blocks decides, since
    // whatever both arms felt cancels in it.
    let paired = (left.kind == right.kind && left.window == right.window)
        .then(|| ratio(tally, &left.kind, &left.window, *b, *a))
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
    let (low, high) = measured.interval.unwrap_or((value, value));
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

/// What the lab itself knows about the run besides its lines.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// Steps that had a target and never hit it, with the arm.
    pub unhit: Vec<String>,
    /// Clean-up that was not confirmed.
    pub left_behind: Vec<String>,
    /// Whether arms took turns, so that neither could disturb the other.
    pub interleaved: bool,
    /// Final states differ although nothing was broken.
    pub states_differ: Option<String>,
    /// Why nothing was injected any more.
    pub withheld: Vec<String>,
    /// What this machine cannot do.
    pub degraded: Vec<String>,
    /// Anything the generator said about itself that makes its figures void.
    pub generator: Vec<String>,
}

/// Share of empty pages from which a read journey read nothing (trap T4).
const EMPTY_PAGES: f64 = 0.05;
/// Generator CPU over all cores from which it is the bottleneck.
const GENERATOR_CPU: f64 = 0.5;

/// Everything that makes the run invalid or inconclusive, whatever its checks say.
pub fn lints(tally: &Tally, circumstances: &Circumstances) -> Vec<Lint> {
    let mut lints = Vec::new();
    let mut invalid = |name: &str, text: String| {
        lints.push(Lint { name: name.into(), verdict: Verdict::Invalid, text });
    };
    for text in &circumstances.unhit {
        invalid("fault_without_hits", text.clone());
    }
    for text in &circumstances.withheld {
        invalid("gate", text.clone());
    }
    for text in &circumstances.left_behind {
        invalid("clean_up_unconfirmed", text.clone());
    }
    for text in &circumstances.generator {
        invalid("generator", text.clone());
    }
    if let Some(text) = &circumstances.states_differ {
        invalid("final_states_differ", text.clone());
    }
    let whole = tally.whole(&Window::Whole);
    let mut offered_by_arm = Vec::new();
    for arm in &tally.header.arms {
        let letter = arm.letter;
        let sum = |which: fn(&record::Window) -> u64| tally.sum(letter, &whole, "all", which);
        let (offered, sent, ok) = (sum(|w| w.offered), sum(|w| w.sent), sum(|w| w.ok));
        let failed = sum(|w| w.errors.values().sum());
        let (dropped, abandoned) = (sum(|w| w.dropped), sum(|w| w.abandoned));
        offered_by_arm.push(offered);
        if offered != ok + failed + dropped + abandoned {
            invalid(
                "conservation",
                format!(
                    "{}: {offered} offered are not {ok} ok + {failed} failed + {dropped} dropped + {abandoned} abandoned",
                    arm.name
                ),
            );
        }
        if dropped > 0 && !tally.header.drops {
            invalid(
                "queue_cap",
                format!("{}: {dropped} arrivals found the queue full; raise `queue_cap`", arm.name),
            );
        }
        for phase in tally.header.phases.iter().filter(|phase| phase.measure) {
            let stretch = tally.whole(&Window::Phase(phase.name.clone()));
            if tally.sum(letter, &stretch, "all", |w| w.offered) == 0 {
                invalid("no_samples", format!("{}: nothing was offered in phase `{}`", arm.name, phase.name));
            }
        }
        let pages = sum(|w| w.pages);
        let empty = sum(|w| w.empty_pages);
        if pages > 0 && empty as f64 > EMPTY_PAGES * pages as f64 {
            invalid(
                "empty_pages",
                format!("{}: {empty} of {pages} pages were empty; reads read nothing", arm.name),
            );
        }
        let planned = tally.header.planned;
        let measured_share = measured_share(tally);
        if (sent + dropped) as f64 * 1.0 < 0.98 * planned as f64 * measured_share {
            invalid("pace", format!("{}: {sent} sent of {planned} planned", arm.name));
        }
        if let Some(text) = generator_lag(tally, letter) {
            invalid("generator_lag", format!("{}: {text}", arm.name));
        }
    }
    for text in &circumstances.degraded {
        lints.push(Lint { name: "degraded".into(), verdict: Verdict::Inconclusive, text: text.clone() });
    }
    let mut invalid = |name: &str, text: String| {
        lints.push(Lint { name: name.into(), verdict: Verdict::Invalid, text });
    };
    if offered_by_arm.windows(2).any(|pair| pair[0] != pair[1]) {
        invalid("unequal_load", format!("the arms were offered {offered_by_arm:?} arrivals"));
    }
    if let Some(share) = generator_cpu(tally).filter(|share| *share > GENERATOR_CPU) {
        invalid("generator_cpu", format!("the load generator used {:.0} % of all cores", share * 100.0));
    }
    lints
}

/// The planned arrivals are counted over all rounds and phases; only measured ones are compared.
fn measured_share(tally: &Tally) -> f64 {
    let total: u64 = tally.header.phases.iter().map(|phase| phase.length_ns).sum();
    let measured: u64 =
        tally.header.phases.iter().filter(|phase| phase.measure).map(|phase| phase.length_ns).sum();
    // Phases may have rates of their own, so this is a floor with room, not an equality.
    if total == 0 { 0.0 } else { 0.9 * measured as f64 / total as f64 }
}

/// The generator's own lateness against what it measured (load-generation rules).
fn generator_lag(tally: &Tally, arm: char) -> Option<String> {
    let whole = tally.whole(&Window::Whole);
    let mut lag = tally.merged(arm, &whole, "all", |w| &w.pace_lag);
    lag.merge(&tally.merged(arm, &whole, "all", |w| &w.own_wait));
    let felt = tally.merged(arm, &whole, "all", |w| &w.intended);
    let limit = |q: f64, floor_us: u64| Some(floor_us.max(felt.quantile(q)? / 10));
    let (p50, p99) = (lag.quantile(0.5)?, lag.quantile(0.99)?);
    if p99 > limit(0.99, 2_000)? {
        return Some(format!("the generator was {p99} us late at p99 and {p50} us at p50"));
    }
    (p50 > limit(0.5, 200)?).then(|| format!("the generator was {p50} us late at p50"))
}

fn generator_cpu(tally: &Tally) -> Option<f64> {
    let (_, samples) = tally.procs('-').find(|(name, _)| *name == "generator")?;
    let (first, last) = (samples.first()?, samples.last()?);
    let wall = last.0.saturating_sub(first.0) as f64 * f64::from(tally.header.machine.cores);
    (wall > 0.0).then(|| last.1.cpu_ns.saturating_sub(first.1.cpu_ns) as f64 / wall)
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

/// Since when a check has been violated, carried from one look to the next.
pub fn carry(before: &[Check], now: &mut [Check], at_ns: u64) {
    for check in now.iter_mut().filter(|check| check.verdict == Verdict::Fail) {
        let earlier = before.iter().find(|old| old.id == check.id && old.arm == check.arm);
        check.since_ns = earlier.and_then(|old| old.since_ns).or(Some(at_ns));
    }
}

/// Seconds a run has been going, for stop conditions with `held`.
pub const fn seconds(ns: u64) -> u64 {
    ns / SECOND
}
