//! Phases as they begin, and what each of them cost.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use record::{Entry, PhasePlan};

use crate::arm::Arm;
use crate::observe::record_writer::RecordWriter;
use crate::observe::totals::{ArmTotals, arm_totals};
use crate::process::control::ControlClient;

/// What a phase cost an arm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PhaseCost {
    arm: char,
    phase: String,
    totals: ArmTotals,
}

/// The phases of one block of load.
pub(crate) struct Phases<'a> {
    pub plan: &'a [PhasePlan],
    /// Rates that a search for capacity may go on to afterwards.
    pub further: &'a [PhasePlan],
    pub arms: &'a [Arc<Arm>],
    pub round: u32,
    /// When the load began.
    pub start: Instant,
    pub record: &'a RecordWriter,
    pub control: &'a ControlClient,
}

impl Phases<'_> {
    /// Writes when phases begin, and adds to `costs` as each ends.
    pub async fn run(&self, costs: &Mutex<Vec<PhaseCost>>) {
        let mut before: Option<Vec<ArmTotals>> = None;
        for (index, phase) in self.plan.iter().enumerate() {
            self.begin(index, phase).await;
            let now = self.totals().await;
            if let (Some(before), Some(last)) = (before.replace(now.clone()), index.checked_sub(1)) {
                self.add_costs(costs, &self.plan[last].name, &before, &now);
            }
        }
        if let (Some(before), Some(last)) = (before, self.plan.last()) {
            self.sleep_until(last.start_ns + last.length_ns).await;
            let now = self.totals().await;
            self.add_costs(costs, &last.name, &before, &now);
        }
    }

    /// Waits for the begin of a phase, and writes it.
    pub(super) async fn begin(&self, index: usize, phase: &PhasePlan) {
        self.sleep_until(phase.start_ns).await;
        self.record.append(Entry::Phase(record::Phase {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            name: phase.name.clone(),
            round: self.round,
            arms: self.letters().collect(),
        }));
    }

    pub(super) fn letters(&self) -> impl Iterator<Item = char> {
        self.arms.iter().map(|arm| arm.plan.letter)
    }

    pub(super) async fn sleep_until(&self, ns: u64) {
        tokio::time::sleep_until((self.start + Duration::from_nanos(ns)).into()).await;
    }

    pub(super) async fn totals(&self) -> Vec<ArmTotals> {
        let arms: Vec<_> = self.arms.iter().map(|arm| arm.sampled()).collect();
        futures_util::future::join_all(arms.iter().map(|arm| arm_totals(arm, self.control))).await
    }

    pub(super) fn add_costs(
        &self,
        costs: &Mutex<Vec<PhaseCost>>,
        phase: &str,
        before: &[ArmTotals],
        now: &[ArmTotals],
    ) {
        costs.lock().expect("no panic while held").extend(phase_costs(self.letters(), phase, before, now));
    }
}

/// What was added between the bounds of a phase, by arm.
fn phase_costs(
    letters: impl Iterator<Item = char>,
    phase: &str,
    before: &[ArmTotals],
    now: &[ArmTotals],
) -> Vec<PhaseCost> {
    let arms = letters.zip(before).zip(now);
    let cost = |((arm, before), now): ((char, &ArmTotals), &ArmTotals)| PhaseCost {
        arm,
        phase: phase.to_owned(),
        totals: now.since(before),
    };
    arms.map(cost).collect()
}

/// Writes costs, once all windows are final: they are per journey.
pub(crate) fn append_costs(record: &RecordWriter, round: u32, costs: Vec<PhaseCost>) {
    for cost in costs {
        let window = model::Window::Phase(cost.phase.clone());
        let journeys = record
            .query(|run| {
                let range = model::TimeRange { round, seconds: run.seconds(&window) };
                run.sum(cost.arm, &range, "all", |window| window.sent)
            })
            .unwrap_or(0);
        record.append(Entry::Cost(Box::new(cost.line(round, journeys))));
    }
}

impl PhaseCost {
    fn line(self, round: u32, journeys: u64) -> record::Cost {
        let Self { arm, phase, totals } = self;
        record::Cost {
            arm,
            round,
            phase,
            journeys,
            hops: if journeys > 0 { totals.requests as f64 / journeys as f64 } else { 0.0 },
            cpu_total_ns: totals.cpu_total_ns,
            cpu_parts_ns: totals.cpu_parts_ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(requests: u64) -> ArmTotals {
        ArmTotals { requests, cpu_total_ns: requests * 1_000, ..ArmTotals::default() }
    }

    #[test]
    fn a_phase_costs_what_was_added_between_its_bounds() {
        let before = [totals(100), totals(500)];
        let now = [totals(130), totals(590)];
        let costs = phase_costs("AB".chars(), "steady", &before, &now);
        let lines: Vec<_> = costs.into_iter().map(|cost| cost.line(1, 30)).collect();
        assert_eq!((lines[0].arm, lines[0].hops), ('A', 1.0), "30 requests of 30 journeys");
        assert_eq!((lines[1].arm, lines[1].hops), ('B', 3.0), "90 requests of 30 journeys");
        assert_eq!(lines[1].cpu_total_ns, 90_000);
    }

    #[test]
    fn a_phase_without_journeys_has_no_hops() {
        let [cost] = &phase_costs("A".chars(), "warm", &[totals(0)], &[totals(7)])[..] else {
            panic!("one arm")
        };
        assert_eq!(cost.clone().line(1, 0).hops, 0.0);
    }
}
