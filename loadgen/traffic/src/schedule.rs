//! Every arrival of a run: when, who, what, on which target. The same for all arms.
//!
//! Draws are by number, not from a shared stream, so that changing the mix
//! never moves an arrival. Each write gets a target no other write of the run
//! has: the final state then does not depend on which of two lands first.

use std::collections::HashSet;
use std::sync::Arc;

use contract::id::{fnv1a64, mix};
use record::PhasePlan;

use crate::dataset::{Dataset, author_weights};
use crate::journey::Journey;
use crate::load::{Arrivals, Load, Ramp};
use crate::sample::Weighted;
use crate::seed::{Rng, Seed};

/// One arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// From 0.
    pub seq: u64,
    /// When, ns since the load's start.
    pub due_ns: u64,
    /// What.
    pub journey: Journey,
    /// Index of the user who acts.
    pub user: u32,
    /// What it is about; its meaning is the journey's, see [`Target`].
    pub target: u64,
    /// For everything else that is drawn.
    pub payload_seed: u64,
}

/// What an arrival is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nothing beyond the user.
    Nothing,
    /// Index of a photo.
    Photo(u32),
    /// Index of another user.
    User(u32),
    /// Index of a user to be followed.
    Follow(u32),
    /// Index of a user to be followed no more.
    Unfollow(u32),
}

/// Set where a follow journey ends an edge.
const UNFOLLOW: u64 = 1 << 32;

impl Arrival {
    /// What it is about.
    pub fn target(&self) -> Target {
        let index = self.target as u32;
        match self.journey {
            Journey::ViewPhoto | Journey::Like | Journey::Search => Target::Photo(index),
            Journey::ViewProfile => Target::User(index),
            Journey::Follow if self.target & UNFOLLOW != 0 => Target::Unfollow(index),
            Journey::Follow => Target::Follow(index),
            Journey::HomeFeed
            | Journey::NextPage
            | Journey::Upload
            | Journey::EditProfile
            | Journey::SignUp
            | Journey::LogIn
            | Journey::PostThenRead => Target::Nothing,
        }
    }
}

#[derive(Clone)]
struct Phase {
    start_ns: f64,
    end_ns: f64,
    ramp: Ramp,
}

/// The arrivals of a run, made one by one: never a list of them.
#[derive(Clone)]
pub struct Schedule {
    seed: Seed,
    gaps: Rng,
    arrivals: Arrivals,
    phases: Vec<Phase>,
    peak: f64,
    at_ns: f64,
    seq: u64,
    journeys: Vec<Journey>,
    mix: Weighted,
    draws: Arc<Draws>,
    taken: Taken,
}

/// Who acts and on what, by weight.
struct Draws {
    data: Arc<Dataset>,
    readers: Weighted,
    reader_of_rank: Vec<u32>,
    authors: Weighted,
    photos: Weighted,
}

/// Targets of writes so far.
#[derive(Clone, Default)]
struct Taken {
    likes: HashSet<(u32, u32)>,
    edges: HashSet<(u32, u32)>,
    edited: HashSet<u32>,
    follows: u64,
}

impl Schedule {
    /// The schedule of a seed over phases.
    ///
    /// # Panics
    /// When nothing is offered: [`Load::faults`] has said so before.
    pub fn new(seed: u64, phases: &[PhasePlan], load: &Load, data: &Arc<Dataset>) -> Self {
        let seed = Seed(seed);
        let names: Vec<&str> = phases.iter().map(|phase| phase.name.as_str()).collect();
        let spans = phases.iter().zip(load.ramps(&names)).map(|(phase, ramp)| Phase {
            start_ns: phase.start_ns as f64,
            end_ns: (phase.start_ns + phase.length_ns) as f64,
            ramp,
        });
        let weights = load.weights();
        let users = data.users.len();
        let mut reader_of_rank: Vec<u32> = (0..users as u32).collect();
        seed.stream("user.rank").shuffle(&mut reader_of_rank);
        let draws = Draws {
            readers: Weighted::zipf(users, load.popularity.reader),
            reader_of_rank,
            authors: Weighted::new(&author_weights(&data.followers, users)),
            photos: Weighted::zipf(data.photos.len(), load.popularity.photo),
            data: data.clone(),
        };
        Self {
            seed,
            gaps: seed.stream("arrival"),
            arrivals: load.arrivals,
            phases: spans.collect(),
            peak: load.peak_rate(),
            at_ns: 0.0,
            seq: 0,
            journeys: weights.iter().map(|(journey, _)| *journey).collect(),
            mix: Weighted::new(&weights.iter().map(|(_, weight)| *weight).collect::<Vec<_>>()),
            draws: Arc::new(draws),
            taken: Taken::default(),
        }
    }

    /// Over all arrivals, in hex: equal digests offer equal load.
    pub fn digest(&self) -> String {
        let hash = self.clone().fold(0xcbf2_9ce4_8422_2325, |hash, arrival| {
            let mut bytes = [0; 40];
            let parts = [arrival.seq, arrival.due_ns, u64::from(arrival.user), arrival.target, arrival.payload_seed];
            for (slot, part) in bytes.chunks_mut(8).zip(parts) {
                slot.copy_from_slice(&part.to_le_bytes());
            }
            mix(fnv1a64(&bytes, fnv1a64(arrival.journey.name().as_bytes(), hash)))
        });
        format!("{hash:016x}")
    }

    /// The rate at a moment, per second; `None` after the end.
    fn rate(&self, at_ns: f64) -> Option<f64> {
        let phase = self.phases.iter().find(|phase| at_ns < phase.end_ns)?;
        let share = ((at_ns - phase.start_ns) / (phase.end_ns - phase.start_ns)).clamp(0.0, 1.0);
        let (from, to) = (phase.ramp.from.get(), phase.ramp.to.get());
        Some(from + (to - from) * share)
    }

    /// The next moment something arrives.
    fn next_moment(&mut self) -> Option<f64> {
        loop {
            match self.arrivals {
                // Thinning (Lewis & Shedler 1979): candidates at the peak rate, kept with the share of now.
                Arrivals::Poisson => {
                    self.at_ns += self.gaps.exp() / self.peak * 1e9;
                    let keep = self.gaps.unit();
                    if keep * self.peak < self.rate(self.at_ns)? {
                        return Some(self.at_ns);
                    }
                }
                Arrivals::Constant => {
                    let rate = self.rate(self.at_ns)?;
                    self.at_ns += 1e9 / rate.max(1e-3);
                    self.rate(self.at_ns)?;
                    return Some(self.at_ns);
                }
            }
        }
    }

    fn journey(&self, seq: u64) -> Journey {
        self.journeys[self.mix.index(self.seed.unit("journey", seq))]
    }

    fn reader(&self, seq: u64) -> u32 {
        self.draws.reader_of_rank[self.draws.readers.index(self.seed.unit("user", seq))]
    }

    fn photo(&self, seq: u64) -> u32 {
        self.draws.data.popular[self.draws.photos.index(self.seed.unit("target", seq))]
    }

    /// Who acts, on what.
    fn act(&mut self, journey: Journey, seq: u64) -> (u32, u64) {
        let reader = self.reader(seq);
        let users = self.draws.data.users.len() as u32;
        match journey {
            Journey::HomeFeed | Journey::NextPage | Journey::LogIn | Journey::SignUp => (reader, 0),
            Journey::ViewPhoto | Journey::Search => (reader, self.photo(seq).into()),
            Journey::ViewProfile => {
                let rank = self.draws.readers.index(self.seed.unit("target", seq));
                (reader, self.draws.reader_of_rank[rank].into())
            }
            Journey::Upload | Journey::PostThenRead => {
                (self.draws.authors.index(self.seed.unit("user", seq)) as u32, 0)
            }
            Journey::Like => {
                let photos = self.draws.data.photos.len() as u32;
                let wanted = self.photo(seq);
                let fresh = (0..photos).map(|step| (wanted + step) % photos);
                let photo = fresh.into_iter().find(|photo| self.taken.likes.insert((reader, *photo)));
                (reader, photo.unwrap_or(wanted).into())
            }
            Journey::EditProfile => {
                let fresh = (0..users).map(|step| (reader + step) % users);
                let user = fresh.into_iter().find(|user| self.taken.edited.insert(*user));
                (user.unwrap_or(reader), 0)
            }
            Journey::Follow => self.follow(reader, seq, users),
        }
    }

    /// Follows and unfollows by turns, so that the number of edges stays.
    fn follow(&mut self, reader: u32, seq: u64, users: u32) -> (u32, u64) {
        self.taken.follows += 1;
        let data = self.draws.data.clone();
        let bits = self.seed.draw("target", seq);
        if self.taken.follows.is_multiple_of(2) {
            for step in 0..users {
                let user = (reader + step) % users;
                let edges = data.following.of(user);
                let from = if edges.is_empty() { 0 } else { bits as usize % edges.len() };
                let fresh = edges[from..].iter().chain(&edges[..from]);
                if let Some(&other) = fresh.into_iter().find(|other| self.taken.edges.insert((user, **other))) {
                    return (user, u64::from(other) | UNFOLLOW);
                }
            }
        }
        let wanted = bits as u32 % users;
        let free = |other: &u32| *other != reader && !data.is_edge(reader, *other);
        let other = (0..users)
            .map(|step| (wanted + step) % users)
            .filter(free)
            .find(|other| self.taken.edges.insert((reader, *other)));
        (reader, u64::from(other.unwrap_or(wanted)))
    }
}

impl Iterator for Schedule {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let due_ns = self.next_moment()? as u64;
        let seq = self.seq;
        self.seq += 1;
        let journey = self.journey(seq);
        let (user, target) = self.act(journey, seq);
        Some(Arrival { seq, due_ns, journey, user, target, payload_seed: self.seed.draw("payload", seq) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Graph, Size};

    const SECOND: u64 = 1_000_000_000;

    fn data() -> Arc<Dataset> {
        Arc::new(Dataset::generate(Seed(42), Size::Tiny, &Graph::default()))
    }

    fn phases(seconds: &[u64]) -> Vec<PhasePlan> {
        let mut start_ns = 0;
        let plan = seconds.iter().enumerate().map(|(i, seconds)| {
            let length_ns = seconds * SECOND;
            start_ns += length_ns;
            PhasePlan { name: format!("p{i}"), start_ns: start_ns - length_ns, length_ns, measure: true }
        });
        plan.collect()
    }

    fn load(text: &str) -> Load {
        toml::from_str(text).expect(text)
    }

    #[test]
    fn changing_the_mix_moves_no_arrival() {
        let data = data();
        let due = |mix: &str| -> Vec<u64> {
            let load = load(&format!("rate = \"200/s\"\nmix = {mix}"));
            Schedule::new(42, &phases(&[20]), &load, &data).map(|arrival| arrival.due_ns).collect()
        };
        let one = due("\"pinterest-like\"");
        assert_eq!(one, due("{ search = 1, upload = 3 }"));
        assert!(one.windows(2).all(|pair| pair[0] <= pair[1]));
    }

    #[test]
    fn a_seed_has_one_schedule() {
        let data = data();
        let digest = |seed| Schedule::new(seed, &phases(&[5]), &load("rate = \"300/s\""), &data).digest();
        assert_eq!(digest(42), digest(42));
        assert_ne!(digest(42), digest(43));
    }

    #[test]
    fn poisson_counts_have_their_mean_and_variance() {
        let schedule = Schedule::new(42, &phases(&[400]), &load("rate = \"50/s\""), &data());
        let mut counts = vec![0_f64; 400];
        for arrival in schedule {
            counts[(arrival.due_ns / SECOND) as usize] += 1.0;
        }
        let mean = counts.iter().sum::<f64>() / 400.0;
        let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / 399.0;
        // Four sigma: of the mean sqrt(50/400) = 0.35, of the variance 50 x sqrt(2/399) = 3.5.
        assert!((mean - 50.0).abs() < 4.0 * 0.354, "{mean}");
        assert!((variance - 50.0).abs() < 4.0 * 3.54, "{variance}");
    }

    #[test]
    fn thinning_follows_a_ramp() {
        let load = load("rate = { p0 = \"100/s -> 300/s\" }");
        let schedule = Schedule::new(42, &phases(&[100]), &load, &data());
        let (mut early, mut late) = (0_f64, 0_f64);
        for arrival in schedule {
            if arrival.due_ns < 50 * SECOND { early += 1.0 } else { late += 1.0 }
        }
        // 50 s at 150/s on average, then 50 s at 250/s; four sigma of sqrt(n).
        assert!((early - 7_500.0).abs() < 4.0 * 87.0 && (late - 12_500.0).abs() < 4.0 * 112.0, "{early} {late}");
    }

    #[test]
    fn no_two_writes_have_one_target() {
        let data = data();
        let load = load("rate = \"400/s\"\nmix = { like = 3, follow = 3, edit-profile = 1 }");
        let mut seen = HashSet::new();
        let mut edges = data.following.len() as i64;
        for arrival in Schedule::new(42, &phases(&[5]), &load, &data) {
            assert!(seen.insert((arrival.journey, arrival.user, arrival.target as u32)), "{arrival:?} twice");
            match arrival.target() {
                Target::Follow(other) => {
                    assert!(!data.is_edge(arrival.user, other) && arrival.user != other);
                    edges += 1;
                }
                Target::Unfollow(other) => {
                    assert!(data.is_edge(arrival.user, other));
                    edges -= 1;
                }
                _ => {}
            }
        }
        assert!((edges - data.following.len() as i64).abs() <= 1, "by turns");
    }

    #[test]
    fn shares_of_the_mix_are_kept() {
        let schedule = Schedule::new(7, &phases(&[200]), &load("rate = \"100/s\""), &data());
        let (mut feeds, mut all) = (0_f64, 0_f64);
        for arrival in schedule {
            all += 1.0;
            feeds += f64::from(u8::from(arrival.journey == Journey::HomeFeed));
        }
        // 52 % of 20,000, four sigma of sqrt(0.52 x 0.48 / 20,000) = 0.35 %.
        assert!((feeds / all - 0.52).abs() < 0.0142, "{}", feeds / all);
    }
}
