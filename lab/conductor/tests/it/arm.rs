//! An arm: started, supervised, changed, shut down.

use std::path::Path;
use std::time::Duration;

use conductor::arm::Arm;
use conductor::arm::arm_plan::{ArmError, ArmPlan, SuiteLoss};
use conductor::arm::instance::Health;
use conductor::arm::servers::ArmServers;
use conductor::arm::supervise::SupervisionReport;
use node::NodeConfig;

use crate::node::FakeNodes;

const GRACE: Duration = Duration::from_secs(1);

fn is_running(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn an_arm_answers_its_probes_and_ends_in_order() {
    let nodes = FakeNodes::start().await;
    let environment = nodes.environment();
    let arm = Arm::start(&environment, nodes.plan(""), ArmServers::default()).await.expect("it starts");
    let [instance] = &arm.instances()[..] else { panic!("one copy") };
    let status = instance.status();
    assert_eq!((status.health, status.public, status.restarts), (Health::Up, Some(arm.public), 0));
    assert_eq!(arm.layout().instances[0].hosts, ["gateway", "feed"]);
    assert_eq!(arm.sampled().instances[0].state, "up");
    let targets = std::fs::read_dir(nodes.folder.path().join(".targets")).expect("a folder");
    assert_eq!(targets.count(), 1, "Prometheus finds it");
    assert_eq!(arm.shut_down().await, [""; 0], "no process is left");
    assert_eq!(nodes.drained.lock().expect("no panic while held")[..], ["app#0"]);
    assert!(!is_running(status.pid));
    nodes.tasks.finish(GRACE).await;
}

#[tokio::test]
async fn a_killed_process_is_restarted_on_its_port() {
    let nodes = FakeNodes::start().await;
    let environment = nodes.environment();
    let arm = Arm::start(&environment, nodes.plan("restart = { after = \"1ms\" }"), ArmServers::default())
        .await
        .expect("it starts");
    let instance = arm.instances().remove(0);
    let before = instance.status();
    instance.kill().expect("a process of this test");
    while instance.status().restarts == 0 || instance.status().health != Health::Up {
        tokio::task::yield_now().await;
    }
    let after = instance.status();
    assert_ne!(after.pid, before.pid);
    assert_eq!((after.listen, after.restarts), (before.listen, 1));
    arm.shut_down().await;
    nodes.tasks.finish(GRACE).await;
    assert!(!is_running(after.pid));
}

#[tokio::test]
async fn copies_are_added_recreated_and_removed() {
    let nodes = FakeNodes::start().await;
    let environment = nodes.environment();
    let arm = Arm::start(&environment, nodes.plan(""), ArmServers::default()).await.expect("it starts");
    let process = arm.plan.processes[0].clone();
    let added = arm.add_copy(&process, None, &|config| config.weight = 7).await.expect("it starts");
    assert_eq!(added.name, "app#1");
    assert_eq!(arm.copies("app").len(), 2);
    let config = std::fs::read_to_string(nodes.folder.path().join("app#1.json")).expect("written");
    assert!(config.contains("\"weight\": 7"), "{config}");
    let before = added.status();
    arm.recreate_copy(&added, &|config| config.build = "bad-slow".into()).await.expect("it comes back");
    assert_eq!((added.build().as_str(), added.status().listen), ("bad-slow", before.listen));
    assert_ne!(added.status().pid, before.pid);
    arm.remove_copy(&added).await;
    assert_eq!(arm.copies("app").len(), 1);
    assert!(!is_running(added.status().pid), "it was drained, and is not restarted");

    // What a step changed holds for the copies that come after it.
    let first = arm.instances().remove(0);
    let change = |config: &mut NodeConfig| {
        (config.build, config.schema, config.weight) = ("bad-slow".into(), 2, 7);
        config.policies.insert("feed->photo".into(), policy::Policy::default());
    };
    arm.recreate_copy(&first, &change).await.expect("it comes back");
    let added = arm.add_copy(&process, None, &|_| {}).await.expect("it starts");
    assert_eq!(added.build(), "bad-slow");
    let config = std::fs::read(nodes.folder.path().join("app#1.json")).expect("written");
    let config: NodeConfig = serde_json::from_slice(&config).expect("a configuration");
    assert_eq!((config.schema, config.policies.len()), (2, 1));
    assert_eq!(config.weight, arm.plan.config.weight, "a weight is that of a canary");
    arm.shut_down().await;
    nodes.tasks.finish(GRACE).await;
}

#[tokio::test]
async fn a_copy_that_a_step_started_again_is_not_restarted_once_more() {
    let nodes = FakeNodes::start().await;
    let environment = nodes.environment();
    let plan = nodes.plan("restart = { after = \"100ms\" }");
    let arm = Arm::start(&environment, plan, ArmServers::default()).await.expect("it starts");
    let instance = arm.instances().remove(0);
    instance.kill().expect("a process of this test");
    while instance.status().health != Health::Down && instance.status().restarts == 0 {
        tokio::task::yield_now().await;
    }
    arm.recreate_copy(&instance, &|_| {}).await.expect("it comes back");
    let again = instance.status();
    // Twice the time after which the topology would have had it back.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((instance.status().pid, instance.status().restarts), (again.pid, again.restarts));
    assert!(is_running(again.pid));
    arm.shut_down().await;
    nodes.tasks.finish(GRACE).await;
}

#[tokio::test]
async fn a_copy_that_is_deployed_while_it_is_restarted_serves_first_and_then_drains() {
    let nodes = FakeNodes::start().await;
    let environment = nodes.environment();
    let plan = nodes.plan("restart = { after = \"1ms\" }");
    let arm = Arm::start(&environment, plan, ArmServers::default()).await.expect("it starts");
    let instance = arm.instances().remove(0);
    instance.kill().expect("a process of this test");
    // The restart is under way.
    while instance.status().restarts == 0 {
        tokio::task::yield_now().await;
    }
    arm.recreate_copy(&instance, &|config| config.build = "bad-slow".into()).await.expect("it comes back");
    assert_eq!(nodes.drained.lock().expect("no panic while held")[..], ["app#0"], "no two at once");
    assert_eq!((instance.build().as_str(), instance.status().restarts), ("bad-slow", 1));
    assert!(is_running(instance.status().pid));
    arm.shut_down().await;
    nodes.tasks.finish(GRACE).await;
}

#[tokio::test]
async fn a_process_that_ends_before_it_serves_is_an_error_with_the_end_of_its_log() {
    let nodes = FakeNodes::with_program("echo 'error: no room' >&2\nexit 3");
    let environment = nodes.environment();
    let error = Arm::start(&environment, nodes.plan(""), ArmServers::default())
        .await
        .map(|_| ())
        .expect_err("it ended");
    assert!(matches!(&error, ArmError::NotServing { instance, .. } if instance == "app#0"));
    let text = error.to_string();
    assert!(text.contains("exit 3") && text.contains("error: no room"), "{text}");
    nodes.tasks.finish(GRACE).await;
}

/// A suite that is kept up, of so many copies of one process.
fn kept_up(nodes: &FakeNodes, replicas: u32, topology: &str) -> ArmPlan {
    let mut plan = ArmPlan { is_kept_up: true, ..nodes.plan(topology) };
    plan.processes[0].replicas = replicas;
    plan
}

#[tokio::test]
async fn a_suite_gives_up_a_process_that_dies_too_often_in_succession() {
    let nodes = FakeNodes::start().await;
    let environment = nodes.environment();
    let plan = kept_up(&nodes, 2, "restart = { after = \"1ms\", max = 2 }");
    let arm = Arm::start(&environment, plan, ArmServers::default()).await.expect("it starts");
    let mut reports = arm.reports();
    let dying = arm.instances().remove(0);
    dying.kill().expect("a process of this test");
    let mut down = Vec::new();
    while let SupervisionReport::Down { reason, restart_in, .. } =
        reports.recv().await.expect("no report is missed")
    {
        down.push((reason, restart_in));
    }
    let after_ms = |ms| Some(Duration::from_millis(ms));
    assert_eq!(down, [("signal 9".to_owned(), after_ms(1))]);
    assert_eq!(arm.loss(), None, "it serves again");

    nodes.replace_program("exit 3");
    dying.kill().expect("a process of this test");
    down.clear();
    while down.last().is_none_or(|(_, restart_in)| restart_in.is_some()) {
        if let SupervisionReport::Down { reason, restart_in, .. } = reports.recv().await.expect("all") {
            down.push((reason, restart_in));
        }
    }
    // The second death in succession has the last restart.
    let [first, last] = &down[..] else { panic!("{down:?}") };
    assert_eq!(first, &("signal 9".to_owned(), after_ms(2)));
    assert!(last.0.contains("exit 3") && last.1.is_none(), "{last:?}");
    let loss = arm.loss().expect("it is given up");
    assert!(matches!(&loss, SuiteLoss::KeepsDying { instance, restarts: 2, .. } if instance == "app#0"));
    assert!(loss.to_string().contains("app#0.log"), "{loss}");
    arm.shut_down().await;
    nodes.tasks.finish(GRACE).await;
}

#[tokio::test]
async fn a_suite_is_lost_when_all_its_processes_are_dead_at_once_and_one_alone_is_restarted() {
    for replicas in [1, 2] {
        let nodes = FakeNodes::start().await;
        let environment = nodes.environment();
        let plan = kept_up(&nodes, replicas, "restart = { after = \"10m\" }");
        let arm = Arm::start(&environment, plan, ArmServers::default()).await.expect("it starts");
        let mut reports = arm.reports();
        for instance in arm.instances() {
            assert_eq!(arm.loss(), None, "one of {replicas} is left");
            instance.kill().expect("a process of this test");
            let report = reports.recv().await.expect("no report is missed");
            assert!(matches!(report, SupervisionReport::Down { restart_in: Some(_), .. }), "{report:?}");
        }
        let is_lost = matches!(arm.loss(), Some(SuiteLoss::AllEnded { processes: 2, .. }));
        assert_eq!(is_lost, replicas == 2, "{:?}", arm.loss());
        arm.shut_down().await;
        nodes.tasks.finish(GRACE).await;
    }
}

#[tokio::test]
async fn a_suite_without_restarts_goes_on_until_nothing_is_left() {
    let nodes = FakeNodes::start().await;
    let environment = nodes.environment();
    let arm =
        Arm::start(&environment, kept_up(&nodes, 2, ""), ArmServers::default()).await.expect("it starts");
    let mut reports = arm.reports();
    let mut losses = Vec::new();
    for instance in arm.instances() {
        instance.kill().expect("a process of this test");
        let report = reports.recv().await.expect("no report is missed");
        assert!(matches!(report, SupervisionReport::Down { restart_in: None, .. }), "{report:?}");
        losses.push(arm.loss().is_some());
    }
    assert_eq!(losses, [false, true]);
    arm.shut_down().await;
    nodes.tasks.finish(GRACE).await;
}
