//! Quotas and weights of CPU by control group, where this user may make one: v2, or v1's `cpu`.

use std::io;
use std::path::{Path, PathBuf};

use crate::process::usage;

/// Shortest period of a quota, microseconds: a tenth of a core is not a stutter then.
const MIN_PERIOD_US: f64 = 20_000.0;
/// Shortest quota the kernel accepts.
const MIN_QUOTA_US: f64 = 1_000.0;
/// Longest period it accepts.
const MAX_PERIOD_US: f64 = 1_000_000.0;

/// v1's shares of a group of the usual weight.
const USUAL_SHARES: u32 = 1_024;
/// v2's number for the same.
const USUAL_WEIGHT: u32 = 100;
/// The members of a weighted group are in a group within it: in v2 a group that has groups has no members (cgroups(7)).
const MEMBERS: &str = "members";

/// Where control groups of CPU are.
fn root() -> Option<PathBuf> {
    let two = Path::new("/sys/fs/cgroup");
    let controllers = std::fs::read_to_string(two.join("cgroup.controllers")).unwrap_or_default();
    if controllers.split_whitespace().any(|name| name == "cpu") {
        return Some(two.to_owned());
    }
    let one = two.join("cpu");
    one.join("cpu.cfs_quota_us").exists().then_some(one)
}

/// The folder of a group of this name, so that it can be written down before it is made; `None` where the machine has no
/// quotas.
pub fn path_for(name: &str) -> Option<PathBuf> {
    Some(root()?.join(name))
}

/// Makes a group that leaves so many cores to its members.
///
/// # Errors
/// Where this user may make none; nothing is left then.
pub fn create(group: &Path, cores: f64) -> io::Result<()> {
    match std::fs::create_dir(group) {
        // Made for the process that this one succeeds.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    let (quota, period) = quota_and_period(cores);
    let set = if group.join("cpu.max").exists() {
        std::fs::write(group.join("cpu.max"), format!("{quota} {period}"))
    } else {
        std::fs::write(group.join("cpu.cfs_period_us"), period.to_string())
            .and_then(|()| std::fs::write(group.join("cpu.cfs_quota_us"), quota.to_string()))
    };
    set.inspect_err(|_| {
        remove(group);
    })
}

/// Makes a group that as a whole gets a share of the cores by its weight, 100 being the usual one. Processes join
/// [`members_of`] it, or groups with a quota that are made in it.
///
/// # Errors
/// Where this user may make none; nothing is left then.
pub fn create_weighted(group: &Path, weight: u32) -> io::Result<()> {
    std::fs::create_dir(group)?;
    let set = || {
        if group.join("cpu.weight").exists() {
            std::fs::write(group.join("cpu.weight"), weight.to_string())?;
            std::fs::write(group.join("cgroup.subtree_control"), "+cpu")?;
        } else {
            let shares = weight * USUAL_SHARES / USUAL_WEIGHT;
            std::fs::write(group.join("cpu.shares"), shares.to_string())?;
        }
        std::fs::create_dir(members_of(group))
    };
    set().inspect_err(|_| {
        remove(group);
    })
}

/// Where the processes of a weighted group are.
pub fn members_of(group: &Path) -> PathBuf {
    group.join(MEMBERS)
}

/// Processes in a group, and in the groups within it.
pub fn processes_in(group: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let mut found: Vec<u32> = text.lines().filter_map(|pid| pid.parse().ok()).collect();
    found.extend(groups_in(group).iter().flat_map(|inner| processes_in(inner)));
    found
}

fn groups_in(group: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(group).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// Quota and period of so many cores, microseconds.
fn quota_and_period(cores: f64) -> (u64, u64) {
    let period = (MIN_QUOTA_US / cores).clamp(MIN_PERIOD_US, MAX_PERIOD_US);
    ((cores * period).max(MIN_QUOTA_US).round() as u64, period.round() as u64)
}

/// Puts a process and all its threads into a group.
///
/// # Errors
/// When the kernel refuses.
pub fn join(group: &Path, pid: u32) -> io::Result<()> {
    std::fs::write(group.join("cgroup.procs"), pid.to_string())
}

/// Takes a process out of its group: it joins this process, where it came from.
///
/// # Errors
/// When the kernel refuses.
pub fn leave(pid: u32) -> io::Result<()> {
    let root = root().unwrap_or_else(|| PathBuf::from("/"));
    let home = root.join(own_group().trim_start_matches('/'));
    join(if home.is_dir() { &home } else { &root }, pid)
}

/// Removes a group and those within it; processes that are left in it leave it. Whether it is gone: an
/// ended process may linger in it for a moment.
pub fn remove(group: &Path) -> bool {
    for inner in groups_in(group) {
        remove(&inner);
    }
    for pid in processes_in(group) {
        // It may have ended in this moment.
        let _ = leave(pid);
    }
    let _ = std::fs::remove_dir(group);
    !group.exists()
}

/// The group of this process, from the root of the groups of CPU: `/` when it is not known.
fn own_group() -> String {
    let table = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    cpu_group(&table).unwrap_or("/").to_owned()
}

/// The path in a table like `/proc/self/cgroup`: of v1's `cpu` where it is there, else of v2.
fn cpu_group(table: &str) -> Option<&str> {
    let rows = || table.lines().filter_map(|row| row.split_once(':')?.1.split_once(':'));
    let cpu = rows().find(|(controllers, _)| controllers.split(',').any(|name| name == "cpu"));
    cpu.or_else(|| rows().find(|(controllers, _)| controllers.is_empty())).map(|(_, path)| path)
}

/// Whether quotas can be set here.
pub fn is_available() -> bool {
    // What is left of a probe that was killed is known by its process, and an id alone may be used again.
    let (pid, started) = (std::process::id(), usage::started(std::process::id()).unwrap_or(0));
    let group = path_for(&format!("cleave-probe-{pid}-{started}"));
    group.is_some_and(|group| create(&group, 1.0).is_ok() && remove(&group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_quota_has_a_long_period() {
        assert_eq!(
            [1.5, 0.5, 0.02, 0.0001].map(quota_and_period),
            [(30_000, 20_000), (10_000, 20_000), (1_000, 50_000), (1_000, 1_000_000)]
        );
    }

    #[test]
    fn a_weighted_group_holds_its_processes_until_it_is_removed() {
        // Where no group can be made there is nothing to test; `cleave doctor` reports it.
        if !is_available() {
            return;
        }
        let group = path_for(&format!("cleave-weighted-{}", std::process::id())).expect("quotas can be set");
        create_weighted(&group, 33).expect("a group can be made");
        let shares = std::fs::read_to_string(group.join("cpu.shares"));
        let weight = std::fs::read_to_string(group.join("cpu.weight"));
        assert!(["33", "337"].contains(&weight.or(shares).expect("one of both").trim()));
        let mut child = std::process::Command::new("sleep").arg("30").spawn().expect("sleep is everywhere");
        join(&members_of(&group), child.id()).expect("a child of ours");
        assert_eq!(processes_in(&group), [child.id()]);
        create(&group.join("slow"), 0.5).expect("a quota within");
        join(&group.join("slow"), child.id()).expect("a child of ours");
        assert_eq!(processes_in(&group), [child.id()]);
        assert!(
            remove(&group) && !group.exists() && child.try_wait().expect("ours").is_none(),
            "it left, and lives on"
        );
        child.kill().and_then(|()| child.wait()).expect("it ends");
    }

    #[test]
    fn a_process_goes_back_to_the_group_it_came_from() {
        let mixed = "12:pids:/user\n4:cpu,cpuacct:/user/one\n0::/unified\n";
        assert_eq!(cpu_group(mixed), Some("/user/one"));
        assert_eq!(cpu_group("0::/user.slice/session:1\n"), Some("/user.slice/session:1"));
        assert_eq!(cpu_group(""), None);
    }
}
