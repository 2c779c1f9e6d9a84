//! Which database of which server, and which schema in it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// Wait for a server before giving up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest name that PostgreSQL does not cut off, bytes.
const MAX_NAME: usize = 63;
/// The port of an address that names none; part of a socket's name as well.
const DEFAULT_PORT: u16 = 5432;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerEndpoint {
    /// A Unix socket.
    Socket(PathBuf),
    /// A port of a host.
    Port(String, u16),
}

/// The socket of a server in a folder of sockets.
pub fn socket_in(folder: &Path, port: u16) -> PathBuf {
    folder.join(format!(".s.PGSQL.{port}"))
}

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

    /// Where its server listens.
    pub fn endpoint(&self) -> ServerEndpoint {
        let port = self.port();
        match (self.config.get_hostaddrs().first(), self.config.get_hosts().first()) {
            (Some(address), _) => ServerEndpoint::Port(address.to_string(), port),
            (None, Some(Host::Unix(folder))) => ServerEndpoint::Socket(socket_in(folder, port)),
            (None, Some(Host::Tcp(name))) => ServerEndpoint::Port(name.clone(), port),
            (None, None) => ServerEndpoint::Port("localhost".into(), port),
        }
    }

    /// Its port, or that in its socket's name.
    pub fn port(&self) -> u16 {
        self.config.get_ports().first().copied().unwrap_or(DEFAULT_PORT)
    }

    /// It as pairs, without its password and its schema.
    pub fn pairs(&self) -> String {
        match self.config.get_hosts().first() {
            Some(Host::Unix(folder)) => self.pairs_at(&folder.to_string_lossy()),
            Some(Host::Tcp(_)) | None => match self.endpoint() {
                ServerEndpoint::Port(host, _) => self.pairs_at(&host),
                ServerEndpoint::Socket(path) => self.pairs_at(&path.to_string_lossy()),
            },
        }
    }

    /// The same database, as pairs, with the socket in another folder: what listens there passes on to its server.
    pub fn pairs_through(&self, sockets: &Path) -> String {
        self.pairs_at(&sockets.to_string_lossy())
    }

    /// Its password, where it has one.
    pub fn own_password(&self) -> Option<String> {
        self.config.get_password().map(|password| String::from_utf8_lossy(password).into_owned())
    }

    fn pairs_at(&self, host: &str) -> String {
        let user = self.config.get_user().unwrap_or_default();
        let pairs = [
            ("host", Some(host.to_owned())),
            ("port", Some(self.port().to_string())),
            ("user", Some(user.to_owned())),
            ("dbname", Some(self.config.get_dbname().unwrap_or(user).to_owned())),
            ("options", self.config.get_options().map(ToOwned::to_owned)),
        ];
        let pairs = pairs.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", quoted(&value?))));
        pairs.collect::<Vec<_>>().join(" ")
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

/// A value of a pair, whatever is in it.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
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
    fn a_database_can_be_reached_through_another_socket() {
        let folder = Path::new("/run/it's");
        for (text, endpoint, pairs) in [
            (
                "postgresql://ada:s3cret@db.example:5433/app",
                ServerEndpoint::Port("db.example".into(), 5433),
                r"host='/run/it\'s' port='5433' user='ada' dbname='app'",
            ),
            (
                "host=/run/db user=ada options='-c jit=off'",
                ServerEndpoint::Socket("/run/db/.s.PGSQL.5432".into()),
                r"host='/run/it\'s' port='5432' user='ada' dbname='ada' options='-c jit=off'",
            ),
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!(address.endpoint(), endpoint);
            let through = address.pairs_through(folder);
            assert_eq!(through, pairs);
            let through: Address = through.parse().expect("an address");
            assert_eq!(through.endpoint(), ServerEndpoint::Socket(socket_in(folder, address.port())));
            assert_eq!(through.config().get_options(), address.config().get_options());
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
