//! Faults of connections: a proxy before every copy of the callee, and rules of the kernel before the proxy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use fault::{ConnectionFault, Fault};
use record::EventKind;
use scenario::Step;

use crate::arm::Arm;
use crate::process::netns::{self, PacketLossRule};
use crate::steps::proxy::{Proxy, ProxyKey};
use crate::steps::targets;
use crate::steps::timeline::StepContext;

impl StepContext<'_> {
    /// Puts proxies on an edge and callers on the detour, until the step ends.
    pub(crate) async fn apply_connection_fault(
        &self,
        step: &Step,
        fault: &Fault,
        arm: &Arc<Arm>,
        end: Instant,
    ) {
        let (Some(target), Some(connection_fault)) = (step.target, fault.connection_fault()) else { return };
        let letter = arm.plan.letter;
        if matches!(connection_fault, ConnectionFault::Loss(_)) && !netns::is_inside() {
            return self.mark_degraded(step, letter, "this machine gives us no network to lose packets in");
        }
        let callees = targets::callee_instances(target, &arm.layout());
        let instances = arm.instances().into_iter().filter(|instance| callees.contains(&instance.name));
        let (mut detours, mut used, mut rules) = (Vec::new(), Vec::new(), Vec::new());
        for addr in instances.filter_map(|instance| instance.status().listen) {
            let key = (letter, target.to_string(), addr);
            let Some(proxy) = self.proxy(step, &key, addr).await else { continue };
            match packet_loss_rule(&proxy, connection_fault) {
                Ok(rule) => rules.extend(rule),
                Err(error) => return self.mark_degraded(step, letter, &error.to_string()),
            }
            proxy.add_fault(step.number, connection_fault);
            detours.push((addr, proxy.addr));
            used.push((key, proxy));
        }
        let before: u64 = used.iter().map(|(_, proxy)| proxy.transfers()).sum();
        self.hold_lease(step, fault, arm, end, detours).await;
        let after: u64 = used.iter().map(|(_, proxy)| proxy.transfers()).sum();
        self.hit(step, letter, after.saturating_sub(before));
        drop(rules);
        for (key, proxy) in used {
            if proxy.remove_fault(step.number) {
                self.proxies.lock().expect("no panic while held").remove(&key);
            }
        }
    }

    /// The proxy of an edge, which steps share.
    async fn proxy(&self, step: &Step, key: &ProxyKey, to: SocketAddr) -> Option<Arc<Proxy>> {
        let known = self.proxies.lock().expect("no panic while held").get(key).cloned();
        if known.is_some() {
            return known;
        }
        match Proxy::open(&self.environment.tasks, to).await {
            Ok(proxy) => {
                let proxy = Arc::new(proxy);
                self.proxies.lock().expect("no panic while held").insert(key.clone(), proxy.clone());
                Some(proxy)
            }
            Err(error) => {
                self.record.event(EventKind::Log, step.number, format!("no proxy before {to}: {error}"));
                None
            }
        }
    }
}

/// The kernel's part of an ill, where it has one.
fn packet_loss_rule(
    proxy: &Proxy,
    connection_fault: ConnectionFault,
) -> std::io::Result<Option<PacketLossRule>> {
    match connection_fault {
        ConnectionFault::Loss(share) => netns::drop_packets(proxy.addr.port(), share).map(Some),
        _ => Ok(None),
    }
}
