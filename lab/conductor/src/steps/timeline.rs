//! Plays the steps, each in every arm: leases that are renewed while they last, proxies on edges, deeds, actions.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fault::{Actuator, Fault, Lease, Target};
use hyper::Method;
use record::{Entry, Event, EventKind, Verdict};
use scenario::{Action, Scenario, Step};
use scorecard::{Expectation, judge};

use crate::arm::instance::Instance;
use crate::arm::{Arm, RunEnvironment};
use crate::observe::record_writer::RecordWriter;
use crate::process::guardian::Guardian;
use crate::steps::deploy;
use crate::steps::process_faults;
use crate::steps::proxy::Proxies;
use crate::steps::targets::{self, ResolvedTarget};

/// A target forgets a lease this long after the last renewal: whoever renews
/// it is dead then.
const LEASE_TTL: Duration = Duration::from_secs(3);
/// How often leases are renewed: two renewals may get lost.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(1);
/// Time for one control request; a paused node does not answer.
const CONTROL_TIMEOUT: Duration = Duration::from_millis(800);
/// How often the condition of a step is looked at.
const CONDITION_POLL_INTERVAL: Duration = Duration::from_millis(250);

/// What happened to steps, for the verdict.
#[derive(Debug, Default)]
pub struct StepLog {
    /// Calls or deeds by step and arm.
    pub hits: BTreeMap<(u32, char), u64>,
    /// Why nothing was injected any more.
    pub withheld: Vec<String>,
    /// Clean-up that was not confirmed.
    pub not_cleaned_up: Vec<String>,
    /// Steps this machine cannot carry out, with the reason.
    pub degraded: BTreeMap<(u32, char), String>,
    /// Faults in force, by arm and copy.
    active: Vec<(u32, char, String)>,
}

/// Kept over all blocks of a run.
pub type SharedStepLog = Arc<Mutex<StepLog>>;

/// What playing needs.
pub(crate) struct StepContext<'a> {
    pub scenario: &'a Scenario,
    pub arms: &'a [Arc<Arm>],
    pub seed: u64,
    /// The load's start.
    pub t0: Instant,
    pub environment: &'a RunEnvironment,
    pub record: &'a RecordWriter,
    pub log: &'a SharedStepLog,
    pub guardian: &'a Guardian,
    /// Proxies by arm, edge and callee's address: steps on one edge share them.
    pub proxies: Proxies,
}

/// Processes that live while a fault is in force that kills them.
#[derive(Default)]
struct DeathCounter(BTreeMap<String, u32>);

impl DeathCounter {
    /// How many have ended since this was asked last.
    fn ended(&mut self, instances: &[Arc<Instance>]) -> u64 {
        let mut ended = 0;
        for instance in instances {
            let now = instance
                .running()
                .filter(|running| running.exit_status().is_none())
                .map(|running| running.pid);
            let before = match now {
                Some(pid) => self.0.insert(instance.name.clone(), pid),
                None => self.0.remove(&instance.name),
            };
            ended += u64::from(before.is_some() && before != now);
        }
        ended
    }
}

impl StepContext<'_> {
    /// Plays all steps.
    pub async fn run(&self) {
        let steps = self.scenario.steps.iter();
        let playing = steps.flat_map(|step| self.arms.iter().map(move |arm| self.run_step(step, arm)));
        futures_util::future::join_all(playing).await;
    }

    async fn run_step(&self, step: &Step, arm: &Arc<Arm>) {
        let start = self.t0 + Duration::from_nanos(step.start_ns);
        tokio::time::sleep_until(start.into()).await;
        let letter = arm.plan.letter;
        if let (Action::Fault(_), Some(reason)) = (&step.action, self.withheld_reason(step)) {
            let mut log = self.log.lock().expect("no panic while held");
            if !log.withheld.contains(&reason) {
                self.record.event(
                    EventKind::Log,
                    step.number,
                    format!("step {} is withheld: {reason}", step.number),
                );
                log.withheld.push(reason);
            }
            return;
        }
        let names = match targets::resolve(step, &arm.layout(), self.seed) {
            ResolvedTarget::Instances(names) => names,
            ResolvedTarget::Outside => Vec::new(),
            ResolvedTarget::NotApplicable(reason) => {
                self.event(step, Some(true), BTreeMap::from([(letter, format!("n/a ({reason})"))]));
                return;
            }
        };
        let lasts = step.length_ns > 0;
        let target = if names.is_empty() { step.on.clone() } else { names.join(", ") };
        self.event(step, lasts.then_some(true), BTreeMap::from([(letter, target)]));
        if let Some(reason) = self.reserve_budget(step, arm, &names) {
            let mut log = self.log.lock().expect("no panic while held");
            self.record.event(EventKind::Log, step.number, reason.clone());
            log.withheld.push(reason);
            return;
        }
        let end = start + Duration::from_nanos(step.length_ns);
        match &step.action {
            Action::Fault(fault) => {
                match step.target.map_or(fault.actuator(), |t| fault.actuator_on(t.kind())) {
                    _ if step.target == Some(Target::Host) => {
                        self.burn_host_cpu(step, fault, end, letter).await
                    }
                    Actuator::CallPath | Actuator::Process => {
                        self.hold_lease(step, fault, arm, end, Vec::new()).await
                    }
                    Actuator::Proxy => self.apply_connection_fault(step, fault, arm, end).await,
                    Actuator::Conductor => process_faults::apply(self, step, fault, arm, &names, end).await,
                }
            }
            Action::Scale(scale) => deploy::scale(self, step, scale.to, arm, &names).await,
            Action::Deploy(deploy) => deploy::deploy(self, step, deploy, arm, &names).await,
            Action::Drain(_) => deploy::drain(self, step, arm, &names).await,
            Action::Reconfigure(change) => deploy::reconfigure(self, step, change, arm).await,
            Action::Rollback(back) => deploy::roll_back(self, step, &back.of, arm).await,
            // The schedule was drawn with it.
            Action::Load(_) => {
                tokio::time::sleep_until(end.into()).await;
                self.hit(step, letter, 1);
            }
        }
        self.log
            .lock()
            .expect("no panic while held")
            .active
            .retain(|(number, arm, _)| (*number, *arm) != (step.number, letter));
        if lasts {
            self.event(step, Some(false), BTreeMap::from([(letter, "ended".to_owned())]));
        }
    }

    fn event(&self, step: &Step, active: Option<bool>, targets: BTreeMap<char, String>) {
        let what = match &step.action {
            Action::Scale(_) => EventKind::Scale,
            Action::Deploy(_) | Action::Rollback(_) | Action::Reconfigure(_) => EventKind::Deploy,
            _ => EventKind::Fault,
        };
        let ended = if active == Some(false) { " ended" } else { "" };
        let text = format!("{} {}{ended}", step.on, step.action);
        self.record.append(Entry::Event(Event {
            number: step.number,
            what,
            active,
            mark: None,
            targets,
            text,
        }));
    }

    /// Writes where a step of several parts stands in an arm.
    pub(crate) fn mark(&self, step: &Step, letter: char, mark: &str, text: String) {
        let what = if matches!(step.action, Action::Scale(_)) { EventKind::Scale } else { EventKind::Deploy };
        let mark = Some((letter, mark.to_owned()));
        let targets = BTreeMap::new();
        self.record.append(Entry::Event(Event {
            number: step.number,
            what,
            active: None,
            mark,
            targets,
            text,
        }));
    }

    pub(crate) fn hit(&self, step: &Step, letter: char, count: u64) {
        *self.log.lock().expect("no panic while held").hits.entry((step.number, letter)).or_default() +=
            count;
    }

    /// Why nothing is injected: what must hold before the first fault does not. Looked
    /// at once, for all faults.
    fn withheld_reason(&self, step: &Step) -> Option<String> {
        if let Some(reason) = self.log.lock().expect("no panic while held").withheld.first() {
            return Some(reason.clone());
        }
        let faults = self.scenario.steps.iter().filter(|step| step.action.fault().is_some());
        let first = faults.map(|step| step.start_ns).min()?;
        if step.start_ns > first {
            return None;
        }
        let over = |name: &str| {
            let plan = self.scenario.plan();
            plan.iter().any(|phase| phase.name == name && phase.start_ns + phase.length_ns <= first)
        };
        let broken = |that: &Expectation| {
            that.phases().iter().all(|phase| over(phase))
                && !that.phases().is_empty()
                && self.verdicts(that).contains(&Verdict::Fail)
        };
        let assertion = self.scenario.valid.iter().find(|assertion| broken(&assertion.that))?;
        Some(format!("`{}` does not hold before the first fault", assertion.that.text))
    }

    fn verdicts(&self, that: &Expectation) -> Vec<Verdict> {
        let checks = self.record.query(|tally| judge::checks(tally, 0, that)).unwrap_or_default();
        checks.iter().map(|check| check.verdict).collect()
    }

    /// Whether more would be hit at once than the scenario allows.
    fn reserve_budget(&self, step: &Step, arm: &Arm, names: &[String]) -> Option<String> {
        step.action.fault()?;
        let letter = arm.plan.letter;
        let mut log = self.log.lock().expect("no panic while held");
        let budget = self.scenario.budget;
        let mut steps: Vec<u32> =
            log.active.iter().filter(|(_, arm, _)| *arm == letter).map(|(n, ..)| *n).collect();
        steps.dedup();
        if budget.faults.is_some_and(|most| steps.len() as u32 >= most) {
            return Some(format!(
                "step {}: {} faults are in force already, as many as may be",
                step.number,
                steps.len()
            ));
        }
        let mut hit: Vec<&String> =
            log.active.iter().filter(|(_, arm, _)| *arm == letter).map(|(.., name)| name).collect();
        hit.extend(names);
        hit.sort();
        hit.dedup();
        let all = arm.instances().len();
        if let Some(most) = budget.blast
            && hit.len() as f64 > most.get() * all as f64
        {
            let message = format!(
                "step {}: {} of {all} copies would be hit at once, and {most} may be",
                step.number,
                hit.len()
            );
            return Some(message);
        }
        log.active.extend(names.iter().map(|name| (step.number, letter, name.clone())));
        None
    }

    /// Whether a step is to end early in an arm.
    pub(crate) fn has_ended_early(&self, step: &Step, letter: char) -> bool {
        let Some(until) = &step.until else { return false };
        let from = u32::try_from(step.start_ns / 1_000_000_000).unwrap_or(0);
        self.holds(until, letter, from)
    }

    /// Whether a condition holds in an arm over the seconds from `from` until now.
    pub(crate) fn holds(&self, that: &Expectation, letter: char, from: u32) -> bool {
        self.judge(that, letter, from).is_some_and(|(verdict, _)| verdict == Verdict::Pass)
    }

    /// How a condition stands in an arm over the seconds from `from` until now, and
    /// whether its value alone meets it.
    pub(crate) fn judge(&self, that: &Expectation, letter: char, from: u32) -> Option<(Verdict, bool)> {
        let now = runtime::clock::now().saturating_duration_since(self.t0).as_secs();
        let to = u32::try_from(now).unwrap_or(u32::MAX).max(from + 1);
        let that = that.over_seconds(from, to);
        let checks = self.record.query(|tally| judge::checks(tally, 0, &that)).unwrap_or_default();
        let check = checks.into_iter().find(|check| check.arm == letter || check.arm == '-')?;
        let met = check.value.zip(check.limit).is_some_and(|(value, limit)| that.op.holds(value, limit));
        Some((check.verdict, met))
    }

    /// Sleeps until the end, or until the step's condition holds.
    pub(crate) async fn wait_until(&self, step: &Step, letter: char, end: Instant) {
        loop {
            let left = end.saturating_duration_since(runtime::clock::now());
            if left.is_zero() || self.has_ended_early(step, letter) {
                return;
            }
            let pause = if step.until.is_some() { CONDITION_POLL_INTERVAL.min(left) } else { left };
            tokio::time::sleep(pause).await;
        }
    }

    /// Puts the lease, renews it until the step's end, then ends it. Renewal is
    /// sending it again, to whoever is meant by then: a process that restarted or came
    /// meanwhile learns of it so.
    pub async fn hold_lease(
        &self,
        step: &Step,
        fault: &Fault,
        arm: &Arc<Arm>,
        end: Instant,
        detours: Vec<(SocketAddr, SocketAddr)>,
    ) {
        let Some(target) = step.target else { return };
        let letter = arm.plan.letter;
        let began = self.t0 + Duration::from_nanos(step.start_ns);
        let control = &self.environment.control;
        let mut lease = Lease {
            id: step.id.clone(),
            order: step.number,
            fault: fault.clone(),
            target,
            matching: step.matching.clone(),
            copies: Vec::new(),
            detours,
            ramp_ms: step.ramp_ns / 1_000_000,
            seed: self.seed,
        };
        if !fault.lasts() {
            // Done by being heard; it lapses by itself.
            let body = put_body(&lease, LEASE_TTL, Duration::ZERO);
            for addr in addresses(&self.instances_of(step, arm)) {
                let answer = control
                    .request(addr, Method::PUT, "/control/leases", body.clone(), CONTROL_TIMEOUT)
                    .await;
                self.hit(step, letter, u64::from(answer.is_ok_and(|(status, _)| status.is_success())));
            }
            return;
        }
        let mut leased: BTreeMap<SocketAddr, u64> = BTreeMap::new();
        let mut deaths = DeathCounter::default();
        loop {
            if fault.kills_process() {
                self.hit(step, letter, deaths.ended(&self.instances_of(step, arm)));
            }
            let left = end.saturating_duration_since(runtime::clock::now());
            if left.is_zero() || self.has_ended_early(step, letter) {
                break;
            }
            lease.copies = targets::callee_copies(target, &arm.layout());
            // The lease outlives the step by nothing, even if its end gets lost.
            let age = runtime::clock::now().saturating_duration_since(began);
            let body = put_body(&lease, LEASE_TTL.min(left), age);
            let here = addresses(&self.instances_of(step, arm));
            let puts = here.iter().map(|addr| {
                let body = body.clone();
                async move {
                    (
                        *addr,
                        control.request(*addr, Method::PUT, "/control/leases", body, CONTROL_TIMEOUT).await,
                    )
                }
            });
            for (addr, answer) in futures_util::future::join_all(puts).await {
                let seen = leased.entry(addr).or_default();
                match answer {
                    Ok((status, body)) if status.is_success() => {
                        self.hit(step, letter, new_hits(seen, lease_hits(&body, &lease.id)))
                    }
                    Ok((status, body)) => {
                        let body = String::from_utf8_lossy(&body);
                        let text = format!("{addr} refused lease {}: {status} {body}", lease.id);
                        self.record.event(EventKind::Log, step.number, text);
                    }
                    // A dead or paused process takes it at the next renewal.
                    Err(_) => {}
                }
            }
            let pause = RENEWAL_INTERVAL.min(end.saturating_duration_since(runtime::clock::now()));
            self.wait_until(step, letter, runtime::clock::now() + pause).await;
        }
        if fault.kills_process() {
            self.hit(step, letter, deaths.ended(&self.instances_of(step, arm)));
        }
        for (addr, mut seen) in leased {
            let path = format!("/control/leases/{}", lease.id);
            // A target that does not hear it lets the lease lapse.
            let _ = control.request(addr, Method::DELETE, &path, "", CONTROL_TIMEOUT).await;
            let count = self.hits_of(addr, &lease.id).await;
            self.hit(step, letter, new_hits(&mut seen, count));
        }
    }

    fn instances_of(&self, step: &Step, arm: &Arm) -> Vec<Arc<Instance>> {
        let everywhere = step.action.fault().is_some_and(Fault::is_caller_side);
        match targets::resolve(step, &arm.layout(), self.seed) {
            ResolvedTarget::Instances(_) if everywhere => arm.instances(),
            ResolvedTarget::Instances(names) => {
                arm.instances().into_iter().filter(|instance| names.contains(&instance.name)).collect()
            }
            ResolvedTarget::Outside | ResolvedTarget::NotApplicable(_) => Vec::new(),
        }
    }

    async fn hits_of(&self, addr: SocketAddr, id: &str) -> u64 {
        let Ok((_, body)) = self.environment.control.get(addr, "/control/hits", CONTROL_TIMEOUT).await else {
            return 0;
        };
        let Ok(answer) = serde_json::from_slice::<fault::control::HitCounts>(&body) else { return 0 };
        answer.hits.iter().filter(|(lease, _)| lease == id).map(|(_, count)| count).sum()
    }

    /// Notes a step that this machine cannot carry out: the run is inconclusive then.
    pub fn mark_degraded(&self, step: &Step, letter: char, why: &str) {
        let reason = format!("step {}: {why} (see `cleave doctor`)", step.number);
        self.record.event(EventKind::Log, step.number, reason.clone());
        self.log.lock().expect("no panic while held").degraded.insert((step.number, letter), reason);
    }

    /// A process of its own that burns CPU beside everybody.
    async fn burn_host_cpu(&self, step: &Step, fault: &Fault, end: Instant, letter: char) {
        // Arms share the machine: the first one's step burns for all.
        if self.arms.first().is_none_or(|first| first.plan.letter != letter) {
            self.hit(step, letter, 1);
            return;
        }
        let threads = fault.effect_on(Target::Host).burners;
        let spec = crate::arm::children::ChildSpec {
            name: "burner".into(),
            program: self.environment.program.clone(),
            arguments: vec!["burn".into(), threads.to_string().into()],
            environment: Vec::new(),
            log: self.arms[0].plan.folder.join("burner.log"),
        };
        match self.environment.spawner.spawn(spec).await {
            Ok((mut child, _stdout)) => {
                self.hit(step, letter, 1);
                self.wait_until(step, letter, end).await;
                child.close_lifeline();
                // It cannot refuse to end.
                let _ = child.signal(nix::sys::signal::Signal::SIGKILL);
                child.wait().await;
            }
            Err(error) => self.record.event(EventKind::Log, step.number, error.to_string()),
        }
    }
}

/// How many hits are new since they were last seen; a restarted process counts from 0.
fn new_hits(seen: &mut u64, now: u64) -> u64 {
    let before = std::mem::replace(seen, now);
    if now >= before { now - before } else { now }
}

/// Hits of a lease in the list a process answers a renewal with.
fn lease_hits(body: &[u8], id: &str) -> u64 {
    let listed = serde_json::from_slice::<Vec<fault::control::LeaseStatus>>(body).unwrap_or_default();
    listed.iter().filter(|listed| listed.lease.id == id).map(|listed| listed.hits).sum()
}

fn put_body(lease: &Lease, ttl: Duration, age: Duration) -> Vec<u8> {
    let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let put = fault::control::PutLeases {
        leases: vec![lease.clone()],
        ttl_ms: millis(ttl).max(1),
        age_ms: millis(age),
    };
    serde_json::to_vec(&put).expect("a lease is plain data")
}

fn addresses(instances: &[Arc<Instance>]) -> Vec<SocketAddr> {
    instances.iter().filter_map(|instance| instance.status().listen).collect()
}

/// Leases that are still in force in an arm: after a run there are none.
pub(crate) async fn remaining_leases(arm: &Arm, environment: &RunEnvironment) -> Vec<String> {
    let mut left = Vec::new();
    for instance in arm.instances() {
        let Some(addr) = instance.status().listen else { continue };
        let Ok((status, body)) = environment.control.get(addr, "/control/leases", CONTROL_TIMEOUT).await
        else {
            continue;
        };
        let Ok(listed) = serde_json::from_slice::<Vec<fault::control::LeaseStatus>>(&body) else { continue };
        // What a build brings along is not a fault that ends.
        let ending = listed.iter().filter(|listed| !listed.lease.id.starts_with(deploy::BUILD_LEASE_PREFIX));
        left.extend(ending.filter(|_| status.is_success()).map(|listed| {
            format!("{}/{} still has lease {}", arm.plan.name, instance.name, listed.lease.id)
        }));
    }
    left
}
