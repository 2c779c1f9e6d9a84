//! From measures to a verdict: how each expectation stands, and what follows for the run.

use model::Run;
use model::format::value as shown;
use record::{Check, Lint, Measured, Verdict};

use crate::expect::{Expectation, Op, Query, Side};
use crate::lints;
use crate::measure::{Measure, Property};
use crate::onset::onset;
use crate::value::scaled;

/// Arm of a check that is of no single arm.
const NO_ARM: char = '-';

/// Exit code of a wrong command line or file, the same in every mode.
pub const EXIT_USAGE: u8 = 2;
/// Exit code of a run that the user interrupted.
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
    let Side::Measure { factor, query: left } = &expectation.left else { return Vec::new() };
    let judge = Judge { run, id, expectation, left, factor: *factor };
    match &expectation.right {
        Side::Quantity { value, .. } => {
            let arms = if left.measure.has(Property::OfHost) { vec![NO_ARM] } else { left.arms(run) };
            arms.into_iter().map(|arm| judge.against_limit(arm, *value)).collect()
        }
        Side::Measure { factor, query } => vec![judge.against_measure(*factor, query)],
    }
}

/// Comparisons of latencies are inconclusive, whichever way they went, where two arms shared a machine that was too
/// busy for both.
pub fn mark_inconclusive(checks: &mut [Check], expectation: &Expectation) {
    if lints::compares_latencies(expectation) {
        for check in checks {
            (check.verdict, check.reason) = (Verdict::Inconclusive, lints::TOO_BUSY.to_owned());
        }
    }
}

/// An expectation and its left side.
struct Judge<'a> {
    run: &'a Run,
    id: u32,
    expectation: &'a Expectation,
    left: &'a Query,
    factor: f64,
}

impl Judge<'_> {
    fn against_limit(&self, arm: char, limit: f64) -> Check {
        let (measure, op) = (self.left.measure, self.expectation.op);
        // A measure of the host is the same in every arm.
        let of_arm = if arm == NO_ARM { self.run.letters().first().copied().unwrap_or('A') } else { arm };
        let selection = self.left.of(self.run, of_arm);
        let measured = scaled(measure.measure(&selection), self.factor);
        let (verdict, reason) = judge(measure, measured, op, limit);
        let is_failed = verdict == Verdict::Fail;
        let holds = |value: f64| op.holds(value * self.factor, limit);
        Check {
            since_ns: is_failed.then(|| onset(measure, &selection, holds)).flatten(),
            ..self.check(arm, measured.value, Some(limit), measured.n, verdict, reason)
        }
    }

    fn against_measure(&self, right_factor: f64, right: &Query) -> Check {
        let (left, measure, op) = (self.left, self.left.measure, self.expectation.op);
        let (lefts, rights) = (left.arms(self.run), right.arms(self.run));
        let ([a], [b]) = (lefts.as_slice(), rights.as_slice()) else {
            let reason = "each side of a comparison must name exactly one arm that is run";
            return self.check(NO_ARM, None, None, 0, Verdict::Inconclusive, reason.into());
        };
        let one = scaled(measure.measure(&left.of(self.run, *a)), self.factor);
        let other = scaled(right.measure.measure(&right.of(self.run, *b)), right_factor);
        let n = one.n.min(other.n);
        // The same measure in two arms: the ratio of paired blocks decides, since
        // what slowed both arms cancels in it.
        let is_same =
            *measure == *right.measure && left.argument == right.argument && left.window == right.window;
        let paired = is_same
            .then(|| measure.ratio(&left.of(self.run, *b), &left.of(self.run, *a)))
            .flatten()
            .filter(|ratio| ratio.interval.is_some());
        let (verdict, reason) = match paired {
            Some(ratio) => {
                let (verdict, reason) =
                    judge(measure, Measured { n, ..ratio }, op, right_factor / self.factor);
                if verdict == Verdict::Inconclusive && reason.is_empty() {
                    let (low, high) = ratio.interval.unwrap_or_default();
                    let text = format!("the ratio's interval {low:.2} to {high:.2} straddles {right_factor}");
                    (verdict, text)
                } else {
                    (verdict, reason)
                }
            }
            None => apart(measure, one, other, op),
        };
        self.check(NO_ARM, one.value, other.value, n, verdict, reason)
    }

    fn check(
        &self,
        arm: char,
        value: Option<f64>,
        limit: Option<f64>,
        n: u64,
        verdict: Verdict,
        reason: String,
    ) -> Check {
        Check {
            id: self.id,
            text: self.expectation.text.clone(),
            arm,
            value,
            limit,
            unit: self.left.measure.unit.symbol().to_owned(),
            margin: margin(self.expectation.op, value, limit),
            n,
            verdict,
            reason,
            since_ns: None,
        }
    }
}

/// How far a value is from its limit; negative beyond it. What never happened is at no distance from anything.
fn margin(op: Op, value: Option<f64>, limit: Option<f64>) -> Option<f64> {
    let (value, limit) = (value?, limit?);
    let distance = (limit - value).abs();
    Some(if op.holds(value, limit) { distance } else { -distance }).filter(|margin| margin.is_finite())
}

/// Two measures without pairs: they stand apart when their intervals do.
fn apart(measure: &Measure, one: Measured, other: Measured, op: Op) -> (Verdict, String) {
    let (Some(left), Some(right)) = (one.value, other.value) else {
        return (Verdict::Inconclusive, "no samples".into());
    };
    if let Some(reason) = too_few(measure, one.n.min(other.n)) {
        return (Verdict::Inconclusive, reason);
    }
    let (left_low, left_high) = one.interval.unwrap_or((left, left));
    let (right_low, right_high) = other.interval.unwrap_or((right, right));
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
fn judge(measure: &Measure, measured: Measured, op: Op, limit: f64) -> (Verdict, String) {
    let Some(value) = measured.value else { return (Verdict::Inconclusive, "no samples".into()) };
    if let Some(reason) = too_few(measure, measured.n) {
        return (Verdict::Inconclusive, reason);
    }
    // `== 0` is about what was seen: no interval of an estimate is a point.
    let interval = measured.interval.filter(|_| op != Op::Equal);
    let (low, high) = interval.unwrap_or((value, value));
    match (op.holds(low, limit), op.holds(high, limit)) {
        (true, true) => (Verdict::Pass, String::new()),
        (false, false) => (Verdict::Fail, String::new()),
        _ => {
            let [low, high] = [low, high].map(|end| shown(Some(end), measure.unit.symbol()));
            (Verdict::Inconclusive, format!("the interval {low} to {high} straddles the limit"))
        }
    }
}

fn too_few(measure: &Measure, n: u64) -> Option<String> {
    let needed = measure.min_samples;
    (n < needed).then(|| format!("{n} samples; it takes {needed}"))
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
