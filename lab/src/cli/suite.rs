//! The command lines of programs that keep running: `cleave up` and `cleave node`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use discovery::Location;

use super::{DEFAULT_OUT, GivenServers};

/// `cleave up`.
#[derive(Args)]
pub struct Up {
    /// `mono`, `mono-x3`, `micro`, `pairs`, or `SCENARIO:ARM`.
    #[arg(value_name = "TOPOLOGY")]
    pub topology: String,
    /// Size of the data set: tiny, small, standard or large.
    #[arg(long, default_value = "small")]
    pub size: String,
    /// Seed of the data.
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Folder for data and logs.
    #[arg(long, default_value = DEFAULT_OUT, env = "CLEAVE_OUT")]
    pub out: PathBuf,
    /// Public address of the gateway; port 0 means any free port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub public: SocketAddr,
    /// Level of telemetry: off, metrics, sampled(0.1) or full.
    #[arg(long, value_name = "LEVEL", default_value = "full")]
    pub telemetry: String,
    /// Do not limit clients by address: for load from one machine. Limits by account and in all stay.
    #[arg(long)]
    pub no_address_limits: bool,
    /// Do not restart a process that has died. Without this flag it is restarted as `restart` of its topology says, or after
    /// 1 s: the delay doubles with every death in succession, up to 30 s or `max_delay` of `restart`, and after the last restart
    /// the suite ends with exit code 1, as it does when all processes are dead at once.
    #[arg(long)]
    pub no_restart: bool,
    /// Servers that are there already.
    #[command(flatten)]
    pub servers: GivenServers,
}

/// `cleave node`.
#[derive(Args)]
pub struct Node {
    /// Configuration file; the node then also ends when its standard input closes.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["hosts", "gateway", "registry_here"])]
    pub config: Option<PathBuf>,
    /// Components to host, separated by commas; `*` means all.
    #[arg(long, value_name = "COMPONENTS", value_delimiter = ',')]
    pub hosts: Vec<String>,
    /// Host the gateway as well.
    #[arg(long)]
    pub gateway: bool,
    /// Host the registry as well.
    #[arg(long)]
    pub registry_here: bool,
    /// Address of the registry, where other processes host the other components.
    #[arg(long, value_name = "ADDRESS")]
    pub registry: Option<Location>,
    /// Internal address: calls between components, outbox, control, metrics.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Public address of the gateway.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub public: SocketAddr,
    /// Folder for databases and photos.
    #[arg(long, value_name = "FOLDER", default_value = "data")]
    pub data: PathBuf,
    /// Secret that signs user tokens; the same for all nodes. As a flag it can be read by every user of the machine.
    #[arg(long, env = "CLEAVE_SECRET", default_value = "", hide = true, hide_env_values = true)]
    pub secret: String,
    /// Admin token, for calls between components, outbox and control; the same for all nodes.
    #[arg(long, env = "CLEAVE_TOKEN", default_value = "", hide = true, hide_env_values = true)]
    pub token: String,
}
