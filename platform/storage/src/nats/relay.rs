//! From an outbox to its stream: publishes the rows in their order, one after another, each acknowledged before the next.
//!
//! A relay begins at the end of the stream: what the last message says of itself is how far the relay has come, whenever
//! it or the broker was killed. A message is taken for the place after the one before it and for no other
//! (`Nats-Expected-Last-Sequence`), so that a stream has no gap that its relay does not notice; one that is sent again
//! because its acknowledgement was lost is known by its id (`Nats-Msg-Id`).
//!
//! The mark in the database is how far the relay knows itself to be acknowledged. It is written once a second: it says
//! where to go on in a stream that was emptied, and shows what the broker has lost. Rows of the outbox are not dropped by
//! it, but when their consumers have applied them.

use std::time::{Duration, Instant};

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::stream::Stream;
use contract::{ComponentName, Refusal};
use runtime::{ShutdownPolicy, Tasks, clock, scope};

use super::broker::{Broker, BrokerError};
use super::message::StreamEvent;
use super::progress;
use crate::inbox::{Inbox, LEASE_US, Position};
use crate::{Bus, Database, Outbox, StorageError};

/// What the relay's mark is kept under, beside the positions of consumers: no component can be called so.
const MARK: &str = "outbox relay";
/// Rows read at a time.
const MAX_READ_ROWS: u32 = 64;
/// Longest wait for a row, and how often the mark is written: as seldom as it is of use, since it is a commit.
const MARK_INTERVAL: Duration = Duration::from_secs(1);
/// The first wait where copies share the database: the lease is renewed between reads.
const SHARED_WAIT: Duration = Duration::from_millis(800);
/// How often what all consumers have applied is dropped from the stream.
const TRIM_INTERVAL: Duration = Duration::from_secs(10);
/// First wait after a failure; doubles.
const MIN_BACKOFF: Duration = Duration::from_millis(20);
/// Longest wait after a failure.
const MAX_BACKOFF: Duration = Duration::from_millis(500);

/// Why a relay does not get on for now.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("{0}")]
    Outbox(Refusal),
    #[error("another message came in between")]
    Overtaken,
}

/// The end of a stream, as far as a relay knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StreamEnd {
    /// Number of the last message that the stream was given.
    message: u64,
    /// Up to where in the outbox events have been relayed; 0 where the stream has none of this database.
    seq: i64,
}

/// Publishes what a component has published to the other databases of its deployment.
pub struct Relay {
    /// The broker.
    pub broker: Broker,
    /// The publisher's database.
    pub db: Database,
    /// The publisher.
    pub publisher: ComponentName,
    /// Its topics that consumers of other processes wait for.
    pub topics: Vec<&'static str>,
}

struct RelayLoop {
    relay: Relay,
    outbox: Outbox,
    /// All topics, as the outbox is asked for them.
    topic_list: String,
    inbox: Inbox,
    marked: Position,
    marked_at: Instant,
    trimmed_at: Instant,
    failures: u32,
}

impl Relay {
    /// Starts relaying the outbox of a bus, and hearing how far its consumers are.
    pub fn start(self, bus: &Bus, tasks: &Tasks) {
        let component = self.publisher;
        let inbox = Inbox::new(self.db.clone(), MARK, component.as_str());
        let now = clock::now();
        let relay_loop = RelayLoop {
            outbox: bus.outbox().clone(),
            topic_list: self.topics.join(","),
            inbox,
            marked: Position::default(),
            marked_at: now,
            trimmed_at: now,
            failures: 0,
            relay: self,
        };
        let (broker, outbox) = (relay_loop.relay.broker.clone(), relay_loop.outbox.clone());
        let progress = scope::within(component, progress::listen(broker, component, outbox));
        tasks.spawn("storage.progress", ShutdownPolicy::Cancel, progress);
        let relay = scope::within(component, relay_loop.run());
        tasks.spawn("storage.relay", ShutdownPolicy::Cancel, relay);
    }
}

impl RelayLoop {
    async fn run(mut self) {
        loop {
            if let Err(error) = self.relay_from_end().await {
                self.failures += 1;
                tracing::debug!(publisher = %self.relay.publisher, %error, "no event is relayed for now");
                tokio::time::sleep(backoff(self.failures)).await;
            }
        }
    }

    /// Goes on from the end of the stream, until something fails or another copy has the lease.
    async fn relay_from_end(&mut self) -> Result<(), RelayError> {
        if !self.hold_lease().await? {
            tokio::time::sleep(Duration::from_micros(LEASE_US.cast_unsigned() / 3)).await;
            return Ok(());
        }
        let stream = self.relay.broker.stream(self.relay.publisher).await?;
        self.marked = self.inbox.position().await?;
        let mut end = self.end_of(&stream).await?;
        if end.seq < self.marked.seq {
            tracing::warn!(
                publisher = %self.relay.publisher,
                acknowledged = self.marked.seq,
                kept = end.seq,
                "the broker has lost events that it had acknowledged; they are relayed again"
            );
        }
        loop {
            let wait = if self.relay.db.is_shared() { SHARED_WAIT } else { MARK_INTERVAL };
            let batch = self.outbox.pull(&self.topic_list, end.seq, MAX_READ_ROWS, wait).await;
            for envelope in batch.map_err(RelayError::Outbox)?.rows {
                let event =
                    StreamEvent { epoch: self.relay.db.epoch().to_owned(), previous: end.seq, envelope };
                end = self.publish(&event, end).await?;
                self.failures = 0;
            }
            self.mark(end.seq).await?;
            self.trim(&stream, end).await?;
            if !self.hold_lease().await? {
                return Ok(());
            }
        }
    }

    /// Whether this copy is the one that relays.
    async fn hold_lease(&self) -> Result<bool, StorageError> {
        Ok(!self.relay.db.is_shared() || self.inbox.hold_lease().await?)
    }

    /// Publishes an event to the place after the end, and returns the new end.
    async fn publish(&self, event: &StreamEvent, end: StreamEnd) -> Result<StreamEnd, RelayError> {
        let failed = |why: async_nats::Error| RelayError::Broker(BrokerError::request("store an event")(why));
        let headers = event.headers(end.message).map_err(|why| failed(why.into()))?;
        let broker = &self.relay.broker;
        let subject = format!("{}.{}", broker.events_of(self.relay.publisher), event.envelope.topic);
        let publishing = async {
            match broker.connected()?.publish_with_headers(subject, headers, event.payload()).await {
                Ok(sent) => Ok(sent.await),
                Err(why) => Ok(Err(why)),
            }
        };
        let stored: Result<_, BrokerError> = broker.answer(publishing).await?;
        match stored? {
            Ok(stored) => Ok(StreamEnd { message: stored.sequence, seq: event.envelope.seq }),
            Err(why) if why.kind() == PublishErrorKind::WrongLastSequence => Err(RelayError::Overtaken),
            Err(why) => Err(failed(why.into())),
        }
    }

    /// The end of the stream, from its last message; in one that was emptied, from the mark.
    async fn end_of(&self, stream: &Stream) -> Result<StreamEnd, RelayError> {
        let failed = |why: async_nats::Error| {
            RelayError::Broker(BrokerError::request("show the end of a stream")(why))
        };
        let state = stream.get_info().await.map_err(|why| failed(why.into()))?.state;
        let message = state.last_sequence;
        let seq = match (message, state.messages) {
            (0, _) => 0,
            (_, 0) => self.marked.seq,
            _ => self.seq_at(stream, message).await?.unwrap_or(0),
        };
        Ok(StreamEnd { message, seq })
    }

    /// The position in this outbox of the event in a message; `None` where the message has none.
    async fn seq_at(&self, stream: &Stream, message: u64) -> Result<Option<i64>, RelayError> {
        let found = stream.get_raw_message(message).await;
        let found = found.map_err(|why| BrokerError::request("show a message")(why.into()))?;
        let event = StreamEvent::read(&found.subject, &found.headers, &found.payload).ok();
        Ok(event.filter(|event| event.epoch == self.relay.db.epoch()).map(|event| event.envelope.seq))
    }

    /// Writes down how far the broker has acknowledged, now and then.
    async fn mark(&mut self, acknowledged: i64) -> Result<(), StorageError> {
        if acknowledged == self.marked.seq
            || clock::now().saturating_duration_since(self.marked_at) < MARK_INTERVAL
        {
            return Ok(());
        }
        let mark = Position { epoch: self.relay.db.epoch().to_owned(), seq: acknowledged };
        self.inbox.set(&mark).await?;
        (self.marked, self.marked_at) = (mark, clock::now());
        Ok(())
    }

    /// Drops from the stream what all consumers have applied, now and then. The last message stays: a relay goes on from
    /// it.
    async fn trim(&mut self, stream: &Stream, end: StreamEnd) -> Result<(), RelayError> {
        if clock::now().saturating_duration_since(self.trimmed_at) < TRIM_INTERVAL {
            return Ok(());
        }
        self.trimmed_at = clock::now();
        let Some(applied) = self.outbox.applied_by_all_of(&self.relay.topics) else { return Ok(()) };
        let failed = |why: async_nats::Error| RelayError::Broker(BrokerError::request("trim a stream")(why));
        let state = stream.get_info().await.map_err(|why| failed(why.into()))?.state;
        // Events are in the order of their positions: the first that is not applied by all is found by halving.
        let (mut first_kept, mut above) = (state.first_sequence, end.message);
        while first_kept < above {
            let middle = first_kept + (above - first_kept) / 2;
            match self.seq_at(stream, middle).await? {
                Some(seq) if seq > applied => above = middle,
                _ => first_kept = middle + 1,
            }
        }
        if first_kept > state.first_sequence {
            stream.purge().sequence(first_kept).await.map_err(|why| failed(why.into()))?;
        }
        Ok(())
    }
}

fn backoff(failures: u32) -> Duration {
    MIN_BACKOFF.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(MAX_BACKOFF)
}
