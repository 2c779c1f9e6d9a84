//! `cleave report`: reports of finished runs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use model::Run;
use report::Comparison;

use crate::cli::{self, Document};
use crate::run_files::{self, RECORD_FILE};
use crate::{output, result_document};

/// Name of the page in a run's folder.
const PAGE_FILE: &str = "report.html";

/// `cleave report`.
pub fn report(args: &cli::Report) -> ExitCode {
    let rendered = match &args.compare {
        None => render_run(args),
        Some(other) => render_comparison(args, other),
    };
    let (text, page) = match rendered {
        Ok(rendered) => rendered,
        Err(text) => return output::usage_error(&text),
    };
    let to = args.to.clone().or_else(|| (args.output == Document::Html).then_some(page));
    match to {
        None => output::print_text(&text),
        Some(path) => match std::fs::write(&path, text) {
            Ok(()) => output::print_line(format_args!("{}", path.display())),
            Err(error) => {
                let text = format!("cannot write {}: {error}; choose another path with --to", path.display());
                return output::usage_error(&text);
            }
        },
    }
    ExitCode::SUCCESS
}

/// The report of a run, and the default path of its page.
fn render_run(args: &cli::Report) -> Result<(String, PathBuf), String> {
    let (folder, run) = run(&args.out, &args.run)?;
    let text = match args.output {
        Document::Html => report::page::page(&run),
        Document::Markdown => report::markdown::markdown(&run),
        Document::Json => result_document::text(&run, &folder).map_err(|error| error.to_string())? + "\n",
        Document::Junit => report::junit::junit(&run),
        Document::Github => report::github::annotations(&run, &file_of(&run)),
    };
    Ok((text, folder.join(PAGE_FILE)))
}

/// The comparison of two runs, and the default path of its page.
fn render_comparison(args: &cli::Report, other: &str) -> Result<(String, PathBuf), String> {
    if matches!(args.output, Document::Junit | Document::Github) {
        return Err("--compare does not support junit and github; expected --output html, markdown or json"
            .to_owned());
    }
    let (folder, run_one) = run(&args.out, &args.run)?;
    let (folder_two, run_two) = run(&args.out, other)?;
    let place = |folder: &Path| folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    if place(&folder) == place(&folder_two) {
        return Err(format!(
            "`{}` and `{other}` are the same run, {}; give another one to --compare",
            args.run,
            folder.display()
        ));
    }
    for (folder, run) in [(&folder, &run_one), (&folder_two, &run_two)] {
        if run.end.is_none() {
            return Err(format!(
                "{} has no end line: the run was cut short and has no figures to compare; cleave record check \
                 prints what it holds",
                folder.join(RECORD_FILE).display()
            ));
        }
    }
    let comparison = Comparison::of(&run_one, &run_two);
    let text = match args.output {
        Document::Markdown => report::markdown::comparison(&comparison),
        Document::Json => {
            let both = report::document::comparison(&comparison);
            serde_json::to_string_pretty(&both).map_err(|error| error.to_string())? + "\n"
        }
        _ => report::page::comparison(&comparison),
    };
    let name =
        place(&folder_two).file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let page = folder.join(format!("compare-{name}.html"));
    Ok((text, page))
}

/// A run's folder and what its record holds, or a message.
fn run(out: &Path, requested: &str) -> Result<(PathBuf, Run), String> {
    let folder = run_files::find(out, requested)?;
    let run = run_files::fold(&folder).map_err(|error| output::error_chain(&error))?;
    Ok((folder, run))
}

/// Writes the page of a run, as far as its record goes, to its folder; returns a message with the path or the error.
pub fn write_page(folder: &Path) -> String {
    let written = || -> Result<PathBuf, String> {
        let path = folder.join(PAGE_FILE);
        let run = run_files::fold(folder).map_err(|error| output::error_chain(&error))?;
        std::fs::write(&path, report::page::page(&run))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        Ok(path)
    };
    match written() {
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
