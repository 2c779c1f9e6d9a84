//! A suite that stays up until told to go, for trying things out.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use node::NodeConfig;
use runtime::{Tasks, clock};
use traffic::Load;

use crate::arm::children::Spawner;
use crate::arm::{Arm, ArmPlan, RunEnvironment};
use crate::observe::record_writer::RecordWriter;
use crate::observe::scrape_targets::ScrapeTargets;
use crate::process::control::ControlClient;
use crate::process::guardian::Guardian;
use crate::run::plan::{node_config, processes_of};
use crate::run::seed::SeededData;
use crate::run::{Interrupts, RunError, random_secret};

/// What to keep up.
pub struct UpOptions {
    /// What to keep up.
    pub arm: scenario::Arm,
    /// Seed and size of its data.
    pub seed: u64,
    /// Data and settings come from here.
    pub load: Load,
    /// Where its folder goes.
    pub out: PathBuf,
    /// The program nodes are started from.
    pub program: PathBuf,
    /// Telemetry of nodes.
    pub telemetry: telemetry::Level,
    /// Address of the public door; port 0 takes any free one.
    pub public: SocketAddr,
}

/// What can be said about a suite that is up.
#[derive(Clone, Debug)]
pub struct SuiteSummary {
    /// The public door.
    pub public: String,
    /// Instances, what they hold, and their internal addresses.
    pub instances: Vec<(String, Vec<String>, String)>,
    /// A seeded user's handle.
    pub handle: String,
    /// That user's id.
    pub user: String,
    /// The password of all seeded users.
    pub password: String,
    /// A token that speaks for that user.
    pub user_token: String,
    /// Opens control, calls and outbox.
    pub run_token: String,
    /// Logs and data.
    pub folder: PathBuf,
}

/// Starts the suite, tells `ready` about it, and keeps it up until the first interrupt.
///
/// # Errors
/// When data or a process does not come up.
pub async fn up(
    options: UpOptions,
    mut interrupts: Interrupts,
    ready: impl FnOnce(&SuiteSummary),
) -> Result<(), RunError> {
    let tasks = Tasks::new();
    let run_id = format!("up-{}", std::process::id());
    let token = random_secret("token");
    let key = random_secret("identity");
    let environment = RunEnvironment {
        spawner: Spawner::new(),
        tasks: tasks.clone(),
        control: ControlClient::new(tasks.clone(), token.clone()),
        program: options.program.clone(),
        guardian: Arc::new(Guardian::new(&options.out, &options.program)),
        cgroups: Arc::default(),
        scrape_targets: Arc::new(ScrapeTargets::new(&options.out, run_id.as_str())),
    };
    let folder =
        options.out.join(format!("up-{}-{}", options.arm.name.replace('/', "-"), std::process::id()));
    let failed = |path: &PathBuf| {
        let path = path.clone();
        move |source| RunError::Folder { path, source }
    };
    std::fs::create_dir_all(&folder).map_err(failed(&folder))?;
    let folder = folder.canonicalize().map_err(failed(&folder))?;
    let processes = processes_of(&options.arm)?;
    let (load, seed) = (options.load.clone(), options.seed);
    let seeded = runtime::blocking(move || SeededData::generate(seed, &load)).await;
    let snapshot = seeded.snapshot(&options.out.join(".snapshots"), &processes).await?;
    let data = folder.join("data");
    storage::snapshot::restore(&snapshot, &data).map_err(failed(&data))?;
    let config = NodeConfig {
        run_id,
        scenario: "up".into(),
        data,
        secret: key.clone(),
        token: token.clone(),
        telemetry: options.telemetry,
        seed: options.seed,
        public: options.public,
        ..node_config(&options.arm, &processes)
    };
    let plan = ArmPlan {
        letter: 'A',
        name: options.arm.name.clone(),
        processes,
        placement: options.arm.placement.clone(),
        config,
        folder: folder.clone(),
        probes: seeded.probes(),
    };
    let writer = record::Writer::create(&folder.join("run.jsonl")).map_err(failed(&folder))?;
    let record = RecordWriter::new(clock::now(), writer);
    let arm = Arc::new(Arm::start(&environment, plan, &record).await?);
    let user = &seeded.data.users[0];
    let principal = contract::Principal::new(user.id);
    let running = arm.instances();
    let instances = running.iter().map(|instance| {
        let listen = instance.status().listen.map_or_else(String::new, |addr| format!("http://{addr}"));
        (instance.name.clone(), instance.hosts(), listen)
    });
    ready(&SuiteSummary {
        public: format!("http://{}", arm.public),
        instances: instances.collect(),
        handle: user.handle.clone(),
        user: principal.to_string(),
        password: loadgen::journeys::PASSWORD.to_owned(),
        user_token: component::Identity::new(key.as_bytes()).token(principal).unwrap_or_default(),
        run_token: token,
        folder,
    });
    // A sender that is gone means that nobody can interrupt any more.
    let _ = interrupts.wait_for(|count| *count > 0).await;
    if let Ok(arm) = Arc::try_unwrap(arm) {
        arm.shut_down(&environment).await;
    }
    tasks.finish(std::time::Duration::from_secs(1)).await;
    Ok(())
}
