//! Claims of the scenario that this run cannot support: each rule finds a reason not to judge a claim, or none.

use std::collections::BTreeMap;

use model::Run;
use record::Arm;

use super::claim::{Doubt, claims, compared, compares};
use super::{LintList, copies, delays, lateness, machine, populations, resources};
use crate::breakdowns;
use crate::expect::{Expectation, Side};
use crate::inference::needs::is_free_of_turns;
use crate::measure::Property;

/// Rounds from which arms that took turns can be compared.
const MIN_ROUNDS: u32 = 3;

/// The rules, in the order in which their reasons are shown.
const RULES: [fn(&Run, &Expectation) -> Vec<Doubt>; 11] = [
    |run, claim| closed_loop(run, claim).into_iter().collect(),
    |run, claim| one_round(run, claim).into_iter().collect(),
    machine::doubts,
    lateness::doubts,
    |run, claim| hollow_ratio(run, claim).into_iter().collect(),
    |run, claim| given_unequally(run, claim).into_iter().collect(),
    |run, claim| copies::no_copies(run, claim).into_iter().collect(),
    |run, claim| populations::unequal_errors(run, claim).into_iter().collect(),
    |run, claim| populations::drops(run, claim).into_iter().collect(),
    |run, claim| populations::not_steady(run, claim).into_iter().collect(),
    delays::doubts,
];

/// Why a claim is not to be judged, whichever way it went; empty where it is.
pub fn doubts(run: &Run, claim: &Expectation) -> Vec<Doubt> {
    RULES.iter().flat_map(|rule| rule(run, claim)).collect()
}

/// A lint for each rule that found something, with the claims that it touches.
pub(super) fn lints(run: &Run, found: &mut LintList) {
    let mut touched: BTreeMap<&'static str, Vec<(Doubt, String)>> = BTreeMap::new();
    for claim in claims(run) {
        for doubt in doubts(run, &claim) {
            touched.entry(doubt.lint).or_default().push((doubt, claim.text.clone()));
        }
    }
    for (lint, all) in touched {
        let Some(((first, claim), others)) = all.split_first() else { continue };
        let more = match others.len() {
            0 => String::new(),
            1 => " and 1 more claim".to_owned(),
            count => format!(" and {count} more claims"),
        };
        found.add(lint, format!("{}: `{claim}`{more}", first.reason));
    }
}

fn closed_loop(run: &Run, claim: &Expectation) -> Option<Doubt> {
    let Side::Measure { query, .. } = &claim.left else { return None };
    let is_hidden = run.header.closed && query.measure.has(Property::NeedsOpenLoop);
    is_hidden.then(|| Doubt {
        lint: "closed_loop",
        reason: format!(
            "a closed loop waits for slow answers, and {} does not see them",
            query.measure.form()
        ),
    })
}

fn one_round(run: &Run, claim: &Expectation) -> Option<Doubt> {
    let header = &run.header;
    let is_one = header.way == "interleaved" && header.rounds < MIN_ROUNDS;
    let (left, right) = compared(claim).filter(|_| is_one)?;
    let is_of_two = left.arms(run) != right.arms(run);
    (is_of_two && !(is_free_of_turns(left) && is_free_of_turns(right))).then(|| Doubt {
        lint: "one_round",
        reason: format!("the arms took turns {} times; write repeats = 6", header.rounds),
    })
}

fn hollow_ratio(run: &Run, claim: &Expectation) -> Option<Doubt> {
    let (left, right) = compared(claim).filter(|_| compares(claim, Property::NeedsContext))?;
    let arms = left.arms(run).into_iter().chain(right.arms(run));
    let hollow: Vec<String> =
        arms.filter(|arm| !breakdowns::is_known(run, *arm)).map(|arm| run.arm_name(arm)).collect();
    (!hollow.is_empty()).then(|| Doubt {
        lint: "hollow_ratio",
        reason: format!("work, hops and hop cost of {} are not known", hollow.join(" and ")),
    })
}

/// A claim that compares arms which were not given the same.
fn given_unequally(run: &Run, claim: &Expectation) -> Option<Doubt> {
    let (left, right) = compared(claim)?;
    let letters: Vec<char> = left.arms(run).into_iter().chain(right.arms(run)).collect();
    let arms: Vec<&Arm> = run.header.arms.iter().filter(|arm| letters.contains(&arm.letter)).collect();
    let differences = resources::differences(&arms).join("; ");
    (!differences.is_empty()).then(|| Doubt {
        lint: "unequal_resources",
        reason: format!("the arms were not given the same: {differences}"),
    })
}
