//! A suite that stays up until it is interrupted, of fake nodes.

use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;

use conductor::RunError;
use conductor::arm::arm_plan::ArmError;
use conductor::arm::given_servers::GivenServers;
use conductor::run::up::{SuiteSummary, SuiteView, UpOptions, up};
use tokio::sync::watch;

use crate::node::FakeNodes;

/// What the suite of [`a_suite_stays_up_until_the_first_interrupt`] is shown as.
static SHOWN: Mutex<Option<SuiteSummary>> = Mutex::new(None);

fn options(nodes: &FakeNodes) -> UpOptions {
    let placement = toml::from_str("processes = { app = [\"gateway\", \"*\"] }").expect("a placement");
    UpOptions {
        arm: scenario::Arm::without_variant("mono", placement),
        seed: 1,
        load: toml::from_str("rate = \"1/s\"\nsize = \"tiny\"").expect("a load"),
        out: nodes.folder.path().to_owned(),
        program: nodes.program.clone(),
        telemetry: telemetry::Level::Off,
        public: (std::net::Ipv4Addr::LOCALHOST, 0).into(),
        limits_per_address: true,
        restarts: true,
        given: GivenServers::default(),
    }
}

#[tokio::test]
async fn a_suite_stays_up_until_the_first_interrupt() {
    let nodes = FakeNodes::start().await;
    let (_interrupt, interrupts) = watch::channel(1);
    let show = |summary: &SuiteSummary| {
        *SHOWN.lock().expect("no panic while held") = Some(summary.clone());
    };
    let view = SuiteView { ready: show, report: |_| {} };
    up(options(&nodes), interrupts, view).await.expect("it comes up");
    let shown = SHOWN.lock().expect("no panic while held").take().expect("it was up");
    let [(name, hosts, listen)] = &shown.instances[..] else { panic!("{:?}", shown.instances) };
    assert_eq!((name.as_str(), listen), ("app#0", &shown.public), "one endpoint stands for both ports");
    assert!(hosts.contains(&"gateway".to_owned()) && hosts.contains(&"photo".to_owned()), "{hosts:?}");
    assert!(!shown.user_token.is_empty() && shown.user_token != shown.run_token);
    assert!(shown.folder.join("data").is_dir(), "each suite has data of its own");
    let config = shown.folder.join("app#0.json");
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).expect("written").permissions().mode() & 0o777;
    assert_eq!(
        (mode(&shown.folder), mode(&config)),
        (0o700, 0o600),
        "the suite's folder is its user's alone"
    );
    let config = std::fs::read_to_string(&config).expect("ours");
    assert!(!config.contains(&shown.run_token), "and what opens a node is on no disk");
    assert_eq!(nodes.drained.lock().expect("no panic while held")[..], ["app#0"], "it has ended in order");
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_an_error() {
    let nodes = FakeNodes::with_program("exit 1");
    let (_interrupt, interrupts) = watch::channel(0);
    let missing = UpOptions { program: "/no/such/program".into(), ..options(&nodes) };
    let started = up(missing, interrupts, SuiteView { ready: |_| {}, report: |_| {} }).await;
    let error = started.expect_err("there is no such program");
    assert!(matches!(&error, RunError::Arm(ArmError::Spawn(why)) if why.name == "mono/app#0"), "{error}");
}
