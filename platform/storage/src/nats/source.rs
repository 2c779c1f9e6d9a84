//! From a stream to a consumer: one event at a time, acknowledged when the consumer's position shows that it is applied.
//!
//! The broker keeps a position of its own for each consumer, which is only where it begins to deliver: what it delivers
//! again is known by the consumer's position and acknowledged, and what it does not have is read in the outbox. With one
//! event unacknowledged at most, redelivery does not change the order. An event that cannot be applied for now stays in hand:
//! nothing else is asked for meanwhile, and so nothing is delivered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer};
use async_nats::jetstream::{AckKind, Message};
use contract::{ComponentName, Pending, Refusal};
use futures_util::StreamExt;
use runtime::clock;
use tokio::sync::Mutex;

use super::broker::{Broker, BrokerError};
use super::message::StreamEvent;
use super::progress;
use crate::source::Reporting;
use crate::{Batch, Position, Source};

/// The broker delivers an event again that was not acknowledged for so long: so long a consumer waits that was killed and
/// is back.
const ACK_WAIT: Duration = Duration::from_secs(2);
/// Longest wait for an event, after which the publisher hears again how far the consumer is.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// Shortest wait that the broker is asked for.
const MIN_WAIT: Duration = Duration::from_millis(50);
/// Time for the answer that nothing came, on top of the wait.
const TRAVEL_ALLOWANCE: Duration = Duration::from_secs(2);
/// Reports are no more frequent than this.
const REPORT_INTERVAL: Duration = Duration::from_millis(100);

/// What a consumer hears of one publisher, through a broker.
pub struct BrokerSource {
    broker: Broker,
    publisher: ComponentName,
    consumer: ComponentName,
    /// The publisher's outbox, for what the broker does not have.
    outbox: Arc<dyn Source>,
    state: Mutex<Subscription>,
}

/// What a source knows of its stream.
struct Subscription {
    /// The consumer as the broker keeps it, once it was found or made.
    remote: Option<PullConsumer>,
    /// The event that it has and has not acknowledged.
    pending: Option<(StreamEvent, Message)>,
    /// Up to where nothing of the stream was missing, in the database so named.
    seen: Position,
    reported_at: Option<Instant>,
}

impl BrokerSource {
    /// A source of a publisher's events for a consumer. Nothing is asked yet.
    pub fn new(
        broker: Broker,
        publisher: ComponentName,
        consumer: ComponentName,
        outbox: Arc<dyn Source>,
    ) -> Self {
        let subscription =
            Subscription { remote: None, pending: None, seen: Position::default(), reported_at: None };
        Self { broker, publisher, consumer, outbox, state: Mutex::new(subscription) }
    }

    async fn next(
        &self,
        topics: &str,
        after: &Position,
        limit: u32,
        wait: Duration,
    ) -> Result<Batch, Refusal> {
        let mut state = self.state.lock().await;
        if state.is_report_due() {
            // The next one says more.
            let _ = progress::report(&self.broker, self.publisher, self.consumer, topics, after).await;
        }
        loop {
            if state.pending.is_none() {
                let fetched = self.fetch(&mut state, wait).await;
                state.pending = fetched.inspect_err(|_| state.remote = None)?;
            }
            let Some((event, _)) = &state.pending else {
                return Ok(Batch { epoch: None, rows: Vec::new() });
            };
            let (event, seq) = (event.clone(), event.envelope.seq);
            if after.epoch != event.epoch {
                // The consumer begins anew in this database, and asks again.
                return Ok(Batch { epoch: Some(event.epoch), rows: Vec::new() });
            }
            if seq <= after.seq {
                // Applied, or delivered again.
                state.acknowledge().await;
                continue;
            }
            if event.previous > after.seq.max(state.seen_in(&event.epoch)) {
                let missing = self.outbox.pull(topics, after, limit, Duration::ZERO).await?;
                let missing = before(missing, &event);
                if !missing.rows.is_empty() {
                    tracing::warn!(
                        publisher = %self.publisher,
                        events = missing.rows.len(),
                        "the broker does not have events; they are read in the outbox"
                    );
                    return Ok(missing);
                }
            }
            state.seen = Position { epoch: event.epoch.clone(), seq };
            if topics.split(',').any(|topic| topic == event.envelope.topic) {
                return Ok(Batch { epoch: Some(event.epoch), rows: vec![event.envelope] });
            }
            state.acknowledge().await;
        }
    }

    /// The next event of the stream; `None` where none comes in time.
    async fn fetch(
        &self,
        state: &mut Subscription,
        wait: Duration,
    ) -> Result<Option<(StreamEvent, Message)>, BrokerError> {
        let wait = wait.clamp(MIN_WAIT, MAX_WAIT);
        if state.remote.is_none() {
            state.remote = Some(self.remote().await?);
        }
        let remote = state.remote.as_ref().expect("it was just made");
        let failed = BrokerError::request("deliver events");
        let asked = remote.batch().max_messages(1).expires(wait).messages().await;
        let mut messages = match asked {
            Ok(messages) => messages,
            Err(why) => return Err(failed(why.into())),
        };
        let next = self.broker.answer(messages.next());
        let message = match tokio::time::timeout(wait + TRAVEL_ALLOWANCE, next).await {
            Ok(Err(lost)) => return Err(lost),
            // It answered that nothing came.
            Ok(Ok(None)) => return Ok(None),
            Ok(Ok(Some(Ok(message)))) => message,
            Ok(Ok(Some(Err(why)))) => return Err(failed(why)),
            Err(_) => return Err(failed("it does not answer".into())),
        };
        let headers = message.headers.clone().unwrap_or_default();
        match StreamEvent::read(&message.subject, &headers, &message.payload) {
            Ok(event) => Ok(Some((event, message))),
            Err(why) => {
                tracing::error!(subject = %message.subject, why, "a message in the stream of events is none");
                // Delivered again it would be no better.
                let _ = message.ack_with(AckKind::Term).await;
                Ok(None)
            }
        }
    }

    /// The consumer as the broker keeps it, which is made if need be.
    async fn remote(&self) -> Result<PullConsumer, BrokerError> {
        let stream = self.broker.stream(self.publisher).await?;
        let config = Config {
            durable_name: Some(self.consumer.to_string()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_ack_pending: 1,
            ..Config::default()
        };
        let made = stream.get_or_create_consumer(self.consumer.as_str(), config).await;
        made.map_err(|why| BrokerError::request("open a consumer")(why.into()))
    }
}

impl Subscription {
    /// Up to where the stream was seen without a gap, in a database.
    fn seen_in(&self, epoch: &str) -> i64 {
        if self.seen.epoch == epoch { self.seen.seq } else { 0 }
    }

    /// Acknowledges what it has: the next may come. An acknowledgement that gets lost has it delivered again.
    async fn acknowledge(&mut self) {
        if let Some((_, message)) = self.pending.take() {
            let _ = message.ack().await;
        }
    }

    fn is_report_due(&mut self) -> bool {
        let now = clock::now();
        let is_due = self
            .reported_at
            .is_none_or(|reported_at| now.saturating_duration_since(reported_at) >= REPORT_INTERVAL);
        if is_due {
            self.reported_at = Some(now);
        }
        is_due
    }
}

impl Source for BrokerSource {
    fn pull<'a>(
        &'a self,
        topics: &'a str,
        after: &'a Position,
        limit: u32,
        wait: Duration,
    ) -> Pending<'a, Batch> {
        Box::pin(self.next(topics, after, limit, wait))
    }

    fn report<'a>(&'a self, topics: &'a str, at: &'a Position) -> Reporting<'a> {
        Box::pin(async move {
            // The next one says more.
            let _ = progress::report(&self.broker, self.publisher, self.consumer, topics, at).await;
        })
    }

    fn system(&self) -> &'static str {
        "nats"
    }
}

/// Of a batch of the outbox, what was published before an event.
fn before(mut batch: Batch, event: &StreamEvent) -> Batch {
    let is_same = batch.epoch.as_ref() == Some(&event.epoch);
    batch.rows.retain(|row| is_same && row.seq < event.envelope.seq);
    batch
}
