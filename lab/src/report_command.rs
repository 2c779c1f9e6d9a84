//! `cleave report`: reports of finished runs, one document or several.

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use model::Run;
use record::Verdict;
use report::Comparison;
use report::regressions::{Regressions, regressions};

use crate::cli::report_output::{self, ReportOutput};
use crate::cli::{self, Document, Output};
use crate::run_files::{self, RECORD_FILE};
use crate::{output, result_document, whole_file};

/// Columns of the scorecard as text.
const DEFAULT_COLUMNS: u16 = 80;
/// Name of the page in a run's folder.
const PAGE_FILE: &str = "report.html";
/// Opens a file with the program that the desktop has for it (freedesktop.org, xdg-utils).
const OPENER: &str = "xdg-open";

/// What is done with documents besides writing them.
#[derive(Clone, Copy)]
struct Delivery {
    /// Pages are opened in the browser.
    is_opened: bool,
    /// Standard output is a document's: paths go to standard error.
    is_reserved: bool,
    /// Text and Markdown have every row.
    is_full: bool,
}

impl Delivery {
    const fn of(args: &cli::Report) -> Self {
        Self { is_opened: args.open, is_reserved: false, is_full: args.full }
    }
}

/// `cleave report`.
pub fn report(args: &cli::Report) -> ExitCode {
    match outputs(args).and_then(|outputs| match &args.compare {
        None => {
            let (folder, mut run) = run(&args.out, &args.run)?;
            if let Some(against) = &args.against {
                compare_with(&mut run, against)?;
            }
            write_run(&folder, &run, &outputs, Delivery::of(args)).map(|()| 0)
        }
        Some(before) => write_comparison(args, before, &outputs),
    }) {
        Ok(code) => ExitCode::from(code),
        Err(text) => output::usage_error(&text),
    }
}

/// The documents that a command line asks for.
fn outputs(args: &cli::Report) -> Result<Vec<ReportOutput>, String> {
    let mut outputs = args.output.clone();
    if let Some(to) = &args.to {
        match outputs.as_mut_slice() {
            [only] if only.to.is_none() => only.to = Some(to.clone()),
            _ => {
                return Err("--to is for one document; write the file of each after its format: --output \
                             html=page.html,junit=results.xml"
                    .to_owned());
            }
        }
    }
    with_page(&mut outputs, args.open);
    report_output::check(&outputs)?;
    Ok(outputs)
}

/// A page that is to be opened is to be written.
fn with_page(outputs: &mut Vec<ReportOutput>, is_opened: bool) {
    if is_opened && outputs.iter().all(|output| output.format != Document::Html) {
        outputs.push(ReportOutput::of(Document::Html));
    }
}

/// Checks what `run` is asked to write when it has ended, before it begins.
///
/// # Errors
/// A message where two documents would share standard output.
pub fn check(args: &cli::Run) -> Result<(), String> {
    report_output::check(&args.report)?;
    match args.report.iter().find(|output| output.is_printed()) {
        Some(output) if args.output == Output::Json => Err(format!(
            "standard output has the document of --output json; name a file: --report {output}=FILE"
        )),
        _ => Ok(()),
    }
}

/// Writes what `run` is asked to write of its run.
///
/// # Errors
/// A message with the path.
pub fn write_all(args: &cli::Run, folder: &Path, run: &Run) -> Result<(), String> {
    let mut outputs = args.report.clone();
    with_page(&mut outputs, args.open);
    let delivery =
        Delivery { is_opened: args.open, is_reserved: args.output == Output::Json, is_full: args.full };
    write_run(folder, run, &outputs, delivery)
}

/// Writes documents of a run.
fn write_run(folder: &Path, run: &Run, outputs: &[ReportOutput], delivery: Delivery) -> Result<(), String> {
    for output in outputs {
        let text = match output.format {
            Document::Html => report::page::page(run),
            Document::Text => text_of(run, delivery.is_full).map_err(|error| error.to_string())?,
            Document::Markdown if delivery.is_full => report::markdown::unfolded(run),
            Document::Markdown => report::markdown::markdown(run),
            Document::Json => result_document::text(run, folder).map_err(|error| error.to_string())? + "\n",
            Document::Junit => report::junit::junit(run),
            Document::Github => report::github::annotations(run, &file_of(run)),
        };
        deliver(output, &text, &folder.join(PAGE_FILE), delivery)?;
    }
    Ok(())
}

/// Writes a document where it goes, and opens it if it is a page that is to be.
fn deliver(output: &ReportOutput, text: &str, page: &Path, delivery: Delivery) -> Result<(), String> {
    let is_page = output.format == Document::Html;
    let Some(path) = output.to.as_deref().or(is_page.then_some(page)) else {
        output::print_text(text);
        return Ok(());
    };
    write(path, text)?;
    let print = if delivery.is_reserved { output::note } else { output::print_line };
    print(format_args!("{}", path.display()));
    if delivery.is_opened && is_page {
        open(path);
    }
    Ok(())
}

/// Judges the rows of a run again, with another arm as the one that the others are compared with. What is known of starts
/// on the machine that ran it is not in the record: findings of arms that ran side by side have to exceed the margin.
fn compare_with(run: &mut Run, against: &str) -> Result<(), String> {
    let arms = &run.header.arms;
    let known = arms.iter().find(|arm| arm.name == against || arm.letter.to_string() == against);
    let Some(arm) = known else {
        return Err(scenario::source::unknown("arm", against, arms.iter().map(|arm| arm.name.as_str())));
    };
    if run.base().is_some_and(|base| base.letter == arm.letter) {
        return Ok(());
    }
    run.header.base = Some(arm.letter);
    let scores = scorecard::scorecard(run);
    run.replace_scores(scores);
    Ok(())
}

/// What a run prints at its end.
fn text_of(run: &Run, is_full: bool) -> std::io::Result<String> {
    let mut text = Vec::new();
    if is_full {
        tui::card::print(&mut text, run, DEFAULT_COLUMNS, false)?;
    } else {
        tui::card::print_folded(&mut text, run, DEFAULT_COLUMNS, false)?;
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Writes a document to a file.
///
/// # Errors
/// A message with the path.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error| format!("cannot write {}: {error}; choose another path", path.display());
    whole_file::write(path, text.as_bytes()).map_err(failed)
}

/// Opens a page in the browser. Where there is none, its path has been printed.
fn open(page: &Path) {
    let mut opener = std::process::Command::new(OPENER);
    opener.arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // It ends by itself, when the browser has the page.
    if let Err(error) = opener.spawn() {
        output::note(format_args!(
            "{} cannot be opened: {OPENER}: {error}; open it in a browser",
            page.display()
        ));
    }
}

/// Writes the comparison of the run that was asked for with the one before the change; returns the exit code.
fn write_comparison(args: &cli::Report, before: &str, outputs: &[ReportOutput]) -> Result<u8, String> {
    let is_unsupported =
        |output: &ReportOutput| matches!(output.format, Document::Text | Document::Junit | Document::Github);
    if outputs.iter().any(is_unsupported) {
        return Err(
            "--compare does not support junit and github, nor text; expected --output html, markdown or json"
                .to_owned(),
        );
    }
    let (folder, run_after) = run(&args.out, &args.run)?;
    let (folder_before, run_before) = run(&args.out, before)?;
    let place = |folder: &Path| folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    if place(&folder) == place(&folder_before) {
        return Err(format!(
            "`{}` and `{before}` are the same run, {}; give another one to --compare",
            args.run,
            folder.display()
        ));
    }
    for (folder, run) in [(&folder, &run_after), (&folder_before, &run_before)] {
        if run.end.is_none() {
            return Err(format!(
                "{} has no end line: the run was cut short and has no figures to compare; cleave record check \
                 prints what it holds",
                folder.join(RECORD_FILE).display()
            ));
        }
    }
    let comparison = Comparison::of(&run_before, &run_after);
    let name = place(&folder_before)
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let page = folder.join(format!("compare-{name}.html"));
    for output in outputs {
        let text = match output.format {
            Document::Markdown => report::markdown::comparison(&comparison),
            Document::Json => {
                let both = report::document::comparison(&comparison);
                serde_json::to_string_pretty(&both).map_err(|error| error.to_string())? + "\n"
            }
            _ => report::page::comparison(&comparison),
        };
        deliver(output, &text, &page, Delivery::of(args))?;
    }
    Ok(if args.fail_on.is_empty() { 0 } else { gated(&regressions(&comparison, &args.fail_on)) })
}

/// Prints what a gate found, and returns the exit code: that of a run with the same trouble.
fn gated(found: &Regressions) -> u8 {
    for (word, sentences) in
        [("worse", &found.worse), ("undecided", &found.undecided), ("invalid", &found.void)]
    {
        for sentence in sentences {
            output::note(format_args!("{word}: {sentence}"));
        }
    }
    if !found.void.is_empty() {
        scorecard::exit_code(Verdict::Invalid)
    } else if !found.worse.is_empty() {
        scorecard::exit_code(Verdict::Fail)
    } else if !found.undecided.is_empty() {
        scorecard::exit_code(Verdict::Inconclusive)
    } else {
        output::note(format_args!("nothing is worse than before"));
        0
    }
}

/// A run's folder and what its record holds, or a message.
fn run(out: &Path, requested: &str) -> Result<(PathBuf, Run), String> {
    let folder = run_files::find_recorded(out, requested)?;
    let run = run_files::fold(&folder).map_err(|error| output::error_chain(&error))?;
    Ok((folder, run))
}

/// Writes the page of a run, as far as its record goes, to its folder; returns its path.
///
/// # Errors
/// A message with the path.
pub fn write_page(folder: &Path) -> Result<PathBuf, String> {
    let path = folder.join(PAGE_FILE);
    let run = run_files::fold(folder).map_err(|error| output::error_chain(&error))?;
    whole_file::write(&path, report::page::page(&run).as_bytes())
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(path)
}

/// The same for a dashboard: a line with the path or the error.
pub fn page_status(folder: &Path) -> String {
    match write_page(folder) {
        Ok(path) => format!("report: {}", path.display()),
        Err(text) => format!("report not written: {text}"),
    }
}

/// The scenario's path as given on the command line, or of the shipped scenario of that name.
fn file_of(run: &Run) -> String {
    let header = &run.header;
    let written = header.command.iter().find(|word| word.ends_with(".toml"));
    written.cloned().unwrap_or_else(|| format!("scenarios/{}.toml", header.scenario))
}
