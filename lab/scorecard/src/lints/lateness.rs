//! The generator's own lateness, as a part of the latencies that were measured: they count from when an arrival was due, and so
//! hold what passed until it was sent.

use model::Run;
use model::format::{percent, value};

use super::{Doubt, LintList};
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

/// A percentile of what was answered of which a large part is the generator's lateness.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LatePercentile {
    /// From when arrivals were due, microseconds: what is shown.
    due_us: u64,
    /// From when they were sent, microseconds.
    sent_us: u64,
}

impl LatePercentile {
    /// `None` where the lateness is a small part, and where an arm's own stall made arrivals late.
    pub fn of(of: &Selection<'_>, q: f64) -> Option<Self> {
        let waited = of.latencies(|window| &window.slot_wait).len();
        if waited * ARM_STALLED > of.sum(|window| window.sent) {
            return None;
        }
        Self::seen(of, q).filter(|late| late.us() > MAX_US && late.part() > MAX_PART)
    }

    /// However small it is.
    fn seen(of: &Selection<'_>, q: f64) -> Option<Self> {
        let due_us = of.latencies(|window| &window.intended).quantile(q)?;
        Some(Self { due_us, sent_us: of.latencies(|window| &window.service).quantile(q)? })
    }

    fn us(self) -> u64 {
        self.due_us.saturating_sub(self.sent_us)
    }

    fn part(self) -> f64 {
        self.us() as f64 / self.due_us as f64
    }

    /// Whether a limit, seconds, lies between the two: the lateness decides whether it is kept.
    fn decides(self, limit_s: f64) -> bool {
        (self.sent_us as f64 / 1e6..=self.due_us as f64 / 1e6).contains(&limit_s)
    }
}

/// Percentiles of a claim that are the generator's in large part. A claim is touched only where the lateness decides: where a
/// limit lies between what was measured and what is left without it, or where two arms compare otherwise without it.
pub(super) fn doubts(run: &Run, claim: &Expectation) -> Vec<Doubt> {
    match (&claim.left, &claim.right) {
        (Side::Measure { factor, query }, Side::Quantity { value, .. }) => {
            of_side(run, query, |late| late.decides(value / factor))
        }
        (Side::Measure { query: left, .. }, Side::Measure { query: right, .. }) => {
            let decides = decides_between(run, claim);
            [left, right].into_iter().flat_map(|query| of_side(run, query, |_| decides)).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether two arms compare otherwise where either is taken without the lateness.
fn decides_between(run: &Run, claim: &Expectation) -> bool {
    let values = |side: &Side| match side {
        Side::Measure { factor, query } => {
            let of = query.of(run, *query.arms(run).first()?);
            let late = LatePercentile::seen(&of, query.measure.quantile?)?;
            Some([late.due_us, late.sent_us].map(|us| factor * us as f64))
        }
        Side::Quantity { .. } => None,
    };
    let (Some(left), Some(right)) = (values(&claim.left), values(&claim.right)) else { return true };
    let pairs = left.into_iter().flat_map(|one| right.map(|other| (one, other)));
    let mut verdicts = pairs.map(|(one, other)| claim.op.holds(one, other));
    let first = verdicts.next();
    verdicts.any(|verdict| Some(verdict) != first)
}

fn of_side(run: &Run, query: &Query, decides: impl Fn(LatePercentile) -> bool) -> Vec<Doubt> {
    let of_arm = |arm| {
        let selection = query.of(run, arm);
        let late = LatePercentile::of(&selection, query.measure.quantile?).filter(|late| decides(*late))?;
        Some(Doubt { lint: LATE_SENDS, reason: reason(query.measure, &selection, late) })
    };
    query.arms(run).into_iter().filter_map(of_arm).collect()
}

fn reason(measure: &Measure, of: &Selection<'_>, late: LatePercentile) -> String {
    format!(
        "{}: {} of {} in {} is the generator's own lateness, {} of it",
        of.run.arm_name(of.arm),
        value(Some(late.us() as f64 / 1e6), Unit::Time.symbol()),
        measure.name,
        name_of(of.window),
        percent(Some(late.part()))
    )
}

/// Rows of undisturbed latency that have no finding for it.
pub(super) fn notes(run: &Run, found: &mut LintList) {
    let window = steady(run);
    for arm in run.letters() {
        let selection = Selection::new(run, arm, &window, &Argument::None);
        for measure in CATALOGUE.iter().filter(|measure| !measure.rows.is_empty()) {
            if let Some(late) = measure.quantile.and_then(|q| LatePercentile::of(&selection, q)) {
                found.add_note(LATE_SENDS, reason(measure, &selection, late));
            }
        }
    }
}
