//! What an arm spent in a measured phase, by component and operation: CPU is what the kernel and the processes account,
//! never a length of spans, which has waiting in it.

use std::collections::BTreeMap;

use model::{Run, TimeRange, Window};
use record::{CLIENT, OperationCost, Proc};

use super::document::{ActivityKind, Operation};

/// Processes that belong to the lab.
const LAB: char = '-';
/// The load generator's process.
const GENERATOR: &str = "generator";
/// The program's own.
const CONDUCTOR: &str = "cleave";

/// CPU of a component, ns, over a measured phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ComponentCpu {
    /// Its operations: their own code and their statements, on whatever threads.
    pub operations: f64,
    /// Of them, on other threads than workers.
    pub blocking: f64,
    /// Watching, the exporter's thread included, beyond what it takes at rest.
    pub telemetry: f64,
    /// Workers outside of tasks, beyond what they take at rest: waking up and going to sleep.
    pub waking: f64,
    /// All of its processes, beyond what they take at rest.
    pub total: f64,
    /// Threads that work for tasks.
    pub workers: f64,
    /// Calls served.
    pub served: f64,
    /// Calls made.
    pub called: f64,
    /// Its processes.
    pub copies: f64,
}

impl ComponentCpu {
    /// What cools down between calls: operations and messages, on the threads that serve calls.
    pub fn tasks(&self) -> f64 {
        (self.total - self.telemetry - self.waking - self.blocking).max(0.0)
    }

    /// Calls that each of its processes served a second.
    pub fn calls_per_s(&self, seconds: f64) -> f64 {
        let process_seconds = seconds * self.copies.max(1.0);
        if process_seconds > 0.0 { self.served / process_seconds } else { 0.0 }
    }
}

/// What an arm spent in a measured phase.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ledger {
    /// By component.
    pub components: BTreeMap<String, ComponentCpu>,
    /// What each operation took, handlers of events included.
    pub operations: BTreeMap<String, OperationCost>,
    /// CPU of a request in the load generator, ns.
    pub generator_ns: f64,
    /// CPU of a process at rest, ns a second; `None` where no run was ever at rest.
    pub idle_ns_per_s: Option<f64>,
    /// CPU of the lab while the arm had its load, ns a second.
    pub lab_ns_per_s: f64,
    /// Seconds of load.
    pub seconds: f64,
}

impl Ledger {
    /// That of an arm in which every process holds one component, in a window; `operations` are what the traces show, `rest` what
    /// its processes take at rest.
    pub fn of(
        run: &Run,
        arm: &record::Arm,
        window: &Window,
        operations: &BTreeMap<String, Operation>,
        rest: Option<&IdleCpu>,
    ) -> Self {
        let range = run.whole(window);
        let seconds = run.run_time(arm.letter, &range).iter().map(|time| time.end - time.start).sum::<u64>()
            as f64
            / 1e9;
        let costs = run.operations(arm.letter, &range);
        let mut components = spent(run, arm, &range, seconds, rest);
        for (name, cost) in &costs {
            let spent = components.entry(component_of(name).to_owned()).or_default();
            spent.operations += (cost.business_ns + cost.blocking_ns + cost.database_ns) as f64;
            spent.blocking += cost.blocking_ns as f64;
        }
        let mut requests = 0.0;
        for (name, count) in &counts(run, arm.letter, &range, operations) {
            let calls = calls_of(&operations[name]).map(|(_, share)| share).sum::<f64>();
            if component_of(name) == CLIENT {
                requests += count * calls;
                continue;
            }
            let spent = components.entry(component_of(name).to_owned()).or_default();
            spent.served += count;
            spent.called += count * calls;
        }
        for (name, messages) in events(&costs) {
            let spent = components.entry(name.to_owned()).or_default();
            spent.served += messages.served;
            spent.called += messages.called;
        }
        let lab = run.grown_by_instance(LAB, arm.letter, &range, |proc| proc.cpu_ns);
        let of_lab = |instance: &str| lab.get(instance).copied().unwrap_or(0) as f64;
        let generator = of_lab(GENERATOR);
        // Side by side one generator serves all arms alike.
        let shared = if run.header.way == "interleaved" { 1 } else { run.header.arms.len().max(1) };
        Self {
            components,
            operations: costs,
            generator_ns: if requests > 0.0 { generator / shared as f64 / requests } else { 0.0 },
            idle_ns_per_s: rest.map(|rest| rest.total),
            lab_ns_per_s: if seconds > 0.0 { of_lab(CONDUCTOR) / seconds } else { 0.0 },
            seconds,
        }
    }
}

impl Ledger {
    /// The same where neighbours on the cores have made all CPU `slowed` times as much. Processes were as busy as they were, and
    /// what they take at rest they took without.
    pub fn without(&self, slowed: f64) -> Self {
        let mut alone = self.clone();
        for spent in alone.components.values_mut() {
            for ns in [
                &mut spent.operations,
                &mut spent.blocking,
                &mut spent.telemetry,
                &mut spent.waking,
                &mut spent.total,
            ] {
                *ns /= slowed;
            }
        }
        let less = |ns: u64| (ns as f64 / slowed).round() as u64;
        for cost in alone.operations.values_mut() {
            (cost.business_ns, cost.blocking_ns) = (less(cost.business_ns), less(cost.blocking_ns));
            cost.database_ns = less(cost.database_ns);
        }
        alone.generator_ns /= slowed;
        alone.lab_ns_per_s /= slowed;
        alone
    }
}

/// What the names of handlers of events begin with, before their topic.
const HANDLER: &str = "process ";

/// The topic that an operation handles; `None` of any other operation.
pub(super) fn topic_of(operation: &str) -> Option<&str> {
    operation.split_once('/')?.1.strip_prefix(HANDLER)
}

/// Events on their way, by component, as they are simulated: each is a call of its consumer by its publisher.
fn events(costs: &BTreeMap<String, OperationCost>) -> BTreeMap<&str, ComponentCpu> {
    let mut messages: BTreeMap<&str, ComponentCpu> = BTreeMap::new();
    let handled = costs.iter().filter_map(|(name, cost)| Some((name, topic_of(name)?, cost.served as f64)));
    for (consumer, topic, count) in handled {
        let published = |cost: &OperationCost| cost.published.get(topic).copied().unwrap_or(0) as f64;
        let all: f64 = costs.values().map(published).sum();
        for (publisher, cost) in costs.iter().filter(|(_, cost)| published(cost) > 0.0) {
            let share = count * published(cost) / all;
            messages.entry(component_of(publisher)).or_default().called += share;
            messages.entry(component_of(consumer)).or_default().served += share;
        }
    }
    messages
}

/// `photo` of `photo/photo.by_ids`.
pub(crate) fn component_of(operation: &str) -> &str {
    operation.split('/').next().unwrap_or_default()
}

/// CPU of a process at rest, ns a second.
#[derive(Clone, Debug, Default)]
pub(super) struct IdleCpu {
    total: f64,
    parts: BTreeMap<String, f64>,
}

impl IdleCpu {
    /// What processes of several arms take; `None` of none.
    pub fn mean<'a>(all: impl Iterator<Item = &'a Self>) -> Option<Self> {
        let all: Vec<&Self> = all.collect();
        let mut mean = Self::default();
        for rest in &all {
            mean.total += rest.total / all.len() as f64;
            for (part, ns) in &rest.parts {
                *mean.parts.entry(part.clone()).or_default() += ns / all.len() as f64;
            }
        }
        (!all.is_empty()).then_some(mean)
    }

    fn part(&self, name: &str) -> f64 {
        self.parts.get(name).copied().unwrap_or(0.0)
    }
}

/// Mean over the rounds before which an arm was at rest; `None` without any.
pub(super) fn rest(run: &Run, arm: &record::Arm) -> Option<IdleCpu> {
    let rounds = 1..=run.header.rounds.max(1);
    let known: Vec<(f64, BTreeMap<String, f64>)> = rounds
        .filter_map(|round| {
            let total = run.idle_ns_per_s(arm.letter, round)?;
            Some((total, run.idle_parts_ns_per_s(arm.letter, round).unwrap_or_default()))
        })
        .collect();
    let share = (known.len() * arm.instances.len().max(1)) as f64;
    let mut rest = IdleCpu::default();
    for (total, parts) in &known {
        rest.total += total / share;
        for (part, ns) in parts {
            *rest.parts.entry(part.clone()).or_default() += ns / share;
        }
    }
    (!known.is_empty()).then_some(rest)
}

/// What the kernel and the processes account to components, without what these take at rest.
fn spent(
    run: &Run,
    arm: &record::Arm,
    range: &TimeRange,
    seconds: f64,
    rest: Option<&IdleCpu>,
) -> BTreeMap<String, ComponentCpu> {
    let kernel = |figure: &dyn Fn(&Proc) -> u64| {
        by_component(arm, run.grown_by_instance(arm.letter, arm.letter, range, figure))
    };
    let own = |figure: &dyn Fn(&Proc) -> u64| {
        by_component(arm, run.reported_by_instance(arm.letter, range, figure))
    };
    let tasks = own(&|proc| proc.parts.values().sum());
    let watching = own(&|proc| proc.parts.get("telemetry").copied().unwrap_or(0));
    let exporter = kernel(&|proc| proc.cpu_telemetry_ns);
    let (total, workers) = (kernel(&|proc| proc.cpu_ns), kernel(&|proc| proc.cpu_workers_ns));
    let of_component = |(component, total): (&String, &f64)| {
        let ns = |figures: &BTreeMap<String, f64>| figures.get(component).copied().unwrap_or(0.0);
        let holds = |instance: &&record::Instance| instance.hosts.first() == Some(component);
        let copies = arm.instances.iter().filter(holds).count() as f64;
        let at_rest_s = seconds * copies;
        let part = |name| rest.map_or(0.0, |rest| rest.part(name));
        let beyond = |ns: f64, rest_ns_per_s: f64| (ns - rest_ns_per_s * at_rest_s).max(0.0);
        let spent = ComponentCpu {
            telemetry: beyond(ns(&watching) + ns(&exporter), part("telemetry")),
            waking: beyond(ns(&workers) - ns(&tasks), part("waking")),
            total: beyond(*total, rest.map_or(0.0, |rest| rest.total)),
            workers: ns(&workers),
            copies,
            ..ComponentCpu::default()
        };
        (component.clone(), spent)
    };
    total.iter().map(of_component).collect()
}

/// Figures of the processes of an arm, added up by component.
fn by_component(arm: &record::Arm, figures: BTreeMap<String, u64>) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for (instance, ns) in figures {
        let known = arm.instances.iter().find(|known| known.name == instance);
        if let Some(component) = known.and_then(|known| known.hosts.first()) {
            *sums.entry(component.clone()).or_default() += ns as f64;
        }
    }
    sums
}

/// How often each operation was done: journeys are counted, and what they come to is known from their traces.
fn counts(
    run: &Run,
    arm: char,
    range: &TimeRange,
    operations: &BTreeMap<String, Operation>,
) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for journey in &run.header.journeys {
        let sent = run.sum(arm, range, &journey.name, |window| window.sent) as f64;
        add(&format!("{CLIENT}/{}", journey.name), sent, operations, &mut counts, 0);
    }
    counts
}

/// Longest chain of calls.
pub(super) const MAX_DEPTH: usize = 16;

fn add(
    name: &str,
    count: f64,
    operations: &BTreeMap<String, Operation>,
    counts: &mut BTreeMap<String, f64>,
    depth: usize,
) {
    let Some(operation) = operations.get(name).filter(|_| count > 0.0 && depth < MAX_DEPTH) else { return };
    *counts.entry(name.to_owned()).or_default() += count;
    for (called, share) in calls_of(operation) {
        add(called, count * share, operations, counts, depth + 1);
    }
}

/// The calls of an operation, with how often each is made.
pub(crate) fn calls_of(operation: &Operation) -> impl Iterator<Item = (&str, f64)> {
    let activities = operation.stages.iter().flat_map(|stage| stage.lanes.iter().flatten());
    activities.filter_map(|activity| match &activity.what {
        ActivityKind::Call(name) => Some((name.as_str(), activity.share)),
        ActivityKind::Read(_) | ActivityKind::Write(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use record::{Entry, Line};

    use super::super::document::{Activity, Stage};
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const MS: u64 = 1_000_000;

    /// A process after so many ms at rest and under load: per second at rest 4 ms, of which 1 ms of telemetry and 1 ms of waking up;
    /// under load 104 ms, of which 11 ms and 19 ms, and 40 ms of a hundred operations.
    fn process(rest_s: u64, load_s: u64) -> Proc {
        let part =
            |name: &str, rest_ms, load_ms| (name.to_owned(), (rest_ms * rest_s + load_ms * load_s) * MS / 2);
        let cost =
            OperationCost { served: 100 * load_s, business_ns: 40 * load_s * MS, ..OperationCost::default() };
        Proc {
            arm: 'A',
            pid: 1,
            instance: "photo#0".into(),
            state: "up".into(),
            scraped: true,
            cpu_ns: (4 * rest_s + 104 * load_s) * MS,
            cpu_workers_ns: (5 * rest_s + 180 * load_s) * MS / 2,
            // In half ms.
            parts: [part("business", 0, 80), part("telemetry", 2, 22), part("transport", 1, 40)].into(),
            operations: [("photo/photo.by_ids".to_owned(), cost)].into(),
            ..Proc::default()
        }
    }

    #[test]
    fn what_a_process_takes_at_rest_is_taken_away_part_by_part() {
        let arm = record::Arm {
            letter: 'A',
            instances: vec![record::Instance {
                name: "photo#0".into(),
                hosts: vec!["photo".into()],
                port: 0,
                public_port: None,
                copies: 1,
            }],
            ..record::Arm::default()
        };
        let steady =
            record::PhasePlan { name: "steady".into(), start_ns: 0, length_ns: 4 * SECOND, measure: true };
        let mut run = Run::new(record::Header {
            schema_version: record::SCHEMA_VERSION,
            load_start_ns: 3 * SECOND,
            phases: vec![steady],
            rounds: 1,
            arms: vec![arm.clone()],
            ..record::Header::default()
        });
        let phase = record::Phase { index: 0, name: "steady".into(), round: 1, arms: String::new() };
        run.add(&Line { t: 3 * SECOND, entry: Entry::Phase(phase) });
        for second in 0..=7_u64 {
            let proc = process(second.min(3), second.saturating_sub(3));
            run.add(&Line { t: second * SECOND, entry: Entry::from(proc) });
        }
        let at_rest = rest(&run, &arm);
        let ledger = Ledger::of(&run, &arm, &Window::Whole, &BTreeMap::new(), at_rest.as_ref());
        assert_eq!(ledger.idle_ns_per_s, Some(4e6));
        let photo = ledger.components["photo"];
        let ms = |ns: f64| (ns / 1e6).round();
        assert_eq!(
            (ms(photo.total), ms(photo.telemetry), ms(photo.waking)),
            (400.0, 40.0, 72.0),
            "{photo:?}"
        );
        assert_eq!((ms(photo.operations), ms(photo.workers)), (160.0, 360.0), "{photo:?}");
        assert_eq!(ledger.operations["photo/photo.by_ids"].served, 400);
    }

    #[test]
    fn what_neighbours_have_added_is_taken_away_of_all_but_how_busy_processes_were() {
        let spent = ComponentCpu {
            operations: 300.0,
            blocking: 60.0,
            telemetry: 15.0,
            waking: 30.0,
            total: 600.0,
            workers: 500.0,
            served: 10.0,
            called: 20.0,
            copies: 1.0,
        };
        let cost = OperationCost {
            served: 10,
            business_ns: 150,
            blocking_ns: 60,
            database_ns: 90,
            ..OperationCost::default()
        };
        let ledger = Ledger {
            components: [("photo".to_owned(), spent)].into(),
            operations: [("photo/photo.by_ids".to_owned(), cost)].into(),
            generator_ns: 45.0,
            idle_ns_per_s: Some(7.0),
            lab_ns_per_s: 9.0,
            seconds: 4.0,
        };
        let alone = ledger.without(1.5);
        let expected = ComponentCpu {
            operations: 200.0,
            blocking: 40.0,
            telemetry: 10.0,
            waking: 20.0,
            total: 400.0,
            ..spent
        };
        assert_eq!(alone.components["photo"], expected);
        let cost = &alone.operations["photo/photo.by_ids"];
        assert_eq!((cost.served, cost.business_ns, cost.blocking_ns, cost.database_ns), (10, 100, 40, 60));
        assert_eq!((alone.generator_ns, alone.lab_ns_per_s, alone.idle_ns_per_s), (30.0, 6.0, Some(7.0)));
        assert_eq!(ledger.without(1.0), ledger);
    }

    #[test]
    fn an_event_is_a_message_of_its_publisher_to_each_consumer() {
        let cost = |served, published: &[(&str, u64)]| OperationCost {
            served,
            published: published.iter().map(|(topic, count)| ((*topic).to_owned(), *count)).collect(),
            ..OperationCost::default()
        };
        let costs = BTreeMap::from([
            ("photo/POST /v1/photos".to_owned(), cost(50, &[("photo.posted", 40)])),
            ("feed/process photo.posted".to_owned(), cost(40, &[])),
            ("search/process photo.posted".to_owned(), cost(30, &[])),
        ]);
        let seen = events(&costs);
        let of = |component: &str| (seen[component].served, seen[component].called);
        assert_eq!((of("photo"), of("feed"), of("search")), ((0.0, 70.0), (40.0, 0.0), (30.0, 0.0)));
    }

    #[test]
    fn calls_are_counted_down_the_tree() {
        let calls = |names: &[(&str, f64)]| Operation {
            stages: vec![Stage {
                lanes: names
                    .iter()
                    .map(|(name, share)| {
                        vec![Activity { share: *share, what: ActivityKind::Call((*name).to_owned()) }]
                    })
                    .collect(),
            }],
            ..Operation::default()
        };
        let operations = BTreeMap::from([
            ("client/home".to_owned(), calls(&[("gateway/get", 1.0), ("gateway/get", 1.0)])),
            ("gateway/get".to_owned(), calls(&[("feed/get", 0.5)])),
            ("feed/get".to_owned(), calls(&[])),
        ]);
        let mut counts = BTreeMap::new();
        add("client/home", 10.0, &operations, &mut counts, 0);
        assert_eq!((counts["client/home"], counts["gateway/get"], counts["feed/get"]), (10.0, 20.0, 10.0));
    }
}
