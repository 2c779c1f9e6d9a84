//! Arguments of `run`.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args};
use policy::NetworkOptions;
use policy::units::HumanDuration;

use super::change::ChangeOptions;
use super::{DEFAULT_OUT, GivenServers, Output, ReportOutput, Screen};

/// `cleave run`.
#[derive(Args, Default)]
pub struct Run {
    /// Name of a scenario, or path of a scenario file; `cleave list` prints the names.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub scenario: Option<String>,
    /// Run every shipped scenario, one after another, and print one table.
    #[arg(long, conflicts_with = "arms")]
    pub all: bool,
    /// Of these, run only some, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "all")]
    pub only: Vec<String>,
    /// Seed of users, arrivals, payloads and random faults [default: the scenario's].
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Arms to run, in order, separated by commas [default: the scenario's].
    #[arg(long, value_delimiter = ',')]
    pub arms: Vec<String>,
    /// Arm that the others are compared with [default: the first].
    #[arg(long, value_name = "ARM", conflicts_with = "all")]
    pub against: Option<String>,
    /// Run the arms in turns, this many rounds, instead of side by side. Without a number 6; an even number cancels drift, and
    /// with 1 they run side by side [default: as in the scenario].
    #[arg(long, num_args = 0..=1, default_missing_value = "6", value_parser = clap::value_parser!(u32).range(1..=50))]
    pub rounds: Option<u32>,
    /// Round-trip time between processes in every arm, such as 300us; 0 means plain loopback [default: as in the
    /// scenario].
    #[arg(long, value_parser = NetworkOptions::parse_rtt)]
    pub rtt: Option<HumanDuration>,
    /// Predict the run first, from calibration.json in the folder of the runs, and show each predicted figure beside the
    /// measured one.
    #[arg(long, conflicts_with = "all")]
    pub predict: bool,
    /// What is printed.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// Print every row of the scorecard at the end, not only the headline rows.
    #[arg(long)]
    pub full: bool,
    /// Print plain lines instead of the dashboard.
    #[arg(long, env = "CLEAVE_NO_TUI", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub no_tui: bool,
    /// Write documents when the run has ended, as `cleave report --output` does: html, junit=FILE.
    #[arg(long, value_name = "FORMAT[=FILE]", value_delimiter = ',', num_args = 1)]
    pub report: Vec<ReportOutput>,
    /// Open the page of the run in a browser when it has ended.
    #[arg(long, conflicts_with = "all")]
    pub open: bool,
    /// A label to find the run by, such as `main` or `before`; may be given several times.
    #[arg(long = "label", value_name = "LABEL")]
    pub labels: Vec<String>,
    /// What is built before the run, where the scenario deploys a change.
    #[command(flatten)]
    pub change: ChangeOptions,
    /// Servers that are there already.
    #[command(flatten)]
    pub servers: GivenServers,
    /// Keep the databases of the arms when the run has ended [default: only after a failed claim].
    #[arg(long, env = "CLEAVE_KEEP_DATA", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub keep_data: bool,
    /// Close the dashboard when the run ends, unless it is paused; without this it stays until q.
    #[arg(long)]
    pub close: bool,
    /// Folder that holds the runs.
    #[arg(long, default_value = DEFAULT_OUT, env = "CLEAVE_OUT")]
    pub out: PathBuf,
    /// How the dashboard looks.
    #[command(flatten)]
    pub screen: Screen,
}
