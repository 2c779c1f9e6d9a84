//! The runs that a calibration makes for itself: one with every journey at one rate, for what operations do, and one with the
//! scenario's own journeys at several rates, for what becomes of their CPU.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ::scenario::Scenario;
use contract::placement::Carrier;
use traffic::Journey;
use traffic::load::Mix;

/// Rates of the second run, as shares of the knee that the first one shows.
const LEVELS: [(&str, f64); 3] = [("low", 0.2), ("middle", 0.45), ("high", 0.65)];
/// Length of each, seconds: a thousand journeys and more.
const LEVEL_SECONDS: u32 = 4;
/// Before them caches and connections fill, seconds. With them 15 s, so that the processes are looked at while at rest.
const WARM_SECONDS: u32 = 3;
/// Rates of the levels, a second, at least and at most: beyond, one load generator is late on a machine of two cores.
const LEVEL_RATES: (f64, f64) = (20.0, 2_000.0);
/// Phases of the first run: their lengths, seconds, and rates, as shares of its own.
const JOURNEYS: [(&str, u32, f64); 3] = [("warm", 2, 1.0), ("low", 4, 0.5), ("high", 6, 1.0)];
/// Rates that two cores carry with every journey, and at which there is something to see, a second.
const RATES: (f64, f64) = (60.0, 150.0);
/// Least weight of a journey, of about 100 in all: a tenth of the requests is traced, some hundred, and a few are to be its.
const MIN_WEIGHT: f64 = 3.0;

/// The services, with the journeys of a photo-sharing site and those of a scenario, at rates that any machine carries. A dozen
/// seconds.
pub fn journeys_scenario(of: &Scenario) -> String {
    let rate = of.load.peak_rate().clamp(RATES.0, RATES.1);
    let phases = JOURNEYS.map(|(name, seconds, share)| (name, seconds, rate * share));
    let services = &services(of)[..1];
    written(of, "calibration-journeys", &phases, &mix(of), services, false)
}

/// The services, on every carrier that the arms of a scenario have, and a monolith, in turns, with the scenario's own journeys at
/// shares of `knee`, a second. Under a minute of two carriers.
pub fn levels_scenario(of: &Scenario, knee: f64) -> String {
    let rate = |share: f64| (knee * share).clamp(LEVEL_RATES.0, LEVEL_RATES.1);
    let warm = ("warm", WARM_SECONDS, rate(LEVELS[0].1));
    let levels = LEVELS.map(|(name, share)| (name, LEVEL_SECONDS, rate(share)));
    let phases: Vec<_> = [warm].into_iter().chain(levels).collect();
    let own: BTreeMap<Journey, f64> = of.load.weights().into_iter().collect();
    written(of, "calibration", &phases, &own, &services(of), true)
}

/// The services whose calls the carriers of a scenario's arms take, by their topologies.
fn services(of: &Scenario) -> Vec<(&'static str, Carrier)> {
    let mut topologies: Vec<(&str, Carrier)> = Vec::new();
    for arm in of.default_arms() {
        let carrier = arm.placement.carrier;
        let topology = topology_of(carrier).map(|name| (name, carrier));
        topologies.extend(topology.filter(|topology| !topologies.contains(topology)));
    }
    if topologies.is_empty() {
        topologies.push(("micro", Carrier::Json));
    }
    topologies
}

/// The text of a run: of phases with their lengths, seconds, and rates, the first of which is not measured.
fn written(
    of: &Scenario,
    name: &str,
    phases: &[(&str, u32, f64)],
    mix: &BTreeMap<Journey, f64>,
    services: &[(&str, Carrier)],
    has_monolith: bool,
) -> String {
    let mut text = format!(
        "schema = 1\nname = \"{name}\"\ntitle = \"Services apart, to learn from\"\n\
         why = \"What operations, messages and commits take on this machine\"\nseed = {}\nway = \"interleaved\"\n\
         repeats = 1\ntelemetry = \"sampled\"\nphases = [\n",
        of.seed
    );
    // Writing to a string does not fail.
    for (at, (name, seconds, _)) in phases.iter().enumerate() {
        let measure = if at == 0 { ", measure = false" } else { "" };
        let _ = writeln!(text, "  {{ name = \"{name}\", for = \"{seconds}s\"{measure} }},");
    }
    let rates: Vec<String> =
        phases.iter().map(|(name, _, rate)| format!("{name} = \"{rate:.0}/s\"")).collect();
    text += "]\n\n";
    text += &load_table(of, &format!("{{ {} }}", rates.join(", ")), mix);
    for (name, carrier) in services {
        let carrier = carrier.as_str();
        let _ =
            write!(text, "\n[topology.{name}]\nprocesses = {{ each = [\"*\"] }}\ncarrier = \"{carrier}\"\n");
    }
    if has_monolith {
        text += "\n[topology.mono]\nprocesses = { app = [\"gateway\", \"*\"] }\n";
    }
    text + "\n[expect]\ncheck = [\"errors(all) < 2%\"]\n\n[stop]\nmax = \"3m\"\n"
}

/// `[load]` with the data of a scenario, these rates, and journeys of these weights.
pub(crate) fn load_table(of: &Scenario, rates: &str, mix: &BTreeMap<Journey, f64>) -> String {
    let load = &of.load;
    let mix: Vec<String> =
        mix.iter().map(|(journey, weight)| format!("{} = {weight:.4}", journey.name())).collect();
    let popularity = load.popularity;
    format!(
        "[load]\nmodel = \"open\"\nrate = {rates}\nsize = \"{}\"\nmix = {{ {} }}\ntimeout = \"2s\"\n\
         popularity = {{ reader = {:?}, photo = {:?} }}\nfeed = {{ depth = {}, page = {}, push_below = {} }}\n\
         graph = {{ alpha = {:?}, mean = {:?}, cap = {:?}, following_sigma = {:?} }}\n",
        crate::predict::size_of(of),
        mix.join(", "),
        popularity.reader,
        popularity.photo,
        load.feed.depth,
        load.feed.page,
        load.feed.push_below,
        load.graph.alpha,
        load.graph.mean,
        load.graph.cap,
        load.graph.following_sigma,
    )
}

/// The services whose calls a carrier takes; `None` of one that never leaves its process.
const fn topology_of(carrier: Carrier) -> Option<&'static str> {
    match carrier {
        Carrier::Json => Some("micro"),
        Carrier::Binary => Some("micro-binary"),
        Carrier::Http2Binary => Some("micro-http2"),
        Carrier::Local | Carrier::Wire => None,
    }
}

/// The journeys of a photo-sharing site, and those of the scenario; none so rare that no trace of it is kept.
fn mix(of: &Scenario) -> BTreeMap<Journey, f64> {
    let site = Mix::default().weights();
    let all: f64 = site.iter().map(|(_, weight)| weight).sum();
    let mut mix: BTreeMap<Journey, f64> =
        site.into_iter().map(|(journey, weight)| (journey, 100.0 * weight / all)).collect();
    for (journey, _) in of.load.weights() {
        mix.entry(journey).or_default();
    }
    mix.values_mut().for_each(|weight| *weight = weight.max(MIN_WEIGHT));
    mix
}
