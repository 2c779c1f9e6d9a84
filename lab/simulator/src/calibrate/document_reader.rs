//! Reads a calibration. What none can have, however it was made, is refused before it predicts anything: it was edited or cut.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::document::{ActivityKind, Calibration, DocumentError, OLDEST_VERSION, Operation, Times, VERSION};
use super::ledger::calls_of;

/// Faults that are named at most.
const MAX_NAMED: usize = 10;
/// No operation takes as long, and no process as much: an hour, ns.
const MAX_NS: f64 = 3.6e12;
/// Shares are quotients of sums of weights.
const ROUNDING: f64 = 1e-6;
/// An operation causes no more of one kind of event.
const MAX_EVENTS: f64 = 1_000.0;
/// A turn on a core that is shorter is none: each is an event of a simulation, ns.
const MIN_QUANTUM_NS: f64 = 1_000.0;
/// Threads that take a million times as much beside others are a mistake.
const MAX_FACTOR: f64 = 1e6;

impl Calibration {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is none, of another version, or has what none can have.
    pub fn read(text: &str) -> Result<Self, DocumentError> {
        #[derive(Deserialize)]
        struct Version {
            schema_version: u32,
        }
        let Version { schema_version } = serde_json::from_str(text)?;
        if !(OLDEST_VERSION..=VERSION).contains(&schema_version) {
            return Err(DocumentError::Version(schema_version));
        }
        let calibration: Self = serde_json::from_str(text)?;
        let faults = faults(&calibration);
        if faults.is_empty() { Ok(calibration) } else { Err(DocumentError::Values(faults.join("; "))) }
    }
}

/// What is wrong with a calibration, the first few; empty where nothing is.
fn faults(calibration: &Calibration) -> Vec<String> {
    let mut faults = Vec::new();
    if calibration.machine.cores == 0 {
        faults.push("`machine.cores` is 0".to_owned());
    }
    let figures = [
        ("local_ns", calibration.local_ns),
        ("generator_ns", calibration.generator_ns),
        ("idle_ns_per_s", calibration.idle_ns_per_s),
        ("background_ns_per_s", calibration.background_ns_per_s),
        ("lab_ns_per_s", calibration.lab_ns_per_s),
    ];
    let mut ranges: Vec<(String, f64, f64, f64)> =
        figures.into_iter().map(|(name, ns)| (name.to_owned(), ns, 0.0, MAX_NS)).collect();
    if let Some(speed) = calibration.speed {
        ranges.push(("speed.probe_ns".to_owned(), speed.probe_ns as f64, 1.0, MAX_NS));
    }
    for (carrier, hop) in &calibration.hops {
        ranges.push((format!("hops.{carrier}.served_ns"), hop.served_ns, 0.0, MAX_NS));
        ranges.push((format!("hops.{carrier}.called_ns"), hop.called_ns, 0.0, MAX_NS));
    }
    let parameters = &calibration.parameters;
    for (name, parameter, low, high) in [
        ("quantum_ns", parameters.quantum_ns, MIN_QUANTUM_NS, f64::MAX),
        ("wake_cpu_ns", parameters.wake_cpu_ns, 0.0, MAX_NS),
        ("contention", parameters.contention, 0.0, MAX_FACTOR),
        ("wake_ns", parameters.wake_ns, 0.0, MAX_NS),
        ("lock_hold", parameters.lock_hold, 0.0, MAX_FACTOR),
        ("span_ns", parameters.span_ns, 0.0, MAX_NS),
        ("cold_cpu", parameters.cold_cpu, 0.0, MAX_FACTOR),
        ("cooling_ns", parameters.cooling_ns, 0.0, MAX_NS),
    ] {
        ranges.push((format!("parameters.{name}"), parameter.value, low, high));
    }
    of_times(&calibration.sync, "sync", &mut faults);
    for (name, operation) in &calibration.operations {
        of_operation(name, operation, &mut ranges, &mut faults);
    }
    let outside = ranges.into_iter().filter(|(_, value, low, high)| !(*low..=*high).contains(value));
    faults.extend(outside.map(|(name, value, low, high)| {
        if high < f64::MAX {
            format!("`{name}` is {value}, not from {low} to {high}")
        } else {
            format!("`{name}` is {value}, less than {low}")
        }
    }));
    faults.extend(cycle(calibration).map(|name| format!("`{name}` calls itself by what it calls")));
    faults.truncate(MAX_NAMED);
    faults
}

fn of_operation(
    name: &str,
    operation: &Operation,
    ranges: &mut Vec<(String, f64, f64, f64)>,
    faults: &mut Vec<String>,
) {
    of_times(&operation.own, &format!("{name}: own"), faults);
    of_times(&operation.blocking, &format!("{name}: blocking"), faults);
    for activity in operation.stages.iter().flat_map(|stage| stage.lanes.iter().flatten()) {
        let what = match &activity.what {
            ActivityKind::Call(called) => format!("{name}: call of {called}"),
            ActivityKind::Read(statement) => {
                of_times(statement, &format!("{name}: read"), faults);
                format!("{name}: read")
            }
            ActivityKind::Write(statement) => {
                of_times(statement, &format!("{name}: write"), faults);
                format!("{name}: write")
            }
        };
        ranges.push((format!("{what}: share"), activity.share, 0.0, 1.0 + ROUNDING));
    }
    let events = operation.events.iter();
    ranges
        .extend(events.map(|(event, share)| (format!("{name}: events of {event}"), *share, 0.0, MAX_EVENTS)));
}

/// Times are none without bins: what has a mean and no bins would take nothing in a simulation.
fn of_times(times: &Times, name: &str, faults: &mut Vec<String>) {
    if !(0.0..=MAX_NS).contains(&times.mean_ns) {
        faults.push(format!("`{name}` has a mean of {} ns, not from 0 to {MAX_NS}", times.mean_ns));
    }
    if let Some((from, to, _)) = times.bins.iter().find(|(from, to, _)| from > to || *to as f64 > MAX_NS) {
        faults.push(format!("`{name}` has a bin from {from} to {to} ns"));
    }
    if times.mean_ns > 0.0 && times.bins.iter().all(|(.., weight)| *weight == 0) {
        faults.push(format!("`{name}` has a mean of {} ns, and no bins with a weight", times.mean_ns));
    }
}

/// An operation that is called, or caused by an event, in the course of itself: a simulation of it would have no end.
fn cycle(calibration: &Calibration) -> Option<&str> {
    let operations = &calibration.operations;
    let mut open: BTreeSet<&str> = operations.keys().map(String::as_str).collect();
    loop {
        let ended: Vec<&str> =
            open.iter().copied().filter(|name| next_of(calibration, name, &open).is_none()).collect();
        if ended.is_empty() {
            break;
        }
        for name in ended {
            open.remove(name);
        }
    }
    // Each that is left leads to another that is: sooner or later to one that was met before.
    let (mut met, mut at) = (BTreeSet::new(), open.first().copied()?);
    while met.insert(at) {
        at = next_of(calibration, at, &open)?;
    }
    Some(at)
}

/// Of some operations, one that another calls or causes.
fn next_of<'c>(calibration: &'c Calibration, name: &str, some: &BTreeSet<&str>) -> Option<&'c str> {
    let operation = calibration.operations.get(name)?;
    let events = operation.events.keys().map(String::as_str);
    calls_of(operation).map(|(called, _)| called).chain(events).find(|next| some.contains(next))
}

#[cfg(test)]
mod tests {
    use record::{Machine, MachineSpeed};

    use super::super::document::{Activity, Stage};
    use super::*;

    fn sound() -> Calibration {
        let call = |name: &str| Stage {
            lanes: vec![vec![Activity { share: 1.0, what: ActivityKind::Call(name.to_owned()) }]],
        };
        let own = || Times::constant(1, 1e5);
        let calls = |name: &str| Operation { own: own(), stages: vec![call(name)], ..Operation::default() };
        let mut calibration = Calibration {
            machine: Machine { cores: 2, ..Machine::default() },
            operations: [
                ("gateway/feed".to_owned(), calls("feed/home")),
                ("feed/home".to_owned(), calls("photo/by-ids")),
                ("photo/by-ids".to_owned(), Operation { own: own(), ..Operation::default() }),
            ]
            .into(),
            ..Calibration::default()
        };
        calibration.parameters.quantum_ns.value = 1.4e6;
        calibration
    }

    fn fault(change: impl FnOnce(&mut Calibration)) -> String {
        let mut calibration = sound();
        change(&mut calibration);
        faults(&calibration).join("; ")
    }

    fn photo(calibration: &mut Calibration) -> &mut Operation {
        calibration.operations.get_mut("photo/by-ids").expect("it is there")
    }

    #[test]
    fn what_was_learnt_is_sound_and_each_edit_is_named() {
        assert_eq!(fault(|_| {}), "");
        assert_eq!(fault(|of| of.machine.cores = 0), "`machine.cores` is 0");
        assert_eq!(
            fault(|of| of.speed = Some(MachineSpeed::default())),
            "`speed.probe_ns` is 0, not from 1 to 3600000000000"
        );
        assert!(fault(|of| of.generator_ns = -1.0).starts_with("`generator_ns` is -1, not from 0 to "));
        let quantum = fault(|of| of.parameters.quantum_ns.value = 1.0);
        assert_eq!(quantum, "`parameters.quantum_ns` is 1, less than 1000");
        let contention = |value| move |of: &mut Calibration| of.parameters.contention.value = value;
        assert!(fault(contention(1e30)).contains("`parameters.contention`"));
        assert!(fault(contention(f64::NAN)).contains("`parameters.contention` is NaN"));
        assert!(fault(|of| photo(of).own.mean_ns = -5.0).contains("`photo/by-ids: own` has a mean of -5 ns"));
        let cut = fault(|of| photo(of).own.bins.clear());
        assert_eq!(cut, "`photo/by-ids: own` has a mean of 100000 ns, and no bins with a weight");
        let reversed = fault(|of| photo(of).own.bins = vec![(9, 3, 1)]);
        assert_eq!(reversed, "`photo/by-ids: own` has a bin from 9 to 3 ns");
        let events = |share| {
            move |of: &mut Calibration| {
                photo(of).events.insert("feed/event".into(), share);
            }
        };
        assert!(fault(events(1e18)).contains("`photo/by-ids: events of feed/event` is 1000000000000000000"));
        assert_eq!(fault(events(1.5)), "");
        let cut =
            fault(|of| *of = Calibration { operations: of.operations.clone(), ..Calibration::default() });
        assert!(cut.contains("`machine.cores` is 0; `parameters.quantum_ns` is 0"), "{cut}");
    }

    #[test]
    fn what_calls_itself_is_found_and_what_calls_an_operation_twice_is_not() {
        let itself = |of: &mut Calibration| {
            let calls_photo = of.operations["feed/home"].stages.clone();
            photo(of).stages = calls_photo;
        };
        assert_eq!(fault(itself), "`photo/by-ids` calls itself by what it calls");
        let caused = |of: &mut Calibration| {
            photo(of).events.insert("feed/home".into(), 1.0);
        };
        assert_eq!(fault(caused), "`feed/home` calls itself by what it calls");
        let twice = |of: &mut Calibration| {
            let stages = of.operations["gateway/feed"].stages.clone();
            of.operations.get_mut("gateway/feed").expect("it is there").stages.extend(stages);
        };
        assert_eq!(fault(twice), "");
    }
}
