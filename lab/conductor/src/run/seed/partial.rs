//! A snapshot that is being made: in a folder of its own, which is locked until the snapshot is whole.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::process::guardian::ProcessIdentity;

/// How its folder's name begins.
const PREFIX: &str = ".making-";

/// A snapshot that is being made. Where its program is killed, the next one that looks removes it.
pub(super) struct PartialSnapshot {
    folder: PathBuf,
    /// Locked: the kernel takes the lock back however the program ends.
    _held: File,
}

impl PartialSnapshot {
    /// An empty folder among the snapshots, which no other program has: ids of processes are used again, and in two
    /// containers at once.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn begin(snapshots: &Path, name: &str) -> io::Result<Self> {
        let maker = ProcessIdentity::of(std::process::id());
        let folder = snapshots.join(format!("{PREFIX}{}.{}-{name}", maker.pid, maker.started));
        loop {
            std::fs::create_dir_all(&folder)?;
            // Before it is locked it looks abandoned, and may be removed.
            let held = match File::open(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            // A file system without locks has no protection.
            let _ = held.lock();
            if std::fs::metadata(&folder).is_ok_and(|now| is_same(&now, &held)) {
                return Ok(Self { folder, _held: held });
            }
        }
    }

    /// Where it is made.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes it the snapshot of that path, whole. Where another program was faster, this one goes: both are the same.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn keep_as(self, snapshot: &Path) -> io::Result<()> {
        match std::fs::rename(&self.folder, snapshot) {
            Err(_) if snapshot.is_dir() => std::fs::remove_dir_all(&self.folder),
            renamed => renamed,
        }
    }

    /// Removes it: a part of a snapshot only takes the room that may be lacking.
    pub fn discard(self) {
        // What stays is abandoned from now on.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn is_same(now: &Metadata, held: &File) -> bool {
    held.metadata().is_ok_and(|held| (held.dev(), held.ino()) == (now.dev(), now.ino()))
}

/// Removes snapshots whose making was cut short. One that a living program makes is locked.
pub fn remove_abandoned(snapshots: &Path) {
    let entries = std::fs::read_dir(snapshots).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let path = entry.path();
        let Ok(held) = File::open(&path) else { continue };
        // Where the file system has no locks nothing is known, and nothing removed.
        if held.try_lock().is_ok() {
            // Another program may have been faster.
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_short_is_removed_and_what_is_being_made_is_not() {
        let snapshots = tempfile::tempdir().expect("a folder");
        // As an earlier version called it, after a process whose id any other may have by now.
        let cut_short = snapshots.path().join(format!("{PREFIX}{}-layout", std::process::id()));
        std::fs::create_dir(&cut_short).expect("a folder of ours");
        std::fs::write(cut_short.join("app.db"), "half").expect("a folder of ours");
        let whole = snapshots.path().join("v2-layout");
        std::fs::create_dir(&whole).expect("a folder of ours");
        let partial = PartialSnapshot::begin(snapshots.path(), "v2-layout").expect("a folder of ours");
        assert_eq!(std::fs::read_dir(partial.folder()).expect("made").count(), 0, "it begins empty");
        remove_abandoned(snapshots.path());
        assert!(!cut_short.exists() && partial.folder().is_dir() && whole.is_dir());
        partial.discard();
        assert_eq!(std::fs::read_dir(snapshots.path()).expect("readable").count(), 1);
    }

    #[test]
    fn the_first_to_be_whole_is_kept() {
        let snapshots = tempfile::tempdir().expect("a folder");
        let snapshot = snapshots.path().join("v2-layout");
        let [first, second] =
            ["a", "b"].map(|name| PartialSnapshot::begin(snapshots.path(), name).expect("a folder of ours"));
        for (partial, text) in [(&first, "first"), (&second, "second")] {
            std::fs::write(partial.folder().join("app.db"), text).expect("a folder of ours");
        }
        first.keep_as(&snapshot).expect("renamed");
        second.keep_as(&snapshot).expect("another was faster");
        assert_eq!(std::fs::read(snapshot.join("app.db")).expect("there"), b"first");
        assert_eq!(std::fs::read_dir(snapshots.path()).expect("readable").count(), 1, "nothing else is left");
    }
}
