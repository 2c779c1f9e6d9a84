//! Load balancing: power of two choices over a penalised moving average, turn by turn, or by what is asked for.

use std::cell::LazyCell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bounded_hash::{self, Candidate};

/// Half-life-like constant of the average: an old sample fades to 1/e in it.
/// Phases last tens of seconds, so it is shorter than linkerd's 10 s.
pub const DECAY_NS: u64 = 3_000_000_000;
/// What a failure counts as, at least: fast failures must not look fast.
pub const PENALTY_NS: u64 = 1_000_000_000;
/// What a failure counts as, at most.
pub const PENALTY_MAX_NS: u64 = 30_000_000_000;
/// A new or returned endpoint gets its full share only after this long.
pub const SLOW_START_NS: u64 = 5_000_000_000;
/// Share it starts with.
const SLOW_START_FROM: f64 = 0.1;
/// An endpoint that has not been taken out for so long is forgiven one of the times it was
/// (Envoy: one an interval of 10 s).
pub const FORGIVEN_AFTER_NS: u64 = 10_000_000_000;
/// Below this share of healthy endpoints, health is ignored: better some than none.
pub const PANIC_BELOW: f64 = 0.5;

/// Weight of an ordinary copy: a canary's share of requests is a part of a thousand at the finest.
pub const COPY_WEIGHT: u32 = 1_000;

/// How an endpoint is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// Turn by turn.
    RoundRobin,
    /// The better of two drawn at random (Mitzenmacher 2001), by moving average
    /// of latency times requests in flight (Finagle's peak EWMA), with failures
    /// counted as slow.
    #[default]
    P2cEwma,
    /// By a hash of what is asked for, so that the same copy answers it each time; the
    /// next in rank where that has over 1.25 times its share of the requests in flight
    /// (Mirrokni 2018).
    BoundedHash,
}

/// What is known of an endpoint: atomics, so that no request waits for another.
/// Lossy updates of the average are fine.
#[derive(Debug)]
pub struct EndpointLoad {
    inflight: AtomicU32,
    /// What keys are ranked by.
    place: u32,
    /// Bits of an `f64`, nanoseconds.
    ewma: AtomicU64,
    last_ns: AtomicU64,
    joined_ns: AtomicU64,
    ejected_until_ns: AtomicU64,
    ejections: AtomicU32,
    fail_streak: AtomicU32,
}

impl EndpointLoad {
    /// An endpoint that joined at `now_ns` and is taken for as fast as
    /// `median_ns`, its cluster's median: a constant would starve or flood it.
    pub const fn new(now_ns: u64, median_ns: f64) -> Self {
        Self {
            inflight: AtomicU32::new(0),
            place: 0,
            ewma: AtomicU64::new(median_ns.to_bits()),
            last_ns: AtomicU64::new(now_ns),
            joined_ns: AtomicU64::new(now_ns),
            ejected_until_ns: AtomicU64::new(0),
            ejections: AtomicU32::new(0),
            fail_streak: AtomicU32::new(0),
        }
    }

    /// The first of a cluster: there is nothing to ramp up against.
    pub const fn first() -> Self {
        Self::new(0, 0.0)
    }

    /// The same, known by a hash of its name: copies that are asked by a hash of what is asked for differ by it.
    #[must_use]
    pub const fn placed(mut self, place: u32) -> Self {
        self.place = place;
        self
    }

    /// What it was [placed](Self::placed) by.
    pub const fn place(&self) -> u32 {
        self.place
    }

    /// A request was sent.
    pub fn begin(&self) {
        self.inflight.fetch_add(1, Ordering::Relaxed);
    }

    /// Its answer has ended.
    pub fn end(&self) {
        self.inflight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Requests in flight.
    pub fn inflight(&self) -> u32 {
        self.inflight.load(Ordering::Relaxed)
    }

    /// An answer began after `took_ns`.
    pub fn succeeded(&self, now_ns: u64, took_ns: u64) {
        self.fail_streak.store(0, Ordering::Relaxed);
        self.observe(now_ns, took_ns as f64);
    }

    /// It refused to protect itself. Counted as slow, so that others are asked first, and not
    /// as a failure: it is well.
    pub fn shed(&self, now_ns: u64, took_ns: u64, retry_after_ns: Option<u64>) {
        let penalty = PENALTY_NS.max(retry_after_ns.unwrap_or(0)).min(PENALTY_MAX_NS);
        self.observe(now_ns, took_ns.max(penalty) as f64);
    }

    /// It failed: 5xx, no connection, no answer in time. Counted as slow.
    pub fn failed(&self, now_ns: u64, took_ns: u64, retry_after_ns: Option<u64>) {
        self.fail_streak.fetch_add(1, Ordering::Relaxed);
        self.shed(now_ns, took_ns, retry_after_ns);
    }

    /// Failures in a row.
    pub fn fail_streak(&self) -> u32 {
        self.fail_streak.load(Ordering::Relaxed)
    }

    /// The average now, nanoseconds: it decays towards nothing while idle, so
    /// that an endpoint once slow is tried again.
    pub fn ewma_ns(&self, now_ns: u64) -> f64 {
        f64::from_bits(self.ewma.load(Ordering::Relaxed)) * self.decay(now_ns)
    }

    fn decay(&self, now_ns: u64) -> f64 {
        let idle = now_ns.saturating_sub(self.last_ns.load(Ordering::Relaxed));
        (-(idle as f64) / DECAY_NS as f64).exp()
    }

    /// A slower sample replaces the average, a faster one decays in.
    fn observe(&self, now_ns: u64, sample_ns: f64) {
        let weight = self.decay(now_ns);
        let old = f64::from_bits(self.ewma.load(Ordering::Relaxed));
        let new = if sample_ns > old { sample_ns } else { old * weight + sample_ns * (1.0 - weight) };
        self.ewma.store(new.to_bits(), Ordering::Relaxed);
        self.last_ns.store(now_ns, Ordering::Relaxed);
    }

    /// What one more request there is expected to cost; smaller is better.
    pub fn cost(&self, now_ns: u64) -> f64 {
        // One nanosecond keeps endpoints without samples apart by their requests in flight.
        let load = (self.ewma_ns(now_ns) + 1.0) * (f64::from(self.inflight()) + 1.0);
        load / self.slow_start_share(now_ns)
    }

    /// Share of its full weight an endpoint has, from 10 % on joining.
    fn slow_start_share(&self, now_ns: u64) -> f64 {
        let joined = self.joined_ns.load(Ordering::Relaxed);
        if joined == 0 {
            return 1.0;
        }
        let age = now_ns.saturating_sub(joined) as f64 / SLOW_START_NS as f64;
        (SLOW_START_FROM + (1.0 - SLOW_START_FROM) * age).min(1.0)
    }

    /// Takes it out until `until_ns`; it returns with a ramp.
    pub fn eject(&self, now_ns: u64, until_ns: u64) {
        self.ejections.store(self.ejections(now_ns) + 1, Ordering::Relaxed);
        self.ejected_until_ns.store(until_ns, Ordering::Relaxed);
        self.joined_ns.store(until_ns, Ordering::Relaxed);
        self.fail_streak.store(0, Ordering::Relaxed);
    }

    /// Others have found it well: it is back before its time, with a ramp. That it was out is remembered (Envoy:
    /// `successful_active_health_check_uneject_host`).
    pub fn readmit(&self, now_ns: u64) {
        if self.is_ejected(now_ns) {
            self.ejected_until_ns.store(now_ns, Ordering::Relaxed);
            self.joined_ns.store(now_ns, Ordering::Relaxed);
        }
    }

    /// Whether it is out.
    pub fn is_ejected(&self, now_ns: u64) -> bool {
        self.ejected_until_ns.load(Ordering::Relaxed) > now_ns
    }

    /// Times it was taken out, those forgiven since left out.
    pub fn ejections(&self, now_ns: u64) -> u32 {
        let well_ns = now_ns.saturating_sub(self.ejected_until_ns.load(Ordering::Relaxed));
        let forgiven = u32::try_from(well_ns / FORGIVEN_AFTER_NS).unwrap_or(u32::MAX);
        self.ejections.load(Ordering::Relaxed).saturating_sub(forgiven)
    }
}

/// Median of the averages of a cluster, ns, for an endpoint that joins; 0 of none.
pub fn median_ns<'a>(endpoints: impl IntoIterator<Item = &'a EndpointLoad>, now_ns: u64) -> f64 {
    let mut averages: Vec<f64> = endpoints.into_iter().map(|endpoint| endpoint.ewma_ns(now_ns)).collect();
    averages.sort_unstable_by(f64::total_cmp);
    averages.get(averages.len() / 2).copied().unwrap_or(0.0)
}

/// The weight with which a canary beside so many copies gets a share of all requests: of all weights together it is
/// that share.
pub fn canary_weight(share: f64, copies: usize) -> u32 {
    let share = share.clamp(0.001, 0.999);
    (share / (1.0 - share) * copies as f64 * f64::from(COPY_WEIGHT)).round().max(1.0) as u32
}

/// The weight of which the endpoints are asked, drawn by the weights of all of them: a canary gets its share of requests however
/// fast it is. `bits` are random; `None` of none.
pub fn drawn_weight(mut weights: impl Iterator<Item = u32> + Clone, bits: u64) -> Option<u32> {
    let total: u64 = weights.clone().map(u64::from).sum();
    let mut at = ((u128::from(bits) * u128::from(total)) >> 64) as u64;
    let drawn = weights.clone().find(|weight| {
        let weight = u64::from(*weight);
        let is_here = at < weight;
        at = at.saturating_sub(weight);
        is_here
    });
    drawn.or_else(|| weights.next())
}

/// Chooses among the endpoints of a cluster.
#[derive(Debug, Default)]
pub struct Picker {
    balance: Balance,
    turn: AtomicU64,
    overflows: AtomicU64,
}

impl Picker {
    /// A picker of a kind.
    pub const fn new(balance: Balance) -> Self {
        Self { balance, turn: AtomicU64::new(0), overflows: AtomicU64::new(0) }
    }

    /// How often since the last time it was asked a copy had too much to do, and another was picked in its stead.
    pub fn take_overflows(&self) -> u64 {
        self.overflows.swap(0, Ordering::Relaxed)
    }

    /// Index of the endpoint to ask, `None` of none. `bits` are random, or the hash of what is asked for where that decides;
    /// `avoid` was tried already and is asked again only if there is no other.
    pub fn pick<'e, E>(
        &self,
        endpoints: &'e [E],
        load: impl Fn(&'e E) -> &'e EndpointLoad,
        now_ns: u64,
        bits: u64,
        avoid: Option<usize>,
    ) -> Option<usize> {
        let n = endpoints.len();
        if n <= 1 {
            return (n == 1).then_some(0);
        }
        // Counted only where an endpoint that is out comes up: most picks meet none.
        let panic = LazyCell::new(|| {
            let healthy = endpoints.iter().filter(|endpoint| !load(endpoint).is_ejected(now_ns)).count();
            (healthy as f64) < PANIC_BELOW * n as f64
        });
        let allowed = |i: usize| Some(i) != avoid && (!load(&endpoints[i]).is_ejected(now_ns) || *panic);
        let from = |start: usize| (0..n).map(|step| (start + step) % n).find(|i| allowed(*i));
        // The requests of one that may not be asked are shared by all the others: were they its neighbour's in the list,
        // that one would have twice the requests of its peers.
        let instead_of = |at: usize, turn: u64| {
            if allowed(at) {
                return Some(at);
            }
            let others = (0..n).filter(|i| allowed(*i)).count() as u64;
            let nth = turn.checked_rem(others)?;
            (0..n).filter(|i| allowed(*i)).nth(nth as usize)
        };
        let spread = |bits: u64| (((bits >> 32) * n as u64) >> 32) as usize;
        let picked = match self.balance {
            Balance::RoundRobin => {
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                instead_of((turn % n as u64) as usize, turn / n as u64)
            }
            Balance::P2cEwma => {
                let cost = |i: usize| load(&endpoints[i]).cost(now_ns);
                let (first_bits, second_bits) = (bits >> 32, bits & u64::from(u32::MAX));
                instead_of(spread(bits), first_bits).map(|one| {
                    let second = instead_of(spread(bits << 32), second_bits).filter(|other| *other != one);
                    let other = second.or_else(|| from(one + 1)).unwrap_or(one);
                    if cost(other) < cost(one) { other } else { one }
                })
            }
            Balance::BoundedHash => {
                let candidate = |index: usize| {
                    let load = load(&endpoints[index]);
                    Candidate { index, place: load.place, inflight: load.inflight() }
                };
                let others = (0..n).filter(|i| allowed(*i)).map(candidate);
                bounded_hash::choose(others, bits).map(|choice| {
                    self.overflows.fetch_add(u64::from(choice.is_overflow), Ordering::Relaxed);
                    choice.index
                })
            }
        };
        picked.or_else(|| avoid.filter(|i| *i < n)).or(Some(spread(bits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn endpoints(n: usize) -> Vec<EndpointLoad> {
        (0..n).map(|_| EndpointLoad::first()).collect()
    }

    /// A cheap generator for tests: SplitMix64.
    fn bits(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn shares(loads: &[EndpointLoad], now_ns: u64, avoid: Option<usize>) -> Vec<usize> {
        let picker = Picker::default();
        let mut state = 7;
        let mut counts = vec![0; loads.len()];
        for _ in 0..3_000 {
            let picked =
                picker.pick(loads, |load| load, now_ns, bits(&mut state), avoid).expect("an endpoint");
            counts[picked] += 1;
        }
        counts
    }

    #[test]
    fn a_fast_failing_replica_is_not_a_black_hole() {
        let loads = endpoints(3);
        for load in &loads[1..] {
            load.succeeded(SECOND, 5_000_000);
        }
        // It answers 500 in 0.2 ms, 25 times faster than its peers.
        loads[0].failed(SECOND, 200_000, None);
        let counts = shares(&loads, SECOND + 1, None);
        assert_eq!(counts[0], 0, "{counts:?}: with two choices the worst of three is never taken");
    }

    #[test]
    fn a_penalty_fades() {
        let load = EndpointLoad::first();
        load.failed(SECOND, 0, None);
        // decay x ln(penalty / peer): 3 s x ln(1 s / 1 ms) = 20.7 s.
        assert!(load.ewma_ns(SECOND + 20 * SECOND) > 1e6);
        assert!(load.ewma_ns(SECOND + 21 * SECOND) < 1e6);
    }

    #[test]
    fn requests_in_flight_weigh() {
        let loads = endpoints(2);
        for load in &loads {
            load.succeeded(SECOND, 1_000_000);
        }
        loads[0].begin();
        let counts = shares(&loads, SECOND, None);
        assert_eq!(counts, [0, 3_000]);
        loads[0].end();
        assert_eq!(loads[0].inflight(), 0);
    }

    #[test]
    fn an_ejected_endpoint_rests_until_too_many_are() {
        let loads = endpoints(4);
        loads[0].eject(0, 10 * SECOND);
        assert_eq!(shares(&loads, SECOND, None)[0], 0);
        loads[1].eject(0, 10 * SECOND);
        loads[2].eject(0, 10 * SECOND);
        assert!(shares(&loads, SECOND, None)[0] > 0, "panic: three of four are out, so all are used");
        assert!(!loads[0].is_ejected(10 * SECOND));
    }

    #[test]
    fn one_that_is_readmitted_has_a_ramp_and_one_that_was_not_out_has_none() {
        let [out, other] = [EndpointLoad::first(), EndpointLoad::first()];
        out.eject(0, 10 * SECOND);
        for load in [&out, &other] {
            load.readmit(2 * SECOND);
            assert!(!load.is_ejected(2 * SECOND));
        }
        assert_eq!((out.cost(2 * SECOND), other.cost(2 * SECOND)), (10.0, 1.0), "a tenth of its share");
        assert_eq!((out.ejections(2 * SECOND), other.ejections(2 * SECOND)), (1, 0));
    }

    #[test]
    fn the_one_tried_before_is_avoided_while_there_is_another() {
        assert_eq!(shares(&endpoints(2), SECOND, Some(0)), [0, 3_000]);
        let alone = endpoints(1);
        assert_eq!(Picker::default().pick(&alone, |load| load, 0, 0, Some(0)), Some(0));
        assert_eq!(Picker::default().pick(&endpoints(0), |load| load, 0, 0, None), None);
    }

    #[test]
    fn a_canary_gets_its_share_of_all_weights() {
        for (share, copies) in [(0.1, 1), (0.25, 3), (0.5, 4)] {
            let weight = f64::from(canary_weight(share, copies));
            let got = weight / (weight + copies as f64 * f64::from(COPY_WEIGHT));
            assert!((got - share).abs() < 0.001, "{share} beside {copies}: {got}");
        }
        assert!(canary_weight(0.0, 1) >= 1, "a weight of 0 would get no request at all");
        assert!(canary_weight(1.0, 1) < u32::MAX);
    }

    #[test]
    fn a_weight_is_drawn_as_often_as_its_share_of_all_of_them() {
        // Three of 1 and one of 7: seven tenths.
        let weights = [1, 1, 7, 1];
        let mut state = 7;
        let heavy = (0..10_000).filter(|_| drawn_weight(weights.into_iter(), bits(&mut state)) == Some(7));
        let heavy = heavy.count();
        assert!((6_800..7_200).contains(&heavy), "{heavy}");
        assert_eq!(drawn_weight([0, 0].into_iter(), u64::MAX), Some(0), "all are without weight: the first");
        assert_eq!(drawn_weight(std::iter::empty(), 0), None);
    }

    #[test]
    fn round_robin_takes_turns() {
        let loads = endpoints(3);
        let picker = Picker::new(Balance::RoundRobin);
        let turns: Vec<_> = (0..6).filter_map(|_| picker.pick(&loads, |load| load, 0, 0, None)).collect();
        assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn the_others_share_the_requests_of_one_that_is_out() {
        let loads = endpoints(5);
        loads[1].eject(0, 10 * SECOND);
        let picker = Picker::new(Balance::RoundRobin);
        let mut turns = [0; 5];
        for _ in 0..40 {
            turns[picker.pick(&loads, |load| load, SECOND, 0, None).expect("four are well")] += 1;
        }
        // Eight rounds of five: a turn of its own in each, and two of the eight that fall to one out.
        assert_eq!(turns, [10, 0, 10, 10, 10]);
        // All cost the same, so the first of two draws counts: 750 each of 3,000, give or take 24 (binomial); were its draws
        // its neighbour's, that one would have 1,200.
        let drawn = shares(&loads, SECOND, None);
        assert_eq!(drawn[1], 0);
        assert!([0, 2, 3, 4].iter().all(|i| (630..870).contains(&drawn[*i])), "{drawn:?}");
    }

    #[test]
    fn a_newcomer_starts_at_the_median_with_a_tenth_of_its_weight() {
        let loads = endpoints(3);
        for (load, ms) in loads.iter().zip([1, 2, 9]) {
            load.succeeded(SECOND, ms * 1_000_000);
        }
        let median = median_ns(&loads, SECOND);
        assert_eq!(median, 2e6);
        let newcomer = EndpointLoad::new(SECOND, median);
        let (young, old) = (newcomer.cost(SECOND), newcomer.cost(SECOND + SLOW_START_NS));
        assert!((young / (median + 1.0) - 10.0).abs() < 1e-6);
        assert!(old < median + 2.0, "after the ramp only the average counts, itself faded");
    }
}
