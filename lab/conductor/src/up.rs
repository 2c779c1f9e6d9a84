//! A suite that stays up until told to go, for trying things out.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use node::NodeConfig;
use runtime::{Tasks, clock};
use traffic::Load;

use crate::arm::{Arm, ArmPlan, Ground};
use crate::children::Spawner;
use crate::guardian::Guardian;
use crate::http::Asker;
use crate::lines::Lines;
use crate::plan::{config_of, resolve};
use crate::run::{Interrupts, RunError, secret};
use crate::seed::Seeded;
use crate::targets::Targets;

/// What to keep up.
pub struct UpOrder {
    /// What to keep up.
    pub arm: scenario::Arm,
    /// Seed and size of its data.
    pub seed: u64,
    /// Data and knobs come from here.
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
pub struct Standing {
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
    order: UpOrder,
    mut interrupts: Interrupts,
    ready: impl FnOnce(&Standing),
) -> Result<(), RunError> {
    let tasks = Tasks::new();
    let run_id = format!("up-{}", std::process::id());
    let token = secret("token");
    let key = secret("identity");
    let ground = Ground {
        spawner: Spawner::new(),
        tasks: tasks.clone(),
        asker: Asker::new(tasks.clone(), token.clone()),
        program: order.program.clone(),
        guardian: Arc::new(Guardian::new(&order.out, &order.program)),
        groups: Arc::default(),
        targets: Arc::new(Targets::new(&order.out, run_id.as_str())),
    };
    let folder = order.out.join(format!("up-{}-{}", order.arm.name.replace('/', "-"), std::process::id()));
    let wrong = |path: &PathBuf| {
        let path = path.clone();
        move |source| RunError::Folder { path, source }
    };
    std::fs::create_dir_all(&folder).map_err(wrong(&folder))?;
    let folder = folder.canonicalize().map_err(wrong(&folder))?;
    let processes = resolve(&order.arm)?;
    let (load, seed) = (order.load.clone(), order.seed);
    let seeded = runtime::blocking(move || Seeded::generate(seed, &load)).await;
    let snapshot = seeded.snapshot(&order.out.join(".snapshots"), &processes).await?;
    let data = folder.join("data");
    storage::snapshot::restore(&snapshot, &data).map_err(wrong(&data))?;
    let config = NodeConfig {
        run_id,
        scenario: "up".into(),
        data,
        secret: key.clone(),
        token: token.clone(),
        telemetry: order.telemetry,
        seed: order.seed,
        public: order.public,
        ..config_of(&order.arm, &processes)
    };
    let plan = ArmPlan {
        letter: 'A',
        name: order.arm.name.clone(),
        processes,
        placement: order.arm.placement.clone(),
        config,
        folder: folder.clone(),
        probes: seeded.probes(),
    };
    let writer = record::Writer::create(&folder.join("run.jsonl")).map_err(wrong(&folder))?;
    let lines = Lines::new(clock::now(), writer);
    let arm = Arc::new(Arm::start(&ground, plan, &lines).await?);
    let user = &seeded.data.users[0];
    let principal = contract::Principal::new(user.id);
    let running = arm.instances();
    let instances = running.iter().map(|instance| {
        let listen = instance.glance().listen.map_or_else(String::new, |addr| format!("http://{addr}"));
        (instance.name.clone(), instance.hosts(), listen)
    });
    ready(&Standing {
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
        arm.end(&ground).await;
    }
    tasks.finish(std::time::Duration::from_secs(1)).await;
    Ok(())
}
