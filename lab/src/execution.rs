//! Executes one run, for every command that makes some.

use std::time::Instant;

use conductor::{Run, RunError, RunOptions, RunOutcome};
use scenario::{RunMode, Scenario};
use scorecard::inference::StoredStarts;
use tokio::sync::watch;

use crate::cli;
use crate::machine_noise::{Identity, MachineNoise};
use crate::output::EXIT_INTERRUPTED;
use crate::run_view::View;

/// The options of a run, as the command line has them.
///
/// # Errors
/// When the path of this program is not known.
pub fn run_options(args: &cli::Run, scenario: Scenario, started_at: Instant) -> std::io::Result<RunOptions> {
    let interleaved = args.rounds.map_or(scenario.way == RunMode::Interleaved, |rounds| rounds > 1);
    // In rounds the run itself shows by how much starts differ.
    let starts = if interleaved {
        StoredStarts::default()
    } else {
        MachineNoise::load().starts(&Identity::here(), &scenario)
    };
    Ok(RunOptions {
        seed: args.seed.unwrap_or(scenario.seed),
        arms: args.arms.clone(),
        interleaved,
        rounds: args.rounds.unwrap_or(scenario.repeats),
        out: args.out.clone(),
        program: std::env::current_exe()?,
        version: cli::VERSION.to_owned(),
        command: std::env::args().collect(),
        started_at,
        notes: Vec::new(),
        starts,
        scenario,
    })
}

/// Executes a run with a view. Its rate is absolute: [`crate::capacity_probe`] resolves one that is a share.
///
/// # Errors
/// When the run cannot be prepared or does not come to its end.
pub fn execute(
    options: RunOptions,
    view: View,
    interrupts: &watch::Sender<u32>,
    screen_options: cli::Screen,
) -> Result<RunOutcome, RunError> {
    let run = Run::prepare(options, interrupts.subscribe())?;
    let folder = run.folder().to_owned();
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = built.map_err(|source| RunError::Folder { path: folder.clone(), source })?;
    let view_threads =
        view.watch(run.record().subscribe(), interrupts.clone(), screen_options.options(false, folder));
    let result = runtime.block_on(run.run());
    // Views end when the lines end.
    drop(runtime);
    view_threads.join();
    result
}

/// Counts Ctrl-C and SIGTERM, after restoring the terminal.
///
/// # Errors
/// When there is a handler already.
pub fn on_signals(interrupts: watch::Sender<u32>) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || {
        tui::restore();
        interrupts.send_modify(|count| *count += 1);
        if *interrupts.borrow() > 2 {
            std::process::exit(i32::from(EXIT_INTERRUPTED));
        }
    })
}
