//! An arm: started, supervised, changed, shut down.

use std::path::Path;
use std::time::Duration;

use conductor::arm::Arm;
use conductor::arm::arm_plan::ArmError;
use conductor::arm::instance::Health;

use crate::node::FakeNodes;

const GRACE: Duration = Duration::from_secs(1);

fn is_running(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn an_arm_answers_its_probes_and_ends_in_order() {
    let nodes = FakeNodes::start().await;
    let environment = nodes.environment();
    let arm = Arm::start(&environment, nodes.plan("")).await.expect("it starts");
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
    let arm = Arm::start(&environment, nodes.plan("restart = { after = \"1ms\" }")).await.expect("it starts");
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
    let arm = Arm::start(&environment, nodes.plan("")).await.expect("it starts");
    let process = arm.plan.processes[0].clone();
    let added = arm.add_copy(&process, &|config| config.weight = 7).await.expect("it starts");
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
    arm.shut_down().await;
    nodes.tasks.finish(GRACE).await;
}

#[tokio::test]
async fn a_process_that_ends_before_it_serves_is_an_error_with_the_end_of_its_log() {
    let nodes = FakeNodes::with_program("echo 'error: no room' >&2\nexit 3");
    let environment = nodes.environment();
    let error = Arm::start(&environment, nodes.plan("")).await.map(|_| ()).expect_err("it ended");
    assert!(matches!(&error, ArmError::NotServing { instance, .. } if instance == "app#0"));
    let text = error.to_string();
    assert!(text.contains("exit 3") && text.contains("error: no room"), "{text}");
    nodes.tasks.finish(GRACE).await;
}
