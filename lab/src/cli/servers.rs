//! Options that name servers which are there already.

use clap::Args;

/// Servers to use in place of those that a run starts.
#[derive(Args, Clone, Default)]
pub struct GivenServers {
    /// Make the databases of the arms on this PostgreSQL server, and drop them at the end, such as
    /// postgresql://ada@localhost:5432/postgres. A URL with a password goes into the environment only.
    #[arg(long, value_name = "URL", env = "CLEAVE_POSTGRES_URL", hide_env_values = true)]
    pub postgres: Option<String>,
    /// Carry the events of arms with a broker through this NATS server, such as nats://localhost:4222; what opens it goes into
    /// CLEAVE_NATS_CREDENTIALS.
    #[arg(long, value_name = "URL", env = "CLEAVE_NATS_URL", hide_env_values = true)]
    pub nats: Option<String>,
}
