//! Faults of servers of databases and of events, from outside: each acts on all processes of a server.

use std::sync::Arc;
use std::time::Duration;

use fault::{Fault, ProcessFault};
use runtime::clock;

use crate::arm::environment::RunEnvironment;
use crate::arm::servers::disk::Disk;
use crate::arm::servers::server::Server;
use crate::steps::context::ActiveStep;

/// Time to end in order before a restart.
const RESTART_TIMEOUT: Duration = Duration::from_secs(3);
/// How often space is taken that a server without any has given back: it drops old messages and files of its own.
const FILL_INTERVAL: Duration = Duration::from_millis(100);

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
        ProcessFault::DiskFull => fill_disks(active, &servers).await,
        // Of kinds that do not act on servers.
        ProcessFault::Crashloop(_)
        | ProcessFault::CpuQuota(_)
        | ProcessFault::Memory(_)
        | ProcessFault::OpenFiles(_) => {}
    }
}

/// Leaves servers no space on the disks of their own, until the step ends. A hit is a disk that was filled.
async fn fill_disks(active: &ActiveStep<'_>, servers: &[Arc<Server>]) {
    let own = servers.iter().filter_map(|server| server.disk());
    let disks: Vec<FilledDisk<'_>> = own.map(FilledDisk).collect();
    if disks.len() < servers.len() {
        active.mark_degraded("the broker has no disk of its own that could be filled");
    }
    let mut is_first = true;
    while !disks.is_empty() && clock::now() < active.end() && !active.has_ended_early() {
        for FilledDisk(disk) in &disks {
            match disk.fill().await {
                Ok(had_space) => active.count_hits(u64::from(is_first && had_space)),
                Err(why) => {
                    return active.log(format!("{} the disk could not be filled: {why}", active.letter()));
                }
            }
        }
        is_first = false;
        active.wait_until((clock::now() + FILL_INTERVAL).min(active.end())).await;
    }
}

/// A disk that is being filled. It has its space again when this is dropped: also where the step is cut short.
struct FilledDisk<'a>(&'a Disk);

impl Drop for FilledDisk<'_> {
    fn drop(&mut self) {
        // One that has ended meanwhile has nothing to give back.
        let _ = self.0.empty();
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
