//! Which processes an arm has, and on which hosts they stand.

use std::fmt;
use std::str::FromStr;

use contract::{ProcessPlan, resources};

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
}

impl Layout {
    /// An arm as its scenario declares it, with the letter and the threads that a run gives it, and its processes.
    pub fn of(declared: &scenario::Arm, given: &record::Arm, processes: Vec<ProcessPlan>) -> Self {
        let workers = given.resources.as_ref().map_or(1, |resources| resources.workers);
        Self { letter: given.letter, arm: declared.clone(), processes, workers }
    }

    /// Every copy of every process.
    pub(crate) fn copies(&self) -> Vec<Instance> {
        let copies =
            self.processes.iter().flat_map(|process| (0..process.replicas).map(move |n| (process, n)));
        let copy = |(process, n): (&ProcessPlan, u32)| Instance {
            name: format!("{}#{n}", process.name),
            components: process
                .gateway
                .then(|| "gateway".to_owned())
                .into_iter()
                .chain(process.hosts.iter().map(ToString::to_string))
                .collect(),
            workers: resources::workers(&self.processes, process, n, self.workers),
            is_registry: process.registry,
        };
        copies.map(copy).collect()
    }

    /// Its grouping: components of a process joined by `+`, processes by a space.
    pub fn grouping(&self) -> String {
        let mut groups: Vec<String> = self
            .copies()
            .into_iter()
            .map(|mut copy| {
                copy.components.sort();
                copy.components.join("+")
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
        let copies = self.copies();
        let has = |copy: &Instance, name: &str| copy.components.iter().any(|component| component == name);
        copies.iter().filter(|copy| has(copy, caller)).all(|copy| has(copy, callee))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
