//! Every arrival of a round: time, user, journey and target. The same for all arms, and another one in each round: a
//! round that repeated the last one's arrivals would add nothing to what is known of others.
//!
//! Times come from one random stream, everything else from draws by number: a different
//! mix never moves an arrival, a different data set never changes a journey.

use std::sync::Arc;

use contract::hash::{fnv1a64, fnv1a64_with, mix};
use record::PhasePlan;

use crate::arrival_trace::TraceRow;
use crate::dataset::Dataset;
use crate::distributions::WeightedChoice;
use crate::journey::Journey;
pub use crate::journey_target::JourneyTarget;
use crate::journey_target::{TargetPicker, UsedTargets};
use crate::load::{Arrivals, Load, Shape, Surge};
use crate::random::{Rng, Seed};

/// One arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Number of the arrival, from 0.
    pub seq: u64,
    /// Time, ns since the load's start.
    pub due_ns: u64,
    /// Journey.
    pub journey: Journey,
    /// Index of the user.
    pub user: u32,
    /// The encoded target; see [`Arrival::target`].
    pub target: u64,
    /// Seed of all other draws.
    pub payload_seed: u64,
}

impl Arrival {
    /// The target it acts on.
    pub const fn target(&self) -> JourneyTarget {
        JourneyTarget::of(self.journey, self.target)
    }
}

#[derive(Clone)]
struct Phase {
    start_ns: u64,
    end_ns: u64,
    shape: Shape,
}

/// Lowest rate of constant arrivals, per second: the minimum of a sine may be 0.
const MIN_RATE: f64 = 0.01;

/// The arrivals of a round, as an iterator; they are never collected.
#[derive(Clone)]
pub struct Schedule {
    seed: Seed,
    gaps: Rng,
    arrivals: Arrivals,
    phases: Vec<Phase>,
    peak: f64,
    surges: Vec<Surge>,
    rows: Arc<[TraceRow]>,
    at_ns: u64,
    seq: u64,
    journeys: Vec<Journey>,
    mix: WeightedChoice,
    picker: Arc<TargetPicker>,
    used: UsedTargets,
}

impl Schedule {
    /// The schedule of a seed and round, from 1, over phases. What a data set is made of is the seed's in every round,
    /// which of its users are active included; a recorded trace keeps its arrivals and users.
    ///
    /// # Panics
    /// If the load offers nothing; [`Load::diagnostics`] reports that.
    pub fn new(seed: u64, round: u32, phases: &[PhasePlan], load: &Load, data: &Arc<Dataset>) -> Self {
        let (run, seed) = (Seed(seed), Seed(seed).of_round(round));
        let names: Vec<&str> = phases.iter().map(|phase| phase.name.as_str()).collect();
        let phases = phases.iter().zip(load.shapes(&names)).map(|(phase, shape)| Phase {
            start_ns: phase.start_ns,
            end_ns: phase.start_ns + phase.length_ns,
            shape,
        });
        let (journeys, weights): (Vec<_>, Vec<_>) = load.weights().into_iter().unzip();
        Self {
            seed,
            gaps: seed.stream("arrival"),
            arrivals: load.arrivals,
            phases: phases.collect(),
            peak: load.highest_rate(),
            surges: load.surges.clone(),
            rows: load.rows.as_slice().into(),
            at_ns: 0,
            seq: 0,
            journeys,
            mix: WeightedChoice::new(&weights),
            picker: Arc::new(TargetPicker::new(run, seed, data, &load.popularity)),
            used: UsedTargets::default(),
        }
    }

    /// Digest of all remaining arrivals, in hex: schedules with equal digests offer the same load.
    pub fn digest(&self) -> String {
        let hash = self.clone().fold(fnv1a64(&[]), |hash, arrival| {
            let Arrival { seq, due_ns, journey, user, target, payload_seed } = arrival;
            let parts = [seq, due_ns, u64::from(user), target, payload_seed].map(u64::to_le_bytes);
            mix(fnv1a64_with(parts.as_flattened(), fnv1a64_with(journey.name().as_bytes(), hash)))
        });
        format!("{hash:016x}")
    }

    /// The rate at a time, per second: 0 between two phases; `None` after the end.
    pub(crate) fn rate(&self, at_ns: u64) -> Option<f64> {
        let phase = self.phases.iter().find(|phase| at_ns < phase.end_ns)?;
        if at_ns < phase.start_ns {
            return Some(0.0);
        }
        let surge: f64 = self.surges.iter().map(|surge| surge.at(at_ns)).product();
        Some(surge * phase.shape.at(at_ns - phase.start_ns, phase.end_ns - phase.start_ns))
    }

    /// The same time, or the start of the next phase where it lies between two.
    fn within_phase(&self, at_ns: u64) -> u64 {
        let phase = self.phases.iter().find(|phase| at_ns < phase.end_ns);
        phase.map_or(at_ns, |phase| at_ns.max(phase.start_ns))
    }

    /// The next arrival of the trace that is due before the last phase ends.
    fn next_row(&mut self) -> Option<(u64, Journey, Option<u32>)> {
        let row = self.rows.get(usize::try_from(self.seq).ok()?)?;
        let due_ns = row.offset_us.saturating_mul(1_000);
        let end_ns = self.phases.last()?.end_ns;
        (due_ns < end_ns).then_some((due_ns, row.journey, Some(row.user)))
    }

    /// The next drawn arrival.
    fn next_drawn(&mut self) -> Option<(u64, Journey, Option<u32>)> {
        let due_ns = self.next_moment()?;
        Some((due_ns, self.journeys[self.mix.index(self.seed.unit("journey", self.seq))], None))
    }

    /// Time of the next drawn arrival.
    fn next_moment(&mut self) -> Option<u64> {
        match self.arrivals {
            // Thinning (Lewis & Shedler 1979): candidates at the peak rate, kept with the share of now.
            Arrivals::Poisson => loop {
                let gap = self.gaps.exp();
                let keep = self.gaps.unit();
                self.at_ns = self.at_ns.saturating_add(nanos(gap / self.peak));
                if keep * self.peak < self.rate(self.at_ns)? {
                    return Some(self.at_ns);
                }
            },
            Arrivals::Constant => {
                let rate = self.rate(self.at_ns)?;
                let next_ns = self.at_ns.saturating_add(nanos(1.0 / rate.max(MIN_RATE)));
                self.at_ns = self.within_phase(next_ns);
                self.rate(self.at_ns).map(|_| self.at_ns)
            }
        }
    }
}

/// Whole nanoseconds: `ln` differs in its last bit between machines, and sums of such doubles
/// would give different schedules.
fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}

impl Iterator for Schedule {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let next = if self.rows.is_empty() { self.next_drawn() } else { self.next_row() };
        let (due_ns, drawn_journey, user) = next?;
        let seq = self.seq;
        self.seq += 1;
        let (journey, user, target) = self.picker.act(&mut self.used, drawn_journey, user, seq);
        let payload_seed = self.seed.draw("payload", seq);
        Some(Arrival { seq, due_ns, journey, user, target: target.code(), payload_seed })
    }
}
