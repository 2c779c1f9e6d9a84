//! Control groups that runs left behind and no journal has: found by the prefix of their names.

use conductor::process::{cgroup, usage};
use conductor::run::up::SUITE_PREFIX;

/// How names of a run's groups begin; the run's own name follows.
const PREFIX: &str = "cleave-";
/// What a program makes to see whether it can: id and start of its process follow.
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
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let groups: Vec<_> = entries
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    // After the groups: a run starts its guardian before it makes one, and a run that begins now has none of these.
    let lines = command_lines();
    for (name, group) in groups {
        if !cgroup::processes_in(&group).is_empty() || is_in_use(&name, &lines) {
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
    if let Some(rest) = name.strip_prefix(PROBE) {
        // An id alone may be another process's by now.
        let (pid, started) = rest.split_once('-').unwrap_or((rest, ""));
        let found = pid.parse::<u32>().ok().and_then(usage::started);
        return found.is_some_and(|found| found.to_string() == started);
    }
    let suite = name.strip_prefix(SUITE_PREFIX).map(suite_ending);
    let is_suite = |folder: &str| {
        folder.starts_with(SUITE_PREFIX)
            && suite.as_ref().is_some_and(|ending| folder.ends_with(ending.as_str()))
    };
    let is_run = |folder: &str| {
        let rest = if folder.is_empty() { None } else { name.strip_prefix(folder) };
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let is_of_group = |folder: &str| is_run(folder) || is_suite(folder);
    command_lines.iter().any(|line| line.split(['/', '\0']).any(is_of_group))
}

/// How the folder of a suite ends, which has its arm's name before that, by the rest of a group's name: id of its process
/// and letters.
fn suite_ending(rest: &str) -> String {
    rest.split('-').take(2).flat_map(|part| ["-", part]).collect()
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
    fn a_suite_is_known_by_its_folder_and_a_probe_by_its_process() {
        let lines = ["/bin/cleave\0guard\0/tmp/runs/up-micro-naive-77-abcd/undo.jsonl\0".to_owned()];
        assert!(is_in_use("cleave-up-77-abcd-micro-naive-feed-0", &lines));
        for other in ["cleave-up-77-abce-micro-naive-feed-0", "cleave-up-7-abcd-micro-naive-feed-0"] {
            assert!(!is_in_use(other, &lines), "{other}: its process's id was used again");
        }
        let own = std::process::id();
        let started = usage::started(own).expect("it runs");
        assert!(is_in_use(&format!("cleave-probe-{own}-{started}"), &[]));
        assert!(!is_in_use(&format!("cleave-probe-{own}-{}", started + 1), &[]), "another one had that id");
        // Beyond the largest that Linux gives.
        assert!(!is_in_use("cleave-probe-5000000-1", &[]));
    }
}
