//! What a claim is about: which arms it compares, which of them it calls the better one; and a reason not to judge it.

use model::Run;
use record::Better;

use crate::expect::{Expectation, Op, Query, Side};
use crate::measure::Property;

/// A reason not to judge a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Name of its lint.
    pub lint: &'static str,
    /// The reason, in words that can stand beside a check.
    pub reason: String,
}

/// The claims, parsed again from the record.
pub(super) fn claims(run: &Run) -> Vec<Expectation> {
    let plans = run.header.expectations.iter().filter(|plan| plan.list == "check");
    plans.filter_map(|plan| plan.text.parse().ok()).collect()
}

/// Both sides of a claim that compares arms.
pub(super) fn compared(claim: &Expectation) -> Option<(&Query, &Query)> {
    match (&claim.left, &claim.right) {
        (Side::Measure { query: left, .. }, Side::Measure { query: right, .. })
            if left.axes != right.axes =>
        {
            Some((left, right))
        }
        _ => None,
    }
}

/// Whether a claim sets one arm against another in a measure of that property.
pub(super) fn compares(claim: &Expectation, property: Property) -> bool {
    compared(claim).is_some_and(|(left, _)| left.measure.has(property))
}

/// A side of a comparison with the one arm of this run that it is bound to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contender<'a> {
    pub arm: char,
    pub query: &'a Query,
}

/// Which arm a claim calls the better one, and which the worse; `None` where it compares no two arms that are run.
pub(super) fn winner_and_loser<'a>(
    run: &Run,
    claim: &'a Expectation,
) -> Option<(Contender<'a>, Contender<'a>)> {
    let (left, right) = compared(claim)?;
    let side = |query: &'a Query| Some(Contender { arm: *query.arms(run).first()?, query });
    let (one, other) = (side(left)?, side(right)?);
    let is_higher_better = left.measure.better == Better::Higher;
    match (claim.op, is_higher_better) {
        (Op::AtMost | Op::Below, false) | (Op::AtLeast | Op::Above, true) => Some((one, other)),
        (Op::AtMost | Op::Below, true) | (Op::AtLeast | Op::Above, false) => Some((other, one)),
        (Op::Equal, _) => None,
    }
}

/// Whether a claim calls one arm the better one, and not only worse by no more than a factor: `<= 1.3 *` bounds a price.
pub(super) fn is_of_a_win(claim: &Expectation) -> bool {
    let factor = |side: &Side| if let Side::Measure { factor, .. } = side { *factor } else { 1.0 };
    let bound = factor(&claim.right) / factor(&claim.left);
    match claim.op {
        Op::AtMost | Op::Below => bound <= 1.0,
        Op::AtLeast | Op::Above => bound >= 1.0,
        Op::Equal => false,
    }
}
