//! Events from another database: delivered at least once, applied exactly once.
//!
//! One transaction holds the effect, the mark that the event was seen, and the
//! new offset. A crash before it delivers the event again; after it, the mark
//! tells. One event at a time per component, so that what was gathered for one
//! is not overtaken by the effect of another.

use std::sync::Arc;
use std::time::Duration;

use contract::{CallContext, ComponentName, Deadline, Envelope, Refusal, RefusalKind};
use runtime::{Fate, Tasks, clock, cost, scope};
use tokio::sync::Mutex;
use tracing::Instrument;

use crate::bus::{Source, Subscription};
use crate::{Bus, Database, StorageError, query};

/// Events in one pull.
const LIMIT: u32 = 64;
/// Longest wait for a first event.
const WAIT: Duration = Duration::from_secs(10);
/// Time an event's handler has.
const HANDLING: Duration = Duration::from_secs(10);
/// First wait after a failure; doubles.
const BACKOFF: Duration = Duration::from_millis(50);
/// Longest wait after a failure.
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// Tries of an event that is refused for what it is, before it is given up.
const TRIES: u32 = 5;
/// A copy that has not renewed for this long has lost its lease, microseconds.
const LEASE_US: i64 = 3_000_000;

/// Consumes the events of one publisher for one component.
pub struct Consumer {
    db: Database,
    component: ComponentName,
    publisher: ComponentName,
    source: Arc<dyn Source>,
    topic: &'static str,
    subscription: Subscription,
    one_at_a_time: Arc<Mutex<()>>,
    /// This copy, among those that share the database.
    holder: String,
}

/// What became of an attempt to take an event in.
enum Taken {
    /// Applied, seen before, or given up: the offset has moved.
    Done,
    /// Another copy was faster.
    Overtaken,
}

impl Consumer {
    /// Starts consuming `topics` of a publisher, a task each. `one_at_a_time`
    /// is shared by all consumers of the component.
    ///
    /// # Panics
    /// When the component has not subscribed to one of the topics.
    pub fn start(
        bus: &Bus,
        db: &Database,
        tasks: &Tasks,
        component: ComponentName,
        publisher: ComponentName,
        source: &Arc<dyn Source>,
        topics: &[&'static str],
        one_at_a_time: &Arc<Mutex<()>>,
    ) {
        for &topic in topics {
            let subscription = bus
                .subscription(component, topic)
                .unwrap_or_else(|| panic!("`{component}` lists {topic} and has not subscribed to it"));
            let holder = format!("{}-{}", std::process::id(), clock::mono_ns());
            let consumer = Self {
                db: db.clone(),
                component,
                publisher,
                source: source.clone(),
                topic,
                subscription,
                one_at_a_time: one_at_a_time.clone(),
                holder,
            };
            let life = scope::within(component, async move { consumer.run().await });
            tasks.spawn("storage.consume", Fate::ShutDown, life);
        }
    }

    async fn run(self) {
        let mut failures = 0;
        loop {
            match self.round().await {
                Ok(()) => failures = 0,
                Err(refusal) => {
                    failures += 1;
                    tracing::debug!(topic = self.topic, publisher = %self.publisher, %refusal, "no events for now");
                    tokio::time::sleep(backoff(failures)).await;
                }
            }
        }
    }

    /// One pull and its events.
    async fn round(&self) -> Result<(), Refusal> {
        if self.db.is_shared() && !self.hold_lease().await? {
            // Another copy consumes; it may die.
            tokio::time::sleep(Duration::from_micros(LEASE_US.cast_unsigned() / 3)).await;
            return Ok(());
        }
        let after = self.offset().await?;
        let wait = if self.db.is_shared() { Duration::from_millis(800) } else { WAIT };
        let batch = self.source.pull(self.topic, after, LIMIT, wait).await?;
        for envelope in &batch.rows {
            let mut tries = 0;
            loop {
                match self.take(envelope).await {
                    Ok(Taken::Done) => break,
                    Ok(Taken::Overtaken) => return Ok(()),
                    Err(refusal) => {
                        tries += 1;
                        if is_poison(&refusal) && tries >= TRIES {
                            self.bury(envelope, &refusal).await?;
                            break;
                        }
                        tokio::time::sleep(backoff(tries)).await;
                    }
                }
            }
        }
        Ok(())
    }

    async fn take(&self, envelope: &Envelope) -> Result<Taken, Refusal> {
        let span = telemetry::consumer_span(self.topic, envelope.trace().unwrap_or_default());
        let work = async {
            let began = clock::now();
            let _turn = self.one_at_a_time.lock().await;
            let handler = &self.subscription.handler;
            let event = handler
                .decode(envelope)
                .map_err(|why| Refusal::bad_request("event_unreadable", format!("{}: {why}", self.topic)))?;
            let deadline = Deadline::after(began, HANDLING);
            let mut cx = CallContext::background(self.publisher, deadline);
            cx.request = envelope.seq.cast_unsigned();
            let gathered = handler.gather(&cx, &*event).await?;
            let mut tx = self.db.write().await?;
            if !self.advance(&mut tx, envelope.seq).await? {
                return Ok(Taken::Overtaken);
            }
            if self.mark_seen(&mut tx, &envelope.id).await? {
                handler.apply(&cx, &mut tx, &*event, gathered).await?;
            }
            tx.commit().await?;
            let lag = (clock::wall_us() - envelope.created_us).max(0).cast_unsigned();
            let took = clock::now().saturating_duration_since(began);
            telemetry::messages(self.component, self.topic).applied(took, Duration::from_micros(lag));
            Ok(Taken::Done)
        };
        cost::part(cost::Part::Business, work.instrument(span)).await
    }

    fn source_name(&self) -> &'static str {
        self.publisher.as_str()
    }

    async fn offset(&self) -> Result<i64, StorageError> {
        let mut read = self.db.read().await?;
        let select = sqlx::query_scalar("SELECT seq FROM inbox_offset WHERE consumer = $1 AND source = $2 AND topic = $3")
            .bind(self.component.as_str())
            .bind(self.source_name())
            .bind(self.topic);
        let seq: Option<i64> = query("SELECT", "inbox_offset", select.fetch_optional(&mut *read)).await?;
        Ok(seq.unwrap_or(0))
    }

    /// Moves the offset to `seq`; false when it is there already or beyond.
    async fn advance(&self, tx: &mut crate::Tx, seq: i64) -> Result<bool, StorageError> {
        let upsert = sqlx::query(
            "INSERT INTO inbox_offset (consumer, source, topic, seq, holder, held_until_us)
             VALUES ($1, $2, $3, $4, $5, 0)
             ON CONFLICT (consumer, source, topic) DO UPDATE SET seq = excluded.seq WHERE seq < excluded.seq",
        )
        .bind(self.component.as_str())
        .bind(self.source_name())
        .bind(self.topic)
        .bind(seq)
        .bind(&self.holder);
        Ok(query("INSERT", "inbox_offset", upsert.execute(tx.conn())).await?.rows_affected() == 1)
    }

    /// False when the event was applied before.
    async fn mark_seen(&self, tx: &mut crate::Tx, id: &str) -> Result<bool, StorageError> {
        let insert = sqlx::query(
            "INSERT INTO inbox_seen (consumer, id, seen_us) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(self.component.as_str())
        .bind(id)
        .bind(clock::wall_us());
        Ok(query("INSERT", "inbox_seen", insert.execute(tx.conn())).await?.rows_affected() == 1)
    }

    /// Gives an event up, where it can be found and is counted, and goes on.
    async fn bury(&self, envelope: &Envelope, refusal: &Refusal) -> Result<(), StorageError> {
        let mut tx = self.db.write().await?;
        self.advance(&mut tx, envelope.seq).await?;
        let insert = sqlx::query(
            "INSERT INTO dead_letters (consumer, id, topic, payload, reason, died_us)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        )
        .bind(self.component.as_str())
        .bind(&envelope.id)
        .bind(self.topic)
        .bind(&envelope.payload)
        .bind(refusal.to_string())
        .bind(clock::wall_us());
        query("INSERT", "dead_letters", insert.execute(tx.conn())).await?;
        tx.commit().await?;
        telemetry::messages(self.component, self.topic).dead_letter();
        tracing::error!(topic = self.topic, id = %envelope.id, %refusal, "an event was given up");
        Ok(())
    }

    /// Whether this copy is the one that consumes.
    async fn hold_lease(&self) -> Result<bool, StorageError> {
        let now = clock::wall_us();
        let mut tx = self.db.write().await?;
        let upsert = sqlx::query(
            "INSERT INTO inbox_offset (consumer, source, topic, seq, holder, held_until_us)
             VALUES ($1, $2, $3, 0, $4, $5)
             ON CONFLICT (consumer, source, topic) DO UPDATE SET holder = $4, held_until_us = $5
             WHERE holder = $4 OR held_until_us < $6",
        )
        .bind(self.component.as_str())
        .bind(self.source_name())
        .bind(self.topic)
        .bind(&self.holder)
        .bind(now + LEASE_US)
        .bind(now);
        let held = query("INSERT", "inbox_offset", upsert.execute(tx.conn())).await?.rows_affected() == 1;
        tx.commit().await?;
        Ok(held)
    }
}

/// Whether a refusal is about the event rather than about the moment.
fn is_poison(refusal: &Refusal) -> bool {
    !matches!(
        refusal.kind,
        RefusalKind::Unavailable | RefusalKind::DeadlineExceeded | RefusalKind::Lost | RefusalKind::TooMany
    )
}

fn backoff(failures: u32) -> Duration {
    BACKOFF.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(BACKOFF_MAX)
}
