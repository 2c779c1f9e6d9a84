//! A suite that stays up until it is interrupted, for trying things out: a process that dies is restarted, and the suite
//! ends with an error when that does not help.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use contract::placement::Restart;
use contract::resources::EqualWorkers;
use contract::{Placement, ProcessPlan};
use futures_util::future::LocalBoxFuture;
use node::NodeConfig;
use runtime::{Tasks, clock};
use tokio::sync::broadcast;
use traffic::Load;

use crate::arm::Arm;
use crate::arm::arm_plan::{ArmError, ArmPlan, ServerAccess};
use crate::arm::environment::{RunEnvironment, RunPaths};
use crate::arm::given_servers::GivenServers;
use crate::arm::resources::{self, workers_of};
use crate::arm::servers::{self, ArmServers};
use crate::arm::supervise::SupervisionReport;
use crate::process::host;
use crate::process::program::Program;
use crate::run::options::{Interrupts, RunError};
use crate::run::plan::{node_config, processes_of};
use crate::run::run_id;
pub use crate::run::run_id::SUITE_PREFIX;
use crate::run::secrets::RunSecrets;
use crate::run::seed::{SNAPSHOTS, SeededData};
use crate::run::{TASKS_GRACE, folder};

/// Longest wait for the user's collector to accept a connection.
const COLLECTOR_TIMEOUT: Duration = Duration::from_secs(1);

/// What brings a dead process back where the topology says nothing: five attempts in half a minute, 1 s to 16 s apart.
pub const RESTART: Restart = Restart { after: 1_000, max: 5, max_delay: None };

/// What to keep up.
pub struct UpOptions {
    /// The arm.
    pub arm: scenario::Arm,
    /// Seed of its data.
    pub seed: u64,
    /// Size of its data, and settings of its services.
    pub load: Load,
    /// Where its folder goes.
    pub out: PathBuf,
    /// The program nodes are started from.
    pub program: Program,
    /// Telemetry of nodes.
    pub telemetry: telemetry::Level,
    /// Public address of the gateway; port 0 takes any free one.
    pub public: SocketAddr,
    /// Whether clients are limited by address.
    pub limits_per_address: bool,
    /// Whether dead processes are restarted: as the topology says, or as [`RESTART`] does.
    pub restarts: bool,
    /// Servers that are there already.
    pub given: GivenServers,
}

/// A suite that is up, as the terminal shows it.
#[derive(Clone, Debug)]
pub struct SuiteSummary {
    /// Public address of the gateway.
    pub public: String,
    /// Where the routes' OpenAPI document is.
    pub contract: String,
    /// Instances, what they hold, and their internal addresses.
    pub instances: Vec<(String, Vec<String>, String)>,
    /// A seeded user's handle.
    pub handle: String,
    /// That user's id.
    pub user: String,
    /// The password of all seeded users.
    pub password: String,
    /// That user's token.
    pub user_token: String,
    /// Opens control, calls and outbox.
    pub run_token: String,
    /// Logs and data.
    pub folder: PathBuf,
    /// The user's collector, where no program listens at its address: its spans are lost. Without user and password.
    pub silent_collector: Option<String>,
}

/// Whether a collector accepts connections.
async fn is_listening(endpoint: &str) -> bool {
    let Ok(address) = telemetry::endpoint::address(endpoint) else { return false };
    let connecting = tokio::net::TcpStream::connect(address);
    tokio::time::timeout(COLLECTOR_TIMEOUT, connecting).await.is_ok_and(|connected| connected.is_ok())
}

/// Where a suite is shown.
#[derive(Clone, Copy)]
pub struct SuiteView {
    /// Called once, when it is up.
    pub ready: fn(&SuiteSummary),
    /// Called when a process went down and when it serves again.
    pub report: fn(&SupervisionReport),
}

/// Starts the suite, shows its summary, and keeps it up until the first interrupt. The second ends it at once, while it starts
/// and while it ends as well.
///
/// # Errors
/// When data or a process does not come up; when all processes are dead, or one dies too often in succession; when it was
/// interrupted twice.
pub fn up(
    options: UpOptions,
    interrupts: Interrupts,
    view: SuiteView,
) -> LocalBoxFuture<'static, Result<(), RunError>> {
    // Boxed, or all of it would be compiled where it is polled.
    Box::pin(async move {
        let mut again = interrupts.clone();
        tokio::select! {
            ended = keep_up(options, interrupts, view) => ended,
            // A sender that is gone cannot interrupt any more.
            Ok(_) = again.wait_for(|count| *count >= 2) => Err(RunError::Interrupted),
        }
    })
}

async fn keep_up(options: UpOptions, interrupts: Interrupts, view: SuiteView) -> Result<(), RunError> {
    let suite = Suite::new(options).await?;
    let ended = suite.serve(interrupts, view).await;
    suite.close().await;
    ended
}

/// A suite, from its folder on.
struct Suite {
    options: UpOptions,
    environment: RunEnvironment,
    run_id: String,
    secrets: RunSecrets,
    folder: PathBuf,
    /// The user's collector.
    collector: Option<String>,
}

impl Suite {
    /// Checks what can be checked beforehand, and makes the folder.
    async fn new(options: UpOptions) -> Result<Self, RunError> {
        let collector = telemetry::otlp_endpoint_from_env()?;
        let (arm, given) = (&options.arm, &options.given);
        servers::check(&arm.name, &arm.placement, given).map_err(ArmError::from)?;
        given.check_plan(&[arm], &[]).map_err(ArmError::from)?;
        given.check_reachable(&[arm]).await.map_err(ArmError::from)?;
        let run_id = run_id::suite_id();
        let secrets = RunSecrets::generate()?;
        let folder = folder::create(&options.out.join(run_id::suite_folder(&run_id, &options.arm.name)))?;
        let record = folder::create_record(&folder, clock::now())?;
        let paths = RunPaths { out: &options.out, folder: &folder, program: &options.program };
        let environment = RunEnvironment::new(Tasks::new(), &paths, &run_id, &secrets.token, record)
            .with_given(options.given.clone());
        Ok(Self { options, environment, run_id, secrets, folder, collector })
    }

    /// Starts it, shows its summary, and keeps it up until the first interrupt; then no process of the arm is left.
    async fn serve(&self, interrupts: Interrupts, view: SuiteView) -> Result<(), RunError> {
        let (options, environment) = (&self.options, &self.environment);
        let processes = processes_of(&options.arm)?;
        let (load, seed) = (options.load.clone(), options.seed);
        let seeded = runtime::blocking(move || SeededData::generate(seed, &load)).await;
        let snapshot = seeded.snapshot(&options.out.join(SNAPSHOTS), &processes).await?;
        let data = self.folder.join("data");
        storage::snapshot::restore(&snapshot, &data).map_err(folder::not_written(&data))?;
        let plan = self.plan(processes, data, &seeded);
        let (servers, empty) = ArmServers::start(environment, &plan).await?;
        if let Err(error) = seeded.fill_servers(&plan.name, empty).await {
            servers.shut_down(environment).await;
            return Err(error.into());
        }
        let arm = Arm::start(environment, plan, servers).await?;
        let reports = arm.reports();
        (view.ready)(&self.summary(&arm, &seeded).await);
        let ended = until_the_end(&arm, interrupts, reports, view.report).await;
        arm.shut_down().await;
        ended
    }

    fn plan(&self, processes: Vec<ProcessPlan>, data: PathBuf, seeded: &SeededData) -> ArmPlan {
        let options = &self.options;
        let config = NodeConfig {
            run_id: self.run_id.clone(),
            scenario: "up".into(),
            data,
            secret: self.secrets.identity.clone(),
            token: self.secrets.token.clone(),
            broker_credentials: self.secrets.broker.clone(),
            telemetry: options.telemetry,
            otlp: self.collector.clone(),
            seed: options.seed,
            public: options.public,
            settings: component::service_context::Settings {
                limits_per_address: options.limits_per_address,
                ..component::service_context::Settings::default()
            },
            ..node_config(&options.arm, &processes)
        };
        let workers = EqualWorkers::new([contract::placement::process_count(&processes)], host::cores());
        let resources = resources::given(&options.arm, &processes, workers, options.telemetry);
        ArmPlan {
            letter: 'A',
            name: options.arm.name.clone(),
            workers: workers_of(&options.arm.placement, &processes, workers),
            processes,
            placement: Placement {
                restart: options.restarts.then(|| options.arm.placement.restart.unwrap_or(RESTART)),
                ..options.arm.placement.clone()
            },
            config,
            folder: self.folder.clone(),
            probes: seeded.probes(),
            resources,
            group: None,
            access: ServerAccess::default(),
            is_kept_up: true,
        }
    }

    async fn summary(&self, arm: &Arm, seeded: &SeededData) -> SuiteSummary {
        let user = &seeded.data.users[0];
        let principal = contract::Principal::new(user.id);
        let running = arm.instances();
        let instances = running.iter().map(|instance| {
            let listen = instance.status().listen.map_or_else(String::new, |addr| format!("http://{addr}"));
            (instance.name.clone(), instance.hosts(), listen)
        });
        let collector = self.collector.as_deref();
        SuiteSummary {
            public: format!("http://{}", arm.public),
            contract: format!("http://{}{}", arm.public, component::openapi::PATH),
            instances: instances.collect(),
            handle: user.handle.clone(),
            user: principal.to_string(),
            password: load_protocol::PASSWORD.to_owned(),
            user_token: component::Identity::new(self.secrets.identity.as_bytes())
                .ok()
                .and_then(|identity| identity.token(principal).ok())
                .unwrap_or_default(),
            run_token: self.secrets.token.clone(),
            folder: self.folder.clone(),
            silent_collector: match collector.filter(|_| self.options.telemetry.as_permitted().traces()) {
                Some(endpoint) if !is_listening(endpoint).await => {
                    Some(telemetry::endpoint::without_credentials(endpoint))
                }
                _ => None,
            },
        }
    }

    /// Waits for what still runs on behalf of the suite, its guardian last.
    async fn close(self) {
        self.environment.tasks.finish(TASKS_GRACE).await;
        // The guardian is a process, for whose end is waited.
        runtime::blocking(move || self.environment.close()).await;
    }
}

/// Shows what happens to processes until the first interrupt, or until the suite cannot be kept up any longer.
async fn until_the_end(
    arm: &Arm,
    mut interrupts: Interrupts,
    mut reports: broadcast::Receiver<SupervisionReport>,
    report: fn(&SupervisionReport),
) -> Result<(), RunError> {
    loop {
        if let Some(loss) = arm.loss() {
            return Err(loss.into());
        }
        tokio::select! {
            // A sender that is gone cannot interrupt any more.
            _ = interrupts.wait_for(|count| *count > 0) => return Ok(()),
            // Where some were missed, how processes are now says enough.
            received = reports.recv() => received.iter().for_each(report),
        }
    }
}
