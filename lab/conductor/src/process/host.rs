//! What the kernel says about the machine.
//!
//! Read by the `procfs` crate, but for `/proc/pressure`, whose `full` line for the CPU it insists on and kernels before 5.13
//! do not write, and for the governor in `/sys`.

use std::fs;
use std::path::Path;

use procfs::{CpuInfo, CpuTime, Current, CurrentSI, KernelStats, LoadAverage, Meminfo};

/// Ten milliseconds a tick: USER_HZ is 100 on every Linux (time(7)).
const TICK_NS: u64 = 10_000_000;
const MIB: u64 = 1 << 20;

/// Cumulative figures of the whole machine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HostUsage {
    /// Time at least one runnable task waited for a CPU (PSI `some`), microseconds; `None` where pressure is not reported:
    /// kernels before 4.20, or without `psi=1`.
    pub cpu_stall_us: Option<u64>,
    /// Time at least one task waited for a disk (PSI `some`), microseconds.
    pub io_stall_us: Option<u64>,
    /// CPU time of all processes, ns.
    pub busy_ns: u64,
    /// CPU time the hypervisor took, ns.
    pub steal_ns: u64,
    /// Memory that can be had without swapping, MiB.
    pub memory_available_mib: u64,
}

/// The machine's figures now; zero where the kernel does not give one, but for pressure.
pub fn usage() -> HostUsage {
    let ticks = KernelStats::current().map(|stats| stats.total).ok();
    // user, nice, system, irq, softirq; idle and iowait left out (proc(5)).
    let busy = |t: &CpuTime| t.user + t.nice + t.system + t.irq.unwrap_or(0) + t.softirq.unwrap_or(0);
    let available = Meminfo::current().ok().and_then(|memory| memory.mem_available);
    HostUsage {
        cpu_stall_us: pressure_us("cpu"),
        io_stall_us: pressure_us("io"),
        busy_ns: ticks.as_ref().map_or(0, busy) * TICK_NS,
        steal_ns: ticks.and_then(|ticks| ticks.steal).unwrap_or(0) * TICK_NS,
        memory_available_mib: available.unwrap_or(0) / MIB,
    }
}

/// Time tasks waited for a resource so far, microseconds.
fn pressure_us(resource: &str) -> Option<u64> {
    stall_us(&fs::read_to_string(format!("/proc/pressure/{resource}")).ok()?)
}

/// The total of the line `some` of a file of `/proc/pressure`.
fn stall_us(pressure: &str) -> Option<u64> {
    let some = pressure.lines().find(|line| line.starts_with("some"))?;
    some.rsplit_once("total=")?.1.trim().parse().ok()
}

/// Time the hypervisor took, percent of all (proc(5)); guests count as user.
fn steal_percent(ticks: &CpuTime) -> f64 {
    let optional = [ticks.iowait, ticks.irq, ticks.softirq, ticks.steal].map(Option::unwrap_or_default);
    let all = ticks.user + ticks.nice + ticks.system + ticks.idle + optional.iter().sum::<u64>();
    if all > 0 { ticks.steal.unwrap_or(0) as f64 / all as f64 * 100.0 } else { 0.0 }
}

/// Logical CPUs that a process of the lab may use: those it may run on, and no more than a quota over the whole lab allows.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The machine, for the record's header; its speed is probed apart.
pub fn machine() -> record::Machine {
    let cpu = CpuInfo::current().ok().and_then(|info| info.model_name(0).map(str::to_owned));
    let governor = fs::read_to_string("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    record::Machine {
        cpu: cpu.unwrap_or_default(),
        cores: u32::try_from(cores()).unwrap_or(u32::MAX),
        memory_mib: Meminfo::current().map_or(0, |memory| memory.mem_total) / MIB,
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        governor: governor.ok().map(|text| text.trim().to_owned()),
        steal: KernelStats::current().map_or(0.0, |stats| steal_percent(&stats.total)),
        // The kernel gives two decimals; a single-precision number has others.
        load_average: LoadAverage::current()
            .map_or(0.0, |load| (f64::from(load.one) * 100.0).round() / 100.0),
        profile: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
        speed: None,
    }
}

/// Room left on the disk below a folder, MiB; `None` where the kernel does not give it.
pub fn disk_free_mib(folder: &Path) -> Option<u64> {
    let disk = nix::sys::statvfs::statvfs(folder).ok()?;
    Some(disk.blocks_available() * disk.fragment_size() / MIB)
}

/// Files open on the whole machine, as a share of the number it allows (proc_sys_fs(5), `file-nr`).
pub fn open_files_share() -> Option<f64> {
    let files = procfs::sys::fs::file_nr().ok()?;
    (files.max > 0).then(|| files.allocated as f64 / files.max as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_a_share_of_all_time() {
        let stats = "cpu  40 0 10 100 20 0 5 25 3 0\nctxt 1\nbtime 1\nprocesses 1\n";
        let system = procfs::current_system_info();
        let ticks = |text: &str| {
            let read = <KernelStats as procfs::FromBufReadSI>::from_buf_read(text.as_bytes(), system);
            read.expect("statistics").total
        };
        assert_eq!(steal_percent(&ticks(stats)), 12.5);
        assert_eq!(steal_percent(&ticks("cpu  0 0 0 0 0 0 0 0 0 0\nctxt 1\nbtime 1\nprocesses 1\n")), 0.0);
    }

    #[test]
    fn a_stall_is_read_from_old_and_new_kernels() {
        let some = "some avg10=0.12 avg60=0.05 avg300=0.01 total=123456\n";
        let full = "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        assert_eq!(stall_us(some), Some(123_456));
        assert_eq!(stall_us(&format!("{some}{full}")), Some(123_456));
        assert_eq!(stall_us(""), None, "not reported is not quiet");
    }

    #[test]
    fn this_machine_has_memory_cores_and_a_disk() {
        let machine = machine();
        assert!(usage().memory_available_mib > 0 && usage().busy_ns > 0);
        assert!(machine.memory_mib > usage().memory_available_mib && machine.cores > 0, "{machine:?}");
        assert!(!machine.kernel.is_empty());
        assert!(disk_free_mib(Path::new("/")).is_some() && disk_free_mib(Path::new("/none")).is_none());
        assert!(open_files_share().is_some_and(|share| (0.0..=1.0).contains(&share)));
    }
}
