//! The program cleave: list, explain, run, up, doctor; node and load are what it starts itself.
//!
//! - [`cli`]: the command line.
//! - [`node_command`]: a node that is started by its flags.
//! - [`scenario_files`]: scenarios by name or file.
//! - [`run_command`]: a run, its views and its exit code. [`run_all_command`]: every scenario, one table.
//! - [`capacity_probe`]: what each arm can do, where the load is a share of it.
//! - [`noise_command`]: one arm against itself.
//! - [`result_document`]: the run as one JSON document.
//! - [`replay_command`]: a run of another terminal, or of another day, on this screen.
//! - [`report_command`]: runs that are over: reports, and whether a record is whole.
//! - [`up_command`]: a suite to try things out on.
//! - [`doctor_command`]: what this machine can do.
//! - [`output`]: errors, for the person at the keyboard.

mod capacity_probe;
mod cli;
mod doctor_command;
mod node_command;
mod noise_command;
mod output;
mod replay_command;
mod report_command;
mod result_document;
mod run_all_command;
mod run_command;
mod scenario_files;
mod up_command;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cleave, Command, Described};

/// Of this program, with the commit it was built from.
const VERSION: &str = env!("CLEAVE_VERSION");

fn main() -> ExitCode {
    let began = runtime::clock::now();
    let cleave = Cleave::parse();
    match cleave.command {
        Command::List => scenario_files::list(),
        Command::Explain(asked) => scenario_files::explain(&asked.scenario),
        Command::Run(asked) => run_command::run(&asked, began),
        Command::Up(asked) => up_command::up(&asked),
        Command::Noise(asked) => noise_command::noise(&asked, began),
        Command::Schema(asked) => {
            let schema = match asked.of {
                Described::Scenario => scenario::schema::schema(&suite::components()),
                Described::Record => record::schema::line(),
                Described::Document => report::document::schema::document(),
                Described::Comparison => report::document::schema::comparison(),
            };
            output::print_line(format_args!("{schema:#}"));
            ExitCode::SUCCESS
        }
        Command::Watch(asked) => replay_command::watch(&asked),
        Command::Replay(asked) => replay_command::replay(&asked),
        Command::Report(asked) => report_command::report(&asked),
        Command::Record { command } => report_command::record(&command),
        Command::Doctor(asked) => doctor_command::doctor(&asked),
        Command::Node(asked) => match node_command::config(&asked) {
            Ok(config) => suite::run(config, asked.config.is_some()),
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
