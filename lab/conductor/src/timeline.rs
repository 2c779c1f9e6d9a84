//! Plays the steps: leases that are renewed while they last, signals for what only the kernel can do.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fault::{Carried, Fault, Lease, Target};
use hyper::Method;
use record::{Entry, Event, EventKind};
use scenario::Step;

use crate::arm::Arm;
use crate::http::Asker;
use crate::instance::Instance;
use crate::lines::Lines;

/// A target forgets a lease this long after the last renewal: whoever renews
/// it is dead then.
const TTL: Duration = Duration::from_secs(3);
/// How often leases are renewed: two renewals may get lost.
const RENEW: Duration = Duration::from_secs(1);
/// Time for one control request; a paused node does not answer.
const CONTROL: Duration = Duration::from_millis(800);

/// Where a step acts in an arm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// These instances.
    Instances(Vec<String>),
    /// Nowhere, for this reason.
    NotApplicable(String),
}

/// Where a step acts in an arm of these instances and edges.
pub fn reach<'a>(
    step: &Step,
    instances: impl Iterator<Item = (&'a str, Vec<String>)>,
    local_edges: &[String],
) -> Reach {
    let instances: Vec<(&str, Vec<String>)> = instances.collect();
    let holding = |component: &str| -> Vec<String> {
        let found = instances
            .iter()
            .filter(|(_, hosts)| component == "*" || hosts.iter().any(|host| host == component));
        found.map(|(name, _)| (*name).to_owned()).collect()
    };
    let found = match step.target {
        Target::Component(component) => holding(component.as_str()),
        Target::Instance { name, index } => {
            let by_process = format!("{name}#{index}");
            if instances.iter().any(|(instance, _)| *instance == by_process) {
                vec![by_process]
            } else {
                holding(name.as_str()).into_iter().skip(index as usize).take(1).collect()
            }
        }
        Target::Edge { caller, callee } => {
            let (from, to) = (pattern(caller), pattern(callee));
            if from != "*" && to != "*" && local_edges.contains(&format!("{from}->{to}")) {
                return Reach::NotApplicable(format!("{from}->{to} is a function call here"));
            }
            let only_local = from == "*"
                && to != "*"
                && holding(to).iter().all(|name| instances.len() == 1 && instances[0].0 == name);
            if only_local {
                return Reach::NotApplicable(format!("every call to {to} is a function call here"));
            }
            holding(from)
        }
    };
    if found.is_empty() {
        return Reach::NotApplicable(format!("nothing here is called `{}`", step.on));
    }
    Reach::Instances(found)
}

fn pattern(pattern: fault::Pattern) -> &'static str {
    pattern.name().map_or("*", contract::ComponentName::as_str)
}

/// Components a step hits, for blast radius.
pub fn hits(step: &Step) -> Vec<String> {
    match step.target {
        Target::Component(name) | Target::Instance { name, .. } => vec![name.to_string()],
        Target::Edge { callee, .. } => callee.name().map(|name| name.to_string()).into_iter().collect(),
    }
}

/// Calls hit, by step and arm: `None` where a step is carried out by signals,
/// which hit by being sent.
pub type Hits = Arc<Mutex<BTreeMap<(u32, char), u64>>>;

/// Plays all steps on some arms, from the load's start at `t0`.
pub async fn play(
    steps: &[Step],
    arms: &[Arc<Arm>],
    seed: u64,
    t0: Instant,
    asker: &Asker,
    lines: &Lines,
    hits: &Hits,
) {
    let playing = steps.iter().map(|step| play_one(step, arms, seed, t0, asker, lines, hits));
    futures_util::future::join_all(playing).await;
}

async fn play_one(
    step: &Step,
    arms: &[Arc<Arm>],
    seed: u64,
    t0: Instant,
    asker: &Asker,
    lines: &Lines,
    hits: &Hits,
) {
    let start = t0 + Duration::from_nanos(step.start_ns);
    tokio::time::sleep_until(start.into()).await;
    let mut targets = BTreeMap::new();
    let mut hit: Vec<(char, Vec<Arc<Instance>>)> = Vec::new();
    for arm in arms {
        let (local_edges, _) = suite::catalogue::edges(&arm.plan.processes);
        let instances = arm.instances.iter().map(|instance| (instance.name.as_str(), instance.hosts()));
        match reach(step, instances, &local_edges) {
            Reach::Instances(names) => {
                targets.insert(arm.plan.letter, names.join(", "));
                let chosen = arm.instances.iter().filter(|instance| names.contains(&instance.name));
                hit.push((arm.plan.letter, chosen.cloned().collect()));
            }
            Reach::NotApplicable(reason) => {
                targets.insert(arm.plan.letter, format!("n/a ({reason})"));
            }
        }
    }
    let lasts = step.length_ns > 0;
    let event = |active: Option<bool>, text: String, targets: BTreeMap<char, String>| {
        lines.say(Entry::Event(Event { number: step.number, what: EventKind::Fault, active, targets, text }));
    };
    event(lasts.then_some(true), format!("{} {}", step.on, step.fault), targets);
    match step.fault.carried() {
        Carried::Inside => lease(step, &hit, seed, start, asker, lines, hits).await,
        Carried::Conductor => signals(step, &hit, start, lines, hits).await,
    }
    if lasts {
        event(Some(false), format!("{} {} ended", step.on, step.fault), BTreeMap::new());
    }
}

/// Puts the lease, renews it until the step's end, then ends it. Renewal is
/// sending it again: a process that restarted meanwhile learns of it so.
async fn lease(
    step: &Step,
    hit: &[(char, Vec<Arc<Instance>>)],
    seed: u64,
    start: Instant,
    asker: &Asker,
    lines: &Lines,
    hits: &Hits,
) {
    let lease = Lease {
        id: step.id.clone(),
        order: step.number,
        fault: step.fault.clone(),
        target: step.target,
        matching: step.matching.clone(),
        seed,
    };
    let end = start + Duration::from_nanos(step.length_ns);
    loop {
        let left = end.saturating_duration_since(runtime::clock::now());
        if left.is_zero() {
            break;
        }
        // The lease outlives the step by nothing, even if its end gets lost.
        let ttl_ms = u64::try_from(TTL.min(left).as_millis()).unwrap_or(u64::MAX).max(1);
        let body = serde_json::to_vec(&fault::control::Put { leases: vec![lease.clone()], ttl_ms })
            .expect("a lease is plain data");
        let puts = addresses(hit).into_iter().map(|(_, addr)| {
            let body = body.clone();
            async move {
                asker
                    .ask(addr, Method::PUT, "/control/leases", body, CONTROL)
                    .await
                    .map(|answer| (addr, answer))
            }
        });
        for answer in futures_util::future::join_all(puts).await {
            match answer {
                Ok((_, (status, _))) if status.is_success() => {}
                Ok((addr, (status, body))) => {
                    let text = format!(
                        "{addr} refused lease {}: {status} {}",
                        lease.id,
                        String::from_utf8_lossy(&body)
                    );
                    lines.event(EventKind::Log, step.number, text);
                }
                // A dead or paused process takes it at the next renewal.
                Err(_) => {}
            }
        }
        tokio::time::sleep(RENEW.min(end.saturating_duration_since(runtime::clock::now()))).await;
    }
    for (letter, addr) in addresses(hit) {
        let path = format!("/control/leases/{}", lease.id);
        // A target that does not hear it lets the lease lapse.
        let _ = asker.ask(addr, Method::DELETE, &path, "", CONTROL).await;
        let count = hits_of(asker, addr, &lease.id).await;
        *hits.lock().expect("no panic while held").entry((step.number, letter)).or_default() += count;
    }
}

async fn hits_of(asker: &Asker, addr: SocketAddr, id: &str) -> u64 {
    let Ok((_, body)) = asker.get(addr, "/control/hits", CONTROL).await else { return 0 };
    let Ok(answer) = serde_json::from_slice::<fault::control::Hits>(&body) else { return 0 };
    answer.hits.iter().filter(|(lease, _)| lease == id).map(|(_, count)| count).sum()
}

fn addresses(hit: &[(char, Vec<Arc<Instance>>)]) -> Vec<(char, SocketAddr)> {
    hit.iter()
        .flat_map(|(letter, instances)| {
            instances.iter().filter_map(|i| i.glance().listen.map(|addr| (*letter, addr)))
        })
        .collect()
}

async fn signals(
    step: &Step,
    hit: &[(char, Vec<Arc<Instance>>)],
    start: Instant,
    lines: &Lines,
    hits: &Hits,
) {
    let each = |act: fn(&Instance) -> std::io::Result<()>, what: &str| {
        for (letter, instances) in hit {
            for instance in instances {
                match act(instance) {
                    Ok(()) => {
                        *hits
                            .lock()
                            .expect("no panic while held")
                            .entry((step.number, *letter))
                            .or_default() += 1;
                    }
                    Err(error) => {
                        let text = format!("{letter} {} could not be {what}: {error}", instance.name);
                        lines.event(EventKind::Log, step.number, text);
                    }
                }
            }
        }
    };
    match &step.fault {
        Fault::Kill(_) => each(Instance::kill, "killed"),
        Fault::Pause(_) => {
            each(Instance::pause, "paused");
            let end = start + Duration::from_nanos(step.length_ns);
            tokio::time::sleep_until(end.into()).await;
            each(Instance::resume, "resumed");
        }
        // Whoever adds a kind for the conductor to carry out adds its arm here.
        Fault::Delay(_) | Fault::Abort(_) | Fault::Hang(_) | Fault::Slow(_) => {}
    }
}
