//! `cleave run`: executes a scenario, shows it, prints its scorecard and sets the exit code.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Instant;

use conductor::observe::record_writer::RecordSubscription;
use conductor::{Run, RunError, RunOptions, RunOutcome};
use record::Line;
use scenario::{RunMode, Scenario};
use tokio::sync::watch;

use crate::cli::{self, Output};
use crate::recorded_source::RecordedSource;
use crate::{capacity_probe, output, report_command, result_document, run_all_command, scenario_files};

/// Exit code after an interrupt: 128 + SIGINT, as in shells.
pub const EXIT_INTERRUPTED: u8 = 130;
/// Columns of the scorecard when the width of the terminal is unknown.
const DEFAULT_COLUMNS: u16 = 80;

/// `cleave run`.
pub fn run(args: &cli::Run, started_at: Instant) -> ExitCode {
    let Some(name) = args.scenario.as_deref() else {
        return run_all_command::run_all(args, started_at);
    };
    let scenario = match scenario_files::find(name) {
        Ok(scenario) => scenario,
        Err(text) => return output::usage_error(&text),
    };
    let options = match run_options(args, scenario, started_at) {
        Ok(options) => options,
        Err(error) => return output::error(&error),
    };
    // Before any thread starts: a multi-threaded process cannot enter another network namespace.
    if options.scenario.loses_packets()
        && let Err(error) = conductor::process::netns::enter()
    {
        eprintln!("packet loss is not available: {error}");
    }
    let interrupts = watch::Sender::new(0);
    if let Err(error) = on_signals(interrupts.clone()) {
        return output::error(&error);
    }
    let result = execute(options, View::choose(args), &interrupts, args.screen);
    finish(args, result)
}

/// The options of a run.
pub fn run_options(args: &cli::Run, scenario: Scenario, started_at: Instant) -> std::io::Result<RunOptions> {
    Ok(RunOptions {
        seed: args.seed.unwrap_or(scenario.seed),
        arms: args.arms.clone(),
        interleaved: args.rounds.map_or(scenario.way == RunMode::Interleaved, |rounds| rounds > 1),
        rounds: args.rounds.unwrap_or(scenario.repeats),
        out: args.out.clone(),
        program: std::env::current_exe()?,
        version: crate::VERSION.to_owned(),
        command: std::env::args().collect(),
        started_at,
        notes: Vec::new(),
        scenario,
    })
}

/// Executes a run with a view.
pub fn execute(
    mut options: RunOptions,
    view: View,
    interrupts: &watch::Sender<u32>,
    screen_options: cli::Screen,
) -> Result<RunOutcome, RunError> {
    capacity_probe::resolve_rate(&mut options, interrupts)?;
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

fn finish(args: &cli::Run, result: Result<RunOutcome, RunError>) -> ExitCode {
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(error @ RunError::Interrupted) => {
            eprintln!("{error}");
            return ExitCode::from(EXIT_INTERRUPTED);
        }
        Err(error) => return output::error(&error),
    };
    let record = outcome.folder.join("run.jsonl");
    let lines = match record::Reader::read_all(&record) {
        Ok(lines) => lines,
        Err(error) => return output::error(&error),
    };
    let printed = match args.output {
        Output::Json => result_document::print(&mut std::io::stdout().lock(), &outcome.folder, &lines),
        Output::Human => scorecard(&lines, &record),
    };
    match printed {
        Ok(()) => ExitCode::from(outcome.exit_code),
        Err(error) => output::error(&error),
    }
}

fn scorecard(lines: &[Line], record: &std::path::Path) -> std::io::Result<()> {
    let stdout = std::io::stdout();
    let colour = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut out = stdout.lock();
    let mut run = model::Run::default();
    run.take(lines);
    tui::card::print(&mut out, &run, DEFAULT_COLUMNS, colour)?;
    writeln!(out, "record: {}", record.display())
}

/// Counts Ctrl-C and SIGTERM, after restoring the terminal.
pub fn on_signals(interrupts: watch::Sender<u32>) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || {
        tui::restore();
        interrupts.send_modify(|count| *count += 1);
        if *interrupts.borrow() > 2 {
            std::process::exit(i32::from(EXIT_INTERRUPTED));
        }
    })
}

/// How a run is shown while it is in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Not at all.
    Silent,
    /// The dashboard.
    Screen,
    /// One plain line a second on standard output.
    Lines,
    /// The same on standard error: standard output is reserved for the document.
    Progress,
}

impl View {
    fn choose(args: &cli::Run) -> Self {
        match args.output {
            Output::Json => Self::Progress,
            Output::Human
                if args.no_tui || !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() =>
            {
                Self::Lines
            }
            Output::Human => Self::Screen,
        }
    }

    /// Shows the run on threads of its own: a view must not be able to slow down or alter a run.
    fn watch(
        self,
        mut lines: RecordSubscription,
        interrupts: watch::Sender<u32>,
        options: tui::Options,
    ) -> ViewThreads {
        let (sender, receiver) = mpsc::sync_channel::<Arc<Line>>(8_192);
        let forwarding = std::thread::spawn(move || {
            while let Some(line) = lines.blocking_next() {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let viewing = std::thread::spawn(move || match self {
            Self::Screen => screen(receiver, &interrupts, options),
            Self::Silent => receiver.into_iter().for_each(drop),
            Self::Lines => plain(receiver, std::io::stdout()),
            Self::Progress => plain(receiver, std::io::stderr()),
        });
        ViewThreads { forwarding, viewing }
    }
}

struct ViewThreads {
    forwarding: std::thread::JoinHandle<()>,
    viewing: std::thread::JoinHandle<()>,
}

impl ViewThreads {
    fn join(self) {
        // A view that panicked has restored the terminal and printed why; the run continues without it.
        let _ = self.forwarding.join();
        let _ = self.viewing.join();
    }
}

fn plain(mut lines: mpsc::Receiver<Arc<Line>>, out: impl Write) {
    // A closed pipe ends the lines, not the run.
    let _ = tui::plain::print(&mut lines, out);
    lines.into_iter().for_each(drop);
}

/// The dashboard, and plain lines after the user has detached from it.
fn screen(lines: mpsc::Receiver<Arc<Line>>, interrupts: &watch::Sender<u32>, options: tui::Options) {
    let folder = options.folder.clone().unwrap_or_default();
    let request = |request| match request {
        tui::Request::Quit(quit) => {
            let by = match quit {
                tui::Quit::InOrder | tui::Quit::Interrupt => 1,
                tui::Quit::AtOnce => 2,
            };
            interrupts.send_modify(|count| *count += by);
            None
        }
        tui::Request::Report => Some(report_command::write_page(&folder)),
        // A live run has no pace to change.
        tui::Request::Pace(_) => None,
    };
    let mut source = RecordedSource::new(lines, folder.join(report_command::RECORD_FILE));
    match tui::run(options, &mut source, request) {
        Ok(exit) if exit.detached => {
            // A closed pipe ends the lines, not the run.
            let _ = tui::plain::resume(exit.run, &mut source, std::io::stdout());
            source.drain();
        }
        Ok(_) => {}
        Err(error) => {
            tui::restore();
            eprintln!("the dashboard failed: {error}; the run continues");
        }
    }
}
