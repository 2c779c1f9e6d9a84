//! What a process may use: memory, open files, cores, precedence. The kernel keeps it.

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, getpriority_process, prlimit, setpriority_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The lowest priority there is.
const LOWEST_PRIORITY: i32 = 19;

/// A limit of a process that can be changed while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceLimit {
    /// RLIMIT_DATA, bytes: beyond it an allocation fails.
    Data,
    /// RLIMIT_NOFILE: descriptors open at once.
    Files,
}

impl ResourceLimit {
    const fn resource(self) -> Resource {
        match self {
            Self::Data => Resource::Data,
            Self::Files => Resource::Nofile,
        }
    }
}

/// Sets the soft limit of a process, 0 for this one; `None` lifts it to the hard limit,
/// which is never touched. Returns what it was.
///
/// # Errors
/// When the process is gone or not ours.
pub fn set(pid: u32, what: ResourceLimit, to: Option<u64>) -> io::Result<Option<u64>> {
    let pid = Pid::from_raw(pid.cast_signed());
    let hard = read(pid, what)?.maximum;
    let current = to.map(|to| hard.map_or(to, |hard| to.min(hard))).or(hard);
    Ok(prlimit(pid, what.resource(), Rlimit { current, maximum: hard })?.current)
}

/// Whether the soft limit of a process is its hard one.
///
/// # Errors
/// When the process is gone.
pub fn is_lifted(pid: u32, what: ResourceLimit) -> io::Result<bool> {
    let limit = read(Pid::from_raw(pid.cast_signed()), what)?;
    Ok(limit.current == limit.maximum)
}

/// The limit as it is.
fn read(pid: Option<Pid>, what: ResourceLimit) -> io::Result<Rlimit> {
    match pid {
        None => Ok(rustix::process::getrlimit(what.resource())),
        Some(pid) => {
            let text = std::fs::read_to_string(format!("/proc/{}/limits", pid.as_raw_nonzero()))?;
            let name = match what {
                ResourceLimit::Data => "Max data size",
                ResourceLimit::Files => "Max open files",
            };
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let mut words = line.unwrap_or_default().split_whitespace();
            let mut number = || words.next().and_then(|word| word.parse().ok());
            Ok(Rlimit { current: number(), maximum: number() })
        }
    }
}

/// The most that the soft limit of this process can be; `None` without a bound.
pub fn hard(what: ResourceLimit) -> Option<u64> {
    rustix::process::getrlimit(what.resource()).maximum
}

/// Whether an error means that this process, or its machine, has no more descriptors, ports or buffers: the other end has had
/// no part in it.
pub fn is_exhausted(error: &io::Error) -> bool {
    let lacking = [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL, Errno::NOBUFS, Errno::NOMEM];
    error.raw_os_error().is_some_and(|code| lacking.iter().any(|errno| errno.raw_os_error() == code))
}

/// Lowers the priority of this process: 0 not at all, 19 as far as it
/// goes. Before any thread starts: threads inherit it from the thread that starts them.
///
/// # Errors
/// When the kernel refuses.
pub fn set_nice(nice: u8) -> io::Result<()> {
    Ok(setpriority_process(None, i32::from(nice))?)
}

/// Priority of the calling thread, from -20, the highest, to 19.
///
/// # Errors
/// When the kernel refuses.
pub fn thread_priority() -> io::Result<i32> {
    // To Linux a thread is what POSIX calls a process here.
    Ok(getpriority_process(None)?)
}

/// Lowers the priority of the calling thread by so much, for good: raising it again takes privileges.
///
/// # Errors
/// When the kernel refuses.
pub fn lower_thread_priority(by: u8) -> io::Result<()> {
    let lower = thread_priority()? + i32::from(by);
    Ok(setpriority_process(None, lower.min(LOWEST_PRIORITY))?)
}

/// Cores this process may run on.
pub fn allowed_cores() -> Vec<usize> {
    let set = sched_getaffinity(None).unwrap_or_default();
    (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}

/// Lets this process run on some cores only. Before any thread starts, as above.
///
/// # Errors
/// When none of them is there, or the kernel refuses.
pub fn set_affinity(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    Ok(sched_setaffinity(None, &set)?)
}

/// Burns CPU on so many threads until the process ends, or its parent does.
pub fn burn_cpu(threads: u32) {
    crate::lifeline::die_with_parent();
    for _ in 0..threads {
        std::thread::spawn(|| {
            let mut sum = 0_u64;
            loop {
                sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(1));
            }
        });
    }
    crate::lifeline::wait_for_end();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_set_on_a_running_process_and_lifted_again() {
        let mut child = std::process::Command::new("sleep").arg("30").spawn().expect("sleep is everywhere");
        let limits = |child: &std::process::Child| {
            let text = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).expect("it lives");
            let line = text.lines().find(|line| line.starts_with("Max open files")).expect("listed");
            line.split_whitespace().nth(3).map(str::to_owned)
        };
        let before = set(child.id(), ResourceLimit::Files, Some(20)).expect("ours");
        assert_eq!(limits(&child).as_deref(), Some("20"));
        assert!(!is_lifted(child.id(), ResourceLimit::Files).expect("ours"));
        set(child.id(), ResourceLimit::Files, None).expect("ours");
        assert!(is_lifted(child.id(), ResourceLimit::Files).expect("ours"));
        set(child.id(), ResourceLimit::Files, before).expect("ours");
        assert_eq!(limits(&child), before.map(|n| n.to_string()));
        child.kill().and_then(|()| child.wait()).expect("it ends");
        assert!(set(child.id(), ResourceLimit::Files, Some(20)).is_err(), "no such process");
    }

    #[test]
    fn a_lack_of_descriptors_is_one_of_this_side() {
        assert!(is_exhausted(&Errno::MFILE.into()) && is_exhausted(&Errno::ADDRNOTAVAIL.into()));
        assert!(!is_exhausted(&Errno::CONNREFUSED.into()) && !is_exhausted(&io::Error::other("anything")));
    }

    #[test]
    fn this_process_runs_somewhere() {
        assert!(!allowed_cores().is_empty());
    }
}
