//! What an arm's processes are given: connections and threads, as many in all as in other arms as far as there are cores
//! for them, and the allocator.

use std::collections::BTreeSet;
use std::io;

use contract::placement::process_count;
use contract::resources::EqualWorkers;
use contract::{ComponentName, Placement, ProcessPlan, resources};
use node::NodeConfig;
use record::Resources;
use scenario::{Scenario, SystemScale, TelemetryLevel};
use storage::Synchronous;
use telemetry::Level;

use crate::arm::arm_plan::ArmPlan;
use crate::arm::environment::RunEnvironment;
use crate::process::cgroup;
use crate::process::guardian::UndoAction;
use crate::process::host;

/// Settings of glibc's allocator, as variables of the environment, on a machine of so many cores.
///
/// By default threads have an arena each, up to eight for each core, and return little of them: here there are as many arenas as
/// threads can run at once, so that they do not wait for each other. Once a block of some size was given back, glibc takes such
/// blocks from an arena as well: a password's hash takes 7 MiB, and would be kept as often as threads made one.
///
/// With a threshold that is set it also stops learning how much of an arena's end it may keep: from 128 KiB on it gives that
/// back with each larger block that is freed, to map it again with the next request. A request under way holds two read
/// buffers of 8 KiB for each of its two connections at most, so that 16 of them come and go with 512 KiB.
pub(super) fn malloc_environment(cores: usize) -> [(&'static str, String); 3] {
    [
        ("MALLOC_ARENA_MAX", cores.to_string()),
        ("MALLOC_MMAP_THRESHOLD_", "4194304".to_owned()),
        ("MALLOC_TRIM_THRESHOLD_", "524288".to_owned()),
    ]
}

/// Weight of an arm's control group: the usual one. A thread of the load generator then gets a third of a core that two arms
/// contend for, whatever they run on it; beside three threads of each arm's niceness without groups it got as much.
pub(crate) const ARM_WEIGHT: u32 = 100;

/// Threads of arms that declare none, on a machine of so many cores: as many as the arm with the most processes needs, one
/// for each, and at least one for each core of an arm; no process has more than these. The scenario's own arms count even
/// where they are not run, so that an arm does not depend on which others are.
///
/// A quota of one process (`limits.cpu`) is of time, and changes nothing: it runs on all cores of its arm.
pub fn equal_workers<'a>(
    scenario: &'a Scenario,
    arms: impl IntoIterator<Item = &'a scenario::Arm>,
    machine_cores: usize,
) -> EqualWorkers {
    let processes_of = |arm: &scenario::Arm| {
        let processes = arm.placement.resolve(&suite::components()).unwrap_or_default();
        process_count(&processes)
    };
    let cores = scenario.budget.cores.map_or(machine_cores, |cores| machine_cores.min(cores as usize));
    EqualWorkers::new(scenario.default_arms().chain(arms).map(processes_of), cores)
}

/// Threads of an arm in all: as many as it declares, which may be more than its processes have cores, or what arms are given.
pub(crate) fn workers_of(placement: &Placement, processes: &[ProcessPlan], equal: EqualWorkers) -> u32 {
    placement.workers.unwrap_or_else(|| equal.of(processes))
}

/// The level of nodes' telemetry that a scenario declares, as far as the environment allows it.
pub fn telemetry_level(watching: TelemetryLevel) -> Level {
    let declared = match watching {
        TelemetryLevel::Off => Level::Off,
        TelemetryLevel::Metrics => Level::Metrics,
        TelemetryLevel::Sampled => Level::default(),
        TelemetryLevel::Full => Level::Full,
    };
    declared.as_permitted()
}

/// What an arm has at the size at which its scenario is simulated: `processes` have their copies of it, and each copy keeps a
/// part of the data.
pub fn at_scale(given: &Resources, processes: &[ProcessPlan], scale: &SystemScale) -> Resources {
    let sum = |of: &dyn Fn(&ProcessPlan) -> u32| processes.iter().map(|it| of(it) * it.replicas).sum();
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Resources {
        workers: sum(&|_| scale.cores),
        readers: sum(&|process| count(process.hosts.len()) * resources::READERS_PER_COMPONENT),
        writers: sum(&|process| count(process.stores().len())),
        extra_readers: 0,
        extra_workers: 0,
        cut_workers: 0,
        ..given.clone()
    }
}

/// What the processes of an arm are given together, as they start; `equal` threads unless the arm declares others.
pub fn given(
    arm: &scenario::Arm,
    processes: &[ProcessPlan],
    equal: EqualWorkers,
    telemetry: Level,
) -> Resources {
    let pool = |name: ComponentName| arm.services.get(name.as_str())?.pool;
    let total_workers = workers_of(&arm.placement, processes, equal);
    let (mut readers, mut workers, mut writers, mut expected) = (0, 0, 0, 0);
    for process in processes {
        let declared: u32 = process.hosts.iter().filter_map(|host| pool(*host)).sum();
        expected += declared * process.replicas + resources::equal_readers(&process.hosts, pool);
        writers += process.replicas * u32::try_from(process.stores().len()).unwrap_or(u32::MAX);
        for copy in 0..process.replicas {
            readers += resources::readers(process, copy, pool);
            workers += resources::workers(processes, process, copy, total_workers);
        }
    }
    Resources {
        readers,
        extra_readers: readers - expected,
        writers,
        workers,
        extra_workers: workers.saturating_sub(total_workers),
        cut_workers: arm.placement.workers.map_or_else(|| equal.cut(processes), |_| 0),
        cpu_weight: None,
        telemetry: telemetry.to_string(),
        durability: Synchronous::default().name().to_owned(),
        allocator: malloc_environment(host::cores()).map(|(name, value)| format!("{name}={value}")).join(" "),
        declared: declared(arm),
    }
}

/// Which of an arm's resources the scenario declares, rather than leaves equal.
fn declared(arm: &scenario::Arm) -> BTreeSet<String> {
    let has_pool = arm.services.values().any(|service| service.pool.is_some());
    [
        ("readers", has_pool),
        ("workers", arm.placement.workers.is_some()),
        ("telemetry", arm.telemetry.is_some()),
    ]
    .into_iter()
    .filter(|(_, is_declared)| *is_declared)
    .map(|(name, _)| name.to_owned())
    .collect()
}

/// Makes a control group for each arm, all of one weight: when cores are short, an arm gets as much of them as another,
/// however many processes it has. Without a group for all there is none.
///
/// # Errors
/// Where this user may make none.
pub(crate) fn group_arms(
    environment: &RunEnvironment,
    run_id: &str,
    arms: &mut [&mut ArmPlan],
) -> io::Result<()> {
    let name = |arm: &ArmPlan| format!("cleave-{run_id}-{}", arm.letter);
    let unknown = || io::Error::new(io::ErrorKind::Unsupported, "the kernel has no control groups of CPU");
    let mut groups = Vec::new();
    let mut make = |arm: &ArmPlan| {
        let group = cgroup::path_for(&name(arm)).ok_or_else(unknown)?;
        let undo = environment.guardian.record_undo(&UndoAction::Group(group.clone()));
        groups.push((group.clone(), undo));
        cgroup::create_weighted(&group, ARM_WEIGHT)
    };
    if let Err(error) = arms.iter().try_for_each(|arm| make(arm)) {
        for (group, undo) in groups {
            if cgroup::remove(&group) {
                environment.guardian.mark_undone(undo.into_iter().collect());
            }
        }
        return Err(error);
    }
    for (arm, (group, _)) in arms.iter_mut().zip(groups) {
        environment.cgroups.lock().expect("no panic while held").push(group.clone());
        arm.group = Some(group);
    }
    Ok(())
}

impl ArmPlan {
    /// Gives a copy of a process its share.
    pub(super) fn allot(&self, process: &ProcessPlan, copy: u32, config: &mut NodeConfig) {
        config.workers = resources::workers(&self.processes, process, copy, self.workers) as usize;
        config.readers = Some(resources::readers(process, copy, |name| self.config.pool(name)));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::fixture;
    use crate::run::plan::{PlannedArm, RunPlan};

    /// Arms on a machine of two cores.
    fn arms(more: &str) -> Vec<PlannedArm> {
        arms_on(2, more)
    }

    fn arms_on(cores: usize, more: &str) -> Vec<PlannedArm> {
        let (options, secrets) = (fixture::options(&fixture::two_arms(more)), fixture::secrets());
        let folder = Path::new("/runs/r1");
        let plan = RunPlan { options: &options, id: "r1", folder, secrets: &secrets, otlp: None };
        plan.arms_on(cores, &[]).expect("arms")
    }

    /// Readers of each arm, and those beyond an equal share.
    fn readers(more: &str) -> Vec<(u32, u32)> {
        let of = |arm: &PlannedArm| (arm.plan.resources.readers, arm.plan.resources.extra_readers);
        arms(more).iter().map(of).collect()
    }

    /// Threads of each arm on so many cores, and those that it has no cores for.
    fn workers_on(cores: usize, more: &str) -> Vec<(u32, u32)> {
        let of = |arm: &PlannedArm| (arm.plan.resources.workers, arm.plan.resources.cut_workers);
        arms_on(cores, more).iter().map(of).collect()
    }

    const THREE_COPIES: &str = "[topology.x3]\nprocesses = { app = [\"*\"] }\nreplicas = { app = 3 }\n";

    #[test]
    fn a_monolith_and_services_are_given_as_much_in_all() {
        assert_eq!(readers(THREE_COPIES), [(10, 0); 3], "two for each of five components");
        assert_eq!(workers_on(16, THREE_COPIES), [(16, 0); 3], "one for each core");
        assert_eq!(workers_on(7, THREE_COPIES), [(7, 0); 3], "one for each of seven processes");
    }

    #[test]
    fn no_process_has_more_threads_than_it_has_cores() {
        assert_eq!(
            workers_on(2, THREE_COPIES),
            [(7, 0), (2, 5), (7, 0)],
            "five processes of two cores have seven"
        );
        assert_eq!(
            workers_on(2, "[budget]\ncores = 1\n"),
            [(7, 0), (1, 6)],
            "an arm's cores, not the machine's"
        );
        assert_eq!(
            workers_on(2, "[topology.all]\nprocesses = { app = [\"gateway\", \"*\"] }\nworkers = 7\n")[2],
            (7, 0)
        );
    }

    #[test]
    fn what_a_process_needs_at_least_is_named_as_extra() {
        let copies = "[topology.hot]\nprocesses = { each = [\"*\"] }\nreplicas = { feed = 4 }\n";
        assert_eq!(readers(copies)[2], (12, 2), "four copies of feed in the place of its two connections");
        let threads = "as many as the ten processes of the largest arm";
        assert_eq!(workers_on(2, copies), [(10, 0), (2, 8), (10, 0)], "{threads}");
    }

    #[test]
    fn what_the_scenario_declares_is_kept_and_recorded() {
        let topology = "[topology.wide]\nprocesses = { app = [\"gateway\", \"*\"] }\nworkers = 3\n";
        let arms = arms(&format!("{topology}[service.feed]\npool = 5\n"));
        let wide = &arms[2].plan.resources;
        assert_eq!((wide.workers, wide.readers, wide.extra_readers), (3, 5 + 8, 0));
        assert_eq!(wide.declared, ["readers", "workers"].map(str::to_owned).into());
        assert_eq!(arms[1].plan.resources.declared, ["readers".to_owned()].into());
    }

    #[test]
    fn every_process_gets_its_share() {
        let pairs = "[topology.pairs]\nprocesses = { a = [\"profile\", \"follower\"], b = [\"*\"] }\n";
        for cores in [1, 2, 3, 16] {
            for arm in arms_on(cores, pairs) {
                let (plan, mut sum) = (&arm.plan, 0);
                for process in &plan.processes {
                    let mut config = plan.config.clone();
                    plan.allot(process, 0, &mut config);
                    assert!((1..=cores).contains(&config.workers), "{}: {}", plan.name, config.workers);
                    // From the record alone, as the simulator has it.
                    let recorded = plan.resources.workers;
                    let shared = resources::workers(&plan.processes, process, 0, recorded);
                    assert_eq!(config.workers, shared as usize, "{} of {}", process.name, plan.name);
                    sum += shared;
                }
                assert_eq!(sum, plan.resources.workers, "{}", plan.name);
            }
        }
        let arms = arms("");
        let plan = &arms[1].plan;
        let mut config = plan.config.clone();
        plan.allot(&plan.processes[0], 0, &mut config);
        assert_eq!((config.readers, config.workers), (Some(10), 2));
    }

    #[test]
    fn arms_of_the_scenario_count_where_they_are_not_run() {
        let scenario = fixture::scenario(&fixture::two_arms(""));
        let equal = equal_workers(&scenario, [], 2);
        let micro = arms("").swap_remove(0).processes;
        assert_eq!(
            (equal.of(&micro), equal.cut(&micro[..1])),
            (7, 5),
            "micro has seven processes, run or not"
        );
    }
}
