//! What an arm's processes are given: connections and threads, as many in all as in other arms, and the allocator.

use std::collections::BTreeSet;
use std::io;

use contract::placement::process_count;
use contract::{ComponentName, ProcessPlan, resources};
use node::NodeConfig;
use record::Resources;
use scenario::{Scenario, SystemScale, TelemetryLevel};
use storage::Synchronous;
use telemetry::Level;

use crate::arm::arm_plan::ArmPlan;
use crate::arm::environment::RunEnvironment;
use crate::process::cgroup;
use crate::process::guardian::UndoAction;

/// glibc gives each thread an arena and returns little of it, and once a block of some size was given back it takes
/// such blocks from there as well: a password's hash takes 7 MiB, and would be kept as often as threads made one.
///
/// With a threshold that is set it also stops learning how much of an arena's end it may keep: from 128 KiB on it gives that
/// back with each larger block that is freed, to map it again with the next request. A request under way holds two read
/// buffers of 8 KiB for each of its two connections at most, so that 16 of them come and go with 512 KiB.
pub(super) const MALLOC_ENVIRONMENT: [(&str, &str); 3] =
    [("MALLOC_ARENA_MAX", "2"), ("MALLOC_MMAP_THRESHOLD_", "4194304"), ("MALLOC_TRIM_THRESHOLD_", "524288")];

/// Weight of an arm's control group: the usual one. A thread of the load generator then gets a third of a core that two arms
/// contend for, whatever they run on it; beside three threads of each arm's niceness without groups it got as much.
pub(crate) const ARM_WEIGHT: u32 = 100;

/// Threads of an arm that declares none: as many as the arm with the most processes needs, one for each, and at least
/// one for each core. The scenario's own arms count even where they are not run, so that an arm does not depend on which
/// others are.
pub fn equal_workers<'a>(scenario: &'a Scenario, arms: impl IntoIterator<Item = &'a scenario::Arm>) -> u32 {
    let processes_of = |arm: &scenario::Arm| {
        let processes = arm.placement.resolve(&suite::components()).unwrap_or_default();
        process_count(&processes)
    };
    let allowed = runtime::limits::allowed_cores().len();
    let cores = scenario.budget.cores.map_or(allowed, |cores| allowed.min(cores as usize));
    enough_workers(scenario.default_arms().chain(arms).map(processes_of), cores)
}

/// One for each process of the arm that has the most, and for each core.
pub(crate) fn enough_workers(process_counts: impl IntoIterator<Item = u32>, cores: usize) -> u32 {
    let needed = process_counts.into_iter().max().unwrap_or(1);
    needed.max(u32::try_from(cores).unwrap_or(u32::MAX)).max(1)
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
        ..given.clone()
    }
}

/// What the processes of an arm are given together, as they start; `workers` threads unless the arm declares others.
pub fn given(arm: &scenario::Arm, processes: &[ProcessPlan], workers: u32, telemetry: Level) -> Resources {
    let pool = |name: ComponentName| arm.services.get(name.as_str())?.pool;
    let total_workers = arm.placement.workers.unwrap_or(workers);
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
        cpu_weight: None,
        telemetry: telemetry.to_string(),
        durability: Synchronous::default().name().to_owned(),
        allocator: MALLOC_ENVIRONMENT.map(|(name, value)| format!("{name}={value}")).join(" "),
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

    fn arms(more: &str) -> Vec<PlannedArm> {
        let (options, secrets) = (fixture::options(&fixture::two_arms(more)), fixture::secrets());
        let folder = Path::new("/runs/r1");
        let plan = RunPlan { options: &options, id: "r1", folder, secrets: &secrets, otlp: None };
        plan.arms(&[]).expect("arms")
    }

    /// Readers, those beyond an equal share, and threads of each arm.
    fn given(more: &str) -> Vec<(u32, u32, u32)> {
        let of = |arm: &PlannedArm| {
            let given = &arm.plan.resources;
            (given.readers, given.extra_readers, given.workers)
        };
        arms(more).iter().map(of).collect()
    }

    #[test]
    fn a_monolith_and_services_are_given_as_much_in_all() {
        let [(micro_readers, 0, threads), (mono_readers, 0, mono_threads)] = given("")[..] else {
            panic!("two arms")
        };
        assert_eq!((micro_readers, mono_readers), (10, 10), "two for each of five components");
        assert_eq!(threads, mono_threads);
        assert!(threads >= 7, "one for each of seven processes");
        let copies = "[topology.x3]\nprocesses = { app = [\"*\"] }\nreplicas = { app = 3 }\n";
        assert_eq!(given(copies)[2], (10, 0, threads));
    }

    #[test]
    fn what_a_process_needs_at_least_is_named_as_extra() {
        let copies = "[topology.hot]\nprocesses = { each = [\"*\"] }\nreplicas = { feed = 4 }\n";
        let [(_, 0, threads), (_, 0, _), (readers, extra, _)] = given(copies)[..] else {
            panic!("three arms")
        };
        assert_eq!((readers, extra), (12, 2), "four copies of feed in the place of its two connections");
        assert_eq!(threads, 10, "as many as the ten processes of the largest arm");
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
        let arms = arms("");
        let plan = &arms[1].plan;
        let mut config = plan.config.clone();
        plan.allot(&plan.processes[0], 0, &mut config);
        assert_eq!((config.readers, config.workers), (Some(10), plan.workers as usize));
    }

    #[test]
    fn there_is_a_thread_for_each_process_of_the_largest_arm_and_for_each_core() {
        assert_eq!(
            (enough_workers([1, 7], 2), enough_workers([1, 7], 16), enough_workers([], 0)),
            (7, 16, 1)
        );
        let mut scenario = fixture::scenario(&fixture::two_arms(""));
        scenario.budget.cores = Some(1);
        assert_eq!(equal_workers(&scenario, []), 7, "micro has seven processes, run or not");
    }
}
