//! Faults inside nodes: a lease that is renewed while the step lasts, and that its target expires by itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fault::control::HitCounts;
use fault::{DelayCounts, Fault, Lease};
use hyper::Method;
use runtime::clock;

use crate::arm::Arm;
use crate::arm::instance::Instance;
use crate::process::control::ControlClient;
use crate::steps::builds::BUILD_LEASE_PREFIX;
use crate::steps::context::ActiveStep;
use crate::steps::targets::{self, ResolvedTarget};

/// A target drops a lease this long after its last renewal: the conductor is dead then.
const LEASE_TTL: Duration = Duration::from_secs(3);
/// How often leases are renewed: two renewals may get lost.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(1);
/// Time for one control request; a paused node does not answer.
const CONTROL_TIMEOUT: Duration = Duration::from_millis(800);

/// Counts processes that end while a fault is in force that kills them.
#[derive(Default)]
struct DeathCounter(BTreeMap<String, u32>);

impl DeathCounter {
    /// How many processes have ended since the last call. Each instance comes with the id of its process, where one
    /// runs.
    fn ended(&mut self, instances: impl IntoIterator<Item = (String, Option<u32>)>) -> u64 {
        let mut ended = 0;
        for (name, now) in instances {
            let before = match now {
                Some(pid) => self.0.insert(name, pid),
                None => self.0.remove(&name),
            };
            ended += u64::from(before.is_some() && before != now);
        }
        ended
    }
}

/// Puts the lease, renews it until the step's end, then ends it. A renewal sends it again, to the instances that are
/// targets by then: a process that has restarted or was added meanwhile gets it so. `detours` are the addresses that
/// callers connect to instead of a callee's, asked for each time.
pub(super) async fn hold_lease(
    active: &ActiveStep<'_>,
    control: &ControlClient,
    fault: &Fault,
    mut detours: impl AsyncFnMut() -> Vec<(SocketAddr, SocketAddr)>,
) {
    let Some(target) = active.step.target else { return };
    let end = active.end();
    let mut lease = Lease {
        id: active.step.id.clone(),
        order: active.step.number,
        fault: fault.clone(),
        target,
        matching: active.step.matching.clone(),
        copies: Vec::new(),
        detours: Vec::new(),
        ramp_ms: active.step.ramp_ns / 1_000_000,
        seed: active.context.seed,
    };
    if !fault.lasts() {
        // One request is the whole effect; the lease lapses by itself.
        let body = put_body(&lease, LEASE_TTL, Duration::ZERO);
        for addr in addresses(&targeted(active)) {
            let answer =
                control.request(addr, Method::PUT, "/control/leases", body.clone(), CONTROL_TIMEOUT).await;
            active.count_hits(u64::from(answer.is_ok_and(|(status, _)| status.is_success())));
        }
        return;
    }
    let mut leased: BTreeMap<SocketAddr, u64> = BTreeMap::new();
    let mut deaths = DeathCounter::default();
    loop {
        if fault.kills_process() {
            active.count_hits(deaths.ended(processes(&targeted(active))));
        }
        let left = end.saturating_duration_since(clock::now());
        if left.is_zero() || active.has_ended_early() {
            break;
        }
        lease.copies = targets::callee_copies(target, &active.arm.layout());
        lease.detours = detours().await;
        // The lease does not outlast the step, even if the request that ends it gets lost.
        let age = clock::now().saturating_duration_since(active.start());
        let body = put_body(&lease, LEASE_TTL.min(left), age);
        renew(active, control, &lease.id, &body, &mut leased).await;
        let pause = RENEWAL_INTERVAL.min(end.saturating_duration_since(clock::now()));
        active.wait_until(clock::now() + pause).await;
    }
    if fault.kills_process() {
        active.count_hits(deaths.ended(processes(&targeted(active))));
    }
    for (addr, mut seen) in leased {
        let path = format!("/control/leases/{}", lease.id);
        // A target that does not get this request lets the lease lapse.
        let _ = control.request(addr, Method::DELETE, &path, "", CONTROL_TIMEOUT).await;
        let counts = counts_of(control, addr).await;
        active.count_hits(new_hits(&mut seen, sum_of(&counts.hits, &lease.id)));
    }
}

/// Sends the lease to every target and counts the hits that each reports since it was last asked.
async fn renew(
    active: &ActiveStep<'_>,
    control: &ControlClient,
    lease: &str,
    body: &[u8],
    leased: &mut BTreeMap<SocketAddr, u64>,
) {
    let puts =
        addresses(&targeted(active)).into_iter().map(|addr| {
            let body = body.to_vec();
            async move {
                (addr, control.request(addr, Method::PUT, "/control/leases", body, CONTROL_TIMEOUT).await)
            }
        });
    for (addr, answer) in futures_util::future::join_all(puts).await {
        let seen = leased.entry(addr).or_default();
        match answer {
            Ok((status, body)) if status.is_success() => {
                active.count_hits(new_hits(seen, lease_hits(&body, lease)));
            }
            Ok((status, body)) => {
                let body = String::from_utf8_lossy(&body);
                active.log(format!("{addr} refused lease {lease}: {status} {body}"));
            }
            // A dead or paused process gets it at the next renewal.
            Err(_) => {}
        }
    }
}

/// The instances that get the lease: those the step reaches, or all where callers apply the fault.
fn targeted(active: &ActiveStep<'_>) -> Vec<Arc<Instance>> {
    let everywhere = active.step.action.fault().is_some_and(Fault::is_caller_side);
    match targets::resolve(active.step, &active.arm.layout(), active.context.seed) {
        ResolvedTarget::Instances(_) if everywhere => active.arm.instances(),
        ResolvedTarget::Instances(names) => active.instances(&names),
        ResolvedTarget::Outside | ResolvedTarget::NotApplicable(_) => Vec::new(),
    }
}

/// What a process has counted; nothing where it has gone.
async fn counts_of(control: &ControlClient, addr: SocketAddr) -> HitCounts {
    let Ok((_, body)) = control.get(addr, "/control/hits", CONTROL_TIMEOUT).await else {
        return HitCounts::default();
    };
    serde_json::from_slice(&body).unwrap_or_default()
}

fn sum_of(hits: &[(String, u64)], id: &str) -> u64 {
    hits.iter().filter(|(lease, _)| lease == id).map(|(_, count)| count).sum()
}

/// Delays that the processes of an arm have counted.
#[derive(Debug, Default)]
pub(crate) struct CountedDelays {
    /// By the id of the lease, which is its step's.
    pub of_leases: BTreeMap<String, DelayCounts>,
    /// Of the declared network.
    pub of_network: DelayCounts,
}

impl CountedDelays {
    fn add(&mut self, process: &HitCounts) {
        for (lease, delays) in &process.delays {
            self.of_leases.entry(lease.clone()).or_default().merge(delays);
        }
        self.of_network.merge(&process.network);
    }
}

/// The delays of an arm since its processes started: a process that was restarted has forgotten what it counted before.
pub(crate) async fn delays_of(arm: &Arm, control: &ControlClient) -> CountedDelays {
    let mut counted = CountedDelays::default();
    for addr in addresses(&arm.instances()) {
        counted.add(&counts_of(control, addr).await);
    }
    counted
}

/// How many hits are new since the last answer; a restarted process counts from 0.
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
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
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

fn processes(instances: &[Arc<Instance>]) -> Vec<(String, Option<u32>)> {
    instances.iter().map(|instance| (instance.name.clone(), instance.running_pid())).collect()
}

/// Leases that are still in force in an arm: after a run there are none.
pub(crate) async fn remaining_leases(arm: &Arm, control: &ControlClient) -> Vec<String> {
    let mut left = Vec::new();
    for instance in arm.instances() {
        let Some(addr) = instance.status().listen else { continue };
        let Ok((status, body)) = control.get(addr, "/control/leases", CONTROL_TIMEOUT).await else {
            continue;
        };
        let Ok(listed) = serde_json::from_slice::<Vec<fault::control::LeaseStatus>>(&body) else { continue };
        // The defect of a build is not a fault that ends.
        let ending = listed.iter().filter(|listed| !listed.lease.id.starts_with(BUILD_LEASE_PREFIX));
        left.extend(ending.filter(|_| status.is_success()).map(|listed| {
            format!("{}/{} still has lease {}", arm.plan.name, instance.name, listed.lease.id)
        }));
    }
    left
}

/// Two renewals may get lost before a lease lapses.
const _: () = assert!(RENEWAL_INTERVAL.as_millis() * 2 < LEASE_TTL.as_millis());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restarted_process_counts_its_hits_from_zero() {
        let mut seen = 0;
        let counts: Vec<u64> = [3, 10, 4, 4].into_iter().map(|now| new_hits(&mut seen, now)).collect();
        assert_eq!(counts, [3, 7, 4, 0], "after ten hits the process restarted and has had four");
    }

    #[test]
    fn a_process_that_ended_is_counted_once_whether_it_came_back_or_not() {
        let mut deaths = DeathCounter::default();
        let mut ended = |pids: [Option<u32>; 2]| {
            deaths.ended(["feed#0", "feed#1"].map(str::to_owned).into_iter().zip(pids))
        };
        assert_eq!(ended([Some(1), Some(2)]), 0);
        assert_eq!(ended([Some(3), None]), 2, "one came back, one did not");
        assert_eq!(ended([Some(3), Some(4)]), 0, "it was counted when it ended");
    }

    #[test]
    fn delays_of_processes_add_up_by_lease() {
        let us = Duration::from_micros;
        let process = |late| {
            let mut delays = DelayCounts::default();
            delays.add(us(300), us(late));
            HitCounts {
                delays: vec![("slow".into(), delays.clone())],
                network: delays,
                ..HitCounts::default()
            }
        };
        let mut counted = CountedDelays::default();
        [20, 40].into_iter().for_each(|late| counted.add(&process(late)));
        assert_eq!((counted.of_leases["slow"].count(), counted.of_network.count()), (2, 2));
        assert_eq!(counted.of_leases["slow"].late_us_p50(), Some(20), "the lower of two");
    }

    #[test]
    fn hits_are_those_of_the_lease_asked_for() {
        assert_eq!(lease_hits(b"[]", "a"), 0);
        assert_eq!(lease_hits(b"no list", "a"), 0);
    }
}
