//! The products whose servers an arm may need.

use std::ffi::OsStr;

use contract::Placement;

use crate::process::server_data::{NATS_URL_VARIABLE, POSTGRES_URL_VARIABLE};

/// A product whose servers an arm may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerProduct {
    /// Databases.
    Postgres,
    /// The broker of events.
    Nats,
}

impl ServerProduct {
    const ALL: [Self; 2] = [Self::Postgres, Self::Nats];

    /// Its name, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Nats => "NATS",
        }
    }

    /// The feature that this program speaks to it with. Names of servers and of their folders begin with it as well.
    pub const fn feature(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Nats => "nats",
        }
    }

    /// The option that names a server which is there already.
    pub const fn option(self) -> &'static str {
        match self {
            Self::Postgres => "--postgres",
            Self::Nats => "--nats",
        }
    }

    /// The environment variable in place of the option.
    pub const fn url_variable(self) -> &'static str {
        match self {
            Self::Postgres => POSTGRES_URL_VARIABLE,
            Self::Nats => NATS_URL_VARIABLE,
        }
    }

    /// What an arm needs it for.
    pub const fn need(self) -> &'static str {
        match self {
            Self::Postgres => "keeps data in PostgreSQL",
            Self::Nats => "has its events carried by NATS",
        }
    }

    /// Those that a topology needs.
    pub fn needed_by(placement: &Placement) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|product| product.is_needed(placement))
    }

    /// Whether a topology needs it.
    pub fn is_needed(self, placement: &Placement) -> bool {
        match self {
            Self::Postgres => placement.has_server(),
            Self::Nats => placement.has_broker(),
        }
    }

    /// Whether this program speaks to it.
    pub const fn is_built(self) -> bool {
        match self {
            Self::Postgres => cfg!(feature = "postgres"),
            Self::Nats => cfg!(feature = "nats"),
        }
    }

    /// The name of an arm's server, counted from 0.
    pub fn server_name(self, number: usize) -> String {
        format!("{}#{number}", self.feature())
    }

    /// The name of its folder, in the arm's.
    pub fn folder_name(self, number: usize) -> String {
        format!("{}-{number}", self.feature())
    }
}

/// Whether a folder in an arm's is that of a server.
pub(crate) fn is_server_folder(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let is_of = |product: ServerProduct| name.starts_with(&format!("{}-", product.feature()));
    ServerProduct::ALL.into_iter().any(is_of)
}
