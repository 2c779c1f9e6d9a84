//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use discovery::Location;
use policy::NetworkOptions;
use policy::units::{HumanDuration, Ratio};

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
}

const EXAMPLES: &str = "Examples:
  cleave run first-look    a first scorecard, in about a minute
  cleave run hop-tax       figures to quote: arms run in turns, intervals are paired

Exit codes: 0 pass, 1 fail, 2 usage or scenario error, 3 invalid, 4 inconclusive, 130 interrupted";

/// The subcommands.
#[derive(Subcommand)]
pub enum Command {
    /// List the shipped scenarios.
    List,
    /// Explain what a run would do, without running it.
    #[command(after_help = "Examples:\n  cleave explain crash-one\n  cleave explain my/own.toml")]
    Explain(Explain),
    /// Run a scenario and print its scorecard.
    #[command(
        after_help = "Examples:\n  cleave run first-look\n  cleave run hop-tax --arms mono,micro --rounds 6 --output json > hop-tax.json"
    )]
    Run(Run),
    /// Start a seeded suite, print its URLs and tokens, and keep it running until Ctrl-C.
    #[command(after_help = "Examples:\n  cleave up micro\n  cleave up mono --size tiny")]
    Up(Up),
    /// Run one arm against itself, to see which differences this machine reports when there are none.
    #[command(
        after_help = "Examples:\n  cleave noise hop-tax\n  cleave noise hop-tax --arm micro --runs 5\n  cleave noise hop-tax --plant 10% --rounds 16"
    )]
    Noise(Noise),
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
        after_help = "Examples:\n  cleave report last\n  cleave report last --output markdown >> \"$GITHUB_STEP_SUMMARY\"\n  cleave report runs/20261126-101500-a7f3 --output junit --to crash-one.xml\n  cleave report last --compare a7f3"
    )]
    Report(Report),
    /// Check and export the records of runs.
    Record {
        /// The subcommand.
        #[command(subcommand)]
        command: RecordCommand,
    },
    /// Show what this machine supports, and what degrades where something is missing.
    #[command(after_help = "Examples:\n  cleave doctor\n  cleave doctor --clean")]
    Doctor(Doctor),
    /// Run one process of a topology; `run` and `up` start these.
    #[command(
        after_help = "Examples:\n  cleave node --hosts feed,follower --registry 127.0.0.1:7000\n  cleave node --hosts '*' --gateway"
    )]
    Node(Node),
    /// Reverts what a killed run leaves behind; started by `run`.
    #[command(hide = true)]
    Guard {
        /// The run's journal.
        journal: PathBuf,
    },
    /// Burns CPU next to the suite; started by `run`.
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

/// `cleave explain`.
#[derive(Args)]
pub struct Explain {
    /// Name of a scenario, or path of a scenario file.
    pub scenario: String,
}

/// How a run is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// The dashboard, or plain lines, then the scorecard.
    #[default]
    Human,
    /// One JSON document on standard output; progress on standard error.
    Json,
}

/// `cleave run`.
#[derive(Args)]
pub struct Run {
    /// Name of a scenario, or path of a scenario file.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub scenario: Option<String>,
    /// Run every shipped scenario, one after another, and print one table.
    #[arg(long, conflicts_with = "arms")]
    pub all: bool,
    /// Seed of users, arrivals, payloads and random faults [default: the scenario's].
    #[arg(long)]
    pub seed: Option<u64>,
    /// Arms to run, in order, separated by commas [default: the scenario's].
    #[arg(long, value_delimiter = ',')]
    pub arms: Vec<String>,
    /// Run the arms in turns this many times, instead of side by side; six without a number, an even one removes drift
    /// [default: as in the scenario].
    #[arg(long, num_args = 0..=1, default_missing_value = "6", value_parser = clap::value_parser!(u32).range(1..=50))]
    pub rounds: Option<u32>,
    /// Round trip between processes, such as 300us, in every arm; 0 is loopback alone [default: as in the scenario].
    #[arg(long, value_parser = NetworkOptions::parse_rtt)]
    pub rtt: Option<HumanDuration>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// Print plain lines instead of the dashboard.
    #[arg(long)]
    pub no_tui: bool,
    /// Folder that holds the runs.
    #[arg(long, default_value = "runs")]
    pub out: PathBuf,
    /// How the dashboard looks.
    #[command(flatten)]
    pub screen: Screen,
}

/// How the dashboard looks, in every command that shows it.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Screen {
    /// Use ASCII characters only.
    #[arg(long)]
    pub ascii: bool,
    /// Colours that suit the terminal's background; NO_COLOR in the environment means mono.
    #[arg(long, value_enum, default_value_t)]
    pub theme: Theme,
    /// Leave the mouse to the terminal, so that text can be selected with it.
    #[arg(long)]
    pub no_mouse: bool,
}

/// The terminal's background.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Theme {
    /// Bright colours on dark.
    #[default]
    Dark,
    /// Dark colours on light.
    Light,
    /// Bold and dim only, no colours.
    Mono,
}

impl Screen {
    /// The options of the dashboard.
    pub fn options(self, guest: bool, folder: PathBuf) -> tui::Options {
        let theme = match self.theme {
            Theme::Dark => tui::ColorScheme::Dark,
            Theme::Light => tui::ColorScheme::Light,
            Theme::Mono => tui::ColorScheme::Mono,
        };
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let (ascii, no_mouse) = (self.ascii, self.no_mouse);
        tui::Options { ascii, theme, no_color, no_mouse, guest, pace: None, folder: Some(folder) }
    }
}

/// `cleave watch`.
#[derive(Args)]
pub struct Watch {
    /// A run: `last`, its id, the end of its id, or its folder.
    pub run: String,
    /// How the dashboard looks.
    #[command(flatten)]
    pub screen: Screen,
    /// Folder that holds the runs.
    #[arg(long, default_value = "runs")]
    pub out: PathBuf,
}

/// `cleave replay`.
#[derive(Args)]
pub struct Replay {
    /// A run: `last`, its id, the end of its id, or its folder.
    pub run: String,
    /// Speed of the replay, 0.25 to 16 times the original; in a pipe all lines are printed at once.
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,
    /// Do not show the run: save the dashboard at this second of the load to the run's folder, as key S does.
    #[arg(long, value_name = "SECOND")]
    pub shot: Option<f64>,
    /// How the dashboard looks.
    #[command(flatten)]
    pub screen: Screen,
    /// Folder that holds the runs.
    #[arg(long, default_value = "runs")]
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
    /// A run: `last`, its id, the end of its id, or its folder.
    pub run: String,
    /// Another run to compare with; differences are marked where intervals do not overlap.
    #[arg(long, value_name = "RUN")]
    pub compare: Option<String>,
    /// Format of the report.
    #[arg(long, value_enum, default_value_t)]
    pub output: Document,
    /// File to write [default: for html a page in the run's folder, otherwise standard output].
    #[arg(long)]
    pub to: Option<PathBuf>,
    /// Folder that holds the runs.
    #[arg(long, default_value = "runs")]
    pub out: PathBuf,
}

/// `cleave schema`.
#[derive(Args)]
pub struct Schema {
    /// What the schema describes.
    #[arg(value_enum, default_value_t)]
    pub of: Described,
}

/// Formats that have a schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Described {
    /// A scenario file.
    #[default]
    Scenario,
    /// A line of a run's record.
    Record,
    /// The document that `--output json` prints for a run.
    Document,
    /// The document that `report --compare --output json` prints for two runs.
    Comparison,
}

/// Formats of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Document {
    /// One HTML page without network access or scripts.
    #[default]
    Html,
    /// For a pull request or the summary of a workflow.
    Markdown,
    /// One JSON document, as `run --output json` prints it.
    Json,
    /// JUnit XML with a test case per expectation.
    Junit,
    /// GitHub workflow commands that annotate the lines of expectations.
    Github,
}

/// `cleave record`.
#[derive(Subcommand)]
pub enum RecordCommand {
    /// Read a record to its end; print what it holds and whether it is complete and valid.
    #[command(
        after_help = "Examples:\n  cleave record check last\n  cleave record check runs/20261126-101500-a7f3"
    )]
    Check {
        /// A run: `last`, its id, the end of its id, or its folder.
        run: String,
        /// Folder that holds the runs.
        #[arg(long, default_value = "runs")]
        out: PathBuf,
    },
    /// Export a run's figures as OpenMetrics with timestamps, for import into Prometheus.
    #[command(
        after_help = "Examples:\n  cleave record export last --to run.om\n  promtool tsdb create-blocks-from openmetrics run.om data"
    )]
    Export {
        /// A run: `last`, its id, the end of its id, or its folder.
        run: String,
        /// File to write [default: standard output].
        #[arg(long)]
        to: Option<PathBuf>,
        /// Folder that holds the runs.
        #[arg(long, default_value = "runs")]
        out: PathBuf,
    },
}

/// `cleave noise`.
#[derive(Args)]
pub struct Noise {
    /// Name of a scenario, or path of a scenario file; its steps and claims are ignored.
    pub scenario: String,
    /// The arm that is run twice [default: the scenario's first].
    #[arg(long)]
    pub arm: Option<String>,
    /// Number of runs.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub runs: u32,
    /// Rounds of a run: above 1 the two arms run in turns; six without a number [default: as in the scenario].
    #[arg(long, num_args = 0..=1, default_missing_value = "6", value_parser = clap::value_parser!(u32).range(1..=50))]
    pub rounds: Option<u32>,
    /// Burn a share more CPU per journey in one of the two, which the runs should find.
    #[arg(long, value_name = "SHARE", num_args = 0..=1, default_missing_value = "10%")]
    pub plant: Option<Ratio>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// Folder that holds the runs.
    #[arg(long, default_value = "runs")]
    pub out: PathBuf,
}

impl Noise {
    /// The options of one of its runs.
    pub fn as_run(&self, seed: u64) -> Run {
        Run {
            scenario: None,
            all: false,
            seed: Some(seed),
            arms: Vec::new(),
            rounds: self.rounds,
            rtt: None,
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
    /// Revert what killed runs left behind: stopped processes, limits, control groups.
    #[arg(long)]
    pub clean: bool,
    /// Folder that holds the runs.
    #[arg(long, default_value = "runs")]
    pub out: PathBuf,
}

/// `cleave up`.
#[derive(Args)]
pub struct Up {
    /// `mono`, `mono-x3`, `micro`, `pairs`, or `SCENARIO:TOPOLOGY`.
    pub topology: String,
    /// Size of the data set: tiny, small, standard or large.
    #[arg(long, default_value = "small")]
    pub size: String,
    /// Seed of the data.
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Folder for data and logs.
    #[arg(long, default_value = "runs")]
    pub out: PathBuf,
    /// Public address; port 0 takes any free port.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub public: SocketAddr,
    /// Level of telemetry: off, metrics, sampled(0.1) or full.
    #[arg(long, default_value = "full")]
    pub telemetry: String,
    /// Do not limit clients by address: for load from one machine. Limits by account and in all stay.
    #[arg(long)]
    pub no_address_limits: bool,
}

/// `cleave node`.
#[derive(Args)]
pub struct Node {
    /// Configuration file; with it the node also ends when its standard input closes.
    #[arg(long, conflicts_with_all = ["hosts", "gateway", "registry_here"])]
    pub config: Option<PathBuf>,
    /// Components it hosts, separated by commas; `*` for all.
    #[arg(long, value_delimiter = ',')]
    pub hosts: Vec<String>,
    /// Host the gateway as well.
    #[arg(long)]
    pub gateway: bool,
    /// Host the registry as well.
    #[arg(long)]
    pub registry_here: bool,
    /// Address of the registry, when other processes host the other components.
    #[arg(long)]
    pub registry: Option<Location>,
    /// Internal address: calls, outbox, control, metrics.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Public address of the gateway.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub public: SocketAddr,
    /// Folder of databases and photo bytes.
    #[arg(long, default_value = "data")]
    pub data: PathBuf,
    /// Secret that signs users' tokens; the same for all nodes.
    #[arg(long, env = "CLEAVE_SECRET", default_value = "", hide_env_values = true)]
    pub secret: String,
    /// Token that authorises calls, outbox and control; the same for all nodes.
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
