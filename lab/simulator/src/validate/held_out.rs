//! Scenarios that a calibration was not made from, of the same data.

use std::collections::BTreeMap;

use ::scenario::Scenario;
use traffic::Journey;

use super::null_models::cpu_of_mix;
use crate::calibrate::demand::{self, Mix};
use crate::calibrate::{Calibration, load_table};

/// A scenario of the held-out set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeldOut {
    /// Its name.
    pub name: String,
    /// What it holds out.
    pub what: &'static str,
    /// Its text.
    pub text: String,
    /// Journeys a second.
    pub rate: f64,
    /// Which, with their weights.
    pub mix: Mix,
}

/// What names of held-out scenarios begin with.
const PREFIX: &str = "held-out-";

/// Runs that a calibration was learnt from and that are of held-out scenarios, each with its scenario: it has seen what its
/// predictions are compared with.
pub fn learnt_from(calibration: &Calibration) -> Vec<String> {
    let seen = calibration.sources.iter().filter(|run| run.scenario.starts_with(PREFIX));
    seen.map(|run| format!("{} {}", run.scenario, run.run_id)).collect()
}

/// Shares of the knee that are offered.
const LOADS: [(&str, f64); 3] = [("30", 0.3), ("55", 0.55), ("80", 0.8)];
/// The share at which all else is held out.
const MIDDLE_LOAD: f64 = 0.55;
/// The same where a fault takes what room there is.
const LOW: f64 = 0.3;
/// Before each load caches and connections fill.
const WARM: &str = "  { name = \"warm\", for = \"2s\", measure = false },\n";

/// Groupings: the services apart, the monolith, gateway and feed in one process, and photo twice.
const GROUPINGS: &str = "\n[topology.micro]\nprocesses = { each = [\"*\"] }\n\n[topology.mono]\nprocesses = { app = [\"gateway\", \"*\"] }\n\
     \n[topology.front]\nprocesses = { front = [\"gateway\", \"feed\"], each = [\"*\"] }\n\
     \n[topology.two-photos]\nprocesses = { each = [\"*\"] }\nreplicas = { photo = 2 }\n";
/// The two that everything else is asked of.
const TWO: &str = "\n[topology.micro]\nprocesses = { each = [\"*\"] }\nrestart = { after = \"2s\" }\n\
     \n[topology.mono]\nprocesses = { app = [\"gateway\", \"*\"] }\nrestart = { after = \"2s\" }\n";

/// Journeys a second of a mix at which the services that were learnt from, and the load generator for them, keep every core busy:
/// the utilisation law. `None` where the calibration knows none of its journeys, or no CPU.
pub fn knee(calibration: &Calibration, mix: &Mix) -> Option<f64> {
    let generator_s = calibration.generator_ns / 1e9 * demand::requests(calibration, mix)?;
    Some(f64::from(calibration.machine.cores) / (cpu_of_mix(calibration, mix)? + generator_s))
}

/// The journeys of a scenario with their weights.
pub fn mix_of(scenario: &Scenario) -> Mix {
    named(&scenario.load.weights().into_iter().collect())
}

fn named(mix: &BTreeMap<Journey, f64>) -> Mix {
    mix.iter().map(|(journey, weight)| (journey.name().to_owned(), *weight)).collect()
}

/// The held-out set: `of` is the scenario that the calibration was made for, whose data and mix are taken; `knee` the rate of a
/// mix that keeps every core busy, a second. A quick one has a load, a slow dependency, and no more. `None` where a knee is not
/// known.
pub fn held_out(of: &Scenario, knee: impl Fn(&Mix) -> Option<f64>, is_quick: bool) -> Option<Vec<HeldOut>> {
    let own: BTreeMap<Journey, f64> = of.load.weights().into_iter().collect();
    let other: BTreeMap<Journey, f64> = traffic::load::Mix::default().weights().into_iter().collect();
    let own_knee = knee(&named(&own))?;
    let mut set = Vec::new();
    for (name, share) in LOADS {
        if !is_quick || share.to_bits() == MIDDLE_LOAD.to_bits() {
            let phases = "  { name = \"steady\", for = \"10s\" },\n";
            let what = "other loads and groupings: a monolith, gateway and feed fused, photo twice";
            let name = format!("held-out-load-{name}");
            set.push(scenario(of, &name, what, own_knee * share, &own, phases, GROUPINGS));
        }
    }
    if !is_quick {
        let rate = knee(&named(&other))? * MIDDLE_LOAD;
        let phases = "  { name = \"steady\", for = \"10s\" },\n";
        set.push(scenario(of, "held-out-mix", "another mix of journeys", rate, &other, phases, TWO));
        let phases = "  { name = \"steady\", for = \"6s\" },\n  { name = \"crash\", for = \"10s\" },\n";
        let kill = "\n[[step]]\nin = \"crash\"\nat = \"+1s\"\ndo = \"kill\"\non = \"photo\"\n";
        let arms = format!("{TWO}{kill}");
        let what = "photo's process dies and comes back after two seconds";
        set.push(scenario(of, "held-out-crash", what, own_knee * LOW, &own, phases, &arms));
    }
    let phases = "  { name = \"steady\", for = \"4s\" },\n  { name = \"slow\", for = \"8s\" },\n";
    let slow = "\n[[step]]\nin = \"slow\"\nat = \"+1s\"\nfor = \"6s\"\ndo = \"delay\"\non = \"follower\"\nby = \"200ms\"\n";
    let arms = format!("{TWO}{slow}");
    let what = "follower takes 200 ms more";
    set.push(scenario(of, "held-out-slow-dependency", what, own_knee * LOW, &own, phases, &arms));
    Some(set)
}

fn scenario(
    of: &Scenario,
    name: &str,
    what: &'static str,
    rate: f64,
    mix: &BTreeMap<Journey, f64>,
    phases: &str,
    rest: &str,
) -> HeldOut {
    // As it is offered.
    let rate = rate.round().max(1.0);
    let load = load_table(of, &format!("\"{rate:.0}/s\""), mix);
    let text = format!(
        "schema = 1\nname = \"{name}\"\ntitle = \"Predicted, then run\"\nwhy = \"{what}\"\nseed = {}\nway = \"interleaved\"\n\
         repeats = 1\ntelemetry = \"sampled\"\nphases = [\n{WARM}{phases}]\n\n{load}{rest}\n[expect]\ncheck = [\"lost_writes() == 0\"]\n\
         \n[stop]\nmax = \"5m\"\n",
        of.seed
    );
    HeldOut { name: name.to_owned(), what, text, rate, mix: named(mix) }
}

#[cfg(test)]
mod tests {
    use super::super::null_models::tests::{calibrated, mix};
    use super::*;
    use crate::calibrate::SourceRun;

    #[test]
    fn what_has_seen_a_held_out_scenario_is_found() {
        let mut calibration = calibrated();
        assert!(learnt_from(&calibration).is_empty());
        let run = |scenario: &str, id: &str| SourceRun {
            scenario: scenario.into(),
            run_id: id.into(),
            ..SourceRun::default()
        };
        calibration.sources = vec![run("calibration", "r0"), run("held-out-load-55", "r1")];
        assert_eq!(learnt_from(&calibration), ["held-out-load-55 r1"]);
    }

    #[test]
    fn the_knee_is_that_of_the_mix_with_its_load_generator() {
        let mut calibration = calibrated();
        let of =
            |calibration: &Calibration, home, upload| knee(calibration, &mix(home, upload)).expect("known");
        assert!((of(&calibration, 1.0, 1.0) - 1_000.0).abs() < 1e-6, "two cores, 2 ms");
        assert!((of(&calibration, 1.0, 0.0) - 2_000.0).abs() < 1e-6, "two cores, 1 ms");
        calibration.generator_ns = 250e3;
        assert!((of(&calibration, 1.0, 0.0) - 1_600.0).abs() < 1e-6);
    }
}
