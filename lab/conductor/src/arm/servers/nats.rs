//! The NATS server of an arm, which carries the events between its processes.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use contract::broker::BrokerAddress;
use fault::target::EVENTS;
use record::EventKind;
use storage::nats::{Broker, BrokerOptions, check_version};

use super::ArmServers;
use super::disk::Disk;
use super::server::{Server, ServerProgram};
use crate::arm::arm_plan::{ArmError, ArmPlan};
use crate::arm::environment::RunEnvironment;
use crate::arm::server_error::ServerError;
use crate::arm::server_product::ServerProduct;

/// The program that serves it.
///
/// # Errors
/// That there is none, or it is too old.
pub(super) fn availability() -> Result<String, String> {
    let program = nats_server::program::find().map_err(|why| why.to_string())?;
    // One that does not say shows itself when it is asked.
    if let Some(version) = nats_server::program::version(&program) {
        check_version(&version).map_err(|why| format!("{}: {why}", program.display()))?;
    }
    Ok(program.display().to_string())
}

/// A server with its folder, and its port once it has one.
struct NatsServer {
    server: nats_server::Server,
    /// 0 before the first start: then it takes a free one, and keeps it.
    port: Arc<AtomicU16>,
    /// Where its streams are, if a step fills it.
    disk: Option<Disk>,
}

impl ServerProgram for NatsServer {
    fn product(&self) -> ServerProduct {
        ServerProduct::Nats
    }

    fn prepare(&self) -> Result<(), String> {
        let port = Some(self.port.load(Ordering::Relaxed)).filter(|port| *port != 0);
        self.server.configure(port).map_err(|why| why.to_string())
    }

    fn command(&self) -> Command {
        self.server.command()
    }

    fn is_ready(&self, pid: u32) -> bool {
        let Some(port) = self.server.port(pid) else { return false };
        self.port.store(port, Ordering::Relaxed);
        true
    }

    fn data(&self) -> PathBuf {
        self.disk.as_ref().map_or_else(|| self.server.store(), Disk::path)
    }

    fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }
}

/// The disk that a step will fill; `None` where there is no such step. Where there can be no such disk that is recorded, and
/// the step shows it.
async fn mount_disk(
    environment: &RunEnvironment,
    plan: &ArmPlan,
    name: &str,
    folder: PathBuf,
) -> Option<Disk> {
    if !plan.access.fills_disk {
        return None;
    }
    let (child, log) = (format!("{}/{name}-disk", plan.name), plan.folder.join(format!("{name}-disk.log")));
    let mounted = Disk::mount(environment, child, folder, log).await;
    let failed = |why: &std::io::Error| {
        let text = format!("{} {}: {name} has no disk of its own: {why}", plan.letter, plan.name);
        environment.record.event(EventKind::Log, 0, text);
    };
    mounted.inspect_err(failed).ok()
}

/// Starts the broker of an arm, and asks it whether it has JetStream.
pub(super) async fn start(
    environment: &RunEnvironment,
    plan: &ArmPlan,
    servers: &mut ArmServers,
) -> Result<(), ArmError> {
    let (product, arm) = (ServerProduct::Nats, || plan.name.clone());
    let credentials = plan.config.broker_credentials.clone();
    let server = nats_server::Server::new(plan.folder.join(product.folder_name(0)), &credentials)
        .map_err(|why| ServerError::Unavailable { arm: arm(), product, reason: why.to_string() })?;
    let (port, name) = (Arc::new(AtomicU16::new(0)), product.server_name(0));
    let disk = mount_disk(environment, plan, &name, server.store()).await;
    let program = Box::new(NatsServer { server, port: port.clone(), disk });
    let server = Arc::new(Server::new(plan, name, program, vec![EVENTS.to_string()]));
    servers.servers.push(server.clone());
    server.start(environment).await?;
    let address = BrokerAddress::loopback(port.load(Ordering::Relaxed));
    let options = BrokerOptions { address: address.clone(), credentials, name: plan.config.run_id.clone() };
    // One without JetStream would show itself by events that never come.
    Broker::connect_now(&options, "conductor").await.map_err(|why| ServerError::Refused {
        arm: arm(),
        product,
        source: why.into(),
    })?;
    servers.broker = Some(address);
    Ok(())
}
