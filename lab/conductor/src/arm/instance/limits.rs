//! What is in force on a process from outside: limits, control groups, pauses. Steps that overlap end one by one; what
//! lasts holds for a successor as well.

use std::path::PathBuf;

use nix::sys::signal::Signal;
use runtime::limits::ResourceLimit;

use super::{Health, Instance};

impl Instance {
    /// Limits the running process for as long as a step lasts. Of several limits the
    /// smallest holds.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn add_limit(&self, step: u32, what: ResourceLimit, to: u64) -> std::io::Result<()> {
        self.state().limits.push((step, what, to));
        self.apply_limit(what)
    }

    /// Lifts what a step limited.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn remove_limit(&self, step: u32, what: ResourceLimit) -> std::io::Result<()> {
        self.state().limits.retain(|(other, kind, _)| (*other, *kind) != (step, what));
        self.apply_limit(what)
    }

    fn apply_limit(&self, what: ResourceLimit) -> std::io::Result<()> {
        let mut state = self.state();
        let least = state.limits.iter().filter(|(_, kind, _)| *kind == what).map(|(.., to)| *to).min();
        if !state.is_alive() {
            return Ok(());
        }
        let known = state.before.iter().find(|(kind, _)| *kind == what).map(|(_, before)| *before);
        match (least, known) {
            (Some(least), None) => {
                let before = runtime::limits::set(state.pid, what, Some(least))?;
                state.before.push((what, before));
            }
            (Some(least), Some(_)) => {
                runtime::limits::set(state.pid, what, Some(least))?;
            }
            (None, Some(before)) => {
                runtime::limits::set(state.pid, what, before)?;
                state.before.retain(|(kind, _)| *kind != what);
            }
            (None, None) => {}
        }
        Ok(())
    }

    /// Puts the running process into a control group that leaves it so many cores, for as long as
    /// a step lasts.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn enter_cgroup(&self, step: u32, cores: f64, group: PathBuf) -> std::io::Result<()> {
        self.state().cgroups.push((step, cores, group));
        self.apply_cgroup()
    }

    /// Takes it out of the group of a step.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn leave_cgroup(&self, step: u32) -> std::io::Result<()> {
        let mut state = self.state();
        let Some(at) = state.cgroups.iter().position(|(other, ..)| *other == step) else { return Ok(()) };
        let (.., group) = state.cgroups.remove(at);
        let pid = state.pid;
        let (alive, alone) = (state.is_alive(), state.cgroups.is_empty());
        drop(state);
        let left =
            if alive && alone { crate::process::cgroup::leave(&group, pid) } else { self.apply_cgroup() };
        // Whoever has ended meanwhile is in no group any more.
        left.or_else(|error| if self.state().is_alive() { Err(error) } else { Ok(()) })
    }

    fn apply_cgroup(&self) -> std::io::Result<()> {
        let state = self.state();
        let least = state.cgroups.iter().min_by(|(_, a, _), (_, b, _)| a.total_cmp(b));
        match least {
            Some((.., group)) if state.is_alive() => crate::process::cgroup::join(group, state.pid),
            _ => Ok(()),
        }
    }

    /// What is in force on a process that has just come (back) up.
    pub(super) fn reapply_limits(&self) {
        // A process that is gone again needs no quota and no pause.
        let _ = self.apply_cgroup();
        let state = self.state();
        if let Some(running) = state.running.as_ref().filter(|_| state.paused > 0) {
            let _ = running.signal(Signal::SIGSTOP);
        }
        drop(state);
        let kinds: Vec<ResourceLimit> = self.state().limits.iter().map(|(_, kind, _)| *kind).collect();
        self.state().before.clear();
        for kind in kinds {
            // A process that is gone again needs no limit.
            let _ = self.apply_limit(kind);
        }
    }

    /// Stops the process until [`Instance::resume`] was called as often.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn pause(&self) -> std::io::Result<()> {
        let mut state = self.state();
        state.paused += 1;
        state.health = Health::Paused;
        state.running.as_ref().map_or(Ok(()), |running| running.signal(Signal::SIGSTOP))
    }

    /// Lets it go on, once for each [`Instance::pause`].
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn resume(&self) -> std::io::Result<()> {
        let mut state = self.state();
        state.paused = state.paused.saturating_sub(1);
        if state.paused > 0 {
            return Ok(());
        }
        if state.health == Health::Paused {
            state.health = Health::Up;
        }
        state.running.as_ref().map_or(Ok(()), |running| running.signal(Signal::SIGCONT))
    }
}
