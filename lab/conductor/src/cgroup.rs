//! A quota of CPU by control group, where the machine lets us make one: v2, or v1's `cpu`.

use std::io;
use std::path::{Path, PathBuf};

/// Shortest period of a quota, microseconds: a tenth of a core is not a stutter then.
const PERIOD_US: f64 = 20_000.0;
/// Shortest quota the kernel takes.
const LEAST_US: f64 = 1_000.0;
/// Longest period it takes.
const LONGEST_US: f64 = 1_000_000.0;

/// Where control groups of CPU are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    V2(PathBuf),
    V1(PathBuf),
}

fn root() -> Option<Kind> {
    let two = Path::new("/sys/fs/cgroup");
    let controllers = std::fs::read_to_string(two.join("cgroup.controllers")).unwrap_or_default();
    if controllers.split_whitespace().any(|name| name == "cpu") {
        return Some(Kind::V2(two.to_owned()));
    }
    let one = two.join("cpu");
    one.join("cpu.cfs_quota_us").exists().then_some(Kind::V1(one))
}

/// Makes a group that leaves so many cores to its members; `None` where this machine
/// or this user has none to make.
pub fn make(name: &str, cores: f64) -> Option<PathBuf> {
    let kind = root()?;
    let (Kind::V1(parent) | Kind::V2(parent)) = &kind;
    let group = parent.join(name);
    std::fs::create_dir(&group).ok()?;
    let (quota, period) = terms(cores);
    let set = match kind {
        Kind::V2(_) => std::fs::write(group.join("cpu.max"), format!("{quota} {period}")),
        Kind::V1(_) => std::fs::write(group.join("cpu.cfs_period_us"), period.to_string())
            .and_then(|()| std::fs::write(group.join("cpu.cfs_quota_us"), quota.to_string())),
    };
    if set.is_err() {
        remove(&group);
        return None;
    }
    Some(group)
}

/// Quota and period of so many cores, microseconds.
fn terms(cores: f64) -> (u64, u64) {
    let period = (LEAST_US / cores).clamp(PERIOD_US, LONGEST_US);
    ((cores * period).max(LEAST_US).round() as u64, period.round() as u64)
}

/// Puts a process and all its threads into a group.
///
/// # Errors
/// When the kernel refuses.
pub fn join(group: &Path, pid: u32) -> io::Result<()> {
    std::fs::write(group.join("cgroup.procs"), pid.to_string())
}

/// Removes a group; whoever is left in it joins this process, where it came from.
pub fn remove(group: &Path) {
    if let (Ok(members), Some(root)) = (std::fs::read_to_string(group.join("cgroup.procs")), group.parent()) {
        let home = root.join(own_group().trim_start_matches('/'));
        let home = if home.is_dir() { home } else { root.to_owned() };
        for pid in members.lines() {
            // It may have ended in this moment.
            let _ = std::fs::write(home.join("cgroup.procs"), pid);
        }
    }
    // An ended process may linger for a moment: then `doctor --clean` finds the group.
    let _ = std::fs::remove_dir(group);
}

/// The group of this process, from the root of the groups of CPU: `/` when it is not known.
fn own_group() -> String {
    let table = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    group_of_cpu(&table).unwrap_or("/").to_owned()
}

/// The path in a table like `/proc/self/cgroup`: of v1's `cpu` where it is there, else of v2.
fn group_of_cpu(table: &str) -> Option<&str> {
    let rows = || table.lines().filter_map(|row| row.split_once(':')?.1.split_once(':'));
    let cpu = rows().find(|(controllers, _)| controllers.split(',').any(|name| name == "cpu"));
    cpu.or_else(|| rows().find(|(controllers, _)| controllers.is_empty())).map(|(_, path)| path)
}

/// Whether quotas can be set here.
pub fn is_available() -> bool {
    let name = format!("cleave-probe-{}", std::process::id());
    make(&name, 1.0).inspect(|group| remove(group)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_quota_has_a_long_period() {
        assert_eq!(
            [1.5, 0.5, 0.02, 0.0001].map(terms),
            [(30_000, 20_000), (10_000, 20_000), (1_000, 50_000), (1_000, 1_000_000)]
        );
    }

    #[test]
    fn a_process_goes_back_to_the_group_it_came_from() {
        let mixed = "12:pids:/user\n4:cpu,cpuacct:/user/one\n0::/unified\n";
        assert_eq!(group_of_cpu(mixed), Some("/user/one"));
        assert_eq!(group_of_cpu("0::/user.slice/session:1\n"), Some("/user.slice/session:1"));
        assert_eq!(group_of_cpu(""), None);
    }
}
