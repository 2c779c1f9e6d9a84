//! Many groupings of one application: what the death of a process takes along in each, and which are worth having.
//!
//! Pareto: a grouping is on the front when no other is at least as good in everything and
//! better in something.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::glossary::Term;
use model::{Run, Window};
use record::{Better, Measured, Note, Score};

use super::Breakdown;
use crate::draft::Card;
use crate::expect::Argument;
use crate::inference::front::{Axis, FrontStatus, Membership, memberships};
use crate::inference::{Figure, Resampling};
use crate::measure::{Claim, Measure, Unit};
use crate::measures::{CPU_PER_JOURNEY, MEMORY, P50};
use crate::selection::{Selection, name_of};

/// What groupings are compared by, besides their collateral failures.
const MEASURES: [&Measure; 3] = [&P50, &CPU_PER_JOURNEY, &MEMORY];
/// From so many arms the front is looked for.
const MIN_ARMS: usize = 5;
/// Arms that are named as beating a tied one.
const MAX_NAMED: usize = 3;

/// `bystanders` and `pareto_front`.
pub(super) const FRONT: Breakdown = Breakdown {
    terms: &[
        Term {
            id: "bystanders",
            name: "collateral failures",
            unit: "%",
            better: Better::Lower,
            meaning: "share of journeys that fail although they do not need the component whose process dies",
        },
        Term {
            id: "pareto_front",
            name: "front",
            unit: "%",
            better: Better::Neither,
            meaning: "probability that no other grouping is better in everything: on the front from 90 %, off it to 10 %, tied between",
        },
    ],
    drafts: |_| Vec::new(),
    scores,
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

/// A measure over the whole run, as an axis.
fn axis(run: &Run, arm: char, measure: &Measure, resampling: &Arc<Resampling>) -> Option<Axis> {
    let argument = Argument::of_row(measure.parameter, None);
    let selection = Selection::new(run, arm, &Window::Whole, &argument);
    Axis::of(&Figure::new(measure.of(&selection), resampling))
}

/// What groupings are compared by; less is better in all of them.
fn axes(run: &Run, arm: char, measures: &[&Measure], resampling: &Arc<Resampling>) -> Option<Vec<Axis>> {
    let mut axes = Vec::new();
    for measure in measures {
        axes.push(axis(run, arm, measure, resampling)?);
    }
    axes.push(Axis::exact(bystanders(run, arm)?));
    Some(axes)
}

/// Rows of a run of many arms; none for a run of few.
fn scores(card: &Card<'_>) -> Vec<Score> {
    let letters = card.run.letters();
    if letters.len() < MIN_ARMS {
        return Vec::new();
    }
    let frame = Selection::new(card.run, letters[0], &Window::Whole, &Argument::None).frame();
    let resampling = card.engine.resampling(&frame);
    // A simulation knows nothing of memory that its calibration did not: there the front is one of the others.
    let (measures, missing): (Vec<&Measure>, Vec<&Measure>) =
        MEASURES.into_iter().partition(|measure| measure.is_known_in(card.run));
    let axes_of = |arm| Some((arm, axes(card.run, arm, &measures, &resampling)?));
    let known: BTreeMap<char, Vec<Axis>> = letters.into_iter().filter_map(axes_of).collect();
    if known.is_empty() {
        return Vec::new();
    }
    let arms: Vec<char> = known.keys().copied().collect();
    let members = memberships(&known.values().cloned().collect::<Vec<_>>());
    let row = |id: &str, text: &str, unit: Unit, better, value: &dyn Fn(usize) -> Measured| Score {
        id: id.into(),
        claim: Claim::Groupings.words().into(),
        measure: text.into(),
        unit: unit.symbol().into(),
        better,
        window: name_of(&Window::Whole),
        part_of: None,
        notes: Vec::new(),
        margin: None,
        contrasts: BTreeMap::new(),
        ratio: None,
        context: None,
        finding: String::new(),
        arms: arms.iter().enumerate().map(|(index, arm)| (*arm, value(index))).collect(),
    };
    let exact =
        |value: f64| Measured { value: Some(value), n: 1, note: Some(Note::Exact), ..Measured::default() };
    let hurt = "collateral failures (journeys that do not need the component whose process dies), averaged";
    let best = "probability that no other is better in everything";
    let harm = |index: usize| exact(known[&arms[index]].last().map_or(0.0, |axis| axis.value));
    let membership =
        |index: usize| Measured { value: Some(members[index].share), n: 1, ..Measured::default() };
    vec![
        row("bystanders", hurt, Unit::Share, Better::Lower, &harm),
        Score {
            context: context(&missing, ties(card.run, &arms, &members)),
            ..row("pareto_front", best, Unit::Share, Better::Neither, &membership)
        },
    ]
}

/// What the front leaves out, and what is tied.
fn context(missing: &[&Measure], ties: Option<String>) -> Option<String> {
    let left_out = missing.iter().map(|measure| format!("{} is not simulated and no axis", measure.name));
    let parts: Vec<String> = left_out.chain(ties).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// `tied: pairs (beaten most often by mono, trio)`: arms of which it is not sure whether they are on the front.
fn ties(run: &Run, arms: &[char], members: &[Membership]) -> Option<String> {
    let tied = arms.iter().zip(members).filter(|(_, member)| member.status == FrontStatus::Tied);
    let texts: Vec<String> = tied
        .map(|(arm, member)| {
            let by = member.beaten_by.iter().take(MAX_NAMED).map(|index| run.arm_name(arms[*index]));
            format!("{} (beaten by {})", run.arm_name(*arm), by.collect::<Vec<_>>().join(", "))
        })
        .collect();
    (!texts.is_empty()).then(|| format!("tied: {}", texts.join("; ")))
}
