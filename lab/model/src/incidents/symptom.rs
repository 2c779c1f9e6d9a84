//! What is wrong, in words: processes that are down, retries that multiply, queues that grow, breakers that flap, edges
//! that fail, one edge that makes the tail. Every view takes it from here.

use std::collections::BTreeMap;
use std::sync::Arc;

use record::{Edge, Proc};

use crate::SECOND;
use crate::format::{count, value};
use crate::history::STALE_NS;

/// From so many tries a call on the load is the retries', not the users'.
const MIN_AMPLIFICATION: f64 = 1.2;
/// Fewer calls a second give no ratio.
const MIN_CALLS_PER_S: f64 = 1.0;
/// Share of failed tries from which an edge is reported: below, retries absorb it.
const MIN_FAILED_SHARE: f64 = 0.05;
/// Seconds a queue's growth is taken over: one second's is chance.
const GROWTH_SECONDS: u64 = 5;
/// Growth in calls a second, and length, from which a queue is reported.
const MIN_GROWTH_PER_S: f64 = 1.0;
const MIN_QUEUE: u64 = 10;
/// A breaker that changed so often in so many seconds does not decide but flap: opening, probing and closing once is
/// three changes.
const MIN_FLAPS: usize = 5;
const FLAP_SECONDS: u64 = 30;
/// From this share of its caller's p99 on an edge makes it.
const MIN_CULPRIT_SHARE: f64 = 0.8;
/// Of a p99 below this no culprit is sought, ms.
const MIN_CULPRIT_MS: f64 = 20.0;

/// What can be wrong at one place, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A process does not run.
    Down,
    /// A breaker keeps changing.
    Flapping,
    /// A breaker lets nothing through.
    Open,
    /// Retries multiply calls.
    Amplified,
    /// A queue grows.
    Growing,
    /// Tries fail.
    Failing,
    /// A process is paused or starting.
    NotUp,
    /// An edge makes its caller's tail.
    Culprit,
}

impl Kind {
    /// Its word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Flapping => "breaker_flapping",
            Self::Open => "breaker_open",
            Self::Amplified => "retry_amplification",
            Self::Growing => "queue_growing",
            Self::Failing => "failing",
            Self::NotUp => "not_up",
            Self::Culprit => "culprit",
        }
    }

    /// Whether it is more than a hint.
    pub const fn is_error(self) -> bool {
        !matches!(self, Self::NotUp | Self::Culprit)
    }
}

/// Something wrong at one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Symptom {
    /// What it is.
    pub kind: Kind,
    /// Where: `feed#0`, or `feed->follower`.
    pub place: String,
    /// How much of it: greater is worse among those of one kind.
    pub weight: f64,
    /// A sentence with the figures.
    pub text: String,
}

/// What is wrong in an arm at a moment, ns since the run's start; errors first, else in the order given. `edges` and
/// `procs` are the seconds of each, oldest first.
pub fn symptoms<'a>(
    t: u64,
    edges: impl IntoIterator<Item = &'a [(u64, Edge)]>,
    procs: impl IntoIterator<Item = &'a [(u64, Arc<Proc>)]>,
) -> Vec<Symptom> {
    let procs = procs.into_iter().filter_map(|samples| until(samples, t).last());
    let mut found: Vec<Symptom> = procs.filter_map(|(_, proc)| not_up(proc)).collect();
    let edges: Vec<&[(u64, Edge)]> = edges.into_iter().map(|samples| until(samples, t)).collect();
    for samples in &edges {
        found.extend(breaker(samples));
        found.extend(amplified(samples));
        found.extend(growing(samples));
        found.extend(failing(samples));
    }
    found.extend(culprits(&edges.iter().filter_map(|samples| now(samples)).collect::<Vec<_>>()));
    // Sorting is stable: among equals the order above is kept.
    found.sort_by_key(|symptom| !symptom.kind.is_error());
    found
}

/// The samples up to a moment; none, where the last is stale.
fn until<T>(samples: &[(u64, T)], t: u64) -> &[(u64, T)] {
    let samples = &samples[..samples.partition_point(|(at, _)| *at <= t)];
    if samples.last().is_some_and(|(at, _)| t - at <= STALE_NS) { samples } else { &[] }
}

fn now(samples: &[(u64, Edge)]) -> Option<&Edge> {
    samples.last().map(|(_, edge)| edge)
}

/// The last so many seconds.
fn recent(samples: &[(u64, Edge)], seconds: u64) -> &[(u64, Edge)] {
    let from = samples.last().map_or(0, |(t, _)| t.saturating_sub(seconds * SECOND));
    &samples[samples.partition_point(|(t, _)| *t < from)..]
}

fn at(kind: Kind, edge: &Edge, weight: f64, what: &str) -> Symptom {
    let caller = if edge.caller.is_empty() { "(events)" } else { &edge.caller };
    let place = format!("{caller}->{}", edge.callee);
    let text = format!("{place}{what}");
    Symptom { kind, place, weight, text }
}

fn not_up(proc: &Proc) -> Option<Symptom> {
    let kind = match proc.state.as_str() {
        "up" => return None,
        "down" => Kind::Down,
        _ => Kind::NotUp,
    };
    let text = format!("{} is {}", proc.instance, proc.state);
    Some(Symptom { kind, place: proc.instance.clone(), weight: 1.0, text })
}

fn breaker(samples: &[(u64, Edge)]) -> Option<Symptom> {
    let edge = now(samples)?;
    let lately = recent(samples, FLAP_SECONDS);
    let changes = lately.windows(2).filter(|pair| pair[0].1.breaker != pair[1].1.breaker).count();
    if changes >= MIN_FLAPS {
        let what = format!(": breaker flapping, {changes} changes in {FLAP_SECONDS} s");
        return Some(at(Kind::Flapping, edge, changes as f64, &what));
    }
    (edge.breaker == 2).then(|| at(Kind::Open, edge, 1.0, ": breaker open"))
}

fn amplified(samples: &[(u64, Edge)]) -> Option<Symptom> {
    let edge = now(samples)?;
    let times = edge.actual_rps / edge.effective_rps;
    let is_reported = edge.effective_rps >= MIN_CALLS_PER_S && times >= MIN_AMPLIFICATION;
    is_reported.then(|| {
        let (calls, tries) = (count(Some(edge.effective_rps)), count(Some(edge.actual_rps)));
        let what = format!(": retry amplification {times:.1}x, {calls} calls/s are {tries} tries/s");
        at(Kind::Amplified, edge, times, &what)
    })
}

fn growing(samples: &[(u64, Edge)]) -> Option<Symptom> {
    let lately = recent(samples, GROWTH_SECONDS);
    let ((from, first), (to, last)) = (lately.first()?, lately.last()?);
    let seconds = (to - from) as f64 / SECOND as f64;
    // Two samples are no trend.
    if lately.len() < 3 || last.queue < MIN_QUEUE {
        return None;
    }
    let rate = (last.queue as f64 - first.queue as f64) / seconds;
    let what = format!(": queue growing {rate:.0}/s, {} wait", last.queue);
    (rate >= MIN_GROWTH_PER_S).then(|| at(Kind::Growing, last, rate, &what))
}

fn failing(samples: &[(u64, Edge)]) -> Option<Symptom> {
    let edge = now(samples)?;
    let share = edge.errors_rps / edge.actual_rps;
    let is_reported = edge.actual_rps >= MIN_CALLS_PER_S && share >= MIN_FAILED_SHARE;
    is_reported
        .then(|| at(Kind::Failing, edge, share, &format!(": {:.0} % of its tries fail", share * 100.0)))
}

/// Of every component that is called, the one edge that makes its tail.
fn culprits(edges: &[&Edge]) -> Vec<Symptom> {
    let mut p99_of: BTreeMap<&str, f64> = BTreeMap::new();
    for edge in edges.iter().filter(|edge| !edge.caller.is_empty()) {
        if let Some(p99) = edge.p99_ms {
            let worst = p99_of.entry(&edge.callee).or_insert(p99);
            *worst = worst.max(p99);
        }
    }
    let mut worst: BTreeMap<&str, &Edge> = BTreeMap::new();
    for edge in edges.iter().filter(|edge| edge.p99_ms.is_some()) {
        let there = worst.entry(&edge.caller).or_insert(edge);
        if edge.p99_ms > there.p99_ms {
            *there = edge;
        }
    }
    let found = worst.into_iter().filter_map(|(caller, edge)| {
        let (parent, own) = (*p99_of.get(caller)?, edge.p99_ms?);
        let share = own / parent;
        // Percentiles of different calls may exceed each other: then there is no share.
        let is_reported = parent >= MIN_CULPRIT_MS && (MIN_CULPRIT_SHARE..=1.0).contains(&share);
        let ms = |ms: f64| value(Some(ms / 1e3), "s");
        let what = format!(" is {:.0} % of {caller}'s p99: {} of {}", share * 100.0, ms(own), ms(parent));
        is_reported.then(|| at(Kind::Culprit, edge, own, &what))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(caller: &str, callee: &str) -> Edge {
        let (caller, callee) = (caller.to_owned(), callee.to_owned());
        Edge { arm: 'B', caller, callee, effective_rps: 50.0, actual_rps: 50.0, ..Edge::default() }
    }

    /// One edge, second by second.
    fn texts(of: impl Fn(u64) -> Edge, seconds: u64) -> Vec<String> {
        let samples: Vec<(u64, Edge)> = (1..=seconds).map(|s| (s * SECOND, of(s))).collect();
        symptoms(seconds * SECOND, [&samples[..]], []).into_iter().map(|symptom| symptom.text).collect()
    }

    #[test]
    fn retries_that_multiply_are_reported_as_a_ratio() {
        let storm = |_| Edge { actual_rps: 135.0, retries_rps: 85.0, ..edge("feed", "follower") };
        assert_eq!(texts(storm, 1), ["feed->follower: retry amplification 2.7x, 50 calls/s are 135 tries/s"]);
        assert!(texts(|_| edge("feed", "follower"), 1).is_empty());
    }

    #[test]
    fn an_edge_that_fails_is_reported_with_its_share() {
        let fails = |_| Edge { errors_rps: 22.0, ..edge("feed", "photo") };
        assert_eq!(texts(fails, 1), ["feed->photo: 44 % of its tries fail"]);
        assert!(texts(|_| Edge { errors_rps: 1.0, ..edge("feed", "photo") }, 1).is_empty(), "one in fifty");
    }

    #[test]
    fn a_queue_is_reported_by_its_growth_and_not_by_its_length() {
        // 40 more each second: at 6 s there are 240, 200 more than at 1 s.
        let grows = |s| Edge { queue: 40 * s, ..edge("feed", "follower") };
        assert_eq!(texts(grows, 6), ["feed->follower: queue growing 40/s, 240 wait"]);
        assert!(texts(|_| Edge { queue: 240, ..edge("feed", "follower") }, 6).is_empty());
    }

    #[test]
    fn a_breaker_that_keeps_changing_flaps() {
        let flaps = |s| Edge { breaker: if s % 2 == 0 { 2 } else { 0 }, ..edge("gateway", "photo") };
        assert_eq!(texts(flaps, 10), ["gateway->photo: breaker flapping, 9 changes in 30 s"]);
        assert_eq!(
            texts(|_| Edge { breaker: 2, ..edge("gateway", "photo") }, 10),
            ["gateway->photo: breaker open"]
        );
    }

    #[test]
    fn the_edge_that_makes_a_tail_is_named_after_what_is_worse() {
        let slow = |caller, callee, p99| [(SECOND, Edge { p99_ms: Some(p99), ..edge(caller, callee) })];
        let door = slow("gateway", "feed", 192.0);
        let (tail, other) = (slow("feed", "follower", 186.0), slow("feed", "profile", 4.0));
        let down = Proc { instance: "photo#0".into(), state: "down".into(), ..Proc::default() };
        let down = [(SECOND, Arc::new(down))];
        let at = |t| symptoms(t, [&door[..], &tail[..], &other[..]], [&down[..]]);
        assert!(at(0).is_empty() && at(9 * SECOND).is_empty(), "nothing is known then");
        let found = at(SECOND);
        let texts: Vec<&str> = found.iter().map(|symptom| symptom.text.as_str()).collect();
        assert_eq!(texts, ["photo#0 is down", "feed->follower is 97 % of feed's p99: 186.0ms of 192.0ms"]);
    }
}
