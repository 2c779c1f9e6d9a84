//! Events: subscribers within the transaction, the outbox for the rest.
//!
//! Whoever shares the publisher's database is told inside its transaction:
//! nothing is stale, nothing can be lost, and the publisher waits. Everybody
//! else finds a row in the outbox, written in the same transaction.

use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::marker::PhantomData;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use contract::{CallContext, ComponentName, Envelope, Event, Pending, Refusal};
use runtime::{clock, scope};
use serde::{Deserialize, Serialize};
use sqlx::QueryBuilder;
use tracing::Instrument;

use crate::engine::Engine;
use crate::{Database, StorageError, Tx, query};

/// Hears of every `E`.
pub trait Subscriber<E: Event>: Send + Sync + 'static {
    /// What must be asked of others before the effect; `()` if nothing.
    type Gathered: Send + 'static;

    /// Asks others. In a shared database it runs inside the publisher's
    /// transaction and sees what was committed before; elsewhere before any
    /// transaction, so that no lock is held across the network.
    fn gather<'a>(&'a self, cx: &'a CallContext, event: &'a E) -> Pending<'a, Self::Gathered>;

    /// The effect. May publish. May run again after a rollback.
    fn apply<'a>(
        &'a self,
        cx: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a E,
        gathered: Self::Gathered,
    ) -> Pending<'a, ()>;
}

type Erased = Box<dyn Any + Send + Sync>;
type Gathered = Box<dyn Any + Send>;

/// A subscriber of some event, behind one type.
pub(crate) trait Handler: Send + Sync {
    fn decode(&self, envelope: &Envelope) -> Result<Erased, serde_json::Error>;
    fn gather<'a>(&'a self, cx: &'a CallContext, event: &'a (dyn Any + Send + Sync))
    -> Pending<'a, Gathered>;
    fn apply<'a>(
        &'a self,
        cx: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a (dyn Any + Send + Sync),
        gathered: Gathered,
    ) -> Pending<'a, ()>;
}

struct Typed<E, S> {
    subscriber: Arc<S>,
    event: PhantomData<fn() -> E>,
}

fn downcast<E: Event>(event: &(dyn Any + Send + Sync)) -> &E {
    event.downcast_ref().expect("a topic has one event type")
}

impl<E: Event, S: Subscriber<E>> Handler for Typed<E, S> {
    fn decode(&self, envelope: &Envelope) -> Result<Erased, serde_json::Error> {
        envelope.open::<E>().map(|event| Box::new(event) as Erased)
    }

    fn gather<'a>(
        &'a self,
        cx: &'a CallContext,
        event: &'a (dyn Any + Send + Sync),
    ) -> Pending<'a, Gathered> {
        Box::pin(
            async move { Ok(Box::new(self.subscriber.gather(cx, downcast::<E>(event)).await?) as Gathered) },
        )
    }

    fn apply<'a>(
        &'a self,
        cx: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a (dyn Any + Send + Sync),
        gathered: Gathered,
    ) -> Pending<'a, ()> {
        let gathered = gathered.downcast().expect("gathered by the same subscriber");
        self.subscriber.apply(cx, tx, downcast::<E>(event), *gathered)
    }
}

/// Events as they are pulled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Names the publisher's database.
    pub epoch: String,
    /// In `seq` order.
    pub rows: Vec<Envelope>,
    /// `after` of the next pull.
    pub next: i64,
}

/// Where a consumer pulls from: the publisher's database, or HTTP to whoever has it.
pub trait Source: Send + Sync + 'static {
    /// Events of some topics, separated by commas, after a position, in the
    /// order they were published; waits for the first one.
    fn pull<'a>(&'a self, topics: &'a str, after: i64, limit: u32, wait: Duration) -> Pending<'a, Batch>;
}

#[derive(Clone)]
pub(crate) struct Subscription {
    pub(crate) component: ComponentName,
    pub(crate) handler: Arc<dyn Handler>,
}

/// The events of one database. Cheap to clone.
#[derive(Clone)]
pub struct Bus {
    db: Database,
    outward: Arc<BTreeSet<&'static str>>,
    subscriptions: Arc<RwLock<HashMap<&'static str, Vec<Subscription>>>>,
}

/// How often a waiting pull looks by itself when other processes commit to the same file.
const LOOK_SHARED: Duration = Duration::from_millis(20);
/// And when none does: only against a missed wake-up.
const LOOK: Duration = Duration::from_secs(1);

impl Bus {
    /// A bus over a database. Of `outward` topics rows are kept for others.
    pub fn new(db: Database, outward: BTreeSet<&'static str>) -> Self {
        Self { db, outward: Arc::new(outward), subscriptions: Arc::default() }
    }

    /// Subscribes a component of this process. Whether it hears inside the
    /// publisher's transaction or from a [`crate::Consumer`] is the placement's affair.
    pub fn subscribe<E: Event, S: Subscriber<E>>(&self, component: ComponentName, subscriber: Arc<S>) {
        let handler: Arc<dyn Handler> = Arc::new(Typed::<E, S> { subscriber, event: PhantomData });
        let mut subscriptions = self.subscriptions.write().expect("no panic while held");
        subscriptions.entry(E::TOPIC).or_default().push(Subscription { component, handler });
    }

    pub(crate) fn subscription(&self, component: ComponentName, topic: &str) -> Option<Subscription> {
        let subscriptions = self.subscriptions.read().expect("no panic while held");
        subscriptions.get(topic)?.iter().find(|subscription| subscription.component == component).cloned()
    }

    fn subscribers(&self, topic: &str) -> Vec<Subscription> {
        self.subscriptions.read().expect("no panic while held").get(topic).cloned().unwrap_or_default()
    }

    /// Publishes inside a transaction. `id` is unique per event and follows
    /// from what caused it, so that a repeat publishes nothing new.
    ///
    /// # Errors
    /// When a subscriber here refuses: the transaction must not be committed then.
    pub async fn publish<E: Event>(
        &self,
        cx: &CallContext,
        tx: &mut Tx,
        id: String,
        event: &E,
    ) -> Result<(), Refusal> {
        let publisher = ComponentName::of(E::COMPONENT);
        if self.outward.contains(E::TOPIC) {
            self.keep(cx, tx, id, event).await?;
        }
        let heard_from = cx.asked_by(publisher);
        for Subscription { component, handler } in self.subscribers(E::TOPIC) {
            let span = telemetry::call_span(E::TOPIC, component, "local");
            let effect = async {
                let gathered = handler.gather(&heard_from, event).await?;
                handler.apply(&heard_from, tx, event, gathered).await
            };
            scope::within(component, effect.instrument(span)).await?;
        }
        Ok(())
    }

    async fn keep<E: Event>(
        &self,
        cx: &CallContext,
        tx: &mut Tx,
        id: String,
        event: &E,
    ) -> Result<(), StorageError> {
        let span = telemetry::producer_span(E::TOPIC, &id);
        async {
            let current = telemetry::current_trace();
            let trace = if current.is_valid() { current } else { cx.trace };
            let envelope = Envelope::seal(event, id.clone(), Some(trace), clock::wall_us());
            let insert = sqlx::query(
                "INSERT INTO outbox (id, topic, key, payload, traceparent, created_us)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING",
            )
            .bind(&envelope.id)
            .bind(E::TOPIC)
            .bind(envelope.key.cast_signed())
            .bind(&envelope.payload)
            .bind(&envelope.traceparent)
            .bind(envelope.created_us);
            query("INSERT", "outbox", insert.execute(tx.conn())).await?;
            tx.has_published();
            Ok(())
        }
        .instrument(span)
        .await
    }

    /// Events of some topics, separated by commas, after a position, in the order
    /// they were published; waits up to `wait` for the first.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn outbox(
        &self,
        topics: &str,
        after: i64,
        limit: u32,
        wait: Duration,
    ) -> Result<Batch, Refusal> {
        let until = clock::now() + wait;
        let look = if self.db.is_shared() { LOOK_SHARED } else { LOOK };
        loop {
            // Registered before looking, so that a commit in between is not missed.
            let committed = self.db.committed().notified();
            tokio::pin!(committed);
            committed.as_mut().enable();
            let rows = self.rows(topics, after, limit).await?;
            let left = until.saturating_duration_since(clock::now());
            if !rows.is_empty() || left.is_zero() {
                let next = rows.last().map_or(after, |row| row.seq);
                return Ok(Batch { epoch: self.db.epoch().to_owned(), rows, next });
            }
            // Either way we look again: the time-out is no failure.
            let _ = tokio::time::timeout(left.min(look), committed).await;
        }
    }

    async fn rows(&self, topics: &str, after: i64, limit: u32) -> Result<Vec<Envelope>, StorageError> {
        type Row = (i64, String, String, i64, String, String, i64);
        let mut read = self.db.read().await?;
        let mut select = QueryBuilder::<Engine>::new(
            "SELECT seq, id, topic, key, payload, traceparent, created_us FROM outbox WHERE seq > ",
        );
        select.push_bind(after).push(" AND topic IN (");
        let mut list = select.separated(", ");
        for topic in topics.split(',') {
            list.push_bind(topic);
        }
        select.push(") ORDER BY seq LIMIT ").push_bind(i64::from(limit));
        let rows: Vec<Row> = query("SELECT", "outbox", select.build_query_as().fetch_all(&mut *read)).await?;
        Ok(rows
            .into_iter()
            .map(|(seq, id, topic, key, payload, traceparent, created_us)| Envelope {
                seq,
                id,
                topic: topic.into(),
                key: key.cast_unsigned(),
                payload,
                traceparent,
                created_us,
            })
            .collect())
    }

    /// Tells how much is kept, by topic, for the gauges.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn measure(&self, component: ComponentName) -> Result<(), StorageError> {
        let mut read = self.db.read().await?;
        for topic in self.outward.iter() {
            let select = sqlx::query_as::<_, (i64, Option<i64>)>(
                "SELECT COUNT(*), MIN(created_us) FROM outbox WHERE topic = $1",
            )
            .bind(*topic);
            let (rows, oldest) = query("SELECT", "outbox", select.fetch_one(&mut *read)).await?;
            let age = oldest.map_or(0, |created| (clock::wall_us() - created).max(0)).cast_unsigned();
            telemetry::outbox(component, topic, rows.cast_unsigned(), Duration::from_micros(age));
        }
        Ok(())
    }

    /// Notes how far a consumer has come, and drops what all have applied.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn acknowledge(
        &self,
        topic: &str,
        consumer: &str,
        seq: i64,
        consumers: u32,
    ) -> Result<(), StorageError> {
        let mut tx = self.db.write().await?;
        let upsert = sqlx::query(
            "INSERT INTO outbox_acknowledged (topic, consumer, seq) VALUES ($1, $2, $3)
             ON CONFLICT (topic, consumer) DO UPDATE SET seq = MAX(seq, excluded.seq)",
        )
        .bind(topic)
        .bind(consumer)
        .bind(seq);
        query("INSERT", "outbox_acknowledged", upsert.execute(tx.conn())).await?;
        let select = sqlx::query_as::<_, (i64, Option<i64>)>(
            "SELECT COUNT(*), MIN(seq) FROM outbox_acknowledged WHERE topic = $1",
        )
        .bind(topic);
        let (known, least) = query("SELECT", "outbox_acknowledged", select.fetch_one(tx.conn())).await?;
        if let (true, Some(least)) = (known >= i64::from(consumers), least) {
            let delete =
                sqlx::query("DELETE FROM outbox WHERE topic = $1 AND seq <= $2").bind(topic).bind(least);
            query("DELETE", "outbox", delete.execute(tx.conn())).await?;
        }
        tx.commit().await
    }
}

impl Source for Bus {
    fn pull<'a>(&'a self, topics: &'a str, after: i64, limit: u32, wait: Duration) -> Pending<'a, Batch> {
        Box::pin(self.outbox(topics, after, limit, wait))
    }
}
