//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use discovery::Location;

/// Should this stay one program, or become services, and what does each choice cost?
///
/// Runs one application, a photo-sharing suite, as a monolith and as
/// microservices at the same time, under the same load and the same faults,
/// and prints a scorecard with a verdict.
#[derive(Parser)]
#[command(name = "cleave", version = crate::VERSION, after_help = EXAMPLES)]
pub struct Cleave {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "Examples:
  cleave run first-look          a first scorecard, in a minute
  cleave run hop-tax              figures to quote: arms take turns, intervals are paired

Exit codes: 0 pass, 1 fail, 2 usage or scenario error, 3 invalid, 4 inconclusive, 130 interrupted";

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Show the named scenarios.
    List,
    /// Say what a run would do, without doing it.
    #[command(after_help = "Examples:\n  cleave explain crash-one\n  cleave explain my/own.toml")]
    Explain(Explain),
    /// Run a scenario to its scorecard.
    #[command(
        after_help = "Examples:\n  cleave run first-look\n  cleave run hop-tax --arms mono,micro --rounds 5 --output json > hop-tax.json"
    )]
    Run(Run),
    /// Keep a seeded suite running, with its URLs and a token, until Ctrl-C.
    #[command(after_help = "Examples:\n  cleave up micro\n  cleave up mono --size tiny")]
    Up(Up),
    /// Run one arm against itself, to know what this machine calls a difference when there is none.
    #[command(
        after_help = "Examples:\n  cleave noise hop-tax\n  cleave noise hop-tax --arm micro --runs 5\n  cleave noise hop-tax --plant --rounds 5"
    )]
    Noise(Noise),
    /// Print a JSON Schema: of scenario files, for editors, or of what runs leave behind, for programs.
    #[command(after_help = "Examples:\n  cleave schema > scenario.schema.json\n  cleave schema document")]
    Schema(Schema),
    /// Show a run that goes on elsewhere, in this terminal.
    #[command(after_help = "Examples:\n  cleave watch last\n  cleave watch last | grep FAULT")]
    Watch(Watch),
    /// Show a run that is over, as it went; scrub back to any second of it.
    #[command(after_help = "Examples:\n  cleave replay last\n  cleave replay a7f3 --speed 4")]
    Replay(Replay),
    /// Tell a run that is over: as a page, or for a pull request, a test collector, a workflow.
    #[command(
        after_help = "Examples:\n  cleave report last\n  cleave report last --output markdown >> \"$GITHUB_STEP_SUMMARY\"\n  cleave report runs/20261126-101500-a7f3 --output junit --to crash-one.xml\n  cleave report last --compare a7f3"
    )]
    Report(Report),
    /// Look after the records of runs.
    Record {
        /// What to do.
        #[command(subcommand)]
        command: RecordCommand,
    },
    /// Say what this machine can do, and what degrades without it.
    Doctor(Doctor),
    /// One process of a topology: what `run` and `up` start.
    #[command(
        after_help = "Examples:\n  cleave node --hosts feed,follower --registry 127.0.0.1:7000\n  cleave node --hosts '*' --gateway"
    )]
    Node(Node),
    /// Undoes what a dead run has left: what `run` starts.
    #[command(hide = true)]
    Guard {
        /// The run's journal.
        journal: PathBuf,
    },
    /// Burns CPU beside the suite: what `run` starts.
    #[command(hide = true)]
    Burn {
        /// Threads that burn.
        threads: u32,
    },
    /// The load generator: what `run` starts.
    #[command(hide = true)]
    Load {
        /// Its plan, as JSON.
        plan: PathBuf,
    },
}

/// `cleave explain`.
#[derive(Args)]
pub struct Explain {
    /// A scenario's name, or a file.
    pub scenario: String,
}

/// How a run is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// The dashboard or plain lines, then the scorecard.
    #[default]
    Human,
    /// One JSON document on standard output; progress on standard error.
    Json,
}

/// `cleave run`.
#[derive(Args)]
pub struct Run {
    /// A scenario's name, or a file.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub scenario: Option<String>,
    /// Run every named scenario, one after another, and print one table.
    #[arg(long, conflicts_with = "arms")]
    pub all: bool,
    /// Seed of users, arrivals, payloads and dice; the scenario's own unless given.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Arms to run, in order, separated by commas; the scenario's own choice unless given.
    #[arg(long, value_delimiter = ',')]
    pub arms: Vec<String>,
    /// Let arms take turns so many times, instead of running side by side; as the scenario says unless given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=50))]
    pub rounds: Option<u32>,
    /// How the run is told.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// Plain lines instead of the dashboard.
    #[arg(long)]
    pub no_tui: bool,
    /// Folder for run folders.
    #[arg(long, default_value = "runs")]
    pub out: PathBuf,
    /// How the dashboard looks.
    #[command(flatten)]
    pub screen: Screen,
}

/// How the dashboard looks, in every command that shows it.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Screen {
    /// Only plain characters in the dashboard.
    #[arg(long)]
    pub ascii: bool,
    /// Colours for the terminal's background; NO_COLOR in the environment means mono.
    #[arg(long, value_enum, default_value_t)]
    pub theme: Theme,
    /// Leave the mouse to the terminal, so that text can be selected with it.
    #[arg(long)]
    pub no_mouse: bool,
}

/// What the terminal's background is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Theme {
    /// Bright colours on dark.
    #[default]
    Dark,
    /// Dark colours on light.
    Light,
    /// Weight alone, no colours.
    Mono,
}

impl Screen {
    /// As the dashboard takes it.
    pub fn options(self, guest: bool, folder: PathBuf) -> tui::Options {
        let theme = match self.theme {
            Theme::Dark => tui::Theme::Dark,
            Theme::Light => tui::Theme::Light,
            Theme::Mono => tui::Theme::Mono,
        };
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let (ascii, no_mouse) = (self.ascii, self.no_mouse);
        tui::Options { ascii, theme, no_color, no_mouse, guest, pace: None, folder: Some(folder) }
    }
}

/// `cleave watch`.
#[derive(Args)]
pub struct Watch {
    /// A run: `last`, its id or the end of it, or its folder.
    pub run: String,
    /// How the dashboard looks.
    #[command(flatten)]
    pub screen: Screen,
    /// Folder of run folders.
    #[arg(long, default_value = "runs")]
    pub out: PathBuf,
}

/// `cleave replay`.
#[derive(Args)]
pub struct Replay {
    /// A run: `last`, its id or the end of it, or its folder.
    pub run: String,
    /// How many times as fast as it went, 0.25 to 16; in a pipe all is told at once.
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,
    /// Instead of showing it, write the dashboard at this second of the load into the run's folder, as key S does.
    #[arg(long, value_name = "SECOND")]
    pub shot: Option<f64>,
    /// How the dashboard looks.
    #[command(flatten)]
    pub screen: Screen,
    /// Folder of run folders.
    #[arg(long, default_value = "runs")]
    pub out: PathBuf,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 =
        text.trim_end_matches('x').parse().map_err(|_| format!("`{text}` is no speed; write 0.25 to 16"))?;
    if (0.25..=16.0).contains(&speed) {
        Ok(speed)
    } else {
        Err(format!("{speed} is out of range; write 0.25 to 16"))
    }
}

/// `cleave report`.
#[derive(Args)]
pub struct Report {
    /// A run: `last`, its id or the end of it, or its folder.
    pub run: String,
    /// Another run to stand beside it: what differs is marked where intervals do not overlap.
    #[arg(long, value_name = "RUN")]
    pub compare: Option<String>,
    /// What is written.
    #[arg(long, value_enum, default_value_t)]
    pub output: Document,
    /// Where to; a page goes to the run's folder and all else to standard output unless given.
    #[arg(long)]
    pub to: Option<PathBuf>,
    /// Folder of run folders.
    #[arg(long, default_value = "runs")]
    pub out: PathBuf,
}

/// `cleave schema`.
#[derive(Args)]
pub struct Schema {
    /// Of what.
    #[arg(value_enum, default_value_t)]
    pub of: Described,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Described {
    /// A scenario's file, as JSON would have it.
    #[default]
    Scenario,
    /// A line of a run's record.
    Record,
    /// What `--output json` prints of a run.
    Document,
    /// What `report --compare --output json` prints of two.
    Comparison,
}

/// What a run is told as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Document {
    /// One page that needs no network and no script.
    #[default]
    Html,
    /// For a pull request or the summary of a workflow.
    Markdown,
    /// One JSON document, as `run --output json` prints it.
    Json,
    /// An expectation is a test case.
    Junit,
    /// Annotations at the lines of expectations, as GitHub's workflow commands.
    Github,
}

/// `cleave record`.
#[derive(Subcommand)]
pub enum RecordCommand {
    /// Read a record to its end and say what it holds, and whether it is whole.
    #[command(
        after_help = "Examples:\n  cleave record check last\n  cleave record check runs/20261126-101500-a7f3"
    )]
    Check {
        /// A run: `last`, its id or the end of it, or its folder.
        run: String,
        /// Folder of run folders.
        #[arg(long, default_value = "runs")]
        out: PathBuf,
    },
    /// Write a run's figures as OpenMetrics with their times, for Prometheus to take in afterwards.
    #[command(
        after_help = "Examples:\n  cleave record export last --to run.om\n  promtool tsdb create-blocks-from openmetrics run.om data"
    )]
    Export {
        /// A run: `last`, its id or the end of it, or its folder.
        run: String,
        /// Where to; standard output unless given.
        #[arg(long)]
        to: Option<PathBuf>,
        /// Folder of run folders.
        #[arg(long, default_value = "runs")]
        out: PathBuf,
    },
}

/// `cleave noise`.
#[derive(Args)]
pub struct Noise {
    /// A scenario's name, or a file; its steps and claims are left out.
    pub scenario: String,
    /// The arm that is run twice; the scenario's first unless given.
    #[arg(long)]
    pub arm: Option<String>,
    /// How many runs.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub runs: u32,
    /// Let the two take turns so many times in a run; as the scenario's arms do unless given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=50))]
    pub rounds: Option<u32>,
    /// Give one of the two a tenth more work, which should be found.
    #[arg(long)]
    pub plant: bool,
    /// How the outcome is told.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// Folder for run folders.
    #[arg(long, default_value = "runs")]
    pub out: PathBuf,
}

impl Noise {
    /// One of its runs.
    pub fn as_run(&self, seed: u64) -> Run {
        Run {
            scenario: None,
            all: false,
            seed: Some(seed),
            arms: Vec::new(),
            rounds: self.rounds,
            output: Output::Json,
            no_tui: true,
            out: self.out.clone(),
            screen: Screen::default(),
        }
    }
}

/// `cleave doctor`.
#[derive(Args)]
pub struct Doctor {
    /// Undo what dead runs have left: stopped processes, limits, control groups.
    #[arg(long)]
    pub clean: bool,
    /// Folder of run folders.
    #[arg(long, default_value = "runs")]
    pub out: PathBuf,
}

/// `cleave up`.
#[derive(Args)]
pub struct Up {
    /// `mono`, `mono-x3`, `micro`, `pairs`, or `SCENARIO:TOPOLOGY`.
    pub topology: String,
    /// How much data: tiny, small, standard or large.
    #[arg(long, default_value = "small")]
    pub size: String,
    /// Seed of the data.
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Folder for its data and logs.
    #[arg(long, default_value = "runs")]
    pub out: PathBuf,
    /// Address of the public door; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub public: SocketAddr,
    /// off, metrics, sampled(0.1) or full.
    #[arg(long, default_value = "full")]
    pub telemetry: String,
}

/// `cleave node`.
#[derive(Args)]
pub struct Node {
    /// A configuration file; then the node also ends with its standard input.
    #[arg(long, conflicts_with_all = ["hosts", "gateway", "registry_here"])]
    pub config: Option<PathBuf>,
    /// Components it holds, separated by commas; `*` for all.
    #[arg(long, value_delimiter = ',')]
    pub hosts: Vec<String>,
    /// Hold the public door as well.
    #[arg(long)]
    pub gateway: bool,
    /// Hold the registry as well.
    #[arg(long)]
    pub registry_here: bool,
    /// Where the registry is, when other processes hold the rest.
    #[arg(long)]
    pub registry: Option<Location>,
    /// Internal port.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Public port of the door.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub public: SocketAddr,
    /// Folder of databases and photo bytes.
    #[arg(long, default_value = "data")]
    pub data: PathBuf,
    /// Signs users' tokens; the same for all nodes.
    #[arg(long, env = "CLEAVE_SECRET", default_value = "", hide_env_values = true)]
    pub secret: String,
    /// Opens calls, outbox and control; the same for all nodes.
    #[arg(long, env = "CLEAVE_TOKEN", default_value = "", hide_env_values = true)]
    pub token: String,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cleave::command().debug_assert();
    }
}
