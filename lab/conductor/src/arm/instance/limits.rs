//! Limits, control groups and pauses in force on an instance's process. Steps that overlap end one by one; what is in
//! force holds for a restarted process as well.

use std::path::PathBuf;

use nix::sys::signal::Signal;
use runtime::limits::ResourceLimit;

use super::{Health, Instance};
use crate::process::cgroup;

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

    /// Removes the limit of a step.
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
        state.cgroups.remove(at);
        let pid = state.pid;
        let (alive, alone) = (state.is_alive(), state.cgroups.is_empty() && self.group.is_none());
        drop(state);
        let left = if alive && alone { cgroup::leave(pid) } else { self.apply_cgroup() };
        // A process that has ended meanwhile is in no group any more.
        left.or_else(|error| if self.state().is_alive() { Err(error) } else { Ok(()) })
    }

    fn apply_cgroup(&self) -> std::io::Result<()> {
        let state = self.state();
        let least = state.cgroups.iter().min_by(|(_, a, _), (_, b, _)| a.total_cmp(b));
        match least.map(|(.., group)| group).or(self.group.as_ref()) {
            Some(group) if state.is_alive() => cgroup::join(group, state.pid),
            _ => Ok(()),
        }
    }

    /// Applies what is in force to a process that has just started.
    pub(in crate::arm) fn reapply_limits(&self) {
        // A process that has ended again needs no quota and no pause.
        let _ = self.apply_cgroup();
        let state = self.state();
        if let Some(running) = state.running.as_ref().filter(|_| state.paused > 0) {
            let _ = running.signal(Signal::SIGSTOP);
        }
        drop(state);
        let kinds: Vec<ResourceLimit> = self.state().limits.iter().map(|(_, kind, _)| *kind).collect();
        self.state().before.clear();
        for kind in kinds {
            // A process that has ended again needs no limit.
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
        // One that has ended is down; its successor will stand still.
        if state.is_alive() {
            state.health = Health::Paused;
        }
        state.running.as_ref().map_or(Ok(()), |running| running.signal(Signal::SIGSTOP))
    }

    /// Continues it, once for each [`Instance::pause`].
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
            state.health = if state.is_alive() { Health::Up } else { Health::Down };
        }
        state.running.as_ref().map_or(Ok(()), |running| running.signal(Signal::SIGCONT))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use contract::{ComponentName, ProcessPlan};
    use node::NodeConfig;

    use super::*;
    use crate::arm::children::{ChildSpec, Spawner};
    use crate::process::usage;

    /// An instance whose process is `cat`: it waits for the end of its input.
    async fn running(folder: &std::path::Path) -> (Instance, u32) {
        let spec = ChildSpec {
            name: "cat".into(),
            program: "/bin/cat".into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            log: folder.join("log"),
        };
        let (child, _stdout) = Spawner::new().spawn(spec).await.expect("starts");
        let process = ProcessPlan::holding(ComponentName::of("feed"));
        let paths = (folder.join("config"), folder.join("log"));
        let instance = Instance::new("feed#0".into(), process, paths, &NodeConfig::default());
        let pid = child.pid;
        let mut state = instance.state();
        (state.pid, state.health, state.running) = (pid, Health::Up, Some(Arc::new(child)));
        drop(state);
        (instance, pid)
    }

    fn open_files_limit(pid: u32) -> String {
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).expect("a process of ours");
        let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
        line.split_whitespace().nth(3).expect("a soft limit").to_owned()
    }

    #[tokio::test]
    async fn a_process_paused_by_two_steps_continues_after_both() {
        let folder = tempfile::tempdir().expect("a folder");
        let (instance, pid) = running(folder.path()).await;
        let until = |stopped: bool| {
            while (usage::state(pid) == Some('T')) != stopped {
                std::thread::yield_now();
            }
        };
        instance.pause().and_then(|()| instance.pause()).expect("a child of ours");
        until(true);
        instance.resume().expect("a child of ours");
        assert_eq!((usage::state(pid), instance.status().health), (Some('T'), Health::Paused));
        instance.resume().expect("a child of ours");
        until(false);
        assert_eq!(instance.status().health, Health::Up);
    }

    #[tokio::test]
    async fn of_two_limits_the_smaller_holds_and_the_last_one_removed_restores() {
        let folder = tempfile::tempdir().expect("a folder");
        let (instance, pid) = running(folder.path()).await;
        let before = open_files_limit(pid);
        instance.add_limit(1, ResourceLimit::Files, 100).expect("a child of ours");
        instance.add_limit(2, ResourceLimit::Files, 50).expect("a child of ours");
        assert_eq!(open_files_limit(pid), "50");
        instance.remove_limit(2, ResourceLimit::Files).expect("a child of ours");
        assert_eq!(open_files_limit(pid), "100");
        instance.remove_limit(1, ResourceLimit::Files).expect("a child of ours");
        assert_eq!(open_files_limit(pid), before);
    }

    #[tokio::test]
    async fn a_limit_of_a_process_that_has_ended_is_no_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let (instance, _) = running(folder.path()).await;
        instance.kill().expect("a child of ours");
        instance.running().expect("it was started").wait().await;
        instance.add_limit(1, ResourceLimit::Files, 100).expect("nothing is left to limit");
        instance.enter_cgroup(1, 1.0, "/nowhere".into()).expect("nothing is left to put into a group");
        instance.leave_cgroup(1).expect("nothing is left to take out");
    }
}
