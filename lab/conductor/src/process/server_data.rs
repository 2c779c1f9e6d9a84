//! What a run keeps on servers that outlive it: databases, and streams of events. It is removed with its arm, and by the guardian
//! where the conductor has died.
//!
//! The journal names the server and what is kept there, never what opens the server: that is in the environment of the process
//! that looks.

use std::process::Command;
#[cfg(feature = "postgres")]
use std::time::Duration;

use contract::broker::{BrokerAddress, CREDENTIALS_VARIABLE};
use node::config::POSTGRES_PASSWORD_VARIABLE;
use serde::{Deserialize, Serialize};

/// Where a server of databases is that is there already. The URL may hold a password.
pub const POSTGRES_URL_VARIABLE: &str = "CLEAVE_POSTGRES_URL";
/// The same of a broker.
pub const NATS_URL_VARIABLE: &str = "CLEAVE_NATS_URL";

/// What the names of a run's databases begin with, on a server that stays.
pub const DATABASE_PREFIX: &str = "cleave_";
/// What their comments begin with: a database of a name like these, and without the comment, is no run's.
pub const DATABASE_COMMENT: &str = "made by cleave";

/// How long a database may take to be dropped: a server goes on making one whose client has died.
#[cfg(feature = "postgres")]
const DROP_TIMEOUT: Duration = Duration::from_secs(2);
/// How often it is looked at.
#[cfg(feature = "postgres")]
const DROP_INTERVAL: Duration = Duration::from_millis(20);

/// What a run keeps on a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerData {
    /// A database of PostgreSQL.
    Database {
        /// The address of a database on its server, without the password.
        server: String,
        /// Its name.
        name: String,
    },
    /// The streams of NATS that an arm's events are in.
    Streams {
        /// Where they are.
        server: BrokerAddress,
        /// What their names begin with.
        name: String,
    },
}

/// What opens servers; empty where they ask for nothing.
#[derive(Clone, Default)]
pub struct ServerSecrets {
    /// The password of PostgreSQL.
    pub postgres_password: String,
    /// `user:password`, or a token, of NATS.
    pub nats_credentials: String,
}

impl ServerSecrets {
    /// Those of the environment.
    pub fn of_environment() -> Self {
        let secret = |variable| std::env::var(variable).unwrap_or_default();
        Self {
            postgres_password: secret(POSTGRES_PASSWORD_VARIABLE),
            nats_credentials: secret(CREDENTIALS_VARIABLE),
        }
    }

    /// These, and in place of each that is empty the other's.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let or = |own: String, other| if own.is_empty() { other } else { own };
        Self {
            postgres_password: or(self.postgres_password, other.postgres_password),
            nats_credentials: or(self.nats_credentials, other.nats_credentials),
        }
    }

    /// As variables of a child's environment, which no other user reads; none for a server that asks for nothing.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let variables = [
            (POSTGRES_PASSWORD_VARIABLE, self.postgres_password.as_str()),
            (CREDENTIALS_VARIABLE, self.nats_credentials.as_str()),
        ];
        variables.into_iter().filter(|(_, value)| !value.is_empty())
    }
}

impl ServerData {
    /// Its server, for messages.
    fn server(&self) -> String {
        match self {
            Self::Database { server, .. } => server.clone(),
            Self::Streams { server, .. } => server.to_string(),
        }
    }

    /// Removes it, and looks afterwards whether it is gone.
    async fn remove(&self, secrets: &ServerSecrets) -> Result<(), RemovalError> {
        match self {
            Self::Database { server, name } => drop_database(server, name, &secrets.postgres_password).await,
            Self::Streams { server, name } => {
                delete_streams(server.clone(), name, &secrets.nats_credentials).await
            }
        }
    }

    /// Why it stays, and what to do, for people.
    fn stays(&self, why: &RemovalError) -> String {
        let (what, variable) = match self {
            Self::Database { name, .. } => (format!("database {name}"), POSTGRES_PASSWORD_VARIABLE),
            Self::Streams { name, .. } => (format!("streams {name}-*"), CREDENTIALS_VARIABLE),
        };
        let (server, why) = (self.server(), &why.reason);
        format!(
            "{what} of {server}: {why}; start the server, put what opens it into {variable}, and run `cleave doctor --clean`"
        )
    }
}

/// Keeps from a child what opens servers in the environment of this process: it is given what it needs.
pub(crate) fn without_secrets(command: &mut Command) -> &mut Command {
    for variable in
        [POSTGRES_URL_VARIABLE, POSTGRES_PASSWORD_VARIABLE, NATS_URL_VARIABLE, CREDENTIALS_VARIABLE]
    {
        command.env_remove(variable);
    }
    command
}

/// Why something stays on a server.
struct RemovalError {
    reason: String,
    /// Whether everything else on that server stays for the same reason.
    is_of_server: bool,
}

/// Removes what runs keep on servers. Of each the reason why it stays, where it does. A server that cannot be used is asked once.
pub(crate) fn remove(data: &[ServerData], secrets: &ServerSecrets) -> Vec<Result<(), String>> {
    if data.is_empty() {
        return Vec::new();
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => {
            let why =
                RemovalError { reason: format!("no runtime to ask it with: {why}"), is_of_server: true };
            return data.iter().map(|data| Err(data.stays(&why))).collect();
        }
    };
    runtime.block_on(remove_each(data, secrets))
}

/// The same, for a caller with a runtime.
pub(crate) async fn remove_each(data: &[ServerData], secrets: &ServerSecrets) -> Vec<Result<(), String>> {
    let mut unusable: Vec<(String, RemovalError)> = Vec::new();
    let mut removed = Vec::new();
    for data in data {
        let server = data.server();
        if let Some((_, why)) = unusable.iter().find(|(known, _)| *known == server) {
            removed.push(Err(data.stays(why)));
            continue;
        }
        let outcome = data.remove(secrets).await;
        removed.push(outcome.as_ref().map_err(|why| data.stays(why)).copied());
        if let Err(why) = outcome
            && why.is_of_server
        {
            unusable.push((server, why));
        }
    }
    removed
}

#[cfg(feature = "postgres")]
async fn drop_database(server: &str, name: &str, password: &str) -> Result<(), RemovalError> {
    use node::databases::ServerDatabase;
    use runtime::clock;
    use storage::StorageError;
    use storage::postgres::Session;

    use crate::process::cause::with_cause;

    let failed =
        |is_of_server: bool| move |why: StorageError| RemovalError { reason: with_cause(&why), is_of_server };
    if !name.starts_with(DATABASE_PREFIX) {
        return Err(RemovalError { reason: "it was not made by a run".into(), is_of_server: false });
    }
    let database = ServerDatabase { address: server.to_owned(), schema: None };
    let address = database.address(password).map_err(failed(true))?;
    let mut session = Session::open(&address).await.map_err(failed(true))?;
    let until = clock::now() + DROP_TIMEOUT;
    loop {
        storage::postgres::drop_database(&address, name).await.map_err(failed(false))?;
        if !session.has_database(name).await.map_err(failed(true))? {
            return Ok(());
        }
        if clock::now() >= until {
            return Err(RemovalError { reason: "it is being made".into(), is_of_server: false });
        }
        tokio::time::sleep(DROP_INTERVAL).await;
    }
}

#[cfg(not(feature = "postgres"))]
fn drop_database(
    _server: &str,
    _name: &str,
    _password: &str,
) -> std::future::Ready<Result<(), RemovalError>> {
    std::future::ready(Err(not_built("PostgreSQL", "postgres")))
}

#[cfg(feature = "nats")]
async fn delete_streams(server: BrokerAddress, name: &str, credentials: &str) -> Result<(), RemovalError> {
    use storage::nats::{Broker, BrokerError, BrokerOptions};

    use crate::process::cause::with_cause;

    let failed =
        |is_of_server: bool| move |why: BrokerError| RemovalError { reason: with_cause(&why), is_of_server };
    let options =
        BrokerOptions { address: server, credentials: credentials.to_owned(), name: name.to_owned() };
    let broker = Broker::connect_now(&options, "removal").await.map_err(failed(true))?;
    broker.delete_streams(suite::components()).await.map_err(failed(false))
}

#[cfg(not(feature = "nats"))]
fn delete_streams(
    _server: BrokerAddress,
    _name: &str,
    _credentials: &str,
) -> std::future::Ready<Result<(), RemovalError>> {
    std::future::ready(Err(not_built("NATS", "nats")))
}

#[cfg(not(all(feature = "postgres", feature = "nats")))]
fn not_built(product: &str, feature: &str) -> RemovalError {
    let reason = format!(
        "this program was built without {product}; build it with `cargo build --release --features {feature}`"
    );
    RemovalError { reason, is_of_server: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_is_named_with_its_reason_and_without_what_opens_its_server() {
        let secrets =
            ServerSecrets { postgres_password: "s3cret".into(), nats_credentials: "ada:s3cret".into() };
        let nowhere = "host='/nowhere' port='5432' user='ada' dbname='app'";
        let database = |name: &str| ServerData::Database { server: nowhere.into(), name: name.into() };
        // Port 1 is none of a broker's.
        let streams = ServerData::Streams { server: BrokerAddress::loopback(1), name: "r1-mono".into() };
        let data = [database("cleave_r1_A_0_app"), database("cleave_r1_B_0_app"), streams];
        let texts: Vec<String> =
            remove(&data, &secrets).into_iter().map(|removed| removed.expect_err("no server")).collect();
        let parts = [
            ["database cleave_r1_A_0_app", POSTGRES_PASSWORD_VARIABLE],
            ["database cleave_r1_B_0_app", POSTGRES_PASSWORD_VARIABLE],
            ["streams r1-mono-* of nats://127.0.0.1:1", CREDENTIALS_VARIABLE],
        ];
        for (text, parts) in texts.iter().zip(parts) {
            assert!(parts.iter().all(|part| text.contains(part)) && !text.contains("s3cret"), "{text}");
        }
        assert_eq!(texts.len(), 3);
    }

    #[test]
    fn what_is_kept_is_written_without_what_opens_its_server() {
        let data = ServerData::Streams { server: BrokerAddress::loopback(4222), name: "r1-mono".into() };
        let text = serde_json::to_string(&data).expect("plain data");
        assert_eq!(text, r#"{"streams":{"server":"nats://127.0.0.1:4222","name":"r1-mono"}}"#);
        assert_eq!(serde_json::from_str::<ServerData>(&text).expect("reads back"), data);
        let secrets = ServerSecrets { postgres_password: "s3cret".into(), ..ServerSecrets::default() };
        assert_eq!(secrets.variables().collect::<Vec<_>>(), [(POSTGRES_PASSWORD_VARIABLE, "s3cret")]);
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn a_database_that_is_no_runs_is_never_dropped() {
        let data =
            ServerData::Database { server: "host=/nowhere user=ada".into(), name: "production".into() };
        let why = remove(&[data], &ServerSecrets::default()).remove(0).expect_err("refused");
        assert!(why.contains("not made by a run"), "{why}");
    }
}
