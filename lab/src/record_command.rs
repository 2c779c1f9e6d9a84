//! `cleave record`: checks and exports of records.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use grafana::openmetrics::{self, ExportSummary};
use model::source::Replay;
use record::{End, Entry, ReadError, Reader};

use crate::cli::RecordCommand;
use crate::output;
use crate::run_files::{self, RECORD_FILE};

/// Invalid lines printed at most: the first ones usually explain the rest.
const MAX_INVALID_LINES: usize = 10;

/// `cleave record`.
pub fn record(args: &RecordCommand) -> ExitCode {
    match args {
        RecordCommand::Check { run, out } => check(out, run),
        RecordCommand::Export { run, to, out } => export(out, run, to.as_deref()),
    }
}

fn export(out: &Path, run: &str, to: Option<&Path>) -> ExitCode {
    let folder = match run_files::find_recorded(out, run) {
        Ok(folder) => folder,
        Err(text) => return output::usage_error(&text),
    };
    let reader = match Reader::open(&folder.join(RECORD_FILE)) {
        Ok(reader) => reader,
        Err(error) => return output::error(&error),
    };
    let mut invalid = None;
    // Read as they are exported: the lines of a long record do not fit into memory at once.
    let lines = reader.map_while(|line| line.map_err(|error| invalid = Some(error)).ok());
    let exported = write_export(Replay::of(lines), to);
    if let Some(error) = invalid {
        return output::error(&error);
    }
    match (exported, to) {
        (Ok(exported), Some(path)) => {
            output::print_line(format_args!("{}: {} samples", path.display(), exported.samples));
            ExitCode::SUCCESS
        }
        (exported, None) => output::printed(exported.map(drop), 0),
        (Err(error), Some(path)) => output::usage_error(&format!(
            "cannot write {}: {error}; choose another path with --to",
            path.display()
        )),
    }
}

fn write_export(record: Replay<'_>, to: Option<&Path>) -> std::io::Result<ExportSummary> {
    let Some(path) = to else {
        return openmetrics::export(record, &mut output::stdout());
    };
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    let exported = openmetrics::export(record, &mut file)?;
    file.flush()?;
    Ok(exported)
}

fn check(out: &Path, run: &str) -> ExitCode {
    let folder = match run_files::find_recorded(out, run) {
        Ok(folder) => folder,
        Err(text) => return output::usage_error(&text),
    };
    let path = folder.join(RECORD_FILE);
    let file = record::file::find(&path).unwrap_or_else(|| path.clone());
    let found = match Findings::of(&path) {
        Ok(found) => found,
        Err(error) => return output::error(&error),
    };
    output::print_line(format_args!("{}", file.display()));
    for (kind, count) in &found.counts {
        output::print_line(format_args!("  {kind:8} {count:>8}"));
    }
    if found.unknown > 0 {
        output::print_line(format_args!("  {:8} {:>8}", "unknown", found.unknown));
    }
    let problems = found.problems();
    for problem in &problems {
        output::print_line(format_args!("! {problem}"));
    }
    if problems.is_empty() {
        output::print_line(format_args!(
            "complete: every line is valid, and the counts in the end line match"
        ));
        ExitCode::SUCCESS
    } else {
        // An incomplete record is as good as an invalid run.
        ExitCode::from(output::EXIT_INVALID)
    }
}

/// What a record holds, read to its end. A line is valid where the reader takes it: the published schema is derived from
/// the types it reads.
#[derive(Default)]
struct Findings {
    counts: BTreeMap<&'static str, u64>,
    /// Lines of kinds of a later version.
    unknown: u64,
    /// Messages of the first invalid lines.
    invalid: Vec<String>,
    invalid_lines: u64,
    is_torn: bool,
    end: Option<Box<End>>,
}

impl Findings {
    fn of(path: &Path) -> Result<Self, ReadError> {
        let mut found = Self::default();
        let mut reader = Reader::open(path)?;
        loop {
            match reader.next_line() {
                Ok(Some(line)) => {
                    *found.counts.entry(line.entry.kind()).or_default() += 1;
                    if let Entry::End(end) = line.entry {
                        found.end = Some(end);
                    }
                }
                Ok(None) => break,
                Err(error @ ReadError::Line { .. }) => {
                    found.invalid_lines += 1;
                    if found.invalid.len() < MAX_INVALID_LINES {
                        found.invalid.push(error.to_string());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let read = reader.place();
        found.unknown = read.lines - found.counts.values().sum::<u64>() - found.invalid_lines;
        found.is_torn = reader.is_torn();
        Ok(found)
    }

    /// What makes the record incomplete.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.is_torn {
            problems.push(
                "the last line is incomplete: the run was killed while the line was being written".to_owned(),
            );
        }
        match &self.end {
            None => {
                problems.push("the end line is missing: the run was cut short, and is invalid".to_owned());
            }
            Some(end) => {
                for (kind, declared) in end.lines.iter().filter(|(kind, _)| *kind != "end") {
                    let found = self.counts.get(kind.as_str()).copied().unwrap_or(0);
                    if found != *declared {
                        problems.push(format!(
                            "{found} lines of kind {kind} were found, and the end line declares {declared}"
                        ));
                    }
                }
            }
        }
        problems.extend_from_slice(&self.invalid);
        let more = self.invalid_lines - self.invalid.len() as u64;
        if more > 0 {
            problems.push(format!("{more} more lines are invalid"));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Findings {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = folder.path().join("run.jsonl");
        std::fs::write(&path, text).expect("writes");
        Findings::of(&path).expect("a record")
    }

    fn kept() -> String {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/records/crash.jsonl");
        // Of its windows the final ones are kept.
        std::fs::read_to_string(path).expect("a record").replace("\"window\":304", "\"window\":104")
    }

    #[test]
    fn a_whole_record_has_no_problem() {
        assert_eq!(found(&kept()).problems(), [""; 0]);
        let later = kept().replacen("\n", "\n{\"t\":1,\"kind\":\"hologram\"}\n", 1);
        assert_eq!((found(&later).problems().len(), found(&later).unknown), (0, 1), "a later version's kind");
    }

    #[test]
    fn a_record_cut_short_and_wrong_lines_are_reported_with_their_place() {
        let kept = kept();
        let text = kept.replacen("\"memory_available_mib\":", "\"memory_available\":", 12);
        let at = text.lines().position(|line| line.contains("memory_available\"")).expect("a host line") + 1;
        let problems = found(&text[..text.len() - 20]).problems();
        assert!(problems[0].starts_with("the last line is incomplete"), "{problems:?}");
        assert!(problems[1].starts_with("the end line is missing"), "{problems:?}");
        let (place, reason) = problems[2].split_once(": ").expect("a place");
        assert!(place.contains(&format!("run.jsonl:{at}:")), "{place}");
        assert_eq!(reason, "invalid line of a run record: missing field `memory_available_mib`");
        assert_eq!(problems.len(), 2 + MAX_INVALID_LINES + 1, "{problems:?}");
        assert_eq!(problems.last().map(String::as_str), Some("2 more lines are invalid"));
        let fewer = kept.replacen("\"kind\":\"host\"", "\"kind\":\"hologram\"", 1);
        let problems = found(&fewer).problems();
        assert!(
            problems[0].contains("lines of kind host were found, and the end line declares"),
            "{problems:?}"
        );
    }
}
