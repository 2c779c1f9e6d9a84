//! Many groupings of one application: what the death of a process takes along in each, and which are worth having.
//!
//! Pareto: a grouping is on the front when no other is at least as good in everything and
//! better in something.

use std::collections::BTreeMap;

use model::glossary::Term;
use model::{Run, Window};
use record::{Better, Score};

use super::Breakdown;
use crate::card::{Card, name_of};
use crate::measure::{Claim, Unit};
use crate::measures::{CPU_PER_JOURNEY, MEMORY, P50};
use crate::value::once;

/// From so many arms the front is looked for.
const MIN_ARMS: usize = 5;

/// `bystanders` and `pareto_front`.
pub(super) const FRONT: Breakdown = Breakdown {
    terms: &[
        Term {
            id: "bystanders",
            name: "hurt",
            unit: "%",
            better: Better::Lower,
            meaning: "journeys hurt that do not need the component whose process dies",
        },
        Term {
            id: "pareto_front",
            name: "front",
            unit: "",
            better: Better::Neither,
            meaning: "1 where no other grouping is better in everything",
        },
    ],
    rows,
};

/// Share of journeys hurt that do not need the component whose process dies, averaged over
/// components: from where everything lives and what the journeys of the run need. The door
/// and the registry are left out; their death hurts every journey in every grouping.
fn bystanders(run: &Run, arm: char) -> Option<f64> {
    let header = &run.header;
    let plan = header.arms.iter().find(|plan| plan.letter == arm)?;
    let whole = run.whole(&Window::Whole);
    let weights: BTreeMap<&str, u64> = header
        .journeys
        .iter()
        .map(|journey| (journey.name.as_str(), run.sum(arm, &whole, &journey.name, |w| w.offered)))
        .collect();
    let infrastructure = |host: &String| host == "gateway" || host == "registry";
    let mut components: Vec<&String> =
        plan.instances.iter().flat_map(|i| &i.hosts).filter(|h| !infrastructure(h)).collect();
    components.sort();
    components.dedup();
    let mut shares = Vec::new();
    for dead in components {
        let instance = plan.instances.iter().find(|instance| instance.hosts.contains(dead))?;
        let door_dies = instance.hosts.iter().any(|host| host == "gateway");
        let (mut others, mut hurt) = (0, 0);
        for journey in header.journeys.iter().filter(|journey| !journey.needs.contains(dead)) {
            let weight = weights.get(journey.name.as_str()).copied().unwrap_or(0);
            others += weight;
            if door_dies || journey.needs.iter().any(|need| instance.hosts.contains(need)) {
                hurt += weight;
            }
        }
        if others > 0 {
            shares.push(hurt as f64 / others as f64);
        }
    }
    (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
}

/// What groupings are compared by; less is better in all of them.
fn figures(run: &Run, arm: char) -> Option<[f64; 4]> {
    let [latency, cpu, memory] =
        [P50, CPU_PER_JOURNEY, MEMORY].map(|measure| measure.over(run, arm, &Window::Whole).value);
    Some([latency?, cpu?, memory?, bystanders(run, arm)?])
}

/// Whether one is at least as good in everything and better in something.
fn beats(one: &[f64; 4], other: &[f64; 4]) -> bool {
    one.iter().zip(other).all(|(a, b)| a <= b) && one.iter().zip(other).any(|(a, b)| a < b)
}

/// Rows of a run of many arms; none for a run of few.
fn rows(card: &Card<'_>) -> Vec<Score> {
    let letters = card.run.letters();
    if letters.len() < MIN_ARMS {
        return Vec::new();
    }
    let known: BTreeMap<char, [f64; 4]> =
        letters.into_iter().filter_map(|arm| Some((arm, figures(card.run, arm)?))).collect();
    let row = |id: &str, text: &str, unit: Unit, better, value: &dyn Fn(&[f64; 4]) -> f64| Score {
        id: id.into(),
        claim: Claim::Groupings.words().into(),
        measure: text.into(),
        unit: unit.symbol().into(),
        better,
        window: name_of(&Window::Whole),
        ratio: None,
        context: None,
        finding: String::new(),
        arms: known.iter().map(|(arm, figures)| (*arm, once(Some(value(figures))))).collect(),
    };
    let is_on_front = |figures: &[f64; 4]| {
        let is_beaten = known.values().any(|other| beats(other, figures));
        f64::from(u8::from(!is_beaten))
    };
    let hurt = "journeys hurt that do not need the component whose process dies, averaged";
    let best = "1 where no other is better in everything";
    vec![
        row("bystanders", hurt, Unit::Share, Better::Lower, &|figures| figures[3]),
        row("pareto_front", best, Unit::Count, Better::Neither, &is_on_front),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_beats_another_only_if_it_is_nowhere_worse() {
        assert!(beats(&[1.0, 1.0, 1.0, 0.0], &[1.0, 1.0, 2.0, 0.0]));
        assert!(!beats(&[1.0, 1.0, 1.0, 0.5], &[2.0, 2.0, 2.0, 0.0]), "better in three, worse in one");
        assert!(!beats(&[1.0; 4], &[1.0; 4]), "equals stand side by side");
    }
}
