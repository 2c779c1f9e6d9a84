//! Which processes an arm has, and on which hosts they stand.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use contract::{ProcessPlan, resources};
use scenario::SystemScale;
use scenario::scale::CopyGroup;

/// The machines of an arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hosts {
    /// One for everything, the load generator included: what a live run on this machine has.
    #[default]
    One,
    /// One for each process, and another for the load generator.
    PerComponent,
    /// So many for each arm, to which its processes are assigned round-robin, and another for the load generator.
    Count(u32),
}

/// More hosts than this are no system that one scenario describes.
const MAX_HOSTS: u32 = 10_000;

/// Text that names no hosts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid hosts `{0}`: expected `one`, `per-component`, or a number from 1 to {MAX_HOSTS}")]
pub struct HostsParseError(String);

impl FromStr for Hosts {
    type Err = HostsParseError;

    fn from_str(text: &str) -> Result<Self, HostsParseError> {
        match text {
            "one" => Ok(Self::One),
            "per-component" => Ok(Self::PerComponent),
            count => {
                let count = count.parse().ok().filter(|count| (1..=MAX_HOSTS).contains(count));
                count.map(Self::Count).ok_or_else(|| HostsParseError(text.to_owned()))
            }
        }
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One => f.write_str("one"),
            Self::PerComponent => f.write_str("per-component"),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

/// An arm as it is simulated.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Its letter.
    pub letter: char,
    /// What the scenario has of it.
    pub arm: scenario::Arm,
    /// Its processes.
    pub processes: Vec<ProcessPlan>,
    /// Threads that serve requests, in all processes together.
    pub workers: u32,
    /// The size at which it is simulated, if its scenario has one: `processes` have their copies of it.
    pub scale: Option<SystemScale>,
}

/// A copy of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    /// Its name: `feed#0`.
    pub name: String,
    /// Components in it, the gateway included.
    pub components: Vec<String>,
    /// Threads that serve requests.
    pub workers: u32,
    /// Whether it is the registry's.
    pub is_registry: bool,
    /// Its host, and the zone of that, where the scenario has a size of its own.
    pub host: Option<u32>,
    /// Empty where there are no zones.
    pub zone: String,
}

/// Copies that a record has one line a second of: one alone, or at a size of its own all of a process in a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// `feed#0`; `feed` or `feed@a` of those of a zone.
    pub name: String,
    /// Components in each.
    pub components: Vec<String>,
    /// How many they are.
    pub copies: u32,
    /// Whether it is the registry.
    pub is_registry: bool,
}

impl Group {
    /// A copy alone.
    pub(crate) fn of(copy: Instance) -> Self {
        Self { name: copy.name, components: copy.components, copies: 1, is_registry: copy.is_registry }
    }
}

impl Layout {
    /// An arm as its scenario declares it, with the letter and the threads that a run gives it, and its processes.
    pub fn of(declared: &scenario::Arm, given: &record::Arm, processes: Vec<ProcessPlan>) -> Self {
        let workers = given.resources.as_ref().map_or(1, |resources| resources.workers);
        Self { letter: given.letter, arm: declared.clone(), processes, workers, scale: None }
    }

    /// The same at a size of its own: a share of it, from 0 to 1, of at least one copy of each process.
    #[must_use]
    pub fn at_scale(mut self, scale: &SystemScale, share: f64) -> Self {
        let part = |count: u32| ((f64::from(count) * share).round() as u32).max(1);
        self.processes = scale.sized(&self.processes);
        self.processes.iter_mut().for_each(|process| process.replicas = part(process.replicas));
        let zones = u32::try_from(scale.zones.len()).unwrap_or(u32::MAX);
        // As many in each zone as before.
        let hosts = scale.hosts.map(|hosts| part(hosts).next_multiple_of(zones.max(1)).min(hosts));
        self.scale = Some(SystemScale { hosts, ..scale.clone() });
        self
    }

    /// How many copies of processes there are.
    pub fn count(&self) -> u32 {
        self.processes.iter().map(|process| process.replicas).sum()
    }

    /// Every copy of every process that is there at first.
    pub(crate) fn copies(&self) -> Vec<Instance> {
        let copies =
            self.processes.iter().flat_map(|process| (0..process.replicas).map(move |n| (process, n)));
        let mut copies: Vec<Instance> = copies.map(|(process, n)| self.copy(process, n)).collect();
        if let Some(scale) = &self.scale {
            let all = u32::try_from(copies.len()).unwrap_or(u32::MAX);
            for (copy, number) in copies.iter_mut().zip(0..) {
                let host = scale.host_of(number, all);
                copy.host = Some(host);
                copy.zone = scale.zone_of(host).unwrap_or_default().to_owned();
                copy.workers = scale.cores;
            }
        }
        copies
    }

    /// Copies beyond those, so many of each process by its name: steps add them.
    pub(crate) fn further_copies(&self, standby: &BTreeMap<String, u32>) -> Vec<Instance> {
        let mut copies = Vec::new();
        for process in &self.processes {
            let more = standby.get(&process.name).copied().unwrap_or(0);
            let numbers = process.replicas..process.replicas + more;
            copies.extend(numbers.map(|n| self.copy(process, n)));
        }
        copies
    }

    fn copy(&self, process: &ProcessPlan, n: u32) -> Instance {
        Instance {
            name: format!("{}#{n}", process.name),
            components: components_of(process),
            workers: resources::workers(&self.processes, process, n, self.workers),
            is_registry: process.registry,
            host: None,
            zone: String::new(),
        }
    }

    /// The group in a record that a copy belongs to.
    pub(crate) fn group_of(&self, copy: &Instance) -> String {
        if self.scale.is_none() {
            return copy.name.clone();
        }
        let process = record::process_of(&copy.name);
        SystemScale::group_name(process, Some(copy.zone.as_str()).filter(|zone| !zone.is_empty()))
    }

    /// The groups of its copies, in the order of these.
    pub fn groups(&self) -> Vec<Group> {
        let Some(scale) = &self.scale else {
            return self.copies().into_iter().map(Group::of).collect();
        };
        let group = |group: CopyGroup<'_>| Group {
            name: group.name,
            components: components_of(group.process),
            copies: group.copies,
            is_registry: group.process.registry,
        };
        scale.groups(&self.processes).into_iter().map(group).collect()
    }

    /// Its grouping: components of a process joined by `+`, processes by a space. Copies count, but not those of a size of its
    /// own.
    pub fn grouping(&self) -> String {
        let components: Vec<Vec<String>> = match self.scale {
            None => self.copies().into_iter().map(|copy| copy.components).collect(),
            Some(_) => self.processes.iter().map(components_of).collect(),
        };
        let mut groups: Vec<String> = components
            .into_iter()
            .map(|mut components| {
                components.sort();
                components.join("+")
            })
            .filter(|group| !group.is_empty())
            .collect();
        groups.sort();
        groups.join(" ")
    }

    /// A name of this arm, among those of others that are simulated beside it.
    pub(crate) fn own(&self, name: &str) -> String {
        format!("{}:{name}", self.letter)
    }

    /// Whether a caller and its callee are in one process, in every copy of the caller.
    pub(crate) fn is_local(&self, caller: &str, callee: &str) -> bool {
        let has = |process: &ProcessPlan, name: &str| {
            process.gateway && name == "gateway" || process.hosts.iter().any(|host| host.as_str() == name)
        };
        self.processes.iter().filter(|process| has(process, caller)).all(|process| has(process, callee))
    }
}

/// Components of a process, the gateway included.
fn components_of(process: &ProcessPlan) -> Vec<String> {
    let gateway = process.gateway.then(|| "gateway".to_owned());
    gateway.into_iter().chain(process.hosts.iter().map(ToString::to_string)).collect()
}

#[cfg(test)]
mod tests {
    use contract::resources::EqualWorkers;
    use contract::{ComponentName, Placement};

    use super::*;

    fn process(name: &str, hosts: &[&'static str], replicas: u32) -> ProcessPlan {
        let hosts = hosts.iter().map(|host| ComponentName::of(host)).collect();
        ProcessPlan { hosts, replicas, ..ProcessPlan::empty(name) }
    }

    /// An arm of whose record so many threads in all are known.
    fn layout(processes: &[ProcessPlan], workers: u32) -> Layout {
        let resources = Some(record::Resources { workers, ..record::Resources::default() });
        let given = record::Arm { resources, ..record::Arm::default() };
        Layout::of(&scenario::Arm::without_variant("arm", Placement::default()), &given, processes.to_vec())
    }

    fn workers(copies: &[Instance]) -> Vec<u32> {
        copies.iter().map(|copy| copy.workers).collect()
    }

    #[test]
    fn processes_have_the_threads_that_a_run_gives_them() {
        let five = ["profile", "follower", "feed", "search", "photo"];
        let mono = [process("app", &five, 1)];
        let fused = [process("front", &five[..3], 1), process("back", &five[3..], 1)];
        let copies = [process("registry", &[], 1), process("gateway", &[], 1), process("app", &five, 3)];
        let threads_on = |cores, processes: &[ProcessPlan]| {
            workers(&layout(processes, EqualWorkers::new([7], cores).of(processes)).copies())
        };
        // Seven in all, but in no process more than cores.
        assert_eq!((threads_on(2, &mono), threads_on(16, &mono)), (vec![2], vec![16]));
        assert_eq!((threads_on(2, &fused), threads_on(16, &fused)), (vec![2, 2], vec![8, 8]));
        assert_eq!(threads_on(2, &copies), [1, 1, 2, 2, 1]);
        // What an older record has, or a topology asks for, is what its processes had.
        assert_eq!(workers(&layout(&mono, 7).copies()), [7]);
        // Copies that a step adds.
        let more = layout(&fused, 4).further_copies(&BTreeMap::from([("back".to_owned(), 2)]));
        assert_eq!(workers(&more), [2, 2], "as the copy before them");
    }

    #[test]
    fn hosts_are_read_and_written_alike() {
        for text in ["one", "per-component", "12"] {
            assert_eq!(text.parse::<Hosts>().map(|hosts| hosts.to_string()), Ok(text.to_owned()));
        }
        for text in ["0", "two", "10001", ""] {
            assert!(text.parse::<Hosts>().is_err_and(|error| error.to_string().contains("per-component")));
        }
    }
}
