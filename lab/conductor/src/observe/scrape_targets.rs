//! Where Prometheus finds the processes of a run: a file with their addresses, kept true while the run lasts.
//!
//! Ports are taken as they are free, and copies come and go; so the run writes what Prometheus calls a file of targets
//! into `<out>/.targets` and removes it at its end. A file whose writer is dead lists ports that nothing listens on, or
//! another program by now, and Prometheus would show them as down for ever: the guardian removes it, or the next run.
//! Source: <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config>.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use telemetry::names;

use crate::process::guardian::{Guardian, LISTS_FOLDER, ProcessIdentity, UndoAction};

/// The folder below the one that runs go to.
pub const FOLDER: &str = LISTS_FOLDER;

/// The processes of one run, as Prometheus reads them.
pub struct ScrapeTargets {
    run_id: String,
    /// Named by the conductor's process and the run, so that another run sees whether the writer lives.
    path: PathBuf,
    guardian: Arc<Guardian>,
    list: Mutex<List>,
}

/// What the file holds.
#[derive(Default)]
struct List {
    /// By address, the arm; empty for the lab itself.
    known: BTreeMap<SocketAddr, String>,
    /// The guardian's entry for the file, once there is one.
    undo: Option<u64>,
    is_withdrawn: bool,
}

impl ScrapeTargets {
    /// Of a run whose folder lies in `out`. Nothing is written before there is a process to find.
    pub fn new(out: &Path, run_id: impl Into<String>, guardian: Arc<Guardian>) -> Self {
        let folder = out.join(FOLDER);
        remove_stale(&folder);
        let run_id = run_id.into();
        let writer = ProcessIdentity::of(std::process::id());
        let path = folder.join(format!("{}.{}-{run_id}.json", writer.pid, writer.started));
        Self { run_id, path, guardian, list: Mutex::default() }
    }

    /// Adds an address at which a process of an arm serves `/metrics`; a process of the lab where `arm` is empty.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&self, addr: SocketAddr, arm: &str) -> io::Result<()> {
        self.change(|known| known.insert(addr, arm.to_owned()).as_deref() != Some(arm))
    }

    /// Removes an address.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn remove(&self, addr: SocketAddr) -> io::Result<()> {
        self.change(|known| known.remove(&addr).is_some())
    }

    /// Removes the file for good: the run is over.
    pub fn withdraw(&self) {
        let mut list = self.list.lock().expect("no panic while held");
        list.is_withdrawn = true;
        // Never written where there was no process.
        let _ = std::fs::remove_file(&self.path);
        self.guardian.mark_undone(list.undo.take().into_iter().collect());
    }

    /// Changes the list, and writes it where that made a difference.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<SocketAddr, String>) -> bool) -> io::Result<()> {
        let mut list = self.list.lock().expect("no panic while held");
        if list.is_withdrawn || !change(&mut list.known) {
            return Ok(());
        }
        if list.undo.is_none() {
            list.undo = self.guardian.record_undo(&UndoAction::File(self.path.clone()));
        }
        let folder = self.path.parent().expect("a file lies in a folder");
        std::fs::create_dir_all(folder)?;
        // Replaced in one step: Prometheus reads it whenever the folder changes.
        let fresh = self.path.with_extension("new");
        std::fs::write(&fresh, serde_json::to_vec_pretty(&self.groups(&list.known))?)?;
        std::fs::rename(&fresh, &self.path)
    }

    fn groups(&self, known: &BTreeMap<SocketAddr, String>) -> Value {
        let mut by_arm: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (addr, arm) in known {
            by_arm.entry(arm).or_default().push(addr.to_string());
        }
        let group = |(arm, targets): (&str, Vec<String>)| {
            let mut labels = json!({ names::RUN_ID: self.run_id });
            if !arm.is_empty() {
                labels[names::ARM] = arm.into();
            }
            json!({ "targets": targets, "labels": labels })
        };
        by_arm.into_iter().map(group).collect()
    }
}

impl Drop for ScrapeTargets {
    fn drop(&mut self) {
        self.withdraw();
    }
}

/// Removes the files of processes that have ended.
pub fn remove_stale(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.file_name().and_then(|name| is_writer_gone(name.to_str()?)) == Some(true) {
            // Another run may have been faster.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Whether the process that wrote a file of this name has ended: id and start, `4711.123456-`, come before its run. Names of
/// earlier versions have the id alone. `None` where the name is no list's.
fn is_writer_gone(name: &str) -> Option<bool> {
    let (writer, _run) = name.split_once('-')?;
    let (pid, started) = writer.split_once('.').unwrap_or((writer, ""));
    let pid: u32 = pid.parse().ok()?;
    if started.is_empty() {
        return Some(!Path::new(&format!("/proc/{pid}")).exists());
    }
    Some(!ProcessIdentity { pid, started: started.parse().ok()? }.is_alive())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::guardian::{JOURNAL, open_actions};

    fn targets(out: &Path, run_id: &str) -> ScrapeTargets {
        ScrapeTargets::new(out, run_id, Arc::new(Guardian::new(out, &"/bin/true".into())))
    }

    fn read(path: &Path) -> Value {
        serde_json::from_slice(&std::fs::read(path).expect("written")).expect("JSON")
    }

    #[test]
    fn the_file_lists_every_process_and_is_gone_at_the_end() {
        let out = tempfile::tempdir().expect("a folder");
        let addr = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let targets = targets(out.path(), "r1");
        let path = targets.path.clone();
        assert!(!path.exists(), "there is no process yet");
        for (port, arm) in [(3, ""), (2, "micro"), (1, "micro"), (9, "mono")] {
            targets.add(addr(port), arm).expect("writes");
        }
        targets.remove(addr(9)).expect("writes");
        assert_eq!(
            read(&path),
            json!([
                { "targets": ["127.0.0.1:3"], "labels": { "run_id": "r1" } },
                { "targets": ["127.0.0.1:1", "127.0.0.1:2"], "labels": { "run_id": "r1", "arm": "micro" } },
            ])
        );
        let journal = out.path().join(JOURNAL);
        assert_eq!(open_actions(&journal).expect("readable"), [UndoAction::File(path.clone())]);
        targets.withdraw();
        assert_eq!(std::fs::read_dir(out.path().join(FOLDER)).expect("a folder").count(), 0);
        assert!(open_actions(&journal).expect("readable").is_empty(), "nothing is left for the guardian");
        targets.add(addr(4), "late").expect("nothing to write");
        assert!(!path.exists(), "a run that is over lists nothing");
    }

    #[test]
    fn files_of_the_dead_are_swept_and_those_of_the_living_are_not() {
        let out = tempfile::tempdir().expect("a folder");
        let folder = out.path().join(FOLDER);
        std::fs::create_dir(&folder).expect("a folder");
        // No process has this number: the kernel's greatest is 4,194,304.
        let (dead, living) = (folder.join("4194305-r1.json"), folder.join("1-r1.json"));
        let own = ProcessIdentity::of(std::process::id());
        let before = folder.join(format!("{}.{}-r1.json", own.pid, own.started - 1));
        let mine = folder.join(format!("{}.{}-r3.json", own.pid, own.started));
        for path in [&dead, &living, &before, &mine] {
            std::fs::write(path, "[]").expect("a file");
        }
        drop(targets(out.path(), "r2"));
        assert!(!dead.exists());
        assert!(!before.exists(), "its writer had the id that another process has now");
        assert!(living.exists() && mine.exists(), "their writers may still run");
    }
}
