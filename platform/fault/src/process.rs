//! Faults that act on a process from outside: signals and limits.

use policy::units::{ByteSize, HumanDuration};

/// A fault of a process, applied by the conductor. Lasting ones are undone when the last lease on
/// them ends; each names the state that is in force, never a difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ProcessFault {
    /// SIGKILL, once. With a time, it is restarted so long after, whatever the topology declares.
    Kill(Option<HumanDuration>),
    /// Asked to leave, given so long, then killed.
    Stop(HumanDuration),
    /// Asked to leave, and started again.
    Restart,
    /// Killed again every so often.
    Crashloop(HumanDuration),
    /// SIGSTOP, then SIGCONT.
    Pause,
    /// What keeps its files has no space left: of a broker that has a disk of its own.
    DiskFull,
    /// RLIMIT_DATA.
    Memory(ByteSize),
    /// RLIMIT_NOFILE.
    OpenFiles(u64),
    /// Share of one core a cgroup leaves to it; where there is none to use, degraded.
    CpuQuota(f64),
}

impl ProcessFault {
    /// What has happened to the process, for events and views.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill(_) => "killed",
            Self::Stop(_) => "stopped",
            Self::Restart => "restarted",
            Self::Crashloop(_) => "killed again and again",
            Self::Pause => "paused",
            Self::DiskFull => "without space on its disk",
            Self::Memory(_) => "limited in memory",
            Self::OpenFiles(_) => "limited in open files",
            Self::CpuQuota(_) => "limited in CPU",
        }
    }
}
