//! What runs keep on servers that are there already, as an operator looks at it: which databases there are, and which of them
//! no run is there for any more. Streams of a broker are known to the journals of their runs alone.

use crate::arm::given_servers::{GivenPostgres, GivenServers, check_nats, check_postgres, refused};
use crate::arm::server_error::ServerError;
use crate::arm::server_product::ServerProduct;
use crate::process::guardian::CleanUp;
use crate::process::server_data::{self, ServerData};

/// The databases of runs on a server.
#[derive(Default)]
struct RunDatabases {
    count: usize,
    /// Those that no session uses, and whose run has none: it has ended without removing them.
    abandoned: Vec<ServerData>,
}

impl GivenServers {
    /// Where the server of a product is, and what runs keep on it, for people; `None` where none is given.
    ///
    /// # Errors
    /// When it cannot be used.
    pub async fn describe(&self, product: ServerProduct) -> Option<Result<String, ServerError>> {
        let described = match product {
            ServerProduct::Postgres => describe_postgres(self.postgres.as_ref()?).await,
            ServerProduct::Nats => {
                let given = self.nats.as_ref()?;
                check_nats(given).await.map(|()| given.address.to_string())
            }
        };
        Some(described.map_err(refused(product)))
    }

    /// Removes the databases of runs that have ended without removing them.
    ///
    /// # Errors
    /// When their server cannot be used.
    pub async fn remove_abandoned(&self) -> Result<CleanUp, ServerError> {
        let Some(given) = &self.postgres else { return Ok(CleanUp::default()) };
        let found = run_databases(given).await.map_err(refused(ServerProduct::Postgres))?;
        let removed = server_data::remove_each(&found.abandoned, &self.secrets()).await;
        let reasons: Vec<String> = removed.into_iter().filter_map(Result::err).collect();
        Ok(CleanUp { undone: found.abandoned.len() - reasons.len(), reasons })
    }
}

async fn describe_postgres(given: &GivenPostgres) -> Result<String, String> {
    check_postgres(given).await?;
    let found = run_databases(given).await?;
    let abandoned = match found.abandoned.len() {
        0 => String::new(),
        count => format!(", {count} of them without its run, which `cleave doctor --clean` removes"),
    };
    Ok(format!("{}; databases of runs: {}{abandoned}", given.address, found.count))
}

#[cfg(feature = "postgres")]
async fn run_databases(given: &GivenPostgres) -> Result<RunDatabases, String> {
    use crate::process::cause::with_cause;
    use crate::process::server_data::{DATABASE_COMMENT, DATABASE_PREFIX};

    let asked = async {
        let mut session = storage::postgres::Session::open(&given.address()?).await?;
        session.databases(DATABASE_PREFIX, DATABASE_COMMENT).await
    };
    let found = asked.await.map_err(|why| with_cause(&why))?;
    let count = found.len();
    let abandoned = found.into_iter().filter(|(_, is_in_use)| !is_in_use);
    let server = &given.address;
    let abandoned =
        abandoned.map(|(name, _)| ServerData::Database { server: server.clone(), name }).collect();
    Ok(RunDatabases { count, abandoned })
}

#[cfg(not(feature = "postgres"))]
fn run_databases(_given: &GivenPostgres) -> std::future::Ready<Result<RunDatabases, String>> {
    // One that this program does not speak to cannot be given.
    std::future::ready(Ok(RunDatabases::default()))
}
