//! `cleave runs prune` and `cleave runs rm`. A run whose program or guardian lives is never removed.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use conductor::process::guardian;
use conductor::process::server_data::ServerSecrets;

use super::summary::{self, RunSummary};
use crate::cli::runs::Prune;
use crate::output;
use crate::run_files::{self, Progress};

/// What became of a run that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    Removed,
    InProgress,
}

/// `cleave runs prune`.
pub(super) fn prune(out: &Path, args: &Prune) -> ExitCode {
    let now_us = runtime::clock::wall_us();
    let runs: Vec<RunSummary> = run_files::all(out).iter().rev().map(RunSummary::of).collect();
    let count = runs.len();
    let old: Vec<RunSummary> = runs
        .into_iter()
        .enumerate()
        .filter(|(newer, run)| is_to_go(args, *newer, run.age_s(now_us)))
        .map(|(_, run)| run)
        .collect();
    let (mut removed, mut bytes, mut code) = (0, 0, ExitCode::SUCCESS);
    for run in &old {
        let line = |what: &str| {
            let [id, scenario, verdict, age, size, _] = run.cells(now_us);
            output::print_line(format_args!("{what}: {id}, {scenario}, {verdict}, {age} old, {size}"));
        };
        let removal = if args.dry_run { looked_at(&run.path) } else { remove(&run.path) };
        match removal {
            Ok(Removal::Removed) => {
                line(if args.dry_run { "would be removed" } else { "removed" });
                (removed, bytes) = (removed + 1, bytes + run.bytes);
            }
            Ok(Removal::InProgress) => line("in progress, left alone"),
            // One of another user, for example, keeps no other.
            Err(error) => code = not_removed(&run.path, &error),
        }
    }
    let would = if args.dry_run { "would be removed" } else { "removed" };
    output::print_line(format_args!("{removed} of {count} runs {would}, {}", summary::size(bytes)));
    code
}

/// Whether a run goes that has so many newer ones and is so old.
fn is_to_go(args: &Prune, newer: usize, age_s: i64) -> bool {
    let is_beyond = args.keep.is_none_or(|keep| newer >= keep);
    let age_s = u64::try_from(age_s).unwrap_or(0);
    is_beyond && args.older.is_none_or(|older| age_s >= older.as_secs())
}

/// `cleave runs rm`.
pub(super) fn remove_named(out: &Path, names: &[String]) -> ExitCode {
    // All are found before one is removed: the end of an id may mean another run afterwards.
    let found: Result<Vec<_>, String> = names.iter().map(|name| run_files::find(out, name)).collect();
    let mut folders = match found {
        Ok(folders) => folders,
        Err(text) => return output::usage_error(&text),
    };
    folders.sort();
    folders.dedup();
    for folder in folders {
        match remove(&folder) {
            Ok(Removal::Removed) => output::print_line(format_args!("removed: {}", folder.display())),
            Ok(Removal::InProgress) => {
                let text =
                    format!("{} is in progress; end it first, with Ctrl-C in its terminal", folder.display());
                return output::usage_error(&text);
            }
            Err(error) => return not_removed(&folder, &error),
        }
    }
    ExitCode::SUCCESS
}

fn not_removed(folder: &Path, error: &io::Error) -> ExitCode {
    output::usage_error(&format!("{} cannot be removed: {error}", folder.display()))
}

fn looked_at(folder: &Path) -> io::Result<Removal> {
    let is_live = run_files::progress(folder) == Progress::Live;
    Ok(if is_live { Removal::InProgress } else { Removal::Removed })
}

/// Removes a run's folder, after what a killed run left behind is reverted: its journal goes with the folder. One that another
/// program has removed meanwhile is gone as well.
///
/// # Errors
/// When it cannot be reverted or removed.
pub(crate) fn remove(folder: &Path) -> io::Result<Removal> {
    // What this program works in has no name, or one by which the system removes nothing. A link is removed, and not what it
    // leads to.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let whole = if folder.is_symlink() { Ok(folder.to_owned()) } else { folder.canonicalize() };
    match whole.and_then(|folder| remove_whole(&folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.exists() => Ok(Removal::Removed),
        removed => removed,
    }
}

fn remove_whole(folder: &Path) -> io::Result<Removal> {
    if looked_at(folder)? == Removal::InProgress {
        return Ok(Removal::InProgress);
    }
    let journal = folder.join(guardian::JOURNAL);
    if journal.exists() {
        let Some(clean_up) = guardian::clean_abandoned(&journal, &ServerSecrets::of_environment())? else {
            return Ok(Removal::InProgress);
        };
        // No other list has what stays on a server.
        for reason in clean_up.reasons {
            output::note(format_args!("{}: {reason}", folder.display()));
        }
    }
    std::fs::remove_dir_all(folder)?;
    Ok(Removal::Removed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use record::Writer;

    use super::*;
    use crate::run_files::RECORD_FILE;
    use crate::run_files::tests::put;

    fn args(keep: Option<usize>, older_s: Option<u64>) -> Prune {
        Prune { keep, older: older_s.map(Duration::from_secs), dry_run: false }
    }

    #[test]
    fn a_run_goes_if_it_is_neither_new_nor_among_the_newest() {
        let goes = |keep, older, newer, age_s| is_to_go(&args(keep, older), newer, age_s);
        assert!(!goes(Some(2), None, 1, 900) && goes(Some(2), None, 2, 0));
        assert!(!goes(None, Some(100), 9, 99) && goes(None, Some(100), 0, 100));
        assert!(goes(Some(2), Some(100), 2, 100));
        assert!(!goes(Some(2), Some(100), 1, 100) && !goes(Some(2), Some(100), 2, 99));
    }

    fn names(out: &Path) -> Vec<String> {
        run_files::all(out).into_iter().map(|run| run.id).collect()
    }

    #[test]
    fn pruning_leaves_what_it_keeps() {
        let out = tempfile::TempDir::new().expect("a folder");
        for (day, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
            put(out.path(), id, i64::try_from(day).expect("small"), &[]);
        }
        std::fs::create_dir(out.path().join(".snapshots")).expect("a folder of ours");
        let dry = Prune { dry_run: true, ..args(Some(2), None) };
        prune(out.path(), &dry);
        assert_eq!(names(out.path()), ["a", "b", "c", "d"]);
        prune(out.path(), &args(Some(2), None));
        assert_eq!(names(out.path()), ["c", "d"], "the newest");
        prune(out.path(), &args(Some(0), Some(u64::MAX)));
        assert_eq!(names(out.path()), ["c", "d"], "none is that old");
        prune(out.path(), &args(None, Some(3_600)));
        assert_eq!(names(out.path()), [""; 0], "of 1970");
        assert!(out.path().join(".snapshots").exists(), "what is no run is left alone");
    }

    #[test]
    fn a_run_that_cannot_be_removed_keeps_no_other() {
        let out = tempfile::TempDir::new().expect("a folder");
        for (day, id) in ["a", "b", "c"].into_iter().enumerate() {
            put(out.path(), id, i64::try_from(day).expect("small"), &[]);
        }
        // A folder in the place of its journal can be neither read nor reverted.
        std::fs::create_dir(out.path().join("c").join(guardian::JOURNAL)).expect("a folder of ours");
        assert_eq!(prune(out.path(), &args(Some(0), None)), ExitCode::from(output::EXIT_USAGE));
        assert_eq!(names(out.path()), ["c"]);
        let gone = out.path().join("a");
        assert_eq!(remove(&gone).expect("it is gone"), Removal::Removed, "by another program, for example");
    }

    #[test]
    fn a_link_is_removed_without_its_run_and_a_run_by_any_name() {
        let out = tempfile::TempDir::new().expect("a folder");
        let folder = put(out.path(), "20260101-000000-aaaa", 1, &[]);
        let link = out.path().join("best");
        std::os::unix::fs::symlink(&folder, &link).expect("a folder of ours");
        assert_eq!(remove(&link).expect("removable"), Removal::Removed);
        assert!(!link.is_symlink() && folder.join(RECORD_FILE).exists());
        // As within it, where it is called `.`, which is nothing that can be removed.
        let dotted = std::path::PathBuf::from(format!("{}/.", folder.display()));
        assert_eq!(remove(&dotted).expect("removable"), Removal::Removed);
        assert!(!folder.exists());
    }

    #[test]
    fn a_live_run_is_never_removed() {
        let out = tempfile::TempDir::new().expect("a folder");
        let folder = out.path().join("live");
        std::fs::create_dir(&folder).expect("a folder of ours");
        let writer = Writer::create(&folder.join(RECORD_FILE)).expect("a new record");
        prune(out.path(), &args(Some(0), None));
        assert_eq!(remove(&folder).expect("readable"), Removal::InProgress);
        drop(writer);
        // Its program has ended, and its guardian is still at work.
        let journal = std::fs::File::create(folder.join(guardian::JOURNAL)).expect("a folder of ours");
        journal.lock_shared().expect("locks");
        prune(out.path(), &args(Some(0), None));
        assert_eq!(names(out.path()), ["live"]);
        // A child that another test starts has the file for a moment, and with it a lock that is not given back.
        journal.unlock().expect("locks");
        drop(journal);
        assert_eq!(remove(&folder).expect("removable"), Removal::Removed);
        assert!(!folder.exists());
    }

    #[test]
    fn runs_are_removed_by_name_or_none_is() {
        let out = tempfile::TempDir::new().expect("a folder");
        for id in ["20260101-000000-aaaa", "20260102-000000-bbbb"] {
            put(out.path(), id, 1, &[]);
        }
        let remove = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            remove_named(out.path(), &names)
        };
        assert_eq!(remove(&["aaaa", "cccc"]), ExitCode::from(output::EXIT_USAGE));
        assert_eq!(names(out.path()).len(), 2, "one of them is not known");
        assert_eq!(remove(&["aaaa", "20260101-000000-aaaa"]), ExitCode::SUCCESS);
        assert_eq!(names(out.path()), ["20260102-000000-bbbb"]);
    }
}
