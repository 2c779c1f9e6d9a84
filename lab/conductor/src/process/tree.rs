//! A process with all it has started, accounted as one: a database server has a process for each connection.

use std::collections::BTreeMap;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::guardian::ProcessIdentity;
use crate::process::usage::{self, ProcessUsage, UsageTracker};

/// What a tree holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeUsage {
    /// CPU, threads and switches of all its processes, those that have ended included as far as they were seen.
    pub usage: ProcessUsage,
    /// Proportional set size of those that live, KiB.
    pub pss_kib: u64,
    /// Open files of those that live.
    pub files: u32,
    /// Sockets among them.
    pub sockets: u32,
}

/// Tracks one tree: a process that ends takes its numbers with it, so the last value of each is added up.
#[derive(Debug, Default)]
pub struct TreeTracker {
    living: BTreeMap<u32, (UsageTracker, ProcessUsage)>,
    ended: ProcessUsage,
}

impl TreeTracker {
    /// The figures of the tree below a process, itself included. `None` when that process has ended.
    pub fn sample(&mut self, root: u32) -> Option<TreeUsage> {
        let members = members(root);
        let mut tree = TreeUsage::default();
        for pid in &members {
            let (tracker, last) = self.living.entry(*pid).or_default();
            // It may have ended in this moment: then the last value counts.
            *last = tracker.sample(*pid).unwrap_or(*last);
            tree.pss_kib += usage::pss_kib(*pid).unwrap_or(0);
            let (files, sockets) = usage::descriptors(*pid);
            tree.files += files;
            tree.sockets += sockets;
        }
        let gone = self.living.extract_if(.., |pid, _| !members.contains(pid));
        for (_, (_, last)) in gone {
            self.ended.add(&last);
        }
        tree.usage = self.ended;
        for (_, last) in self.living.values() {
            tree.usage.add(last);
            tree.usage.threads += last.threads;
        }
        usage::started(root).is_some().then_some(tree)
    }
}

/// A process and its descendants, as the kernel lists them (proc(5), `/proc/pid/task/tid/children`).
pub fn members(root: u32) -> Vec<u32> {
    let mut members = vec![root];
    let mut next = 0;
    while let Some(pid) = members.get(next) {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        let children: Vec<u32> = lists
            .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
            .collect();
        members.extend(children);
        next += 1;
    }
    members
}

/// Sends a signal to those of some processes that are still there.
pub fn signal(processes: &[ProcessIdentity], signal: Signal) {
    for process in processes.iter().filter(|process| process.is_alive()) {
        // It may have ended in this moment; then there is nothing to do.
        let _ = kill(Pid::from_raw(process.pid.cast_signed()), signal);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_tree_is_a_process_and_its_descendants_and_keeps_what_they_spent() {
        // A shell with a child that works, prints that it has, and ends with its input.
        let work = "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; echo worked; read line";
        let script = format!("sh -c '{work}' <&0 & wait; echo ended; read line");
        let mut shell = Command::new("sh")
            .args(["-c", &format!("exec 3<&0; {}", script.replace("<&0", "<&3"))])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh is everywhere");
        let mut lines = BufReader::new(shell.stdout.take().expect("piped")).lines().map_while(Result::ok);
        assert_eq!(lines.next().as_deref(), Some("worked"));
        let mut tracker = TreeTracker::default();
        let both = tracker.sample(shell.id()).expect("it runs");
        assert_eq!(members(shell.id()).len(), 2);
        let alone = UsageTracker::default().sample(shell.id()).expect("it runs");
        assert!(both.usage.cpu_ns > alone.cpu_ns && both.pss_kib > 0 && both.files > 0, "{both:?} {alone:?}");
        let (root, mut stdin) = (shell.id(), shell.stdin.take().expect("piped"));
        stdin.write_all(b"end\n").expect("it reads");
        assert_eq!(lines.next().as_deref(), Some("ended"));
        let after = tracker.sample(root).expect("it runs");
        assert_eq!(members(root), [root]);
        assert!(after.usage.cpu_ns >= both.usage.cpu_ns, "what has ended still counts");
        stdin.write_all(b"end\n").expect("it reads");
        shell.wait().expect("it ends");
        assert_eq!(tracker.sample(root), None);
    }
}
