//! A search for capacity that goes on beyond the highest declared rate: which rates it may go on to, and when.
//!
//! A scenario that claims something of `capacity(..)` offers one rate a phase. Where an arm still carries the highest of
//! them, its capacity would have no upper end; so the run goes on, to further rates that are planned here like the
//! declared ones: seeded, in an open loop, the same for all arms that run side by side. `scorecard::search` decides, rate by
//! rate, whether the next is offered.

use policy::units::Rate;
use record::PhasePlan;
use scorecard::Expectation;
use traffic::load::{Load, MAX_RATE, Model, Rates, Shape};

use crate::scenario::{LONGEST_RUN, Scenario, ns};

/// Further rates, unless the file says how many: the fourth is five times the highest declared.
const FURTHER_RATES: u32 = 4;
/// Each further rate over the one before.
pub const STEP: f64 = 1.5;
/// From a rate's end until what it showed is known, beside the timeout, ns: the generator closes a second's figures one second
/// after the last answer may come, and reports once a second.
const CLOSING_NS: u64 = 2_000_000_000;
const SECOND: u64 = 1_000_000_000;

/// A rate beyond the highest declared.
#[derive(Clone, Debug, PartialEq)]
pub struct FurtherRate {
    /// Its phase: `further-1`.
    pub phase: PhasePlan,
    /// Arrivals a second.
    pub rate: Rate,
}

/// Why a scenario goes on to no further rates, for its author; `None` where it may.
pub(crate) fn obstacle<'a>(
    load: &Load,
    has_steps: bool,
    mut claims: impl Iterator<Item = &'a Expectation>,
) -> Option<&'static str> {
    if !claims.any(scorecard::search::is_asked_for) {
        return Some("no expectation is about capacity(..)");
    }
    if has_steps {
        return Some("steps change what a rate shows");
    }
    match (load.model, &load.rate) {
        (Model::Closed, _) => Some("in a closed loop the arms decide the rate"),
        _ if load.trace.is_some() => Some("the trace defines the arrivals"),
        (_, Rates::OfSlowest(_)) => Some("the rate is a share of the slowest arm's capacity"),
        _ => None,
    }
}

impl Scenario {
    /// Rates that the run goes on to while an arm carries every rate before; none where the last phase does not offer the
    /// highest rate, evenly, and where the scenario searches no capacity.
    pub fn further_rates(&self) -> Vec<FurtherRate> {
        let claims = self.valid.iter().chain(&self.check).map(|assertion| &assertion.that);
        let Some(last) = self.plan().pop().filter(|last| last.measure) else { return Vec::new() };
        if obstacle(&self.load, !self.steps.is_empty(), claims).is_some() {
            return Vec::new();
        }
        let names: Vec<&str> = self.phases.iter().map(|phase| phase.name.as_str()).collect();
        let Some(Shape::Ramp { from, to }) = self.load.shapes(&names).pop() else { return Vec::new() };
        if from != to || to.get() < self.load.peak_rate() {
            return Vec::new();
        }
        let gap_ns = ns(self.load.timeout).next_multiple_of(SECOND) + CLOSING_NS;
        let longest = u64::try_from(LONGEST_RUN.as_nanos()).unwrap_or(u64::MAX);
        let longest = if self.stop.max_ns == 0 { longest } else { self.stop.max_ns.min(longest) };
        let rung = |number: u32| {
            let start_ns = last.start_ns + u64::from(number) * (last.length_ns + gap_ns);
            let mut name = format!("further-{number}");
            while names.contains(&name.as_str()) {
                name.push('+');
            }
            FurtherRate {
                phase: PhasePlan { name, start_ns, ..last.clone() },
                rate: Rate::per_second((to.get() * STEP.powi(number.cast_signed())).round()),
            }
        };
        let is_possible = |further: &FurtherRate| {
            further.rate.get() <= MAX_RATE && further.phase.start_ns + further.phase.length_ns <= longest
        };
        (1..=self.load.further_rates.unwrap_or(FURTHER_RATES)).map(rung).take_while(is_possible).collect()
    }

    /// All phases that may be offered: the declared, then those of further rates.
    pub fn offered_phases(&self) -> Vec<PhasePlan> {
        self.plan().into_iter().chain(self.further_rates().into_iter().map(|further| further.phase)).collect()
    }

    /// The load with the rates of all phases that may be offered.
    pub fn offered_load(&self) -> Load {
        let further = self.further_rates().into_iter();
        let further = further.map(|FurtherRate { phase, rate }| (phase.name, Shape::level(rate))).collect();
        Load { further, ..self.load.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::application::Application;

    fn scenario(load: &str, more: &str) -> Scenario {
        let text = format!(
            "schema = 1\nname = \"search\"\ntitle = \"t\"\nwhy = \"w\"\n\
             phases = [{{ name = \"warm\", for = \"1s\", measure = false }}, {{ name = \"r1\", for = \"4s\" }}, \
             {{ name = \"r2\", for = \"4s\" }}]\n\
             [load]\nsize = \"tiny\"\n{load}\n[topology.mono]\nprocesses = {{ app = [\"gateway\", \"*\"] }}\n{more}"
        );
        let components = ["profile", "follower", "feed", "search", "photo"].map(contract::ComponentName::of);
        let application = Application { components: &components, calls: &[], events: &[], tables: &[] };
        crate::read(Path::new("search.toml"), text, &application).unwrap_or_else(|errors| panic!("{errors}"))
    }

    const CLAIM: &str = "[expect]\ncheck = [\"capacity(all 50ms) >= 1/s\"]\n";
    const RATES: &str = "rate = { r1 = \"100/s\", r2 = \"200/s\" }\ntimeout = \"1s\"";

    fn rates(scenario: &Scenario) -> Vec<f64> {
        scenario.further_rates().iter().map(|further| further.rate.get()).collect()
    }

    #[test]
    fn a_search_goes_on_in_steps_of_a_half_with_time_to_decide_between() {
        let found = scenario(RATES, CLAIM);
        assert_eq!(rates(&found), [300.0, 450.0, 675.0, 1_013.0]);
        let further = found.further_rates();
        let times = |index: usize| {
            let PhasePlan { name, start_ns, length_ns, .. } = &further[index].phase;
            (name.as_str(), start_ns / SECOND, length_ns / SECOND)
        };
        // The load ends at 9 s; a second of timeout and two until its figures are known.
        assert_eq!((times(0), times(1)), (("further-1", 12, 4), ("further-2", 19, 4)));
        assert_eq!(found.plan().len(), 3, "the declared phases are what they were");
        assert_eq!(found.offered_phases().len(), 7);
        let shapes = found.offered_load().shapes(&["r2", "further-2"]);
        assert_eq!(shapes, [200.0, 450.0].map(|rate| Shape::level(Rate::per_second(rate))));
    }

    #[test]
    fn only_an_open_search_that_ends_with_its_highest_rate_goes_on() {
        assert_eq!(
            rates(&scenario(RATES, "[expect]\ncheck = [\"errors(all) < 1%\"]\n")),
            [0.0; 0],
            "no search"
        );
        for load in [
            "rate = { r1 = \"200/s\", r2 = \"100/s\" }",
            "rate = { r1 = \"100/s\", r2 = \"100/s -> 200/s\" }",
        ] {
            assert_eq!(rates(&scenario(load, CLAIM)), [0.0; 0], "{load}");
        }
        let step = "[[step]]\nin = \"r1\"\nat = \"+1s\"\nfor = \"1s\"\ndo = \"load\"\nby = \"2x\"\n";
        assert_eq!(rates(&scenario(RATES, &format!("{step}{CLAIM}"))), [0.0; 0], "a step");
    }

    #[test]
    fn further_rates_are_bounded_by_the_file_the_generator_and_the_longest_run() {
        let with = |more: &str| rates(&scenario(&format!("{RATES}\n{more}"), CLAIM));
        assert_eq!(with("further_rates = 1"), [300.0]);
        assert_eq!(with("further_rates = 0"), [0.0; 0]);
        let fast = scenario("rate = { r1 = \"100/s\", r2 = \"9000/s\" }\ntimeout = \"1s\"", CLAIM);
        assert_eq!(rates(&fast), [13_500.0], "one generator sends 20,000/s");
        // 16 s are the end of the first.
        let short = scenario(RATES, &format!("{CLAIM}\n[stop]\nmax = \"20s\"\n"));
        assert_eq!(rates(&short), [300.0]);
    }
}
