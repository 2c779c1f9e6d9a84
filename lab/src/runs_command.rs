//! `cleave runs`: what lies in the folder of runs, and removing some of it.

mod removal;
mod summary;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use model::format::printable;
use serde_json::json;

pub(crate) use self::removal::remove;
use self::summary::RunSummary;
use crate::cli::Output;
use crate::cli::runs::{Runs, RunsCommand};
use crate::{output, result_document, run_files};

/// `cleave runs`.
pub fn runs(args: &Runs) -> ExitCode {
    match &args.command {
        None => list(&args.out, args.output),
        Some(RunsCommand::Prune(prune)) => removal::prune(&args.out, prune),
        Some(RunsCommand::Rm(rm)) => removal::remove_named(&args.out, &rm.runs),
    }
}

/// Prints all runs, the newest first.
fn list(out: &Path, form: Output) -> ExitCode {
    let now_us = runtime::clock::wall_us();
    let runs: Vec<RunSummary> = run_files::all(out).iter().rev().map(RunSummary::of).collect();
    let printed = match form {
        Output::Json => print_json(&runs, now_us),
        Output::Human => print_table(out, &runs, now_us),
    };
    output::printed(printed, 0)
}

fn print_table(out: &Path, runs: &[RunSummary], now_us: i64) -> std::io::Result<()> {
    let mut to = output::stdout();
    if runs.is_empty() {
        return writeln!(to, "no run in {}; start one with: cleave run first-look", out.display());
    }
    let rows: Vec<[String; 6]> = runs.iter().map(|run| run.cells(now_us)).collect();
    let head = ["run", "scenario", "verdict", "age", "size", "labels"].map(str::to_owned);
    let widths: [usize; 6] = std::array::from_fn(|column| {
        rows.iter().chain([&head]).map(|row| row[column].chars().count()).max().unwrap_or(0)
    });
    for row in [&head].into_iter().chain(&rows) {
        // Numbers end where their column does.
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
            3 | 4 => format!("{cell:>width$}"),
            _ => format!("{cell:width$}"),
        });
        let line = cells.collect::<Vec<String>>().join("  ");
        writeln!(to, "{}", printable(line.trim_end()))?;
    }
    let bytes: u64 = runs.iter().map(|run| run.bytes).sum();
    let runs = if runs.len() == 1 { "1 run".to_owned() } else { format!("{} runs", runs.len()) };
    writeln!(to, "{runs}, {}", summary::size(bytes))
}

fn print_json(runs: &[RunSummary], now_us: i64) -> std::io::Result<()> {
    let runs: Vec<serde_json::Value> = runs.iter().map(|run| run.document(now_us)).collect();
    let document = json!({ "schema_version": result_document::SCHEMA_VERSION, "runs": runs });
    let mut to = output::stdout();
    serde_json::to_writer_pretty(&mut to, &document)?;
    writeln!(to)
}
