//! Which database of which server, and which schema in it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// Wait for a server before giving up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest name that PostgreSQL does not cut off, bytes.
const MAX_NAME: usize = 63;

/// The address of a database. Neither [`fmt::Display`] nor [`fmt::Debug`] shows its password.
#[derive(Clone)]
pub struct Address {
    config: Config,
    schema: Option<String>,
}

/// Why a text is no address. The text itself is not in it: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(String);

impl FromStr for Address {
    type Err = AddressError;

    /// Reads a URL, `postgresql://user:password@host:port/database`, or pairs, `host=/run/db user=ada dbname=app`.
    /// A host that begins with `/` is the folder of a Unix socket.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        const EXAMPLE: &str = "write e.g. postgresql://ada@localhost:5432/app";
        let wrong = |what: &str| AddressError(format!("invalid PostgreSQL URL: {what}; {EXAMPLE}"));
        let mut config: Config = text.parse().map_err(|why: tokio_postgres::Error| {
            // Names the option, not its value.
            let source = std::error::Error::source(&why).map(ToString::to_string);
            wrong(&source.unwrap_or_else(|| why.to_string()))
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(wrong("it names no host"));
        }
        if config.get_hosts().len() > 1 {
            return Err(wrong("it names several hosts"));
        }
        if config.get_user().unwrap_or_default().is_empty() {
            return Err(wrong("it names no user"));
        }
        if config.get_ssl_mode() == SslMode::Require {
            return Err(wrong("it requires TLS, which is not built in; leave sslmode out"));
        }
        config.ssl_mode(SslMode::Disable);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        Ok(Self { config, schema: None })
    }
}

impl Address {
    /// Another database of the same server.
    #[must_use]
    pub fn database(mut self, name: &str) -> Self {
        self.config.dbname(name);
        self
    }

    /// The same database, with tables in a schema of their own. It is made when the database is opened.
    ///
    /// # Errors
    /// When the name is not lower-case letters, digits and `_`, beginning with a letter.
    pub fn schema(mut self, name: &str) -> Result<Self, AddressError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
        if !begins || !name.chars().all(plain) || name.len() > MAX_NAME || name.starts_with("pg_") {
            return Err(AddressError(format!(
                "invalid schema `{name}`: expected up to {MAX_NAME} lower-case letters, digits and _, e.g. \"feed\""
            )));
        }
        self.schema = Some(name.to_owned());
        Ok(self)
    }

    /// The same, with a password that is kept elsewhere than the rest.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.config.password(password);
        self
    }

    /// The same, with another name for the sessions that are opened with it.
    #[must_use]
    pub(super) fn application_name(mut self, name: &str) -> Self {
        self.config.application_name(name);
        self
    }

    /// The schema, where it is not the default one.
    pub(crate) fn schema_name(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// What connections are opened with.
    pub(super) const fn config(&self) -> &Config {
        &self.config
    }
}

/// Host, port, database and schema.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgresql://")?;
        match (self.config.get_hosts().first(), self.config.get_hostaddrs().first()) {
            (Some(Host::Tcp(name)), _) => f.write_str(name)?,
            (Some(Host::Unix(folder)), _) => folder.display().fmt(f)?,
            (None, Some(address)) => address.fmt(f)?,
            (None, None) => {}
        }
        if let Some(port) = self.config.get_ports().first() {
            write!(f, ":{port}")?;
        }
        write!(f, "/{}", self.config.get_dbname().or(self.config.get_user()).unwrap_or_default())?;
        self.schema.as_ref().map_or(Ok(()), |schema| write!(f, ".{schema}"))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (text, shown) in [
            ("postgresql://ada:s3cret@db.example:5433/app", "postgresql://db.example:5433/app"),
            ("postgres://ada:s3cret@127.0.0.1/app?application_name=x", "postgresql://127.0.0.1:5432/app"),
            ("host=/run/db user=ada password=s3cret", "postgresql:///run/db/ada"),
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), shown);
        }
    }

    #[test]
    fn a_schema_is_part_of_an_address() {
        let address: Address = "postgresql://ada@localhost/app".parse().expect("a URL");
        assert_eq!(
            address.clone().schema("feed").expect("a name").to_string(),
            "postgresql://localhost:5432/app.feed"
        );
        for wrong in ["", "Feed", "1feed", "fe ed", "feed'; --", "pg_feed", &"f".repeat(64)] {
            assert!(address.clone().schema(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_is_named_without_it() {
        for (text, part) in [
            ("postgresql://ada:s3cret@/app", "no host"),
            ("postgresql://:s3cret@localhost/app", "no user"),
            ("postgresql://ada:s3cret@localhost/app?sslmode=require", "TLS"),
            ("postgresql://ada:s3cret@localhost/app?color=s3cret", "color"),
            ("postgresql://ada:s3cret@localhost:port/app", "port"),
            ("postgresql://ada:s3cret@one,two/app", "several hosts"),
        ] {
            let error = text.parse::<Address>().expect_err(text).to_string();
            assert!(error.contains(part) && !error.contains("s3cret"), "{text}: {error}");
        }
    }
}
