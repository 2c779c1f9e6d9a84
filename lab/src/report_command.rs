//! `cleave report` and `cleave record`: reports of finished runs, and checks and exports of their records.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use model::Run;
use model::source::Replay;
use record::{Entry, Line, Reader};
use report::Comparison;

use crate::cli::{self, Document, RecordCommand};
use crate::{output, result_document};

/// Name of the record in a run's folder.
pub const RECORD_FILE: &str = "run.jsonl";
/// Name of the page in a run's folder.
const PAGE_FILE: &str = "report.html";
/// Schema errors printed at most: the first ones usually explain the rest.
const MAX_SCHEMA_ERRORS: usize = 10;
/// Exit code of an incomplete record: the same as of an invalid run.
const EXIT_INCOMPLETE: u8 = 3;

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
    let written = match &to {
        Some(path) => std::fs::write(path, text),
        None => std::io::stdout().lock().write_all(text.as_bytes()),
    };
    match (written, to) {
        (Ok(()), Some(path)) => output::print_line(format_args!("{}", path.display())),
        (Ok(()), None) => {}
        (Err(error), Some(path)) => {
            let text = format!("cannot write {}: {error}; choose another path with --to", path.display());
            return output::usage_error(&text);
        }
        // The reader of the pipe has exited.
        (Err(_), None) => {}
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

/// A run's folder and its record, or a message.
fn run(out: &Path, requested: &str) -> Result<(PathBuf, Run), String> {
    let folder = find(out, requested)?;
    let run = run_in(&folder)?;
    Ok((folder, run))
}

fn run_in(folder: &Path) -> Result<Run, String> {
    Run::of(&lines_in(folder)?).map_err(|error| output::error_chain(&error))
}

fn lines_in(folder: &Path) -> Result<Vec<Line>, String> {
    Reader::read_all(&folder.join(RECORD_FILE)).map_err(|error| output::error_chain(&error))
}

/// Writes the page of a run, as far as its record goes, to its folder; returns a message with the path or the error.
pub fn write_page(folder: &Path) -> String {
    let written = || -> Result<PathBuf, String> {
        let path = folder.join(PAGE_FILE);
        std::fs::write(&path, report::page::page(&run_in(folder)?))
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

/// `cleave record`.
pub fn record(args: &RecordCommand) -> ExitCode {
    match args {
        RecordCommand::Check { run, out } => check(out, run),
        RecordCommand::Export { run, to, out } => export(out, run, to.as_deref()),
    }
}

fn export(out: &Path, run: &str, to: Option<&Path>) -> ExitCode {
    let record = match find(out, run).and_then(|folder| lines_in(&folder)) {
        Ok(lines) => Replay::of(lines),
        Err(text) => return output::usage_error(&text),
    };
    let Some(path) = to else {
        // The reader of the pipe may have exited.
        let _ = grafana::openmetrics::export(record, &mut std::io::stdout().lock());
        return ExitCode::SUCCESS;
    };
    let written = std::fs::File::create(path).and_then(|file| {
        let mut file = std::io::BufWriter::new(file);
        let exported = grafana::openmetrics::export(record, &mut file)?;
        file.flush()?;
        Ok(exported)
    });
    match written {
        Ok(exported) => {
            output::print_line(format_args!("{}: {} samples", path.display(), exported.samples));
            ExitCode::SUCCESS
        }
        Err(error) => output::usage_error(&format!(
            "cannot write {}: {error}; choose another path with --to",
            path.display()
        )),
    }
}

fn check(out: &Path, run: &str) -> ExitCode {
    let folder = match find(out, run) {
        Ok(folder) => folder,
        Err(text) => return output::usage_error(&text),
    };
    let path = folder.join(RECORD_FILE);
    let lines = match Reader::read_all(&path) {
        Ok(lines) => lines,
        Err(error) => return output::error(&error),
    };
    output::print_line(format_args!("{}", path.display()));
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    lines.iter().for_each(|line| *counts.entry(line.entry.kind()).or_default() += 1);
    for (kind, count) in &counts {
        output::print_line(format_args!("  {kind:8} {count:>8}"));
    }
    let mut problems = problems(&path, &lines, &counts);
    problems.extend(schema_errors(&path));
    for fault in &problems {
        output::print_line(format_args!("! {fault}"));
    }
    if problems.is_empty() {
        output::print_line(format_args!(
            "complete: every line is valid, and the counts in the end line match"
        ));
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_INCOMPLETE)
    }
}

/// What makes a record incomplete.
fn problems(path: &Path, lines: &[Line], counts: &BTreeMap<&str, u64>) -> Vec<String> {
    let mut problems = Vec::new();
    let bytes = std::fs::read(path).unwrap_or_default();
    if bytes.last().is_some_and(|last| *last != b'\n') {
        problems.push(
            "the last line is incomplete: the run was killed while the line was being written".to_owned(),
        );
    }
    let mut ends = lines.iter().rev().filter_map(|line| match &line.entry {
        Entry::End(end) => Some(end),
        _ => None,
    });
    match ends.next() {
        None => problems.push("the end line is missing: the run was cut short, and is invalid".to_owned()),
        Some(end) => {
            for (kind, declared) in end.lines.iter().filter(|(kind, _)| *kind != "end") {
                let found = counts.get(kind.as_str()).copied().unwrap_or(0);
                if found != *declared {
                    problems.push(format!(
                        "{found} lines of kind {kind} were found, and the end line declares {declared}"
                    ));
                }
            }
        }
    }
    problems
}

/// Lines that do not conform to the published schema: other readers would reject them.
fn schema_errors(path: &Path) -> Vec<String> {
    let schema = record::schema::line();
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // An incomplete last line is reported separately; an unknown kind belongs to a later version.
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let known = |value: &serde_json::Value| serde_json::from_value::<Line>(value.clone()).is_ok();
    whole
        .enumerate()
        .filter_map(|(at, line)| Some((at, serde_json::from_str(line).ok().filter(known)?)))
        .flat_map(|(at, value)| {
            let problems = record::schema::faults(&schema, &value);
            problems.into_iter().map(move |fault| format!("line {}{fault}", at + 1))
        })
        .take(MAX_SCHEMA_ERRORS)
        .collect()
}

/// The folder of a run, by `last`, id, end of the id, or path.
///
/// # Errors
/// A message with the latest runs.
pub fn find(out: &Path, requested: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(requested);
    if path.join(RECORD_FILE).is_file() {
        return Ok(path);
    }
    if path.file_name().is_some_and(|name| name == RECORD_FILE) && path.is_file() {
        return Ok(path.parent().map_or_else(PathBuf::new, Path::to_path_buf));
    }
    let mut known: Vec<String> = std::fs::read_dir(out)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join(RECORD_FILE).is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    // Ids begin with their start time.
    known.sort();
    let Some(last) = known.last() else {
        return Err(format!("no run in {}; start one with: cleave run first-look", out.display()));
    };
    if requested == "last" {
        return Ok(out.join(last));
    }
    let meant: Vec<&String> = known.iter().filter(|id| *id == requested || id.ends_with(requested)).collect();
    match meant.as_slice() {
        [one] => Ok(out.join(one)),
        [] => {
            let latest = known.iter().rev().take(5).cloned().collect::<Vec<_>>().join(", ");
            Err(format!(
                "unknown run `{requested}` in {}; latest runs: {latest}; write `last` for the latest",
                out.display()
            ))
        }
        many => Err(format!("`{requested}` matches {} runs; write more of the id", many.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_found_by_id_suffix_or_folder() {
        let folder = tempfile::TempDir::new().expect("a folder");
        for id in ["20260101-000000-aaaa", "20260102-000000-bbbb", "20260102-000000-cbbb"] {
            std::fs::create_dir(folder.path().join(id)).expect("a folder");
            std::fs::write(folder.path().join(id).join(RECORD_FILE), "").expect("a file");
        }
        let find =
            |args: &str| find(folder.path(), args).map(|path| path.file_name().expect("a name").to_owned());
        assert_eq!(find("last").expect("there is one"), "20260102-000000-cbbb");
        assert_eq!(find("aaaa").expect("there is one"), "20260101-000000-aaaa");
        assert!(find("bbb").expect_err("two").contains("matches 2 runs"));
        assert!(find("dddd").expect_err("none").contains("latest runs: 20260102-000000-cbbb"));
        let path = folder.path().join("20260101-000000-aaaa");
        assert_eq!(find(&path.to_string_lossy()).expect("a folder"), "20260101-000000-aaaa");
    }
}
