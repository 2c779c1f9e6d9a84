//! Faults of connections: a proxy before every copy of the callee, and rules of the kernel before the proxy.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use fault::{ConnectionFault, Fault, Target};
use runtime::Tasks;

use crate::arm::proxy::Proxy;
use crate::process::control::ControlClient;
use crate::process::netns::{self, PacketLossRule};
use crate::steps::context::ActiveStep;
use crate::steps::lease::hold_lease;
use crate::steps::targets;

/// The arm, the edge and the copy a proxy stands before.
type ProxyKey = (char, String, SocketAddr);

/// The proxies of a block, by arm, edge and callee's address: steps on one edge share them.
pub(super) struct Proxies {
    tasks: Tasks,
    open: Mutex<BTreeMap<ProxyKey, Arc<EdgeProxy>>>,
}

/// A proxy before a callee.
struct EdgeProxy {
    /// Where it listens.
    addr: SocketAddr,
    proxy: Proxy,
}

impl Proxies {
    /// No proxies yet; their tasks will belong to `tasks`.
    pub fn new(tasks: Tasks) -> Self {
        Self { tasks, open: Mutex::default() }
    }

    /// The proxy before an address, opened if there is none.
    async fn get(&self, key: &ProxyKey) -> std::io::Result<Arc<EdgeProxy>> {
        if let Some(proxy) = self.open.lock().expect("no panic while held").get(key) {
            return Ok(proxy.clone());
        }
        let (addr, proxy) = Proxy::open(&self.tasks, key.2).await?;
        let proxy = Arc::new(EdgeProxy { addr, proxy });
        self.open.lock().expect("no panic while held").insert(key.clone(), proxy.clone());
        Ok(proxy)
    }

    /// Adds a step's fault to the proxy before an address, with the rule of the kernel that `rule` makes for its port.
    async fn add_fault(
        &self,
        key: ProxyKey,
        step: u32,
        fault: ConnectionFault,
        rule: impl FnOnce(u16) -> Result<Option<PacketLossRule>, std::io::Error>,
    ) -> Result<ProxyFault<'_>, ProxyError> {
        let proxy = self.get(&key).await.map_err(ProxyError::Port)?;
        proxy.proxy.add_fault(step, fault);
        let mut added = ProxyFault { proxies: self, key, edge: proxy, step, rule: None };
        added.rule = rule(added.edge.addr.port()).map_err(ProxyError::Rule)?;
        Ok(added)
    }

    /// Ends a step's fault; a proxy without faults is closed.
    fn remove_fault(&self, key: &ProxyKey, proxy: &Proxy, step: u32) {
        if proxy.remove_fault(step) {
            self.open.lock().expect("no panic while held").remove(key);
        }
    }
}

/// Why a fault is not on a connection.
#[derive(Debug, thiserror::Error)]
enum ProxyError {
    #[error("a proxy has no port to listen on: {0}")]
    Port(std::io::Error),
    #[error("the kernel does not take the rule: {0}")]
    Rule(std::io::Error),
}

/// A step's fault on a proxy, and the kernel's part of it. Both end when it is dropped.
struct ProxyFault<'a> {
    proxies: &'a Proxies,
    key: ProxyKey,
    edge: Arc<EdgeProxy>,
    step: u32,
    rule: Option<PacketLossRule>,
}

impl Drop for ProxyFault<'_> {
    fn drop(&mut self) {
        self.rule = None;
        self.proxies.remove_fault(&self.key, &self.edge.proxy, self.step);
    }
}

/// Why this machine cannot do a fault on connections at all; `None` of other faults.
pub(super) fn missing_means(fault: &Fault) -> Option<&'static str> {
    let effect = fault.connection_fault()?;
    let cannot = matches!(effect, ConnectionFault::Loss(_)) && !netns::is_inside();
    cannot.then_some("this machine gives `cleave` no network in which packets can be dropped")
}

/// Puts proxies on an edge and sends callers through them, until the step ends.
pub(super) async fn apply(
    active: &ActiveStep<'_>,
    control: &ControlClient,
    proxies: &Proxies,
    fault: &Fault,
) {
    let (Some(target), Some(effect)) = (active.step.target, fault.connection_fault()) else { return };
    let mut detours = Detours { active, proxies, target, effect, taken: BTreeMap::new() };
    // A fault on some of the copies would be another fault: those added before end here.
    if let Err(error) = detours.update().await {
        return active.mark_degraded(&error.to_string());
    }
    let current = async || {
        if let Err(error) = detours.update().await {
            active.mark_degraded(&error.to_string());
        }
        detours.addresses()
    };
    hold_lease(active, control, fault, current).await;
    active.count_hits(detours.transfers());
}

/// The proxies before the callees of a step.
struct Detours<'a> {
    active: &'a ActiveStep<'a>,
    proxies: &'a Proxies,
    target: Target,
    effect: ConnectionFault,
    /// By the callee's address, with what each had transferred before the step.
    taken: BTreeMap<SocketAddr, (ProxyFault<'a>, u64)>,
}

impl Detours<'_> {
    /// Opens those of callees that have none yet: copies come and go while the step lasts.
    async fn update(&mut self) -> Result<(), ProxyError> {
        let callees = targets::callee_instances(self.target, &self.active.arm.layout());
        for addr in self.active.instances(&callees).iter().filter_map(|instance| instance.status().listen) {
            if self.taken.contains_key(&addr) {
                continue;
            }
            let key = (self.active.letter(), self.target.to_string(), addr);
            let rule = |port| packet_loss_rule(port, &self.effect);
            let fault =
                self.proxies.add_fault(key, self.active.step.number, self.effect.clone(), rule).await?;
            let before = fault.edge.proxy.transfers();
            self.taken.insert(addr, (fault, before));
        }
        Ok(())
    }

    fn addresses(&self) -> Vec<(SocketAddr, SocketAddr)> {
        self.taken.iter().map(|(addr, (fault, _))| (*addr, fault.edge.addr)).collect()
    }

    /// Bytes, or connections, that went through since the step began.
    fn transfers(&self) -> u64 {
        self.taken.values().map(|(fault, before)| fault.edge.proxy.transfers().saturating_sub(*before)).sum()
    }
}

/// The kernel's part of a fault, where it has one.
fn packet_loss_rule(port: u16, fault: &ConnectionFault) -> std::io::Result<Option<PacketLossRule>> {
    match fault {
        ConnectionFault::Loss(share) => netns::drop_packets(port, *share).map(Some),
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
        one.proxy.add_fault(1, ConnectionFault::Blackhole);
        other.proxy.add_fault(2, ConnectionFault::Blackhole);
        proxies.remove_fault(&key, &one.proxy, 1);
        assert_eq!(proxies.get(&key).await.expect("still open").addr, one.addr);
        proxies.remove_fault(&key, &one.proxy, 2);
        assert!(proxies.open.lock().expect("no panic while held").is_empty());
        let beyond = ('B', key.1.clone(), key.2);
        assert_ne!(proxies.get(&beyond).await.expect("a port").addr, one.addr, "each arm has its own");
        tasks.finish(Duration::from_secs(1)).await;
    }

    #[tokio::test]
    async fn a_rule_that_the_kernel_refuses_leaves_nothing_of_the_copies_before_it() {
        let tasks = Tasks::new();
        let proxies = Proxies::new(tasks.clone());
        let key = |port: u16| ('A', "feed->photo".to_owned(), SocketAddr::from(([127, 0, 0, 1], port)));
        let loss = ConnectionFault::Loss(policy::units::Ratio::new(0.2));
        // What `apply` does for two copies of photo.
        let both = async {
            let first = proxies.add_fault(key(1), 7, loss.clone(), |_| Ok(None)).await?;
            assert_eq!(proxies.open.lock().expect("no panic while held").len(), 1);
            let refused = |_| Err(std::io::Error::other("iptables: it failed"));
            let second = proxies.add_fault(key(2), 7, loss.clone(), refused).await?;
            Ok([first, second])
        };
        let failed: Result<[ProxyFault<'_>; 2], ProxyError> = both.await;
        assert!(matches!(failed, Err(ProxyError::Rule(_))));
        assert!(
            proxies.open.lock().expect("no panic while held").is_empty(),
            "no proxy, and no fault on one"
        );
        tasks.finish(Duration::from_secs(1)).await;
    }
}
