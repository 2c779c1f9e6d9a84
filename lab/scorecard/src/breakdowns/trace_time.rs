//! Where the time of a journey goes, class by class, from the critical paths of its traces.

use model::glossary::Term;
use record::{Better, Class, Measured, Score};

use super::Breakdown;
use super::trace_sums::TraceSums;
use crate::card::{Card, name_of};
use crate::finding;
use crate::measure::{Claim, Unit};
use crate::stats;

/// `trace_<class>` for each class that took time.
pub(super) const TRACE_TIME: Breakdown = Breakdown {
    terms: &[Term {
        id: "trace",
        name: "on the critical path",
        unit: "s",
        better: Better::Lower,
        meaning: "mean per journey over all traces of the phase; segments of the critical path fill a request exactly",
    }],
    rows,
};

fn rows(card: &Card<'_>) -> Vec<Score> {
    if card.run.splits().next().is_none() {
        return Vec::new();
    }
    let has_time =
        |score: &Score| score.arms.values().any(|measured| measured.value.is_some_and(|v| v != 0.0));
    Class::ALL.iter().map(|class| row(card, *class)).filter(has_time).collect()
}

fn row(card: &Card<'_>, class: Class) -> Score {
    let run = card.run;
    let mean = |arm: char, round: Option<u32>| TraceSums::of(run, arm, &card.steady, round).class(class);
    let arms = card.arms(|arm| mean(arm, None));
    let ratio = card.pair().and_then(|(a, b)| {
        let of_rounds = |arm: char| -> Vec<Option<f64>> {
            (1..=run.header.rounds).map(|round| mean(arm, Some(round)).value).collect()
        };
        // Rounds are blocks that stand for themselves; without enough of them the spread of single traces has to do.
        match stats::paired_ratio(&of_rounds(a), &of_rounds(b)) {
            Some((value, interval)) => {
                let n = arms.get(&a)?.n.min(arms.get(&b)?.n);
                Some(Measured { value: Some(value), n, interval: Some(interval) })
            }
            None => quotient(arms.get(&a)?, arms.get(&b)?),
        }
    });
    let is_incomplete = run.letters().into_iter().any(|arm| run.spans_lost(arm) > 0);
    let finding = match ratio.and_then(|ratio| ratio.interval) {
        _ if is_incomplete => "spans were lost",
        Some(interval) => finding::of_ratio(interval),
        None => finding::of_intervals(&arms),
    };
    Score {
        id: format!("trace_{}", class.name()),
        claim: Claim::Latency.words().into(),
        measure: format!("{} on the critical path of a journey, mean", class.words()),
        unit: Unit::Time.symbol().into(),
        better: Better::Lower,
        window: name_of(&card.steady),
        ratio: ratio.filter(|_| !is_incomplete),
        context: None,
        finding: finding.into(),
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
