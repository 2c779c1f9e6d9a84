//! A prediction, from a calibration to its record: for `cleave predict`, and for a run that is predicted first.

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::available_parallelism;
use std::time::Duration;

use conductor::process::speed_probe;
use conductor::run::planned::{self, PlannedRun};
use conductor::{RunError, RunOptions, RunOutcome};
use model::Run;
use record::{Entry, Line, Prediction, SweepResult, Writer};
use runtime::bounded_file;
use sha2::{Digest, Sha256};
use simulator::calibrate::Calibration;
use simulator::predict::lines::{self, RecordContents};
use simulator::predict::{Circumstances, Hosts, Layout, PredictedRun, Predictor, Progress, judgement};

use crate::run_files::{self, RECORD_FILE};
use crate::{calibrate_command, cli, output};

/// Exit code where there is no calibration: nothing can be predicted.
const EXIT_INVALID: u8 = scorecard::exit_code(record::Verdict::Invalid);

/// How often a long prediction prints how far it has come.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);

/// Replications of a prediction that a run asks for.
const REPLICATIONS: u32 = 10;

/// What is predicted, and how.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The run.
    pub options: &'a RunOptions,
    /// What was learnt.
    pub calibration: &'a Calibration,
    /// The machines of each arm.
    pub hosts: Hosts,
    /// Cores of each; those of the machine that was calibrated where unset.
    pub cores: Option<u32>,
    /// Simulations with other seeds, the run itself included.
    pub replications: u32,
    /// The run with the values of each combination of the scenario's sweep.
    pub combinations: &'a [RunOptions],
    /// How far it has come.
    pub progress: &'a Arc<Progress>,
}

/// A prediction that was written to a record.
pub struct Answer {
    /// Its run.
    pub outcome: RunOutcome,
    /// What stands behind it.
    pub prediction: Prediction,
    /// SHA-256 of the record's lines, in hex.
    pub digest: String,
}

/// Whether there is a calibration to predict a run from.
///
/// # Errors
/// The exit code where there is none; why has been printed.
pub fn check(options: &RunOptions) -> Result<(), ExitCode> {
    calibration(&calibrate_command::default_file(&options.out)).map(drop)
}

/// The prediction of a run that is about to be made: written to a record of its own, whose digest goes into the run's.
///
/// # Errors
/// The exit code where there is none; why has been printed.
pub fn frozen(options: &RunOptions, calibration: &Calibration) -> Result<Prediction, ExitCode> {
    let question = Question {
        options,
        calibration,
        hosts: Hosts::One,
        cores: None,
        replications: REPLICATIONS,
        combinations: &[],
        progress: &Arc::default(),
    };
    let Answer { outcome, prediction, digest } = question.answer(None)?;
    let run_id = outcome.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    output::progress(format_args!("predicted: {run_id}, SHA-256 {digest}"));
    Ok(Prediction { run_id, digest, ..prediction })
}

/// The calibration in a file.
///
/// # Errors
/// The exit code where there is none; why has been printed.
pub fn calibration(file: &Path) -> Result<Calibration, ExitCode> {
    let text = bounded_file::read_text(file, bounded_file::MAX_BYTES).map_err(|error| {
        format!(
            "{} cannot be read: {error}; write a calibration with: cleave calibrate hop-tax",
            file.display()
        )
    });
    let read =
        |text: String| Calibration::read(&text).map_err(|error| format!("{}: {error}", file.display()));
    text.and_then(read).map_err(|text| {
        output::usage_error(&text);
        ExitCode::from(EXIT_INVALID)
    })
}

impl Question<'_> {
    /// Predicts, and writes the record.
    ///
    /// # Errors
    /// The exit code where there is no prediction; why has been printed.
    pub fn answer(&self, sweep: Option<SweepResult>) -> Result<Answer, ExitCode> {
        let mut planned = self.plan()?;
        planned.header.machine.speed = speed_probe::measure();
        let predictor = self.predictor(&planned);
        output::progress(format_args!(
            "simulating {}: {} replications, then each parameter 20 % lower and higher",
            self.options.scenario.name, self.replications
        ));
        let mut predicted = watched(self.progress, || predictor.predict())
            .map_err(|error| output::usage_error(&error.to_string()))?;
        let events: u64 = predicted.blocks.iter().map(|(_, block)| block.report.events).sum();
        output::progress(format_args!("the run itself took {:.1} million events", events as f64 / 1e6));
        predicted.prediction.sweep = sweep;
        record(self.options, &planned, &predictor, predicted).map_err(|error| output::error(&error))
    }

    /// Plans the run, its arms with the threads that they have on the hosts that are simulated.
    ///
    /// # Errors
    /// The exit code where it names arms that the scenario does not have; why has been printed.
    pub fn plan(&self) -> Result<PlannedRun, ExitCode> {
        planned::plan(self.options, self.cores_of_host() as usize).map_err(|error| output::error(&error))
    }

    /// Cores of each host that is simulated.
    fn cores_of_host(&self) -> u32 {
        let cores = self.options.scenario.scale.as_ref().map(|scale| scale.cores).or(self.cores);
        cores.unwrap_or(self.calibration.machine.cores)
    }

    /// What simulates a run that is planned.
    pub fn predictor<'p>(&'p self, planned: &'p PlannedRun) -> Predictor<'p> {
        let (options, header) = (self.options, &planned.header);
        let arms = header.arms.iter().zip(&planned.processes);
        let layout = |(arm, processes): (&record::Arm, &Vec<contract::ProcessPlan>)| {
            let declared = options.scenario.arms.iter().find(|declared| declared.name == arm.name)?;
            let layout = Layout::of(declared, arm, processes.clone());
            Some(match &options.scenario.scale {
                Some(scale) => layout.at_scale(scale, 1.0),
                None => layout,
            })
        };
        let layouts: Vec<Layout> = arms.filter_map(layout).collect();
        let scale = options.scenario.scale.as_ref();
        let hosts = scale.map(|scale| {
            let copies = layouts.iter().map(Layout::count).max().unwrap_or(1);
            Hosts::Count(scale.hosts.unwrap_or(copies))
        });
        Predictor {
            calibration: self.calibration,
            scenario: &options.scenario,
            layouts,
            data: planned.data.clone(),
            interleaved: options.interleaved,
            rounds: if options.interleaved { options.rounds } else { 1 },
            seed: options.seed,
            hosts: hosts.unwrap_or(self.hosts),
            cores: self.cores_of_host(),
            replications: self.replications,
            threads: available_parallelism().map_or(1, usize::from),
            here: Circumstances {
                machine: header.machine.clone(),
                version: cli::VERSION.to_owned(),
                wall_us: header.wall_us,
            },
            progress: self.progress.clone(),
            header,
        }
    }
}

/// Does something long, and prints from time to time how much of it is left.
pub fn watched<T>(progress: &Progress, work: impl FnOnce() -> T) -> T {
    let began = runtime::clock::now();
    let (over, is_over) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // The sender is dropped when the work is over.
            while is_over.recv_timeout(PROGRESS_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                let Some(share) = progress.share().filter(|share| *share > 0.0) else { continue };
                let left_s = began.elapsed().as_secs_f64() * (1.0 - share) / share;
                output::progress(format_args!("{:.0} % simulated, about {left_s:.0} s left", share * 100.0));
            }
        });
        let done = work();
        drop(over);
        done
    })
}

/// Writes the record of a prediction, judges it, and packs it.
fn record(
    options: &RunOptions,
    planned: &PlannedRun,
    predictor: &Predictor<'_>,
    predicted: PredictedRun,
) -> Result<Answer, RunError> {
    let folder = planned.create_folder(options)?;
    let mut lines = lines::lines(&RecordContents {
        header: planned.header.clone(),
        scenario: &options.scenario,
        layouts: &predictor.layouts,
        calibration: predictor.calibration,
        blocks: &predicted.blocks,
        prediction: &predicted.prediction,
    });
    let mut run = Run::default();
    run.take(&lines);
    lines.extend(judgement::conclude(&run, &options.scenario, &predicted.prediction));
    let failed = |source| RunError::Record { path: folder.clone(), source };
    let digest = write(&folder.join(RECORD_FILE), &lines).map_err(failed)?;
    run_files::pack(&folder);
    let end = lines.iter().rev().find_map(|line| match &line.entry {
        Entry::End(end) => Some((end.verdict, end.exit_code)),
        _ => None,
    });
    let (verdict, exit_code) = end.unwrap_or((None, EXIT_INVALID));
    let outcome = RunOutcome { verdict, exit_code, folder };
    Ok(Answer { outcome, prediction: predicted.prediction, digest })
}

/// Writes lines to a new record; returns the SHA-256 of its bytes, in hex.
fn write(path: &Path, lines: &[Line]) -> std::io::Result<String> {
    let mut writer = Writer::create(path)?;
    lines.iter().try_for_each(|line| writer.write(line))?;
    let mut digest = Sha256::new();
    std::io::copy(&mut File::open(path)?, &mut digest)?;
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests;
