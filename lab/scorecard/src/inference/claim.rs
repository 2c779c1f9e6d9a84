//! How claims named beforehand stand: each at its own 95 %, uncorrected. A claim passes if the whole interval is on its
//! good side, fails if the whole is on the other, and is inconclusive else.

use record::{Interval, Note, Verdict};

use super::estimate::estimate;
use super::figure::{Content, Figure};
use super::shares::LEVEL;
use super::statistic::Body;
use crate::expect::Op;

/// How a claim stands, and by what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// Pass, fail or inconclusive.
    pub verdict: Verdict,
    /// Why it could not be judged, or what it is limited to.
    pub note: Option<Note>,
    /// What decided, where an interval did.
    pub interval: Option<(IntervalKind, Interval)>,
}

/// What an interval that decided is of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum IntervalKind {
    /// The figure, in the row's unit.
    Value,
    /// The share of arrivals beyond the limit, of which this much may be.
    ShareBeyond(f64),
    /// The left side over the right one.
    Ratio,
    /// The left side less the right one, times its factor.
    Difference,
}

impl Judgement {
    pub(super) const fn open(note: Note) -> Self {
        Self { verdict: Verdict::Inconclusive, note: Some(note), interval: None }
    }

    /// On a value as it was seen.
    pub(super) fn seen(is_true: bool, note: Note) -> Self {
        let verdict = if is_true { Verdict::Pass } else { Verdict::Fail };
        Self { verdict, note: Some(note), interval: None }
    }

    /// Of a side over a multiple of another, with the interval of the one over the other: `claimed` is that multiple.
    #[must_use]
    pub fn of_ratio(self, claimed: f64) -> Self {
        match self.interval {
            Some((IntervalKind::Ratio, interval)) => {
                Self { interval: Some((IntervalKind::Ratio, interval.scaled(claimed))), ..self }
            }
            _ => self,
        }
    }

    /// By where an interval lies to a limit.
    pub(super) fn by(op: Op, interval: Interval, limit: f64, decided: IntervalKind) -> Self {
        let verdict = match (op.holds(interval.low, limit), op.holds(interval.upper(), limit)) {
            // An estimate is one number only where it has no width.
            _ if op == Op::Equal && interval.holds(limit) && interval.low < interval.upper() => {
                Verdict::Inconclusive
            }
            (true, true) => Verdict::Pass,
            (false, false) => Verdict::Fail,
            _ => Verdict::Inconclusive,
        };
        Self { verdict, note: None, interval: Some((decided, interval)) }
    }
}

/// A figure against a limit in the row's unit.
pub fn against_limit(figure: &Figure, op: Op, limit: f64) -> Judgement {
    let measured = estimate(figure);
    if let (Body::Bracket { .. }, Some(bracket)) = (&figure.statistic.body, measured.interval) {
        return Judgement::by(op, bracket, limit, IntervalKind::Value);
    }
    let Some(value) = measured.value else {
        return Judgement::open(measured.note.unwrap_or(Note::NotMeasured));
    };
    if is_as_seen(figure) {
        let note =
            if matches!(figure.statistic.body, Body::Exact(_)) { Note::Exact } else { Note::ThisEvent };
        return match measured.is_censored {
            false => Judgement::seen(op.holds(value, limit), note),
            // It is beyond what was looked at, also where that is the limit to the digit.
            true if decides_censored(op, value, limit) => {
                Judgement::seen(op.holds(f64::INFINITY, limit), note)
            }
            // As far as was looked does not decide about what lies beyond.
            true => Judgement::open(Note::Censored),
        };
    }
    if let Some(note) = figure.doubt() {
        return Judgement::open(note);
    }
    if op == Op::Equal && matches!(figure.content, Content::Share { .. }) {
        // `errors == 0` is about what was seen.
        return Judgement::seen(op.holds(value, limit), Note::ThisEvent);
    }
    if figure.is_coupled() {
        return Judgement::open(Note::Queue);
    }
    if let (Content::Quantile { q, .. }, false) = (&figure.content, op == Op::Equal) {
        return quantile(figure, *q, op, limit / figure.statistic.scale);
    }
    let Some(interval) = measured.interval else {
        return Judgement::open(measured.note.unwrap_or(Note::NotMeasured));
    };
    Judgement { note: measured.note, ..Judgement::by(op, interval, limit, IntervalKind::Value) }
}

/// A quantile by the share of arrivals beyond the limit, which need no order statistic to be bounded.
fn quantile(figure: &Figure, q: f64, op: Op, limit_us: f64) -> Judgement {
    let Content::Quantile { pooled, .. } = &figure.content else { return Judgement::open(Note::NotMeasured) };
    // In whole nanoseconds: 50 ms are no hair more.
    let limit_us = (limit_us * 1e3).round() / 1e3;
    // Beyond: longer than a limit that may be reached, as long as one that may not.
    let last = match op {
        Op::AtMost | Op::Above => limit_us.floor(),
        Op::Below | Op::AtLeast | Op::Equal => limit_us.ceil() - 1.0,
    };
    let beyond = pooled.slower_than(last.max(0.0) as u64);
    let Some(share) = figure.share_of(&beyond, pooled.arrivals()) else {
        return Judgement::open(Note::NotMeasured);
    };
    let (low, high) = share.interval(LEVEL);
    let may_be = 1.0 - q;
    // Rounded up, `1 - 0.99` is a hair more than one in a hundred.
    let (is_below, is_above) = (high <= may_be + 1e-12, low > may_be + 1e-12);
    let verdict = match op {
        Op::AtMost | Op::Below if is_below => Verdict::Pass,
        Op::AtMost | Op::Below if is_above => Verdict::Fail,
        Op::AtLeast | Op::Above if is_above => Verdict::Pass,
        Op::AtLeast | Op::Above if is_below => Verdict::Fail,
        _ => Verdict::Inconclusive,
    };
    let interval = Some((IntervalKind::ShareBeyond(may_be), Interval::new(low, high)));
    Judgement { verdict, note: None, interval }
}

/// Whether it is judged on what was seen: exact, counted, or once in a run of too few rounds.
pub(super) fn is_as_seen(figure: &Figure) -> bool {
    match &figure.statistic.body {
        Body::Exact(_) | Body::Count(_) => true,
        Body::PerRound { values, .. } => {
            !figure.has_intervals() && values.iter().flatten().any(|once| once.interval.is_none())
        }
        Body::Quotient(_) | Body::Quantile { .. } | Body::Share { .. } | Body::Bracket { .. } => false,
    }
}

/// Whether a value that lies beyond what was looked at is on one side of the limit for sure.
fn decides_censored(op: Op, looked: f64, limit: f64) -> bool {
    op != Op::Equal && Op::AtLeast.holds(looked, limit)
}
