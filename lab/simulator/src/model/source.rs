//! Arrivals: when a request comes, and what it asks for.

use traffic::distributions::WeightedChoice;

use super::plan::Arrivals;
use crate::dist::Distribution;
use crate::engine::{Draws, Rng, random};

const SECOND_NS: f64 = 1e9;

/// A request that comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    /// When it is due, ns.
    pub due_ns: u64,
    /// Which of the source's operations it asks for.
    pub operation: usize,
    /// Key of its draws.
    pub key: u64,
}

/// Where requests come from.
#[derive(Debug)]
pub(super) struct Source {
    arrivals: Arrivals,
    /// By journey, of a schedule.
    journeys: Vec<Option<usize>>,
    choice: WeightedChoice,
    rng: Rng,
    requests: Draws,
    until_ns: u64,
    count: u64,
    /// When the last one came, ns.
    at_ns: u64,
    /// The state of bursts, and how long it lasts, ns.
    state: (usize, u64),
}

impl Source {
    /// `operations` are names and weights.
    pub fn new(
        seed: u64,
        name: &str,
        arrivals: Arrivals,
        operations: &[(String, f64)],
        until_ns: u64,
    ) -> Self {
        let weights: Vec<f64> = operations.iter().map(|(_, weight)| *weight).collect();
        let position =
            |journey: &traffic::Journey| operations.iter().position(|(name, _)| name == journey.name());
        let mut rng = Rng::new(seed, &format!("arrivals/{name}"));
        let first_ns = match &arrivals {
            Arrivals::Bursts(bursts) => length_ns(rng.exp() / bursts.leave[0]),
            _ => 0,
        };
        Self {
            journeys: traffic::Journey::ALL.iter().map(position).collect(),
            choice: WeightedChoice::new(&weights),
            rng,
            requests: Draws::new(seed, &format!("requests/{}", random::stream(name))),
            arrivals,
            until_ns,
            count: 0,
            at_ns: 0,
            state: (0, first_ns),
        }
    }

    /// The next request of an open loop; `None` when there are no more.
    pub fn next(&mut self) -> Option<Request> {
        let (due_ns, operation) = match &mut self.arrivals {
            Arrivals::Schedule(schedule) => loop {
                let arrival = schedule.next()?;
                let at = traffic::Journey::ALL.iter().position(|journey| *journey == arrival.journey)?;
                if let Some(operation) = self.journeys[at] {
                    break (arrival.due_ns, Some(operation));
                }
            },
            Arrivals::Poisson(rate) => (self.at_ns + length_ns(self.rng.exp() / *rate), None),
            Arrivals::Constant(rate) => (self.at_ns + length_ns(1.0 / *rate), None),
            Arrivals::Bursts(bursts) => {
                let bursts = *bursts;
                (self.next_of_bursts(&bursts), None)
            }
            Arrivals::Closed { .. } => return None,
        };
        self.at_ns = due_ns;
        (due_ns <= self.until_ns).then(|| self.request(due_ns, operation))
    }

    /// The next request of a user, who has thought so long.
    pub fn next_of_user(&mut self, now_ns: u64) -> Option<Request> {
        (now_ns <= self.until_ns).then(|| self.request(now_ns, None))
    }

    /// Users of a closed loop and how long they think.
    pub const fn users(&self) -> Option<(u32, &Distribution)> {
        match &self.arrivals {
            Arrivals::Closed { users, think } => Some((*users, think)),
            _ => None,
        }
    }

    /// 64 random bits for a user's thinking.
    pub const fn bits(&mut self) -> u64 {
        self.rng.bits()
    }

    fn request(&mut self, due_ns: u64, operation: Option<usize>) -> Request {
        let key = self.requests.bits(self.count);
        self.count += 1;
        let operation = operation.unwrap_or_else(|| self.choice.index(random::unit(Draws::derive(key, 0))));
        Request { due_ns, operation, key }
    }

    /// Arrivals race changes of state; both are exponential, so that a race that is lost is begun anew.
    fn next_of_bursts(&mut self, bursts: &crate::analytic::markov::Mmpp2) -> u64 {
        let mut at_ns = self.at_ns;
        loop {
            let (state, ends_ns) = self.state;
            let due_ns = at_ns + length_ns(self.rng.exp() / bursts.rates[state]);
            if due_ns < ends_ns {
                return due_ns;
            }
            at_ns = ends_ns;
            self.state = (1 - state, ends_ns + length_ns(self.rng.exp() / bursts.leave[1 - state]));
        }
    }
}

/// Seconds as whole nanoseconds: a rate of 0 is never.
fn length_ns(seconds: f64) -> u64 {
    (seconds * SECOND_NS).round() as u64
}
