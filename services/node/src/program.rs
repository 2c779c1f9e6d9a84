//! A node and the process around it: a child of the lab, or a program started by hand.

use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser};
use component::Service;
use contract::ProcessPlan;
use contract::broker::CREDENTIALS_VARIABLE;
use discovery::Location;
use history::History;
use runtime::limits::{self, ResourceLimit};
use telemetry::{LogTarget, Options};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{POSTGRES_PASSWORD_VARIABLE, SECRET_VARIABLE, TOKEN_VARIABLE, TlsFiles};
use crate::{GatewayFactory, Node, NodeConfig, NodeContents, readiness};

/// Something is wrong with the configuration or the machine.
const EXIT_FAILED: u8 = 2;

/// Descriptors that a node has use for: 4,096 connections at its port, 1,024 long answers on their way through it, 64
/// connections to each of a few components, and databases and logs next to them.
const FILES: u64 = 6_144;

/// How a part of the suite that is a program of its own is started. Flags may stand in the
/// environment as well, which is how containers are configured.
#[derive(Parser)]
#[command(version, about = "One part of the photo-sharing suite, by itself.")]
#[command(after_help = "Examples:
  feed --data /var/lib/feed
  feed --registry 127.0.0.1:7000 --listen 127.0.0.1:7100

Secrets, the same for all services, stand in the environment:
  CLEAVE_SECRET  signs users' tokens
  CLEAVE_TOKEN   admin token: calls between components, outbox, fault and control endpoints")]
struct ProgramArgs {
    /// A configuration file; then the program also ends with its standard input.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Port for requests, calls, metrics and control.
    #[arg(long, env = "CLEAVE_LISTEN", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where the registry is, which knows the other services: an address, or a host's name and a port.
    #[arg(long, env = "CLEAVE_REGISTRY")]
    registry: Option<Location>,
    /// Folder of the database and photo bytes.
    #[arg(long, env = "CLEAVE_DATA", default_value = "data")]
    data: PathBuf,
    /// Signs users' tokens; the same for all services. As a flag it can be read by every user of the machine.
    #[arg(long, env = SECRET_VARIABLE, default_value = "", hide = true, hide_env_values = true)]
    secret: String,
    /// Admin token, for calls between components, outbox, fault and control endpoints; the same for all services.
    #[arg(long, env = TOKEN_VARIABLE, default_value = "", hide = true, hide_env_values = true)]
    token: String,
    /// Label of its metrics and traces, to distinguish deployments.
    #[arg(long, env = "CLEAVE_ARM", default_value = "")]
    arm: String,
    /// Start nothing: ask whether the one at `--listen` is ready, and report it by the exit code.
    #[arg(long)]
    check: bool,
}

/// How the public URL is served.
#[derive(Args)]
struct PublicArgs {
    /// Address of the public URL.
    #[arg(long, env = "CLEAVE_PUBLIC", default_value = "127.0.0.1:8080")]
    public: SocketAddr,
    /// File of its certificate and those between it and its authority, PEM: it is served over TLS. Needs a build with `--features tls`.
    #[arg(long, value_name = "FILE", env = "CLEAVE_TLS_CERTIFICATE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// File of the certificate's key, PEM, which only its owner may read (`chmod 600`).
    #[arg(long, value_name = "FILE", env = "CLEAVE_TLS_KEY", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Serve HTTP/2 as well: over TLS to clients that ask for it, without TLS to those that begin with it.
    #[arg(long, env = "CLEAVE_HTTP2")]
    http2: bool,
}

impl PublicArgs {
    /// A configuration that says no more than these flags.
    fn into_defaults(self) -> NodeConfig {
        // One comes with the other.
        let files = self.tls_certificate.zip(self.tls_key);
        let tls = files.map(|(certificate, key)| TlsFiles { certificate, key });
        NodeConfig { public: self.public, public_http2: self.http2, tls, ..NodeConfig::default() }
    }
}

/// How the gateway is started.
#[derive(Parser)]
#[command(version, about = "The gateway of the photo-sharing suite, by itself: its public URL.")]
#[command(after_help = "Examples:
  gateway --registry 127.0.0.1:7000
  gateway --registry registry:7000 --public 0.0.0.0:8443 --tls-certificate site.pem --tls-key site.key --http2

CLEAVE_SECRET and CLEAVE_TOKEN of the environment are those of all services.")]
struct GatewayArgs {
    #[command(flatten)]
    alone: ProgramArgs,
    #[command(flatten)]
    public: PublicArgs,
}

/// How the registry is started.
#[derive(Parser)]
#[command(version, about = "The registry of the photo-sharing suite, by itself: which service is where.")]
#[command(after_help = "Examples:
  registry --listen 127.0.0.1:7000
  registry --listen 0.0.0.0:7100 --log /var/lib/registry/registry.log

CLEAVE_TOKEN of the environment is that of all services.")]
struct RegistryArgs {
    #[command(flatten)]
    alone: ProgramArgs,
    /// File that keeps what is registered: started again, the registry knows it at once. Without it, it begins empty, until
    /// the services register again, within a second or two.
    #[arg(long, env = "CLEAVE_REGISTRY_LOG", value_name = "FILE")]
    log: Option<PathBuf>,
}

/// How the whole application is started as one program.
#[derive(Parser)]
#[command(version, about = "The photo-sharing suite as one program: all services and their public URL.")]
#[command(after_help = "Examples:
  monolith --data /var/lib/suite
  monolith --public 0.0.0.0:8080

CLEAVE_SECRET of the environment signs users' tokens, CLEAVE_TOKEN opens fault and control endpoints.")]
struct MonolithArgs {
    #[command(flatten)]
    alone: ProgramArgs,
    #[command(flatten)]
    public: PublicArgs,
}

/// The whole `main` of a service: reads the command line, runs until asked to leave.
pub fn program(service: &'static Service<History>) -> ExitCode {
    let contents = |_: &ProcessPlan| NodeContents::single(service);
    ProgramArgs::parse().start(ProcessPlan::holding(service.name), contents, NodeConfig::default())
}

/// The whole `main` of a program that holds an application. Without a configuration it is the process `whole`; with one it is
/// the process that this describes. `contents` are those of a process.
pub fn monolith(whole: ProcessPlan, contents: impl FnOnce(&ProcessPlan) -> NodeContents) -> ExitCode {
    let MonolithArgs { alone, public } = MonolithArgs::parse();
    alone.start(whole, contents, public.into_defaults())
}

/// The whole `main` of a registry.
pub fn registry() -> ExitCode {
    let process = ProcessPlan { registry: true, ..ProcessPlan::empty("registry") };
    let RegistryArgs { alone, log } = RegistryArgs::parse();
    let config = NodeConfig { registry_log: log, ..NodeConfig::default() };
    alone.start(process, |_| NodeContents::default(), config)
}

/// The whole `main` of a gateway that leads where `gateway` does.
pub fn gateway(gateway: Box<dyn GatewayFactory>) -> ExitCode {
    let process = ProcessPlan { gateway: true, ..ProcessPlan::empty("gateway") };
    let GatewayArgs { alone, public } = GatewayArgs::parse();
    let contents = NodeContents { gateway: Some(gateway), ..NodeContents::default() };
    alone.start(process, |_| contents, public.into_defaults())
}

impl ProgramArgs {
    /// Runs a process with its contents; `defaults` is what these flags do not set.
    fn start(
        self,
        process: ProcessPlan,
        contents: impl FnOnce(&ProcessPlan) -> NodeContents,
        defaults: NodeConfig,
    ) -> ExitCode {
        if self.check {
            return readiness::probe(self.listen);
        }
        warn_of_secrets(std::env::args_os());
        let lifeline = self.config.is_some();
        match self.into_config(process, defaults) {
            Ok(config) => {
                let contents = contents(&config.process);
                run(config, contents, lifeline)
            }
            Err(text) => {
                eprintln!("{text}");
                ExitCode::from(EXIT_FAILED)
            }
        }
    }

    fn into_config(self, process: ProcessPlan, defaults: NodeConfig) -> Result<NodeConfig, String> {
        if let Some(path) = &self.config {
            return read(path);
        }
        Ok(NodeConfig {
            instance: format!("{}#0", process.name),
            arm: self.arm,
            processes: vec![process.clone()],
            process,
            registry: self.registry,
            listen: self.listen,
            data: self.data,
            secret: self.secret,
            token: self.token,
            ..defaults
        })
    }
}

/// Runs a node until it is asked to leave: by its parent closing its
/// standard input, by a signal, or by the lab. Prints one line of JSON with its
/// ports once it serves.
pub fn run(config: NodeConfig, contents: NodeContents, lifeline: bool) -> ExitCode {
    if lifeline {
        runtime::lifeline::die_with_parent();
    }
    if let Err(error) = apply_limits(&config) {
        return failed(&error);
    }
    let built = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.workers.max(1))
        // Threads that come and go take their CPU figures with them.
        .thread_keep_alive(std::time::Duration::from_secs(3_600))
        .enable_all()
        .build();
    match built {
        Ok(runtime) => runtime.block_on(serve(config, contents, lifeline)),
        Err(error) => failed(&error),
    }
}

/// Keeps to what the topology gives it, before any thread starts.
fn apply_limits(config: &NodeConfig) -> std::io::Result<()> {
    if !config.cores.is_empty() {
        limits::set_affinity(&config.cores)?;
    }
    if let Some(nice) = config.limits.nice {
        limits::set_nice(nice)?;
    }
    if let Some(memory) = config.limits.memory {
        limits::set(0, ResourceLimit::Data, Some(memory.get()))?;
    }
    // A shell gives 1,024 descriptors, which is less than the connections that a node's ports accept.
    limits::set(0, ResourceLimit::Files, config.limits.fds)?;
    Ok(())
}

/// Secrets that stand in a command line, where every user of the machine can read them.
fn secrets_in(arguments: impl IntoIterator<Item = OsString>) -> Vec<&'static str> {
    let flags = [("--secret", SECRET_VARIABLE), ("--token", TOKEN_VARIABLE)];
    let arguments: Vec<String> =
        arguments.into_iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let is_given = |flag: &str| {
        arguments.iter().any(|argument| {
            argument.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    };
    flags.into_iter().filter(|(flag, _)| is_given(flag)).map(|(_, variable)| variable).collect()
}

/// Warns of secrets in the command line of this process.
pub fn warn_of_secrets(arguments: impl IntoIterator<Item = OsString>) {
    for variable in secrets_in(arguments) {
        eprintln!(
            "a secret in a command line can be read by every user of this machine; set {variable} in its place"
        );
    }
}

/// What is wrong with the number of descriptors that a node may have, unless its topology says so.
fn files_shortage(declared: Option<u64>, hard: Option<u64>) -> Option<String> {
    let hard = hard.filter(|hard| declared.is_none() && *hard < FILES)?;
    Some(format!(
        "this process may open {hard} files, and its ports and pools take up to {FILES}: under load, connections will be refused; \
         raise the hard limit, e.g. with `ulimit -Hn {FILES}`"
    ))
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("{error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
    ExitCode::from(EXIT_FAILED)
}

async fn serve(config: NodeConfig, contents: NodeContents, lifeline: bool) -> ExitCode {
    let labels = config.labels();
    let otlp_endpoint =
        match config.otlp.clone().map_or_else(telemetry::otlp_endpoint_from_env, |url| Ok(Some(url))) {
            Ok(endpoint) => endpoint,
            Err(error) => return failed(&error),
        };
    let options = Options { level: config.telemetry, labels, otlp_endpoint, log: LogTarget::Stderr };
    let telemetry = match telemetry::install(options) {
        Ok(telemetry) => Arc::new(telemetry),
        Err(error) => return failed(&error),
    };
    if let Some(shortage) = files_shortage(config.limits.fds, limits::hard(ResourceLimit::Files)) {
        tracing::warn!("{shortage}");
    }
    let node = match Node::start(config, contents, telemetry).await {
        Ok(node) => node,
        Err(error) => return failed(&error),
    };
    let addresses = serde_json::json!({ "listen": node.listen(), "public": node.public() });
    // A node serves on when the reader of its first line has gone.
    let _ = writeln!(std::io::stdout().lock(), "{addresses}");
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        eprintln!("signals cannot be handled");
        return ExitCode::from(EXIT_FAILED);
    };
    let parent = async {
        if lifeline {
            runtime::blocking(runtime::lifeline::wait_for_end).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = parent => {
            // The parent is gone: there is no one to drain for.
            return ExitCode::SUCCESS;
        }
        () = node.shutdown_requested() => {}
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    node.shut_down().await;
    // The thread that waits for standard input cannot be woken; leaving ends it.
    std::process::exit(0)
}

/// A configuration from a file; secrets that it leaves out are those of the environment.
///
/// # Errors
/// A sentence with the file and what is wrong in it.
pub fn read(path: &std::path::Path) -> Result<NodeConfig, String> {
    let text = std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let mut config: NodeConfig = serde_json::from_slice(&text)
        .map_err(|error| format!("invalid node configuration {}: {error}", path.display()))?;
    for (field, variable) in [
        (&mut config.secret, SECRET_VARIABLE),
        (&mut config.token, TOKEN_VARIABLE),
        (&mut config.postgres_password, POSTGRES_PASSWORD_VARIABLE),
        (&mut config.broker_credentials, CREDENTIALS_VARIABLE),
    ] {
        if field.is_empty() {
            *field = std::env::var(variable).unwrap_or_default();
        }
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_as_many_files_as_it_may() {
        let hard = limits::hard(ResourceLimit::Files);
        limits::set(0, ResourceLimit::Files, hard.map(|hard| hard - 1).or(Some(1 << 20))).expect("our own");
        apply_limits(&NodeConfig::default()).expect("our own");
        assert!(limits::is_lifted(0, ResourceLimit::Files).expect("our own"));
    }

    #[test]
    fn secrets_in_a_command_line_are_noticed() {
        let found = |line: &str| secrets_in(line.split(' ').map(OsString::from));
        assert_eq!(found("feed --registry a:1 --secret x"), [SECRET_VARIABLE]);
        assert_eq!(found("feed --token=x --secret=y"), [SECRET_VARIABLE, TOKEN_VARIABLE]);
        assert_eq!(found("feed --secrets x --data --"), [""; 0]);
    }

    #[test]
    fn a_lack_of_files_is_reported_unless_it_is_declared() {
        assert!(files_shortage(None, Some(1_024)).is_some_and(|text| text.contains("may open 1024 files")));
        assert_eq!(files_shortage(Some(64), Some(1_024)), None);
        assert_eq!(files_shortage(None, Some(1 << 20)), None);
        assert_eq!(files_shortage(None, None), None);
    }
}
