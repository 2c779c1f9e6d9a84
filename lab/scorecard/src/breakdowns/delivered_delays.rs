//! What injected delays took, beside what was asked for: a delay that is longer than it should be makes every figure of
//! its phase wrong.

use std::collections::BTreeMap;

use model::delays::{DeliveredDelay, OF_NETWORK};
use model::format::value;
use model::glossary::Term;
use record::{Better, Measured, Score, StepPlan};

use super::Breakdown;
use crate::draft::Card;
use crate::measure::{Claim, Unit};
use crate::selection::{name_of, phase_of};

/// `delivered_<step>` for each step that delays calls, and `delivered_network`.
pub(super) const DELIVERED_DELAYS: Breakdown = Breakdown {
    terms: &[Term {
        id: "delivered",
        name: "delivered delay",
        unit: "s",
        better: Better::Neither,
        meaning: "median time that an injected delay took where it was injected: of a step, or of half a round trip of the \
                  declared network; a result holds for that network, which is loopback alone where none is declared",
    }],
    drafts: |_| Vec::new(),
    scores,
};

fn scores(card: &Card<'_>) -> Vec<Score> {
    let of_steps = card.run.header.steps.iter().filter_map(|step| of_step(card, step));
    of_steps.chain(of_network(card)).collect()
}

fn of_step(card: &Card<'_>, step: &StepPlan) -> Option<Score> {
    let window = phase_of(&card.run.header, step).map_or_else(String::new, |phase| phase.name.clone());
    let id = format!("delivered_{}", step.id);
    row(card, step.number, Claim::Isolation, id, &format!("delay of {}", step.id), window)
}

fn of_network(card: &Card<'_>) -> Option<Score> {
    let id = "delivered_network".to_owned();
    let window = name_of(&model::Window::Whole);
    row(card, OF_NETWORK, Claim::Latency, id, "one way of the declared network", window)
}

/// `delay of slow-follower: asked 150ms, delivered`.
fn row(card: &Card<'_>, step: u32, claim: Claim, id: String, what: &str, window: String) -> Option<Score> {
    let letters = card.run.letters().into_iter();
    let delivered: BTreeMap<char, DeliveredDelay> =
        letters.filter_map(|arm| Some((arm, card.run.delivered_delay(arm, step)?))).collect();
    let mut asked: Vec<String> =
        delivered.values().map(|delay| value(Some(delay.asked_s), Unit::Time.symbol())).collect();
    asked.dedup();
    let arms: BTreeMap<char, Measured> = delivered
        .iter()
        .map(|(arm, delay)| {
            let value = Some(delay.delivered_s());
            (*arm, Measured { value, n: delay.n, ..Measured::default() })
        })
        .collect();
    (!arms.is_empty()).then(|| Score {
        id,
        claim: claim.words().into(),
        measure: format!("{what}: asked {}, delivered", asked.join(", ")),
        unit: Unit::Time.symbol().into(),
        better: Better::Neither,
        window,
        part_of: None,
        margin: None,
        contrasts: BTreeMap::new(),
        ratio: None,
        context: None,
        notes: Vec::new(),
        finding: String::new(),
        arms,
    })
}
