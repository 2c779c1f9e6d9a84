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

/// SIGKILL; a process that is gone already is dead as well.
pub(super) fn kill_at_once(pid: u32) {
    let _gone = kill(Pid::from_raw(i32::try_from(pid).expect("a pid")), Signal::SIGKILL);
}

/// A line of `/proc/PID/status`, KiB: `VmRSS`, `VmHWM`.
pub(super) fn memory_kib(pid: u32, line: &str) -> Option<u64> {
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
