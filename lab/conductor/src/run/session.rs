//! What the stages of one run share.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use model::startup::Startup;
use record::EventKind;
use runtime::clock;
use scorecard::Circumstances;
use tokio::sync::watch;

use crate::arm::environment::RunEnvironment;
use crate::observe::collector::Collector;
use crate::observe::metrics_endpoint::MetricsEndpoint;
use crate::observe::record_writer::RecordWriter;
use crate::run::options::{Interrupts, RunOptions};
use crate::run::plan::RunPlan;
use crate::run::secrets::RunSecrets;
use crate::steps::log::StepLog;

/// Tasks of the start, beside one for each arm.
pub(crate) const DATA_TASK: &str = "data";
pub(crate) const GENERATOR_TASK: &str = "generator";

/// What the stages of one run share.
pub(crate) struct RunSession {
    pub options: RunOptions,
    pub id: String,
    pub folder: PathBuf,
    pub record: RecordWriter,
    pub interrupts: Interrupts,
    pub environment: RunEnvironment,
    pub secrets: RunSecrets,
    /// Takes the spans of all nodes in; none where no node traces.
    pub collector: Option<Collector>,
    /// What Prometheus scrapes of the run itself.
    pub metrics: MetricsEndpoint,
    /// What happened to steps; one log for all blocks.
    pub step_log: StepLog,
    /// What the verdict must know besides the record.
    pub notes: Mutex<Circumstances>,
    /// How far the start is, for views.
    pub startup: watch::Sender<Startup>,
}

impl RunSession {
    /// Whether the user asked to stop.
    pub fn is_interrupted(&self) -> bool {
        *self.interrupts.borrow() > 0
    }

    /// Notes something for the verdict.
    pub fn note(&self, change: impl FnOnce(&mut Circumstances)) {
        change(&mut self.notes.lock().expect("no panic while held"));
    }

    /// Writes a line of the record's log.
    pub fn log(&self, text: impl Into<String>) {
        self.record.event(EventKind::Log, 0, text);
    }

    /// A task of the start begins, or goes on with something else.
    pub fn begin_task(&self, name: &str, text: &str) {
        self.startup.send_modify(|startup| startup.begin(name, text));
    }

    /// A task of the start is done.
    pub fn finish_task(&self, name: &str, text: &str, began: Instant) {
        let seconds = clock::now().saturating_duration_since(began).as_secs_f64();
        self.startup.send_modify(|startup| startup.finish(name, text, seconds));
    }

    /// What is settled before anything starts.
    pub fn plan(&self) -> RunPlan<'_> {
        RunPlan {
            options: &self.options,
            id: &self.id,
            folder: &self.folder,
            secrets: &self.secrets,
            otlp: self.collector.as_ref().map(|collector| format!("http://{}", collector.grpc)),
        }
    }
}
