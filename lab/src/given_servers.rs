//! Servers that are there already, from the command line and the environment.

use conductor::arm::given_servers::{GivenServers, ServerUrls};
use conductor::arm::server_error::ServerError;
use contract::broker::CREDENTIALS_VARIABLE;
use node::config::POSTGRES_PASSWORD_VARIABLE;

use crate::cli;

/// Those that are named.
///
/// # Errors
/// What is wrong with a URL; that this program was built without its product.
pub fn read(args: &cli::GivenServers) -> Result<GivenServers, ServerError> {
    let secret = |variable| std::env::var(variable).unwrap_or_default();
    let (postgres_password, nats_credentials) =
        (secret(POSTGRES_PASSWORD_VARIABLE), secret(CREDENTIALS_VARIABLE));
    // An empty variable is as good as none.
    let (postgres, nats) = (
        args.postgres.as_deref().filter(|url| !url.is_empty()),
        args.nats.as_deref().filter(|url| !url.is_empty()),
    );
    let is_argument = |url: &str| std::env::args_os().any(|word| word.to_string_lossy().contains(url));
    GivenServers::new(&ServerUrls {
        postgres,
        postgres_password: &postgres_password,
        is_argument: postgres.is_some_and(is_argument),
        nats,
        nats_credentials: &nats_credentials,
    })
}
