//! The program cleave: list, explain, run, up, doctor; node and load are what it starts itself.
//!
//! - [`cli`]: the command line.
//! - [`by_hand`]: a node that is started by its flags.
//! - [`catalogue`]: scenarios by name or file.
//! - [`run`]: a run, its views and its exit code. [`all`]: every scenario, one table.
//! - [`capacity`]: what each arm can do, where the load is a share of it.
//! - [`noise`]: one arm against itself.
//! - [`document`]: the run as one JSON document.
//! - [`replay`]: a run of another terminal, or of another day, on this screen.
//! - [`past`]: runs that are over: reports, and whether a record is whole.
//! - [`up`]: a suite to try things out on.
//! - [`doctor`]: what this machine can do.
//! - [`complain`]: errors, for the person at the keyboard.

mod all;
mod by_hand;
mod capacity;
mod catalogue;
mod cli;
mod complain;
mod doctor;
mod document;
mod noise;
mod past;
mod replay;
mod run;
mod up;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cleave, Command, Described};

/// Of this program, with the commit it was built from.
const VERSION: &str = env!("CLEAVE_VERSION");

fn main() -> ExitCode {
    let began = runtime::clock::now();
    let cleave = Cleave::parse();
    match cleave.command {
        Command::List => catalogue::list(),
        Command::Explain(asked) => catalogue::explain(&asked.scenario),
        Command::Run(asked) => run::run(&asked, began),
        Command::Up(asked) => up::up(&asked),
        Command::Noise(asked) => noise::noise(&asked, began),
        Command::Schema(asked) => {
            let schema = match asked.of {
                Described::Scenario => scenario::schema::schema(&suite::components()),
                Described::Record => record::schema::line(),
                Described::Document => report::document::schema::document(),
                Described::Comparison => report::document::schema::comparison(),
            };
            complain::say(format_args!("{schema:#}"));
            ExitCode::SUCCESS
        }
        Command::Watch(asked) => replay::watch(&asked),
        Command::Replay(asked) => replay::replay(&asked),
        Command::Report(asked) => past::report(&asked),
        Command::Record { command } => past::record(&command),
        Command::Doctor(asked) => doctor::doctor(&asked),
        Command::Node(asked) => match by_hand::config(&asked) {
            Ok(config) => suite::run(config, asked.config.is_some()),
            Err(text) => complain::usage(&text),
        },
        Command::Guard { journal } => match conductor::process::guardian::run(&journal) {
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => complain::error(&error),
        },
        Command::Burn { threads } => {
            runtime::limits::burn_cpu(threads);
            ExitCode::SUCCESS
        }
        Command::Load { plan } => loadgen::main(&plan),
    }
}
