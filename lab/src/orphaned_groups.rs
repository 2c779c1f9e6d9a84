//! Control groups that runs left behind and no journal has: found by the prefix of their names.

use std::path::Path;

use conductor::process::cgroup;

/// How names of a run's groups begin; the run's own name follows.
const PREFIX: &str = "cleave-";
/// A suite that `cleave up` keeps is known by its process.
const SUITE: &str = "up-";
/// What a program makes to see whether it can, also known by its process.
const PROBE: &str = "probe-";

/// Groups that were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orphans {
    /// Those that are gone.
    pub removed: usize,
    /// Those that could not be removed.
    pub left: usize,
}

/// Removes the groups without processes that no process of their run is there for.
pub fn remove() -> Orphans {
    let mut orphans = Orphans::default();
    let Some(root) = cgroup::path_for("") else { return orphans };
    let lines = command_lines();
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let group = entry.path();
        if !name.starts_with(PREFIX) || !cgroup::processes_in(&group).is_empty() || is_in_use(&name, &lines) {
            continue;
        }
        if cgroup::remove(&group) {
            orphans.removed += 1;
        } else {
            orphans.left += 1;
        }
    }
    orphans
}

/// Whether a process is there that a group of this name belongs to. Guardians and nodes have the folder of their run, which
/// has its name, among their arguments.
fn is_in_use(group: &str, command_lines: &[String]) -> bool {
    let name = group.strip_prefix(PREFIX).unwrap_or(group);
    for known_by_process in [SUITE, PROBE] {
        if let Some(rest) = name.strip_prefix(known_by_process) {
            let pid = rest.split('-').next().unwrap_or_default();
            return Path::new("/proc").join(pid).exists();
        }
    }
    let is_run = |folder: &str| {
        let rest = if folder.is_empty() { None } else { name.strip_prefix(folder) };
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    command_lines.iter().any(|line| line.split(['/', '\0']).any(is_run))
}

/// The arguments of every process that can be read, separated by NUL.
fn command_lines() -> Vec<String> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let line = |path: std::path::PathBuf| std::fs::read(path.join("cmdline")).ok();
    processes
        .filter_map(|process| line(process.path()))
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_belongs_to_the_run_that_a_process_is_there_for() {
        let lines = ["/bin/cleave\0guard\0/tmp/runs/20261201-093000-abcd/undo.jsonl\0".to_owned()];
        let is_in_use = |name: &str| is_in_use(name, &lines);
        assert!(is_in_use("cleave-20261201-093000-abcd-A"));
        assert!(is_in_use("cleave-20261201-093000-abcd-step-1-A-feed-0"));
        assert!(!is_in_use("cleave-20261201-093000-abcde-A"), "another run");
        assert!(!is_in_use("cleave-20261201-100000-abcd-A"));
    }

    #[test]
    fn a_suite_and_a_probe_belong_to_their_process() {
        let own = std::process::id();
        assert!(is_in_use(&format!("cleave-up-{own}-micro-feed-0"), &[]));
        assert!(is_in_use(&format!("cleave-probe-{own}"), &[]));
        // Beyond the largest that Linux gives.
        assert!(!is_in_use("cleave-up-5000000-micro-feed-0", &[]) && !is_in_use("cleave-probe-5000000", &[]));
    }
}
