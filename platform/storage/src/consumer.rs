//! Events from another database: delivered at least once, applied exactly once.
//!
//! One transaction holds the effect, the mark that the event was seen, and the
//! new offset. A crash before it delivers the event again; after it, the mark
//! shows that it was applied. One event at a time per component, so that what was gathered for one
//! is seldom overtaken by the effect of another: only where another copy applies it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use contract::{CallContext, ComponentName, Deadline, Envelope, Refusal, RefusalKind};
use runtime::cost::{self, Operation, Part};
use runtime::{ShutdownPolicy, Tasks, clock, scope};
use tokio::sync::Mutex;
use tracing::Instrument;

use crate::inbox::{Inbox, LEASE_US, Position};
use crate::subscriber::{MAX_GATHERINGS, Subscription};
use crate::{Bus, Database, Effect, Source, StorageError, query};

/// Events in one pull.
const MAX_PULL_EVENTS: u32 = 64;
/// Longest wait for a first event.
const PULL_WAIT: Duration = Duration::from_secs(10);
/// The same where copies share the consumer's database: the lease is renewed between pulls.
const SHARED_PULL_WAIT: Duration = Duration::from_millis(800);
/// Time an event's handler has.
const HANDLER_TIMEOUT: Duration = Duration::from_secs(10);
/// First wait after a failure; doubles.
const MIN_BACKOFF: Duration = Duration::from_millis(50);
/// Longest wait after a failure.
const MAX_BACKOFF: Duration = Duration::from_secs(2);
/// Tries of an event that is refused for what it is, before it is given up.
const MAX_TRIES: u32 = 5;

/// Consumes the events of one publisher for one component, in the order they
/// were published, whatever their topics.
pub struct Consumer {
    /// The consumer's database.
    pub db: Database,
    /// The consuming component.
    pub component: ComponentName,
    /// The publishing component.
    pub publisher: ComponentName,
    /// Where its events are pulled from.
    pub source: Arc<dyn Source>,
    /// Which of its topics.
    pub topics: Vec<&'static str>,
    /// Shared by all consumers of the component: one event at a time.
    pub apply_lock: Arc<Mutex<()>>,
}

/// A consumer at work.
struct ConsumerLoop {
    consumer: Consumer,
    subscriptions: HashMap<&'static str, Subscription>,
    /// All topics, as the source is asked for them.
    topic_list: String,
    inbox: Inbox,
}

impl Consumer {
    /// Starts consuming.
    ///
    /// # Panics
    /// When the component has not subscribed to one of the topics.
    pub fn start(self, bus: &Bus, tasks: &Tasks) {
        let component = self.component;
        let subscribed = |topic: &&'static str| {
            let subscription = bus.subscription(component, topic);
            (
                *topic,
                subscription
                    .unwrap_or_else(|| panic!("`{component}` lists {topic} and has not subscribed to it")),
            )
        };
        let subscriptions = self.topics.iter().map(subscribed).collect();
        let topic_list = self.topics.join(",");
        let inbox = Inbox::new(self.db.clone(), component.as_str(), self.publisher.as_str());
        let consumer_loop = ConsumerLoop { consumer: self, subscriptions, topic_list, inbox };
        let task = scope::within(component, async move { consumer_loop.run().await });
        tasks.spawn("storage.consume", ShutdownPolicy::Cancel, task);
    }
}

impl ConsumerLoop {
    async fn run(self) {
        let mut failures = 0;
        let pull_wait = if self.consumer.db.is_shared() { SHARED_PULL_WAIT } else { PULL_WAIT };
        // After a start and after a failure it may be another database that answers:
        // that is asked without waiting for an event.
        let mut wait = Duration::ZERO;
        loop {
            match self.pull_once(wait).await {
                Ok(()) => (failures, wait) = (0, pull_wait),
                Err(refusal) => {
                    failures += 1;
                    wait = Duration::ZERO;
                    tracing::debug!(topics = self.topic_list, publisher = %self.consumer.publisher, %refusal, "no events for now");
                    tokio::time::sleep(backoff(failures)).await;
                }
            }
        }
    }

    /// One pull and its events.
    async fn pull_once(&self, wait: Duration) -> Result<(), Refusal> {
        if self.consumer.db.is_shared() && !self.inbox.hold_lease().await? {
            // Another copy consumes; it may die.
            self.consumer.source.report(&self.topic_list, &self.inbox.position().await?).await;
            tokio::time::sleep(Duration::from_micros(LEASE_US.cast_unsigned() / 3)).await;
            return Ok(());
        }
        let position = self.inbox.position().await?;
        let batch = self.consumer.source.pull(&self.topic_list, &position, MAX_PULL_EVENTS, wait).await?;
        if batch.epoch.as_ref().is_some_and(|epoch| *epoch != position.epoch) {
            // Another database than before: its positions mean something else.
            // What was applied of it already is known by its marks.
            self.inbox.set(&Position { epoch: batch.epoch.unwrap_or_default(), seq: 0 }).await?;
            if position.seq > 0 {
                return Ok(());
            }
        }
        let order = self.consumer.db.faults().delivery_order(self.consumer.component, batch.rows.len());
        let mut applied = vec![false; batch.rows.len()];
        for index in order {
            applied[index] = true;
            // The offset stays before the first that is missing: after a crash it is delivered
            // again, and those that came before their time are known by their marks.
            let contiguous = applied.iter().take_while(|applied| **applied).count();
            let offset =
                contiguous.checked_sub(1).filter(|last| *last >= index).map(|last| batch.rows[last].seq);
            self.apply_or_dead_letter(&batch.rows[index], offset).await?;
        }
        Ok(())
    }

    /// Tries until it is applied, or given up for what it is.
    async fn apply_or_dead_letter(&self, envelope: &Envelope, offset: Option<i64>) -> Result<(), Refusal> {
        let mut tries = 0;
        loop {
            match self.apply(envelope, offset).await {
                Ok(()) => return Ok(()),
                Err(refusal) => {
                    tries += 1;
                    if is_permanent(&refusal) && tries >= MAX_TRIES {
                        return Ok(self.dead_letter(envelope, offset, &refusal).await?);
                    }
                    tokio::time::sleep(backoff(tries)).await;
                }
            }
        }
    }

    /// Applies an event and moves the offset to `offset`, where no earlier one is missing.
    async fn apply(&self, envelope: &Envelope, offset: Option<i64>) -> Result<(), Refusal> {
        let span = telemetry::consumer_span(
            self.consumer.source.system(),
            &envelope.topic,
            envelope.trace().unwrap_or_default(),
        );
        let work = async {
            let began = clock::now();
            self.consumer.db.faults().check_event(self.consumer.component)?;
            let _guard = self.consumer.apply_lock.lock().await;
            let topic = envelope.topic.as_ref();
            let unreadable =
                |why: String| Refusal::bad_request("event_unreadable", format!("{topic}: {why}"));
            let subscription =
                self.subscriptions.get(topic).ok_or_else(|| unreadable("no subscriber here".into()))?;
            let handler = &subscription.handler;
            let event = handler.decode(envelope).map_err(|why| unreadable(why.to_string()))?;
            let deadline = Deadline::after(began, HANDLER_TIMEOUT);
            let mut cx = CallContext::background(self.consumer.publisher, deadline);
            cx.request = envelope.seq.cast_unsigned();
            let mut gatherings = 0;
            let tx = loop {
                // A component that was called may be down: the event is not at fault.
                let gathered = match gatherings < MAX_GATHERINGS {
                    true => Some(handler.gather(&cx, &*event).await.map_err(as_transient)?),
                    false => None,
                };
                gatherings += 1;
                let mut tx = self.consumer.db.write().await?;
                if let Some(seq) = offset
                    && !self.inbox.advance(&mut tx, seq).await?
                {
                    // Delivered again, or another copy was faster. Positions are applied in
                    // order, so what comes next in the batch is next for the faster copy.
                    return Ok(());
                }
                if !self.mark_seen(&mut tx, &envelope.id).await?
                    || handler.apply(&cx, &mut tx, &*event, gathered).await? == Effect::Applied
                {
                    break tx;
                }
            };
            tx.commit().await?;
            let lag = (clock::wall_us() - envelope.created_us).max(0).cast_unsigned();
            let took = clock::now().saturating_duration_since(began);
            telemetry::messages(self.consumer.component, &envelope.topic)
                .applied(took, Duration::from_micros(lag));
            Ok(())
        };
        let operation = Operation::of(self.consumer.component, &telemetry::process_name(&envelope.topic));
        scope::serving(operation, cost::part(Part::Business, work.instrument(span))).await
    }

    /// False when the event was applied before.
    async fn mark_seen(&self, tx: &mut crate::Tx, id: &str) -> Result<bool, StorageError> {
        let insert = query(
            "INSERT",
            "inbox_seen",
            "INSERT INTO inbox_seen (consumer, id, seen_us) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(self.consumer.component.as_str())
        .bind(id)
        .bind(clock::wall_us());
        Ok(insert.execute(tx.conn()).await? == 1)
    }

    /// Gives an event up, where it can be found and is counted, and goes on.
    async fn dead_letter(
        &self,
        envelope: &Envelope,
        offset: Option<i64>,
        refusal: &Refusal,
    ) -> Result<(), StorageError> {
        let mut tx = self.consumer.db.write().await?;
        if let Some(seq) = offset {
            self.inbox.advance(&mut tx, seq).await?;
        }
        let insert = query(
            "INSERT",
            "dead_letters",
            "INSERT INTO dead_letters (consumer, id, topic, payload, reason, died_us)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        )
        .bind(self.consumer.component.as_str())
        .bind(&envelope.id)
        .bind(&*envelope.topic)
        .bind(&envelope.payload)
        .bind(refusal.to_string())
        .bind(clock::wall_us());
        insert.execute(tx.conn()).await?;
        tx.commit().await?;
        telemetry::messages(self.consumer.component, &envelope.topic).dead_letter();
        tracing::error!(topic = %envelope.topic, id = %envelope.id, %refusal, "an event was given up");
        Ok(())
    }
}

/// A failure of a called component, as a transient one.
fn as_transient(refusal: Refusal) -> Refusal {
    if refusal.kind.is_failure() { Refusal { kind: RefusalKind::Unavailable, ..refusal } } else { refusal }
}

/// Whether a refusal is about the event rather than about the moment.
fn is_permanent(refusal: &Refusal) -> bool {
    !matches!(
        refusal.kind,
        RefusalKind::Unavailable | RefusalKind::DeadlineExceeded | RefusalKind::Lost | RefusalKind::TooMany
    )
}

fn backoff(failures: u32) -> Duration {
    MIN_BACKOFF.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(MAX_BACKOFF)
}
