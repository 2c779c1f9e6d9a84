//! Runs on disk: found by name, and folded from their records.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use conductor::process::guardian;
use conductor::run::up::SUITE_PREFIX;
use model::Run;
use record::{Entry, Header, ReadError, Reader};

use crate::output;

/// Name of the record in a run's folder, as it is called while the run goes on.
pub const RECORD_FILE: &str = "run.jsonl";
/// Ids that a message lists at most.
const MAX_LISTED_IDS: usize = 5;

/// A folder with a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunFolder {
    /// When the run began, microseconds since 1970; when its record was last written where that does not say.
    pub started_us: i64,
    /// Its name.
    pub id: String,
    /// Where it is.
    pub path: PathBuf,
}

impl RunFolder {
    /// Whether it is of a suite that `cleave up` kept: it had no load, and its record is empty.
    pub fn is_suite(&self) -> bool {
        self.id.starts_with(SUITE_PREFIX)
    }
}

/// How far a run has come, as far as that can be seen without reading its record to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Its program or its guardian lives.
    Live,
    /// It ended before its load began, and recorded nothing.
    Aborted,
    /// It has a record, which may have been cut short.
    Recorded,
}

/// What the record in a run's folder holds.
///
/// # Errors
/// When there is no record, or a line of it is invalid.
pub fn fold(folder: &Path) -> Result<Run, ReadError> {
    Run::read(Reader::open(&folder.join(RECORD_FILE))?)
}

/// Packs the record of a run that is over. One that cannot be packed stays as it is, which every reader takes as well.
pub fn pack(folder: &Path) {
    if let Err(error) = record::packing::pack(&folder.join(RECORD_FILE)) {
        output::note(format_args!("the record stays unpacked: {error}"));
    }
}

/// The header of a run's record; `None` where it has none.
pub fn header_of(folder: &Path) -> Option<Header> {
    let first = Reader::open(&folder.join(RECORD_FILE)).ok()?.next()?.ok()?;
    match first.entry {
        Entry::Header(header) => Some(*header),
        _ => None,
    }
}

/// How far the run in a folder has come.
pub fn progress(folder: &Path) -> Progress {
    let record = folder.join(RECORD_FILE);
    if record::is_being_written(&record) || guardian::is_held(&folder.join(guardian::JOURNAL)) {
        return Progress::Live;
    }
    let is_empty = record::file::find(&record)
        .is_none_or(|file| std::fs::metadata(file).is_ok_and(|record| record.len() == 0));
    if is_empty { Progress::Aborted } else { Progress::Recorded }
}

/// All runs in a folder, the oldest first.
pub fn all(out: &Path) -> Vec<RunFolder> {
    let entries = std::fs::read_dir(out).into_iter().flatten().flatten();
    let mut runs: Vec<RunFolder> = entries
        .filter_map(|entry| {
            let (path, id) = (entry.path(), entry.file_name().into_string().ok()?);
            let record = record::file::find(&path.join(RECORD_FILE))?;
            let written = || {
                let written = std::fs::metadata(record).ok()?.modified().ok()?;
                i64::try_from(written.duration_since(UNIX_EPOCH).ok()?.as_micros()).ok()
            };
            let started_us = header_of(&path).map(|header| header.wall_us).or_else(written).unwrap_or(0);
            Some(RunFolder { started_us, id, path })
        })
        .collect();
    runs.sort();
    runs
}

/// The folder of a run, by `last`, id, end of the id, label, or path.
///
/// # Errors
/// A message with the latest runs.
pub fn find(out: &Path, requested: &str) -> Result<PathBuf, String> {
    if let Some(folder) = folder_at(Path::new(requested)) {
        return Ok(folder);
    }
    let known = all(out);
    let last = known.iter().rfind(|run| !run.is_suite());
    if known.is_empty() || (requested == "last" && last.is_none()) {
        return Err(format!("no run in {}; start one with: cleave run first-look", out.display()));
    }
    if let Some(last) = last.filter(|_| requested == "last") {
        return Ok(last.path.clone());
    }
    let exact = known.iter().find(|run| run.id == requested);
    let ending = || known.iter().filter(|run| run.id.ends_with(requested)).collect::<Vec<_>>();
    let meant = exact.map_or_else(ending, |run| vec![run]);
    match meant.as_slice() {
        [one] => Ok(one.path.clone()),
        [] => labelled(&known, requested).ok_or_else(|| {
            let latest = known.iter().rev().take(MAX_LISTED_IDS).map(|run| run.id.as_str());
            format!(
                "unknown run `{requested}` in {}; latest runs: {}; write `last` for the latest",
                out.display(),
                latest.collect::<Vec<_>>().join(", ")
            )
        }),
        many => Err(format!("`{requested}` matches {} runs; write more of the id", many.len())),
    }
}

/// The same of a run that has a record.
///
/// # Errors
/// The same, and for a run that was aborted before it recorded anything.
pub fn find_recorded(out: &Path, requested: &str) -> Result<PathBuf, String> {
    let folder = find(out, requested)?;
    if progress(&folder) != Progress::Aborted {
        return Ok(folder);
    }
    let name = folder.file_name().map_or_else(|| folder.display().to_string(), |id| id.display().to_string());
    let which = if requested == "last" { format!("the last run, {name},") } else { format!("run {name}") };
    let before = all(out).into_iter().rev().find(|run| progress(&run.path) == Progress::Recorded);
    let instead =
        before.map_or_else(String::new, |run| format!("; the latest run with a record is {}", run.id));
    Err(format!("{which} was aborted before its load began, and recorded nothing{instead}"))
}

/// The folder that a path means: a run's, or that of its record.
fn folder_at(path: &Path) -> Option<PathBuf> {
    if record::file::find(&path.join(RECORD_FILE)).is_some() {
        return Some(path.to_owned());
    }
    let parent = path.parent()?;
    let record = parent.join(RECORD_FILE);
    let is_record = [&record, &record::file::packed_path(&record)].contains(&&path.to_owned());
    (is_record && path.is_file()).then(|| parent.to_owned())
}

/// The latest run with a label.
fn labelled(known: &[RunFolder], label: &str) -> Option<PathBuf> {
    let has_label = |run: &&RunFolder| {
        header_of(&run.path).is_some_and(|header| header.labels.iter().any(|other| other == label))
    };
    known.iter().rev().find(has_label).map(|run| run.path.clone())
}

#[cfg(test)]
pub mod tests {
    use record::{Line, Writer};

    use super::*;

    /// A run in a folder of runs: its id, when it began, its labels.
    pub fn put(out: &Path, id: &str, started_us: i64, labels: &[&str]) -> PathBuf {
        let folder = out.join(id);
        std::fs::create_dir_all(&folder).expect("a folder of ours");
        let mut writer = Writer::create(&folder.join(RECORD_FILE)).expect("a new record");
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        let (schema_version, wall_us) = (record::SCHEMA_VERSION, started_us);
        let header = Header { schema_version, wall_us, labels, run_id: id.to_owned(), ..Header::default() };
        writer.write(&Line { t: 0, entry: Entry::Header(Box::new(header)) }).expect("writes");
        folder
    }

    fn name(found: Result<PathBuf, String>) -> String {
        let folder = found.unwrap_or_else(|text| panic!("{text}"));
        folder.file_name().expect("a name").to_string_lossy().into_owned()
    }

    #[test]
    fn a_run_is_found_by_id_suffix_label_or_folder() {
        let out = tempfile::TempDir::new().expect("a folder");
        for (id, day, labels) in [
            ("20260101-000000-aaaa", 1, &["main"][..]),
            ("20260102-000000-bbbb", 2, &["main"]),
            ("20260102-000000-cbbb", 3, &[]),
        ] {
            put(out.path(), id, day, labels);
        }
        let find = |requested: &str| find(out.path(), requested);
        assert_eq!(name(find("last")), "20260102-000000-cbbb");
        assert_eq!(name(find("aaaa")), "20260101-000000-aaaa");
        assert_eq!(name(find("main")), "20260102-000000-bbbb", "the latest with the label");
        assert!(find("bbb").expect_err("two").contains("matches 2 runs"));
        assert!(find("dddd").expect_err("none").contains("latest runs: 20260102-000000-cbbb"));
        let path = out.path().join("20260101-000000-aaaa");
        for path in [path.clone(), path.join(RECORD_FILE)] {
            assert_eq!(name(find(&path.to_string_lossy())), "20260101-000000-aaaa");
        }
        pack(&path);
        for path in [path.clone(), path.join("run.jsonl.gz")] {
            assert_eq!(name(find(&path.to_string_lossy())), "20260101-000000-aaaa", "packed");
        }
        assert_eq!(name(find("aaaa")), "20260101-000000-aaaa");
    }

    #[test]
    fn the_last_run_is_the_newest_by_time_and_not_by_name() {
        let out = tempfile::TempDir::new().expect("a folder");
        put(out.path(), "baseline", 1, &[]);
        put(out.path(), "20260101-000000-ffff", 2, &[]);
        put(out.path(), "20260101-000000-0000", 3, &[]);
        // Of a suite there is nothing to report, however new it is.
        let suite = out.path().join("up-micro-4711-ABCD");
        std::fs::create_dir(&suite).expect("a folder of ours");
        let kept_up = Writer::create(&suite.join(RECORD_FILE)).expect("a new record");
        assert_eq!(all(out.path()).last().map(|run| run.path.clone()), Some(suite));
        assert_eq!(name(find(out.path(), "last")), "20260101-000000-0000");
        drop(kept_up);
        assert_eq!(name(find_recorded(out.path(), "last")), "20260101-000000-0000");
        assert_eq!(name(find(out.path(), "ABCD")), "up-micro-4711-ABCD", "it can be removed");
    }

    #[test]
    fn an_aborted_run_is_named_with_the_one_before_it() {
        let out = tempfile::TempDir::new().expect("a folder");
        let aborted = out.path().join("20990101-000000-aaaa");
        std::fs::create_dir(&aborted).expect("a folder of ours");
        let writer = Writer::create(&aborted.join(RECORD_FILE)).expect("a new record");
        assert_eq!(progress(&aborted), Progress::Live, "it is about to write");
        assert_eq!(name(find_recorded(out.path(), "last")), "20990101-000000-aaaa");
        drop(writer);
        let text = find_recorded(out.path(), "last").expect_err("nothing recorded");
        assert_eq!(
            text,
            "the last run, 20990101-000000-aaaa, was aborted before its load began, and recorded nothing"
        );
        put(out.path(), "20260101-000000-bbbb", 1, &[]);
        let text = find_recorded(out.path(), "last").expect_err("nothing recorded");
        assert!(text.ends_with("; the latest run with a record is 20260101-000000-bbbb"), "{text}");
        let text = find_recorded(out.path(), "aaaa").expect_err("nothing recorded");
        assert!(text.starts_with("run 20990101-000000-aaaa was aborted"), "{text}");
        assert_eq!(name(find_recorded(out.path(), "bbbb")), "20260101-000000-bbbb");
        assert_eq!(
            name(find(out.path(), "last")),
            "20990101-000000-aaaa",
            "`watch` says itself what it finds"
        );
    }
}
