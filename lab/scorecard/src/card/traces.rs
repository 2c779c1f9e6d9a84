//! Rows from traces: where a journey's time went on its critical path, and whether a fault's place can be told.

use std::collections::BTreeMap;

use model::Run;
use record::{Better, Class, Measured, Score, Split, StepPlan};

use super::{LATENCY, WATCHING, apart_of, name, of_ratio, pair};
use crate::expect::{Unit, Window};
use crate::stats::{self, Interval};

/// Growth, as a share of the whole mean, below which nobody is accused.
const NOTICEABLE: f64 = 0.1;

/// A place and what its time is spent on.
type Part<'a> = (&'a str, Class);

/// The traces of an arm over some phases, all journeys and rounds together.
#[derive(Debug, Default)]
struct Pooled<'a> {
    n: u64,
    /// Sums over all traces, ns and ns².
    parts: BTreeMap<Part<'a>, (f64, f64)>,
}

impl<'a> Pooled<'a> {
    /// Of one round, or of all.
    fn of(run: &'a Run, arm: char, window: &Window, round: Option<u32>) -> Self {
        let mut pooled = Self::default();
        let within = |split: &&Split| {
            split.arm == arm
                && round.is_none_or(|round| round == split.round)
                && is_within(run, split, window)
        };
        for split in run.splits().filter(within) {
            pooled.n += split.n;
            let n = split.n as f64;
            for part in &split.parts {
                let sums = pooled.parts.entry((part.place.as_str(), part.class)).or_default();
                sums.0 += n * part.mean;
                // What a sample variance was made from.
                sums.1 += (n - 1.0).max(0.0) * part.variance + n * part.mean.powi(2);
            }
        }
        pooled
    }

    /// Mean of one class over all traces with its interval, seconds. Places of one trace are taken to vary
    /// independently: a trace that is slow in one of them need not be in another.
    fn class(&self, class: Class) -> Measured {
        if self.n == 0 {
            return Measured::default();
        }
        let n = self.n as f64;
        let (mut mean, mut variance) = (0.0, 0.0);
        for ((_, of), (sum, squares)) in &self.parts {
            if *of == class {
                mean += sum / n;
                variance += (squares / n - (sum / n).powi(2)).max(0.0);
            }
        }
        let half = stats::Z * (variance / n).sqrt();
        let interval: Interval = ((mean - half).max(0.0) / 1e9, (mean + half) / 1e9);
        Measured { value: Some(mean / 1e9), n: self.n, interval: (self.n > 1).then_some(interval) }
    }

    fn means(&self) -> BTreeMap<Part<'a>, f64> {
        self.parts.iter().map(|(part, (sum, _))| (*part, sum / self.n.max(1) as f64)).collect()
    }
}

fn is_within(run: &Run, split: &Split, window: &Window) -> bool {
    let Some(phase) = run.header.phases.get(split.phase as usize) else { return false };
    match window {
        Window::Phase(name) => phase.name == *name,
        _ => phase.measure,
    }
}

/// Where a journey's time went, class by class, and one row per fault: did the traces name what it hit?
pub(super) fn rows(run: &Run, steady: &Window) -> Vec<Score> {
    if run.splits().next().is_none() {
        return Vec::new();
    }
    let mut scores: Vec<Score> = Class::ALL.iter().map(|class| row(run, steady, *class)).collect();
    let zero = |score: &Score| score.arms.values().all(|measured| measured.value.is_none_or(|v| v == 0.0));
    scores.retain(|score| !zero(score));
    scores.extend(run.header.steps.iter().filter_map(|step| culprit(run, steady, step)));
    scores
}

fn row(run: &Run, steady: &Window, class: Class) -> Score {
    let arms: BTreeMap<char, Measured> =
        run.letters().into_iter().map(|arm| (arm, Pooled::of(run, arm, steady, None).class(class))).collect();
    let ratio = pair(run).and_then(|(a, b)| {
        let of_round = |arm: char| -> Vec<Option<f64>> {
            let rounds = 1..=run.header.rounds;
            rounds.map(|round| Pooled::of(run, arm, steady, Some(round)).class(class).value).collect()
        };
        // Rounds are blocks of their own; without enough of them the spread of single traces has to do.
        match stats::paired_ratio(&of_round(a), &of_round(b)) {
            Some((value, interval)) => {
                let n = arms.get(&a)?.n.min(arms.get(&b)?.n);
                Some(Measured { value: Some(value), n, interval: Some(interval) })
            }
            None => quotient(arms.get(&a)?, arms.get(&b)?),
        }
    });
    let incomplete = run.letters().into_iter().any(|arm| run.spans_lost(arm) > 0);
    let finding = match ratio.and_then(|ratio| ratio.interval) {
        _ if incomplete => "spans were lost".into(),
        Some(interval) => of_ratio(interval),
        None => apart_of(&arms),
    };
    Score {
        id: format!("trace_{}", class.name()),
        claim: LATENCY.into(),
        measure: format!("{} on the critical path of a journey, mean", class.words()),
        unit: Unit::Time.symbol().into(),
        better: Better::Lower,
        window: name(steady),
        ratio: ratio.filter(|_| !incomplete),
        beside: None,
        finding,
        arms,
    }
}

/// B over A of two means drawn independently: the delta method on the logarithm.
fn quotient(a: &Measured, b: &Measured) -> Option<Measured> {
    let spread = |of: &Measured| {
        let (value, (low, high)) = (of.value?, of.interval?);
        (value > 0.0 && low > 0.0).then(|| ((high - low) / 2.0 / value).powi(2))
    };
    let half = (spread(a)? + spread(b)?).sqrt();
    let log = (b.value? / a.value?).ln();
    Some(Measured {
        value: Some(log.exp()),
        n: a.n.min(b.n),
        interval: Some(((log - half).exp(), (log + half).exp())),
    })
}

/// What grew most between the steady phase and the fault's is taken for the culprit; right is what touches a
/// component that the fault hits. Where nothing was hit there is nothing to name.
fn culprit(run: &Run, steady: &Window, step: &StepPlan) -> Option<Score> {
    let inside = |phase: &&record::PhasePlan| {
        (phase.start_ns..phase.start_ns + phase.length_ns).contains(&step.start_ns)
    };
    let during = Window::Phase(run.header.phases.iter().find(inside)?.name.clone());
    if !step.is_fault || step.hits.is_empty() || during == *steady {
        return None;
    }
    let mut arms = BTreeMap::new();
    let mut words = Vec::new();
    for arm in run.letters() {
        if step.not_applicable.contains_key(&arm) {
            continue;
        }
        let (before, after) = (Pooled::of(run, arm, steady, None), Pooled::of(run, arm, &during, None));
        let known = before.means();
        let grown = |(part, mean): (Part<'_>, f64)| {
            let growth = mean - known.get(&part).copied().unwrap_or(0.0);
            (growth > 0.0).then(|| (growth, part.0.to_owned(), part.1))
        };
        let most = after.means().into_iter().filter_map(grown).max_by(|a, b| a.0.total_cmp(&b.0));
        if before.n == 0 || after.n == 0 {
            continue;
        }
        let worth = NOTICEABLE * known.values().sum::<f64>();
        let named = match most.filter(|(growth, ..)| *growth > worth) {
            Some((growth, place, class)) => {
                let grown = crate::judge::show_unit(Unit::Time, growth / 1e9);
                words.push(format!("{arm}: {place} {} +{grown}", class.words()));
                place.split("->").any(|end| step.hits.iter().any(|hit| hit == end))
            }
            None => {
                words.push(format!("{arm}: nothing grew by a tenth"));
                false
            }
        };
        let value = Some(f64::from(u8::from(named)));
        arms.insert(arm, Measured { value, n: after.n, interval: None });
    }
    if arms.is_empty() {
        return None;
    }
    Some(Score {
        id: format!("culprit_{}", step.id),
        claim: WATCHING.into(),
        measure: format!("traces alone name what {} hits", step.id),
        unit: Unit::Count.symbol().into(),
        better: Better::Higher,
        window: name(&during),
        ratio: None,
        beside: Some(words.join("; ")),
        finding: apart_of(&arms),
        arms,
    })
}
