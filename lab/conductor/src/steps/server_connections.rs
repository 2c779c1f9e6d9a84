//! Faults of connections to servers: the proxies before them are there from the arm's start on.

use std::sync::Arc;

use fault::{Fault, Target};

use crate::arm::servers::proxies::ServerProxy;
use crate::steps::context::ActiveStep;

/// Puts a fault on the connections of a component to a server, until the step ends. Hits are the connections, and the pieces of
/// what they carried or were to carry, meanwhile.
pub(super) async fn apply(active: &ActiveStep<'_>, fault: &Fault) {
    let (Some(Target::Connection { caller, server }), Some(effect)) =
        (active.step.target, fault.connection_fault())
    else {
        return;
    };
    let faulted: Vec<FaultedProxy> = active
        .arm
        .servers()
        .proxies(caller, server)
        .map(|proxy| {
            let before = proxy.transfers();
            proxy.add_fault(active.step.number, effect.clone());
            FaultedProxy { proxy, step: active.step.number, before }
        })
        .collect();
    active.wait().await;
    let transfers = |faulted: &FaultedProxy| faulted.proxy.transfers().saturating_sub(faulted.before);
    active.count_hits(faulted.iter().map(transfers).sum());
}

/// A fault on a proxy. It ends when this is dropped: also where the step is cut short.
struct FaultedProxy {
    proxy: Arc<ServerProxy>,
    step: u32,
    /// What had gone through before.
    before: u64,
}

impl Drop for FaultedProxy {
    fn drop(&mut self) {
        self.proxy.remove_fault(self.step);
    }
}
