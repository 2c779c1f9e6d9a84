//! Phases as they begin, and what each of them cost.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use record::Entry;

use crate::arm::Arm;
use crate::observe::sampling::{ArmTotals, arm_totals};
use crate::run::stage::Stage;

/// What a phase cost an arm.
pub(crate) struct PhaseCost {
    arm: char,
    phase: String,
    totals: ArmTotals,
}

impl Stage {
    /// Says when phases begin, and takes the arms' cumulative figures at their bounds.
    pub(crate) async fn phases(
        &self,
        arms: &[Arc<Arm>],
        round: u32,
        start: Instant,
        costs: &Mutex<Vec<PhaseCost>>,
    ) {
        let letters: String = arms.iter().map(|arm| arm.plan.letter).collect();
        let plan = self.options.scenario.plan();
        let mut before: Option<Vec<ArmTotals>> = None;
        for (index, phase) in plan.iter().enumerate() {
            tokio::time::sleep_until((start + Duration::from_nanos(phase.start_ns)).into()).await;
            self.record.append(Entry::Phase(record::Phase {
                index: u32::try_from(index).unwrap_or(u32::MAX),
                name: phase.name.clone(),
                round,
                arms: letters.clone(),
            }));
            let now = self.all_totals(arms).await;
            if let (Some(before), Some(last)) = (before.replace(now.clone()), index.checked_sub(1)) {
                push_costs(costs, arms, &plan[last].name, &before, &now);
            }
        }
        if let (Some(before), Some(last)) = (before, plan.last()) {
            tokio::time::sleep_until((start + Duration::from_nanos(last.start_ns + last.length_ns)).into())
                .await;
            let now = self.all_totals(arms).await;
            push_costs(costs, arms, &last.name, &before, &now);
        }
    }

    async fn all_totals(&self, arms: &[Arc<Arm>]) -> Vec<ArmTotals> {
        futures_util::future::join_all(arms.iter().map(|arm| arm_totals(arm, &self.environment.control)))
            .await
    }

    /// Costs become lines once all windows are final: they are per journey.
    pub(crate) fn append_costs(&self, round: u32, costs: Vec<PhaseCost>) {
        for PhaseCost { arm, phase, totals } in costs {
            let window = model::Window::Phase(phase.clone());
            let journeys = self
                .record
                .query(|tally| {
                    let seconds = model::TimeRange { round, seconds: tally.seconds(&window) };
                    tally.sum(arm, &seconds, "all", |window| window.sent)
                })
                .unwrap_or(0);
            let hops = if journeys > 0 { totals.requests as f64 / journeys as f64 } else { 0.0 };
            self.record.append(Entry::Cost(Box::new(record::Cost {
                arm,
                round,
                phase,
                journeys,
                hops,
                cpu_total_ns: totals.cpu_total_ns,
                cpu_parts_ns: totals.cpu_parts_ns,
                wall_parts_ns: totals.wall_parts_ns,
                billed: totals.billed,
            })));
        }
    }
}

fn push_costs(
    costs: &Mutex<Vec<PhaseCost>>,
    arms: &[Arc<Arm>],
    phase: &str,
    before: &[ArmTotals],
    now: &[ArmTotals],
) {
    let mut costs = costs.lock().expect("no panic while held");
    for ((arm, before), now) in arms.iter().zip(before).zip(now) {
        costs.push(PhaseCost { arm: arm.plan.letter, phase: phase.to_owned(), totals: now.since(before) });
    }
}
