//! What an arm's processes are given, so that arms of different groupings have as much in all: connections that read
//! databases, and threads that serve requests, of which no process has more than cores.

use std::cmp::Reverse;

use crate::placement::{StorePlan, process_count};
use crate::{ComponentName, ProcessPlan};

/// Connections that read a component's data, in all copies of the component together. Each owns a thread.
pub const READERS_PER_COMPONENT: u32 = 2;

/// One of `parts` shares of a total: as even as can be, the first get one more, and each has at least one. A part
/// beyond `parts`, as of a copy that is added later, is given what the last is.
pub fn share(total: u32, parts: u32, part: u32) -> u32 {
    let parts = parts.max(1);
    (total / parts + u32::from(part < total % parts)).max(1)
}

/// Connections with which a copy of a process reads its databases.
pub fn readers(process: &ProcessPlan, copy: u32, pool: impl Fn(ComponentName) -> Option<u32>) -> u32 {
    process.stores().iter().map(|store| store_readers(process, store, copy, &pool)).sum()
}

/// Connections with which a copy of a process reads one of its databases: for components with a declared `pool` that many
/// in each copy, for the others their share of [`READERS_PER_COMPONENT`] each.
pub fn store_readers(
    process: &ProcessPlan,
    store: &StorePlan,
    copy: u32,
    pool: impl Fn(ComponentName) -> Option<u32>,
) -> u32 {
    let declared: u32 = store.hosts.iter().filter_map(|host| pool(*host)).sum();
    match equal_readers(&store.hosts, pool) {
        0 => declared,
        equal => declared + share(equal, process.replicas, copy),
    }
}

/// Connections that all copies of these components are given together where they declare no `pool`.
pub fn equal_readers(hosts: &[ComponentName], pool: impl Fn(ComponentName) -> Option<u32>) -> u32 {
    let undeclared = hosts.iter().filter(|host| pool(**host).is_none()).count();
    u32::try_from(undeclared).unwrap_or(u32::MAX).saturating_mul(READERS_PER_COMPONENT)
}

/// Threads that serve requests in each arm that declares no number of its own: as many in all in every arm, as far as its
/// processes have cores for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EqualWorkers {
    total: u32,
    cores: u32,
}

impl EqualWorkers {
    /// One for each process of the arm that has the most, and for each core that a process may run on.
    pub fn new(process_counts: impl IntoIterator<Item = u32>, cores: usize) -> Self {
        let cores = u32::try_from(cores).unwrap_or(u32::MAX).max(1);
        Self { total: process_counts.into_iter().max().unwrap_or(1).max(cores), cores }
    }

    /// What an arm of these processes has of them: no process more than cores, since threads beyond these only cost. Shares
    /// differ by one at most, so that those of what is left are the shares of the total, each cut to the cores.
    pub fn of(self, processes: &[ProcessPlan]) -> u32 {
        self.total.min(process_count(processes).max(1).saturating_mul(self.cores))
    }

    /// What an arm of these processes has not, since its processes have no cores for it.
    pub fn cut(self, processes: &[ProcessPlan]) -> u32 {
        self.total - self.of(processes)
    }
}

/// Threads with which a copy of a process serves requests, of `total` in all processes. What does not divide goes to the
/// processes that hold the most components.
pub fn workers(processes: &[ProcessPlan], process: &ProcessPlan, copy: u32, total: u32) -> u32 {
    let mut order: Vec<&ProcessPlan> = processes.iter().collect();
    order.sort_by_key(|process| Reverse((process.hosts.len(), process.gateway)));
    let ahead = order.into_iter().take_while(|other| other.name != process.name);
    let rank = ahead.map(|other| other.replicas).sum::<u32>() + copy.min(process.replicas.saturating_sub(1));
    share(total, process_count(processes), rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(name: &str, hosts: &[&'static str], replicas: u32) -> ProcessPlan {
        ProcessPlan {
            hosts: hosts.iter().map(|host| ComponentName::of(host)).collect(),
            gateway: name == "gateway",
            registry: name == "registry",
            replicas,
            ..ProcessPlan::empty(name)
        }
    }

    const FIVE: [&str; 5] = ["profile", "follower", "feed", "search", "photo"];

    fn readers_of(process: &ProcessPlan, copies: u32) -> Vec<u32> {
        (0..copies).map(|copy| readers(process, copy, |_| None)).collect()
    }

    #[test]
    fn a_component_has_two_readers_whatever_the_grouping() {
        assert_eq!(readers_of(&process("app", &FIVE, 1), 1), [10]);
        assert_eq!(readers_of(&process("feed", &["feed"], 1), 1), [2], "five of these are ten as well");
        assert_eq!(readers_of(&process("app", &FIVE, 3), 3), [4, 3, 3]);
        assert_eq!(readers_of(&process("feed", &["feed"], 3), 3), [1, 1, 1], "at least one each");
        assert_eq!(readers_of(&process("feed", &["feed"], 1), 3), [2, 2, 2], "copies that are added later");
        assert_eq!(readers_of(&process("gateway", &[], 1), 1), [0], "no database");
        let own = |replicas| ProcessPlan { store_per_component: true, ..process("app", &FIVE, replicas) };
        assert_eq!(readers_of(&own(1), 1), [10], "a database each");
        assert_eq!(readers_of(&own(3), 3), [5, 5, 5], "and in each copy at least one to each of them");
    }

    #[test]
    fn a_declared_pool_stays_and_the_others_have_their_share() {
        let pool = |name: ComponentName| (name.as_str() == "feed").then_some(3);
        assert_eq!(readers(&process("app", &FIVE, 1), 0, pool), 3 + 8);
        assert_eq!(readers(&process("feed", &["feed"], 2), 1, pool), 3, "in each copy");
        assert_eq!(equal_readers(&[ComponentName::of("feed")], pool), 0);
    }

    /// Every component in a process of its own, with a gateway and a registry: seven processes.
    fn micro() -> Vec<ProcessPlan> {
        let other = [process("registry", &[], 1), process("gateway", &[], 1)];
        other.into_iter().chain(FIVE.map(|name| process(name, &[name], 1))).collect()
    }

    /// Two processes that hold all components.
    fn fused() -> [ProcessPlan; 2] {
        [process("front", &FIVE[..3], 1), process("back", &FIVE[3..], 1)]
    }

    /// Threads of every copy of every process.
    fn of(processes: &[ProcessPlan], total: u32) -> Vec<u32> {
        let copies = processes.iter().flat_map(|one| (0..one.replicas).map(move |copy| (one, copy)));
        copies.map(|(one, copy)| workers(processes, one, copy, total)).collect()
    }

    #[test]
    fn threads_are_shared_out_and_what_is_left_goes_where_the_components_are() {
        let micro = micro();
        assert_eq!(process_count(&micro), 7);
        assert_eq!(of(&micro, 7), [1; 7]);
        assert_eq!(of(&micro, 9), [1, 1, 2, 2, 1, 1, 1], "services first, in order");
        assert_eq!(of(&[process("app", &FIVE, 1)], 7), [7]);
        let copies = [process("registry", &[], 1), process("gateway", &[], 1), process("app", &FIVE, 3)];
        assert_eq!(of(&copies, 7), [1, 1, 2, 2, 1]);
        assert_eq!(of(&copies, 3), [1; 5], "at least one each");
        assert_eq!(workers(&copies, &copies[2], 9, 7), 1, "a copy that is added later");
    }

    #[test]
    fn no_process_has_more_threads_than_cores() {
        let given = |processes: &[ProcessPlan], cores| {
            let equal = EqualWorkers::new([1, 7], cores);
            (of(processes, equal.of(processes)), equal.cut(processes))
        };
        let mono = [process("app", &FIVE, 1)];
        let copies = [process("registry", &[], 1), process("gateway", &[], 1), process("app", &FIVE, 3)];
        // Seven in all, for the seven processes of the largest arm.
        assert_eq!(given(&mono, 2), (vec![2], 5));
        assert_eq!(given(&micro(), 2), (vec![1; 7], 0));
        assert_eq!(given(&fused(), 2), (vec![2, 2], 3), "4 and 3 of seven");
        assert_eq!(given(&fused(), 3), (vec![3, 3], 1));
        assert_eq!(given(&copies, 2), (vec![1, 1, 2, 2, 1], 0));
        assert_eq!(given(&copies, 1), (vec![1; 5], 2));
        // Sixteen in all, for as many cores.
        assert_eq!(given(&mono, 16), (vec![16], 0));
        assert_eq!(given(&micro(), 16), (vec![2, 2, 3, 3, 2, 2, 2], 0));
        assert_eq!(given(&fused(), 16), (vec![8, 8], 0));
        let nothing = EqualWorkers::new([], 0);
        assert_eq!((nothing.of(&mono), nothing.of(&[])), (1, 1), "cores that are not known are one");
    }

    #[test]
    fn shares_of_what_is_left_are_the_shares_of_all_cut_to_the_cores() {
        let two_copies = [process("app", &FIVE, 2), process("feed", &["feed"], 3)];
        for processes in [&micro()[..], &fused(), &two_copies] {
            for (largest, cores) in (1..20).flat_map(|largest| (1..20).map(move |cores| (largest, cores))) {
                let largest = largest.max(process_count(processes));
                let equal = EqualWorkers::new([largest], cores);
                let mut cut = of(processes, equal.total);
                cut.iter_mut().for_each(|workers| *workers = (*workers).min(equal.cores));
                assert_eq!(of(processes, equal.of(processes)), cut, "{largest} processes, {cores} cores");
            }
        }
    }
}
