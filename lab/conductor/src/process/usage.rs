//! What the kernel accounts to a process.

use std::collections::HashMap;

use procfs::process::{FDTarget, Process, Task};

/// Cumulative figures of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessUsage {
    /// CPU of all threads, living and ended, ns.
    pub cpu_ns: u64,
    /// Of it, threads of the telemetry exporter.
    pub cpu_telemetry_ns: u64,
    /// Of it, threads that do the work of tasks: workers of the async runtime, its threads for blocking work, and those for
    /// background work. What workers spend outside any task is waking up and going to sleep.
    pub cpu_workers_ns: u64,
    /// Of it, the thread that ends injected delays and declared work.
    pub cpu_timer_ns: u64,
    /// Time runnable but not running, ns.
    pub run_queue_ns: u64,
    /// Context switches, voluntary and not.
    pub switches: u64,
    /// Threads now.
    pub threads: u32,
}

impl ProcessUsage {
    pub(super) fn add(&mut self, thread: &Self) {
        self.cpu_ns += thread.cpu_ns;
        self.cpu_telemetry_ns += thread.cpu_telemetry_ns;
        self.cpu_workers_ns += thread.cpu_workers_ns;
        self.cpu_timer_ns += thread.cpu_timer_ns;
        self.run_queue_ns += thread.run_queue_ns;
        self.switches += thread.switches;
    }
}

/// Tracks one process: a thread that ends takes its numbers with it, so the last value of each is added up.
#[derive(Debug, Default)]
pub struct UsageTracker {
    threads: HashMap<i32, ProcessUsage>,
    /// Of threads that have ended, together.
    ended: ProcessUsage,
}

impl UsageTracker {
    /// The process's figures now; what was read last where a thread has ended. `None` when the process has ended.
    pub fn sample(&mut self, pid: u32) -> Option<ProcessUsage> {
        let mut threads = 0;
        let mut living = Vec::new();
        for task in process(pid)?.tasks().ok()?.flatten() {
            living.push(task.tid);
            if let Some(usage) = thread_usage(&task) {
                threads += 1;
                self.threads.insert(task.tid, usage);
            }
        }
        let ended = self.threads.extract_if(|tid, _| !living.contains(tid));
        ended.for_each(|(_, usage)| self.ended.add(&usage));
        let mut total = ProcessUsage { threads, ..self.ended };
        self.threads.values().for_each(|thread| total.add(thread));
        (threads > 0).then_some(total)
    }
}

fn thread_usage(task: &Task) -> Option<ProcessUsage> {
    let schedstat = task.schedstat().ok()?;
    let name = task.stat().map(|stat| stat.comm).unwrap_or_default();
    let cpu_ns = schedstat.sum_exec_runtime;
    let of = |prefix: &str| if name.starts_with(prefix) { cpu_ns } else { 0 };
    Some(ProcessUsage {
        cpu_ns,
        run_queue_ns: schedstat.run_delay,
        switches: schedstat.pcount,
        // Thread names are cut to 15 bytes by the kernel.
        cpu_telemetry_ns: of("OpenTelemetry"),
        cpu_workers_ns: if works_for_tasks(&name) { cpu_ns } else { 0 },
        cpu_timer_ns: of(runtime::timer::THREAD_NAME),
        threads: 1,
    })
}

/// Whether a thread of this name does what tasks are charged for.
fn works_for_tasks(name: &str) -> bool {
    name.starts_with("tokio-") || name.starts_with(runtime::background::THREAD_PREFIX)
}

/// Proportional set size, KiB: shared pages are split among the processes that share them, so that it may be summed.
/// Costs a page-table walk: once a second at most.
pub fn pss_kib(pid: u32) -> Option<u64> {
    let rollup = process(pid)?.smaps_rollup().ok()?.memory_map_rollup;
    // The crate gives bytes where the kernel writes kB.
    rollup.0.first()?.extension.map.get("Pss").map(|bytes| bytes / 1_024)
}

/// Open file descriptors, and the sockets among them.
pub fn descriptors(pid: u32) -> (u32, u32) {
    let Some(entries) = process(pid).and_then(|process| process.fd().ok()) else { return (0, 0) };
    entries.flatten().fold((0, 0), |(all, sockets), descriptor| {
        (all + 1, sockets + u32::from(matches!(descriptor.target, FDTarget::Socket(_))))
    })
}

/// When a process started, in clock ticks since boot: together with its id it is unique.
pub fn started(pid: u32) -> Option<u64> {
    Some(process(pid)?.stat().ok()?.starttime)
}

/// The state letter of a process: `R`, `S`, `T` for stopped, `Z` for a zombie.
pub fn state(pid: u32) -> Option<char> {
    Some(process(pid)?.stat().ok()?.state)
}

fn process(pid: u32) -> Option<Process> {
    Process::new(i32::try_from(pid).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_of_an_ended_thread_still_counts() {
        let pid = std::process::id();
        let mut tracker = UsageTracker::default();
        let before = tracker.sample(pid).expect("this process");
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let (worked, has_worked) = std::sync::mpsc::channel::<()>();
        let worker = std::thread::spawn(move || {
            let mut sum = 0_u64;
            for i in 0..20_000_000_u64 {
                sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(i));
            }
            worked.send(()).expect("the test waits");
            finished.recv().expect("the test sends");
            sum
        });
        // The tracker must see the thread once while it lives, after its work.
        has_worked.recv().expect("it works");
        let seen = tracker.sample(pid).expect("this process");
        assert!(seen.cpu_ns > before.cpu_ns);
        finish.send(()).expect("it waits");
        worker.join().expect("it ends");
        assert!(tracker.sample(pid).expect("this process").cpu_ns >= seen.cpu_ns);
        // The kernel lists it for a moment longer than it can be joined.
        while tracker.ended.cpu_ns == 0 {
            tracker.sample(pid).expect("this process");
        }
        assert!(tracker.sample(pid).expect("this process").cpu_ns >= seen.cpu_ns, "and is held no longer");
    }

    #[test]
    fn threads_are_accounted_by_their_names() {
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let worker = std::thread::Builder::new()
            .name("OpenTelemetry.B".into())
            .spawn(move || finished.recv())
            .expect("a thread");
        let mut tracker = UsageTracker::default();
        while tracker.sample(std::process::id()).expect("this process").cpu_telemetry_ns == 0 {
            std::thread::yield_now();
        }
        finish.send(()).expect("it waits");
        worker.join().expect("it ends").expect("the test sends");
        let usage = tracker.sample(std::process::id()).expect("this process");
        assert!(usage.cpu_telemetry_ns < usage.cpu_ns, "the test's own thread exports nothing");
    }

    #[test]
    fn background_work_is_that_of_tasks() {
        // As the kernel cuts it.
        let background = &format!("{}decoder", runtime::background::THREAD_PREFIX)[..15];
        assert!(works_for_tasks("tokio-rt-worker") && works_for_tasks(background));
        assert!(!works_for_tasks("OpenTelemetry.B") && !works_for_tasks("decoder"));
    }

    #[test]
    fn a_process_that_has_ended_has_no_figures() {
        let unused_pid = u32::MAX / 2;
        assert_eq!(UsageTracker::default().sample(unused_pid), None);
        assert_eq!(pss_kib(unused_pid), None);
        assert_eq!(state(unused_pid), None);
        assert_eq!(started(unused_pid), None);
        assert_eq!(descriptors(unused_pid), (0, 0));
    }

    #[test]
    fn this_process_has_memory_descriptors_and_a_state() {
        let pid = std::process::id();
        let socket = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let (all, sockets) = descriptors(pid);
        assert!(all >= 4 && sockets >= 1, "{all} with {sockets} sockets");
        drop(socket);
        // A program of this size holds some MiB, not KiB and not GiB.
        assert!((1_000..1_000_000).contains(&pss_kib(pid).expect("this process")));
        // `D` is one that waits for a disk.
        assert!(matches!(state(pid), Some('R' | 'S' | 'D')));
        assert!(started(pid).expect("this process") > 0);
    }
}
