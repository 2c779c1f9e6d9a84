//! Registries: what is dead is not asked for long, and asked again once it is back.

use fault::ProcessFault;
use policy::units::HumanDuration;
use simulator::dist::Distribution;
use simulator::model::{Effect, FaultPlan, Plan, Report, Work};

use super::fixture::{self, MILLISECOND, SECOND, registry, simulate};

/// Two copies of a leaf that use 1 ms of CPU. One of them, and `others`, are hit by a fault from second 4 on.
fn leaves(fault: ProcessFault, others: &[&str], has_registry: bool) -> Plan {
    let mut plan = fixture::leaves(1, 2, Work::Cpu(Distribution::Constant(MILLISECOND)));
    let names = ["leaf#0"].iter().chain(others).map(|name| (*name).to_owned());
    plan.faults.push(FaultPlan {
        name: "hit".into(),
        start_ns: 4 * SECOND,
        end_ns: 12 * SECOND,
        effect: Effect::Processes(names.collect(), fault),
    });
    let members = vec!["leaf#0".into(), "leaf#1".into()];
    plan.registries.extend(has_registry.then(|| registry(members)));
    plan
}

/// Failures in the seconds from `from` to `to`.
fn failed(report: &Report, from: usize, to: usize) -> u64 {
    report.requests["users/ask"].windows[from..to].iter().map(|window| window.failed).sum()
}

const DEAD: ProcessFault = ProcessFault::Kill(None);

#[test]
fn a_dead_copy_is_asked_until_its_lease_has_lapsed() {
    let alone = simulate(&leaves(DEAD, &[], false), 1, u64::MAX);
    // A refused connection takes it out for 3 s, then for 6: it is asked at 4 s, 7 s and 13 s.
    assert_eq!([failed(&alone, 4, 5), failed(&alone, 7, 8), failed(&alone, 0, 21)], [1, 1, 3]);
    let listed = simulate(&leaves(DEAD, &[], true), 1, u64::MAX);
    // Its last renewal was at most a second before its death, so that it is off the list when it would be asked anew.
    assert_eq!([failed(&listed, 4, 5), failed(&listed, 0, 21)], [1, 1]);
}

#[test]
fn a_copy_that_is_back_is_asked_at_once_and_has_no_history() {
    let back = ProcessFault::Kill(Some(HumanDuration::from_millis(4_000)));
    let cpu_ms =
        |has_registry| simulate(&leaves(back, &[], has_registry), 1, u64::MAX).cpu_ns["leaf#0"] / MILLISECOND;
    // Half of the calls until 4 s and from 8 s on: 200 and 600; without a registry from the end of its second time out on, at 13 s.
    let (listed, alone) = (cpu_ms(true), cpu_ms(false));
    assert!(listed.abs_diff(800) <= 2 && alone.abs_diff(550) <= 2, "{listed} and {alone}");
}

#[test]
fn a_copy_that_stands_still_is_left_out_and_listed_when_it_goes_on() {
    let alone = simulate(&leaves(ProcessFault::Pause, &[], false), 1, u64::MAX);
    let listed = simulate(&leaves(ProcessFault::Pause, &[], true), 1, u64::MAX);
    // Five calls without an answer take it out for 3 s, until 7.3 s; by then its lease has lapsed.
    assert_eq!(failed(&listed, 7, 12), 0);
    assert!(failed(&alone, 7, 12) > 0, "{}", failed(&alone, 0, 21));
    let after = |report: &Report| report.cpu_ns["leaf#0"] / MILLISECOND;
    // From 12 s on half of the calls are its own again: 200 before, 400 after, and what it had begun.
    assert!(after(&listed).abs_diff(600) < 20, "{}", after(&listed));
}

#[test]
fn a_registry_that_is_dead_takes_nothing_off_its_list() {
    let listed = simulate(&leaves(DEAD, &["registry#0"], true), 1, u64::MAX);
    assert_eq!(failed(&listed, 0, 21), 3, "as without one");
    // Both are back at 10 s, the copy as another process than before.
    let back = ProcessFault::Kill(Some(HumanDuration::from_millis(6_000)));
    let listed = simulate(&leaves(back, &["registry#0"], true), 1, u64::MAX);
    let served_ms = listed.cpu_ns["leaf#0"] / MILLISECOND;
    // 200 until 4 s, and half of the calls from 10 s on.
    assert!(served_ms.abs_diff(700) <= 2, "{served_ms}");
}
