//! Where the databases of a test are: files of SQLite in a temporary folder, or schemas of a PostgreSQL server.

use std::path::{Path, PathBuf};

use storage::Location;
use tempfile::TempDir;

/// The place of one test.
pub enum Place {
    /// A folder that goes with the test.
    Fresh(TempDir),
    /// A folder that stays.
    Kept(PathBuf),
    /// A server, and what the names of the test's schemas begin with.
    #[cfg(feature = "postgres")]
    Server(String, String),
}

impl Place {
    /// Files.
    pub fn file() -> Self {
        Self::Fresh(TempDir::new().expect("a folder"))
    }

    /// Files in a folder that is there.
    pub fn folder(path: &Path) -> Self {
        Self::Kept(path.to_owned())
    }

    /// Schemas of the server of this process; none, with the reason printed, where no server can be had.
    #[cfg(feature = "postgres")]
    pub fn server() -> Option<Self> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static TESTS: AtomicU32 = AtomicU32::new(0);
        let url = postgres_server::scratch::url().inspect_err(|why| eprintln!("skipped: {why}")).ok()?;
        Some(Self::Server(url, format!("t{}", TESTS.fetch_add(1, Ordering::Relaxed))))
    }

    /// The database of a name.
    pub fn location(&self, name: &str) -> Location {
        match self {
            Self::Fresh(folder) => Location::File(folder.path().join(name)),
            Self::Kept(folder) => Location::File(folder.join(name)),
            #[cfg(feature = "postgres")]
            Self::Server(url, prefix) => {
                let address: storage::postgres::Address = url.parse().expect("an address");
                address.schema(&format!("{prefix}_{name}")).expect("a name").into()
            }
        }
    }

    /// The same place for a child process, as text.
    pub fn handle(&self) -> String {
        match self {
            Self::Fresh(folder) => folder.path().to_string_lossy().into_owned(),
            Self::Kept(folder) => folder.to_string_lossy().into_owned(),
            #[cfg(feature = "postgres")]
            Self::Server(url, prefix) => format!("{prefix} {url}"),
        }
    }

    /// The place of a handle.
    pub fn of(handle: &str) -> Self {
        #[cfg(feature = "postgres")]
        if !handle.starts_with('/') {
            let (prefix, url) = handle.split_once(' ').expect("as it was written");
            return Self::Server(url.to_owned(), prefix.to_owned());
        }
        Self::folder(Path::new(handle))
    }
}

/// One test per story and store. A story is `async fn(place: Place)`.
macro_rules! on_every_store {
    ($($file:ident => $($story:ident),+;)+) => {
        mod sqlite {
            $(mod $file {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    crate::$file::$story(crate::place::Place::file()).await;
                })+
            })+
        }
        #[cfg(feature = "postgres")]
        mod postgres {
            $(mod $file {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    if let Some(place) = crate::place::Place::server() {
                        crate::$file::$story(place).await;
                    }
                })+
            })+
        }
    };
}

pub(crate) use on_every_store;
