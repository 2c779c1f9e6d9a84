//! The generator's own lateness, as a part of the latencies that were measured: they count from when an arrival was due, and so
//! hold what passed until it was sent.

use model::Run;
use model::format::{percent, value};

use super::{Doubt, Found};
use crate::expect::{Argument, Expectation, Query, Side};
use crate::measure::{Measure, Unit};
use crate::measures::CATALOGUE;
use crate::selection::{Selection, name_of, steady};

/// Name of the lint.
const LATE_SENDS: &str = "late_sends";
/// Part of a percentile that may be the generator's: it moves a ratio of two arms by less than a tenth of its distance
/// from one.
const MAX_PART: f64 = 0.1;
/// Or so much of it, microseconds: what the scheduler takes to start a thread on an idle machine.
const MAX_US: u64 = 200;
/// From one arrival in so many that found all slots busy, an arm's own stall made arrivals late.
const ARM_STALLED: u64 = 100;

/// By how much a percentile of what was answered would be lower if each arrival had been sent when it was due, where that
/// is a large part of it: microseconds, and that part.
pub(crate) fn late(of: &Selection<'_>, q: f64) -> Option<(u64, f64)> {
    let waited = of.latencies(|window| &window.slot_wait).len();
    if waited * ARM_STALLED > of.sum(|window| window.sent) {
        return None;
    }
    let from_due = of.latencies(|window| &window.intended).quantile(q)?;
    let from_sent = of.latencies(|window| &window.service).quantile(q)?;
    let us = from_due.saturating_sub(from_sent);
    let part = us as f64 / from_due as f64;
    (us > MAX_US && part > MAX_PART).then_some((us, part))
}

/// Percentiles of a claim that are the generator's in large part. A claim with a limit is touched only where the limit lies
/// between what was measured and what is left without the lateness: elsewhere it does not decide.
pub(super) fn doubts(run: &Run, claim: &Expectation) -> Vec<Doubt> {
    match (&claim.left, &claim.right) {
        (Side::Measure { query, .. }, Side::Quantity { value, .. }) => of_side(run, query, Some(*value)),
        (Side::Measure { query: left, .. }, Side::Measure { query: right, .. }) => {
            [left, right].into_iter().flat_map(|query| of_side(run, query, None)).collect()
        }
        _ => Vec::new(),
    }
}

fn of_side(run: &Run, query: &Query, limit_s: Option<f64>) -> Vec<Doubt> {
    let of_arm = |arm| {
        let selection = query.of(run, arm);
        let reason = reason(query.measure, &selection)?;
        let decides = limit_s.is_none_or(|limit| is_between(&selection, query.measure, limit));
        decides.then_some(Doubt { lint: LATE_SENDS, reason })
    };
    query.arms(run).into_iter().filter_map(of_arm).collect()
}

/// Whether a limit, seconds, lies between a percentile from the send and the same from when arrivals were due.
fn is_between(of: &Selection<'_>, measure: &Measure, limit_s: f64) -> bool {
    let seconds = |which: fn(&record::Window) -> &record::Latencies| {
        let us = of.latencies(which).quantile(measure.quantile?)?;
        Some(us as f64 / 1e6)
    };
    let ends = seconds(|window| &window.service).zip(seconds(|window| &window.intended));
    ends.is_some_and(|(sent, due)| (sent..=due).contains(&limit_s))
}

fn reason(measure: &Measure, of: &Selection<'_>) -> Option<String> {
    let (us, part) = late(of, measure.quantile?)?;
    Some(format!(
        "{}: {} of {} in {} is the generator's own lateness, {} of it",
        of.run.arm_name(of.arm),
        value(Some(us as f64 / 1e6), Unit::Time.symbol()),
        measure.name,
        name_of(of.window),
        percent(Some(part))
    ))
}

/// Rows of undisturbed latency that have no finding for it.
pub(super) fn notes(run: &Run, found: &mut Found) {
    let window = steady(run);
    for arm in run.letters() {
        let selection = Selection::new(run, arm, &window, &Argument::None);
        for measure in CATALOGUE.iter().filter(|measure| !measure.rows.is_empty()) {
            if let Some(text) = reason(measure, &selection) {
                found.add_note(LATE_SENDS, text);
            }
        }
    }
}
