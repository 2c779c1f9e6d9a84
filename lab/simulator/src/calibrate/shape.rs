//! From samples of an operation to what it does: which activities, how often, and which of them at the same time.

use std::collections::BTreeMap;

use super::document::{Activity, ActivityKind, Operation, Stage, Times};
use super::traces::{Kind, ObservedActivity, Sample};

/// Bins of measured times at most: with as many samples as there are in a short run, more would hold one each.
const MAX_BINS: usize = 128;
/// Of weights, which bins count in whole numbers: a weight of 1 is this many.
const WEIGHT: f64 = 64.0;
/// Turns of one activity within an operation that are looked at: a loop of more is rare, and its rest is left out.
const MAX_TURNS: usize = 16;
/// Activities that were there less often than this are no part of what an operation does.
const MIN_SHARE: f64 = 0.002;

/// Times from samples and their weights.
pub(super) fn times(samples: &[(u64, f64)]) -> Times {
    let mut sorted: Vec<(u64, f64)> = samples.iter().copied().filter(|(_, weight)| *weight > 0.0).collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let all: f64 = sorted.iter().map(|(_, weight)| weight).sum();
    if all <= 0.0 {
        return Times::default();
    }
    let mean_ns = sorted.iter().map(|(ns, weight)| *ns as f64 * weight).sum::<f64>() / all;
    let per_bin = all / MAX_BINS.min(sorted.len()) as f64;
    let mut bins: Vec<(u64, u64, u64)> = Vec::new();
    let (mut from, mut weight) = (sorted[0].0, 0.0);
    for (at, (ns, of)) in sorted.iter().enumerate() {
        weight += of;
        if weight >= per_bin * 0.999 || at + 1 == sorted.len() {
            bins.push((from, *ns, (weight * WEIGHT).round().max(1.0) as u64));
            (from, weight) = (sorted.get(at + 1).map_or(*ns, |(next, _)| *next), 0.0);
        }
    }
    Times { n: sorted.len() as u64, mean_ns, bins }
}

/// An activity of an operation, over all samples.
#[derive(Default)]
struct ActivitySamples {
    /// Weight of the samples that had it.
    weight: f64,
    /// Sum of its begins, by weight, ns since the operation's.
    begins: f64,
    took: Vec<(u64, f64)>,
}

impl ActivitySamples {
    fn begin(&self) -> f64 {
        self.begins / self.weight
    }
}

/// An activity, and its ordinal among those of its kind.
type Key = (Kind, usize);

/// What an operation does.
pub(super) fn operation(samples: &[Sample]) -> Operation {
    let mut sites: BTreeMap<Key, ActivitySamples> = BTreeMap::new();
    let mut together: BTreeMap<(Key, Key), (f64, f64)> = BTreeMap::new();
    for sample in samples {
        let seen = keyed(sample);
        for (key, activity) in &seen {
            let site = sites.entry(key.clone()).or_default();
            site.weight += sample.weight;
            site.begins += activity.start.saturating_sub(sample.start) as f64 * sample.weight;
            site.took.push((activity.took, sample.weight));
        }
        for (at, (a, first)) in seen.iter().enumerate() {
            for (b, second) in &seen[at + 1..] {
                let pair = if a < b { (a.clone(), b.clone()) } else { (b.clone(), a.clone()) };
                let (both, overlapping) = together.entry(pair).or_default();
                *both += sample.weight;
                if first.start < second.end && second.start < first.end {
                    *overlapping += sample.weight;
                }
            }
        }
    }
    let all: f64 = samples.iter().map(|sample| sample.weight).sum();
    let mut order: Vec<(&Key, &ActivitySamples)> =
        sites.iter().filter(|(_, site)| site.weight >= MIN_SHARE * all).collect();
    order.sort_by(|a, b| a.1.begin().total_cmp(&b.1.begin()).then(a.0.cmp(b.0)));
    let overlap = |a: &Key, b: &Key| {
        let pair = if a < b { (a.clone(), b.clone()) } else { (b.clone(), a.clone()) };
        together.get(&pair).is_some_and(|(both, overlapping)| *overlapping > both / 2.0)
    };
    let own = times(&samples.iter().map(|sample| (sample.own, sample.weight)).collect::<Vec<_>>());
    let before: f64 = samples.iter().map(|sample| sample.before as f64 * sample.weight).sum();
    let spent: f64 = samples.iter().map(|sample| sample.own as f64 * sample.weight).sum();
    Operation {
        is_idempotent: sites.keys().all(|(kind, _)| *kind != Kind::Write),
        own,
        before: if spent > 0.0 { before / spent } else { 1.0 },
        stages: stages(&order, overlap, all),
        ..Operation::default()
    }
}

/// The activities of a sample, each with its key.
fn keyed(sample: &Sample) -> Vec<(Key, &ObservedActivity)> {
    let mut turns: BTreeMap<&Kind, usize> = BTreeMap::new();
    let keyed = sample.activities.iter().map(|seen| {
        let turn = turns.entry(&seen.kind).or_default();
        *turn += 1;
        ((seen.kind.clone(), *turn), seen)
    });
    keyed.filter(|((_, turn), _)| *turn <= MAX_TURNS).collect()
}

/// Stages: activities that overlap, directly or through others, are of one. Within it each goes to the first lane whose
/// last activity it does not overlap.
fn stages(order: &[(&Key, &ActivitySamples)], overlap: impl Fn(&Key, &Key) -> bool, all: f64) -> Vec<Stage> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for at in 0..order.len() {
        let meets = |group: &Vec<usize>| group.iter().any(|other| overlap(order[*other].0, order[at].0));
        let (met, apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(meets);
        groups = apart;
        let mut joined: Vec<usize> = met.into_iter().flatten().collect();
        joined.push(at);
        joined.sort_unstable();
        groups.push(joined);
    }
    groups.sort();
    let stage = |group: Vec<usize>| {
        let mut lanes: Vec<Vec<usize>> = Vec::new();
        for at in group {
            let is_free =
                |lane: &&mut Vec<usize>| lane.iter().all(|other| !overlap(order[*other].0, order[at].0));
            match lanes.iter_mut().find(is_free) {
                Some(lane) => lane.push(at),
                None => lanes.push(vec![at]),
            }
        }
        let activity = |at: usize| activity(order[at].0, order[at].1, all);
        Stage { lanes: lanes.into_iter().map(|lane| lane.into_iter().map(activity).collect()).collect() }
    };
    groups.into_iter().map(stage).collect()
}

fn activity((kind, _): &Key, site: &ActivitySamples, all: f64) -> Activity {
    let what = match kind {
        Kind::Call(operation) => ActivityKind::Call(operation.clone()),
        Kind::Read(_) => ActivityKind::Read(times(&site.took)),
        Kind::Write => ActivityKind::Write(times(&site.took)),
    };
    Activity { share: (site.weight / all).min(1.0), what }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(kind: Kind, start: u64, end: u64) -> ObservedActivity {
        ObservedActivity { kind, start, end, took: end - start }
    }

    fn call(name: &str) -> Kind {
        Kind::Call(name.into())
    }

    #[test]
    fn bins_hold_as_much_each_and_end_where_the_longest_ends() {
        let of = times(&[(10, 1.0), (30, 1.0), (20, 2.0)]);
        assert_eq!(of.bins, [(10, 20, 192), (30, 30, 64)], "a bin holds 4/3 at least");
        assert!((of.mean_ns - 20.0).abs() < 1e-9);
        assert_eq!(times(&[]), Times::default());
        let many: Vec<(u64, f64)> = (0..10_000).map(|ns| (ns, 1.0)).collect();
        let of = times(&many);
        assert!(of.bins.len() <= MAX_BINS && of.bins.last().is_some_and(|(_, to, _)| *to == 9_999));
        assert_eq!(of.bins.iter().map(|(.., n)| n).sum::<u64>(), 640_000);
    }

    #[test]
    fn what_overlaps_is_done_at_once_and_what_follows_in_a_lane() {
        // A call beside two reads one after the other, then two calls at once, of which one is there half of the time.
        let sample = |weight, has_search: bool| {
            let mut activities = vec![
                seen(call("follower/list"), 10, 60),
                seen(Kind::Read("a".into()), 12, 20),
                seen(Kind::Read("b".into()), 30, 40),
                seen(call("photo/by_ids"), 70, 90),
            ];
            activities.extend(has_search.then(|| seen(call("search/find"), 75, 80)));
            Sample { weight, own: 20, before: 10, start: 0, activities }
        };
        let operation = operation(&[sample(1.0, true), sample(1.0, false)]);
        let names = |stage: &Stage| -> Vec<Vec<String>> {
            let name = |activity: &Activity| match &activity.what {
                ActivityKind::Call(name) => name.clone(),
                ActivityKind::Read(times) => format!("read {}", times.mean_ns),
                ActivityKind::Write(_) => "write".to_owned(),
            };
            stage.lanes.iter().map(|lane| lane.iter().map(name).collect()).collect()
        };
        assert_eq!(operation.stages.len(), 2);
        assert_eq!(names(&operation.stages[0]), [vec!["follower/list"], vec!["read 8", "read 10"]]);
        assert_eq!(names(&operation.stages[1]), [vec!["photo/by_ids"], vec!["search/find"]]);
        assert!((operation.stages[1].lanes[1][0].share - 0.5).abs() < 1e-9);
        assert!((operation.before - 0.5).abs() < 1e-9 && operation.is_idempotent);
    }

    #[test]
    fn a_transaction_is_not_done_twice() {
        let activities = vec![seen(Kind::Write, 5, 9)];
        let written = operation(&[Sample { weight: 1.0, own: 1, before: 1, start: 0, activities }]);
        assert!(!written.is_idempotent);
    }
}
