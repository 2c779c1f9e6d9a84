//! Faults of servers of databases and of events, from outside: each acts on all processes of a server.

use std::sync::Arc;
use std::time::Duration;

use fault::{Fault, ProcessFault};

use crate::arm::environment::RunEnvironment;
use crate::arm::servers::server::Server;
use crate::steps::context::ActiveStep;

/// Time to end in order before a restart.
const RESTART_TIMEOUT: Duration = Duration::from_secs(3);

/// Applies a fault to the servers of these names, and undoes it when the step ends.
pub(super) async fn apply(
    active: &ActiveStep<'_>,
    environment: &RunEnvironment,
    fault: &Fault,
    names: &[String],
) {
    let Some(fault) = fault.process_fault() else { return };
    let servers = active.arm.servers().named(names);
    match fault {
        ProcessFault::Kill(restart_after) => {
            for server in &servers {
                // Else it comes back where its arm's processes do.
                let restart = restart_after.map(|delay| delay.duration());
                count(active, server, server.kill(restart));
            }
        }
        ProcessFault::Stop(within) => {
            for server in &servers {
                count(active, server, server.stop(environment, within.duration()).await);
            }
        }
        ProcessFault::Restart => {
            for server in &servers {
                let has_run = server.stop(environment, RESTART_TIMEOUT).await;
                match server.start(environment).await {
                    Ok(()) => count(active, server, has_run),
                    Err(error) => active.log(error.to_string()),
                }
            }
        }
        ProcessFault::Pause => {
            for server in &servers {
                count(active, server, server.pause(&environment.guardian));
            }
            active.wait().await;
            for server in &servers {
                server.resume(&environment.guardian);
            }
        }
        // Of kinds that do not act on servers.
        ProcessFault::Crashloop(_)
        | ProcessFault::CpuQuota(_)
        | ProcessFault::Memory(_)
        | ProcessFault::OpenFiles(_) => {}
    }
}

/// Counts a hit on a server that ran; of another it is logged that there was nothing to act on.
fn count(active: &ActiveStep<'_>, server: &Arc<Server>, has_run: bool) {
    if has_run {
        active.count_hits(1);
    } else {
        active.log(format!("{} {} has ended already", active.letter(), server.name));
    }
}
