//! What arms of one run share: the means to start children, to ask them and to undo what was done to them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use runtime::Tasks;

use crate::arm::children::Spawner;
use crate::arm::given_servers::GivenServers;
use crate::observe::record_writer::RecordWriter;
use crate::observe::scrape_targets::ScrapeTargets;
use crate::process::control::ControlClient;
use crate::process::deployables::Deployables;
use crate::process::guardian::Guardian;
use crate::process::program::Program;

/// What arms of one run share. Cheap to clone.
#[derive(Clone)]
pub struct RunEnvironment {
    /// Starts children.
    pub spawner: Spawner,
    /// Owner of the conductor's tasks.
    pub tasks: Tasks,
    /// Requests to nodes, with the run's token.
    pub control: ControlClient,
    /// The program children are started from: `cleave` itself.
    pub program: Program,
    /// The programs of arms, where these are the application's own.
    pub deployables: Option<Deployables>,
    /// Servers that are there already.
    pub given: GivenServers,
    /// The run's folder.
    pub folder: Arc<Path>,
    /// Undoes what a dead conductor cannot.
    pub guardian: Arc<Guardian>,
    /// Control groups made for arms, removed when an arm shuts down.
    pub cgroups: Arc<Mutex<Vec<PathBuf>>>,
    /// The list of processes that Prometheus reads.
    pub scrape_targets: Arc<ScrapeTargets>,
    /// The run's record.
    pub record: RecordWriter,
}

/// Where a run lives on the disk, and what it is started from.
pub struct RunPaths<'a> {
    /// The folder of all runs.
    pub out: &'a Path,
    /// The folder of this run.
    pub folder: &'a Path,
    /// The program children are started from.
    pub program: &'a Program,
}

impl RunEnvironment {
    /// The environment of a run; starts nothing but the thread that will start children.
    pub fn new(tasks: Tasks, paths: &RunPaths<'_>, run_id: &str, token: &str, record: RecordWriter) -> Self {
        let guardian = Arc::new(Guardian::new(paths.folder, paths.program));
        Self {
            spawner: Spawner::new(),
            control: ControlClient::new(tasks.clone(), token),
            tasks,
            program: paths.program.clone(),
            deployables: None,
            given: GivenServers::default(),
            folder: paths.folder.into(),
            guardian: guardian.clone(),
            cgroups: Arc::default(),
            scrape_targets: Arc::new(ScrapeTargets::new(paths.out, run_id, guardian)),
            record,
        }
    }

    /// The same, with servers that are there already. The guardian gets what opens them.
    #[must_use]
    pub fn with_given(mut self, given: GivenServers) -> Self {
        self.guardian.hand_over(given.secrets());
        self.given = given;
        self
    }

    /// Withdraws the list of scrape targets, and waits for the end of the guardian, which undoes what is left.
    pub fn close(&self) {
        self.scrape_targets.withdraw();
        self.guardian.close();
    }
}
