//! The schedules of a run: one a round, the same for all arms.

use std::sync::Arc;

use contract::hash::{fnv1a64, fnv1a64_with, mix};
use record::PhasePlan;
use scenario::Scenario;
use traffic::load::Model;
use traffic::{Arrival, Dataset, Schedule};

/// What each round offers, before any generator has started.
pub(crate) struct Schedules {
    /// Digest of each round's schedule, the first round's first.
    digests: Vec<String>,
    /// Arrivals offered to each arm over all rounds; 0 in a closed loop, where arms decide it.
    pub planned: u64,
    /// Of them those due in measured phases, round by round; empty in a closed loop.
    pub planned_measured: Vec<u64>,
    /// Where a round's schedule is not what the load declares: of the first such round.
    pub skewed: Vec<String>,
}

impl Schedules {
    /// The schedules of a seed over rounds, from 1. What is due at rates that a search may go on to is in the schedule and is
    /// not planned.
    pub fn plan(seed: u64, rounds: u32, scenario: &Scenario, data: &Arc<Dataset>) -> Self {
        let (phases, load) = (&scenario.offered_phases()[..], &scenario.offered_load());
        let mut schedules =
            Self { digests: Vec::new(), planned: 0, planned_measured: Vec::new(), skewed: Vec::new() };
        let measured = |arrival: &Arrival| {
            let phase = |phase: &&PhasePlan| {
                (phase.start_ns..phase.start_ns + phase.length_ns).contains(&arrival.due_ns)
            };
            phases.iter().find(phase).is_some_and(|phase| phase.measure)
        };
        for round in 1..=rounds.max(1) {
            let schedule = Schedule::new(seed, round, phases, load, data);
            schedules.digests.push(schedule.digest());
            if load.model == Model::Open {
                let (mut all, mut counted) = (0, 0);
                for arrival in schedule.clone().take_while(|arrival| arrival.due_ns < scenario.length_ns()) {
                    all += 1;
                    counted += u64::from(measured(&arrival));
                }
                schedules.planned += all;
                schedules.planned_measured.push(counted);
            }
            if schedules.skewed.is_empty() {
                schedules.skewed = traffic::skew::find_skew(schedule, phases, load);
            }
        }
        schedules
    }

    /// Digest over all rounds; with one round, its schedule's.
    pub fn digest(&self) -> String {
        match &self.digests[..] {
            [only] => only.clone(),
            all => {
                let hash = all.iter().fold(fnv1a64(&[]), |hash, digest| {
                    // Mixed between rounds: their order counts.
                    mix(fnv1a64_with(digest.as_bytes(), hash))
                });
                format!("{hash:016x}")
            }
        }
    }

    /// A sentence where a generator offers another schedule than is planned for a round.
    pub fn mismatch(&self, round: u32, offered: &str) -> Option<String> {
        let planned = self.digests.get((round as usize).saturating_sub(1)).map_or("none", String::as_str);
        (planned != offered).then(|| {
            format!("the generator offers schedule {offered} in round {round}, planned was {planned}")
        })
    }
}

#[cfg(test)]
mod tests {
    use traffic::Seed;

    use super::*;
    use crate::fixture;

    fn schedules(seed: u64, rounds: u32) -> Schedules {
        let scenario = fixture::scenario(&fixture::two_arms(""));
        let data = Dataset::generate(Seed(seed), scenario.load.size, &scenario.load.graph);
        Schedules::plan(seed, rounds, &scenario, &Arc::new(data))
    }

    #[test]
    fn every_round_has_a_schedule_of_its_own_and_the_digest_covers_all() {
        let (one, two, three) = (schedules(7, 1), schedules(7, 2), schedules(7, 3));
        assert_eq!(one.digests[..], two.digests[..1], "a round does not depend on how many follow");
        assert_eq!(two.digests[..], three.digests[..2]);
        assert_ne!(two.digests[0], two.digests[1], "two rounds offer other arrivals");
        assert_eq!(one.digest(), one.digests[0]);
        assert_ne!(two.digest(), three.digest());
        assert_eq!(two.digest(), schedules(7, 2).digest(), "a seed repeats");
        assert_ne!(two.digest(), schedules(8, 2).digest());
        // 40/s over 5 s: 200 a round, give or take five times the root.
        assert!(three.planned.abs_diff(600) < 5 * 25, "{}", three.planned);
        assert_eq!(three.skewed, [""; 0]);
        // The first of its seconds does not count.
        let measured: u64 = three.planned_measured.iter().sum();
        assert!(measured.abs_diff(480) < 5 * 22, "{measured}");
        assert_eq!(one.planned_measured[..], three.planned_measured[..1], "round by round");
    }

    #[test]
    fn all_arms_of_a_round_are_offered_its_schedule_and_no_other() {
        let two = schedules(7, 2);
        assert_eq!(two.mismatch(2, &two.digests[1]), None);
        let message = two.mismatch(2, &two.digests[0]).expect("that of round 1");
        assert!(message.contains("in round 2") && message.contains(&two.digests[1]), "{message}");
    }
}
