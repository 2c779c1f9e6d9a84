//! Every scenario of the catalogue, one after another, and one table.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use record::{Check, Entry, Line, Lint, Verdict};
use serde_json::json;
use tokio::sync::watch;

use crate::cli::{self, Output};
use crate::run::{self, EXIT_INTERRUPTED, View};
use crate::{catalogue, complain, document};

/// How one scenario turned out.
struct Told {
    name: String,
    seconds: u64,
    exit_code: u8,
    verdict: Option<Verdict>,
    folder: String,
    /// Checks that do not pass, and why.
    open: Vec<Check>,
    lints: Vec<Lint>,
    error: Option<String>,
}

/// `cleave run --all`.
pub fn all(asked: &cli::Run, began: Instant) -> ExitCode {
    let interrupts = watch::Sender::new(0);
    if let Err(error) = run::on_signals(interrupts.clone()) {
        return complain::error(&error);
    }
    let mut told = Vec::new();
    for name in catalogue::names() {
        let scenario = match catalogue::find(&name) {
            Ok(scenario) => scenario,
            Err(text) => return complain::usage(&text),
        };
        eprintln!("== {name}: {}", scenario.title);
        let started = runtime::clock::now();
        let order = match run::order(asked, scenario, began) {
            Ok(order) => order,
            Err(error) => return complain::error(&error),
        };
        let result = run::execute(order, View::Progress, &interrupts, cli::Screen::default());
        let seconds = started.elapsed().as_secs();
        told.push(tell(name, seconds, result));
        if *interrupts.borrow() > 0 {
            break;
        }
    }
    let exit_code = worst(&told, *interrupts.borrow() > 0);
    let printed = match asked.output {
        Output::Json => print_json(&told, exit_code),
        Output::Human => print_table(&told),
    };
    match printed {
        Ok(()) => ExitCode::from(exit_code),
        Err(error) => complain::error(&error),
    }
}

fn tell(name: String, seconds: u64, result: Result<conductor::Outcome, conductor::RunError>) -> Told {
    let mut told = Told {
        name,
        seconds,
        exit_code: complain::EXIT_USAGE,
        verdict: None,
        folder: String::new(),
        open: Vec::new(),
        lints: Vec::new(),
        error: None,
    };
    match result {
        Ok(outcome) => {
            told.exit_code = outcome.exit_code;
            told.verdict = outcome.verdict;
            told.folder = outcome.folder.display().to_string();
            let lines = record::Reader::read_all(&outcome.folder.join("run.jsonl")).unwrap_or_default();
            (told.open, told.lints) = what_is_open(&lines);
        }
        Err(error) => told.error = Some(complain::chain(&error)),
    }
    told
}

fn what_is_open(lines: &[Line]) -> (Vec<Check>, Vec<Lint>) {
    let (mut open, mut lints) = (Vec::new(), Vec::new());
    for line in lines {
        match &line.entry {
            Entry::Check(check) if check.verdict != Verdict::Pass => open.push(check.clone()),
            Entry::End(end) => lints.clone_from(&end.lints),
            _ => {}
        }
    }
    (open, lints)
}

/// The exit code of all: interrupted, then what could not start, invalid, fail, inconclusive.
fn worst(told: &[Told], interrupted: bool) -> u8 {
    if interrupted {
        return EXIT_INTERRUPTED;
    }
    let has = |code: u8| told.iter().any(|told| told.exit_code == code);
    [complain::EXIT_USAGE, 3, 1, 4].into_iter().find(|code| has(*code)).unwrap_or(0)
}

fn verdict_of(told: &Told) -> &'static str {
    match told.verdict {
        Some(Verdict::Pass) => "pass",
        Some(Verdict::Fail) => "FAIL",
        Some(Verdict::Inconclusive) => "inconclusive",
        Some(Verdict::Invalid) => "INVALID",
        None if told.error.is_some() => "no run",
        None => "interrupted",
    }
}

fn print_table(told: &[Told]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let width = told.iter().map(|told| told.name.len()).max().unwrap_or(0);
    writeln!(out)?;
    for one in told {
        writeln!(out, "{:width$}  {:12}  {:>4}s", one.name, verdict_of(one), one.seconds)?;
        for check in &one.open {
            let value = check.value.map_or("none".to_owned(), |value| format!("{value:.4}"));
            let why = if check.reason.is_empty() { "" } else { &check.reason };
            writeln!(out, "{:width$}    {}: {value} {why}", "", check.text)?;
        }
        for lint in &one.lints {
            writeln!(out, "{:width$}    {}: {}", "", lint.name, lint.text)?;
        }
        if let Some(error) = &one.error {
            writeln!(out, "{:width$}    {error}", "")?;
        }
    }
    Ok(())
}

fn print_json(told: &[Told], exit_code: u8) -> std::io::Result<()> {
    let one = |told: &Told| {
        json!({
            "scenario": told.name,
            "verdict": told.verdict,
            "exit_code": told.exit_code,
            "seconds": told.seconds,
            "run_dir": told.folder,
            "open": told.open,
            "lints": told.lints,
            "error": told.error,
        })
    };
    let runs: Vec<_> = told.iter().map(one).collect();
    let document =
        json!({ "schema_version": document::SCHEMA_VERSION, "exit_code": exit_code, "runs": runs });
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &document)?;
    writeln!(out)
}
