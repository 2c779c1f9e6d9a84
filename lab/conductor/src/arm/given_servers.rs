//! Servers that are there already, in place of those that the lab starts: where they are, what opens them, and whether a run can
//! use them. Nothing that is printed of them shows what opens them.

use std::fmt;

use contract::broker::BrokerAddress;
use fault::target::EVENTS;
use fault::{Fault, Target};
use scenario::{Arm, Step};

use crate::arm::server_error::ServerError;
use crate::arm::server_product::ServerProduct;
#[cfg(any(feature = "postgres", feature = "nats"))]
use crate::process::cause::with_cause;
use crate::process::server_data::ServerSecrets;

/// Servers that are there already; none by default.
#[derive(Clone, Default)]
pub struct GivenServers {
    /// Databases are made on it.
    pub(crate) postgres: Option<GivenPostgres>,
    /// Streams are made on it.
    pub(crate) nats: Option<GivenNats>,
}

/// A server of databases.
#[derive(Clone)]
pub(crate) struct GivenPostgres {
    /// The address of a database on it, without the password.
    pub address: String,
    /// Empty where it asks for none.
    pub password: String,
}

/// A broker.
#[derive(Clone)]
pub(crate) struct GivenNats {
    pub address: BrokerAddress,
    /// `user:password`, or a token; empty where it asks for none.
    pub credentials: String,
}

/// Where servers are, and what opens them, as a command line and its environment have it.
#[derive(Clone, Copy, Default)]
pub struct ServerUrls<'a> {
    /// `postgresql://ada@localhost:5432/postgres`; the password may be in it.
    pub postgres: Option<&'a str>,
    /// The password, where it is not in the URL.
    pub postgres_password: &'a str,
    /// Whether the URL is one of this process's arguments, which every user of the machine can read.
    pub is_argument: bool,
    /// `nats://localhost:4222`.
    pub nats: Option<&'a str>,
    /// `user:password`, or a token.
    pub nats_credentials: &'a str,
}

pub(super) fn refused(product: ServerProduct) -> impl Fn(String) -> ServerError {
    move |reason| ServerError::Given { product, reason }
}

impl GivenServers {
    /// Servers by their URLs. Whether they are there is not looked at.
    ///
    /// # Errors
    /// What is wrong with a URL, without the URL; that this program does not speak to such a server.
    pub fn new(urls: &ServerUrls<'_>) -> Result<Self, ServerError> {
        let refused_nats = refused(ServerProduct::Nats);
        let nats = match urls.nats {
            Some(_) if !ServerProduct::Nats.is_built() => {
                return Err(refused_nats(not_built(ServerProduct::Nats)));
            }
            Some(url) => {
                let address = url.parse::<BrokerAddress>().map_err(|why| refused_nats(why.to_string()))?;
                Some(GivenNats { address, credentials: urls.nats_credentials.to_owned() })
            }
            None => None,
        };
        let postgres = urls.postgres.map(|url| read_postgres(url, urls)).transpose();
        Ok(Self { postgres: postgres.map_err(refused(ServerProduct::Postgres))?, nats })
    }

    /// Whether a server of a product is there already.
    pub const fn has(&self, product: ServerProduct) -> bool {
        match product {
            ServerProduct::Postgres => self.postgres.is_some(),
            ServerProduct::Nats => self.nats.is_some(),
        }
    }

    /// What opens them.
    pub fn secrets(&self) -> ServerSecrets {
        let secret = |of: Option<&String>| of.cloned().unwrap_or_default();
        ServerSecrets {
            postgres_password: secret(self.postgres.as_ref().map(|given| &given.password)),
            nats_credentials: secret(self.nats.as_ref().map(|given| &given.credentials)),
        }
    }

    /// Refuses what cannot be done with servers that the lab has not started.
    ///
    /// # Errors
    /// A topology that says how many the lab starts, or a step that acts on their processes.
    pub fn check_plan(&self, arms: &[&Arm], steps: &[Step]) -> Result<(), ServerError> {
        if self.postgres.is_some()
            && let Some(arm) = arms.iter().find(|arm| arm.placement.servers.is_some())
        {
            let reason = format!(
                "`servers` of topology `{}` is how many the lab starts, and this one is there; leave out one of the two",
                arm.topology
            );
            return Err(refused(ServerProduct::Postgres)(reason));
        }
        for step in steps {
            let (Some(fault), Some(target)) = (step.action.fault(), step.target) else { continue };
            let product = match fault.acted_on(target) {
                Target::Server(EVENTS) => ServerProduct::Nats,
                // A session is enough for a lock, and for a change of a table.
                Target::Server(_) if !matches!(fault, Fault::LockTable(_) | Fault::ChangeSchema(_)) => {
                    ServerProduct::Postgres
                }
                _ => continue,
            };
            if self.has(product) {
                let reason = format!(
                    "step `{}`, `{}` on `{}`, acts on a server that the lab has not started; leave out the step or {}",
                    step.id,
                    fault.name(),
                    step.on,
                    product.option()
                );
                return Err(refused(product)(reason));
            }
        }
        Ok(())
    }

    /// Asks the servers that some arms need whether they can be used.
    ///
    /// # Errors
    /// One that does not answer, is too old, or gives its user too few rights.
    pub async fn check_reachable(&self, arms: &[&Arm]) -> Result<(), ServerError> {
        let is_needed = |product: ServerProduct| arms.iter().any(|arm| product.is_needed(&arm.placement));
        if let Some(given) = self.postgres.as_ref().filter(|_| is_needed(ServerProduct::Postgres)) {
            check_postgres(given).await.map_err(refused(ServerProduct::Postgres))?;
        }
        if let Some(given) = self.nats.as_ref().filter(|_| is_needed(ServerProduct::Nats)) {
            check_nats(given).await.map_err(refused(ServerProduct::Nats))?;
        }
        Ok(())
    }
}

/// Without what opens them.
impl fmt::Debug for GivenServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("GivenServers");
        shown.field("postgres", &self.postgres.is_some());
        shown.field("nats", &self.nats.as_ref().map(|nats| nats.address.to_string())).finish()
    }
}

fn not_built(product: ServerProduct) -> String {
    format!(
        "this program was built without {}; build it with `cargo build --release --features {}`",
        product.name(),
        product.feature()
    )
}

#[cfg(feature = "postgres")]
fn read_postgres(url: &str, urls: &ServerUrls<'_>) -> Result<GivenPostgres, String> {
    let address = url.parse::<storage::postgres::Address>().map_err(|why| why.to_string())?;
    let in_url = address.own_password().unwrap_or_default();
    if urls.is_argument && !in_url.is_empty() {
        return Err(format!(
            "its password can be read by every user of this machine, in the list of processes; put the URL into the environment \
             variable {}, or the password into {}",
            ServerProduct::Postgres.url_variable(),
            node::config::POSTGRES_PASSWORD_VARIABLE
        ));
    }
    let password = if in_url.is_empty() { urls.postgres_password.to_owned() } else { in_url };
    Ok(GivenPostgres { address: address.pairs(), password })
}

#[cfg(not(feature = "postgres"))]
fn read_postgres(_url: &str, _urls: &ServerUrls<'_>) -> Result<GivenPostgres, String> {
    Err(not_built(ServerProduct::Postgres))
}

#[cfg(feature = "postgres")]
impl GivenPostgres {
    /// The database that its address names.
    pub fn address(&self) -> Result<storage::postgres::Address, storage::StorageError> {
        let database = node::databases::ServerDatabase { address: self.address.clone(), schema: None };
        database.address(&self.password)
    }
}

#[cfg(feature = "postgres")]
pub(super) async fn check_postgres(given: &GivenPostgres) -> Result<(), String> {
    let address = given.address().map_err(|why| with_cause(&why))?;
    let asked = async { storage::postgres::Session::open(&address).await?.may_create_databases().await };
    match asked.await {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!(
            "its user may make no databases on {address}; let a superuser run ALTER ROLE ... CREATEDB, or name another user"
        )),
        Err(why) => {
            Err(format!("{address} cannot be used, {}; start it, or correct the URL", with_cause(&why)))
        }
    }
}

#[cfg(not(feature = "postgres"))]
pub(super) fn check_postgres(_given: &GivenPostgres) -> std::future::Ready<Result<(), String>> {
    std::future::ready(Err(not_built(ServerProduct::Postgres)))
}

#[cfg(feature = "nats")]
pub(super) async fn check_nats(given: &GivenNats) -> Result<(), String> {
    let (address, credentials) = (given.address.clone(), given.credentials.clone());
    // A stream of its own: other labs may look at the same moment.
    let name = format!("cleave-check-{}", std::process::id());
    let options = storage::nats::BrokerOptions { address, credentials, name };
    let asked = async {
        let broker = storage::nats::Broker::connect_now(&options, "conductor").await?;
        broker.check_rights(contract::ComponentName::of("rights")).await
    };
    asked.await.map_err(|why| {
        let why = with_cause(&why);
        format!("{why}; start it with JetStream (-js), let its user make streams, or correct the URL")
    })
}

#[cfg(not(feature = "nats"))]
pub(super) fn check_nats(_given: &GivenNats) -> std::future::Ready<Result<(), String>> {
    std::future::ready(Err(not_built(ServerProduct::Nats)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    const URL: &str = "postgresql://ada:s3cret@db.example:5433/app";

    fn given(urls: ServerUrls<'_>) -> Result<GivenServers, String> {
        GivenServers::new(&urls).map_err(|why| why.to_string())
    }

    #[test]
    fn what_opens_a_server_is_in_no_text() {
        let urls = [
            ServerUrls { postgres: Some(URL), is_argument: true, ..ServerUrls::default() },
            ServerUrls { postgres: Some(URL), ..ServerUrls::default() },
            ServerUrls { postgres: Some("postgresql://:s3cret@db/app"), ..ServerUrls::default() },
            ServerUrls { nats: Some("nats://ada:s3cret@db"), ..ServerUrls::default() },
            ServerUrls { nats: Some("nats://db"), nats_credentials: "s3cret", ..ServerUrls::default() },
        ];
        for urls in urls {
            let text = match given(urls) {
                Ok(given) => format!("{given:?}"),
                Err(why) => why,
            };
            assert!(!text.contains("s3cret"), "{text}");
        }
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn a_password_is_kept_apart_and_refused_where_all_can_read_it() {
        let urls = ServerUrls { postgres: Some(URL), ..ServerUrls::default() };
        let postgres = given(urls).expect("a URL").postgres.expect("it is given");
        assert_eq!(postgres.address, "host='db.example' port='5433' user='ada' dbname='app'");
        assert_eq!(postgres.password, "s3cret");
        let why = given(ServerUrls { is_argument: true, ..urls }).expect_err("in the list of processes");
        assert!(why.starts_with("--postgres: ") && why.contains("CLEAVE_POSTGRES_URL"), "{why}");
        let apart = ServerUrls {
            postgres: Some("postgresql://ada@db/app"),
            postgres_password: "s3cret",
            is_argument: true,
            ..ServerUrls::default()
        };
        assert_eq!(given(apart).expect("a URL").postgres.expect("it is given").password, "s3cret");
    }

    /// A plan with both servers given, whatever this program was built with.
    fn checked(more: &str) -> Result<(), String> {
        let given = GivenServers {
            postgres: Some(GivenPostgres { address: String::new(), password: String::new() }),
            nats: Some(GivenNats { address: BrokerAddress::loopback(1), credentials: String::new() }),
        };
        let served =
            "[topology.served]\nprocesses = { each = [\"*\"] }\nstore = \"postgres\"\nevents = \"nats\"\n";
        let scenario = fixture::scenario(&fixture::two_arms(&format!("{served}{more}")));
        let arms: Vec<&Arm> = scenario.arms.iter().collect();
        given.check_plan(&arms, &scenario.steps).map_err(|why| why.to_string())
    }

    #[test]
    fn what_needs_a_server_of_the_labs_own_is_refused() {
        let step = |what: &str| format!("[[step]]\nin = \"steady\"\nat = \"+1s\"\n{what}\n");
        let locked = "do = \"lock-table\"\non = \"db:feed\"\ntable = \"feed_posts\"\nfor = \"1s\"";
        let delayed = "do = \"delay\"\nby = \"5ms\"\non = \"feed->server:feed\"\nfor = \"1s\"";
        for fine in [String::new(), step(locked), step(delayed)] {
            assert_eq!(checked(&fine), Ok(()), "{fine}");
        }
        for (more, part) in [
            ("servers = \"each\"\n".to_owned(), "--postgres: `servers` of topology `served`"),
            (step("do = \"kill\"\non = \"server:feed\""), "`kill` on `server:feed`"),
            (step("do = \"kill-backend\"\non = \"server:feed\""), "leave out the step or --postgres"),
            (step("do = \"pause\"\non = \"server:events\"\nfor = \"1s\""), "leave out the step or --nats"),
        ] {
            let why = checked(&more).expect_err(&more);
            assert!(why.contains(part), "{why}");
        }
    }
}
