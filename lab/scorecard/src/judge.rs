//! From measures to a verdict: how each expectation stands, and what follows for the run.

use model::{Run, Window, format};
use record::{Check, Interval, Lint, Measured, Note, Verdict};

use crate::argument::Argument;
use crate::expect::{Expectation, Op, Query, Side};
use crate::inference::noise::StoredStart;
use crate::inference::{
    self, Body, Engine, Figure, Frame, IntervalKind, Judgement, Statistic, align, estimate,
};
use crate::lints::{self, Doubt};
use crate::measure::{Property, Row};
use crate::onset::onset;
use crate::selection::name_of;

/// Arm of a check that is of no single arm.
const NO_ARM: char = '-';

/// What a claim holds against where no monolith with copies was run.
const AGAINST_ONE_COPY: &str = "against one copy";

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

/// How a claim stands: one check for each arm it binds to, or one for a comparison of arms. It is judged at its own 95 %:
/// claims are named beforehand.
pub fn checks(run: &Run, id: u32, expectation: &Expectation) -> Vec<Check> {
    checks_with(run, id, expectation, &Engine::default())
}

/// The same, with resamples that other claims and rows have, too, and what is known of starts: a claim that compares two
/// arms which ran side by side allows for it.
pub fn checks_with(run: &Run, id: u32, expectation: &Expectation, engine: &Engine) -> Vec<Check> {
    checked(run, id, expectation, Basis::Interval, engine)
}

/// Whether this run is one that the claims are about (`valid`): one check for each arm, on the value as seen. A premise says
/// what was so in this run; it infers nothing about others.
pub fn premises(run: &Run, id: u32, expectation: &Expectation) -> Vec<Check> {
    checked(run, id, expectation, Basis::Seen, &Engine::default())
}

/// Whether a condition holds, for what is decided while a run goes on: a stop, a gate, a rollout. It is judged on the value
/// as seen, once there are samples enough.
pub fn conditions(run: &Run, expectation: &Expectation) -> Vec<Check> {
    checked(run, 0, expectation, Basis::Seen, &Engine::default())
}

fn checked(run: &Run, id: u32, expectation: &Expectation, basis: Basis, engine: &Engine) -> Vec<Check> {
    let Side::Measure { factor, query: left } = &expectation.left else { return Vec::new() };
    let judge = Judge { run, id, expectation, left, factor: *factor, basis, engine };
    match &expectation.right {
        Side::Quantity { value, .. } if left.measure.has(Property::OfHost) => {
            vec![judge.against_limit(NO_ARM, *value)]
        }
        Side::Quantity { value, .. } => judge.in_each_arm(|arm| judge.against_limit(arm, *value)),
        // One phase against another, say: every arm that it is bound to must meet it.
        Side::Measure { factor, query } if query.axes == left.axes => {
            judge.in_each_arm(|arm| judge.between(arm, [arm, arm], *factor, query))
        }
        Side::Measure { factor, query } => judge.against_measure(*factor, query),
    }
}

/// How a condition stands in one arm, and whether its value alone meets it; `None` where it does not bind to the arm.
pub fn condition_in(run: &Run, arm: char, that: &Expectation) -> Option<(Verdict, bool)> {
    let mut checks = conditions(run, that).into_iter();
    let check = checks.find(|check| check.arm == arm || check.arm == NO_ARM)?;
    let holds = check.value.zip(check.limit).is_some_and(|(value, limit)| that.op.holds(value, limit));
    // As far as was looked is no value: what lies beyond it may lie beyond the limit.
    Some((check.verdict, check.verdict == Verdict::Pass || holds && !check.is_censored))
}

/// Whether a watched build passes: no as soon as the condition is broken, yes where its value meets it once the watch is over;
/// `None` while it goes on.
pub const fn watch_result(judged: Option<(Verdict, bool)>, is_over: bool) -> Option<bool> {
    match judged {
        Some((Verdict::Fail, _)) => Some(false),
        Some((_, met)) if is_over => Some(met),
        None if is_over => Some(false),
        _ => None,
    }
}

/// What limits the checks of a claim: they are inconclusive, whichever way they went, where the run cannot support the claim
/// (`doubts`); and where services beat a monolith of one copy, that is added.
pub fn limit_checks(run: &Run, claim: &Expectation, doubts: &[Doubt], checks: &mut [Check]) {
    for check in checks.iter_mut().filter(|check| check.verdict != Verdict::Inconclusive) {
        if let Some(doubt) = doubts.first() {
            (check.verdict, check.reason) = (Verdict::Inconclusive, doubt.reason.clone());
        } else if check.verdict == Verdict::Pass && lints::is_against_one_copy(run, claim) {
            check.reason = AGAINST_ONE_COPY.to_owned();
        }
    }
}

/// What a value is judged on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Basis {
    /// Its 95 % interval.
    Interval,
    /// Itself.
    Seen,
}

/// An expectation and its left side.
struct Judge<'a> {
    run: &'a Run,
    id: u32,
    expectation: &'a Expectation,
    left: &'a Query,
    factor: f64,
    basis: Basis,
    engine: &'a Engine,
}

impl Judge<'_> {
    /// A check of every arm that the left side is bound to; where none is run, one that says so.
    fn in_each_arm(&self, check: impl Fn(char) -> Check) -> Vec<Check> {
        let arms = self.left.arms(self.run);
        if arms.is_empty() {
            vec![self.without_arm(self.left)]
        } else {
            arms.into_iter().map(check).collect()
        }
    }

    fn without_arm(&self, side: &Query) -> Check {
        let axes: Vec<String> = side.axes.iter().map(|axis| format!("`{axis}`")).collect();
        let reason = format!("{}no arm of this run is {}", lints::NOT_JUDGED, axes.join(" and "));
        self.check(NO_ARM, Measured::default(), None, open(reason))
    }

    fn against_limit(&self, arm: char, limit: f64) -> Check {
        let (measure, op) = (self.left.measure, self.expectation.op);
        // A measure of the host is the same in every arm.
        let of_arm = if arm == NO_ARM { self.run.letters().first().copied().unwrap_or('A') } else { arm };
        let figure = match self.framed(self.left, of_arm, self.factor) {
            Ok(framed) => self.figure(framed),
            Err((seen, reason)) => return self.check(arm, seen, Some(limit), open(reason)),
        };
        let judgement = inference::against_limit(&figure, op, limit);
        let is_failed = judgement.verdict == Verdict::Fail;
        let holds = |value: f64| op.holds(value * self.factor, limit);
        let selection = self.left.of(self.run, of_arm);
        Check {
            since_ns: is_failed.then(|| onset(measure, &selection, holds)).flatten(),
            ..self.check(arm, estimate(&figure), Some(limit), self.worded(judgement, &figure, 1.0))
        }
    }

    fn against_measure(&self, right_factor: f64, right: &Query) -> Vec<Check> {
        let (lefts, rights) = (self.left.arms(self.run), right.arms(self.run));
        let check = match (lefts.as_slice(), rights.as_slice()) {
            ([], _) => self.without_arm(self.left),
            (_, []) => self.without_arm(right),
            ([a], [b]) => self.between(if a == b { *a } else { NO_ARM }, [*a, *b], right_factor, right),
            _ => {
                let reason = "each side of a comparison must name exactly one arm that is run";
                self.check(NO_ARM, Measured::default(), None, open(reason.into()))
            }
        };
        vec![check]
    }

    /// The left side in arm `a` against the right side in arm `b`; the check is of `arm`. Two arms are compared over the
    /// seconds that both have, as in the row.
    fn between(&self, arm: char, [a, b]: [char; 2], right_factor: f64, right: &Query) -> Check {
        let left = self.left;
        let sides = (self.framed(left, a, self.factor), self.framed(right, b, right_factor));
        let (one, other) = match sides {
            (Ok(one), Ok(other)) if a != b && self.is_one_figure(right) => {
                FramedStatistic::aligned(one, other)
            }
            (Ok(one), Ok(other)) => (one, other),
            (Err((seen, reason)), _) => return self.check(arm, seen, None, open(reason)),
            (Ok(one), Err((_, reason))) => {
                return self.check(arm, estimate(&self.figure(one)), None, open(reason));
            }
        };
        let (one, other) = (self.figure(one), self.figure(other));
        let start = self.start(right).filter(|_| a != b);
        let judgement = inference::against_other(&one, self.expectation.op, 1.0, &other, start);
        let (seen, limit) = (estimate(&one), estimate(&other));
        let seen = Measured { n: seen.n.min(limit.n), ..seen };
        let claimed = right_factor / self.factor;
        // Too few samples are those of the side that has them.
        let lacking = if is_short(&one) { &one } else { &other };
        let mut worded = self.worded(judgement.of_ratio(claimed), lacking, claimed);
        if limit.value.is_none() && limit.interval.is_some() {
            let text = format::measured(&limit, left.measure.unit.symbol());
            worded.reason = [worded.reason, format!("the other side is {text}")].join("; ");
            worded.reason = worded.reason.trim_start_matches("; ").to_owned();
        }
        self.check(arm, seen, limit.value.filter(|_| !limit.is_censored), worded)
    }

    /// By how much two starts of one program differ in what both sides are, where it was measured: it is known of the rows
    /// of the scorecard.
    fn start(&self, right: &Query) -> Option<&StoredStart> {
        let left = self.left;
        let is_of_row = left.argument == Argument::of_row(left.measure.parameter, None);
        if !(self.is_one_figure(right) && is_of_row && left.measure.has(Property::DependsOnStart)) {
            return None;
        }
        let (starts, window) = (self.engine.starts(), name_of(&left.window));
        let known_as = |row: &Row| row.comparison.guise_of().unwrap_or(row.id);
        left.measure.rows.iter().find_map(|row| starts.of(known_as(row), &window))
    }

    /// Whether both sides are one figure, of two arms.
    fn is_one_figure(&self, right: &Query) -> bool {
        let left = self.left;
        (left.measure, &left.argument, &left.window) == (right.measure, &right.argument, &right.window)
    }

    /// What a side's figure is made of. What happens under a fault is one event; where that has too few samples, or none, the
    /// reason.
    fn framed(&self, query: &Query, arm: char, factor: f64) -> Result<FramedStatistic, (Measured, String)> {
        if !query.measure.is_known_in(self.run) {
            return Err((Measured::default(), format!("{} is not simulated", query.measure.form())));
        }
        let selection = query.of(self.run, arm);
        let frame = selection.frame();
        let statistic = query.measure.of(&selection).scaled(factor);
        let is_event = self.basis == Basis::Seen || query.window != Window::Whole && selection.has_fault();
        // What a step did is an event, whatever the window.
        let is_seen = is_event || matches!(statistic.body, Body::PerRound { is_event: true, .. });
        let needed = statistic.needed_samples();
        if is_seen && statistic.n > 0 && statistic.n < needed {
            let reason = format!("{} samples; it takes {needed}", statistic.n);
            return Err((statistic.seen(), reason));
        }
        let statistic = if is_event { statistic.as_event(&frame) } else { statistic };
        Ok(FramedStatistic { statistic, frame, is_event })
    }

    fn figure(&self, of: FramedStatistic) -> Figure {
        let figure = Figure::new(of.statistic, &self.engine.resampling(&of.frame));
        if of.is_event { figure.of_event() } else { figure }
    }

    /// A judgement with its reason in words, where it needs one; `claimed` is the ratio that a comparison states.
    fn worded(&self, judgement: Judgement, figure: &Figure, claimed: f64) -> Worded {
        let Judgement { verdict, note, interval } = judgement;
        let unit = self.left.measure.unit.symbol();
        let reason = match (verdict, note, interval) {
            (Verdict::Inconclusive, Some(Note::TooFew | Note::TooFewToJudge), _) if is_short(figure) => {
                let statistic = figure.statistic();
                format!("{} samples; it takes {}", statistic.n, statistic.needed_samples())
            }
            (Verdict::Inconclusive, Some(note), _) => note.sentence().to_owned(),
            (Verdict::Inconclusive, None, Some((decided, interval))) => {
                straddles(decided, interval, unit, claimed)
            }
            _ => String::new(),
        };
        Worded { verdict, reason, note }
    }

    fn check(&self, arm: char, seen: Measured, limit: Option<f64>, worded: Worded) -> Check {
        let Worded { verdict, reason, note } = worded;
        let seen = self.left.measure.unit.bounded(seen, self.factor);
        Check {
            id: self.id,
            text: self.expectation.text.clone(),
            arm,
            value: seen.value,
            interval: seen.interval,
            is_censored: seen.is_censored,
            limit,
            unit: self.left.measure.unit.symbol().to_owned(),
            margin: margin(self.expectation.op, seen.value.filter(|_| !seen.is_censored), limit),
            n: seen.n,
            verdict,
            reason,
            note,
            since_ns: None,
        }
    }
}

/// What a side of a claim is made of, in the frame of its window.
struct FramedStatistic {
    statistic: Statistic,
    frame: Frame,
    is_event: bool,
}

impl FramedStatistic {
    /// Two arms' without the seconds that either lacks.
    fn aligned(one: Self, other: Self) -> (Self, Self) {
        let mut both = [one.statistic, other.statistic];
        align(&mut both);
        let [a, b] = both;
        (Self { statistic: a, ..one }, Self { statistic: b, ..other })
    }
}

/// A judgement in words.
struct Worded {
    verdict: Verdict,
    reason: String,
    note: Option<Note>,
}

/// Whether a figure has fewer samples than decide anything.
fn is_short(figure: &Figure) -> bool {
    figure.statistic().n < figure.statistic().needed_samples()
}

fn open(reason: String) -> Worded {
    Worded { verdict: Verdict::Inconclusive, reason, note: None }
}

/// Why an interval decides nothing: of a ratio, which one it holds.
fn straddles(decided: IntervalKind, interval: Interval, unit: &str, claimed: f64) -> String {
    match decided {
        IntervalKind::Value => {
            format!("the interval {} straddles the limit", format::interval(interval, unit))
        }
        IntervalKind::ShareBeyond(may_be) => format!(
            "{} are beyond the limit, and {} may be",
            format::interval(interval, "%"),
            format::value(Some(may_be), "%")
        ),
        IntervalKind::Ratio => {
            let high = interval.high.map_or_else(|| "..".into(), format::times);
            let (low, claimed) = (format::times(interval.low), format::times(claimed));
            format!("the ratio's interval {low} to {high} holds {claimed}")
        }
        IntervalKind::Difference => {
            // What has no upper end and is taken away leaves no lower one.
            let shown = match interval.high.filter(|_| interval.low.is_infinite()) {
                Some(high) => format!("up to {}", format::value(Some(high), unit)),
                None => format::interval(interval, unit),
            };
            format!("the difference's interval {shown} holds 0")
        }
    }
}

/// How far a value is from its limit; negative beyond it. What never happened is at no distance from anything.
fn margin(op: Op, value: Option<f64>, limit: Option<f64>) -> Option<f64> {
    let (value, limit) = (value?, limit?);
    let distance = (limit - value).abs();
    Some(if op.holds(value, limit) { distance } else { -distance }).filter(|margin| margin.is_finite())
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
