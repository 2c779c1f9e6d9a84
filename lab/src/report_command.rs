//! `cleave report`: reports of finished runs.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use model::Run;
use record::{Line, Reader};
use report::Comparison;

use crate::cli::{self, Document};
use crate::{output, result_document};

/// Name of the record in a run's folder.
pub const RECORD_FILE: &str = "run.jsonl";
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

/// The lines of a run's record, or a message.
pub fn lines_in(folder: &Path) -> Result<Vec<Line>, String> {
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
