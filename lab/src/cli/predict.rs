//! Arguments of `calibrate`, `predict` and `validate`.

use std::path::PathBuf;

use clap::{ArgAction, Args};
use policy::NetworkOptions;
use policy::units::HumanDuration;
use simulator::predict::Hosts;

use super::{DEFAULT_OUT, Output, ReportOutput};
use crate::cli;

/// `cleave calibrate`.
#[derive(Args)]
pub struct Calibrate {
    /// A scenario, for which calibration runs are made; or finished runs: `last`, ids, labels, folders.
    #[arg(required = true, value_name = "SCENARIO|RUN")]
    pub of: Vec<String>,
    /// File to write [default: calibration.json in the folder of the runs].
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Folder that holds the runs.
    #[arg(long, default_value = DEFAULT_OUT, env = "CLEAVE_OUT")]
    pub out: PathBuf,
}

/// `cleave validate`.
#[derive(Args)]
pub struct Validate {
    /// The scenario whose data and load are calibrated and varied.
    #[arg(default_value = "hop-tax")]
    pub scenario: String,
    /// Predict one load and one fault, and run each once.
    #[arg(long)]
    pub quick: bool,
    /// Use this calibration instead of making one.
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
    /// Write the result as Markdown to this file.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Folder that holds the runs.
    #[arg(long, default_value = DEFAULT_OUT, env = "CLEAVE_OUT")]
    pub out: PathBuf,
}

/// `cleave predict`.
#[derive(Args)]
pub struct Predict {
    /// Name of a scenario, or path of a scenario file.
    pub scenario: String,
    /// Calibration to use [default: calibration.json in the folder of the runs].
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
    /// Machines: `one` for all arms and the load generator; `per-component`, one for each process; or a number for each arm,
    /// among which its processes are dealt out.
    #[arg(long, default_value_t)]
    pub hosts: Hosts,
    /// Cores of each machine [default: those of the machine that was calibrated].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub cores: Option<u32>,
    /// Simulations with other seeds, for the intervals of the band.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub replications: u32,
    /// Seed of users, arrivals, payloads and random faults [default: the scenario's].
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Arms to predict, in order, separated by commas [default: the scenario's].
    #[arg(long, value_delimiter = ',')]
    pub arms: Vec<String>,
    /// Arm that the others are compared with [default: the first].
    #[arg(long, value_name = "ARM")]
    pub against: Option<String>,
    /// Take the arms in turns, this many rounds; 1 is side by side [default: as in the scenario].
    #[arg(long, num_args = 0..=1, default_missing_value = "6", value_parser = clap::value_parser!(u32).range(1..=50))]
    pub rounds: Option<u32>,
    /// Round-trip time between processes in every arm, such as 300us; 0 means plain loopback [default: as in the
    /// scenario].
    #[arg(long, value_parser = NetworkOptions::parse_rtt)]
    pub rtt: Option<HumanDuration>,
    /// A live run of the same groupings, whose order and front the predicted ones are compared with: `last`, id, label or
    /// folder; two of them are compared with each other as well [default: of a scenario with more than 8 arms, its last
    /// live run].
    #[arg(long, value_name = "RUN")]
    pub live: Vec<String>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// Print every row of the scorecard, not only the headline rows.
    #[arg(long)]
    pub full: bool,
    /// Write documents, as `cleave report --output` does: html, junit=FILE.
    #[arg(long, value_name = "FORMAT[=FILE]", value_delimiter = ',', num_args = 1)]
    pub report: Vec<ReportOutput>,
    /// Open the page in a browser.
    #[arg(long, action = ArgAction::SetTrue)]
    pub open: bool,
    /// A label to find the prediction by; may be given several times.
    #[arg(long = "label", value_name = "LABEL")]
    pub labels: Vec<String>,
    /// Folder that holds the runs.
    #[arg(long, default_value = DEFAULT_OUT, env = "CLEAVE_OUT")]
    pub out: PathBuf,
}

impl Predict {
    /// The options that a live run of the same would have.
    pub fn as_run(&self) -> cli::Run {
        cli::Run {
            scenario: Some(self.scenario.clone()),
            seed: self.seed,
            arms: self.arms.clone(),
            against: self.against.clone(),
            rounds: self.rounds,
            rtt: self.rtt,
            output: self.output,
            full: self.full,
            report: self.report.clone(),
            open: self.open,
            labels: self.labels.clone(),
            out: self.out.clone(),
            ..cli::Run::default()
        }
    }
}
