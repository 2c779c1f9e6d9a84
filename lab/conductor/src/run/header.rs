//! The record's first line: the machine, the arms as they start, and what the scenario plans and expects.

use contract::ProcessPlan;
use record::{ExpectationPlan, Header, JourneyPlan, MachineSpeed, StepPlan};
use runtime::clock;
use scenario::{Prices, Scenario};
use traffic::load::{Model, Overload};

use crate::arm::Arm;
use crate::arm::layout::{ArmLayout, components_of};
use crate::arm::resources::{ARM_WEIGHT, telemetry_level};
use crate::arm::servers;
use crate::process::host;
use crate::run::finish::assertions;
use crate::run::options::BuiltChange;
use crate::run::plan::{PlannedArm, RunPlan, effective_policies, good_within_us, processes_of, timeout_us};
use crate::run::schedules::Schedules;
use crate::steps::targets::{self, ResolvedTarget};

/// How the load of a run begins.
pub(crate) struct LoadStart<'a> {
    /// What is offered.
    pub schedules: &'a Schedules,
    /// When all arms were ready, ms of the run.
    pub ready_ms: u64,
    /// When the load begins, ns of the run.
    pub load_start_ns: u64,
    /// Now, ns of the run.
    pub now_ns: u64,
    /// Host and port of the user's collector, which spans are sent on to.
    pub collector: Option<String>,
    /// How fast the machine was before; `None` where nothing is started.
    pub speed: Option<MachineSpeed>,
}

/// The record's first line.
pub(crate) fn header(plan: &RunPlan<'_>, arms: Vec<record::Arm>, start: &LoadStart<'_>) -> Header {
    let (options, scenario) = (plan.options, &plan.options.scenario);
    let copies: Vec<String> =
        scenario.arms.iter().filter(|arm| is_copied_monolith(arm)).map(|arm| arm.name.clone()).collect();
    Header {
        schema_version: record::SCHEMA_VERSION,
        source: record::Provenance::Live,
        prediction: options.prediction.clone(),
        run_id: plan.id.to_owned(),
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        why: scenario.why.clone(),
        scenario_text: scenario.source.text.clone(),
        seed: options.seed,
        version: options.version.clone(),
        command: options.command.clone(),
        labels: options.labels.clone(),
        wall_us: clock::wall_us() - i64::try_from(start.now_ns / 1_000).unwrap_or(0),
        way: if options.interleaved { "interleaved" } else { "side by side" }.to_owned(),
        rounds: options.rounds,
        machine: record::Machine { speed: start.speed, ..host::machine() },
        steps: step_plans(scenario, &arms, options.seed),
        base: options.against.as_ref().and_then(|name| letter_of(&arms, name)),
        arms: with_builds(arms, options.change.as_ref()),
        phases: scenario.plan(),
        further: scenario.further_rates().into_iter().map(|further| further.phase).collect(),
        journeys: journey_plans(scenario),
        expectations: expectation_plans(scenario),
        schedule_digest: start.schedules.digest(),
        planned: start.schedules.planned,
        planned_measured: start.schedules.planned_measured.clone(),
        good_within_us: good_within_us(scenario),
        timeout_us: timeout_us(scenario),
        probe_us: load_protocol::PROBE_TIMEOUT_US,
        load_start_ns: start.load_start_ns,
        ready_ms: start.ready_ms,
        telemetry: telemetry_level(scenario.telemetry).to_string(),
        collector: start.collector.clone(),
        budget_memory: scenario.budget.memory.map(|memory| memory.get()),
        closed: scenario.load.model == Model::Closed,
        popularity: (scenario.load.popularity.reader, scenario.load.popularity.photo),
        has_copies: !copies.is_empty(),
        copies,
        drops: scenario.load.overload == Overload::Drop,
        overloaded: scenario.load.overloaded.clone(),
        slots: (scenario.load.slots(), scenario.load.needed_slots()),
        prices: scenario.prices.as_ref().map(Prices::record),
    }
}

/// Arms with the builds of the change that is deployed in them.
fn with_builds(mut arms: Vec<record::Arm>, change: Option<&BuiltChange>) -> Vec<record::Arm> {
    for arm in &mut arms {
        arm.builds = change.and_then(|change| change.builds.get(&arm.name)).cloned().unwrap_or_default();
    }
    arms
}

/// The letter of an arm.
fn letter_of(arms: &[record::Arm], name: &str) -> Option<char> {
    arms.iter().find(|arm| arm.name == name).map(|arm| arm.letter)
}

/// A running arm, for the header.
pub(crate) fn describe(planned: &PlannedArm, arm: &Arm, ready_ms: u64) -> record::Arm {
    let instances = arm.instances();
    let instances = instances.iter().map(|instance| {
        let status = instance.status();
        record::Instance {
            name: instance.name.clone(),
            copies: 1,
            hosts: instance.hosts(),
            port: status.listen.map_or(0, |addr| addr.port()),
            public_port: status.public.map(|addr| addr.port()),
        }
    });
    let mut described = describe_with(planned, instances.collect(), ready_ms);
    described.server_ready_ms = arm.servers().ready_ms();
    if let Some(resources) = &mut described.resources {
        resources.cpu_weight = arm.is_weighted().then_some(ARM_WEIGHT);
    }
    described
}

/// An arm that has not started: what is known from its plan.
pub(crate) fn describe_planned(planned: &PlannedArm) -> record::Arm {
    let copies =
        planned.processes.iter().flat_map(|process| (0..process.replicas).map(move |copy| (process, copy)));
    let instances = copies.map(|(process, copy)| record::Instance {
        name: format!("{}#{copy}", process.name),
        copies: 1,
        hosts: components_of(process),
        port: 0,
        public_port: process.gateway.then_some(0),
    });
    describe_with(planned, instances.collect(), 0)
}

fn describe_with(planned: &PlannedArm, instances: Vec<record::Instance>, ready_ms: u64) -> record::Arm {
    let (local_edges, remote_edges) = suite::catalogue::edges(&planned.processes);
    let servers = servers::planned(&planned.processes, &planned.plan.placement);
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let config = &planned.plan.config;
    record::Arm {
        letter: planned.letter,
        name: planned.plan.name.clone(),
        topology: planned.topology.clone(),
        variant: planned.variant.clone(),
        network: network_of(config.network),
        config_keys: config.keys() * u32::try_from(instances.len()).unwrap_or(u32::MAX),
        instances,
        policies: effective_policies(&config.policies, &remote_edges),
        local_edges,
        remote_edges,
        databases: count(databases_of(planned)),
        servers: count(servers.len()),
        server_ports: planned.plan.placement.has_broker().into(),
        backups: if servers.is_empty() { 0 } else { count(backups_of(planned)) },
        server_ready_ms: 0,
        store_per_component: planned.processes.iter().any(|process| process.stores().len() > 1),
        ready_ms,
        resources: Some(planned.plan.resources.clone()),
        builds: Vec::new(),
    }
}

/// Databases of an arm, files included. Schemas of a shared one are one.
fn databases_of(planned: &PlannedArm) -> usize {
    let servers = servers::stores_by_server(&planned.processes, &planned.plan.placement);
    let all = planned.processes.iter().flat_map(ProcessPlan::stores).count();
    let on_servers = servers.iter().flatten().count();
    if planned.plan.placement.shared_database { all - on_servers + servers.len() } else { all }
}

/// Copies that make a backup of an arm's data: a server's has all of its databases. What a broker carries is in outboxes.
fn backups_of(planned: &PlannedArm) -> usize {
    let servers = servers::stores_by_server(&planned.processes, &planned.plan.placement);
    let all = planned.processes.iter().flat_map(ProcessPlan::stores).count();
    all - servers.iter().flatten().count() + servers.len()
}

/// What is declared to lie between processes; nothing on loopback.
fn network_of(network: policy::NetworkOptions) -> Option<record::Network> {
    let declared = record::Network { rtt_ns: network.rtt.nanos(), jitter_ns: network.jitter.nanos() };
    (!network.is_loopback()).then_some(declared)
}

fn expectation_plans(scenario: &Scenario) -> Vec<ExpectationPlan> {
    assertions(scenario)
        .enumerate()
        .map(|(id, (list, assertion))| ExpectationPlan {
            id: u32::try_from(id).unwrap_or(u32::MAX),
            list: list.to_owned(),
            text: assertion.that.text.clone(),
            why: assertion.why.clone(),
            line: assertion.line,
        })
        .collect()
}

fn journey_plans(scenario: &Scenario) -> Vec<JourneyPlan> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    scenario
        .load
        .journeys()
        .into_iter()
        .map(|journey| JourneyPlan {
            name: journey.name().to_owned(),
            needs: owned(journey.depends_on()),
            groups: owned(journey.groups()),
        })
        .collect()
}

fn step_plans(scenario: &Scenario, arms: &[record::Arm], seed: u64) -> Vec<StepPlan> {
    let layout = |arm: &record::Arm| {
        let planned = scenario.arms.iter().find(|planned| planned.name == arm.name)?;
        Some(ArmLayout::planned(planned, &processes_of(planned).ok()?))
    };
    let layouts: Vec<(char, Option<ArmLayout>)> = arms.iter().map(|arm| (arm.letter, layout(arm))).collect();
    let plan = |step: &scenario::Step| {
        let reason = |(letter, layout): &(char, Option<ArmLayout>)| match targets::resolve(
            step,
            layout.as_ref()?,
            seed,
        ) {
            ResolvedTarget::Instances(_) | ResolvedTarget::Outside => None,
            ResolvedTarget::NotApplicable(reason) => Some((*letter, reason)),
        };
        StepPlan {
            number: step.number,
            id: step.id.clone(),
            text: format!("{} {}", step.on, step.action),
            hits: targets::components_of(step),
            start_ns: step.start_ns,
            length_ns: step.length_ns,
            is_fault: step.action.fault().is_some(),
            build: step.action.deploy().map(|deploy| deploy.build.name().to_owned()),
            not_applicable: layouts.iter().filter_map(reason).collect(),
        }
    };
    scenario.steps.iter().map(plan).collect()
}

/// Whether an arm is a monolith with copies.
fn is_copied_monolith(arm: &scenario::Arm) -> bool {
    let processes = processes_of(arm).unwrap_or_default();
    let with_data: Vec<&ProcessPlan> = processes.iter().filter(|process| !process.hosts.is_empty()).collect();
    with_data.len() == 1 && with_data[0].replicas > 1
}

#[cfg(test)]
mod tests {
    use crate::fixture;

    #[test]
    fn a_header_shows_where_a_step_has_nothing_to_act_on() {
        let step = "[[step]]\nid = \"slow\"\nin = \"steady\"\ndo = \"delay\"\non = \"feed->profile\"\n\
                    by = \"10ms\"\nat = \"+1s\"\nfor = \"1s\"\n";
        let header = fixture::header_of(&fixture::two_arms(step));
        let [step] = &header.steps[..] else { panic!("one step") };
        assert!(!step.not_applicable.contains_key(&'A'), "micro has that edge: {:?}", step.not_applicable);
        assert!(step.not_applicable[&'B'].contains("function call"), "mono calls a function");
        assert!(step.is_fault);
        assert_eq!((header.load_start_ns, header.run_id.as_str()), (2, "r1"));
        assert!(header.planned > 0 && !header.schedule_digest.is_empty());
        assert!(header.journeys.iter().any(|journey| journey.name == "home-feed"));
    }

    #[test]
    fn an_arm_that_has_not_started_is_described_from_its_plan() {
        let header = fixture::header_of(&fixture::two_arms(""));
        let [micro, mono] = &header.arms[..] else { panic!("two arms") };
        assert_eq!((micro.letter, mono.letter), ('A', 'B'));
        assert_eq!((micro.databases, mono.databases), (5, 1), "one each, and one for all");
        assert!(micro.policies.contains_key("feed->profile"), "what is in force on an edge that crosses");
        assert!(mono.remote_edges.is_empty() && !mono.local_edges.is_empty());
        assert_eq!(mono.instances[0].port, 0, "not known yet");
        // As of one that runs: a record must not say of the second arm that nothing is in its gateway.
        assert!(mono.instances[0].hosts.iter().any(|host| host == "gateway"), "{:?}", mono.instances[0]);
        let hosts =
            |name: &str| micro.instances.iter().find(|of| of.name == name).map(|of| of.hosts.join("+"));
        assert_eq!(hosts("gateway#0").as_deref(), Some("gateway"));
        assert_eq!(hosts("registry#0").as_deref(), Some("registry"));
        let readers = |arm: &record::Arm| arm.resources.as_ref().map(|given| given.readers);
        assert_eq!((readers(micro), readers(mono)), (Some(10), Some(10)));
        assert!(!header.has_copies);
    }

    #[test]
    fn databases_are_counted_as_the_topology_has_them() {
        let stores = fixture::two_arms("")
            .replace("[\"gateway\", \"*\"] }", "[\"gateway\", \"*\"] }\nstore_per_component = true");
        let header = fixture::header_of(&stores);
        let [micro, mono] = &header.arms[..] else { panic!("two arms") };
        assert_eq!((micro.databases, mono.databases), (5, 5));
        assert_eq!((micro.store_per_component, mono.store_per_component), (false, true));
        assert_eq!(mono.instances.len(), 1, "in one process");
    }
}
