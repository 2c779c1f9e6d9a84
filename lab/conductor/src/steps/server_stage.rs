//! An arm whose data are on a server that runs, for tests of what steps do there.

use std::sync::Arc;
use std::time::Duration;

use contract::ComponentName;
use record::Entry;
use runtime::clock;
use scenario::Scenario;
use storage::postgres::Address;
use storage::{Database, Options, query};
use tempfile::TempDir;

use crate::arm::Arm;
use crate::arm::environment::RunEnvironment;
use crate::arm::server_product::ServerProduct;
use crate::arm::servers::server::Server;
use crate::arm::servers::{ArmServers, availability};
use crate::fixture;
use crate::observe::record_writer::RecordWriter;
use crate::steps::context::StepContext;
use crate::steps::log::StepLog;
use crate::steps::timeline::Timeline;

const FEED: ComponentName = ComponentName::of("feed");
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// An arm whose data are on a server that runs, without its processes, and a step to be played on it.
pub(super) struct Stage {
    scenario: Scenario,
    arms: [Arc<Arm>; 1],
    environment: RunEnvironment,
    record: RecordWriter,
    log: StepLog,
    _folder: TempDir,
}

/// The scenario of a step, which is due a second after the phase has begun.
fn text(step: &str) -> String {
    let served = "[topology.served]\nprocesses = { app = [\"gateway\", \"*\"] }\nstore = \"postgres\"\n";
    let step = format!("[[step]]\nin = \"steady\"\nat = \"+1s\"\n{step}\n");
    let text = fixture::two_arms(&format!("{served}\n{step}"));
    // A server's connections are hundreds of processes: on a busy machine they take seconds.
    text.replace("for = \"4s\"", "for = \"30s\"")
}

impl Stage {
    /// `None`, with the reason printed, where no server can be had.
    pub(super) async fn of(step: &str) -> Option<Self> {
        if let Err(why) = availability(ServerProduct::Postgres) {
            eprintln!("skipped: {why}");
            return None;
        }
        let text = text(step);
        let (record, folder) = fixture::record();
        record.append(Entry::Header(Box::default()));
        let (arms, environment) = fixture::prepared_arms(&text, folder.path(), record.clone());
        let plan = arms.last().expect("the served one").plan.clone();
        let (servers, _) = ArmServers::start(&environment, &plan).await.expect("it starts");
        let arm = Arm::prepared(&environment, plan).expect("a folder of ours").with_servers(servers);
        let (scenario, log) = (fixture::scenario(&text), StepLog::default());
        Some(Self { scenario, arms: [Arc::new(arm)], environment, record, log, _folder: folder })
    }

    /// The same arm, with another step.
    pub(super) fn replaced(self, step: &str) -> Self {
        Self { scenario: fixture::scenario(&text(step)), ..self }
    }

    /// Plays the step, which is due now, to its end.
    pub(super) async fn play(&self) {
        // A second of warming, and one more into the phase.
        let load_start = clock::now() - Duration::from_secs(2);
        let context = StepContext { seed: 1, load_start, record: &self.record, log: &self.log };
        Timeline::new(&self.scenario, &self.arms, context, &self.environment).run().await;
    }

    /// The hits of the step.
    pub(super) fn hits(&self) -> u64 {
        self.log.take().hits.values().sum()
    }

    pub(super) fn server(&self) -> Arc<Server> {
        self.arms[0].servers().named(&["postgres#0".to_owned()]).pop().expect("its server")
    }

    pub(super) fn address(&self) -> Address {
        let arm = &self.arms[0];
        arm.servers().addresses_of(&arm.plan.processes, FEED).pop().expect("its database")
    }

    pub(super) async fn open(&self) -> Database {
        Database::open(self.address(), Options::default()).await.expect("it is there")
    }

    /// The database, with a table of posts.
    pub(super) async fn open_with_posts(&self) -> Database {
        let db = self.open().await;
        let mut tx = db.write().await.expect("a turn");
        let create = query("CREATE", "feed_posts", "CREATE TABLE feed_posts (photo BIGINT)");
        create.execute(tx.conn()).await.expect("made");
        tx.commit().await.expect("commits");
        db
    }

    pub(super) async fn end(self) {
        assert!(self.server().stop(&self.environment, STOP_TIMEOUT).await, "it still ran");
    }
}
