//! CPU of journeys by the means of a calibration: what a mix of them takes, without what waking idle processes and neighbours
//! on the cores add.

use std::collections::BTreeMap;

use record::CLIENT;

use super::document::{Calibration, Hop};
use super::ledger::{MAX_DEPTH, calls_of, component_of};

/// Journeys with their weights, of any sum.
pub type Mix = BTreeMap<String, f64>;

/// The carrier whose messages count, where the calibration has it.
const CARRIER: &str = "http+json";

/// CPU of the services for a journey of a mix, ns; `None` where none of its journeys was calibrated.
pub fn cpu_ns(calibration: &Calibration, mix: &Mix) -> Option<f64> {
    let hops = &calibration.hops;
    let hop = hops.get(CARRIER).or_else(|| hops.values().next()).copied().unwrap_or_default();
    mean(calibration, mix, |name| operation_ns(calibration, name, hop, 0))
}

/// Requests of a journey of a mix; `None` where none of its journeys was calibrated.
pub fn requests(calibration: &Calibration, mix: &Mix) -> Option<f64> {
    mean(calibration, mix, |name| {
        calls_of(&calibration.operations[name]).map(|(_, share)| share).sum::<f64>()
    })
}

/// Journeys a second of a mix at which the services, and the load generator for them, keep every core busy: the utilisation law
/// (Denning & Buzen, Computing Surveys 1978). `None` where none of its journeys was calibrated.
pub fn knee(calibration: &Calibration, mix: &Mix) -> Option<f64> {
    let journey_ns = cpu_ns(calibration, mix)? + calibration.generator_ns * requests(calibration, mix)?;
    (journey_ns > 0.0).then(|| f64::from(calibration.machine.cores) * 1e9 / journey_ns)
}

/// Mean over the journeys of a mix that were calibrated.
fn mean(calibration: &Calibration, mix: &Mix, of: impl Fn(&str) -> f64) -> Option<f64> {
    let named = mix.iter().map(|(journey, weight)| (format!("{CLIENT}/{journey}"), *weight));
    let known = named.filter(|(name, _)| calibration.operations.contains_key(name));
    let (sum, weights) =
        known.fold((0.0, 0.0), |(sum, weights), (name, weight)| (sum + weight * of(&name), weights + weight));
    (weights > 0.0).then(|| sum / weights)
}

/// CPU of an operation with all that it calls and causes, ns, each across its own process.
fn operation_ns(calibration: &Calibration, name: &str, hop: Hop, depth: usize) -> f64 {
    let Some(operation) = calibration.operations.get(name).filter(|_| depth < MAX_DEPTH) else { return 0.0 };
    let span_ns = calibration.parameters.span_ns.value;
    let is_client = component_of(name) == CLIENT;
    // The client's own is waiting, and what it takes for a request is the load generator's.
    let own = operation.own.mean_ns + operation.blocking.mean_ns + operation.statements_ns();
    let sent = hop.called_ns + span_ns;
    let (own, sent) = if is_client { (0.0, 0.0) } else { (own, sent) };
    let events = operation.events.iter().map(|(name, share)| (name.as_str(), *share));
    let calls = calls_of(operation).chain(events).map(|(called, share)| {
        share * (sent + hop.served_ns + span_ns + operation_ns(calibration, called, hop, depth + 1))
    });
    own + calls.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::super::document::{Activity, ActivityKind, Operation, Stage, Times};
    use super::*;

    #[test]
    fn a_mix_takes_what_its_journeys_take_with_calls_and_events() {
        let operation = |own_us: f64, calls: &[&str]| Operation {
            own: Times::constant(1, own_us * 1e3),
            stages: vec![Stage {
                lanes: calls
                    .iter()
                    .map(|name| vec![Activity { share: 1.0, what: ActivityKind::Call((*name).to_owned()) }])
                    .collect(),
            }],
            ..Operation::default()
        };
        let upload = Operation {
            blocking: Times::constant(1, 15e6),
            events: BTreeMap::from([("feed/process photo.posted".to_owned(), 0.5)]),
            ..operation(1_000.0, &[])
        };
        let calibration = Calibration {
            operations: BTreeMap::from([
                ("client/home-feed".to_owned(), operation(9e9, &["gateway/GET /v1/feed"])),
                ("client/upload".to_owned(), operation(0.0, &["photo/POST /v1/photos"])),
                ("gateway/GET /v1/feed".to_owned(), operation(30.0, &["feed/GET /v1/feed"])),
                ("feed/GET /v1/feed".to_owned(), operation(120.0, &[])),
                ("photo/POST /v1/photos".to_owned(), upload),
                ("feed/process photo.posted".to_owned(), operation(300.0, &[])),
            ]),
            hops: BTreeMap::from([("http+json".to_owned(), Hop { served_ns: 60e3, called_ns: 80e3 })]),
            ..Calibration::default()
        };
        let of = |home: f64, upload: f64| {
            let mix = BTreeMap::from([("home-feed".to_owned(), home), ("upload".to_owned(), upload)]);
            cpu_ns(&calibration, &mix).expect("known") / 1e3
        };
        // To the gateway 60, there 30, to feed 80 + 60, there 120.
        assert!((of(7.0, 0.0) - 350.0).abs() < 1e-6);
        // 60, 1,000 and 15,000, and half of an event of 80 + 60 + 300.
        assert!((of(0.0, 2.0) - 16_280.0).abs() < 1e-6);
        assert!((of(1.0, 1.0) - 8_315.0).abs() < 1e-6);
        let unknown = BTreeMap::from([("search".to_owned(), 1.0)]);
        assert_eq!(cpu_ns(&calibration, &unknown), None);
        assert_eq!(requests(&calibration, &BTreeMap::from([("upload".to_owned(), 3.0)])), Some(1.0));
        // Two cores, 350 us of services for a home feed and 50 us of the load generator.
        let mut calibration = calibration;
        (calibration.machine.cores, calibration.generator_ns) = (2, 50e3);
        let home = BTreeMap::from([("home-feed".to_owned(), 1.0)]);
        assert!(knee(&calibration, &home).is_some_and(|rate| (rate - 5_000.0).abs() < 1e-6));
    }
}
