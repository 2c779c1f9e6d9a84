//! Runs on disk: found by name, and folded from their records.

use std::path::{Path, PathBuf};

use model::Run;
use record::{ReadError, Reader};

/// Name of the record in a run's folder.
pub const RECORD_FILE: &str = "run.jsonl";

/// What the record in a run's folder holds, folded line by line: a long one does not fit into memory at once.
///
/// # Errors
/// When there is no record, or a line of it is invalid.
pub fn fold(folder: &Path) -> Result<Run, ReadError> {
    let mut run = Run::default();
    for line in Reader::open(&folder.join(RECORD_FILE))? {
        run.add(&line?);
    }
    run.settle();
    Ok(run)
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
