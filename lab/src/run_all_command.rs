//! `cleave run --all`: every shipped scenario, one after another, and one table.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use model::format::printable;
use record::{Check, Entry, Kind, Lint, ReadError, Reader, Verdict};
use serde_json::json;
use tokio::sync::watch;

use crate::cli::{self, Output};
use crate::output::EXIT_INTERRUPTED;
use crate::run_files::RECORD_FILE;
use crate::run_view::View;
use crate::{capacity_probe, execution, output, result_document, scenario_files, signals};

/// The result of one scenario.
struct ScenarioResult {
    name: String,
    seconds: u64,
    exit_code: u8,
    verdict: Option<Verdict>,
    folder: String,
    /// Checks that did not pass, with their reasons.
    open: Vec<Check>,
    lints: Vec<Lint>,
    error: Option<String>,
}

/// `cleave run --all`.
pub fn run_all(args: &cli::Run, started_at: Instant) -> ExitCode {
    let interrupts = watch::Sender::new(0);
    if let Err(error) = signals::count_interrupts(interrupts.clone()) {
        return output::error(&error);
    }
    let mut results = Vec::new();
    for name in scenario_files::names() {
        let scenario = match scenario_files::find(&name) {
            Ok(scenario) => scenario,
            Err(text) => return output::usage_error(&text),
        };
        output::note(format_args!("== {name}: {}", printable(&scenario.title)));
        let started = runtime::clock::now();
        let options = match execution::run_options(args, scenario, started_at) {
            Ok(options) => options,
            Err(error) => return output::error(&error),
        };
        let result = capacity_probe::resolve_rate(options, &interrupts).and_then(|options| {
            execution::execute(options, View::Progress, &interrupts, cli::Screen::default())
        });
        let seconds = started.elapsed().as_secs();
        results.push(scenario_result(name, seconds, result));
        if *interrupts.borrow() > 0 {
            break;
        }
    }
    let exit_code = worst(&results, *interrupts.borrow() > 0);
    let printed = match args.output {
        Output::Json => print_json(&results, exit_code),
        Output::Human => print_table(&results),
    };
    output::printed(printed, exit_code)
}

fn scenario_result(
    name: String,
    seconds: u64,
    result: Result<conductor::RunOutcome, conductor::RunError>,
) -> ScenarioResult {
    let mut scenario = ScenarioResult {
        name,
        seconds,
        exit_code: output::EXIT_USAGE,
        verdict: None,
        folder: String::new(),
        open: Vec::new(),
        lints: Vec::new(),
        error: None,
    };
    match result {
        Ok(outcome) => {
            scenario.exit_code = outcome.exit_code;
            scenario.verdict = outcome.verdict;
            scenario.folder = outcome.folder.display().to_string();
            match unmet_checks(&outcome.folder.join(RECORD_FILE)) {
                Ok(unmet) => (scenario.open, scenario.lints) = unmet,
                Err(error) => scenario.error = Some(output::error_chain(&error)),
            }
        }
        Err(error) => scenario.error = Some(output::error_chain(&error)),
    }
    scenario
}

/// Checks of a record that did not pass, and its lints.
fn unmet_checks(record: &Path) -> Result<(Vec<Check>, Vec<Lint>), ReadError> {
    let (mut open, mut lints) = (Vec::new(), Vec::new());
    for line in Reader::open(record)?.only(&[Kind::Check, Kind::End]) {
        match line?.entry {
            Entry::Check(check) if check.verdict != Verdict::Pass => open.push(check),
            Entry::End(end) => lints = end.lints,
            _ => {}
        }
    }
    Ok((open, lints))
}

/// The exit code of all, the worst first: interrupted, not started, invalid, fail, inconclusive.
fn worst(results: &[ScenarioResult], interrupted: bool) -> u8 {
    if interrupted {
        return EXIT_INTERRUPTED;
    }
    let has = |code: u8| results.iter().any(|scenario| scenario.exit_code == code);
    [output::EXIT_USAGE, 3, 1, 4].into_iter().find(|code| has(*code)).unwrap_or(0)
}

fn verdict_of(scenario: &ScenarioResult) -> &'static str {
    match scenario.verdict {
        Some(Verdict::Pass) => "pass",
        Some(Verdict::Fail) => "FAIL",
        Some(Verdict::Inconclusive) => "inconclusive",
        Some(Verdict::Invalid) => "INVALID",
        None if scenario.error.is_some() => "no run",
        None => "interrupted",
    }
}

fn print_table(results: &[ScenarioResult]) -> std::io::Result<()> {
    let mut out = output::stdout();
    let width = results.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    writeln!(out)?;
    for one in results {
        writeln!(out, "{:width$}  {:12}  {:>4}s", one.name, verdict_of(one), one.seconds)?;
        for check in &one.open {
            let value = model::format::measured(&check.measured(), &check.unit);
            let why = if check.reason.is_empty() { "" } else { &check.reason };
            writeln!(out, "{:width$}    {}: {value} {why}", "", check.text)?;
        }
        for lint in &one.lints {
            writeln!(out, "{:width$}    {}, {}: {}", "", lint.word(), lint.name, lint.text)?;
        }
        if let Some(error) = &one.error {
            writeln!(out, "{:width$}    {error}", "")?;
        }
    }
    Ok(())
}

fn print_json(results: &[ScenarioResult], exit_code: u8) -> std::io::Result<()> {
    let one = |scenario: &ScenarioResult| {
        json!({
            "scenario": scenario.name,
            "verdict": scenario.verdict,
            "exit_code": scenario.exit_code,
            "seconds": scenario.seconds,
            "run_dir": scenario.folder,
            "open": scenario.open,
            "lints": scenario.lints,
            "error": scenario.error,
        })
    };
    let runs: Vec<_> = results.iter().map(one).collect();
    let document =
        json!({ "schema_version": result_document::SCHEMA_VERSION, "exit_code": exit_code, "runs": runs });
    let mut out = output::stdout();
    serde_json::to_writer_pretty(&mut out, &document)?;
    writeln!(out)
}
