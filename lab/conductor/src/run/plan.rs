//! What is settled before anything starts: the arms, their configuration, and the load they are offered.

use std::collections::BTreeMap;
use std::path::Path;

use contract::ProcessPlan;
use contract::resources::EqualWorkers;
use fault::{Target, TargetKind};
use load_protocol::{ArmEndpoint, LoadPlan};
use node::NodeConfig;
use policy::{EdgePattern, Policy};
use scenario::Scenario;

use crate::arm::arm_plan::{ArmPlan, ServerAccess};
use crate::arm::resources::{self, equal_workers, telemetry_level, workers_of};
use crate::process::host;
use crate::run::options::{RunError, RunOptions};
use crate::run::secrets::RunSecrets;

/// Threads of the generator that send.
const GENERATOR_WORKERS: usize = 2;

/// What is settled before anything starts.
pub(crate) struct RunPlan<'a> {
    pub options: &'a RunOptions,
    pub id: &'a str,
    pub folder: &'a Path,
    pub secrets: &'a RunSecrets,
    /// The lab's collector, where nodes trace.
    pub otlp: Option<String>,
}

/// One arm as planned.
#[derive(Clone, Debug)]
pub(crate) struct PlannedArm {
    pub letter: char,
    pub topology: String,
    pub variant: String,
    pub processes: Vec<ProcessPlan>,
    pub plan: ArmPlan,
}

impl RunPlan<'_> {
    fn scenario(&self) -> &Scenario {
        &self.options.scenario
    }

    /// The arms asked for, in the order asked for: the first is A. `probes` are the requests that each must answer.
    pub fn arms(&self, probes: &[String]) -> Result<Vec<PlannedArm>, RunError> {
        self.arms_on(host::cores(), probes)
    }

    /// The same, with the threads that they have on a machine of so many cores.
    pub fn arms_on(&self, cores: usize, probes: &[String]) -> Result<Vec<PlannedArm>, RunError> {
        let (scenario, chosen) = (self.scenario(), self.chosen());
        let workers = equal_workers(scenario, chosen.iter().copied(), cores);
        let planned = |(index, arm)| self.arm(arm_letter(index), arm, workers, probes);
        chosen.into_iter().enumerate().map(planned).collect()
    }

    /// The arms asked for, by letter and name.
    pub fn names(&self) -> Vec<String> {
        let name = |(index, arm): (usize, &scenario::Arm)| task_of(arm_letter(index), &arm.name);
        self.chosen().into_iter().enumerate().map(name).collect()
    }

    fn chosen(&self) -> Vec<&scenario::Arm> {
        self.scenario().arms_to_run(&self.options.arms)
    }

    /// One arm, with these threads unless it declares others.
    fn arm(
        &self,
        letter: char,
        arm: &scenario::Arm,
        workers: EqualWorkers,
        probes: &[String],
    ) -> Result<PlannedArm, RunError> {
        let scenario = self.scenario();
        let processes = processes_of(arm)?;
        let telemetry = telemetry_level(arm.telemetry.unwrap_or(scenario.telemetry));
        let folder = self.folder.join(scenario::names::arm_folder(&arm.name));
        let config = NodeConfig {
            run_id: self.id.to_owned(),
            scenario: scenario.name.clone(),
            data: folder.join("data"),
            secret: self.secrets.identity.clone(),
            token: self.secrets.token.clone(),
            broker_credentials: self.secrets.broker.clone(),
            settings: component::service_context::Settings {
                push_below: push_below(arm).unwrap_or(scenario.load.feed.push_below),
                calls_in_transaction: arm
                    .services
                    .values()
                    .any(|service| service.calls_in_transaction == Some(true)),
                feed_depth: scenario.load.feed.depth,
                // The generator is one address, and asks for a few users in place of many.
                limits_per_address: false,
                limits_per_account: false,
                ..component::service_context::Settings::default()
            },
            telemetry,
            otlp: self.otlp.clone(),
            seed: self.options.seed,
            shared: scenario.steps.iter().any(|step| step.action.changes_copies()),
            cores: arm_cores(self.options, letter, &runtime::limits::allowed_cores()),
            ..node_config(arm, &processes)
        };
        let plan = ArmPlan {
            letter,
            name: arm.name.clone(),
            processes: processes.clone(),
            placement: arm.placement.clone(),
            config,
            folder,
            probes: probes.to_vec(),
            workers: workers_of(&arm.placement, &processes, workers),
            resources: resources::given(arm, &processes, workers, telemetry),
            group: None,
            access: ServerAccess {
                faulted: faulted_connections(scenario),
                fills_disk: scenario.fills_broker_disk(),
                ..ServerAccess::default()
            },
            is_kept_up: false,
        };
        let (topology, variant) = (arm.topology.clone(), arm.variant.clone());
        Ok(PlannedArm { letter, topology, variant, processes, plan })
    }

    /// What the generator offers to arms.
    pub fn load(&self, arms: Vec<ArmEndpoint>, round: u32) -> LoadPlan {
        let scenario = self.scenario();
        LoadPlan {
            run_id: self.id.to_owned(),
            seed: self.options.seed,
            round,
            phases: scenario.offered_phases(),
            further_from_us: scenario
                .further_rates()
                .iter()
                .map(|rate| rate.phase.start_ns / 1_000)
                .collect(),
            load: scenario.offered_load(),
            arms,
            secret: self.secrets.identity.clone(),
            log: self.folder.join("generator.log"),
            good_within_us: good_within_us(scenario),
            timeout_us: timeout_us(scenario),
            audit: true,
            sample: telemetry_level(scenario.telemetry).ratio(),
            workers: GENERATOR_WORKERS,
            cores: generator_cores(self.options, &runtime::limits::allowed_cores()),
        }
    }
}

/// Connections to servers on which steps act.
fn faulted_connections(scenario: &Scenario) -> Vec<Target> {
    let targets = scenario.steps.iter().filter_map(|step| step.target);
    targets.filter(|target| target.kind() == TargetKind::Connection).collect()
}

/// An arm's task of the start: `A mono`.
pub(crate) fn task_of(letter: char, name: &str) -> String {
    format!("{letter} {name}")
}

/// Time for a whole request, microseconds.
pub(crate) fn timeout_us(scenario: &Scenario) -> u64 {
    u64::try_from(scenario.load.timeout.duration().as_micros()).unwrap_or(u64::MAX)
}

/// An answer later than this is not good, microseconds: the timeout, where the scenario names nothing.
pub(crate) fn good_within_us(scenario: &Scenario) -> u64 {
    u64::try_from(scenario.load.longest_good().duration().as_micros()).unwrap_or(u64::MAX)
}

/// Letters of arms: as many as there are groupings of five components.
pub(crate) fn arm_letter(index: usize) -> char {
    (b'A'..=b'Z').chain(b'a'..=b'z').map(char::from).nth(index).unwrap_or('?')
}

fn push_below(arm: &scenario::Arm) -> Option<u32> {
    arm.services.values().find_map(|service| service.push_below)
}

/// The policy in force on each edge that crosses processes, with every default filled in.
pub(crate) fn effective_policies(
    policies: &BTreeMap<String, Policy>,
    edges: &[String],
) -> BTreeMap<String, serde_json::Value> {
    let table: Vec<(EdgePattern, Policy)> =
        policies.iter().filter_map(|(edge, policy)| Some((edge.parse().ok()?, policy.clone()))).collect();
    let of = |edge: &String| {
        let (caller, callee) = edge.split_once("->")?;
        let effective = policy::for_edge(&table, caller, callee).effective();
        Some((edge.clone(), serde_json::to_value(effective).ok()?))
    };
    edges.iter().filter_map(of).collect()
}

/// The processes of an arm.
pub(crate) fn processes_of(arm: &scenario::Arm) -> Result<Vec<ProcessPlan>, RunError> {
    arm.placement.resolve(&suite::components()).map_err(|errors| {
        let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
        RunError::UnknownArm(format!("topology `{}`: {}", arm.topology, text.join("; ")))
    })
}

/// The part of a node's configuration that its arm decides.
pub(crate) fn node_config(arm: &scenario::Arm, processes: &[ProcessPlan]) -> NodeConfig {
    NodeConfig {
        arm: arm.name.clone(),
        topology: arm.topology.clone(),
        processes: processes.to_vec(),
        carrier: arm.placement.carrier,
        policies: arm.policies.clone(),
        services: arm.services.clone(),
        network: arm.network,
        ..NodeConfig::default()
    }
}

/// Cores of an arm, of those the lab may use: the same number for each arm, other ones where there are enough.
fn arm_cores(options: &RunOptions, letter: char, allowed: &[usize]) -> Vec<usize> {
    let wanted = options.scenario.budget.cores.filter(|_| !allowed.is_empty());
    let Some(wanted) = wanted else { return Vec::new() };
    let wanted = (wanted as usize).clamp(1, allowed.len());
    // Arms that take turns take the same cores, and leave the others to the generator.
    let is_paired = !options.interleaved;
    let turn = (0..52).filter(|_| is_paired).find(|index| arm_letter(*index) == letter).unwrap_or(0) * wanted;
    (0..wanted).map(|i| allowed[(turn + i) % allowed.len()]).collect()
}

/// Cores left to the generator, where arms that take turns have a budget.
fn generator_cores(options: &RunOptions, allowed: &[usize]) -> Vec<usize> {
    if !options.interleaved || options.scenario.budget.cores.is_none() {
        return Vec::new();
    }
    let taken = arm_cores(options, 'A', allowed);
    allowed.iter().copied().filter(|core| !taken.contains(core)).collect()
}

/// The order of arms in a round: two arms ABBA AB .., more a Latin square ABC BCA CAB, so that no arm is always first.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn with_plan<T>(options: &RunOptions, test: impl FnOnce(&RunPlan<'_>) -> T) -> T {
        let secrets = fixture::secrets();
        let folder = Path::new("/runs/r1");
        test(&RunPlan { options, id: "r1", folder, secrets: &secrets, otlp: None })
    }

    #[test]
    fn rounds_are_balanced() {
        assert_eq!((round_order(1, 2), round_order(2, 2)), (vec![0, 1], vec![1, 0]));
        let square: Vec<_> = (1..=3).map(|round| round_order(round, 3)).collect();
        assert_eq!(square, [vec![0, 1, 2], vec![1, 2, 0], vec![2, 0, 1]]);
    }

    #[test]
    fn arms_are_lettered_in_the_order_asked_for() {
        let mut options = fixture::options(&fixture::two_arms(""));
        let letters = |options: &RunOptions| {
            let arms = with_plan(options, |plan| plan.arms(&["/ready".to_owned()]).expect("arms"));
            arms.into_iter().map(|arm| (arm.letter, arm.plan.name)).collect::<Vec<_>>()
        };
        assert_eq!(letters(&options), [('A', "micro".to_owned()), ('B', "mono".to_owned())]);
        options.arms = vec!["mono".to_owned()];
        assert_eq!(letters(&options), [('A', "mono".to_owned())]);
    }

    #[test]
    fn an_arm_gets_the_secrets_the_probes_and_a_folder_of_its_own() {
        let options = fixture::options(&fixture::two_arms(""));
        let arms = with_plan(&options, |plan| plan.arms(&["/ready".to_owned()]).expect("arms"));
        let config = &arms[0].plan.config;
        assert_eq!((config.token.as_str(), config.secret.as_str()), ("token", "identity"));
        assert_eq!(config.broker_credentials, "broker");
        assert_eq!(config.data, Path::new("/runs/r1/micro/data"));
        assert_eq!(arms[0].plan.probes, ["/ready"]);
        assert_eq!(arms[0].processes.len(), 7, "gateway, registry and five components");
        assert_eq!(arms[1].processes.len(), 1);
    }

    #[test]
    fn an_answer_is_good_within_the_timeout_unless_the_scenario_sets_another() {
        let options = fixture::options(&fixture::two_arms(""));
        let load = with_plan(&options, |plan| plan.load(Vec::new(), 2));
        assert_eq!((load.good_within_us, load.timeout_us, load.round), (1_000_000, 1_000_000, 2));
        assert!(load.cores.is_empty(), "no budget of cores");
    }

    #[test]
    fn arms_side_by_side_take_other_cores_and_arms_in_turns_the_same() {
        // How the arms run is the run's: `--rounds` may ask for another way than the scenario's.
        let mut options = fixture::options(&fixture::two_arms(""));
        assert_eq!(arm_cores(&options, 'A', &[0, 1, 2, 3]), [0; 0], "no budget");
        options.scenario.budget.cores = Some(2);
        let cores = |options: &RunOptions, letter| arm_cores(options, letter, &[0, 1, 2, 3]);
        assert_eq!((cores(&options, 'A'), cores(&options, 'B')), (vec![0, 1], vec![2, 3]));
        assert_eq!(generator_cores(&options, &[0, 1, 2, 3]), [0; 0]);
        assert_eq!(arm_cores(&options, 'B', &[0]), [0], "as many as there are");
        assert_eq!(arm_cores(&options, 'B', &[]), [0; 0]);
        options.interleaved = true;
        assert_eq!((cores(&options, 'A'), cores(&options, 'B')), (vec![0, 1], vec![0, 1]));
        assert_eq!(generator_cores(&options, &[0, 1, 2, 3]), [2, 3], "what arms leave");
    }

    #[test]
    fn policies_are_given_for_edges_that_cross_with_every_default() {
        let policy = toml::from_str::<Policy>("timeout = \"70ms\"").expect("a policy");
        let policies = BTreeMap::from([("feed->*".to_owned(), policy)]);
        let effective =
            effective_policies(&policies, &["feed->photo".to_owned(), "search->photo".to_owned()]);
        let timeout = |edge: &str| effective[edge]["timeout"].to_string();
        assert!(timeout("feed->photo").contains("70ms"), "{effective:?}");
        assert!(!timeout("search->photo").contains("70ms"), "{effective:?}");
    }

    #[test]
    fn there_are_letters_for_as_many_arms_as_there_are_groupings() {
        let letters: String = (0..52).map(arm_letter).collect();
        assert!(letters.starts_with("ABC") && letters.ends_with("xyz"), "{letters}");
    }
}
