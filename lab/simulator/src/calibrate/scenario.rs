//! The run that a calibration makes for itself: the components apart, at several rates, with every journey.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ::scenario::Scenario;
use contract::placement::Carrier;
use traffic::Journey;
use traffic::load::Mix;

/// Rates that are offered, times the scenario's own: in phases this short, few requests are the slowest of theirs, and most
/// traces are of ordinary ones.
const LEVELS: [(&str, f64); 4] = [("low", 0.5), ("middle", 1.0), ("high", 1.5), ("middle-again", 1.0)];
/// Length of each, seconds.
const LEVEL_SECONDS: u32 = 2;
/// Before them caches and connections fill, seconds.
const WARM_SECONDS: u32 = 2;
/// Rounds; in each an arm takes a dozen seconds, its start included.
const ROUNDS: u32 = 2;
/// Rates that two cores carry, and at which there is something to see, a second.
const RATES: (f64, f64) = (40.0, 200.0);
/// Least weight of a journey, of about 100 in all: a tenth of the requests is traced, some 400 of an arm, and a dozen are to be
/// its.
const MIN_WEIGHT: f64 = 3.0;
/// Weight of the journeys that a load like that of a photo-sharing site has, beside those of the scenario.
const OTHER_JOURNEYS: f64 = 0.5;

/// A scenario for the calibration of another: its data, its carriers, its journeys and all others, services and a monolith in
/// turns. Under a minute of one carrier, under two minutes of all three.
pub fn calibration_scenario(of: &Scenario) -> String {
    let load = &of.load;
    let mut topologies: Vec<(&str, Carrier)> = Vec::new();
    for arm in of.default_arms() {
        let carrier = arm.placement.carrier;
        let topology = topology_of(carrier).map(|name| (name, carrier));
        topologies.extend(topology.filter(|topology| !topologies.contains(topology)));
    }
    if topologies.is_empty() {
        topologies.push(("micro", Carrier::Json));
    }
    let rate = load.peak_rate().clamp(RATES.0, RATES.1);
    let mut text = format!(
        "schema = 1\nname = \"calibration\"\ntitle = \"Services apart and one monolith, to learn from\"\n\
         why = \"What operations, messages and commits take on this machine\"\nseed = {}\nway = \"interleaved\"\n\
         repeats = {ROUNDS}\ntelemetry = \"sampled\"\nphases = [\n  {{ name = \"warm\", for = \"{WARM_SECONDS}s\", \
         measure = false }},\n",
        of.seed
    );
    // Writing to a string does not fail.
    for (name, _) in LEVELS {
        let _ = writeln!(text, "  {{ name = \"{name}\", for = \"{LEVEL_SECONDS}s\" }},");
    }
    let rates: Vec<String> = [("warm", 1.0)]
        .into_iter()
        .chain(LEVELS)
        .map(|(name, level)| format!("{name} = \"{:.0}/s\"", rate * level))
        .collect();
    text += "]\n\n";
    text += &load_table(of, &format!("{{ {} }}", rates.join(", ")), &mix(of));
    for (name, carrier) in topologies {
        let carrier = carrier.as_str();
        let _ =
            write!(text, "\n[topology.{name}]\nprocesses = {{ each = [\"*\"] }}\ncarrier = \"{carrier}\"\n");
    }
    text + "\n[topology.mono]\nprocesses = { app = [\"gateway\", \"*\"] }\n\n[expect]\n\
            check = [\"errors(all) < 2%\"]\n\n[stop]\nmax = \"3m\"\n"
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

/// Half of the scenario's own journeys, half of those of a photo-sharing site, and none so rare that no trace of it is kept.
fn mix(of: &Scenario) -> BTreeMap<Journey, f64> {
    let mut mix = BTreeMap::new();
    let mut add = |weights: Vec<(Journey, f64)>, share: f64| {
        let all: f64 = weights.iter().map(|(_, weight)| weight).sum();
        for (journey, weight) in weights {
            *mix.entry(journey).or_insert(0.0) += 100.0 * share * weight / all;
        }
    };
    add(of.load.weights(), 1.0 - OTHER_JOURNEYS);
    add(Mix::default().weights(), OTHER_JOURNEYS);
    mix.values_mut().for_each(|weight| *weight = weight.max(MIN_WEIGHT));
    mix
}
