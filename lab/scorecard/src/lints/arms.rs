//! What the seconds and the audits of the arms show.

use model::{Run, TimeRange, Window};
use record::Arm;

use super::{LintList, failures, is_unjudged};
use crate::expect::Argument;
use crate::measures::highest_memory;
use crate::selection::Selection;

/// Share of empty pages from which a read journey read nothing (trap T4).
const MAX_EMPTY_PAGES: f64 = 0.05;
/// Exponent of popularity from which one key is the whole benchmark: at 1.4 the hottest of 40,000 gets a third of all.
const MAX_POPULARITY: f64 = 1.4;
/// Bytes of a MiB.
const MIB: f64 = 1_048_576.0;

pub(super) fn lints(run: &Run, found: &mut LintList) {
    for arm in &run.header.arms {
        of_seconds(run, arm, found);
        over_budget(run, arm, found);
        if let Some(text) = failures::without_cause(run, arm) {
            found.add("failures_without_cause", text);
        }
    }
    of_load(run, found);
    mostly_errors(run, found);
    audit_incomplete(run, found);
    not_judged(run, found);
}

/// What the seconds of one arm show.
fn of_seconds(run: &Run, arm: &Arm, found: &mut LintList) {
    let name = &arm.name;
    let whole = run.whole(&Window::Whole);
    let sum = |which: fn(&record::Window) -> u64| run.sum(arm.letter, &whole, "all", which);
    let (offered, ok) = (sum(|w| w.offered), sum(|w| w.ok));
    let failed = sum(|w| w.errors.values().sum());
    let (dropped, abandoned) = (sum(|w| w.dropped), sum(|w| w.abandoned));
    if offered != ok + failed + dropped + abandoned {
        let text = format!(
            "{name}: {offered} offered are not {ok} ok + {failed} failed + {dropped} dropped + {abandoned} abandoned"
        );
        found.add("conservation", text);
    }
    let unexpected = dropped - dropped_in_overload(run, arm.letter);
    if unexpected > 0 && !run.header.drops {
        found.add(
            "queue_cap",
            format!("{name}: {unexpected} arrivals found the queue full; raise `queue_cap`"),
        );
    }
    for phase in run.header.phases.iter().filter(|phase| phase.measure) {
        let range = run.whole(&Window::Phase(phase.name.clone()));
        if run.sum(arm.letter, &range, "all", |w| w.offered) == 0 {
            found.add("no_samples", format!("{name}: nothing was offered in phase `{}`", phase.name));
        }
    }
    let (pages, empty) = (sum(|w| w.pages), sum(|w| w.empty_pages));
    if pages > 0 && empty as f64 > MAX_EMPTY_PAGES * pages as f64 {
        found.add("empty_pages", format!("{name}: {empty} of {pages} pages were empty; reads read nothing"));
    }
}

/// Arrivals that found the queue full in measured phases that are overloaded on purpose: they are a part of that.
fn dropped_in_overload(run: &Run, arm: char) -> u64 {
    let phases = run.header.phases.iter().filter(|phase| phase.measure && run.is_overloaded(phase));
    let ranges = phases.map(|phase| run.whole(&Window::Phase(phase.name.clone())));
    ranges.map(|range| run.sum(arm, &range, "all", |window| window.dropped)).sum()
}

fn over_budget(run: &Run, arm: &Arm, found: &mut LintList) {
    let Some(budget) = run.header.budget_memory else { return };
    let whole = Selection::new(run, arm.letter, &Window::Whole, &Argument::None);
    let held = highest_memory(&whole, |_| true).unwrap_or(0.0);
    if held > budget as f64 {
        let text =
            format!("{}: {:.0} MiB held, {:.0} MiB allowed", arm.name, held / MIB, budget as f64 / MIB);
        found.add("over_budget", text);
    }
}

/// What the load of all arms shows.
fn of_load(run: &Run, found: &mut LintList) {
    let whole = run.whole(&Window::Whole);
    let offered: Vec<u64> =
        run.letters().into_iter().map(|arm| run.sum(arm, &whole, "all", |w| w.offered)).collect();
    // In a closed loop the arms decide how many come.
    if !run.header.closed && offered.windows(2).any(|pair| pair[0] != pair[1]) {
        found.add("unequal_load", format!("the arms were offered {offered:?} arrivals"));
    }
    let (reader, photo) = run.header.popularity;
    for (name, exponent) in [("reader", reader), ("photo", photo)] {
        if exponent > MAX_POPULARITY {
            let text = format!("popularity of {name} is {exponent}: one key is nearly the whole benchmark");
            found.add("popularity", text);
        } else if exponent <= 0.0 {
            let text = format!(
                "popularity of {name} is 0: all keys get the same, and no cache or hot row behaves so; write 0.8 to 1.2"
            );
            found.add("popularity", text);
        }
    }
}

/// Failures of more than half of the journeys, where nothing was broken and nothing overloaded on purpose.
fn mostly_errors(run: &Run, found: &mut LintList) {
    if run.header.steps.iter().any(|step| step.is_fault) {
        return;
    }
    for arm in &run.header.arms {
        let carried: Vec<TimeRange> = run.phases_to_carry().map(|phase| run.whole(&phase)).collect();
        let sum = |which: fn(&record::Window) -> u64| -> u64 {
            carried.iter().map(|range| run.sum(arm.letter, range, "all", which)).sum()
        };
        let (offered, ok) = (sum(|w| w.offered), sum(|w| w.ok));
        if offered > 0 && ok * 2 < offered {
            let text =
                format!("{}: {ok} of {offered} journeys were answered, and nothing was broken", arm.name);
            found.add("mostly_errors", text);
        }
    }
}

fn audit_incomplete(run: &Run, found: &mut LintList) {
    for audit in run.audits().into_iter().filter(|audit| audit.unverified > 0) {
        let text = format!(
            "{}: {} reads of the audit of {} acknowledged writes failed after the load: neither lost nor found",
            run.arm_name(audit.arm),
            audit.unverified,
            audit.acknowledged
        );
        found.add("audit_incomplete", text);
    }
}

/// Expectations that no arm of this run is bound to.
fn not_judged(run: &Run, found: &mut LintList) {
    let mut ids: Vec<u32> =
        run.checks().into_iter().filter(|check| is_unjudged(check)).map(|check| check.id).collect();
    ids.dedup();
    let all = run.header.expectations.len();
    if !ids.is_empty() {
        found.add("not_judged", format!("{} of {all} claims not judged: their arms are not run", ids.len()));
    }
}
