//! Steps that change copies: these start, are listed, drain and leave in the order of a live run.

use fault::{CallFault, End};
use policy::AutoscaleOptions;
use policy::units::{HumanDuration, Rate, Ratio};
use simulator::dist::Distribution;
use simulator::engine::AdaptiveQueue;
use simulator::model::{
    BuildPlan, ChangeAction, ChangePlan, CopiesPlan, Moment, Note, Plan, Report, Rollout, RolloutOrder,
    Simulation, Work,
};

use super::fixture::{self, MILLISECOND, SECOND, no_policies, registry};

/// From the start of a copy until it serves.
const START: u64 = 500 * MILLISECOND;

/// A leaf that has `first` copies, to which steps may add more, up to six.
fn leaves(first: u32, work: Work) -> Plan {
    let mut plan = fixture::leaves(4, 6, work);
    let copies = names(&[0, 1, 2, 3, 4, 5]);
    plan.registries.push(registry(copies.clone()));
    plan.copies.push(CopiesPlan { name: "leaf".into(), copies, first, start_ns: START, has_one_port: false });
    plan
}

fn quick() -> Work {
    Work::Cpu(Distribution::Constant(MILLISECOND))
}

fn change(name: &str, start_ns: u64, action: ChangeAction) -> ChangePlan {
    ChangePlan { name: name.into(), start_ns, end_ns: start_ns, copies: vec!["leaf".into()], action }
}

fn deploy(order: RolloutOrder, defect: Option<CallFault>) -> ChangeAction {
    let share = Ratio::new(1.0);
    let defect = defect.map(|fault| (Some("leaf".to_owned()), share, fault));
    let build = BuildPlan { name: "new".into(), defect, is_deployed_once: false };
    let watched_ns = 5 * SECOND;
    ChangeAction::Deploy(build, Rollout { order, watched_ns, is_judged: false, rolls_back: false })
}

/// What came of a plan: its report, the notes of its changes, and the copies that are not there at the end.
fn played(plan: &Plan) -> (Report, Vec<Note>, Vec<String>) {
    let mut simulation: Simulation = match Simulation::new(plan, 1) {
        Ok(simulation) => simulation,
        Err(errors) => panic!("{errors:?}"),
    };
    let report = simulation.run(u64::MAX);
    assert!(simulation.is_balanced(), "Little's law");
    let absent = simulation.absent().map(str::to_owned).collect();
    (report, simulation.notes().to_vec(), absent)
}

/// When each note of a change was made, ms, and what it says.
fn moments<'n>(notes: &'n [Note], change: &str) -> Vec<(u64, &'n Moment)> {
    let of = notes.iter().filter(|note| note.change == change);
    of.map(|note| (note.at_ns / MILLISECOND, &note.moment)).collect()
}

fn names(numbers: &[u32]) -> Vec<String> {
    numbers.iter().map(|n| format!("leaf#{n}")).collect()
}

fn failed(report: &Report) -> u64 {
    report.requests["users/ask"].windows.iter().map(|window| window.failed).sum()
}

/// CPU of a copy, ms: as many calls.
fn served(report: &Report, copy: &str) -> u64 {
    report.cpu_ns[copy] / MILLISECOND
}

#[test]
fn copies_that_are_added_start_one_after_another_and_share_the_load() {
    let mut plan = leaves(1, quick());
    plan.changes.push(change("scale", 4 * SECOND, ChangeAction::Scale(3)));
    let (report, notes, absent) = played(&plan);
    let process = || "leaf".to_owned();
    let resizing = Moment::Resizing { process: process(), from: 1, to: 3, total: None };
    let resized = Moment::Resized { process: process(), to: 3 };
    // Each takes half a second to start, and a millisecond until it is known.
    assert_eq!(moments(&notes, "scale"), [(4_000, &resizing), (5_002, &resized)]);
    assert_eq!((failed(&report), absent), (0, names(&[3, 4, 5])));
    // All calls for 4.5 s, half of them for 0.5 s, a third of them for 15 s; the second copy has the half and the third.
    let expected = [("leaf#0", 450 + 25 + 500), ("leaf#1", 25 + 500), ("leaf#2", 500), ("leaf#3", 0)];
    for (copy, calls) in expected {
        assert!(served(&report, copy).abs_diff(calls) <= 3, "{copy}: {} of {calls}", served(&report, copy));
    }
}

#[test]
fn the_newest_copies_go_first_and_end_what_they_have() {
    let mut plan = leaves(3, quick());
    plan.changes.push(change("scale", 4 * SECOND, ChangeAction::Scale(1)));
    let (report, notes, absent) = played(&plan);
    assert_eq!((failed(&report), absent.len()), (0, 5));
    let [(began, _), (done, _)] = moments(&notes, "scale")[..] else { panic!("{notes:?}") };
    // Each still takes what comes for 100 ms, and what is under way then takes 1 ms.
    assert!(began == 4_000 && (4_200..4_220).contains(&done), "{done}");
    let third = 400 / 3;
    let (second, newest) = (served(&report, "leaf#1"), served(&report, "leaf#2"));
    assert!(newest.abs_diff(third) <= 2 && second.abs_diff(third + 5) <= 3, "{newest} and {second}");
}

#[test]
fn a_rolling_deploy_loses_nothing_and_one_in_place_what_comes_while_it_is_down() {
    let mut plan = leaves(2, quick());
    plan.changes.push(change("deploy", 4 * SECOND, deploy(RolloutOrder::Rolling, None)));
    let (report, notes, absent) = played(&plan);
    assert_eq!((failed(&report), absent), (0, names(&[0, 1, 4, 5])));
    let [(4_000, Moment::Began), (over, Moment::Over)] = moments(&notes, "deploy")[..] else {
        panic!("{notes:?}")
    };
    // Two copies start in turn, and each time one of the old drains.
    assert!((5_202..5_225).contains(&over), "{over}");

    let mut plan = leaves(1, quick());
    plan.changes.push(change("deploy", 4 * SECOND, deploy(RolloutOrder::InPlace, None)));
    let (report, _, absent) = played(&plan);
    // Off the list at once, and on it again after 100 ms of draining, a start, and what is under way.
    let missed = (100 + START / MILLISECOND) / 10;
    assert!(failed(&report).abs_diff(missed) <= 2, "{}", failed(&report));
    assert_eq!(absent.len(), 5, "it is back in its place");
}

#[test]
fn a_blue_green_deploy_starts_a_whole_set_before_any_of_the_old_drains() {
    let mut plan = leaves(2, quick());
    plan.changes.push(change("deploy", 4 * SECOND, deploy(RolloutOrder::BlueGreen, None)));
    let (report, notes, absent) = played(&plan);
    assert_eq!((failed(&report), absent), (0, names(&[0, 1, 4, 5])));
    let over = moments(&notes, "deploy").last().map(|(at, _)| *at).expect("it ends");
    // Two starts in turn, and one time to drain for both.
    assert!((5_102..5_125).contains(&over), "{over}");
}

#[test]
fn a_canary_gets_its_share_and_what_it_deploys_is_taken_back() {
    let mut plan = leaves(1, quick());
    let broken = CallFault { end: Some(End::Abort(500)), ..CallFault::default() };
    plan.changes.push(change("bad", 4 * SECOND, deploy(RolloutOrder::Canary(0.2), Some(broken))));
    plan.changes.push(change("back", 12 * SECOND, ChangeAction::RollBack("bad".into())));
    let (report, notes, _) = played(&plan);
    let seen = moments(&notes, "bad");
    let canary = Moment::Canary("leaf#1".into());
    let expected = [Moment::Began, canary, Moment::Promoted, Moment::Over, Moment::RolledBack];
    assert!(seen.iter().map(|(_, moment)| *moment).eq(&expected), "{seen:?}");
    // Half a second until it serves, five in which it is watched, a start and two times to drain; then a start and one.
    let (watched, promoted, back) = (seen[1].0, seen[2].0, seen[4].0);
    assert!(watched == 4_501 && (10_200..10_230).contains(&promoted), "{seen:?}");
    assert!((12_600..12_620).contains(&back), "{seen:?}");
    let failed = |from: usize, to: usize| -> u64 {
        report.requests["users/ask"].windows[from..to].iter().map(|window| window.failed).sum()
    };
    // A fifth of 400 calls, by dice: 80, give or take three times 8.
    assert!((56..104).contains(&failed(5, 9)), "{}", failed(5, 9));
    assert_eq!((failed(0, 4), failed(11, 12), failed(14, 20)), (0, 100, 0), "none, all, none");
}

#[test]
fn an_autoscaler_sees_what_copies_serve_and_adds_as_many_as_it_takes() {
    let mut plan = leaves(1, quick());
    let options = AutoscaleOptions {
        requests: Some(Rate::per_second(40.0)),
        cpu: None,
        min: 1,
        max: 4,
        tolerance: Ratio::new(0.1),
        up_after: HumanDuration::default(),
        down_after: HumanDuration::from_millis(10_000),
    };
    let action = ChangeAction::Autoscale(options, vec!["leaf".into()]);
    plan.changes.push(ChangePlan { end_ns: 15 * SECOND, ..change("auto", 5 * SECOND, action) });
    let (report, notes, absent) = played(&plan);
    // 100/s at 40/s each are two and a half copies.
    let [(5_000, Moment::Resizing { from: 1, to: 3, total: Some(total), .. })] = moments(&notes, "auto")[..]
    else {
        panic!("{notes:?}")
    };
    assert!((total - 100.0).abs() < 1.5, "{total}");
    assert_eq!((failed(&report), absent.len()), (0, 3));
}

#[test]
fn what_is_under_way_is_cut_off_when_a_copy_takes_too_long_to_leave() {
    let mut plan = leaves(2, Work::Wait(Distribution::Constant(5 * SECOND)));
    plan.policies = no_policies();
    plan.changes.push(change("drain", 4 * SECOND, ChangeAction::Drain(vec!["leaf#1".into()])));
    let (report, notes, absent) = played(&plan);
    let (draining, left) = (Moment::Draining("leaf#1".into()), Moment::Left("leaf#1".into()));
    // 100 ms in which it takes what comes, and two seconds for what it has.
    assert_eq!(moments(&notes, "drain"), [(4_000, &draining), (6_100, &left)]);
    assert!(failed(&report) > 0 && absent.contains(&"leaf#1".to_owned()));
}

#[test]
fn a_copy_that_restarts_is_gone_meanwhile_and_one_that_stops_stays_down() {
    let restarted = |action: ChangeAction| {
        let mut plan = leaves(2, quick());
        plan.changes.push(change("step", 4 * SECOND, action));
        let (report, _, absent) = played(&plan);
        assert_eq!((failed(&report), absent.len()), (0, 4), "the other serves, and it is still a copy");
        served(&report, "leaf#1")
    };
    let back = restarted(ChangeAction::Restart(vec!["leaf#1".into()]));
    // Half of 20 s, but for 0.6 s.
    assert!(back.abs_diff(970) <= 4, "{back}");
    let stopped = restarted(ChangeAction::Stop(vec!["leaf#1".into()], SECOND));
    assert!(stopped.abs_diff(200) <= 4, "{stopped}");
}

#[test]
fn changes_are_the_same_again_and_in_whatever_order_they_are_declared() {
    let make = |is_reversed: bool| {
        let mut plan = leaves(2, quick());
        plan.changes.push(change("deploy", 4 * SECOND, deploy(RolloutOrder::Canary(0.3), None)));
        plan.changes.push(change("scale", 12 * SECOND, ChangeAction::Scale(3)));
        if is_reversed {
            plan.changes.reverse();
            plan.processes.reverse();
        }
        played(&plan)
    };
    let first = make(false);
    assert_eq!(first, make(false));
    assert_eq!(first, make(true));
}

#[test]
fn copies_without_a_registry_are_replaced_in_place_or_not_at_all() {
    let mut plan = leaves(1, quick());
    plan.registries.clear();
    plan.changes.push(change("deploy", 4 * SECOND, deploy(RolloutOrder::Rolling, None)));
    let refused = Simulation::<AdaptiveQueue>::new(&plan, 1).map(drop).expect_err("none lists them");
    assert!(refused[0].to_string().contains("no registry lists `leaf`"), "{refused:?}");
    let copies = &mut plan.copies[0];
    (copies.has_one_port, copies.copies) = (true, vec!["leaf#0".into()]);
    let mut alone = plan;
    alone.processes.retain(|process| !process.name.starts_with("leaf#") || process.name == "leaf#0");
    let (report, _, _) = played(&alone);
    // It takes what comes for 100 ms, and is down while it starts: half a second.
    assert!(failed(&report).abs_diff(50) <= 2, "{}", failed(&report));
}
