//! Where the databases of a process are: files in its folder, or a server's.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use storage::{Location, StorageError};

/// A database that a PostgreSQL server keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerDatabase {
    /// Its address, without a password: `host=/run/pg user=cleave dbname=feed`, or a URL.
    pub address: String,
    /// The schema of its tables; unset, the server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
}

impl ServerDatabase {
    /// Its location, with the password that goes with it.
    ///
    /// # Errors
    /// When its address is none, or this program was built without the feature `postgres`.
    #[cfg(feature = "postgres")]
    pub fn location(&self, password: &str) -> Result<Location, StorageError> {
        self.address(password).map(Into::into)
    }

    /// The same, as an address.
    ///
    /// # Errors
    /// When it is none.
    #[cfg(feature = "postgres")]
    pub fn address(&self, password: &str) -> Result<storage::postgres::Address, StorageError> {
        let other = |why: storage::postgres::AddressError| StorageError::Other(why.into());
        let mut address: storage::postgres::Address = self.address.parse().map_err(other)?;
        if !password.is_empty() {
            address = address.password(password);
        }
        if let Some(schema) = &self.schema {
            address = address.schema(schema).map_err(other)?;
        }
        Ok(address)
    }

    /// The same.
    ///
    /// # Errors
    /// Always: this program was built without the feature `postgres`.
    #[cfg(not(feature = "postgres"))]
    pub fn location(&self, _password: &str) -> Result<Location, StorageError> {
        Err(StorageError::Other(
            "this program was built without PostgreSQL; build it with `--features postgres`".into(),
        ))
    }
}

/// The file of a database, which copies of its process share.
pub fn database_path(data: &Path, store: &str) -> PathBuf {
    data.join(format!("{store}.db"))
}
