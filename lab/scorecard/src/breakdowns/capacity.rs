//! The capacity of each arm, where the run searched for it: a row for each limit that the scenario's expectations name.

use std::collections::BTreeMap;

use model::Window;
use model::format::value;
use model::glossary::Term;
use record::Better;

use super::Breakdown;
use crate::draft::{Card, Draft};
use crate::expect::Argument;
use crate::inference::{Body, Statistic};
use crate::ladder::title;
use crate::measure::{Claim, Comparison, LATENCY_MARGIN, Unit};
use crate::measures::capacity::{CAPACITY, rungs};
use crate::search::{self, SearchEnd, searches};
use crate::selection::Selection;

/// `capacity` of the first limit, `capacity_<journeys>-<limit>` of others.
pub(super) const CAPACITIES: Breakdown = Breakdown {
    terms: &[Term {
        id: ID,
        name: "capacity",
        unit: "/s",
        better: Better::Higher,
        meaning: CAPACITY.meaning,
    }],
    drafts: |card| {
        let searches = searches(&card.run.header).into_iter().enumerate();
        searches.filter_map(|(index, argument)| draft(card, index, &argument)).collect()
    },
    scores: |_| Vec::new(),
};

const ID: &str = "capacity";

fn draft(card: &Card<'_>, index: usize, argument: &Argument) -> Option<Draft> {
    let selection = |arm: char| Selection::new(card.run, arm, &Window::Whole, argument);
    let frame = card.run.letters().first().map(|arm| selection(*arm).frame())?;
    let letters = || card.run.letters().into_iter();
    let statistics: BTreeMap<char, Statistic> =
        letters().map(|arm| (arm, (CAPACITY.statistic)(&selection(arm)))).collect();
    let notes = letters().filter_map(|arm| {
        let rates: Vec<f64> = rungs(&selection(arm)).into_iter().map(|(_, rung)| rung.rate).collect();
        let end = search::end(&selection(arm));
        note(arm, &statistics[&arm].body, (*rates.first()?, *rates.last()?), end)
    });
    let notes = notes.collect();
    let id = match index {
        0 => ID.to_owned(),
        _ => format!("{ID}_{}-{}us", argument.journeys(), argument.time_us()),
    };
    Some(Draft {
        claim: Claim::Scalability,
        unit: Unit::Rate,
        better: Better::Higher,
        comparison: Comparison::Ratio(LATENCY_MARGIN),
        idle_in: Some(Window::Whole),
        notes,
        ..Draft::new(id, title(argument), frame, statistics)
    })
}

/// Where the search ended before it found a limit, and why it did not go on.
fn note(arm: char, body: &Body, (lowest, highest): (f64, f64), end: SearchEnd) -> Option<String> {
    let Body::Bracket { low, high } = body else { return None };
    let rate = |rate: f64| value(Some(rate), Unit::Rate.symbol());
    match (*low, *high) {
        (Some(_), None) => Some(format!(
            "{arm}: no rate up to {}, the highest tried, failed: {}",
            rate(highest),
            end.advice()
        )),
        (None, Some(high)) if high == lowest => {
            Some(format!("{arm}: {} is the lowest rate tried and was not carried", rate(high)))
        }
        _ => None,
    }
}
