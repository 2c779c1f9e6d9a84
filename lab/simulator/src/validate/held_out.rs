//! Scenarios that a calibration was not made from, of the same data.

use std::collections::BTreeMap;

use ::scenario::Scenario;
use traffic::Journey;
use traffic::load::Mix;

use super::null_models::measured;
use crate::calibrate::{Calibration, load_table};

/// A scenario of the held-out set.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldOut {
    /// Its name.
    pub name: String,
    /// What it holds out.
    pub what: &'static str,
    /// Its text.
    pub text: String,
    /// Journeys a second.
    pub rate: f64,
}

/// Shares of the knee that are offered.
const LOADS: [(&str, f64); 3] = [("30", 0.3), ("55", 0.55), ("80", 0.8)];
/// The share at which all else is held out.
const MIDDLE: f64 = 0.55;
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

/// Journeys a second at which the services that were learnt from keep every core busy: the utilisation law. `None` where the
/// calibration has no CPU of theirs.
pub fn knee(calibration: &Calibration) -> Option<f64> {
    measured(calibration, "cpu_per_journey")
        .filter(|cpu_s| *cpu_s > 0.0)
        .map(|cpu_s| f64::from(calibration.machine.cores) / cpu_s)
}

/// The held-out set: `of` is the scenario that the calibration was made for, whose data and mix are taken; `knee` a rate, a
/// second. A quick one has a load, a slow dependency, and no more.
pub fn held_out(of: &Scenario, knee: f64, is_quick: bool) -> Vec<HeldOut> {
    let own: BTreeMap<Journey, f64> = of.load.weights().into_iter().collect();
    let other: BTreeMap<Journey, f64> = Mix::default().weights().into_iter().collect();
    let mut set = Vec::new();
    for (name, share) in LOADS {
        if !is_quick || share.to_bits() == MIDDLE.to_bits() {
            let phases = "  { name = \"steady\", for = \"10s\" },\n";
            let what = "other loads and groupings: a monolith, gateway and feed fused, photo twice";
            set.push(scenario(
                of,
                &format!("held-out-load-{name}"),
                what,
                knee * share,
                &own,
                phases,
                GROUPINGS,
            ));
        }
    }
    if !is_quick {
        let phases = "  { name = \"steady\", for = \"10s\" },\n";
        set.push(scenario(of, "held-out-mix", "another mix of journeys", knee * MIDDLE, &other, phases, TWO));
        let phases = "  { name = \"steady\", for = \"6s\" },\n  { name = \"crash\", for = \"10s\" },\n";
        let kill = "\n[[step]]\nin = \"crash\"\nat = \"+1s\"\ndo = \"kill\"\non = \"photo\"\n";
        let arms = format!("{TWO}{kill}");
        let what = "photo's process dies and comes back after two seconds";
        set.push(scenario(of, "held-out-crash", what, knee * LOW, &own, phases, &arms));
    }
    let phases = "  { name = \"steady\", for = \"4s\" },\n  { name = \"slow\", for = \"8s\" },\n";
    let slow = "\n[[step]]\nin = \"slow\"\nat = \"+1s\"\nfor = \"6s\"\ndo = \"delay\"\non = \"follower\"\nby = \"200ms\"\n";
    let arms = format!("{TWO}{slow}");
    let what = "follower takes 200 ms more";
    set.push(scenario(of, "held-out-slow-dependency", what, knee * LOW, &own, phases, &arms));
    set
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
    HeldOut { name: name.to_owned(), what, text, rate }
}
