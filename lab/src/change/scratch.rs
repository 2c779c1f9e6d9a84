//! A copy of the source tree outside the repository, kept from run to run with what was built from it, and the edit in it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use record::LockedFile;
use scenario::names::arm_folder;

use super::child;
use crate::structure_command::source_tree::{self, Repository};

/// The folder in the user's cache.
const CACHE_FOLDER: &str = "cleave/change";

/// A copy of builds that is not whole yet.
const PARTIAL: &str = "partial";

/// The folder of the copy.
pub(super) struct Scratch {
    folder: PathBuf,
    /// The copy of the source tree.
    pub tree: PathBuf,
    /// Locked while it lives.
    _lock: LockedFile,
}

impl Scratch {
    /// The folder that was asked for, or the one in the user's cache, for this process alone.
    ///
    /// # Errors
    /// Where there is none, where it lies in the repository, and where another run uses it.
    pub fn open(asked: Option<&Path>, repository: &Repository) -> Result<Self, String> {
        let folder = match asked {
            Some(folder) => folder.to_owned(),
            None => cache_folder(std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME"))
                .ok_or("there is no folder for a copy of the source tree; name one with --scratch")?,
        };
        let failed = |error: std::io::Error| {
            format!(
                "{} cannot be used for a copy of the source tree: {error}; name another with --scratch",
                folder.display()
            )
        };
        let folder = without_links(&folder).map_err(failed)?;
        // Before it is made: nothing is written into the repository.
        if folder.starts_with(&repository.root) {
            return Err(format!(
                "{} lies in the repository; name a folder outside with --scratch",
                folder.display()
            ));
        }
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let lock = File::create(folder.join("lock")).map_err(failed)?;
        lock.try_lock().map_err(|_| {
            format!(
                "another run builds a change in {}; wait for its end, or name another with --scratch",
                folder.display()
            )
        })?;
        Ok(Self { tree: folder.join("tree"), folder, _lock: lock.into() })
    }

    /// Makes the copy what the source tree is now. A file that is the same stays as it is, so that nothing is built for it.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn copy(&self, repository: &Repository) -> Result<(), String> {
        let files = repository.files()?;
        // Without those that git still lists and that are gone, and what is no file.
        let is_there = |file: &PathBuf| repository.root.join(file).is_file();
        let wanted: BTreeSet<PathBuf> = files.iter().map(PathBuf::from).filter(is_there).collect();
        for file in &wanted {
            let (from, to) = (repository.root.join(file), self.tree.join(file));
            let failed = |error: std::io::Error| format!("{} cannot be copied: {error}", from.display());
            let text = std::fs::read(&from).map_err(failed)?;
            if std::fs::read(&to).is_ok_and(|there| there == text) {
                continue;
            }
            if let Some(folder) = to.parent() {
                std::fs::create_dir_all(folder).map_err(failed)?;
            }
            std::fs::write(&to, text).map_err(failed)?;
        }
        self.remove_others(&self.tree, &wanted)
    }

    fn remove_others(&self, folder: &Path, wanted: &BTreeSet<PathBuf>) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{} cannot be read: {error}", folder.display());
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                self.remove_others(&path, wanted)?;
            } else if path.strip_prefix(&self.tree).is_ok_and(|path| !wanted.contains(path)) {
                std::fs::remove_file(&path).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Where an arm's builds are.
    pub fn target(&self, arm: &str) -> PathBuf {
        self.folder.join("target").join(arm_folder(arm))
    }

    /// Begins an arm's builds with a copy of another's, unless there are some.
    ///
    /// # Errors
    /// When they cannot be copied.
    pub fn copy_target(&self, from: &str, to: &str) -> Result<(), String> {
        let (from, to) = (self.target(from), self.target(to));
        if to.is_dir() {
            return Ok(());
        }
        // Under another name until it is whole: the lab may be ended meanwhile, and half a copy would be taken for a whole
        // one.
        let partial = self.empty_folder(PARTIAL)?;
        // Times stay: by them cargo knows what is new.
        let copied = child::command("cp")
            .args(["--archive", "--no-target-directory"])
            .arg(&from)
            .arg(&partial)
            .status();
        let failed =
            |reason: String| format!("{} cannot be copied to {}: {reason}", from.display(), to.display());
        match copied {
            Ok(status) if status.success() => {
                std::fs::rename(&partial, &to).map_err(|error| failed(error.to_string()))
            }
            Ok(status) => Err(failed(format!("cp ended with {status}"))),
            Err(error) => Err(child::not_started(&error)),
        }
    }

    /// An empty folder of this name.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn empty_folder(&self, name: &str) -> Result<PathBuf, String> {
        let folder = self.folder.join(name);
        // It is not there the first time.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(folder)
    }
}

/// A path without links, of a folder that need not be there yet.
fn without_links(folder: &Path) -> std::io::Result<PathBuf> {
    let folder = std::path::absolute(folder)?;
    let there = folder.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(&folder);
    let mut path = there.canonicalize()?;
    path.extend(folder.components().skip(there.components().count()));
    Ok(path)
}

/// The folder in the user's cache (XDG Base Directory Specification).
fn cache_folder(cache: Option<std::ffi::OsString>, home: Option<std::ffi::OsString>) -> Option<PathBuf> {
    let given =
        |folder: Option<std::ffi::OsString>| folder.map(PathBuf::from).filter(|folder| folder.is_absolute());
    let cache = given(cache).or_else(|| given(home).map(|home| home.join(".cache")))?;
    Some(cache.join(CACHE_FOLDER))
}

/// An edit of the copy, which can be made and taken back.
pub(super) struct Edit<'a> {
    scratch: &'a Scratch,
    patch: PathBuf,
}

impl<'a> Edit<'a> {
    /// The edit of a patch.
    ///
    /// # Errors
    /// When it does not fit the source tree.
    pub fn new(scratch: &'a Scratch, text: &str) -> Result<Self, String> {
        let patch = scratch.folder.join("change.patch");
        let written = File::create(&patch).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| format!("{}: {error}", patch.display()))?;
        let edit = Self { scratch, patch };
        edit.git_apply(&["--check"])?;
        Ok(edit)
    }

    /// Makes the edit.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn apply(&self) -> Result<(), String> {
        self.git_apply(&[])
    }

    /// Takes it back.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn reverse(&self) -> Result<(), String> {
        self.git_apply(&["--reverse"])
    }

    fn git_apply(&self, options: &[&str]) -> Result<(), String> {
        let mut command = source_tree::git_command(&self.scratch.tree);
        command.arg("apply").args(options).arg(&self.patch);
        // A repository around the copy is none of ours: paths are those of the copy.
        command.env("GIT_CEILING_DIRECTORIES", &self.scratch.folder);
        let output = command.output().map_err(|error| format!("`git` cannot be started: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(format!("the patch does not fit the source tree: {reason}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository with one file, and a folder beside it.
    fn repository() -> (tempfile::TempDir, Repository, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("there").join("source");
        std::fs::create_dir_all(root.join("src")).expect("ours");
        std::fs::write(root.join("src/lib.rs"), "one\ntwo\nthree\n").expect("ours");
        let git = |arguments: &[&str]| {
            let status = std::process::Command::new("git")
                .current_dir(&root)
                .args(arguments)
                .status()
                .expect("git is there");
            assert!(status.success(), "{arguments:?}");
        };
        git(&["init", "--quiet"]);
        git(&["add", "."]);
        let scratch = folder.path().join("scratch");
        let repository = Repository::around(&root).expect("a repository");
        (folder, repository, scratch)
    }

    const PATCH: &str = "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n";

    #[test]
    fn the_copy_is_edited_and_the_source_is_not() {
        let (_folder, repository, folder) = repository();
        let scratch = Scratch::open(Some(&folder), &repository).expect("a folder outside");
        scratch.copy(&repository).expect("copied");
        let edit = Edit::new(&scratch, PATCH).expect("it fits");
        let text = || std::fs::read_to_string(scratch.tree.join("src/lib.rs")).expect("copied");
        edit.apply().expect("it fits");
        assert_eq!(text(), "one\n2\nthree\n");
        assert!(edit.apply().is_err_and(|why| why.contains("does not fit")), "it is there already");
        edit.reverse().expect("it is there");
        assert_eq!(text(), "one\ntwo\nthree\n");
        edit.apply().expect("it fits");
        // The next run begins with the source tree as it is.
        std::fs::write(scratch.tree.join("src/old.rs"), "gone since").expect("ours");
        scratch.copy(&repository).expect("copied");
        assert_eq!(text(), "one\ntwo\nthree\n");
        assert!(!scratch.tree.join("src/old.rs").exists());
        let source = std::fs::read_to_string(repository.root.join("src/lib.rs")).expect("there");
        assert_eq!(source, "one\ntwo\nthree\n");
    }

    #[test]
    fn a_file_that_is_gone_from_the_working_tree_is_gone_from_the_copy() {
        let (_folder, repository, folder) = repository();
        let scratch = Scratch::open(Some(&folder), &repository).expect("a folder outside");
        scratch.copy(&repository).expect("copied");
        // Git lists it still: nothing was committed.
        std::fs::remove_file(repository.root.join("src/lib.rs")).expect("ours");
        assert_eq!(repository.files().expect("listed"), ["src/lib.rs"]);
        scratch.copy(&repository).expect("copied");
        assert!(!scratch.tree.join("src/lib.rs").exists());
    }

    #[test]
    fn builds_are_copied_whole_or_not_at_all() {
        let (_folder, repository, folder) = repository();
        let scratch = Scratch::open(Some(&folder), &repository).expect("a folder outside");
        let (from, to) = (scratch.target("naive/mono"), scratch.target("micro"));
        std::fs::create_dir_all(from.join("release")).expect("ours");
        std::fs::write(from.join("release/monolith"), "a program").expect("ours");
        // What a run left that was ended while it copied.
        std::fs::create_dir_all(folder.join(PARTIAL).join("release")).expect("ours");
        std::fs::write(folder.join(PARTIAL).join("release/half"), "a pro").expect("ours");
        scratch.copy_target("naive/mono", "micro").expect("copied");
        let names = std::fs::read_dir(to.join("release")).expect("copied");
        let names: Vec<_> = names.map(|entry| entry.expect("readable").file_name()).collect();
        assert_eq!(names, ["monolith"]);
        assert!(!folder.join(PARTIAL).exists(), "it was renamed");
        let refused = scratch.copy_target("nothing", "other").expect_err("there is none");
        assert!(refused.contains("cannot be copied"), "{refused}");
        assert!(!scratch.target("other").exists());
    }

    #[test]
    fn a_file_that_is_the_same_keeps_its_time() {
        let (_folder, repository, folder) = repository();
        let scratch = Scratch::open(Some(&folder), &repository).expect("a folder outside");
        scratch.copy(&repository).expect("copied");
        let file = scratch.tree.join("src/lib.rs");
        let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        File::options().write(true).open(&file).expect("copied").set_modified(old).expect("ours");
        scratch.copy(&repository).expect("copied");
        assert_eq!(std::fs::metadata(&file).and_then(|file| file.modified()).expect("copied"), old);
    }

    #[test]
    fn a_folder_in_the_repository_or_in_use_is_refused() {
        let (_folder, repository, folder) = repository();
        let within = repository.root.join("scratch");
        let refused = Scratch::open(Some(&within), &repository).map(|_| ()).expect_err("within");
        assert!(refused.contains("lies in the repository"), "{refused}");
        assert!(!within.exists(), "nothing is written into it");
        let first = Scratch::open(Some(&folder), &repository).expect("a folder outside");
        let refused = Scratch::open(Some(&folder), &repository).map(|_| ()).expect_err("in use");
        assert!(refused.contains("another run builds"), "{refused}");
        drop(first);
        assert!(Scratch::open(Some(&folder), &repository).is_ok());
        let scratch = Scratch::open(Some(&folder.join("other")), &repository).expect("another");
        scratch.copy(&repository).expect("copied");
        let refused =
            Edit::new(&scratch, &PATCH.replace("two", "zwei")).map(|_| ()).expect_err("no such line");
        assert!(refused.contains("does not fit the source tree"), "{refused}");
    }

    #[test]
    fn the_cache_is_the_users() {
        let folder = |cache: Option<&str>, home: Option<&str>| {
            cache_folder(cache.map(Into::into), home.map(Into::into))
        };
        assert_eq!(folder(Some("/c"), Some("/h")), Some("/c/cleave/change".into()));
        assert_eq!(folder(Some("relative"), Some("/h")), Some("/h/.cache/cleave/change".into()));
        assert_eq!(folder(None, None), None);
    }
}
