//! Faults of connections: a proxy before every copy of the callee, and rules of the kernel before the proxy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use fault::{Fault, Ill};
use record::EventKind;
use scenario::Step;

use crate::arm::Arm;
use crate::netns::{self, Losing};
use crate::proxy::{Key, Proxy};
use crate::reach;
use crate::timeline::Play;

impl Play<'_> {
    /// Puts proxies on an edge and callers on the detour, until the step ends.
    pub(crate) async fn wire(&self, step: &Step, fault: &Fault, arm: &Arc<Arm>, end: Instant) {
        let (Some(target), Some(ill)) = (step.target, fault.ill()) else { return };
        let letter = arm.plan.letter;
        if matches!(ill, Ill::Loss(_)) && !netns::is_inside() {
            return self.degraded(step, letter, "this machine gives us no network to lose packets in");
        }
        let answering = reach::answering(target, &arm.field());
        let callees = arm.instances().into_iter().filter(|instance| answering.contains(&instance.name));
        let (mut detours, mut used, mut losing) = (Vec::new(), Vec::new(), Vec::new());
        for addr in callees.filter_map(|instance| instance.glance().listen) {
            let key = (letter, target.to_string(), addr);
            let Some(proxy) = self.proxy(step, &key, addr).await else { continue };
            match losing_at(&proxy, ill) {
                Ok(rule) => losing.extend(rule),
                Err(error) => return self.degraded(step, letter, &error.to_string()),
            }
            proxy.afflict(step.number, ill);
            detours.push((addr, proxy.addr));
            used.push((key, proxy));
        }
        let before: u64 = used.iter().map(|(_, proxy)| proxy.passed()).sum();
        self.lease(step, fault, arm, end, detours).await;
        let after: u64 = used.iter().map(|(_, proxy)| proxy.passed()).sum();
        self.hit(step, letter, after.saturating_sub(before));
        drop(losing);
        for (key, proxy) in used {
            if proxy.relieve(step.number) {
                self.proxies.lock().expect("no panic while held").remove(&key);
            }
        }
    }

    /// The proxy of an edge, which steps share.
    async fn proxy(&self, step: &Step, key: &Key, to: SocketAddr) -> Option<Arc<Proxy>> {
        let known = self.proxies.lock().expect("no panic while held").get(key).cloned();
        if known.is_some() {
            return known;
        }
        match Proxy::open(&self.ground.tasks, to).await {
            Ok(proxy) => {
                let proxy = Arc::new(proxy);
                self.proxies.lock().expect("no panic while held").insert(key.clone(), proxy.clone());
                Some(proxy)
            }
            Err(error) => {
                self.lines.event(EventKind::Log, step.number, format!("no proxy before {to}: {error}"));
                None
            }
        }
    }
}

/// The kernel's part of an ill, where it has one.
fn losing_at(proxy: &Proxy, ill: Ill) -> std::io::Result<Option<Losing>> {
    match ill {
        Ill::Loss(share) => netns::lose(proxy.addr.port(), share).map(Some),
        _ => Ok(None),
    }
}
