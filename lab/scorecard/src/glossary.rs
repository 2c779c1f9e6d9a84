//! Every number a view shows, with its unit and how it is computed: the terms of measures and breakdowns,
//! and the model's. Help and glossaries are drawn from here.

use std::sync::LazyLock;

use model::glossary::{self, COLUMNS, Term};
use record::Score;

use crate::breakdowns::BREAKDOWNS;
use crate::card;

/// Most other terms are about it, so it is defined first.
const FIRST: &str = "journey";

/// All of them, in the order views list them.
static TERMS: LazyLock<Vec<Term>> = LazyLock::new(|| {
    let mut terms: Vec<Term> = Vec::new();
    let of_rows = card::rows().map(|(measure, row)| Term {
        id: row.id,
        name: row.name,
        unit: measure.unit.symbol(),
        better: measure.better,
        meaning: measure.meaning,
    });
    let of_breakdowns = BREAKDOWNS.iter().flat_map(|breakdown| breakdown.terms.iter().copied());
    let first = glossary::TERMS.iter().copied().filter(|term| term.id == FIRST);
    for term in first.chain(of_rows).chain(of_breakdowns).chain(glossary::TERMS.iter().copied()) {
        // A measure with two rows has one term.
        if terms.iter().all(|known| known.id != term.id) {
            terms.push(term);
        }
    }
    terms
});

/// All terms, in the order views list them.
pub fn terms() -> &'static [Term] {
    &TERMS
}

/// What an id means; a score's id may go on after its term's: `goodput_kill-feed`.
pub fn term_of(id: &str) -> Option<&'static Term> {
    let is_its = |term: &&Term| {
        id.strip_prefix(term.id).is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', '-']))
    };
    terms().iter().filter(is_its).max_by_key(|term| term.id.len())
}

/// What a row is called in few words: its term and the step it is of. A part is called by its own words.
pub fn short_name(score: &Score) -> String {
    let Some(term) = term_of(&score.id).filter(|_| score.part_of.is_none()) else {
        return score.measure.clone();
    };
    // Columns call it good, where there is no room for more.
    let name = if term.id == "goodput" { term.id } else { term.name };
    match score.id[term.id.len()..].trim_start_matches(['_', '-']) {
        "" => name.to_owned(),
        step => format!("{name} {step}"),
    }
}

/// The term or column of exactly this id.
pub fn term_by_id(id: &str) -> Option<&'static Term> {
    terms().iter().chain(COLUMNS).find(|term| term.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_means_its_longest_term() {
        let meant = |id| term_of(id).map(|term| term.id);
        assert_eq!(meant("goodput_kill-feed"), Some("goodput"));
        assert_eq!(meant("cpu_per_journey"), Some("cpu_per_journey"));
        assert_eq!(meant("cpu_encoding"), Some("cpu"));
        assert_eq!(meant("goodputs"), None);
    }

    #[test]
    fn what_the_others_are_about_is_defined_first() {
        assert_eq!(terms()[0].id, FIRST);
        assert_eq!(terms().iter().filter(|term| term.id == FIRST).count(), 1, "and once");
    }

    #[test]
    fn no_term_is_defined_twice() {
        let of_model: Vec<&str> = glossary::TERMS.iter().chain(COLUMNS).map(|term| term.id).collect();
        let of_families = BREAKDOWNS.iter().flat_map(|breakdown| breakdown.terms).map(|term| term.id);
        for id in card::rows().map(|(_, row)| row.id).chain(of_families) {
            assert!(!of_model.contains(&id), "`{id}` is a term of the model as well");
        }
        for (measure, row) in card::rows() {
            let term = term_by_id(row.id).expect("a row has a term");
            assert_eq!(
                (term.name, term.meaning),
                (row.name, measure.meaning),
                "`{}` has another term",
                row.id
            );
        }
    }
}
