//! Faults of connections: a proxy before every copy of the callee, and rules of the kernel before the proxy.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use fault::{ConnectionFault, Fault};
use runtime::Tasks;

use crate::process::control::ControlClient;
use crate::process::netns::{self, PacketLossRule};
use crate::steps::context::ActiveStep;
use crate::steps::lease::hold_lease;
use crate::steps::proxy::Proxy;
use crate::steps::targets;

/// The arm, the edge and the copy a proxy stands before.
type ProxyKey = (char, String, SocketAddr);

/// The proxies of a block, by arm, edge and callee's address: steps on one edge share them.
pub(super) struct Proxies {
    tasks: Tasks,
    open: Mutex<BTreeMap<ProxyKey, Arc<Proxy>>>,
}

impl Proxies {
    /// No proxies yet; their tasks will belong to `tasks`.
    pub fn new(tasks: Tasks) -> Self {
        Self { tasks, open: Mutex::default() }
    }

    /// The proxy before an address, opened if there is none.
    async fn get(&self, key: &ProxyKey) -> std::io::Result<Arc<Proxy>> {
        if let Some(proxy) = self.open.lock().expect("no panic while held").get(key) {
            return Ok(proxy.clone());
        }
        let proxy = Arc::new(Proxy::open(&self.tasks, key.2).await?);
        self.open.lock().expect("no panic while held").insert(key.clone(), proxy.clone());
        Ok(proxy)
    }

    /// Ends a step's fault; a proxy without faults is closed.
    fn remove_fault(&self, key: &ProxyKey, proxy: &Proxy, step: u32) {
        if proxy.remove_fault(step) {
            self.open.lock().expect("no panic while held").remove(key);
        }
    }
}

/// Puts proxies on an edge and sends callers through them, until the step ends.
pub(super) async fn apply(
    active: &ActiveStep<'_>,
    control: &ControlClient,
    proxies: &Proxies,
    fault: &Fault,
) {
    let (Some(target), Some(effect)) = (active.step.target, fault.connection_fault()) else { return };
    if matches!(effect, ConnectionFault::Loss(_)) && !netns::is_inside() {
        return active
            .mark_degraded("this machine gives `cleave` no network in which packets can be dropped");
    }
    let callees = targets::callee_instances(target, &active.arm.layout());
    let (mut detours, mut used, mut rules) = (Vec::new(), Vec::new(), Vec::new());
    for addr in active.instances(&callees).iter().filter_map(|instance| instance.status().listen) {
        let key = (active.letter(), target.to_string(), addr);
        let proxy = match proxies.get(&key).await {
            Ok(proxy) => proxy,
            Err(error) => {
                active.log(format!("no proxy before {addr}: {error}"));
                continue;
            }
        };
        match packet_loss_rule(&proxy, effect) {
            Ok(rule) => rules.extend(rule),
            Err(error) => return active.mark_degraded(&error.to_string()),
        }
        proxy.add_fault(active.step.number, effect);
        detours.push((addr, proxy.addr));
        used.push((key, proxy));
    }
    let transfers = || used.iter().map(|(_, proxy)| proxy.transfers()).sum::<u64>();
    let before = transfers();
    hold_lease(active, control, fault, detours).await;
    active.count_hits(transfers().saturating_sub(before));
    drop(rules);
    for (key, proxy) in &used {
        proxies.remove_fault(key, proxy, active.step.number);
    }
}

/// The kernel's part of a fault, where it has one.
fn packet_loss_rule(proxy: &Proxy, fault: ConnectionFault) -> std::io::Result<Option<PacketLossRule>> {
    match fault {
        ConnectionFault::Loss(share) => netns::drop_packets(proxy.addr.port(), share).map(Some),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn steps_on_one_edge_share_a_proxy_until_the_last_has_ended() {
        let tasks = Tasks::new();
        let proxies = Proxies::new(tasks.clone());
        let callee = tokio::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let key = ('A', "feed->photo".to_owned(), callee.local_addr().expect("bound"));
        let (one, other) =
            (proxies.get(&key).await.expect("a port"), proxies.get(&key).await.expect("the same"));
        assert_eq!(one.addr, other.addr);
        one.add_fault(1, ConnectionFault::Blackhole);
        other.add_fault(2, ConnectionFault::Blackhole);
        proxies.remove_fault(&key, &one, 1);
        assert_eq!(proxies.get(&key).await.expect("still open").addr, one.addr);
        proxies.remove_fault(&key, &one, 2);
        assert!(proxies.open.lock().expect("no panic while held").is_empty());
        let beyond = ('B', key.1.clone(), key.2);
        assert_ne!(proxies.get(&beyond).await.expect("a port").addr, one.addr, "each arm has its own");
        tasks.finish(Duration::from_secs(1)).await;
    }
}
