//! What operations do, as their traces show it: every time an operation was served is a sample of it.
//!
//! Which requests a record keeps is no accident: the slowest, and those that were slowest in another arm. So samples are
//! weighed: the slowest few of a kind stand for themselves, the others for all the rest of their kind.

use std::collections::BTreeMap;

use model::Run;
use model::traces::SLOWEST_KEPT;
use record::{CLIENT, Class, Trace};

/// What an activity of an operation is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A call of this operation.
    Call(String),
    /// This statement, outside of a transaction.
    Read(String),
    /// A transaction.
    Write,
}

/// An activity, as it was once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ObservedActivity {
    /// What it is.
    pub kind: Kind,
    /// Begin, ns since the root's.
    pub start: u64,
    /// End, ns since the root's.
    pub end: u64,
    /// What it took, ns: of a transaction, while it held the writer and before its commit.
    pub took: u64,
}

/// An operation, as it was served once.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    /// How many like it it stands for.
    pub weight: f64,
    /// Its own time, ns.
    pub own: u64,
    /// Of that, before its first activity.
    pub before: u64,
    /// Begin, ns since the root's.
    pub start: u64,
    /// What it waited for, by begin.
    pub activities: Vec<ObservedActivity>,
}

/// Samples of everything, by operation, and times of commits.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Samples {
    /// By component and name: `feed/GET /v1/feed`, `client/home-feed`.
    pub operations: BTreeMap<String, Vec<Sample>>,
    /// Length and weight of commits.
    pub commits: Vec<(u64, f64)>,
    /// Own time between a caller's span and its callee's, ns, with weights: what a hop takes beside the work.
    pub hops: Vec<(u64, f64)>,
    /// Traces that were read.
    pub traces: u64,
}

/// Longest chain of spans that is followed.
const MAX_DEPTH: usize = 64;

impl Samples {
    /// Those of an arm of a run.
    pub fn of(run: &Run, arm: char) -> Self {
        let mut kinds: BTreeMap<(u32, u32, &str), Vec<&Trace>> = BTreeMap::new();
        // Before the measured phases caches are cold and connections are made.
        let is_measured =
            |trace: &&Trace| run.header.phases.get(trace.phase as usize).is_some_and(|phase| phase.measure);
        let of_arm = run.known_traces().filter(|trace| trace.arm == arm && is_whole(trace));
        for trace in of_arm.filter(is_measured) {
            kinds.entry((trace.round, trace.phase, trace.journey.as_str())).or_default().push(trace);
        }
        let all: BTreeMap<(u32, u32, &str), u64> = run
            .splits()
            .filter(|split| split.arm == arm)
            .map(|split| ((split.round, split.phase, split.journey.as_str()), split.n))
            .collect();
        let mut samples = Self::default();
        for (kind, mut traces) in kinds {
            traces.sort_by_key(|trace| std::cmp::Reverse(trace.length()));
            let all = all.get(&kind).copied().unwrap_or(0).max(traces.len() as u64);
            let slowest = traces.len().min(SLOWEST_KEPT);
            let others = traces.len() - slowest;
            for (at, trace) in traces.into_iter().enumerate() {
                let weight = match others {
                    0 => all as f64 / slowest as f64,
                    _ if at < slowest => 1.0,
                    others => (all - slowest as u64) as f64 / others as f64,
                };
                samples.add(trace, weight);
            }
        }
        samples
    }

    /// Adds those of another arm.
    pub fn append(&mut self, other: Self) {
        for (name, samples) in other.operations {
            self.operations.entry(name).or_default().extend(samples);
        }
        self.commits.extend(other.commits);
        self.hops.extend(other.hops);
        self.traces += other.traces;
    }

    fn add(&mut self, trace: &Trace, weight: f64) {
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); trace.spans.len()];
        for (index, span) in trace.spans.iter().enumerate() {
            if let Some(parent) = span.parent.and_then(|parent| children.get_mut(parent as usize)) {
                parent.push(index);
            }
        }
        self.traces += 1;
        let mut reading = Reading { trace, children, weight, samples: self };
        reading.operation(0, format!("{CLIENT}/{}", trace.journey));
    }
}

/// Whether a trace shows a request as it is without faults, and all of it.
fn is_whole(trace: &Trace) -> bool {
    let is_odd = |class| matches!(class, Class::Injected | Class::Unanswered);
    trace.error.is_empty()
        && trace.orphans == 0
        && !trace.spans.is_empty()
        && trace.spans.iter().all(|span| span.error.is_empty() && !is_odd(span.class))
}

/// The trace being read.
struct Reading<'a> {
    trace: &'a Trace,
    children: Vec<Vec<usize>>,
    weight: f64,
    samples: &'a mut Samples,
}

impl Reading<'_> {
    /// Adds the operation that a span serves, and those that it calls.
    fn operation(&mut self, index: usize, name: String) {
        let trace = self.trace;
        let span = &trace.spans[index];
        let mut below = Vec::new();
        self.inside(index, 0, &mut below);
        let mut covered: Vec<(u64, u64)> = Vec::new();
        let (mut activities, mut transaction): (Vec<ObservedActivity>, Option<ObservedActivity>) =
            (Vec::new(), None);
        for child in below {
            let within = &trace.spans[child];
            let (start, end) = (within.start, within.start + within.length);
            covered.push((start, end));
            let seen = |kind, took| ObservedActivity { kind, start, end, took };
            match within.class {
                Class::Queue if within.name == "tx.wait" => {
                    transaction = Some(ObservedActivity { kind: Kind::Write, start: end, end, took: 0 });
                }
                Class::Database => match &mut transaction {
                    Some(open) if within.name.starts_with("COMMIT") => {
                        open.took = start.saturating_sub(open.start);
                        open.end = end;
                        covered.push((open.start, end));
                        self.samples.commits.push((within.length, self.weight));
                        activities.extend(transaction.take());
                    }
                    Some(_) => {}
                    None => activities.push(seen(Kind::Read(within.name.clone()), within.length)),
                },
                Class::Network | Class::Work | Class::Queue => {
                    let Some(served) = self.served(child, &span.of) else { continue };
                    let callee = &trace.spans[served];
                    let called = name_of(&callee.of, &callee.name);
                    let hop = within.length.saturating_sub(callee.length);
                    self.samples.hops.push((hop, self.weight));
                    activities.push(seen(Kind::Call(called.clone()), within.length));
                    self.operation(served, called);
                }
                Class::Injected | Class::Unanswered | Class::Client => {}
            }
        }
        let first = activities.iter().map(|seen| seen.start).min().unwrap_or(span.start + span.length);
        let own = span.length.saturating_sub(union(&mut covered));
        let before = first.saturating_sub(span.start).min(own);
        activities.sort_by_key(|seen| (seen.start, seen.end));
        let sample = Sample { weight: self.weight, own, before, start: span.start, activities };
        self.samples.operations.entry(name).or_default().push(sample);
    }

    /// What is directly below a span, where spans within its own component are looked through.
    fn inside(&self, index: usize, depth: usize, found: &mut Vec<usize>) {
        let of = &self.trace.spans[index].of;
        for child in self.children[index].iter().copied() {
            let span = &self.trace.spans[child];
            let is_own = span.class == Class::Work && span.of == *of && span.place == *of;
            if is_own && depth < MAX_DEPTH {
                self.inside(child, depth + 1, found);
            } else {
                found.push(child);
            }
        }
    }

    /// The span of another component that serves a call of this one; `None` where it is not here.
    fn served(&self, call: usize, caller: &str) -> Option<usize> {
        let mut at = call;
        for _ in 0..MAX_DEPTH {
            let span = &self.trace.spans[at];
            if span.class == Class::Work && span.of != caller && span.place == span.of {
                return Some(at);
            }
            // Of several tries the last one answered.
            at = self.children[at].iter().copied().rfind(|child| {
                let class = self.trace.spans[*child].class;
                matches!(class, Class::Network | Class::Work)
            })?;
        }
        None
    }
}

/// `photo/photo.by_ids`: how a call is carried is not part of its name.
fn name_of(component: &str, span: &str) -> String {
    format!("{component}/{}", span.strip_prefix("POST /call/").unwrap_or(span))
}

/// Length of the union of intervals.
fn union(intervals: &mut [(u64, u64)]) -> u64 {
    intervals.sort_unstable();
    let (mut sum, mut until) = (0, 0);
    for (start, end) in intervals.iter().copied() {
        sum += end.saturating_sub(start.max(until));
        until = until.max(end);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_times_count_once() {
        assert_eq!(union(&mut [(5, 9), (0, 3), (2, 4), (6, 7)]), 8);
        assert_eq!(union(&mut []), 0);
    }

    #[test]
    fn a_call_has_one_name_on_every_carrier() {
        assert_eq!(name_of("photo", "POST /call/photo.by_ids"), "photo/photo.by_ids");
        assert_eq!(name_of("photo", "GET /v1/photos/{id}"), "photo/GET /v1/photos/{id}");
    }
}
