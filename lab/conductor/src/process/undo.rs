//! How effects on processes, and on what is outside them, are undone: what the guardian's journal has of each.

use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use runtime::limits::ResourceLimit;
use serde::{Deserialize, Serialize};

use crate::process::server_data::ServerData;
use crate::process::usage;

/// The folder of lists that end with their run, below the one that runs go to.
pub const LISTS_FOLDER: &str = ".targets";
/// How names of a run's control groups begin.
const GROUP_PREFIX: &str = "cleave-";

/// The identity of a process: it cannot be mistaken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Its id, which may be used again.
    pub pid: u32,
    /// When it started, in clock ticks since boot: both together are used once.
    pub started: u64,
}

impl ProcessIdentity {
    /// The process of an id as it is now.
    pub fn of(pid: u32) -> Self {
        Self { pid, started: usage::started(pid).unwrap_or(0) }
    }

    /// Whether that very process is still there.
    pub(crate) fn is_alive(self) -> bool {
        self.started != 0 && usage::started(self.pid) == Some(self.started)
    }
}

/// How an effect on a process is undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UndoAction {
    /// SIGCONT.
    Continue(ProcessIdentity),
    /// A limit is lifted.
    Lift(ProcessIdentity, #[serde(with = "limited")] ResourceLimit),
    /// SIGKILL: a child that must not outlive the run.
    Kill(ProcessIdentity),
    /// A control group is emptied and removed.
    Group(PathBuf),
    /// A file is removed: it lists what ends with the run.
    File(PathBuf),
    /// What is on a server that stays is removed.
    Server(ServerData),
}

mod limited {
    use runtime::limits::ResourceLimit;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    pub fn serialize<S: Serializer>(what: &ResourceLimit, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match what {
            ResourceLimit::Data => "data",
            ResourceLimit::Files => "files",
        })
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ResourceLimit, D::Error> {
        Ok(if String::deserialize(deserializer)? == "data" {
            ResourceLimit::Data
        } else {
            ResourceLimit::Files
        })
    }
}

/// Whether nothing of an effect is left.
pub(super) fn is_undone(action: &UndoAction) -> bool {
    match action {
        UndoAction::Continue(identity) => !identity.is_alive() || usage::state(identity.pid) != Some('T'),
        // A child that its parent has not looked at yet has ended.
        UndoAction::Kill(identity) => !identity.is_alive() || usage::state(identity.pid) == Some('Z'),
        UndoAction::Lift(identity, what) => {
            !identity.is_alive() || runtime::limits::is_lifted(identity.pid, *what).unwrap_or(true)
        }
        UndoAction::Group(path) | UndoAction::File(path) => !path.exists(),
        // Only its server knows, which is asked once: see `guardian::clean_up`.
        UndoAction::Server(_) => false,
    }
}

/// Undoes an effect, or begins to; what is on servers is removed apart. A run's folder may come from elsewhere, and its journal
/// with it: what no run makes stays, whatever that says.
pub(super) fn undo(action: &UndoAction) {
    let signal = |identity: &ProcessIdentity, signal| {
        if identity.is_alive() {
            // It may have ended in this moment.
            let _ = kill(Pid::from_raw(identity.pid.cast_signed()), signal);
        }
    };
    match action {
        UndoAction::Continue(identity) => signal(identity, Signal::SIGCONT),
        UndoAction::Kill(identity) => signal(identity, Signal::SIGKILL),
        UndoAction::Lift(identity, what) => {
            if identity.is_alive() {
                let _ = runtime::limits::set(identity.pid, *what, None);
            }
        }
        UndoAction::Group(path) if is_group(path) => {
            crate::process::cgroup::remove(path);
        }
        UndoAction::File(path) if is_list(path) => {
            // It may be gone.
            let _ = std::fs::remove_file(path);
        }
        UndoAction::Group(_) | UndoAction::File(_) | UndoAction::Server(_) => {}
    }
}

fn is_group(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(GROUP_PREFIX))
}

fn is_list(path: &Path) -> bool {
    path.parent().and_then(Path::file_name).is_some_and(|folder| folder == LISTS_FOLDER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_removes_nothing_but_what_runs_make() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in [LISTS_FOLDER, "empty", "cleave-r1-A"] {
            std::fs::create_dir(path(name)).expect("a folder of ours");
        }
        let (list, other) = (path(LISTS_FOLDER).join("1.2-r1.json"), path("photo.jpg"));
        for file in [&list, &other] {
            std::fs::write(file, "[]").expect("a folder of ours");
        }
        for action in [
            UndoAction::File(list.clone()),
            UndoAction::File(other.clone()),
            UndoAction::Group(path("empty")),
            UndoAction::Group(path("cleave-r1-A")),
        ] {
            undo(&action);
        }
        assert!(!list.exists() && !path("cleave-r1-A").exists());
        assert!(other.exists() && path("empty").exists(), "no run has made these");
    }
}
