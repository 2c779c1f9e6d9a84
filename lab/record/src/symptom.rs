//! What is wrong, in words: retries that multiply, queues that grow, breakers that flap, one edge that makes the tail.

use std::collections::BTreeMap;

use record::Edge;

use crate::figures::{count, ms};
use crate::run::{Run, SECOND};
use crate::style::Role;

/// From so many tries a call on the load is the retries', not the users'.
const AMPLIFIED: f64 = 1.2;
/// Fewer calls a second say nothing about a ratio.
const FEWEST_CALLS: f64 = 1.0;
/// Share of failed tries from which an edge is told: below, retries and users get over it.
const FAILING: f64 = 0.05;
/// Seconds a queue's growth is taken over: one second's is chance.
const GROWTH_S: u64 = 5;
/// Growth in calls a second, and length, from which a queue is told.
const GROWING: f64 = 1.0;
const LONG: u64 = 10;
/// A breaker that changed so often in so many seconds does not decide but flap: opening, probing and closing once is
/// three changes.
const FLAPS: usize = 5;
const FLAPS_S: u64 = 30;
/// From this share of its caller's p99 on an edge makes it.
const CULPRIT: f64 = 0.8;
/// A p99 below this is nobody's complaint, ms.
const HARMLESS_MS: f64 = 20.0;

/// Something wrong at one place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    /// How bad.
    pub role: Role,
    /// A sentence with the figures.
    pub text: String,
}

/// What is wrong in an arm at `t`, the worst first.
pub(crate) fn findings(run: &Run, arm: char, t: u64) -> Vec<Finding> {
    let mut found = Vec::new();
    for proc in run.procs(arm, t).filter(|proc| proc.state != "up") {
        let role = if proc.state == "down" { Role::Error } else { Role::Warn };
        found.push(Finding { role, text: format!("{} is {}", proc.instance, proc.state) });
    }
    let edges: Vec<&Edge> = run.edges(arm, t).collect();
    for edge in &edges {
        found.extend(breaker(run, arm, edge, t));
        found.extend(amplified(edge));
        found.extend(growing(run, arm, edge, t));
        found.extend(failing(edge));
    }
    found.extend(culprits(&edges));
    // Sorting is stable: within one role the order above is kept.
    found.sort_by_key(|finding| finding.role != Role::Error);
    found
}

fn name(edge: &Edge) -> String {
    let caller = if edge.caller.is_empty() { "(events)" } else { &edge.caller };
    format!("{caller}->{}", edge.callee)
}

fn breaker(run: &Run, arm: char, edge: &Edge, t: u64) -> Option<Finding> {
    let recent = run.edge_between(arm, &edge.caller, &edge.callee, t.saturating_sub(FLAPS_S * SECOND), t);
    let changes = recent.windows(2).filter(|pair| pair[0].1.breaker != pair[1].1.breaker).count();
    if changes >= FLAPS {
        let text = format!("{}: breaker flapping, {changes} changes in {FLAPS_S} s", name(edge));
        return Some(Finding { role: Role::Error, text });
    }
    (edge.breaker == 2).then(|| Finding { role: Role::Error, text: format!("{}: breaker open", name(edge)) })
}

fn amplified(edge: &Edge) -> Option<Finding> {
    let times = edge.actual_rps / edge.effective_rps;
    let told = edge.effective_rps >= FEWEST_CALLS && times >= AMPLIFIED;
    told.then(|| {
        let (calls, tries) = (count(Some(edge.effective_rps)), count(Some(edge.actual_rps)));
        let text =
            format!("{}: retry amplification {times:.1}x, {calls} calls/s are {tries} tries/s", name(edge));
        Finding { role: Role::Error, text }
    })
}

fn growing(run: &Run, arm: char, edge: &Edge, t: u64) -> Option<Finding> {
    let recent = run.edge_between(arm, &edge.caller, &edge.callee, t.saturating_sub(GROWTH_S * SECOND), t);
    let ((from, first), (to, last)) = (recent.first()?, recent.last()?);
    let seconds = (to - from) as f64 / SECOND as f64;
    // Two samples are no trend.
    if recent.len() < 3 || last.queue < LONG {
        return None;
    }
    let rate = (last.queue as f64 - first.queue as f64) / seconds;
    (rate >= GROWING).then(|| Finding {
        role: Role::Error,
        text: format!("{}: queue growing {rate:.0}/s, {} wait", name(edge), last.queue),
    })
}

fn failing(edge: &Edge) -> Option<Finding> {
    let share = edge.errors_rps / edge.actual_rps;
    let told = edge.actual_rps >= FEWEST_CALLS && share >= FAILING;
    told.then(|| Finding {
        role: Role::Error,
        text: format!("{}: {:.0} % of its tries fail", name(edge), share * 100.0),
    })
}

/// Of every component that is called, the one edge that makes its tail.
fn culprits(edges: &[&Edge]) -> Vec<Finding> {
    let mut felt: BTreeMap<&str, f64> = BTreeMap::new();
    for edge in edges.iter().filter(|edge| !edge.caller.is_empty()) {
        if let Some(p99) = edge.p99_ms {
            let worst = felt.entry(&edge.callee).or_insert(p99);
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
    let told = worst.into_iter().filter_map(|(caller, edge)| {
        let (parent, own) = (*felt.get(caller)?, edge.p99_ms?);
        let share = own / parent;
        // Percentiles of different calls may exceed each other: then there is no share to tell.
        let told = parent >= HARMLESS_MS && (CULPRIT..=1.0).contains(&share);
        told.then(|| Finding {
            role: Role::Warn,
            text: format!(
                "{} is {:.0} % of {caller}'s p99: {} of {} ms",
                name(edge),
                share * 100.0,
                ms(Some(own)),
                ms(Some(parent))
            ),
        })
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use record::{Entry, Line};

    use super::*;

    fn edge(caller: &str, callee: &str) -> Edge {
        let (caller, callee) = (caller.to_owned(), callee.to_owned());
        Edge { arm: 'B', caller, callee, effective_rps: 50.0, actual_rps: 50.0, ..Edge::default() }
    }

    /// One edge, second by second.
    fn told(of: impl Fn(u64) -> Edge, seconds: u64) -> Vec<String> {
        let mut run = Run::default();
        let lines: Vec<Line> =
            (1..=seconds).map(|s| Line { t: s * SECOND, entry: Entry::Edge(of(s)) }).collect();
        run.take(&lines);
        findings(&run, 'B', seconds * SECOND).into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn retries_that_multiply_are_told_as_a_ratio() {
        let storm = |_| Edge { actual_rps: 135.0, retries_rps: 85.0, ..edge("feed", "follower") };
        assert_eq!(told(storm, 1), ["feed->follower: retry amplification 2.7x, 50 calls/s are 135 tries/s"]);
        assert!(told(|_| edge("feed", "follower"), 1).is_empty());
    }

    #[test]
    fn an_edge_that_fails_is_told_with_its_share() {
        let fails = |_| Edge { errors_rps: 22.0, ..edge("feed", "photo") };
        assert_eq!(told(fails, 1), ["feed->photo: 44 % of its tries fail"]);
        assert!(told(|_| Edge { errors_rps: 1.0, ..edge("feed", "photo") }, 1).is_empty(), "one in fifty");
    }

    #[test]
    fn a_queue_is_told_by_its_growth_and_not_by_its_length() {
        // 40 more each second: at 6 s there are 240, 200 more than at 1 s.
        let grows = |s| Edge { queue: 40 * s, ..edge("feed", "follower") };
        assert_eq!(told(grows, 6), ["feed->follower: queue growing 40/s, 240 wait"]);
        assert!(told(|_| Edge { queue: 240, ..edge("feed", "follower") }, 6).is_empty());
    }

    #[test]
    fn a_breaker_that_keeps_changing_flaps() {
        let flaps = |s| Edge { breaker: if s % 2 == 0 { 2 } else { 0 }, ..edge("gateway", "photo") };
        assert_eq!(told(flaps, 10), ["gateway->photo: breaker flapping, 9 changes in 30 s"]);
        assert_eq!(
            told(|_| Edge { breaker: 2, ..edge("gateway", "photo") }, 10),
            ["gateway->photo: breaker open"]
        );
    }

    #[test]
    fn the_edge_that_makes_a_tail_is_named() {
        let mut run = Run::default();
        let slow = |caller, callee, p99| Line {
            t: SECOND,
            entry: Entry::Edge(Edge { p99_ms: Some(p99), ..edge(caller, callee) }),
        };
        run.take(&[
            slow("gateway", "feed", 192.0),
            slow("feed", "follower", 186.0),
            slow("feed", "profile", 4.0),
        ]);
        let texts: Vec<String> =
            findings(&run, 'B', SECOND).into_iter().map(|finding| finding.text).collect();
        assert_eq!(texts, ["feed->follower is 97 % of feed's p99: 186 of 192 ms"]);
    }
}
