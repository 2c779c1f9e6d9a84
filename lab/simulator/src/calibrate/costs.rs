//! From what was spent to what things cost: operations, messages, waking, watching.
//!
//! Processes at several loads are rows of least squares: what is spent by the message, by the wake-up, and by the second.

use std::collections::{BTreeMap, BTreeSet};

use record::{CLIENT, OperationCost};

use super::document::{Activity, ActivityKind, Calibration, Hop, Operation, Origin, Parameter, Stage, Times};
use super::least_squares::non_negative;
use super::ledger::{ComponentCpu, Ledger, component_of, topic_of};
use super::shape;
use super::{Hops, Sums};

/// The component that clients are connected to.
const GATEWAY: &str = "gateway";

/// Threads take turns on a core after so long where more are runnable than there are cores: the base slice of Linux's
/// scheduler (EEVDF), as it is on a machine of two cores, ns.
const BASE_SLICE_NS: f64 = 1_400_000.0;
/// Shortest wake-up that is assumed where the records show none, ns.
const MIN_WAKE_NS: f64 = 5_000.0;

/// Puts costs into a calibration whose operations have the times of their spans. `ledgers` are those of warm processes, each of
/// a level of an arm, with its carrier. Only where there are `several` levels is what is spent by the second separated from the rest.
pub(super) fn apply(calibration: &mut Calibration, ledgers: &[(String, Ledger)], hops: &Hops, several: bool) {
    let mean = |of: &dyn Fn(&Ledger) -> Option<f64>| {
        let known: Vec<f64> = ledgers.iter().filter_map(|(_, ledger)| of(ledger)).collect();
        per(known.iter().sum(), known.len() as f64)
    };
    calibration.generator_ns = mean(&|ledger| Some(ledger.generator_ns));
    calibration.idle_ns_per_s = mean(&|ledger| ledger.idle_ns_per_s);
    calibration.is_rest_known = ledgers.iter().any(|(_, ledger)| ledger.idle_ns_per_s.is_some());
    calibration.lab_ns_per_s = mean(&|ledger| Some(ledger.lab_ns_per_s));
    let processes = || {
        let all = ledgers
            .iter()
            .flat_map(|(_, ledger)| ledger.components.values().map(move |spent| (ledger.seconds, spent)));
        all.filter(|(_, spent)| spent.served + spent.called > 0.0)
    };
    let second = |(seconds, spent): (f64, &ComponentCpu)| if several { seconds * spent.copies } else { 0.0 };
    // A message wakes its process where that is idle: as often as its threads do nothing.
    let woken = |(seconds, spent): (f64, &ComponentCpu)| {
        // What blocks has threads of its own.
        let process_ns = seconds * spent.copies.max(1.0) * 1e9;
        let busy = per(spent.workers - spent.blocking, process_ns).clamp(0.0, 1.0);
        (spent.served + spent.called) * (1.0 - busy)
    };
    let waking: Vec<_> = processes().map(|of| ([woken(of), second(of)], of.1.waking)).collect();
    let watching: Vec<_> =
        processes().map(|of| ([of.1.served + of.1.called, second(of)], of.1.telemetry)).collect();
    let [wake_cpu_ns, awake_ns_per_s] = non_negative(&waking);
    let [span_ns, export_ns_per_s] = non_negative(&watching);
    let parameters = &mut calibration.parameters;
    parameters.wake_cpu_ns = Parameter::fixed(wake_cpu_ns, Origin::Measured);
    parameters.span_ns = Parameter::fixed(span_ns, Origin::Measured);
    parameters.lock_hold = Parameter::fixed(1.0, Origin::Held);
    parameters.contention = Parameter::fixed(0.0, Origin::Held);
    parameters.quantum_ns = Parameter::fixed(BASE_SLICE_NS, Origin::Held);

    let mut by_carrier: BTreeMap<&str, Vec<&Ledger>> = BTreeMap::new();
    for (carrier, ledger) in ledgers {
        by_carrier.entry(carrier).or_default().push(ledger);
    }
    let mut left = Sums::new();
    let (mut busy_ns_per_s, carriers) = (0.0, by_carrier.len() as f64);
    for (carrier, ledgers) in by_carrier {
        let (hop, ns_per_s, left_there) = hop(&ledgers, several);
        busy_ns_per_s += ns_per_s / carriers;
        for (component, ns) in left_there {
            *left.entry(component).or_default() += ns;
        }
        calibration.hops.insert(carrier.to_owned(), hop);
    }
    calibration.background_ns_per_s = awake_ns_per_s + export_ns_per_s + busy_ns_per_s;
    // What calls take beyond the CPU of their messages, whatever carries them.
    let (mut beyond_ns, mut calls) = (0.0, 0.0);
    for (carrier, hops) in hops {
        let known = calibration.hops.get(carrier).copied().unwrap_or_default();
        let weight: f64 = hops.iter().map(|(_, weight)| weight).sum();
        beyond_ns += weight * (shape::times(hops).mean_ns - known.served_ns - known.called_ns);
        calls += weight;
    }
    let waking = 2.0 * calibration.parameters.wake_cpu_ns.value;
    // A call wakes its callee, and its answer the caller.
    let wake_ns = ((per(beyond_ns, calls) - waking) / 2.0).max(MIN_WAKE_NS);
    calibration.parameters.wake_ns = Parameter::fixed(wake_ns, Origin::Held);

    // Connections of clients are the gateway's alone: they cost what a request takes there beyond any other message.
    let requests: f64 = served(ledgers, |name| component_of(name) == GATEWAY);
    let door_ns = per(left.remove(GATEWAY).unwrap_or(0.0).max(0.0), requests);
    let seconds: f64 = ledgers.iter().map(|(_, ledger)| ledger.seconds).sum();
    calibration.unexplained_ns_per_s =
        left.into_iter().map(|(component, ns)| (component, per(ns, seconds))).collect();
    for (name, operation) in &mut calibration.operations {
        if component_of(name) != CLIENT {
            let door_ns = if component_of(name) == GATEWAY { door_ns } else { 0.0 };
            charge(operation, &cost(ledgers, name), door_ns);
        }
    }
    add_events(calibration, ledgers);
}

fn per(sum: f64, n: f64) -> f64 {
    if n > 0.0 { sum / n } else { 0.0 }
}

/// How often operations were served.
fn served(ledgers: &[(String, Ledger)], is_meant: impl Fn(&str) -> bool) -> f64 {
    let all = ledgers.iter().flat_map(|(_, ledger)| &ledger.operations);
    all.filter(|(name, _)| is_meant(name)).map(|(_, cost)| cost.served as f64).sum()
}

/// What an operation took in all arms.
fn cost(ledgers: &[(String, Ledger)], name: &str) -> OperationCost {
    let mut sum = OperationCost::default();
    for cost in ledgers.iter().filter_map(|(_, ledger)| ledger.operations.get(name)) {
        sum.served += cost.served;
        sum.business_ns += cost.business_ns;
        sum.blocking_ns += cost.blocking_ns;
        sum.database_ns += cost.database_ns;
        for (topic, count) in &cost.published {
            *sum.published.entry(topic.clone()).or_default() += count;
        }
    }
    sum
}

/// Gives an operation the CPU that it took: its times keep the shape of its spans, and nothing of their length. `more_ns` of its
/// own comes on top.
fn charge(operation: &mut Operation, cost: &OperationCost, more_ns: f64) {
    let each = |ns: u64| per(ns as f64, cost.served as f64);
    let statements_ns = operation.statements_ns();
    // Where no statement was traced, what they took is its own.
    let unseen_ns = if statements_ns > 0.0 { 0.0 } else { each(cost.database_ns) };
    operation.blocking = match each(cost.blocking_ns) {
        ns if ns > 0.0 => operation.own.with_mean(ns),
        _ => Times::default(),
    };
    operation.own = operation.own.with_mean(each(cost.business_ns) + unseen_ns + more_ns);
    let factor = per(each(cost.database_ns), statements_ns);
    for activity in operation.stages.iter_mut().flat_map(|stage| stage.lanes.iter_mut().flatten()) {
        if let ActivityKind::Read(times) | ActivityKind::Write(times) = &mut activity.what {
            *times = times.scaled(factor);
        }
    }
}

/// Handlers of events as operations, which those cause that publish them. They have no spans in the traces of their cause: what
/// is known of them is what they took.
fn add_events(calibration: &mut Calibration, ledgers: &[(String, Ledger)]) {
    let names: BTreeSet<&String> = ledgers.iter().flat_map(|(_, ledger)| ledger.operations.keys()).collect();
    let published = |topic: &str| {
        let counts = names.iter().filter_map(|name| {
            let cost = cost(ledgers, name);
            let count = *cost.published.get(topic)?;
            (count > 0 && cost.served > 0).then(|| ((*name).clone(), count as f64, cost.served as f64))
        });
        counts.collect::<Vec<_>>()
    };
    for name in &names {
        let Some(topic) = topic_of(name) else { continue };
        let (cost, causes) = (cost(ledgers, name), published(topic));
        let all: f64 = causes.iter().map(|(_, count, _)| count).sum();
        if cost.served == 0 || all <= 0.0 {
            continue;
        }
        let each = |ns: u64| Times::constant(cost.served, per(ns as f64, cost.served as f64));
        let write = Activity { share: 1.0, what: ActivityKind::Write(each(cost.database_ns)) };
        let handler = Operation {
            own: each(cost.business_ns),
            blocking: each(cost.blocking_ns),
            before: 1.0,
            stages: vec![Stage { lanes: vec![vec![write]] }],
            ..Operation::default()
        };
        calibration.operations.insert((*name).clone(), handler);
        for (cause, count, of) in causes {
            if let Some(cause) = calibration.operations.get_mut(&cause) {
                cause.events.insert((*name).clone(), count / of * (cost.served as f64 / all));
            }
        }
    }
}

/// A process on a carrier, and what it took that is neither of its operations nor of watching or waking.
struct Row<'a> {
    component: &'a str,
    spent: &'a ComponentCpu,
    /// Seconds of its processes; 0 where what they take by the second is not separated.
    seconds: f64,
    ns: f64,
}

/// What messages cost on a carrier, and what a process takes each second beside them, ns, by least squares over the processes:
/// some only serve, others call as well. What is left of a component beyond that, ns, is no message's.
fn hop(ledgers: &[&Ledger], several: bool) -> (Hop, f64, Sums) {
    let rows: Vec<Row<'_>> = ledgers
        .iter()
        .flat_map(|ledger| ledger.components.iter().map(move |(name, spent)| (ledger.seconds, name, spent)))
        .filter(|(_, _, spent)| spent.served > 0.0)
        .map(|(seconds, component, spent)| {
            let known = spent.operations + spent.telemetry + spent.waking;
            let seconds = if several { seconds * spent.copies } else { 0.0 };
            Row { component, spent, seconds, ns: (spent.total - known).max(0.0) }
        })
        .collect();
    // Connections of clients are not those of components.
    let between = rows.iter().filter(|row| row.component != GATEWAY);
    let equations: Vec<_> =
        between.map(|row| ([row.spent.served, row.spent.called, row.seconds], row.ns)).collect();
    let [served_ns, called_ns, ns_per_s] = non_negative(&equations);
    let alike = || {
        let messages: f64 = rows.iter().map(|row| row.spent.served + row.spent.called).sum();
        let each = per(rows.iter().map(|row| row.ns).sum(), messages);
        (Hop { served_ns: each, called_ns: each }, 0.0)
    };
    let is_separated = served_ns > 0.0 && called_ns > 0.0;
    let (hop, ns_per_s) = if is_separated { (Hop { served_ns, called_ns }, ns_per_s) } else { alike() };
    let mut left = Sums::new();
    for Row { component, spent, seconds, ns } in rows {
        let known = hop.served_ns * spent.served + hop.called_ns * spent.called + ns_per_s * seconds;
        *left.entry(component.to_owned()).or_default() += ns - known;
    }
    (hop, ns_per_s, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_the_code_of_components_are_separated() {
        let spent = |served: f64, called: f64, own: f64| ComponentCpu {
            operations: 1_000.0 * served,
            served,
            called,
            total: 1_000.0 * served + 50.0 * served + 80.0 * called + own,
            ..ComponentCpu::default()
        };
        let components = BTreeMap::from([
            ("gateway".to_owned(), spent(100.0, 100.0, 3_000.0)),
            ("feed".to_owned(), spent(60.0, 180.0, 0.0)),
            ("photo".to_owned(), spent(100.0, 0.0, 0.0)),
        ]);
        let ledger = Ledger { components, seconds: 1.0, ..Ledger::default() };
        let (hop, _, left) = hop(&[&ledger], false);
        assert!((hop.served_ns - 50.0).abs() < 1e-6 && (hop.called_ns - 80.0).abs() < 1e-6, "{hop:?}");
        assert!((left["gateway"] - 3_000.0).abs() < 1e-6, "the gateway's own: {left:?}");
        assert!(left["feed"].abs() < 1e-6);
    }

    /// A component at a load, in four seconds: 45 us to serve a call and 65 us to make one, 12 us of waking where it finds it idle, 4 us
    /// to watch either, and each second 0.5 ms of waking, 0.3 ms of watching and 0.2 ms of whatever else.
    fn planted(served: f64, called: f64) -> ComponentCpu {
        let seconds = 4.0;
        let messages = served + called;
        let workers = messages * 100e3;
        let woken = messages * (1.0 - workers / 1e9 / seconds);
        let (telemetry, waking) = (4e3 * messages + 0.3e6 * seconds, 12e3 * woken + 0.5e6 * seconds);
        let operations = served * 150e3;
        let total = operations + telemetry + waking + 45e3 * served + 65e3 * called + 0.2e6 * seconds;
        ComponentCpu {
            operations,
            telemetry,
            waking,
            total,
            workers,
            served,
            called,
            copies: 1.0,
            ..ComponentCpu::default()
        }
    }

    #[test]
    fn what_is_spent_by_the_message_by_the_wake_up_and_by_the_second_is_separated() {
        let level = |rate: f64| {
            let calls = |served: f64, called: f64| planted(served * rate * 4.0, called * rate * 4.0);
            let components =
                [("feed", calls(0.7, 2.1)), ("photo", calls(0.8, 0.0)), ("profile", calls(0.8, 0.0))];
            let components = components.map(|(name, spent)| (name.to_owned(), spent)).into();
            ("http+json".to_owned(), Ledger { components, seconds: 4.0, ..Ledger::default() })
        };
        let ledgers = [250.0, 575.0, 830.0].map(level);
        let mut calibration = Calibration::default();
        apply(&mut calibration, &ledgers, &Hops::new(), true);
        let (hop, parameters) = (calibration.hops["http+json"], calibration.parameters);
        let is_close = |seen: f64, planted: f64| (seen / planted - 1.0).abs() < 1e-6;
        assert!(is_close(hop.served_ns, 45e3) && is_close(hop.called_ns, 65e3), "{hop:?}");
        assert!(is_close(parameters.wake_cpu_ns.value, 12e3), "{:?}", parameters.wake_cpu_ns);
        assert!(is_close(parameters.span_ns.value, 4e3), "{:?}", parameters.span_ns);
        assert!(is_close(calibration.background_ns_per_s, 1e6), "{}", calibration.background_ns_per_s);
        // At one level what is spent by the second is what messages take.
        let mut one = Calibration::default();
        apply(&mut one, &ledgers[..1], &Hops::new(), false);
        assert!(one.background_ns_per_s.abs() < 1e-9 && one.parameters.span_ns.value > 4.2e3);
    }

    fn took(served: u64, business_ns: u64, blocking_ns: u64, published: &[(&str, u64)]) -> OperationCost {
        let published = published.iter().map(|(topic, count)| ((*topic).to_owned(), *count)).collect();
        OperationCost { served, business_ns, blocking_ns, published, ..OperationCost::default() }
    }

    #[test]
    fn an_operation_costs_what_it_took_whatever_its_spans_are() {
        let spans = |mean_ns: f64| Operation { own: Times::constant(9, mean_ns), ..Operation::default() };
        let mut calibration = Calibration::default();
        calibration.operations.insert("photo/photo.by_ids".into(), spans(160e3));
        calibration.operations.insert("photo/POST /v1/photos".into(), spans(20e6));
        let ledger = Ledger {
            operations: BTreeMap::from([
                // 40 us each, a quarter of their spans.
                ("photo/photo.by_ids".into(), took(900, 36_000_000, 0, &[])),
                // 1 ms each, and 15 ms on a thread of its own.
                (
                    "photo/POST /v1/photos".into(),
                    took(100, 100_000_000, 1_500_000_000, &[("photo.posted", 100)]),
                ),
                // Three of five were handled: 300 us each.
                ("feed/process photo.posted".into(), took(60, 18_000_000, 0, &[])),
            ]),
            seconds: 1.0,
            ..Ledger::default()
        };
        apply(&mut calibration, &[("http+json".into(), ledger)], &Hops::new(), false);
        let of = |name: &str| &calibration.operations[name];
        let (light, heavy) = (of("photo/photo.by_ids"), of("photo/POST /v1/photos"));
        assert!((light.own.mean_ns - 40e3).abs() < 1.0 && light.blocking.mean_ns.abs() < 1.0, "{light:?}");
        assert!((heavy.own.mean_ns - 1e6).abs() < 1.0 && (heavy.blocking.mean_ns - 15e6).abs() < 1.0);
        let handler = of("feed/process photo.posted");
        assert!((handler.own.mean_ns - 300e3).abs() < 1.0, "{handler:?}");
        assert!((heavy.events["feed/process photo.posted"] - 0.6).abs() < 1e-9);
        assert!(light.events.is_empty(), "a read causes nothing");
        assert!(!calibration.is_rest_known);
    }

    #[test]
    fn a_process_is_as_busy_as_its_workers_and_not_as_what_blocks_elsewhere() {
        let mut calibration = Calibration::default();
        // 0.6 s of CPU in a second, of which a hash has 0.5 s on a thread of its own: nine of ten messages find it idle.
        let profile = ComponentCpu {
            served: 100.0,
            workers: 0.6e9,
            blocking: 0.5e9,
            waking: 90.0 * 20e3,
            total: 0.6e9,
            operations: 0.5e9,
            ..ComponentCpu::default()
        };
        let components = BTreeMap::from([("profile".to_owned(), profile)]);
        let ledger = Ledger { components, seconds: 1.0, idle_ns_per_s: Some(3e6), ..Ledger::default() };
        apply(&mut calibration, &[("http+json".into(), ledger)], &Hops::new(), false);
        let wake_cpu_ns = calibration.parameters.wake_cpu_ns.value;
        assert!((wake_cpu_ns - 20e3).abs() < 1e-6, "{wake_cpu_ns} ns");
        assert!(calibration.is_rest_known && (calibration.idle_ns_per_s - 3e6).abs() < 1e-6);
    }
}
