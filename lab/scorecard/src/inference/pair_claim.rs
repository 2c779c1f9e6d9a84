//! Claims that compare two figures: of two arms, or of two windows.

use record::{Interval, Note};

use super::claim::{IntervalKind, Judgement, against_limit, is_as_seen};
use super::conditions::Margin;
use super::estimate::estimate;
use super::evidence::{Drawn, with_start};
use super::figure::{Content, Figure};
use super::noise::StoredStart;
use super::recovery;
use super::share_contrast::share_difference;
use super::shares::LEVEL;
use super::statistic::Body;
use super::student;
use crate::expect::Op;

/// One figure against a multiple of another: of another arm, or of another window. `start` is by how much two starts of one
/// program differ in it, where the figures are of processes that started once each, and it is known.
pub fn against_other(
    left: &Figure,
    op: Op,
    factor: f64,
    right: &Figure,
    start: Option<&StoredStart>,
) -> Judgement {
    let (one, two) = (estimate(left), estimate(right));
    if let (Body::Bracket { .. }, Body::Bracket { .. }) = (&left.statistic.body, &right.statistic.body) {
        return brackets(one.interval, op, factor, two.interval);
    }
    let (Some(a), Some(b)) = (one.value, two.value) else {
        return Judgement::open(
            one.note.filter(|_| one.value.is_none()).or(two.note).unwrap_or(Note::NotMeasured),
        );
    };
    if one.is_censored || two.is_censored || !a.is_finite() || !b.is_finite() {
        return Judgement::open(Note::Censored);
    }
    match (is_as_seen(left), is_as_seen(right)) {
        (true, true) => {
            let is_exact = |figure: &Figure| matches!(figure.statistic.body, Body::Exact(_));
            let note = if is_exact(left) && is_exact(right) { Note::Exact } else { Note::ThisEvent };
            return Judgement::seen(op.holds(a, factor * b), note);
        }
        (true, false) if factor > 0.0 => return against_limit(right, mirrored(op), a / factor),
        (false, true) => return against_limit(left, op, factor * b),
        _ => {}
    }
    if let Some(note) = left.doubt().or_else(|| right.doubt()) {
        return Judgement::open(note);
    }
    if left.is_coupled() || right.is_coupled() {
        return Judgement::open(Note::Queue);
    }
    // Shares are of events among trials: what a side is multiplied by is no part of them.
    let [own, others] = [left, right].map(|figure| figure.statistic.scale);
    if let Some(difference) = share_difference(right, left, factor * others / own) {
        let (low, high) = difference.interval(LEVEL);
        return Judgement::by(op, Interval::new(own * low, own * high), 0.0, IntervalKind::Difference);
    }
    if let Some(ratio) = of_recoveries(left, right) {
        return Judgement::by(op, ratio, factor, IntervalKind::Ratio);
    }
    let is_known_by_resamples =
        |figure: &Figure| matches!(figure.content, Content::Quotient { .. } | Content::Quantile { .. });
    match (one.interval, two.interval) {
        _ if is_known_by_resamples(left) && is_known_by_resamples(right) => {
            drawn(left, op, factor, right, start, (a, b))
        }
        // Each known by itself, as two recoveries are: apart only where their intervals are.
        (Some(one), Some(two)) => {
            let difference = Interval {
                low: one.low - factor * two.upper(),
                high: one.high.map(|high| high - factor * two.low),
            };
            Judgement::by(op, difference, 0.0, IntervalKind::Difference)
        }
        _ => Judgement::open(Note::NotMeasured),
    }
}

/// The left recovery over the right one, over rounds, as the row has it: seconds are too coarse for rounds that are all alike
/// to leave nothing open. `None` of anything else.
fn of_recoveries(left: &Figure, right: &Figure) -> Option<Interval> {
    let (Body::PerRound { values: own, .. }, Body::PerRound { values: others, .. }) =
        (&left.statistic.body, &right.statistic.body)
    else {
        return None;
    };
    let is_paired = left.resampling.is_by_rounds() && left.resampling.frame() == right.resampling.frame();
    if !is_paired || !recovery::are_recoveries(others, own) {
        return None;
    }
    let (contrast, _) = recovery::compared(others, own, Margin::Ratio(1.0))?;
    Some(contrast.ratio?.interval?.scaled(left.statistic.scale / right.statistic.scale))
}

/// Two brackets: every value of the one against every value of the other. What has no upper end is not compared: neither
/// was found.
fn brackets(left: Option<Interval>, op: Op, factor: f64, right: Option<Interval>) -> Judgement {
    let (Some(left), Some(right)) = (left, right) else { return Judgement::open(Note::NotMeasured) };
    if left.high.is_none() && right.high.is_none() {
        return Judgement::open(Note::Censored);
    }
    let difference = Interval {
        low: left.low - factor * right.upper(),
        high: left.high.map(|high| high - factor * right.low),
    };
    Judgement::by(op, difference, 0.0, IntervalKind::Difference)
}

/// Kinds 4 and 5: by shared resamples in one window, by the sum of variances in two.
fn drawn(
    left: &Figure,
    op: Op,
    factor: f64,
    right: &Figure,
    start: Option<&StoredStart>,
    (a, b): (f64, f64),
) -> Judgement {
    let (Some(one), Some(two)) = (left.inflation(), right.inflation()) else {
        return Judgement::open(Note::TooFewToJudge);
    };
    let scaled = |figure: &Figure| {
        let scale = figure.statistic.scale;
        figure.replicates().iter().map(|x| x * scale).collect::<Vec<f64>>()
    };
    let (lefts, rights) = (scaled(left), scaled(right));
    if lefts.iter().chain(&rights).any(|x| x.is_infinite()) {
        return Judgement::open(Note::Censored);
    }
    let has_ratio = a > 0.0 && b > 0.0 && lefts.iter().chain(&rights).all(|x| x.is_nan() || *x > 0.0);
    let (of_left, of_right): (fn(f64) -> f64, _) =
        if has_ratio { (f64::ln as _, 1.0) } else { (std::convert::identity as _, factor) };
    let (freedom, other) = (left.freedom(), right.freedom());
    let variance = if left.resampling.frame() == right.resampling.frame() {
        let both = lefts.iter().zip(&rights).map(|(l, r)| of_left(*l) - of_right * of_left(*r));
        freedom.correction.powi(2) * left.resampling.deviation(both).powi(2) * f64::midpoint(one, two)
    } else {
        let [own, others] = [(left, &lefts), (right, &rights)]
            .map(|(figure, all)| figure.resampling.deviation(all.iter().map(|x| of_left(*x))));
        (freedom.correction * own).powi(2) * one + (other.correction * of_right * others).powi(2) * two
    };
    let drawn = Drawn { value: a / b, error: variance.sqrt(), nu: freedom.nu.min(other.nu) };
    // Stored are ratios, of processes that started once.
    let drawn = match start.filter(|_| has_ratio && !left.resampling.is_by_rounds()) {
        Some(start) => with_start(&drawn, start),
        None => drawn,
    };
    let half = student::critical(LEVEL, drawn.nu) * drawn.error;
    if has_ratio {
        let interval = Interval::new(a / b * (-half).exp(), a / b * half.exp());
        Judgement::by(op, interval, factor, IntervalKind::Ratio)
    } else {
        let difference = a - factor * b;
        Judgement::by(op, Interval::new(difference - half, difference + half), 0.0, IntervalKind::Difference)
    }
}

/// The same comparison read from right to left.
const fn mirrored(op: Op) -> Op {
    match op {
        Op::AtMost => Op::AtLeast,
        Op::Below => Op::Above,
        Op::AtLeast => Op::AtMost,
        Op::Above => Op::Below,
        Op::Equal => Op::Equal,
    }
}
