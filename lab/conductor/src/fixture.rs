//! Scenarios, options and records for tests.

use std::path::Path;
use std::sync::Arc;

use record::Header;
use runtime::{Tasks, clock};
use scenario::{Application, Scenario};
use tempfile::TempDir;
use traffic::{Dataset, Seed};

use crate::arm::Arm;
use crate::arm::arm_plan::ArmPlan;
use crate::arm::environment::{RunEnvironment, RunPaths};
use crate::arm::given_servers::GivenServers;
use crate::observe::record_writer::RecordWriter;
use crate::run::header::{LoadStart, describe_planned, header};
use crate::run::options::RunOptions;
use crate::run::plan::RunPlan;
use crate::run::schedules::Schedules;
use crate::run::secrets::RunSecrets;

/// A scenario with the arms `micro` and `mono`, and what is added to its end.
pub(crate) fn two_arms(more: &str) -> String {
    format!(
        r#"schema = 1
name   = "two-arms"
title  = "Two arms"
why    = "For tests"
phases = [{{ name = "warm", for = "1s", measure = false }}, {{ name = "steady", for = "4s" }}]

[load]
rate    = "40/s"
size    = "tiny"
mix     = {{ home-feed = 100 }}
timeout = "1s"

[topology.micro]
processes = {{ each = ["*"] }}

[topology.mono]
processes = {{ app = ["gateway", "*"] }}

{more}"#
    )
}

/// A scenario of its text.
pub(crate) fn scenario(text: &str) -> Scenario {
    let (components, calls, events) = (suite::components(), suite::calls(), suite::event_sources());
    let tables = suite::tables();
    let application =
        Application { components: &components, calls: &calls, events: &events, tables: &tables };
    let read = scenario::read(Path::new("test.toml"), text.to_owned(), &application);
    read.unwrap_or_else(|errors| panic!("{errors}"))
}

/// Options to run a scenario.
pub(crate) fn options(text: &str) -> RunOptions {
    let scenario = scenario(text);
    RunOptions {
        seed: scenario.seed,
        scenario,
        arms: Vec::new(),
        against: None,
        interleaved: false,
        rounds: 1,
        out: "/runs".into(),
        program: "/bin/cleave".into(),
        version: "0".into(),
        command: Vec::new(),
        started_at: clock::now(),
        notes: Vec::new(),
        starts: scorecard::inference::StoredStarts::default(),
        labels: Vec::new(),
        prediction: None,
        keep_data: false,
        change: None,
        given: GivenServers::default(),
    }
}

/// Secrets that a test can read.
pub(crate) fn secrets() -> RunSecrets {
    RunSecrets { token: "token".into(), identity: "identity".into(), broker: "broker".into() }
}

/// A record in a folder of its own.
pub(crate) fn record() -> (RecordWriter, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = record::Writer::create(&folder.path().join("run.jsonl")).expect("a record");
    (RecordWriter::new(clock::now(), writer), folder)
}

/// The header of the run `r1` of a scenario.
pub(crate) fn header_of(scenario: &str) -> Header {
    let (options, secrets) = (options(scenario), secrets());
    let folder = Path::new("/runs/r1");
    let plan = RunPlan { options: &options, id: "r1", folder, secrets: &secrets, otlp: None };
    let arms = plan.arms(&[]).expect("arms").iter().map(describe_planned).collect();
    let load = &options.scenario.load;
    // Without pictures, which take a second to draw.
    let data = Arc::new(Dataset::generate(Seed(1), load.size, &load.graph));
    let schedules = Schedules::plan(1, 1, &options.scenario, &data);
    let start = LoadStart {
        schedules: &schedules,
        ready_ms: 1,
        load_start_ns: 2,
        now_ns: 0,
        collector: None,
        speed: None,
    };
    header(&plan, arms, &start)
}

/// A header of two arms.
pub(crate) fn header_line() -> Header {
    header_of(&two_arms(""))
}

/// The arms of a scenario in a folder, prepared and not started, and their environment, whose record is `record`.
pub(crate) fn prepared_arms(
    scenario: &str,
    folder: &Path,
    record: RecordWriter,
) -> (Vec<Arc<Arm>>, RunEnvironment) {
    let (options, secrets) = (options(scenario), secrets());
    let paths = RunPaths { out: folder, folder, program: &options.program };
    let environment = RunEnvironment::new(Tasks::new(), &paths, "r1", &secrets.token, record);
    let plan = RunPlan { options: &options, id: "r1", folder, secrets: &secrets, otlp: None };
    let planned = plan.arms(&[]).expect("arms").into_iter();
    let arms = planned.map(|arm| {
        std::fs::create_dir_all(&arm.plan.folder).expect("a folder of ours");
        let plan: ArmPlan = arm.plan;
        Arc::new(Arm::prepared(&environment, plan).expect("a folder of ours"))
    });
    (arms.collect(), environment)
}
