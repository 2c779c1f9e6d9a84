//! Where the databases of a test are: files of SQLite in a temporary folder, or schemas of a PostgreSQL server.

use std::path::Path;

use storage::Location;
use tempfile::TempDir;

/// The databases of one test.
pub struct Databases {
    folder: TempDir,
    #[cfg(feature = "postgres")]
    server: Option<Schemas>,
}

/// Schemas that begin with the name of the test.
#[cfg(feature = "postgres")]
struct Schemas {
    server: storage::postgres::Address,
    prefix: String,
}

impl Databases {
    /// Files.
    pub fn files() -> Self {
        Self {
            folder: TempDir::new().expect("a temporary folder"),
            #[cfg(feature = "postgres")]
            server: None,
        }
    }

    /// Schemas of the PostgreSQL server of this process. None, with the reason printed, where no server can be had.
    #[cfg(feature = "postgres")]
    pub fn on_server() -> Option<Self> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static TESTS: AtomicU32 = AtomicU32::new(0);
        let url = postgres_server::scratch::url().inspect_err(|why| eprintln!("skipped: {why}")).ok()?;
        let server = url.parse().expect("an address");
        let prefix = format!("t{}", TESTS.fetch_add(1, Ordering::Relaxed));
        Some(Self { server: Some(Schemas { server, prefix }), ..Self::files() })
    }

    /// None: built without the feature `postgres`.
    #[cfg(not(feature = "postgres"))]
    pub fn on_server() -> Option<Self> {
        eprintln!("skipped: built without the feature `postgres` of testkit");
        None
    }

    /// The database of a name.
    pub fn location(&self, name: &str) -> Location {
        #[cfg(feature = "postgres")]
        if let Some(Schemas { server, prefix }) = &self.server {
            let schema = format!("{prefix}_{}", name.replace(['.', '-'], "_"));
            return server.clone().schema(&schema).expect("a name").into();
        }
        node::database_path(self.folder(), name).into()
    }

    /// A folder that goes with the test, for what is not in a database.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
