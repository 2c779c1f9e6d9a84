//! The command line.
//!
//! - [`Cleave`]: the subcommands, and here the arguments of `report`, `noise` and what shows a run.
//! - [`run`]: arguments of `run`; [`change`]: what it builds; [`screen`]: how it looks. [`runs`], [`init`], [`record`],
//!   [`structure`], [`suite`], [`predict`]: arguments of the others. [`report_output`]: a document, and where it goes.

pub mod change;
pub mod init;
pub mod predict;
pub mod record;
pub mod report_output;
pub mod run;
pub mod runs;
pub mod screen;
pub mod servers;
pub mod structure;
pub mod suite;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use policy::units::Ratio;
use report::regressions::Gate;

pub use self::record::RecordCommand;
pub use self::report_output::ReportOutput;
pub use self::run::Run;
pub use self::screen::Screen;
pub use self::servers::GivenServers;
pub use self::suite::{Node, Up};

/// Folder that holds the runs, unless another is given.
pub const DEFAULT_OUT: &str = "runs";

/// The program's version, with the commit it was built from.
pub const VERSION: &str = env!("CLEAVE_VERSION");

/// Should this stay one program, or become services, and what does each choice cost?
///
/// Runs one application, a photo-sharing suite, as a monolith and as
/// microservices at the same time, under the same load and the same faults,
/// and prints a scorecard with a verdict.
#[derive(Parser)]
#[command(name = "cleave", version = VERSION, after_help = EXAMPLES)]
pub struct Cleave {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
    /// Print results and errors only, no progress.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Also print which defaults are in force, and where they come from.
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

const EXAMPLES: &str = "Examples:
  cleave run first-look    a first scorecard, in about a minute
  cleave run hop-tax       figures to quote: arms run in turns, intervals are paired

Defaults: a flag comes before an environment variable (CLEAVE_OUT), that before a line of
./cleave.toml (out = \"/var/runs\"), and that before the default printed here. CLEAVE_CONFIG
names another file.

Exit codes: 0 pass, 1 fail (of `up`: the suite could not be kept up; of `doctor --clean`: some of
it stays), 2 usage or scenario error, 3 invalid, 4 inconclusive, 130 interrupted";

/// The subcommands.
#[derive(Subcommand)]
pub enum Command {
    /// List the shipped scenarios.
    List(List),
    /// Explain what a run would do and what its claims need, without running it.
    #[command(after_help = "Examples:\n  cleave explain crash-one\n  cleave explain my/own.toml")]
    Explain(Explain),
    /// Write a scenario file of your own, copied from a shipped one, with a schema for editors.
    #[command(after_help = "Examples:\n  cleave init mine.toml\n  cleave init --from retry-storm storm.toml")]
    Init(init::Init),
    /// Run a scenario and print its scorecard.
    #[command(
        after_help = "Examples:\n  cleave run first-look\n  cleave run hop-tax --arms mono,micro --rounds 6 --output json > hop-tax.json\n  cleave run crash-one --report html,junit=crash-one.xml --open\n  cleave run hop-tax --predict\n  cleave run --all --only crash-one,hop-tax --report junit=all.xml"
    )]
    Run(Run),
    /// Learn what operations, messages and commits cost on this machine, for `predict`.
    #[command(
        after_help = "Examples:\n  cleave calibrate hop-tax\n  cleave calibrate last\n  cleave calibrate a7f3 b801 --output here.json"
    )]
    Calibrate(predict::Calibrate),
    /// Simulate a scenario from a calibration, and print its scorecard, marked as simulated.
    #[command(
        after_help = "Examples:\n  cleave predict first-look\n  cleave predict first-look --hosts per-component\n  cleave predict groupings --live last\n  cleave predict hop-tax --calibration here.json --replications 20 --output json"
    )]
    Predict(predict::Predict),
    /// Predict scenarios that a calibration was not made from, run them, and print how far each figure is off.
    #[command(
        after_help = "Examples:\n  cleave validate --quick\n  cleave validate --output docs/validation.md"
    )]
    Validate(predict::Validate),
    /// Start a seeded suite, print its URLs and tokens, and keep it running until Ctrl-C.
    #[command(after_help = "Examples:\n  cleave up micro\n  cleave up mono --size tiny")]
    Up(Up),
    /// Run one arm against itself, to see which differences this machine reports when there are none.
    #[command(
        after_help = "Examples:\n  cleave noise hop-tax\n  cleave noise hop-tax --arm micro --runs 5\n  cleave noise hop-tax --plant 10% --rounds 16"
    )]
    Noise(Noise),
    /// List the runs on disk, or remove some of them.
    #[command(
        after_help = "Examples:\n  cleave runs\n  cleave runs prune --keep 10 --older 7d\n  cleave runs rm a7f3"
    )]
    Runs(runs::Runs),
    /// Print a JSON Schema: of scenario files, for editors, or of records and documents, for programs.
    #[command(after_help = "Examples:\n  cleave schema > scenario.schema.json\n  cleave schema document")]
    Schema(Schema),
    /// Show a run in progress, started in another terminal.
    #[command(after_help = "Examples:\n  cleave watch last\n  cleave watch last | grep FAULT")]
    Watch(Watch),
    /// Replay a finished run; scrub to any second of it.
    #[command(after_help = "Examples:\n  cleave replay last\n  cleave replay a7f3 --speed 4")]
    Replay(Replay),
    /// Write the report of a finished run: a page, Markdown, JSON, JUnit, or GitHub annotations.
    #[command(
        after_help = "Examples:\n  cleave report last\n  cleave report last --output text --full\n  cleave report last --output markdown >> \"$GITHUB_STEP_SUMMARY\"\n  cleave report runs/20261126-101500-a7f3 --output junit --to crash-one.xml\n  cleave report last --output html,junit=crash-one.xml --open\n  cleave report last --compare a7f3 --fail-on expectations"
    )]
    Report(Report),
    /// Check and export the records of runs.
    Record {
        /// The subcommand.
        #[command(subcommand)]
        command: RecordCommand,
    },
    /// Print what a change in each component of a cargo workspace rebuilds, whose code that is, and what changed together.
    #[command(
        after_help = "Examples:\n  cleave structure\n  cleave structure --manifest ../shop --components cart=cart,cart-api=cart,billing=billing\n  cleave structure --manifest ../shop --monolith shop --commits 2000 --output json"
    )]
    Structure(structure::Structure),
    /// Show what this machine supports, and what degrades where something is missing.
    #[command(after_help = "Examples:\n  cleave doctor\n  cleave doctor --clean")]
    Doctor(Doctor),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Examples:\n  cleave completions bash > ~/.local/share/bash-completion/completions/cleave\n  cleave completions zsh > ~/.zfunc/_cleave\n  cleave completions fish > ~/.config/fish/completions/cleave.fish"
    )]
    Completions(init::Completions),
    /// Write manual pages, one for each subcommand.
    #[command(after_help = "Examples:\n  cleave man ~/.local/share/man/man1")]
    Man(init::Man),
    /// Run one process of a topology; `run` and `up` start these.
    #[command(
        after_help = "Examples:\n  cleave node --hosts feed,follower --registry 127.0.0.1:7000\n  cleave node --hosts '*' --gateway\n\nSecrets, the same for all nodes, stand in the environment:\n  CLEAVE_SECRET  signs users' tokens\n  CLEAVE_TOKEN   admin token: calls between components, outbox and control"
    )]
    Node(Node),
    /// Revert what a killed run leaves behind; started by `run`.
    #[command(hide = true)]
    Guard {
        /// The run's journal.
        journal: PathBuf,
    },
    /// Burn CPU next to the suite; started by `run`.
    #[command(hide = true)]
    Burn {
        /// Number of threads that burn CPU.
        threads: u32,
    },
    /// The load generator; started by `run`.
    #[command(hide = true)]
    Load {
        /// Its plan, as JSON.
        plan: PathBuf,
    },
}

/// `cleave list`.
#[derive(Args)]
pub struct List {
    /// What is printed.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// `cleave explain`.
#[derive(Args)]
pub struct Explain {
    /// Name of a scenario, or path of a scenario file.
    pub scenario: String,
    /// Calibration by which the utilisation of the cores is printed, where there is one [default: calibration.json in the
    /// folder of the runs].
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// Folder that holds the runs.
    #[arg(long, default_value = DEFAULT_OUT, env = "CLEAVE_OUT")]
    pub out: PathBuf,
}

/// How a run is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Text for people.
    #[default]
    Human,
    /// One JSON document on standard output; progress on standard error.
    Json,
}

/// `cleave watch`.
#[derive(Args)]
pub struct Watch {
    /// A run: `last`, its id, the end of its id, a label, or its folder.
    pub run: String,
    /// How the dashboard looks.
    #[command(flatten)]
    pub screen: Screen,
    /// Folder that holds the runs.
    #[arg(long, default_value = DEFAULT_OUT, env = "CLEAVE_OUT")]
    pub out: PathBuf,
}

/// `cleave replay`.
#[derive(Args)]
pub struct Replay {
    /// A run: `last`, its id, the end of its id, a label, or its folder.
    pub run: String,
    /// Speed of the replay, 0.25 to 16 times the original; in a pipe all lines are printed at once.
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,
    /// Instead of showing the run, save the dashboard of this second of the load to the run's folder, as key S does.
    #[arg(long, value_name = "SECOND")]
    pub shot: Option<f64>,
    /// How the dashboard looks.
    #[command(flatten)]
    pub screen: Screen,
    /// Folder that holds the runs.
    #[arg(long, default_value = DEFAULT_OUT, env = "CLEAVE_OUT")]
    pub out: PathBuf,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text
        .trim_end_matches('x')
        .parse()
        .map_err(|_| format!("invalid speed `{text}`: expected a number from 0.25 to 16"))?;
    if (0.25..=16.0).contains(&speed) {
        Ok(speed)
    } else {
        Err(format!("speed {speed} is out of range: expected a number from 0.25 to 16"))
    }
}

/// `cleave report`.
#[derive(Args)]
pub struct Report {
    /// A run: `last`, its id, the end of its id, a label, or its folder.
    pub run: String,
    /// The run before the change, to compare with. Differences between arms, shares and counts are marked, absolute times
    /// are not.
    #[arg(long, value_name = "BEFORE")]
    pub compare: Option<String>,
    /// Exit with 1 if it is worse than before: `expectations` that held, every figure marked `worse`, or a row of the
    /// scorecard by its id; several are separated by commas. 3 if a run is invalid, 4 if one that held is undecided, or
    /// nothing could be compared.
    #[arg(long, value_name = "WHAT", value_delimiter = ',', requires = "compare")]
    pub fail_on: Vec<Gate>,
    /// Arm that the others are compared with [default: as in the run].
    #[arg(long, value_name = "ARM", conflicts_with = "compare")]
    pub against: Option<String>,
    /// Documents to write, separated by commas: html (a page), text, markdown, json, junit or github (annotations), each with
    /// its file after `=` [default file: for html one in the run's folder, otherwise stdout].
    #[arg(long, value_name = "FORMAT[=FILE]", value_delimiter = ',', num_args = 1, default_value = "html")]
    pub output: Vec<ReportOutput>,
    /// Unfold the scorecard in text and Markdown: every row; the page and JSON have them anyway.
    #[arg(long, conflicts_with = "compare")]
    pub full: bool,
    /// Output file, where one document is written.
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// Open the page in a browser.
    #[arg(long)]
    pub open: bool,
    /// Folder that holds the runs.
    #[arg(long, default_value = DEFAULT_OUT, env = "CLEAVE_OUT")]
    pub out: PathBuf,
}

/// `cleave schema`.
#[derive(Args)]
pub struct Schema {
    /// What the schema describes.
    #[arg(value_enum, default_value_t)]
    pub of: SchemaKind,
}

/// Formats that have a schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SchemaKind {
    /// A scenario file.
    #[default]
    Scenario,
    /// A line of a run's record.
    Record,
    /// The document that `--output json` prints for a run.
    Document,
    /// The document that `report --compare --output json` prints for two runs.
    Comparison,
    /// The document that `structure --output json` prints.
    Structure,
    /// The calibration that `calibrate` writes.
    Calibration,
}

/// Formats of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Document {
    /// One HTML page that needs no network.
    #[default]
    Html,
    /// What a run prints at its end.
    Text,
    /// For a pull request or the summary of a workflow.
    Markdown,
    /// One JSON document, as `run --output json` prints it.
    Json,
    /// JUnit XML with a test case per expectation.
    Junit,
    /// GitHub workflow commands that annotate the lines of expectations.
    Github,
}

/// `cleave noise`.
#[derive(Args)]
pub struct Noise {
    /// Name of a scenario, or path of a scenario file; its steps and claims are ignored.
    pub scenario: String,
    /// The arm to run twice [default: the scenario's first].
    #[arg(long)]
    pub arm: Option<String>,
    /// Number of runs.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub runs: u32,
    /// Rounds of each run; above 1 the two arms run in turns. Without a number 6 [default: as in the scenario].
    #[arg(long, num_args = 0..=1, default_missing_value = "6", value_parser = clap::value_parser!(u32).range(1..=50))]
    pub rounds: Option<u32>,
    /// Burn this share more CPU per journey in one of the two, to see whether the runs find it.
    #[arg(long, value_name = "SHARE", num_args = 0..=1, default_missing_value = "10%")]
    pub plant: Option<Ratio>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// Folder that holds the runs.
    #[arg(long, default_value = DEFAULT_OUT, env = "CLEAVE_OUT")]
    pub out: PathBuf,
}

impl Noise {
    /// The options of one of its runs.
    pub fn as_run(&self, seed: u64) -> Run {
        Run {
            seed: Some(seed),
            rounds: self.rounds,
            output: Output::Json,
            no_tui: true,
            out: self.out.clone(),
            ..Run::default()
        }
    }
}

/// `cleave doctor`.
#[derive(Args)]
pub struct Doctor {
    /// Revert what killed runs left behind: stopped processes, limits, control groups, and what they kept on servers that are there
    /// already. A server's password comes from the environment.
    #[arg(long)]
    pub clean: bool,
    /// What is printed.
    #[arg(long, value_enum, default_value_t, conflicts_with = "clean")]
    pub output: Output,
    /// Folder that holds the runs.
    #[arg(long, default_value = DEFAULT_OUT, env = "CLEAVE_OUT")]
    pub out: PathBuf,
    /// Servers to look at.
    #[command(flatten)]
    pub servers: GivenServers,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cleave::command().debug_assert();
    }

    #[test]
    fn rounds_without_a_number_are_six() {
        let rounds = |arguments: &[&str]| {
            let all = ["cleave", "run", "hop-tax"].iter().chain(arguments);
            match Cleave::parse_from(all).command {
                Command::Run(run) => run.rounds,
                _ => None,
            }
        };
        assert_eq!(rounds(&[]), None, "as in the scenario");
        assert_eq!(rounds(&["--rounds"]), Some(6));
        assert_eq!(rounds(&["--rounds", "--no-tui"]), Some(6));
        assert_eq!(rounds(&["--rounds", "4"]), Some(4));
    }
}
