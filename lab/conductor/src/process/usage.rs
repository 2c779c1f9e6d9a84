//! What the kernel says about a process and the host. Everything Linux-only about measuring sits here.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// Cumulative figures of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessUsage {
    /// CPU of all threads, living and gone, ns.
    pub cpu_ns: u64,
    /// Of it, threads of the database.
    pub cpu_db_ns: u64,
    /// Of it, threads of the telemetry exporter.
    pub cpu_telemetry_ns: u64,
    /// Of it, workers of the async runtime: what they spend outside any task is waking up and going to sleep.
    pub cpu_workers_ns: u64,
    /// Time runnable but not running, ns.
    pub run_queue_ns: u64,
    /// Context switches, voluntary and not.
    pub switches: u64,
    /// Threads now.
    pub threads: u32,
}

/// Follows one process: threads that end take their numbers with them, so the
/// last value of each is kept.
#[derive(Debug, Default)]
pub struct UsageTracker {
    threads: HashMap<u32, ProcessUsage>,
}

impl UsageTracker {
    /// The process's figures now; what was read last where a thread has ended.
    /// `None` when the process is gone.
    pub fn sample(&mut self, pid: u32) -> Option<ProcessUsage> {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
        let mut living = 0;
        for task in tasks.flatten() {
            let Some(tid) = task.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            if let Some(usage) = thread(&task.path()) {
                living += 1;
                self.threads.insert(tid, usage);
            }
        }
        let mut total = ProcessUsage { threads: living, ..ProcessUsage::default() };
        for usage in self.threads.values() {
            total.cpu_ns += usage.cpu_ns;
            total.cpu_db_ns += usage.cpu_db_ns;
            total.cpu_telemetry_ns += usage.cpu_telemetry_ns;
            total.cpu_workers_ns += usage.cpu_workers_ns;
            total.run_queue_ns += usage.run_queue_ns;
            total.switches += usage.switches;
        }
        (living > 0).then_some(total)
    }
}

/// The three numbers of `schedstat`: time on a CPU, time waiting for one, ns, and slices.
fn thread(task: &Path) -> Option<ProcessUsage> {
    let schedstat = fs::read_to_string(task.join("schedstat")).ok()?;
    let mut numbers = schedstat.split_whitespace().map_while(|text| text.parse::<u64>().ok());
    let (cpu_ns, run_queue_ns, switches) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let name = fs::read_to_string(task.join("comm")).unwrap_or_default();
    let of = |prefix: &str| if name.starts_with(prefix) { cpu_ns } else { 0 };
    Some(ProcessUsage {
        cpu_ns,
        run_queue_ns,
        switches,
        // Thread names are cut to 15 bytes by the kernel.
        cpu_db_ns: of("sqlx-"),
        cpu_telemetry_ns: of("OpenTelemetry"),
        cpu_workers_ns: of("tokio-"),
        threads: 1,
    })
}

/// Proportional set size, KiB: shared pages are split among those who share
/// them, so that it may be summed. Costs a page-table walk: once a second at most.
pub fn pss_kib(pid: u32) -> Option<u64> {
    field(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?, "Pss:")
}

/// Open file descriptors, and the sockets among them.
pub fn descriptors(pid: u32) -> (u32, u32) {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return (0, 0) };
    entries.flatten().fold((0, 0), |(all, sockets), entry| {
        let is_socket =
            fs::read_link(entry.path()).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"));
        (all + 1, sockets + u32::from(is_socket))
    })
}

/// When a process started, in clock ticks since boot: with its id it is known for good.
pub fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; field 22 counts from the state, which is field 3.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// The state letter of `/proc/PID/stat`: `R`, `S`, `T` for stopped, `Z` for a zombie.
pub fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name may hold spaces and brackets: the fields begin after the last one.
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

/// Cumulative figures of the whole host.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HostUsage {
    /// Time at least one runnable task waited for a CPU (PSI `some`), microseconds.
    pub cpu_stall_us: u64,
    /// CPU time spent by anybody, ns.
    pub busy_ns: u64,
    /// CPU time the hypervisor took, ns.
    pub steal_ns: u64,
    /// Memory that can be had without swapping, MiB.
    pub memory_available_mib: u64,
}

/// The host's figures now; zero where the kernel does not tell.
pub fn host() -> HostUsage {
    let pressure = fs::read_to_string("/proc/pressure/cpu").unwrap_or_default();
    let cpu_stall_us = pressure
        .lines()
        .find(|line| line.starts_with("some"))
        .and_then(|line| line.rsplit_once("total=")?.1.trim().parse().ok())
        .unwrap_or(0);
    // Ten milliseconds a tick: USER_HZ is 100 on every Linux that matters.
    const TICK_NS: u64 = 10_000_000;
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks: Vec<u64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .map_while(|text| text.parse().ok())
        .collect();
    let tick = |i: usize| ticks.get(i).copied().unwrap_or(0);
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    HostUsage {
        cpu_stall_us,
        // user, nice, system, irq, softirq; idle and iowait left out (proc(5)).
        busy_ns: (tick(0) + tick(1) + tick(2) + tick(5) + tick(6)) * TICK_NS,
        steal_ns: tick(7) * TICK_NS,
        memory_available_mib: field(&meminfo, "MemAvailable:").unwrap_or(0) / 1024,
    }
}

/// Time the hypervisor took, percent of all, from /proc/stat (proc(5)): user, nice, system, idle, iowait, irq, softirq,
/// steal; guests count as user.
fn steal_since_boot(stat: &str) -> f64 {
    let ticks: Vec<f64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .take(8)
        .flat_map(str::parse)
        .collect();
    let all: f64 = ticks.iter().sum();
    if all > 0.0 { ticks.get(7).copied().unwrap_or(0.0) / all * 100.0 } else { 0.0 }
}

/// The machine, for the record's header.
pub fn machine() -> record::Machine {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpuinfo
        .lines()
        .find_map(|line| {
            line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim().to_owned())
        })
        .unwrap_or_default();
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    record::Machine {
        cpu,
        cores: std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX)),
        memory_mib: field(&meminfo, "MemTotal:").unwrap_or(0) / 1024,
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        governor: fs::read_to_string("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
            .ok()
            .map(|text| text.trim().to_owned()),
        steal: steal_since_boot(&fs::read_to_string("/proc/stat").unwrap_or_default()),
        load_average: fs::read_to_string("/proc/loadavg")
            .ok()
            .and_then(|text| text.split_whitespace().next()?.parse().ok())
            .unwrap_or(0.0),
        profile: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
    }
}

/// Bytes of all files of a folder, its subfolders included.
pub fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => folder_bytes(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Room left on the disk below a folder, MiB; `None` where the kernel does not tell.
pub fn disk_free_mib(folder: &Path) -> Option<u64> {
    let disk = nix::sys::statvfs::statvfs(folder).ok()?;
    Some(disk.blocks_available() * disk.fragment_size() / (1 << 20))
}

/// Files open on the whole machine, as a share of what it allows (proc_sys_fs(5), `file-nr`).
pub fn open_files_share() -> Option<f64> {
    let text = fs::read_to_string("/proc/sys/fs/file-nr").ok()?;
    let numbers: Vec<f64> = text.split_whitespace().map_while(|number| number.parse().ok()).collect();
    let [open, _, most] = numbers.as_slice() else { return None };
    (*most > 0.0).then(|| open / most)
}

/// The number after a label, as `/proc` writes it: `Pss:   123 kB`.
fn field(text: &str, label: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(label)?.split_whitespace().next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_a_share_of_all_time() {
        let stat = "cpu  40 0 10 100 20 0 5 25 3 0\ncpu0 1 2 3\n";
        assert_eq!(steal_since_boot(stat), 12.5);
        assert_eq!(steal_since_boot(""), 0.0);
    }

    #[test]
    fn work_of_an_ended_thread_still_counts() {
        let pid = std::process::id();
        let mut follower = UsageTracker::default();
        let before = follower.sample(pid).expect("we are here");
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let worker = std::thread::spawn(move || {
            let mut sum = 0_u64;
            for i in 0..20_000_000_u64 {
                sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(i));
            }
            finished.recv().expect("asked to end");
            sum
        });
        // The sampler must see the thread once while it lives, after its work.
        let mut seen = before;
        while seen.cpu_ns < before.cpu_ns + 5_000_000 {
            seen = follower.sample(pid).expect("we are here");
        }
        finish.send(()).expect("it waits");
        worker.join().expect("it ends");
        assert!(follower.sample(pid).expect("we are here").cpu_ns >= seen.cpu_ns);
    }

    #[test]
    fn a_pid_that_is_gone_has_no_figures() {
        let unused_pid = u32::MAX / 2;
        assert_eq!(UsageTracker::default().sample(unused_pid), None);
        assert_eq!(pss_kib(unused_pid), None);
        assert_eq!(state(unused_pid), None);
    }

    #[test]
    fn we_have_memory_descriptors_and_a_host() {
        let pid = std::process::id();
        assert!(pss_kib(pid).expect("we are here") > 100);
        assert!(descriptors(pid).0 >= 3);
        assert!(matches!(state(pid), Some('R' | 'S')));
        assert!(host().memory_available_mib > 0);
        assert!(
            disk_free_mib(Path::new("/proc/self")).is_some() && disk_free_mib(Path::new("/none")).is_none()
        );
        assert!(open_files_share().is_some_and(|share| (0.0..=1.0).contains(&share)));
    }
}
