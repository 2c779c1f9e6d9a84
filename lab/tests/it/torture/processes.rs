//! The processes of a suite, as the kernel shows them.

use std::collections::BTreeMap;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cleave::Cleave;

/// Instances of the suite in a folder, by name, with their pids: a node's last argument is `NAME.json`.
pub(super) fn instances(cleave: &Cleave) -> BTreeMap<String, u32> {
    let name = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut words = line.split('\0').filter_map(|word| word.strip_suffix(".json"));
        let path = words.next()?;
        Some(Path::new(path).file_name()?.to_string_lossy().into_owned())
    };
    let pids = cleave.processes().into_iter();
    pids.filter_map(|pid| Some((name(&pid).filter(|name| name.contains('#'))?, pid))).collect()
}

/// A process that may be killed.
#[derive(Clone)]
pub(super) struct Running {
    /// `node`, `database server`, `backend` or `broker`.
    pub kind: &'static str,
    pub name: String,
    pub pid: u32,
}

impl Running {
    /// Whether another process has taken its place.
    pub fn is_replaced(&self, cleave: &Cleave) -> bool {
        let takes_its_place = |other: &Self| (other.kind, &other.name) == (self.kind, &self.name);
        running(cleave).iter().any(|other| takes_its_place(other) && other.pid != self.pid)
    }
}

/// The nodes of the suite in a folder, its database servers with a process for each connection, and its broker.
pub(super) fn running(cleave: &Cleave) -> Vec<Running> {
    let nodes = instances(cleave).into_iter();
    let mut running: Vec<Running> = nodes.map(|(name, pid)| Running { kind: "node", name, pid }).collect();
    for pid in cleave.processes() {
        let words = command_line(pid);
        match words.first().and_then(|program| Path::new(program).file_name()?.to_str()) {
            // One that was forked a moment ago has its parent's name.
            Some("postgres") if !is_of_same_name_as_parent(pid, &words) => {
                let Some(data) = words.iter().skip_while(|word| *word != "-D").nth(1) else { continue };
                let name = Path::new(data).file_name().unwrap_or_default().to_string_lossy().into_owned();
                let backends = children(pid).into_iter().filter(|child| is_backend(*child));
                running.extend(backends.map(|pid| Running { kind: "backend", name: name.clone(), pid }));
                running.push(Running { kind: "database server", name, pid });
            }
            Some("nats-server") => running.push(Running { kind: "broker", name: "nats".into(), pid }),
            _ => {}
        }
    }
    running
}

/// Whether a process of a PostgreSQL server works for a client: `postgres: cleave store0_feed [local] idle`.
fn is_backend(pid: u32) -> bool {
    command_line(pid).first().is_some_and(|title| title.contains(" [local] "))
}

fn is_of_same_name_as_parent(pid: u32, words: &[String]) -> bool {
    let parent = status(pid, "PPid").and_then(|parent| u32::try_from(parent).ok());
    parent.is_some_and(|parent| command_line(parent) == words)
}

fn command_line(pid: u32) -> Vec<String> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).split('\0').map(str::to_owned).collect()
}

fn children(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("Linux").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| status(*pid, "PPid") == Some(u64::from(parent))).collect()
}

/// SIGKILL; a process that is gone already is dead as well.
pub(super) fn kill_at_once(pid: u32) {
    let _gone = kill(Pid::from_raw(i32::try_from(pid).expect("a pid")), Signal::SIGKILL);
}

/// A line of `/proc/PID/status`, KiB: `VmRSS`, `VmHWM`.
pub(super) fn memory_kib(pid: u32, line: &str) -> Option<u64> {
    status(pid, line)
}

/// The number in a line of `/proc/PID/status`.
fn status(pid: u32, line: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rest = status.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':'))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Open descriptors of a process.
pub(super) fn descriptors(pid: u32) -> Option<usize> {
    std::fs::read_dir(format!("/proc/{pid}/fd")).ok().map(Iterator::count)
}

/// The most memory that each process of the suite has ever held, KiB.
pub(super) fn peaks(cleave: &Cleave) -> BTreeMap<String, u64> {
    let peak = |(name, pid)| Some((name, memory_kib(pid, "VmHWM")?));
    instances(cleave).into_iter().filter_map(peak).collect()
}

pub(super) fn print_memory(peaks: &BTreeMap<String, u64>) {
    let shown: Vec<String> =
        peaks.iter().map(|(name, kib)| format!("{name} {:.1}", *kib as f64 / 1_024.0)).collect();
    println!("  most memory, MiB: {}", shown.join(", "));
}

/// The most memory that each process of the suite has ever held, printed and bounded.
#[track_caller]
pub(super) fn memory_is_bounded(cleave: &Cleave) {
    let peaks = peaks(cleave);
    print_memory(&peaks);
    assert!(!peaks.is_empty(), "the suite is up");
    for (name, kib) in peaks {
        assert!(kib <= super::MAX_MEMORY_KIB, "{name} held {} MiB", kib / 1_024);
    }
}
