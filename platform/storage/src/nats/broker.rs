//! The connection of a process to a broker, and the streams that it keeps there: one for each publisher.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{self, Context};
use async_nats::{ConnectOptions, Event};
use bytes::Bytes;
use contract::broker::BrokerAddress;
use contract::{ComponentName, Refusal};
use tokio::sync::watch;

/// Time for an answer of the server, an acknowledgement included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// Time for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a silent connection is asked for a sign of life; two without an answer end it.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// First wait before a lost connection is made anew; doubles.
const MIN_RECONNECT_DELAY: Duration = Duration::from_millis(50);
/// Longest wait.
const MAX_RECONNECT_DELAY: Duration = Duration::from_millis(400);
/// Time in which the server drops a message whose id it has stored already: its own default.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
/// The first version that makes a consumer under its name, as the client asks for it
/// (`$JS.API.CONSUMER.CREATE.<stream>.<name>`, NATS 2.9).
const MIN_VERSION: (u32, u32) = (2, 9);
/// The subject on which a server answers what its JetStream holds.
const JETSTREAM_INFO: &str = "$JS.API.INFO";
/// What the subject begins with on which a server removes a stream; the stream's name follows.
const DELETE_STREAM: &str = "$JS.API.STREAM.DELETE";
/// The error of a server that has no stream of that name (nats-server, `JSStreamNotFoundErr`).
const STREAM_NOT_FOUND: i64 = 10_059;
/// What is asked of a server when a connection is made.
const ANSWER: &str = "answer for JetStream";
/// What a stream may hold: some hundred thousand events. A full one refuses further ones, and the outbox keeps them.
const STREAM_BYTES: i64 = 64 << 20;

/// Where a broker is, and what a deployment's streams are called there.
#[derive(Clone)]
pub struct BrokerOptions {
    /// The server.
    pub address: BrokerAddress,
    /// `user:password`, or a token; empty where the server asks for none.
    pub credentials: String,
    /// What the names of streams and subjects begin with, so that several deployments can share a server: letters, digits,
    /// `-` and `_`.
    pub name: String,
}

/// Without the credentials.
impl fmt::Debug for BrokerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.name, self.address)
    }
}

/// Why a broker is of no use. Nothing in it shows credentials.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// No connection.
    #[error("no NATS server at {address} accepts the connection")]
    Unreachable {
        /// Where it should be.
        address: BrokerAddress,
        /// Why.
        #[source]
        source: async_nats::ConnectError,
    },
    /// The connection is lost, and is being made anew.
    #[error("the connection to the NATS server is lost")]
    Disconnected,
    /// A server without what consumers need.
    #[error("the server is NATS {0}; use NATS 2.9 or later instead")]
    TooOld(String),
    /// A name that cannot be part of a subject.
    #[error("invalid name `{0}` of streams: expected letters, digits, - and _")]
    Name(String),
    /// A request that failed.
    #[error("the NATS server did not {what}: {why}")]
    Request {
        /// What was asked for.
        what: &'static str,
        /// What it answered.
        why: String,
    },
}

impl BrokerError {
    pub(super) fn request(what: &'static str) -> impl FnOnce(async_nats::Error) -> Self {
        move |why| Self::Request { what, why: why.to_string() }
    }
}

/// For callers there are no events for now.
impl From<BrokerError> for Refusal {
    fn from(error: BrokerError) -> Self {
        Self::unavailable("broker", error.to_string())
    }
}

/// A connection to a broker. Cheap to clone.
#[derive(Clone)]
pub struct Broker {
    jetstream: Context,
    name: Arc<str>,
    /// How often the connection was lost.
    losses: Arc<watch::Sender<u64>>,
}

impl Broker {
    /// Connects in the background: a process starts without its broker, and its events wait. `client` names the
    /// connection for those who look at the server.
    ///
    /// # Errors
    /// When the options make no sense.
    pub async fn connect(options: &BrokerOptions, client: &str) -> Result<Self, BrokerError> {
        Self::open(options, client, ConnectOptions::retry_on_initial_connect).await
    }

    /// Connects to a server that is there.
    ///
    /// # Errors
    /// When there is none, it refuses the credentials, it is too old, or it has no JetStream.
    pub async fn connect_now(options: &BrokerOptions, client: &str) -> Result<Self, BrokerError> {
        let broker = Self::open(options, client, |options| options).await?;
        check_version(&broker.version())?;
        let answer = broker.ask(JETSTREAM_INFO.to_owned(), ANSWER).await?;
        match answer["error"]["description"].as_str() {
            Some(why) => Err(BrokerError::request(ANSWER)(why.into())),
            None => Ok(broker),
        }
    }

    /// Asks JetStream, and reads the answer as it is written: the client's own types are those of newer servers.
    async fn ask(&self, subject: String, what: &'static str) -> Result<serde_json::Value, BrokerError> {
        let asked = self.jetstream.client().request(subject, Bytes::new()).await;
        let answer = asked.map_err(|why| BrokerError::request(what)(why.into()))?;
        Ok(serde_json::from_slice(&answer.payload).unwrap_or_default())
    }

    /// The version of the server, once there is a connection.
    pub fn version(&self) -> String {
        self.jetstream.client().server_info().version
    }

    async fn open(
        options: &BrokerOptions,
        client: &str,
        with: fn(ConnectOptions) -> ConnectOptions,
    ) -> Result<Self, BrokerError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if options.name.is_empty() || !options.name.chars().all(plain) {
            return Err(BrokerError::Name(options.name.clone()));
        }
        let losses = Arc::new(watch::Sender::new(0));
        let connect = with(connect_options(options, client, losses.clone()));
        let connected = connect.connect(options.address.to_string()).await;
        let client = connected
            .map_err(|source| BrokerError::Unreachable { address: options.address.clone(), source })?;
        let mut jetstream = jetstream::new(client);
        jetstream.set_timeout(REQUEST_TIMEOUT);
        Ok(Self { jetstream, name: options.name.as_str().into(), losses })
    }

    /// Whether there is a connection.
    pub fn is_connected(&self) -> bool {
        self.jetstream.client().connection_state() == State::Connected
    }

    /// Fails at once while there is no connection: what is sent then waits in the client, and comes late.
    pub(super) fn connected(&self) -> Result<&Context, BrokerError> {
        self.is_connected().then_some(&self.jetstream).ok_or(BrokerError::Disconnected)
    }

    /// Waits for an answer, and no longer than the connection lasts: on another one it does not come.
    ///
    /// # Errors
    /// When there is no connection, or none any more.
    pub(super) async fn answer<T>(&self, asked: impl Future<Output = T>) -> Result<T, BrokerError> {
        let mut losses = self.losses.subscribe();
        self.connected()?;
        tokio::select! {
            biased;
            answer = asked => Ok(answer),
            _ = losses.changed() => Err(BrokerError::Disconnected),
        }
    }

    /// The stream of a publisher, which is made if need be.
    pub(super) async fn stream(&self, publisher: ComponentName) -> Result<Stream, BrokerError> {
        let config = Config {
            name: self.stream_name(publisher),
            subjects: vec![format!("{}.>", self.events_of(publisher))],
            retention: RetentionPolicy::Limits,
            max_bytes: STREAM_BYTES,
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            num_replicas: 1,
            duplicate_window: DUPLICATE_WINDOW,
            ..Config::default()
        };
        let made = self.answer(self.jetstream.get_or_create_stream(config)).await?;
        made.map_err(|why| BrokerError::request("open a stream")(why.into()))
    }

    /// Makes the stream of a publisher and removes it again, to see whether the user may, and the server has room for it.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn check_rights(&self, publisher: ComponentName) -> Result<(), BrokerError> {
        self.stream(publisher).await?;
        self.delete_streams([publisher]).await
    }

    /// Removes the streams of some publishers, as far as there are any: for a server that outlives the deployment.
    ///
    /// # Errors
    /// When there is no connection, or the server keeps one of them.
    pub async fn delete_streams(
        &self,
        publishers: impl IntoIterator<Item = ComponentName>,
    ) -> Result<(), BrokerError> {
        const WHAT: &str = "remove a stream";
        self.connected()?;
        for publisher in publishers {
            let answer = self.ask(format!("{DELETE_STREAM}.{}", self.stream_name(publisher)), WHAT).await?;
            let error = &answer["error"];
            // Not every component publishes.
            if error["err_code"].as_i64() != Some(STREAM_NOT_FOUND)
                && let Some(why) = error["description"].as_str()
            {
                return Err(BrokerError::request(WHAT)(why.into()));
            }
        }
        Ok(())
    }

    fn stream_name(&self, publisher: ComponentName) -> String {
        format!("{}-{publisher}", self.name)
    }

    /// What the subjects of a publisher's events begin with; the topic follows.
    pub(super) fn events_of(&self, publisher: ComponentName) -> String {
        format!("{}.ev.{publisher}", self.name)
    }

    /// The subject of what consumers report to a publisher.
    pub(super) fn progress_of(&self, publisher: ComponentName) -> String {
        format!("{}.applied.{publisher}", self.name)
    }
}

/// Whether a server of this version will do, such as `2.9.10`.
///
/// # Errors
/// That it is too old, with what to use instead.
pub fn check_version(version: &str) -> Result<(), BrokerError> {
    let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) < MIN_VERSION => {
            Err(BrokerError::TooOld(version.to_owned()))
        }
        _ => Ok(()),
    }
}

fn connect_options(options: &BrokerOptions, client: &str, losses: Arc<watch::Sender<u64>>) -> ConnectOptions {
    let connect = ConnectOptions::new()
        .name(format!("{}/{client}", options.name))
        .connection_timeout(CONNECT_TIMEOUT)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .ping_interval(PING_INTERVAL)
        .max_reconnects(None)
        .reconnect_delay_callback(reconnect_delay)
        .ignore_discovered_servers()
        .event_callback(move |event| {
            if let Event::Disconnected = event {
                losses.send_modify(|losses| *losses += 1);
            }
            log(&event);
            std::future::ready(())
        });
    match options.credentials.split_once(':') {
        Some((user, password)) => connect.user_and_password(user.to_owned(), password.to_owned()),
        None if options.credentials.is_empty() => connect,
        None => connect.token(options.credentials.clone()),
    }
}

fn reconnect_delay(attempts: usize) -> Duration {
    let doubled = attempts.saturating_sub(1).min(10);
    MIN_RECONNECT_DELAY.saturating_mul(1 << doubled).min(MAX_RECONNECT_DELAY)
}

fn log(event: &Event) {
    match event {
        Event::Connected => tracing::info!("connected to the broker"),
        Event::Disconnected => tracing::warn!("the connection to the broker is lost"),
        Event::ServerError(error) => tracing::warn!(%error, "the broker refuses"),
        Event::ClientError(error) => tracing::debug!(%error, "the broker is not reached"),
        other => tracing::debug!(%other, "the broker"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_made_anew_soon_and_never_seldom() {
        let delays = [1, 2, 3, 4, 5, 1_000_000].map(|attempt| reconnect_delay(attempt).as_millis());
        assert_eq!(delays, [50, 100, 200, 400, 400, 400]);
    }

    #[test]
    fn a_server_that_is_too_old_is_refused_with_what_to_use() {
        for version in ["2.9.0", "2.10.0-beta.1", "2.15.1", "3.0.0"] {
            assert!(check_version(version).is_ok(), "{version}");
        }
        for version in ["2.8.4", "1.4.1", "2.2.0-beta.1"] {
            let why = check_version(version).expect_err("too old").to_string();
            assert!(why.contains(version) && why.contains("use NATS 2.9 or later"), "{why}");
        }
    }

    #[test]
    fn options_are_shown_without_credentials() {
        let options = BrokerOptions {
            address: BrokerAddress::loopback(4300),
            credentials: "ada:s3cret".into(),
            name: "run-A".into(),
        };
        assert_eq!(format!("{options:?}"), "run-A at nats://127.0.0.1:4300");
        assert!(!format!("{:?}", connect_options(&options, "feed#0", Arc::default())).contains("s3cret"));
    }
}
