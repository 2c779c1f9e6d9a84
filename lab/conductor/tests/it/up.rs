//! A suite that stays up until it is interrupted, of fake nodes.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
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

/// Files below a folder that have a text in them.
fn files_with(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("ours") {
        let entry = entry.expect("ours");
        let (path, kind) = (entry.path(), entry.file_type().expect("ours"));
        if kind.is_dir() {
            found.extend(files_with(&path, text));
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).expect("ours");
            found.extend(bytes.windows(text.len()).any(|part| part == text.as_bytes()).then_some(path));
        }
    }
    found
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
    let mode = |path: &Path| std::fs::metadata(path).expect("written").permissions().mode() & 0o777;
    assert_eq!(
        (mode(&shown.folder), mode(&config)),
        (0o700, 0o600),
        "the suite's folder is its user's alone"
    );
    assert!(files_with(&shown.folder, "\"instance\"").contains(&config), "it is looked into");
    for secret in [&shown.run_token, &shown.user_token] {
        let found = files_with(&shown.folder, secret);
        assert!(found.is_empty(), "and what opens a node, or an account, is on no disk: {found:?}");
    }
    assert_eq!(nodes.drained.lock().expect("no panic while held")[..], ["app#0"], "it has ended in order");
}

#[tokio::test]
async fn the_second_interrupt_ends_a_suite_at_once() {
    let nodes = FakeNodes::start().await;
    let (_interrupt, interrupts) = watch::channel(2);
    let view = SuiteView { ready: |_| panic!("it has not come up"), report: |_| {} };
    let error = up(options(&nodes), interrupts, view).await.expect_err("it was interrupted twice");
    assert!(matches!(error, RunError::Interrupted), "{error}");
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
