//! `cleave report` and `cleave record`: runs that are over.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use record::{Entry, Line, Reader};
use report::Story;

use crate::cli::{self, Document, RecordCommand};
use crate::complain;

/// A record's name in its folder.
pub const RECORD: &str = "run.jsonl";
/// A page's name there.
const PAGE: &str = "report.html";
/// A record that is not whole, as a run that cannot be judged.
const EXIT_NOT_WHOLE: u8 = 3;

/// `cleave report`.
pub fn report(asked: &cli::Report) -> ExitCode {
    let folder = match find(&asked.out, &asked.run) {
        Ok(folder) => folder,
        Err(text) => return complain::usage(&text),
    };
    let lines = match Reader::read_all(&folder.join(RECORD)) {
        Ok(lines) => lines,
        Err(error) => return complain::error(&error),
    };
    let story = match Story::of(&lines) {
        Ok(story) => story,
        Err(error) => return complain::error(&error),
    };
    let text = match asked.output {
        Document::Html => report::page::page(&story),
        Document::Markdown => report::markdown::markdown(&story),
        Document::Junit => report::junit::junit(&story),
        Document::Github => report::github::annotations(&story, &file_of(&story)),
    };
    let to = asked.to.clone().or_else(|| (asked.output == Document::Html).then(|| folder.join(PAGE)));
    let written = match &to {
        Some(path) => std::fs::write(path, text),
        None => std::io::stdout().lock().write_all(text.as_bytes()),
    };
    match (written, to) {
        (Ok(()), Some(path)) => complain::say(format_args!("{}", path.display())),
        (Ok(()), None) => {}
        (Err(error), Some(path)) => {
            let text =
                format!("{} cannot be written: {error}; choose another place with --to", path.display());
            return complain::usage(&text);
        }
        // Whoever read us has gone.
        (Err(_), None) => {}
    }
    ExitCode::SUCCESS
}

/// Writes the page of a run as far as its record goes, into its folder; says where, or why not.
pub fn page_now(folder: &Path) -> String {
    let written = || -> Result<PathBuf, String> {
        let lines = Reader::read_all(&folder.join(RECORD)).map_err(|error| error.to_string())?;
        let story = Story::of(&lines).map_err(|error| error.to_string())?;
        let path = folder.join(PAGE);
        std::fs::write(&path, report::page::page(&story))
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
        Ok(path)
    };
    match written() {
        Ok(path) => format!("report: {}", path.display()),
        Err(text) => format!("no report: {text}"),
    }
}

/// The scenario's path as whoever ran it wrote it, or where a named one lies.
fn file_of(story: &Story) -> String {
    let header = story.header();
    let written = header.command.iter().find(|word| word.ends_with(".toml"));
    written.cloned().unwrap_or_else(|| format!("scenarios/{}.toml", header.scenario))
}

/// `cleave record`.
pub fn record(asked: &RecordCommand) -> ExitCode {
    let RecordCommand::Check { run, out } = asked;
    let folder = match find(out, run) {
        Ok(folder) => folder,
        Err(text) => return complain::usage(&text),
    };
    let path = folder.join(RECORD);
    let lines = match Reader::read_all(&path) {
        Ok(lines) => lines,
        Err(error) => return complain::error(&error),
    };
    complain::say(format_args!("{}", path.display()));
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    lines.iter().for_each(|line| *counts.entry(line.entry.kind()).or_default() += 1);
    for (kind, count) in &counts {
        complain::say(format_args!("  {kind:8} {count:>8}"));
    }
    let faults = faults(&path, &lines, &counts);
    for fault in &faults {
        complain::say(format_args!("! {fault}"));
    }
    if faults.is_empty() {
        complain::say(format_args!("whole: every line is readable, and its end counts as many as there are"));
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_NOT_WHOLE)
    }
}

/// What a record lacks.
fn faults(path: &Path, lines: &[Line], counts: &BTreeMap<&str, u64>) -> Vec<String> {
    let mut faults = Vec::new();
    let bytes = std::fs::read(path).unwrap_or_default();
    if bytes.last().is_some_and(|last| *last != b'\n') {
        faults.push("the last line is torn: the run was cut short while it was written".to_owned());
    }
    let mut ends = lines.iter().rev().filter_map(|line| match &line.entry {
        Entry::End(end) => Some(end),
        _ => None,
    });
    match ends.next() {
        None => faults.push("there is no end: the run was cut short, and counts as invalid".to_owned()),
        Some(end) => {
            for (kind, said) in end.lines.iter().filter(|(kind, _)| *kind != "end") {
                let found = counts.get(kind.as_str()).copied().unwrap_or(0);
                if found != *said {
                    faults.push(format!("{said} lines of kind {kind} were written, and {found} are here"));
                }
            }
        }
    }
    faults
}

/// The folder of a run, by what somebody would call it.
///
/// # Errors
/// A sentence with the runs there are.
pub fn find(out: &Path, asked: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(asked);
    if path.join(RECORD).is_file() {
        return Ok(path);
    }
    if path.file_name().is_some_and(|name| name == RECORD) && path.is_file() {
        return Ok(path.parent().map_or_else(PathBuf::new, Path::to_path_buf));
    }
    let mut known: Vec<String> = std::fs::read_dir(out)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join(RECORD).is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    // Ids begin with their moment.
    known.sort();
    let Some(last) = known.last() else {
        return Err(format!("there is no run in {}; cleave run first-look makes one", out.display()));
    };
    if asked == "last" {
        return Ok(out.join(last));
    }
    let meant: Vec<&String> = known.iter().filter(|id| *id == asked || id.ends_with(asked)).collect();
    match meant.as_slice() {
        [one] => Ok(out.join(one)),
        [] => {
            let latest = known.iter().rev().take(5).cloned().collect::<Vec<_>>().join(", ");
            Err(format!(
                "unknown run `{asked}` in {}; the latest are {latest}; `last` is the last",
                out.display()
            ))
        }
        many => Err(format!("`{asked}` may be any of {} runs; write more of its id", many.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_found_by_what_it_is_called() {
        let folder = tempfile::TempDir::new().expect("a folder");
        for id in ["20260101-000000-aaaa", "20260102-000000-bbbb", "20260102-000000-cbbb"] {
            std::fs::create_dir(folder.path().join(id)).expect("a folder");
            std::fs::write(folder.path().join(id).join(RECORD), "").expect("a file");
        }
        let find =
            |asked: &str| find(folder.path(), asked).map(|path| path.file_name().expect("a name").to_owned());
        assert_eq!(find("last").expect("there is one"), "20260102-000000-cbbb");
        assert_eq!(find("aaaa").expect("there is one"), "20260101-000000-aaaa");
        assert!(find("bbb").expect_err("two").contains("any of 2 runs"));
        assert!(find("dddd").expect_err("none").contains("the latest are 20260102-000000-cbbb"));
        let path = folder.path().join("20260101-000000-aaaa");
        assert_eq!(find(&path.to_string_lossy()).expect("a folder"), "20260101-000000-aaaa");
    }
}
