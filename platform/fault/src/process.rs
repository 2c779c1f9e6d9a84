//! What only somebody outside a process can do to it.

use policy::units::{ByteSize, HumanDuration};

/// A deed of the conductor. Lasting ones are undone by their opposite when the
/// last lease on them ends; each names what is in force, never a difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ProcessFault {
    /// SIGKILL, once. With a time, it is back so long after, whatever the topology says.
    Kill(Option<HumanDuration>),
    /// Asked to leave, given so long, then killed.
    Stop(HumanDuration),
    /// Asked to leave, and started again.
    Restart,
    /// Killed again every so often.
    Crashloop(HumanDuration),
    /// SIGSTOP, then SIGCONT.
    Pause,
    /// RLIMIT_DATA.
    Memory(ByteSize),
    /// RLIMIT_NOFILE.
    OpenFiles(u64),
    /// Share of one core a cgroup leaves to it; where there is none to use, degraded.
    CpuQuota(f64),
}

impl ProcessFault {
    /// What it is called when it is told.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill(_) => "killed",
            Self::Stop(_) => "stopped",
            Self::Restart => "restarted",
            Self::Crashloop(_) => "killed again and again",
            Self::Pause => "paused",
            Self::Memory(_) => "limited in memory",
            Self::OpenFiles(_) => "limited in open files",
            Self::CpuQuota(_) => "limited in CPU",
        }
    }
}
