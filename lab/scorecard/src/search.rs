//! Whether a search for capacity goes on to a rate beyond the declared ones.
//!
//! Capacity is a bracket: above the highest rate that held, below the lowest that failed. Where an arm failed none of the
//! rates so far, its bracket has no upper end, and the next rate may give it one.

use model::{Run, Window};
use record::{Header, PhasePlan};

use crate::expect::{Argument, Expectation, Query, Side};
use crate::inference::capacity::{Bracket, bracket};
use crate::measures::capacity::{CAPACITY, is_on_schedule, rungs_among};
use crate::selection::Selection;

/// What follows a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchDecision {
    /// The next rate is offered.
    Offer,
    /// The search ends.
    Stop(Stop),
}

/// Why a search ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Every arm has failed a rate.
    Found,
    /// The generator did not send on schedule.
    Late,
    /// No further rate is planned.
    Exhausted,
}

impl Stop {
    /// As a sentence of a log.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Found => "every arm has failed a rate",
            Self::Late => "the load generator was late at the last rate",
            Self::Exhausted => "the last further rate was offered",
        }
    }
}

/// What follows the rates so far: `brackets` of every arm and limit, whether the last rate was sent on schedule, and how many
/// further ones are planned.
pub fn decide(brackets: &[Bracket], is_punctual: bool, left: usize) -> SearchDecision {
    if brackets.iter().all(|found| found.failed.is_some()) {
        SearchDecision::Stop(Stop::Found)
    } else if !is_punctual {
        SearchDecision::Stop(Stop::Late)
    } else if left == 0 {
        SearchDecision::Stop(Stop::Exhausted)
    } else {
        SearchDecision::Offer
    }
}

/// What follows when arms that are offered the load together have been offered so many of the further rates. Rates of other
/// rounds count up to there: each round goes as far as the first did.
pub fn next(run: &Run, arms: &[char], offered: usize) -> SearchDecision {
    let (begun, left) = run.header.further.split_at(offered.min(run.header.further.len()));
    let declared = || run.header.phases.iter().filter(|phase| phase.measure);
    let phases: Vec<&PhasePlan> = declared().chain(begun).collect();
    let (mut brackets, mut is_punctual) = (Vec::new(), true);
    for argument in searches(&run.header) {
        for arm in arms {
            let selection = Selection::new(run, *arm, &Window::Whole, &argument);
            let rungs: Vec<_> =
                rungs_among(&selection, phases.iter().copied()).into_iter().map(|(_, rung)| rung).collect();
            brackets.push(bracket(&rungs));
            let last = phases.last().map(|phase| Window::Phase(phase.name.clone()));
            is_punctual &= last.is_none_or(|last| is_on_schedule(&selection.within(&last)));
        }
    }
    decide(&brackets, is_punctual, left.len())
}

/// How far a search went in an arm that failed no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SearchEnd {
    /// The scenario plans no further rates.
    Declared,
    /// The generator was late at a further rate, which is not counted.
    Late,
    /// The last planned rate was offered, or what was offered does not decide.
    Exhausted,
}

impl SearchEnd {
    /// What finds the limit.
    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Self::Declared => "add phases with higher rates to find the limit",
            Self::Late => {
                "the load generator was late at the rate after it, which does not count: it needs cores of its own, or a \
                 lighter mix"
            }
            Self::Exhausted => "the search ended there: declare higher rates, or more `further_rates`",
        }
    }
}

/// How far the search of a selection went.
pub(crate) fn end(of: &Selection<'_>) -> SearchEnd {
    let further = &of.run.header.further;
    let phase = |phase: &PhasePlan| Window::Phase(phase.name.clone());
    if further.is_empty() {
        SearchEnd::Declared
    } else if further.iter().all(|rate| is_on_schedule(&of.within(&phase(rate)))) {
        SearchEnd::Exhausted
    } else {
        SearchEnd::Late
    }
}

/// Whether an expectation is about capacity: a run that has one searches it.
pub fn is_asked_for(expectation: &Expectation) -> bool {
    arguments(expectation).next().is_some()
}

/// What the searches look at: journeys and the limit.
pub(crate) fn searches(header: &Header) -> Vec<Argument> {
    let mut found: Vec<Argument> = Vec::new();
    for plan in &header.expectations {
        let Ok(expectation) = plan.text.parse::<Expectation>() else { continue };
        for argument in arguments(&expectation) {
            if !found.contains(argument) {
                found.push(argument.clone());
            }
        }
    }
    found
}

/// What an expectation searches: journeys and the limit.
pub(crate) fn arguments(expectation: &Expectation) -> impl Iterator<Item = &Argument> {
    [&expectation.left, &expectation.right].into_iter().filter_map(|side| match side {
        Side::Measure { query: Query { measure, argument, .. }, .. } if **measure == CAPACITY => {
            Some(argument)
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(held: f64, failed: Option<f64>) -> Bracket {
        Bracket { held: Some(held), failed }
    }

    #[test]
    fn a_search_goes_on_while_an_arm_has_failed_no_rate() {
        let (open, closed) = (found(200.0, None), found(100.0, Some(200.0)));
        assert_eq!(
            decide(&[closed, open], true, 3),
            SearchDecision::Offer,
            "equal for both: one that failed is offered it as well"
        );
        assert_eq!(decide(&[open], true, 1), SearchDecision::Offer);
        let undecided = Bracket::default();
        assert_eq!(decide(&[undecided], true, 1), SearchDecision::Offer, "too few seconds show neither end");
        assert_eq!(decide(&[closed, closed], true, 3), SearchDecision::Stop(Stop::Found));
    }

    #[test]
    fn a_search_ends_where_it_is_bounded_and_where_the_generator_is_late() {
        let open = found(200.0, None);
        assert_eq!(decide(&[open], true, 0), SearchDecision::Stop(Stop::Exhausted));
        assert_eq!(decide(&[open], false, 3), SearchDecision::Stop(Stop::Late));
        assert_eq!(
            decide(&[found(100.0, Some(200.0))], false, 0),
            SearchDecision::Stop(Stop::Found),
            "the first reason counts"
        );
    }
}
