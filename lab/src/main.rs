//! The program `cleave`, one file per command; `run` starts the hidden commands itself.
//!
//! - [`cli`]: the command line. [`defaults`]: its defaults from `cleave.toml`.
//! - [`node_command`]: a node that is started with flags.
//! - [`scenario_files`]: scenarios by name or file. [`scenario_command`]: `list` and `explain`; [`utilisation`]: how busy they
//!   keep the cores. [`init_command`]: a file of one's own.
//! - [`run_command`]: a run, its result and its exit code. [`run_all_command`]: every scenario, one table.
//! - [`execution`]: executes one run. [`run_view`]: what is shown meanwhile.
//! - [`change`](mod@change): the change that a scenario deploys, built before its run.
//! - [`capacity_probe`]: the capacity of each arm, where the rate is a share of it.
//! - [`calibrate_command`]: what the simulator learns from a run. [`predict_command`]: a run that is simulated;
//!   [`prediction`]: what it comes to; [`sweep`](mod@sweep): that of keys that vary. [`live_groupings`]: whether many arms come in the
//!   order of a live run. [`validate_command`]: how far predictions are off what is run afterwards.
//! - [`noise_command`]: one arm against itself. [`machine_noise`]: what is kept of it.
//! - [`run_files`]: runs on disk, found by name and folded from their records. [`runs_command`]: listed and removed.
//! - [`result_document`]: the run as one JSON document.
//! - [`replay_command`]: `watch` and `replay`. [`recorded_source`]: lines as they come, and older ones read back.
//! - [`report_command`]: reports of finished runs. [`record_command`]: checks and exports of records.
//! - [`up_command`]: a seeded suite that keeps running.
//! - [`structure_command`]: what a change in a source tree rebuilds, and whom it touches.
//! - [`doctor_command`]: what this machine supports; [`orphaned_groups`]: what runs left on it. [`shell_command`]: completions and
//!   manual pages.
//! - [`output`]: lines of results, and errors with their causes. [`signals`]: Ctrl-C and the like. [`whole_file`]: files that are
//!   replaced whole.

mod calibrate_command;
mod capacity_probe;
mod change;
mod cli;
mod defaults;
mod doctor_command;
mod execution;
mod given_servers;
mod init_command;
mod live_groupings;
mod machine_noise;
mod node_command;
mod noise_command;
mod orphaned_groups;
mod output;
mod predict_command;
mod prediction;
mod record_command;
mod recorded_source;
mod replay_command;
mod report_command;
mod result_document;
mod run_all_command;
mod run_command;
mod run_files;
mod run_view;
mod runs_command;
mod scenario_command;
mod scenario_files;
mod shell_command;
mod signals;
mod structure_command;
mod sweep;
mod up_command;
mod utilisation;
mod validate_command;
mod whole_file;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

use clap::{CommandFactory, FromArgMatches};
use conductor::process::host;

use crate::cli::{Cleave, Command, SchemaKind};
use crate::defaults::Defaults;
use crate::output::EXIT_USAGE;

fn main() -> ExitCode {
    let began = runtime::clock::now();
    signals::keep_hangup_ignored();
    // A child is started by the kernel's link to this program, and process lists would have the link's name.
    let _ = nix::sys::prctl::set_name(c"cleave");
    let parsed = arguments().and_then(|arguments| {
        let defaults = Defaults::load(&arguments)?;
        let command = defaults.apply(Cleave::command());
        let cleave =
            command.try_get_matches_from(arguments).and_then(|found| Cleave::from_arg_matches(&found));
        Ok((cleave, defaults))
    });
    let code = match parsed {
        Ok((cleave, defaults)) => match cleave {
            Ok(cleave) => {
                output::set_level(cleave.quiet, cleave.verbose);
                for line in defaults.lines() {
                    output::detail(format_args!("default: {line}"));
                }
                execute(cleave, began)
            }
            // Help and the version are results, everything else is a mistake.
            Err(message) => {
                if let Err(failure) = message.print() {
                    output::keep_failure(&failure);
                }
                ExitCode::from(u8::try_from(message.exit_code()).unwrap_or(EXIT_USAGE))
            }
        },
        Err(text) => output::usage_error(&text),
    };
    output::end(code)
}

/// The command line. Names and paths end in records and configurations, which are UTF-8.
///
/// # Errors
/// A message with the argument that is not.
fn arguments() -> Result<Vec<String>, String> {
    let text = |(at, argument): (usize, OsString)| match argument.into_string() {
        Ok(text) => Ok(text),
        // The program's own name goes nowhere.
        Err(bytes) if at == 0 => Ok(bytes.to_string_lossy().into_owned()),
        Err(bytes) => Err(format!(
            "argument {at}, `{}`, is not UTF-8: expected names and paths in UTF-8",
            bytes.to_string_lossy()
        )),
    };
    std::env::args_os().enumerate().map(text).collect()
}

/// Arenas of a command's heap. A run is held for hours by threads that wait most of the time: what one has freed is of use to the
/// others. Threads that serve, or simulate, have one each, or those of a process with many of them would wait for each other.
fn arenas(command: &Command) -> usize {
    match command {
        Command::Run(_) | Command::Up(_) | Command::Watch(_) | Command::Replay(_) => 1,
        _ => host::cores(),
    }
}

/// Executes a command.
fn execute(cleave: Cleave, began: Instant) -> ExitCode {
    runtime::allocator::limit_arenas(arenas(&cleave.command));
    match cleave.command {
        Command::List(args) => scenario_command::list(args.output),
        Command::Explain(args) => scenario_command::explain(&args),
        Command::Init(args) => init_command::init(&args),
        Command::Run(args) => match &args.scenario {
            Some(scenario) => run_command::run(scenario, &args, began),
            None => run_all_command::run_all(&args),
        },
        Command::Calibrate(args) => calibrate_command::calibrate(&args, began),
        Command::Predict(args) => predict_command::predict(&args, began),
        Command::Validate(args) => validate_command::validate(&args, began),
        Command::Up(args) => up_command::up(&args),
        Command::Noise(args) => noise_command::noise(&args),
        Command::Schema(args) => {
            let schema = match args.of {
                SchemaKind::Scenario => scenario::schema::schema(&suite::components()),
                SchemaKind::Record => record::schema::line(),
                SchemaKind::Document => report::document::schema::document(),
                SchemaKind::Comparison => report::document::schema::comparison(),
                SchemaKind::Structure => delivery::schema::structure(),
                SchemaKind::Calibration => simulator::calibrate::document::schema(),
            };
            output::print_line(format_args!("{schema:#}"));
            ExitCode::SUCCESS
        }
        Command::Watch(args) => replay_command::watch(&args),
        Command::Replay(args) => replay_command::replay(&args),
        Command::Report(args) => report_command::report(&args),
        Command::Record { command } => record_command::record(&command),
        Command::Runs(args) => runs_command::runs(&args),
        Command::Structure(args) => structure_command::structure(&args),
        Command::Doctor(args) => doctor_command::doctor(&args),
        Command::Completions(args) => shell_command::completions(args.shell),
        Command::Man(args) => shell_command::man(&args.folder),
        Command::Node(args) => match node_command::config(&args) {
            Ok(config) => suite::run(config, args.config.is_some()),
            Err(text) => output::usage_error(&text),
        },
        Command::Guard { journal } => match conductor::process::guardian::run(&journal) {
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => output::error(&error),
        },
        Command::Burn { threads } => {
            runtime::limits::burn_cpu(threads);
            ExitCode::SUCCESS
        }
        Command::Load { plan } => loadgen::main(&plan),
    }
}
