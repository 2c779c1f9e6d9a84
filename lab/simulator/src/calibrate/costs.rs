//! From what was spent to what things cost: operations, messages, waking, watching.

use std::collections::BTreeMap;

use record::CLIENT;

use super::document::{Calibration, Hop, Origin, Parameter, What};
use super::ledger::{Ledger, Spent};
use super::shape;
use super::{Hops, Sums};

/// Threads take turns on a core after so long where more are runnable than there are cores: the base slice of Linux's
/// scheduler (EEVDF), as it is on a machine of two cores, ns.
const BASE_SLICE_NS: f64 = 1_400_000.0;
/// Shortest wake-up that is assumed where the records show none, ns.
const MIN_WAKE_NS: f64 = 5_000.0;

/// Puts costs into a calibration whose operations have the times of their spans. `ledgers` have the carrier of each arm.
pub(super) fn apply(calibration: &mut Calibration, ledgers: &[(String, Ledger)], hops: &Hops) {
    let all = |of: &dyn Fn(&Ledger) -> f64| ledgers.iter().map(|(_, ledger)| of(ledger)).sum::<f64>();
    let count = ledgers.len().max(1) as f64;
    calibration.generator_ns = all(&|ledger| ledger.generator_ns) / count;
    calibration.idle_ns_per_s = all(&|ledger| ledger.idle_ns_per_s) / count;
    calibration.lab_ns_per_s = all(&|ledger| ledger.lab_ns_per_s) / count;
    let spent = |of: fn(&Spent) -> f64| {
        ledgers.iter().flat_map(|(_, ledger)| ledger.components.values()).map(of).sum::<f64>()
    };
    let messages = spent(|spent| spent.served + spent.called);
    // A message wakes its process where that is idle: as often as its thread does nothing.
    let woken: f64 = ledgers
        .iter()
        .flat_map(|(_, ledger)| ledger.components.values().map(move |spent| (ledger.seconds, spent)))
        .map(|(seconds, spent)| {
            let busy = if seconds > 0.0 { (spent.workers / 1e9 / seconds).min(1.0) } else { 0.0 };
            (spent.served + spent.called) * (1.0 - busy)
        })
        .sum();
    let per = |sum: f64, n: f64| if n > 0.0 { sum / n } else { 0.0 };
    let parameters = &mut calibration.parameters;
    parameters.wake_cpu_ns = Parameter::fixed(per(spent(|spent| spent.waking), woken), Origin::Measured);
    parameters.span_ns = Parameter::fixed(per(spent(|spent| spent.telemetry), messages), Origin::Measured);
    parameters.lock_hold = Parameter::fixed(1.0, Origin::Held);
    parameters.contention = Parameter::fixed(0.0, Origin::Held);
    parameters.quantum_ns = Parameter::fixed(BASE_SLICE_NS, Origin::Held);

    let mut by_carrier: BTreeMap<&str, Vec<&Ledger>> = BTreeMap::new();
    for (carrier, ledger) in ledgers {
        by_carrier.entry(carrier).or_default().push(ledger);
    }
    let mut rest = Sums::new();
    for (carrier, ledgers) in by_carrier {
        let (hop, left) = hop(&ledgers, calibration.idle_ns_per_s);
        for (component, ns) in left {
            *rest.entry(component).or_default() += ns;
        }
        calibration.hops.insert(carrier.to_owned(), hop);
    }
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

    let component_of = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    let mut spans = (Sums::new(), Sums::new());
    let mut cpu = (Sums::new(), Sums::new());
    for (_, ledger) in ledgers {
        for (name, count) in &ledger.counts {
            let Some(operation) = calibration.operations.get(name) else { continue };
            let component = component_of(name);
            *spans.0.entry(component.clone()).or_default() += count * operation.own.mean_ns;
            *spans.1.entry(component).or_default() += count * operation.statements_ns();
        }
        for (component, spent) in &ledger.components {
            *cpu.0.entry(component.clone()).or_default() += spent.business;
            *cpu.1.entry(component.clone()).or_default() += spent.database;
        }
    }
    for (component, ns) in rest {
        *cpu.0.entry(component).or_default() += ns;
    }
    let factor = |cpu: &Sums, spans: &Sums, component: &str| {
        let of = |sums: &Sums| sums.get(component).copied().unwrap_or(0.0);
        per(of(cpu).max(0.0), of(spans))
    };
    for (name, operation) in &mut calibration.operations {
        let component = component_of(name);
        if component == CLIENT {
            continue;
        }
        operation.own = operation.own.scaled(factor(&cpu.0, &spans.0, &component));
        let database = factor(&cpu.1, &spans.1, &component);
        for activity in operation.stages.iter_mut().flat_map(|stage| stage.lanes.iter_mut().flatten()) {
            if let What::Read(times) | What::Write(times) = &mut activity.what {
                *times = times.scaled(database);
            }
        }
    }
}

/// What messages cost on a carrier, by least squares over the components: some only serve, others call as well. What is left
/// of a component beyond that, ns, is its own code.
fn hop(ledgers: &[&Ledger], idle_ns_per_s: f64) -> (Hop, Sums) {
    let rows: Vec<(&String, &Spent, f64)> = ledgers
        .iter()
        .flat_map(|ledger| ledger.components.iter().map(move |(name, spent)| (name, spent, ledger.seconds)))
        .filter(|(_, spent, _)| spent.served > 0.0)
        .map(|(name, spent, seconds)| {
            let known = spent.business + spent.database + spent.telemetry + spent.waking;
            (name, spent, (spent.total - known - idle_ns_per_s * seconds).max(0.0))
        })
        .collect();
    // The gateway's own code is charged to no part of its own: it would pass for that of messages.
    let [mut ss, mut sc, mut cc, mut sy, mut cy] = [0.0; 5];
    for (_, spent, ns) in rows.iter().filter(|(name, ..)| *name != "gateway") {
        ss += spent.served * spent.served;
        sc += spent.served * spent.called;
        cc += spent.called * spent.called;
        sy += spent.served * ns;
        cy += spent.called * ns;
    }
    let determinant = ss * cc - sc * sc;
    let solved = (determinant > 1e-9 * ss * cc).then(|| Hop {
        served_ns: (sy * cc - cy * sc) / determinant,
        called_ns: (cy * ss - sy * sc) / determinant,
    });
    let alike = || {
        let (ns, messages) = rows
            .iter()
            .fold((0.0, 0.0), |(ns, n), (_, spent, rest)| (ns + rest, n + spent.served + spent.called));
        let each = if messages > 0.0 { ns / messages } else { 0.0 };
        Hop { served_ns: each, called_ns: each }
    };
    let hop = solved.filter(|hop| hop.served_ns > 0.0 && hop.called_ns > 0.0).unwrap_or_else(alike);
    let mut left = Sums::new();
    for (name, spent, ns) in rows {
        let of_messages = hop.served_ns * spent.served + hop.called_ns * spent.called;
        *left.entry(name.clone()).or_default() += ns - of_messages;
    }
    (hop, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_the_code_of_components_are_separated() {
        let spent = |served: f64, called: f64, own: f64| Spent {
            business: 1_000.0 * served,
            served,
            called,
            total: 1_000.0 * served + 50.0 * served + 80.0 * called + own,
            ..Spent::default()
        };
        let components = BTreeMap::from([
            ("gateway".to_owned(), spent(100.0, 100.0, 3_000.0)),
            ("feed".to_owned(), spent(60.0, 180.0, 0.0)),
            ("photo".to_owned(), spent(100.0, 0.0, 0.0)),
        ]);
        let ledger = Ledger { components, seconds: 1.0, ..Ledger::default() };
        let (hop, left) = hop(&[&ledger], 0.0);
        assert!((hop.served_ns - 50.0).abs() < 1e-6 && (hop.called_ns - 80.0).abs() < 1e-6, "{hop:?}");
        assert!((left["gateway"] - 3_000.0).abs() < 1e-6, "the gateway's own: {left:?}");
        assert!(left["feed"].abs() < 1e-6);
    }
}
