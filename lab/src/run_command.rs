//! `cleave run`: executes a scenario, shows it, prints its scorecard and sets the exit code.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use conductor::{RunError, RunOutcome};
use model::format::printable;
use record::Verdict;

use crate::cli::{self, Output};
use crate::output::EXIT_INTERRUPTED;
use crate::run_files::{self, RECORD_FILE};
use crate::run_view::View;
use crate::{
    calibrate_command, capacity_probe, change, execution, output, prediction, report_command,
    result_document, scenario_files, signals,
};

/// Columns of the scorecard when the width of the terminal is unknown.
const DEFAULT_COLUMNS: u16 = 80;

/// `cleave run`.
pub fn run(scenario: &str, args: &cli::Run, started_at: Instant) -> ExitCode {
    let found = report_command::check(args).and_then(|()| scenario_files::find(scenario));
    let found = found.and_then(|mut scenario| {
        change::choose(&mut scenario, &args.change)?;
        Ok(scenario)
    });
    let scenario = match found {
        Ok(scenario) => scenario,
        Err(text) => return output::usage_error(&text),
    };
    let mut options = match execution::run_options(args, scenario, started_at) {
        Ok(options) => options,
        Err(error) => return output::error(&error),
    };
    // What would be refused is refused before minutes of building.
    if let Err(error) = conductor::run::check(&options) {
        return output::error(&error);
    }
    if args.predict
        && let Err(code) = prediction::check(&options)
    {
        return code;
    }
    let change = match change::build(&options.scenario, &options.arms, &args.change) {
        Ok(change) => change,
        Err(text) => return output::usage_error(&text),
    };
    if let Some(change) = &change {
        // The run begins when what it deploys is built.
        options.started_at = runtime::clock::now();
        options.change = Some(change.built.clone());
        options.notes.extend(change.notes.iter().cloned());
    }
    if args.predict {
        let calibration = prediction::calibration(&calibrate_command::default_file(&options.out));
        match calibration.and_then(|calibration| prediction::frozen(&options, &calibration)) {
            Ok(prediction) => options.prediction = Some(prediction),
            Err(code) => return code,
        }
    }
    // Before any thread starts: a multi-threaded process cannot enter another network namespace.
    if options.scenario.loses_packets()
        && let Err(error) = conductor::process::netns::enter()
    {
        output::note(format_args!("packet loss is not available: {error}"));
    }
    let interrupts = match signals::count_interrupts() {
        Ok(interrupts) => interrupts,
        Err(error) => return output::error(&error),
    };
    let view = if output::is_quiet() { View::Silent } else { View::choose(args) };
    let result = capacity_probe::resolve_rate(options, &interrupts)
        .and_then(|options| execution::execute(options, view, &interrupts, args.screen));
    finish(args, result)
}

fn finish(args: &cli::Run, result: Result<RunOutcome, RunError>) -> ExitCode {
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(error @ RunError::Interrupted) => {
            output::note(format_args!("{error}"));
            return ExitCode::from(EXIT_INTERRUPTED);
        }
        Err(error) => return output::error(&error),
    };
    present(args, &outcome)
}

/// Prints what came of a run, and writes the documents that are asked for.
pub fn present(args: &cli::Run, outcome: &RunOutcome) -> ExitCode {
    let run = match run_files::fold(&outcome.folder) {
        Ok(run) => run,
        Err(error) => return output::error(&error),
    };
    let printed = match args.output {
        Output::Json => result_document::print(&mut output::stdout(), &outcome.folder, &run),
        Output::Human => {
            let record = outcome.folder.join(RECORD_FILE);
            scorecard(&run, &record::file::find(&record).unwrap_or(record), args)
        }
    };
    if outcome.verdict == Some(Verdict::Fail) && !args.keep_data && !run.is_simulated() {
        let id = outcome.folder.file_name().unwrap_or_default().display();
        output::progress(format_args!(
            "databases are kept for diagnosis; cleave runs rm {id}{} removes the run with them",
            out_option(args)
        ));
    }
    let code = output::printed(printed, outcome.exit_code);
    match report_command::write_all(args, &outcome.folder, &run) {
        Ok(()) => code,
        Err(text) => output::usage_error(&text),
    }
}

/// What commands about the run need where its folder is not the default one.
fn out_option(args: &cli::Run) -> String {
    match args.out.to_str() {
        Some(cli::DEFAULT_OUT) | None => String::new(),
        Some(folder) => format!(" --out {}", model::shell::command_line(&[folder.to_owned()])),
    }
}

/// The scorecard, where the record lies, and the two commands that show more.
fn scorecard(run: &model::Run, record: &Path, args: &cli::Run) -> std::io::Result<()> {
    let mut out = output::stdout();
    let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let columns = if out.is_terminal() { tui::columns() } else { None };
    let columns = columns.unwrap_or(DEFAULT_COLUMNS);
    if args.full {
        tui::card::print(&mut out, run, columns, colour)?;
    } else {
        tui::card::print_folded(&mut out, run, columns, colour)?;
    }
    writeln!(out, "record: {}", printable(&record.display().to_string()))?;
    writeln!(out)?;
    let (name, folder) = (name_of(record, args), out_option(args));
    writeln!(out, "cleave report {name}{folder}")?;
    writeln!(out, "cleave replay {name}{folder}")
}

/// What commands call the run of a record: `last`, unless another one has begun in its folder meanwhile.
fn name_of(record: &Path, args: &cli::Run) -> String {
    let own = record.parent().and_then(Path::file_name).unwrap_or_default();
    match run_files::find(&args.out, "last") {
        Ok(last) if last.file_name() != Some(own) => own.to_string_lossy().into_owned(),
        _ => "last".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_files::tests::put;

    #[test]
    fn a_run_is_called_last_until_another_one_begins() {
        let out = tempfile::TempDir::new().expect("a folder");
        let args = cli::Run { out: out.path().to_owned(), ..cli::Run::default() };
        let record = put(out.path(), "20260101-000000-aaaa", 1, &[]).join(RECORD_FILE);
        assert_eq!(name_of(&record, &args), "last");
        put(out.path(), "20260101-000001-bbbb", 2, &[]);
        assert_eq!(name_of(&record, &args), "20260101-000000-aaaa");
    }
}
