//! What CPU is for: operations, messages and calls that stay in a process are learnt apart, and come back in a simulation.

use model::Run;
use record::{Entry, Span};
use simulator::calibrate::{Calibration, CostFactors, CpuParts, Level, Operation};
use simulator::validate::{HeldOut, Validation};

use super::learning::{Making, at_levels, learnt_from, lived_on, spans};
use super::{Made, calibration, call, operation, scenario, times};

/// A part of the CPU of a journey, with its name.
type Part = (&'static str, fn(&CpuParts) -> f64);

/// A home feed that asks for profiles twice, one call right after the other.
fn spans_twice(journey: &str) -> Vec<Span> {
    if journey != "home-feed" {
        return spans(journey);
    }
    Making::journey(journey, "GET /v1/feed", |making, gateway| {
        making.call(gateway, "gateway", "feed", "GET /v1/feed", 240, |making, feed| {
            for _ in 0..2 {
                making.call(feed, "feed", "profile", "POST /call/profile.by_ids", 400, |_, _| {});
            }
        });
    })
}

/// A machine on which a cold call takes two and a half times as much and is cold after 4 ms, with such home feeds.
fn bursty() -> Calibration {
    let mut known = calibration();
    known.parameters.cold_cpu.value = 1.5;
    known.parameters.cooling_ns.value = 4e6;
    let profiles = || vec![call("profile/profile.by_ids")];
    known.operations.insert("feed/GET /v1/feed".into(), operation(120, vec![profiles(), profiles()]));
    known.operations.insert("profile/profile.by_ids".into(), operation(200, vec![]));
    known
}

#[test]
fn a_simulation_spends_on_operations_and_on_messages_what_each_level_did() {
    let plan = at_levels();
    let learnt = learnt_from(&lived_on(&bursty(), &plan, spans_twice), &plan);
    let off = |level: &Level, of: fn(&CpuParts) -> f64| of(&level.simulated_cpu) / of(&level.measured_cpu);
    // Calls that come in pairs find profile warmer than calls at random would: its operations are the more of them.
    let operations: Part = ("operations", |parts| parts.operations);
    let messages: Part = ("messages", |parts| parts.messages);
    // Services were learnt from. The monolith was not, and has one message a journey.
    for (arm, (what, of), of_all, of_each) in
        [("micro", operations, 0.03, 0.12), ("micro", messages, 0.03, 0.12), ("mono", operations, 0.12, 0.2)]
    {
        let levels: Vec<&Level> = learnt.levels.iter().filter(|level| level.arm == arm).collect();
        let factors: Vec<f64> = levels.iter().map(|level| off(level, of)).collect();
        assert_eq!(factors.len(), 3, "{arm}");
        let sum = |side: fn(&Level) -> &CpuParts| {
            levels.iter().map(|level| level.rate * level.seconds * of(side(level))).sum::<f64>()
        };
        let all = sum(|level| &level.simulated_cpu) / sum(|level| &level.measured_cpu);
        assert!((all - 1.0).abs() < of_all, "{what} of {arm} are off by {factors:?}");
        let is_close = |factor: &f64| (factor - 1.0).abs() < of_each;
        assert!(factors.iter().all(is_close), "{what} of {arm} at each level are off by {factors:?}");
    }
    // The parts of a journey are all of it, as measured and as simulated.
    for level in &learnt.levels {
        let measured = (level.measured_cpu, level.measured.cpu);
        for (parts, cpu) in [measured, (level.simulated_cpu, level.simulated.cpu)] {
            let sum: f64 = parts.named().iter().map(|(_, cpu)| cpu).sum();
            assert!((sum / cpu - 1.0).abs() < 1e-9, "{sum} of {cpu}: {level:?}");
        }
    }
}

#[test]
fn what_neighbours_add_at_high_rates_is_not_added_twice() {
    // Each thread beside it makes one slower by three tenths: at 60 a second there is hardly any, at 700 more often than not.
    let mut known = calibration();
    known.parameters.contention.value = 0.3;
    known.parameters.cold_cpu.value = 1.5;
    known.parameters.cooling_ns.value = 4e6;
    let plan = at_levels();
    let learnt = learnt_from(&lived_on(&known, &plan, spans), &plan);
    let micro = learnt.levels.iter().filter(|level| level.arm == "micro");
    let errors: Vec<f64> = micro.map(Level::cpu_error).collect();
    assert_eq!(errors.len(), 3);
    // Whatever contention was fitted: what it adds at a level is no cost of what is done there.
    assert!(errors.iter().all(|error| error.abs() < 0.07), "{errors:?} with {:?}", learnt.parameters);
}

#[test]
fn what_a_call_of_the_gateway_takes_that_stays_in_its_process_is_learnt_and_predicted() {
    let mut known = calibration();
    known.local_ns = 150e3;
    let plan = scenario("");
    let learnt = learnt_from(&lived_on(&known, &plan, spans), &plan);
    assert!((learnt.local_ns / known.local_ns - 1.0).abs() < 0.15, "{} ns", learnt.local_ns);
    // A journey of the monolith takes a third more by it, and one of services nothing.
    let cpu = |calibration: &Calibration, letter: char| {
        let band = Made::with(calibration, &plan, |_| {}).predicted.prediction.band;
        let of_arm = |row: &&record::Sensitivity| row.arm == letter && row.measure == "cpu_per_journey";
        band.iter().find(of_arm).expect("a band").value
    };
    let (seen, planted) = (cpu(&learnt, 'B'), cpu(&known, 'B'));
    assert!((seen / planted - 1.0).abs() < 0.1, "{seen} s, it takes {planted} s");
    let without = Calibration { local_ns: 0.0, ..known.clone() };
    let more_ns = (planted - cpu(&without, 'B')) * 1e9;
    assert!((more_ns / known.local_ns - 1.0).abs() < 0.1, "one call a journey: {more_ns} ns more");
    let apart = cpu(&known, 'A') / cpu(&without, 'A');
    assert!((apart - 1.0).abs() < 1e-9, "services have none: {apart}");
}

#[test]
fn each_kind_of_cpu_is_scaled_by_itself() {
    let mut known = calibration();
    known.local_ns = 20e3;
    let photo = "photo/GET /v1/photos/{id}";
    known.operations.get_mut(photo).expect("it is there").blocking = times(1_000);
    let scaled = known.with_costs(CostFactors { operations: 2.0, blocking: 3.0, messages: 0.5 });
    let times_as_much =
        |name: &str, of: fn(&Operation) -> f64| of(&scaled.operations[name]) / of(&known.operations[name]);
    let is = |seen: f64, factor: f64| (seen - factor).abs() < 1e-9;
    assert!(is(times_as_much(photo, |operation| operation.own.mean_ns), 2.0));
    assert!(is(times_as_much(photo, Operation::statements_ns), 2.0));
    assert!(is(times_as_much(photo, |operation| operation.blocking.mean_ns), 3.0));
    // The gateway passes on, and a client's own time is no CPU.
    assert!(is(times_as_much("gateway/GET /v1/feed", |operation| operation.own.mean_ns), 0.5));
    assert!(is(times_as_much("client/home-feed", |operation| operation.own.mean_ns), 1.0));
    let (hop, before) = (scaled.hops["http+json"], known.hops["http+json"]);
    assert!(is(hop.served_ns / before.served_ns, 0.5) && is(hop.called_ns / before.called_ns, 0.5));
    assert!(is(scaled.local_ns, 10e3) && is(scaled.parameters.span_ns.value, 2e3));
    assert!(is(scaled.idle_ns_per_s, known.idle_ns_per_s), "rest is measured by itself");
}

#[test]
fn a_miss_is_explained_by_the_parts_of_its_cpu() {
    let plan = scenario("");
    let made = Made::of(&plan, |_| {});
    // As it turns out operations take half as much again, and all else what was predicted.
    let dearer = CostFactors { operations: 1.5, blocking: 1.0, messages: 1.0 };
    let mut lines = lived_on(&calibration().with_costs(dearer), &plan, spans);
    if let Entry::Header(header) = &mut lines[0].entry {
        header.prediction = Some(made.predicted.prediction.clone());
    }
    let live = [Run::of(&lines).expect("a header")];
    let held_out = HeldOut { name: "held-out-load-55".into(), rate: 60.0, ..HeldOut::default() };
    let mut validation = Validation::default();
    validation.add(&held_out, Some(&made.run), &live, &calibration());
    let arms: Vec<&str> = validation.explanations.iter().map(|of| of.arm.as_str()).collect();
    assert_eq!(arms, ["micro", "mono"], "{}", validation.table());
    for explanation in &validation.explanations {
        assert!(explanation.missed.iter().any(|missed| missed == "cpu_per_journey"), "{explanation:?}");
        let (Some(predicted), Some(measured)) = (explanation.predicted, explanation.measured) else {
            panic!("both records are at hand: {explanation:?}");
        };
        let times = |of: fn(&CpuParts) -> f64| of(&measured.parts) / of(&predicted.parts);
        let (operations, messages) = (times(|parts| parts.operations), times(|parts| parts.messages));
        assert!((operations - 1.5).abs() < 0.05, "{operations}: {explanation:?}");
        assert!((messages - 1.0).abs() < 0.1, "{messages}: {explanation:?}");
        // Nothing cools on this machine, and it is nearly idle.
        let factor = predicted.dearer().expect("operations");
        assert!((factor - 1.0).abs() < 0.05, "{factor}");
        assert!(predicted.waking.is_none() && measured.waking.is_some());
    }
    let text = validation.explained();
    assert!(text.contains("| held-out-load-55 | mono | ") && text.contains(" vs "), "{text}");
    // With every figure within its bound there is nothing to explain.
    let mut exact = Validation::default();
    let mut same = lived_on(&calibration(), &plan, spans);
    if let Entry::Header(header) = &mut same[0].entry {
        header.prediction = Some(made.predicted.prediction.clone());
    }
    exact.add(&held_out, Some(&made.run), &[Run::of(&same).expect("a header")], &calibration());
    assert_eq!((exact.rows.len(), exact.explained().as_str()), (6, ""), "{}", exact.table());
}
