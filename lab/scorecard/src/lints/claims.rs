//! Claims of the scenario that this run cannot support: the traps that depend on what was planned and claimed.

use model::{Run, Window};
use record::{Arm, Better};

use super::{Circumstances, Found, MAX_POPULARITY, TOO_BUSY, is_unjudged, resources};
use crate::breakdowns;
use crate::expect::{Expectation, Op, Query, Side};
use crate::measure::Property;

/// Rounds from which arms that took turns can be compared.
const MIN_ROUNDS: u32 = 3;

/// The claims, parsed again from the record.
fn claims(run: &Run) -> Vec<Expectation> {
    let plans = run.header.expectations.iter().filter(|plan| plan.list == "check");
    plans.filter_map(|plan| plan.text.parse().ok()).collect()
}

/// Both sides of a claim that compares arms.
fn compared(claim: &Expectation) -> Option<(&Query, &Query)> {
    match (&claim.left, &claim.right) {
        (Side::Measure { query: left, .. }, Side::Measure { query: right, .. })
            if left.axes != right.axes =>
        {
            Some((left, right))
        }
        _ => None,
    }
}

/// Whether a claim sets one arm's latency against another's.
pub(crate) fn compares_latencies(claim: &Expectation) -> bool {
    compares(claim, Property::NeedsIdleMachine)
}

fn compares(claim: &Expectation, property: Property) -> bool {
    compared(claim).is_some_and(|(left, _)| left.measure.has(property))
}

pub(super) fn lints(run: &Run, circumstances: &Circumstances, found: &mut Found) {
    let header = &run.header;
    let claims = claims(run);
    let is_hidden = |claim: &&Expectation| matches!(&claim.left, Side::Measure { query, .. } if query.measure.has(Property::NeedsOpenLoop));
    if let Some(claim) = claims.iter().find(is_hidden).filter(|_| header.closed) {
        let text = format!("a closed loop waits for slow answers, and `{}` does not see them", claim.text);
        found.inconclusive("closed_loop", text);
    }
    let (reader, photo) = header.popularity;
    for (name, exponent) in [("reader", reader), ("photo", photo)] {
        if exponent > MAX_POPULARITY {
            let text = format!("popularity of {name} is {exponent}: one key is nearly the whole benchmark");
            found.inconclusive("popularity", text);
        }
    }
    if circumstances.interleaved && header.rounds < MIN_ROUNDS {
        let costs = claims.iter().find(|claim| compares(claim, Property::NeedsContext));
        if let Some(claim) = costs {
            let text = format!("`{}` compares what took turns once; write repeats = 3", claim.text);
            found.inconclusive("one_round", text);
        }
    }
    if !circumstances.interleaved
        && circumstances.noisy
        && let Some(claim) = claims.iter().find(|claim| compares_latencies(claim))
    {
        found.inconclusive("noisy", format!("{TOO_BUSY}: `{}`", claim.text));
    }
    mostly_errors(run, found);
    not_judged(run, found);
    for claim in &claims {
        let Some((left, right)) = compared(claim).filter(|_| compares(claim, Property::NeedsContext)) else {
            continue;
        };
        let arms = left.arms(run).into_iter().chain(right.arms(run));
        let hollow = arms.filter(|arm| !breakdowns::is_known(run, *arm)).collect::<String>();
        if !hollow.is_empty() {
            let text = format!("`{}`: work, hops and hop cost of {hollow} are not known", claim.text);
            found.inconclusive("hollow_ratio", text);
        }
    }
    if let Some(text) = claims.iter().find_map(|claim| without_copies(run, claim)) {
        found.inconclusive("no_copies", text);
    }
    if let Some(text) = claims.iter().find_map(|claim| given_unequally(run, claim)) {
        found.inconclusive("unequal_resources", text);
    }
}

/// A claim that compares arms which were not given the same.
fn given_unequally(run: &Run, claim: &Expectation) -> Option<String> {
    let (left, right) = compared(claim)?;
    let letters: Vec<char> = left.arms(run).into_iter().chain(right.arms(run)).collect();
    let arms: Vec<&Arm> = run.header.arms.iter().filter(|arm| letters.contains(&arm.letter)).collect();
    let differences = resources::differences(&arms).join("; ");
    (!differences.is_empty())
        .then(|| format!("`{}` compares arms that were not given the same: {differences}", claim.text))
}

/// Expectations that no arm of this run is bound to.
fn not_judged(run: &Run, found: &mut Found) {
    let mut ids: Vec<u32> =
        run.checks().into_iter().filter(|check| is_unjudged(check)).map(|check| check.id).collect();
    ids.dedup();
    let all = run.header.expectations.len();
    if !ids.is_empty() {
        let text = format!("{} of {all} claims not judged: their arms are not run", ids.len());
        found.inconclusive("not_judged", text);
    }
}

/// Failures of more than half of the journeys, where nothing was broken on purpose.
fn mostly_errors(run: &Run, found: &mut Found) {
    if run.header.steps.iter().any(|step| step.is_fault) {
        return;
    }
    let whole = run.whole(&Window::Whole);
    for arm in &run.header.arms {
        let offered = run.sum(arm.letter, &whole, "all", |w| w.offered);
        let ok = run.sum(arm.letter, &whole, "all", |w| w.ok);
        if offered > 0 && ok * 2 < offered {
            let text =
                format!("{}: {ok} of {offered} journeys were answered, and nothing was broken", arm.name);
            found.invalid("mostly_errors", text);
        }
    }
}

/// A claim that services beat a monolith, where no monolith with copies is to be had.
fn without_copies(run: &Run, claim: &Expectation) -> Option<String> {
    let (left, right) = compared(claim)?;
    let (one, other) = (*left.arms(run).first()?, *right.arms(run).first()?);
    let is_higher_better = left.measure.better == Better::Higher;
    let (winner, loser) = match (claim.op, is_higher_better) {
        (Op::AtMost | Op::Below, false) | (Op::AtLeast | Op::Above, true) => (one, other),
        (Op::AtMost | Op::Below, true) | (Op::AtLeast | Op::Above, false) => (other, one),
        (Op::Equal, _) => return None,
    };
    let arm = |letter: char| run.header.arms.iter().find(|arm| arm.letter == letter);
    let is_split = arm(winner)?.databases > 1;
    let is_whole = arm(loser)?.databases == 1 && arm(loser)?.instances.len() == 1;
    (is_split && is_whole && !run.header.has_copies).then(|| {
        format!("`{}` beats a monolith without copies; write [topology.mono-x3] as well", claim.text)
    })
}
