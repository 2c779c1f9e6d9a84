//! Services against a monolith of one copy (trap T17): a monolith can be copied as well.

use model::Run;
use record::Arm;

use super::claim::{Doubt, claims, is_of_a_win, winner_and_loser};
use super::{LintList, lint};
use crate::expect::Expectation;

/// A claim that services beat a monolith, where the scenario declares none with copies.
pub(super) fn no_copies(run: &Run, claim: &Expectation) -> Option<Doubt> {
    (beats_one_copy(run, claim) && !run.header.has_copies)
        .then(|| Doubt { lint: "no_copies", reason: "it beats a monolith without copies".to_owned() })
}

/// The same where one is declared and was not run.
pub(super) fn note(run: &Run, found: &mut LintList) {
    if !run.header.has_copies || run.header.arms.iter().any(is_copied) {
        return;
    }
    let beaten = claims(run).into_iter().filter(|claim| beats_one_copy(run, claim));
    let texts: Vec<String> = beaten.map(|claim| format!("`{}`", claim.text)).collect();
    if !texts.is_empty() {
        found.0.push(lint("one_copy", format!("against one copy{}: {}", how(run), texts.join(", "))));
    }
}

/// Whether a claim is won against a monolith of one copy, in a run without one that has several.
pub(crate) fn is_against_one_copy(run: &Run, claim: &Expectation) -> bool {
    beats_one_copy(run, claim) && !run.header.arms.iter().any(is_copied)
}

/// `; --arms mono,micro,mono-x3 adds the one with copies`.
fn how(run: &Run) -> String {
    let Some(copies) = run.header.copies.first() else { return String::new() };
    let arms: Vec<&str> = run.header.arms.iter().map(|arm| arm.name.as_str()).collect();
    format!("; --arms {},{copies} adds the one with copies", arms.join(","))
}

fn beats_one_copy(run: &Run, claim: &Expectation) -> bool {
    let Some((winner, loser)) = winner_and_loser(run, claim) else { return false };
    let [Some(winner), Some(loser)] = [winner, loser].map(|side| run.arm(side.arm)) else { return false };
    is_of_a_win(claim) && is_split(winner) && is_one_copy(loser)
}

/// Whether an arm is services: processes that hold different components.
pub(crate) fn is_split(arm: &Arm) -> bool {
    let mut held = components_of_processes(arm);
    held.next().is_some_and(|first| held.any(|other| other != first))
}

/// Whether an arm is a monolith of one copy.
pub(crate) fn is_one_copy(arm: &Arm) -> bool {
    arm.processes() == 1
}

/// Whether an arm is a monolith with copies: more than one process that holds components, and each the same.
pub(crate) fn is_copied(arm: &Arm) -> bool {
    components_of_processes(arm).count() > 1 && !is_split(arm)
}

/// What each process with components holds of them.
fn components_of_processes(arm: &Arm) -> impl Iterator<Item = Vec<&str>> {
    let components = arm.instances.iter().map(|instance| {
        let hosts = instance.hosts.iter().map(String::as_str);
        hosts.filter(|host| !["gateway", "registry"].contains(host)).collect::<Vec<_>>()
    });
    components.filter(|components| !components.is_empty())
}
