//! Many deployments of one application: what a death takes along in each, and which are worth having.
//!
//! Pareto: a deployment is on the front when no other is at least as good in everything and
//! better in something.

use std::collections::BTreeMap;

use model::Run;
use record::{Better, Measured, Score};

use crate::expect::{Kind, Unit, Window};
use crate::measure::measure;

/// From so many arms the front is looked for.
const MANY: usize = 5;

/// Share of journeys hurt that do not need the component whose process dies, averaged over
/// components: from where everything lives and what the journeys of the run need. The door
/// and the registry are left out; a death of theirs is everybody's in every deployment.
pub fn bystanders(run: &Run, arm: char) -> Option<f64> {
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

/// What deployments are compared by; less is better in all of them.
pub fn figures(run: &Run, arm: char) -> Option<[f64; 4]> {
    let of = |kind: Kind| measure(run, &kind, &Window::Whole, arm).value;
    Some([
        of(Kind::Latency(0.5, "all".into()))?,
        of(Kind::CpuPerJourney)?,
        of(Kind::Pss)?,
        bystanders(run, arm)?,
    ])
}

/// Whether one is at least as good in everything and better in something.
fn beats(one: &[f64; 4], other: &[f64; 4]) -> bool {
    one.iter().zip(other).all(|(a, b)| a <= b) && one.iter().zip(other).any(|(a, b)| a < b)
}

/// Rows of a run of many deployments; none for a run of few.
pub(crate) fn rows(run: &Run) -> Vec<Score> {
    let letters = run.letters();
    if letters.len() < MANY {
        return Vec::new();
    }
    let known: Vec<(char, [f64; 4])> =
        letters.iter().filter_map(|arm| Some((*arm, figures(run, *arm)?))).collect();
    let row = |id: &str, measure: &str, unit: Unit, better, value: &dyn Fn(usize) -> f64| {
        let arms: BTreeMap<char, Measured> = known
            .iter()
            .enumerate()
            .map(|(at, (arm, _))| (*arm, Measured { value: Some(value(at)), n: 1, interval: None }))
            .collect();
        Score {
            id: id.into(),
            claim: "every grouping".into(),
            measure: measure.into(),
            unit: unit.symbol().into(),
            better,
            window: "whole".into(),
            ratio: None,
            beside: None,
            finding: String::new(),
            arms,
        }
    };
    let on_front = |at: usize| {
        let beaten = known.iter().any(|(_, other)| beats(other, &known[at].1));
        f64::from(u8::from(!beaten))
    };
    let text = "journeys hurt that do not need the component whose process dies, averaged";
    vec![
        row("bystanders", text, Unit::Share, Better::Lower, &|at| known[at].1[3]),
        row(
            "pareto_front",
            "1 where no other is better in everything",
            Unit::Count,
            Better::Neither,
            &on_front,
        ),
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
