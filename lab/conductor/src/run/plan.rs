//! What is settled before anything starts: arms, the generator's orders, the record's header.

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::ProcessPlan;
use loadgen::{ArmEndpoint, LoadPlan};
use node::NodeConfig;
use record::Header;
use runtime::clock;
use traffic::load::{Model, Overload};

use crate::arm::{Arm, ArmPlan};
use crate::process::usage;
use crate::run::finish;
use crate::run::generator::Generator;
use crate::run::seed::SeededData;
use crate::run::stage::Stage;
use crate::run::{RunError, telemetry_level};

/// One arm as planned.
#[derive(Clone)]
pub(crate) struct PlannedArm {
    pub letter: char,
    pub topology: String,
    pub variant: String,
    pub processes: Vec<ProcessPlan>,
    pub plan: ArmPlan,
}

impl Stage {
    /// The arms asked for, in the order asked for: the first is A.
    pub(crate) fn plan_arms(&self, seeded: &SeededData) -> Result<Vec<PlannedArm>, RunError> {
        let scenario = &self.options.scenario;
        let chosen: Vec<&scenario::Arm> = if self.options.arms.is_empty() {
            scenario.default_arms().collect()
        } else {
            let find = |name: &String| scenario.arms.iter().find(|arm| arm.name == *name);
            self.options.arms.iter().filter_map(find).collect()
        };
        let mut planned = Vec::new();
        for (index, arm) in chosen.into_iter().enumerate() {
            let letter = arm_letter(index);
            let processes = processes_of(arm)?;
            let folder = self.folder.join(arm.name.replace('/', "-"));
            let config = NodeConfig {
                run_id: self.id.clone(),
                scenario: scenario.name.clone(),
                data: folder.join("data"),
                secret: self.secret.clone(),
                token: self.token.clone(),
                settings: component::service_context::Settings {
                    push_below: push_below(arm).unwrap_or(scenario.load.feed.push_below),
                    outbox: arm.services.values().all(|service| service.outbox != Some(false)),
                    feed_depth: scenario.load.feed.depth,
                    ..component::service_context::Settings::default()
                },
                telemetry: telemetry_level(arm.telemetry.unwrap_or(scenario.telemetry)),
                otlp: self.collector.as_ref().map(|collector| format!("http://{}", collector.grpc)),
                seed: self.options.seed,
                shared: scenario.steps.iter().any(|step| step.action.changes_copies()),
                cores: arm_cores(scenario, letter),
                ..node_config(arm, &processes)
            };
            let plan = ArmPlan {
                letter,
                name: arm.name.clone(),
                processes: processes.clone(),
                placement: arm.placement.clone(),
                config,
                folder,
                probes: seeded.probes(),
            };
            planned.push(PlannedArm {
                letter,
                topology: arm.topology.clone(),
                variant: arm.variant.clone(),
                processes,
                plan,
            });
        }
        Ok(planned)
    }

    /// What the generator is told to offer to these arms.
    pub(crate) fn load_plan(&self, arms: &[Arc<Arm>], round: u32) -> LoadPlan {
        let scenario = &self.options.scenario;
        let timeout_us = u64::try_from(scenario.load.timeout.duration().as_micros()).unwrap_or(u64::MAX);
        let good = scenario
            .load
            .good_within
            .map_or(timeout_us, |good| u64::try_from(good.duration().as_micros()).unwrap_or(u64::MAX));
        LoadPlan {
            run_id: self.id.clone(),
            seed: self.options.seed,
            round,
            phases: scenario.plan(),
            load: scenario.load.clone(),
            arms: arms
                .iter()
                .map(|arm| ArmEndpoint {
                    letter: arm.plan.letter,
                    name: arm.plan.name.clone(),
                    url: format!("http://{}", arm.public),
                })
                .collect(),
            secret: self.secret.clone(),
            log: self.folder.join("generator.log"),
            good_within_us: good,
            timeout_us,
            audit: true,
            sample: telemetry_level(scenario.telemetry).ratio(),
            workers: 2,
            cores: generator_cores(scenario),
        }
    }

    /// The record's first line.
    pub(crate) fn header(
        &self,
        arms: Vec<record::Arm>,
        seeded: &SeededData,
        generator: &Generator,
        ready_ms: u64,
        load_start_ns: u64,
    ) -> Header {
        let scenario = &self.options.scenario;
        let plan = finish::expectation_plans(scenario);
        let schedule =
            traffic::Schedule::new(self.options.seed, &scenario.plan(), &scenario.load, &seeded.data);
        let digest = schedule.digest();
        let mut notes = self.notes.lock().expect("no panic while held");
        if digest != generator.digest {
            let text = format!("the generator offers schedule {}, planned was {digest}", generator.digest);
            notes.generator.push(text);
        }
        notes.skewed = traffic::skew::find_skew(schedule, &scenario.plan(), &scenario.load);
        drop(notes);
        Header {
            schema_version: record::SCHEMA_VERSION,
            run_id: self.id.clone(),
            scenario: scenario.name.clone(),
            title: scenario.title.clone(),
            why: scenario.why.clone(),
            scenario_text: scenario.source.text.clone(),
            seed: self.options.seed,
            version: self.options.version.clone(),
            command: self.options.command.clone(),
            wall_us: clock::wall_us() - i64::try_from(self.record.now() / 1_000).unwrap_or(0),
            way: if self.options.interleaved { "interleaved" } else { "side by side" }.to_owned(),
            rounds: self.options.rounds,
            machine: usage::machine(),
            steps: finish::step_plans(scenario, &arms, self.options.seed),
            arms,
            phases: scenario.plan(),
            journeys: finish::journey_plans(scenario),
            expectations: plan,
            schedule_digest: digest,
            planned: generator.planned,
            good_within_us: self.load_plan(&[], 1).good_within_us,
            load_start_ns,
            ready_ms,
            telemetry: telemetry_level(scenario.telemetry).to_string(),
            budget_memory: scenario.budget.memory.map(|memory| memory.get()),
            closed: scenario.load.model == Model::Closed,
            popularity: (scenario.load.popularity.reader, scenario.load.popularity.photo),
            has_copies: scenario.arms.iter().any(has_copies),
            drops: scenario.load.overload == Overload::Drop,
            slots: (scenario.load.slots(), scenario.load.needed_slots()),
        }
    }
}

/// Letters of arms: as many as there are groupings of five components.
pub(crate) fn arm_letter(index: usize) -> char {
    (b'A'..=b'Z').chain(b'a'..=b'z').map(char::from).nth(index).unwrap_or('?')
}

fn push_below(arm: &scenario::Arm) -> Option<u32> {
    arm.services.values().find_map(|service| service.push_below)
}

/// What holds on each edge that crosses processes, with every blank filled in.
pub(crate) fn effective_policies(
    policies: &BTreeMap<String, policy::Policy>,
    edges: &[String],
) -> BTreeMap<String, serde_json::Value> {
    let table: Vec<(policy::EdgePattern, policy::Policy)> =
        policies.iter().filter_map(|(edge, policy)| Some((edge.parse().ok()?, policy.clone()))).collect();
    let of = |edge: &String| {
        let (caller, callee) = edge.split_once("->")?;
        let effective = policy::for_edge(&table, caller, callee).effective();
        Some((edge.clone(), serde_json::to_value(effective).ok()?))
    };
    edges.iter().filter_map(of).collect()
}

/// Whether an arm is a monolith with copies.
fn has_copies(arm: &scenario::Arm) -> bool {
    let processes = processes_of(arm).unwrap_or_default();
    let with_data: Vec<&ProcessPlan> = processes.iter().filter(|process| !process.hosts.is_empty()).collect();
    with_data.len() == 1 && with_data[0].replicas > 1
}

/// The processes of an arm.
pub(crate) fn processes_of(arm: &scenario::Arm) -> Result<Vec<ProcessPlan>, RunError> {
    arm.placement.resolve(&suite::components()).map_err(|errors| {
        let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
        RunError::UnknownArm(format!("topology `{}`: {}", arm.topology, text.join("; ")))
    })
}

/// What the nodes of an arm are told about it.
pub(crate) fn node_config(arm: &scenario::Arm, processes: &[ProcessPlan]) -> NodeConfig {
    NodeConfig {
        arm: arm.name.clone(),
        topology: arm.topology.clone(),
        processes: processes.to_vec(),
        carrier: arm.placement.carrier,
        policies: arm.policies.clone(),
        services: arm.services.clone(),
        otlp: telemetry::otlp_endpoint_from_env(),
        ..NodeConfig::default()
    }
}

/// Cores an arm keeps to: the same number for each, other ones where there are enough.
fn arm_cores(scenario: &scenario::Scenario, letter: char) -> Vec<usize> {
    let Some(wanted) = scenario.budget.cores else { return Vec::new() };
    let all = runtime::limits::allowed_cores();
    let wanted = (wanted as usize).clamp(1, all.len().max(1));
    // Arms that take turns take the same cores, and leave the others to the generator.
    let turns = scenario.way == scenario::RunMode::SideBySide;
    let turn = (0..52).filter(|_| turns).find(|index| arm_letter(*index) == letter).unwrap_or(0) * wanted;
    (0..wanted).map(|i| all[(turn + i) % all.len()]).collect()
}

/// Cores left to the generator, where arms that take turns have a budget.
fn generator_cores(scenario: &scenario::Scenario) -> Vec<usize> {
    if scenario.way == scenario::RunMode::SideBySide || scenario.budget.cores.is_none() {
        return Vec::new();
    }
    let taken = arm_cores(scenario, 'A');
    runtime::limits::allowed_cores().into_iter().filter(|core| !taken.contains(core)).collect()
}

/// The order of arms in a round: two arms ABBA AB .., more a Latin square
/// ABC BCA CAB, so that no arm is always first.
pub(crate) fn round_order(round: u32, arms: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..arms).collect();
    if arms == 2 {
        if round.is_multiple_of(2) {
            order.reverse();
        }
    } else {
        order.rotate_left((round as usize - 1) % arms.max(1));
    }
    order
}

/// An arm that has not been started: what is known from its plan.
pub(crate) fn describe_planned(planned: &PlannedArm) -> record::Arm {
    let (local_edges, remote_edges) = suite::catalogue::edges(&planned.processes);
    let copies =
        planned.processes.iter().flat_map(|process| (0..process.replicas).map(move |copy| (process, copy)));
    let instances: Vec<record::Instance> = copies
        .map(|(process, copy)| record::Instance {
            name: format!("{}#{copy}", process.name),
            hosts: process.hosts.iter().map(ToString::to_string).collect(),
            port: 0,
            public_port: process.gateway.then_some(0),
        })
        .collect();
    let databases = planned.processes.iter().filter(|process| !process.hosts.is_empty()).count();
    record::Arm {
        letter: planned.letter,
        name: planned.plan.name.clone(),
        topology: planned.topology.clone(),
        variant: planned.variant.clone(),
        config_keys: planned.plan.config.keys() * u32::try_from(instances.len()).unwrap_or(u32::MAX),
        instances,
        policies: effective_policies(&planned.plan.config.policies, &remote_edges),
        local_edges,
        remote_edges,
        databases: u32::try_from(databases).unwrap_or(u32::MAX),
        ready_ms: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_balanced() {
        assert_eq!((round_order(1, 2), round_order(2, 2)), (vec![0, 1], vec![1, 0]));
        let square: Vec<_> = (1..=3).map(|round| round_order(round, 3)).collect();
        assert_eq!(square, [vec![0, 1, 2], vec![1, 2, 0], vec![2, 0, 1]]);
    }
}
