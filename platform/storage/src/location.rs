//! Where a database is.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where a database is, and with it which product it is.
#[derive(Clone)]
pub enum Location {
    /// In a file of SQLite, which is made if need be.
    File(PathBuf),
    /// On a server of PostgreSQL.
    #[cfg(feature = "postgres")]
    Postgres(Box<crate::postgres::Address>),
}

impl Location {
    /// The file, where it is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => None,
        }
    }

    /// The folder of the file.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.file()?.parent()
    }

    /// The schema, where it has one of its own.
    pub(crate) fn schema(&self) -> Option<&str> {
        match self {
            Self::File(_) => None,
            #[cfg(feature = "postgres")]
            Self::Postgres(address) => address.schema_name(),
        }
    }

    /// Whether a server keeps it.
    pub(crate) fn has_server(&self) -> bool {
        self.file().is_none()
    }
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<&PathBuf> for Location {
    fn from(path: &PathBuf) -> Self {
        Self::File(path.clone())
    }
}

impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

#[cfg(feature = "postgres")]
impl From<crate::postgres::Address> for Location {
    fn from(address: crate::postgres::Address) -> Self {
        Self::Postgres(Box::new(address))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            #[cfg(feature = "postgres")]
            Self::Postgres(address) => address.fmt(f),
        }
    }
}

/// Without passwords.
impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
