//! The copies of the processes that changes are about: which there are, and which builds they run.

use std::collections::BTreeMap;

/// The builds that copies run: none for that which was there at first, else the number of the change that deployed it.
pub(super) type Build = Option<u32>;

/// The copies of all processes that changes are about.
#[derive(Debug, Default)]
pub(super) struct CopySets {
    pub sets: Vec<CopySet>,
    /// What processes run, where that is not the first build.
    builds: BTreeMap<u32, u32>,
    /// What a change replaced in a set.
    pub replaced: BTreeMap<(u32, u32), Build>,
}

/// The copies of a process.
#[derive(Debug)]
pub(super) struct CopySet {
    pub name: String,
    /// By number, those included that are not there.
    pub processes: Vec<u32>,
    /// Numbers of those there are, the oldest first.
    pub present: Vec<u32>,
    /// From the start of a process until it serves, ns.
    pub start_ns: u64,
    pub has_one_port: bool,
}

impl CopySets {
    /// What a process runs.
    pub fn build_of(&self, process: u32) -> Build {
        self.builds.get(&process).copied()
    }

    pub fn set_build(&mut self, process: u32, build: Build) {
        match build {
            Some(change) => self.builds.insert(process, change),
            None => self.builds.remove(&process),
        };
    }

    /// From the start of a process until it serves, ns.
    pub fn start_ns(&self, process: u32) -> u64 {
        let set = self.sets.iter().find(|set| set.processes.contains(&process));
        set.map_or(0, |set| set.start_ns)
    }

    /// A process is gone for good.
    pub fn forget(&mut self, process: u32) {
        self.builds.remove(&process);
        for set in &mut self.sets {
            let CopySet { processes, present, .. } = set;
            present.retain(|number| processes[*number as usize] != process);
        }
    }
}

impl CopySet {
    /// The number and the process of the next copy: one above the highest there is. `None` where the plan has no more.
    pub fn next(&self) -> Option<(u32, u32)> {
        let number = self.present.iter().max().map_or(0, |last| last + 1);
        Some((number, *self.processes.get(number as usize)?))
    }

    /// Processes of the copies there are, the oldest first.
    pub fn running(&self) -> Vec<u32> {
        self.present.iter().map(|number| self.processes[*number as usize]).collect()
    }
}
