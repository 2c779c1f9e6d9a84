//! A second of a process: its CPU as simulated, and by part as far as that follows from what it served.

use std::collections::{BTreeMap, BTreeSet};

use record::{Cost, Entry, Line, OperationCost, Proc};

use super::{REST_SECONDS, SECOND_NS, Turn};
use crate::calibrate::calls_of;
use crate::model::surcharge::Surcharge;
use crate::predict::block::Snapshot;
use crate::predict::changes::Changes;
use crate::predict::layout::{Group, Layout};
use crate::predict::setting::{edges, local_calls};

/// The processes of the arms of a turn.
pub(super) struct Processes<'a> {
    turn: &'a Turn<'a>,
    /// The arms, and the groups of copies that a line is written of.
    arms: Vec<(&'a Layout, Vec<Group>)>,
    /// Components that are called from other processes, by arm.
    called: BTreeSet<(char, String)>,
}

/// CPU by part, ns, and requests on the wire.
#[derive(Clone, Debug, Default)]
struct CpuAccount {
    business: f64,
    database: f64,
    telemetry: f64,
    requests: f64,
    operations: BTreeMap<String, OperationCost>,
    /// By component: calls served, and of them those whose caller had given up.
    served: BTreeMap<String, [u64; 2]>,
}

impl<'a> Processes<'a> {
    pub fn of(turn: &'a Turn<'a>) -> Self {
        let layouts = turn.recorded.layouts.iter();
        let arms: Vec<(&Layout, Vec<Group>)> = layouts
            .filter(|layout| turn.block.letters.contains(&layout.letter))
            .map(|layout| {
                let changes = Changes::of(turn.recorded.scenario, layout);
                let further = layout.further_copies(&changes.standby).into_iter().map(Group::of);
                (layout, layout.groups().into_iter().chain(further).collect())
            })
            .collect();
        let called = arms.iter().flat_map(|(layout, _)| {
            let remote = edges(turn.recorded.calibration).into_iter();
            let remote = remote.filter(move |(caller, callee)| !layout.is_local(caller, callee));
            let callees = remote.map(|(_, callee)| callee.to_owned());
            callees.chain(["gateway".to_owned()]).map(move |callee| (layout.letter, callee))
        });
        Self { turn, called: called.collect(), arms }
    }

    /// Every process, from its rest before the load to the last answer.
    pub fn add(&self, lines: &mut Vec<Line>) {
        let groups = self.arms.iter().flat_map(|arm| arm.1.iter().map(move |group| (arm, group)));
        for (pid, (arm, group)) in (1..).zip(groups) {
            let name = arm.0.own(&group.name);
            let is_there = |snapshot: &Snapshot| !snapshot.absent.contains(&name);
            let is_there_at_first = self.turn.block.snapshots.first().is_none_or(is_there);
            for second in (0..REST_SECONDS).filter(|_| is_there_at_first) {
                let at = self.turn.start_ns + second * SECOND_NS - REST_SECONDS * SECOND_NS;
                let cpu_ns = self.idle_ns(group, second);
                let proc = Proc { cpu_ns, cpu_workers_ns: cpu_ns, ..self.proc(arm.0, group, pid) };
                lines.push(Line { t: at, entry: Entry::from(proc) });
            }
            let snapshots = (0..).zip(&self.turn.block.snapshots);
            for (second, snapshot) in snapshots.filter(|of| is_there(of.1)) {
                let proc = self.sampled(arm, group, pid, second, snapshot);
                lines.push(Line { t: self.turn.start_ns + second * SECOND_NS, entry: Entry::from(proc) });
            }
        }
    }

    fn idle_ns(&self, group: &Group, seconds: u64) -> u64 {
        let each_ns = self.turn.recorded.calibration.idle_ns_per_s * seconds as f64;
        (each_ns * f64::from(group.copies)) as u64
    }

    fn proc(&self, layout: &Layout, group: &Group, pid: u32) -> Proc {
        let registry = group.is_registry.then(|| "registry".to_owned());
        let components: Vec<String> = registry.into_iter().chain(group.components.iter().cloned()).collect();
        let memory = self.turn.recorded.calibration.memory.as_ref();
        let held_kib = memory.map_or(0.0, |memory| memory.of_process(&components));
        Proc {
            arm: layout.letter,
            pid,
            instance: group.name.clone(),
            pss_kib: (held_kib * f64::from(group.copies)).round() as u64,
            components,
            state: "up".to_owned(),
            scraped: true,
            ..Proc::default()
        }
    }

    fn sampled(
        &self,
        arm: &(&Layout, Vec<Group>),
        group: &Group,
        pid: u32,
        second: u64,
        snapshot: &Snapshot,
    ) -> Proc {
        let layout = arm.0;
        let name = layout.own(&group.name);
        let is_up = snapshot.processes.get(&name).is_none_or(|(_, is_up)| *is_up);
        let cpu_ns = self.idle_ns(group, REST_SECONDS) + self.turn.block.process_ns(&name, second);
        let accounted = self.accounted(arm, group, snapshot);
        let known = accounted.business + accounted.database + accounted.telemetry;
        let part = |name: &str, ns: f64| (name.to_owned(), ns.max(0.0) as u64);
        let parts = BTreeMap::from([
            part("business", accounted.business),
            part("database", accounted.database),
            part("telemetry", accounted.telemetry),
            part("transport", cpu_ns as f64 - known),
        ]);
        let proc = self.proc(layout, group, pid);
        Proc {
            state: if is_up { "up" } else { "down" }.to_owned(),
            pss_kib: if is_up { proc.pss_kib } else { 0 },
            cpu_ns,
            cpu_workers_ns: cpu_ns,
            parts,
            requests: accounted.requests as u64,
            operations: accounted.operations,
            work: accounted.served,
            ..proc
        }
    }

    /// What a process did so far, or a group of copies, by the means of the calibration. Copies of a component have their share of it.
    fn accounted(
        &self,
        (layout, groups): &(&Layout, Vec<Group>),
        group: &Group,
        snapshot: &Snapshot,
    ) -> CpuAccount {
        let calibration = self.turn.recorded.calibration;
        let mut sum = CpuAccount::default();
        let own = f64::from(group.copies);
        // Of copies that come and go it is known what each did.
        let process = layout.own(&group.name);
        let alone = snapshot.copies.get(&process);
        // What came to a process that had cooled took more, and so did what had neighbours on the cores.
        let dearer =
            |of: &BTreeMap<String, Surcharge>| of.get(&process).copied().unwrap_or_default().factor();
        let contended = dearer(&snapshot.contended);
        let factor = dearer(&snapshot.cooled) * contended;
        for component in &group.components {
            let holders = groups.iter().filter(|other| other.components.contains(component));
            let holders = f64::from(holders.map(|other| other.copies).sum::<u32>().max(1));
            let is_called = self.called.contains(&(layout.letter, component.clone()));
            let prefix = layout.own(&format!("{component}/"));
            let (mut all, mut wasted) = (0, 0);
            let part = |count: f64| if alone.is_some() { count } else { count * own / holders };
            for (name, count) in &snapshot.served {
                let Some(operation) = name.strip_prefix(&prefix) else { continue };
                let Some(known) = calibration.operations.get(&format!("{component}/{operation}")) else {
                    continue;
                };
                let [count, unwanted] = match alone {
                    Some(work) => work.operations.get(name).copied().unwrap_or_default(),
                    None => [*count, snapshot.wasted.get(name).copied().unwrap_or(0)],
                };
                all += count;
                wasted += unwanted;
                let count = part(count as f64);
                let span_ns = calibration.parameters.span_ns.value;
                let local_ns = calibration.local_ns * local_calls(layout, component, known);
                let own = factor * count * (known.own.mean_ns + local_ns);
                let blocking = contended * count * known.blocking.mean_ns;
                let database = factor * count * known.statements_ns();
                sum.business += own + blocking;
                sum.database += database;
                let cost = OperationCost {
                    served: count as u64,
                    business_ns: own as u64,
                    blocking_ns: blocking as u64,
                    database_ns: database as u64,
                    published: BTreeMap::new(),
                };
                sum.operations.insert(format!("{component}/{operation}"), cost);
                let calls: f64 = calls_of(known).map(|(_, share)| share).sum();
                sum.telemetry += count * span_ns * (calls + if is_called { 1.0 } else { 0.0 });
            }
            sum.served.insert(component.clone(), [all, wasted].map(|count| part(count as f64) as u64));
            let door = if component == "gateway" { all as f64 } else { 0.0 };
            let caller = format!("{}->", layout.own(component));
            let edges = snapshot.edges.iter().filter(|(name, _)| name.starts_with(&caller));
            let sent: u64 = edges.map(|(_, (counts, _))| counts.tries).sum();
            let sent = if alone.is_some() { 0 } else { sent };
            sum.requests += part(door + sent as f64);
        }
        sum.requests += alone.map_or(0.0, |work| work.tries as f64);
        sum
    }

    /// What each phase cost.
    pub fn add_costs(&self, lines: &mut Vec<Line>) {
        let recorded = self.turn.recorded;
        let end = self.turn.start_ns + self.turn.block.snapshots.len() as u64 * SECOND_NS;
        for arm in &self.arms {
            let layout = arm.0;
            for phase in &recorded.header.phases {
                let (from, to) = (phase.start_ns / SECOND_NS, (phase.start_ns + phase.length_ns) / SECOND_NS);
                let block = self.turn.block;
                let cpu_ns = block.cpu_ns(layout.letter, to) - block.cpu_ns(layout.letter, from);
                let sent = block.requests(layout.letter).flat_map(|(_, requests)| {
                    requests.windows.iter().skip(from as usize).take((to - from) as usize)
                });
                let journeys: u64 = sent.map(|window| window.sent).sum();
                let requests = self.requests(arm, to) - self.requests(arm, from);
                let cost = Cost {
                    arm: layout.letter,
                    round: self.turn.round,
                    phase: phase.name.clone(),
                    journeys,
                    hops: if journeys > 0 { requests / journeys as f64 } else { 0.0 },
                    cpu_total_ns: cpu_ns as u64,
                    cpu_parts_ns: BTreeMap::new(),
                };
                lines.push(Line { t: end, entry: Entry::Cost(Box::new(cost)) });
            }
        }
    }

    /// Requests on the wire so far at the end of a second.
    fn requests(&self, arm: &(&Layout, Vec<Group>), second: u64) -> f64 {
        let last = self.turn.block.snapshots.len().saturating_sub(1);
        let Some(snapshot) = self.turn.block.snapshots.get((second as usize).min(last)) else { return 0.0 };
        arm.1.iter().map(|group| self.accounted(arm, group, snapshot).requests).sum()
    }
}
