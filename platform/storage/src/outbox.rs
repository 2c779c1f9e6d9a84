//! Events kept for other databases, in the publisher's own: written in its transaction, pulled in order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::{CallContext, ComponentName, Envelope, Event, Refusal};
use runtime::{ShutdownPolicy, Tasks, clock};
use serde::{Deserialize, Serialize};
use tracing::Instrument;

use crate::{Database, Dialect, Position, StorageError, Tx, query};

/// How often a waiting pull looks by itself when other processes commit to the same file.
const SHARED_POLL_INTERVAL: Duration = Duration::from_millis(20);
/// And when none does: only against a missed wake-up.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Topics consumed from other databases, each with its consumers there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboundTopics(BTreeMap<&'static str, BTreeSet<ComponentName>>);

impl OutboundTopics {
    /// Topics whose consumers are not known: their rows are kept for good.
    pub fn without_known_consumers(topics: impl IntoIterator<Item = &'static str>) -> Self {
        Self(topics.into_iter().map(|topic| (topic, BTreeSet::new())).collect())
    }

    /// Adds a consumer of a topic.
    pub fn add(&mut self, topic: &'static str, consumer: ComponentName) {
        self.0.entry(topic).or_default().insert(consumer);
    }

    /// Whether rows of a topic are kept.
    pub fn has(&self, topic: &str) -> bool {
        self.0.contains_key(topic)
    }

    /// Topics that a component which is none of `hosts` consumes, or whose consumers are not known.
    pub fn topics_beyond(&self, hosts: &[ComponentName]) -> impl Iterator<Item = &'static str> {
        let is_beyond = |consumers: &BTreeSet<ComponentName>| {
            consumers.is_empty() || consumers.iter().any(|consumer| !hosts.contains(consumer))
        };
        self.0.iter().filter(move |(_, consumers)| is_beyond(consumers)).map(|(topic, _)| *topic)
    }

    /// The topics, sorted.
    pub fn topics(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.keys().copied()
    }
}

/// Events as they are pulled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Names the publisher's database; `None` where there are no events, and what would carry them knows it from them alone.
    pub epoch: Option<String>,
    /// In `seq` order.
    pub rows: Vec<Envelope>,
}

/// The outbox of a database. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    db: Database,
    outbound: Arc<OutboundTopics>,
    /// By topic and consumer, up to where it has applied all. Only what was
    /// reported since the start: a trim that comes later than it could does no harm.
    applied: Arc<Mutex<HashMap<(&'static str, ComponentName), i64>>>,
    /// What is published after the commit; none where the outbox is what it should be.
    dual_write: Option<DualWrite>,
}

/// Publishers whose events come after the commit of their cause, and the owner of these publications.
#[derive(Clone)]
struct DualWrite {
    tasks: Tasks,
    publishers: Arc<[ComponentName]>,
}

/// How long a broker would take to acknowledge, where events are published after the
/// commit of their cause: the window in which a crash loses them.
const DUAL_WRITE_DELAY: Duration = Duration::from_millis(10);

impl Outbox {
    pub(crate) fn new(db: Database, outbound: OutboundTopics) -> Self {
        Self { db, outbound: Arc::new(outbound), applied: Arc::default(), dual_write: None }
    }

    /// Publishes events of some components after the commit instead of in it: the dual write that loses events.
    pub(crate) fn dual_write(&mut self, tasks: Tasks, publishers: &[ComponentName]) {
        self.dual_write = Some(DualWrite { tasks, publishers: publishers.into() });
    }

    /// Keeps an event for other databases, if any consumes its topic.
    pub(crate) async fn append<E: Event>(
        &self,
        cx: &CallContext,
        tx: &mut Tx,
        id: String,
        event: &E,
    ) -> Result<(), StorageError> {
        if !self.outbound.has(E::TOPIC) {
            return Ok(());
        }
        let span = telemetry::producer_span(E::TOPIC, &id);
        async {
            let current = telemetry::current_trace();
            let trace = if current.is_valid() { current } else { cx.trace };
            let envelope = Envelope::seal(event, id.clone(), Some(trace), clock::wall_us());
            let of_publisher = |dual_write: &&DualWrite| {
                dual_write.publishers.iter().any(|publisher| publisher.as_str() == E::COMPONENT)
            };
            if let Some(dual_write) = self.dual_write.as_ref().filter(of_publisher) {
                let (db, tasks) = (self.db.clone(), dual_write.tasks.clone());
                tx.on_commit(move || {
                    tasks.spawn(
                        "storage.dual_write",
                        ShutdownPolicy::Cancel,
                        publish_after_commit(db, envelope),
                    );
                });
                return Ok(());
            }
            insert(tx, envelope).await
        }
        .instrument(span)
        .await
    }

    /// Events of some topics, separated by commas, after a position, in the order
    /// they were published; waits up to `wait` for the first.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn pull(&self, topics: &str, after: i64, limit: u32, wait: Duration) -> Result<Batch, Refusal> {
        let until = clock::now() + wait;
        let interval = if self.db.is_shared() { SHARED_POLL_INTERVAL } else { POLL_INTERVAL };
        loop {
            // Registered before looking, so that a commit in between is not missed.
            let committed = self.db.committed().notified();
            tokio::pin!(committed);
            committed.as_mut().enable();
            let delivery_stopped = self.db.faults().is_delivery_stopped();
            let rows = if delivery_stopped { Vec::new() } else { self.rows(topics, after, limit).await? };
            let left = until.saturating_duration_since(clock::now());
            if !rows.is_empty() || left.is_zero() {
                // Applied elsewhere, they must not be lost here.
                self.db.settled().await?;
                return Ok(Batch { epoch: Some(self.db.epoch().to_owned()), rows });
            }
            // Polled again either way: the time-out is not a failure.
            let interval = if delivery_stopped { SHARED_POLL_INTERVAL } else { interval };
            let _ = tokio::time::timeout(left.min(interval), committed).await;
        }
    }

    async fn rows(&self, topics: &str, after: i64, limit: u32) -> Result<Vec<Envelope>, StorageError> {
        type Row = (i64, String, String, i64, String, String, i64);
        let mut read = self.db.read().await?;
        let mut select = query(
            "SELECT",
            "outbox",
            "SELECT seq, id, topic, key, payload, traceparent, created_us FROM outbox WHERE seq > $1",
        )
        .bind(after);
        let mut before = " AND topic IN (";
        for topic in topics.split(',') {
            select = select.push(before).push_value(topic);
            before = ", ";
        }
        let select = select.push(") ORDER BY seq LIMIT ").push_value(i64::from(limit));
        let rows: Vec<Row> = select.all(&mut read).await?;
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

    /// The same for a consumer known by name, which has applied everything up to `after`.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn pull_for(
        &self,
        consumer: ComponentName,
        topics: &str,
        after: &Position,
        limit: u32,
        wait: Duration,
    ) -> Result<Batch, Refusal> {
        self.applied(topics, consumer, after);
        self.pull(topics, after.seq, limit, wait).await
    }

    /// Whether rows of one of some topics, separated by commas, are kept here.
    pub fn keeps(&self, topics: &str) -> bool {
        topics.split(',').any(|topic| self.outbound.has(topic))
    }

    /// Records that a consumer has applied everything up to a position, which it reports by
    /// pulling what comes after. A position in another database than this says nothing.
    pub fn applied(&self, topics: &str, consumer: ComponentName, at: &Position) {
        if at.epoch != self.db.epoch() {
            return;
        }
        let seq = at.seq;
        let mut applied = self.applied.lock().expect("no panic while held");
        for topic in topics.split(',') {
            let known = self.outbound.0.get_key_value(topic);
            if let Some((topic, _)) = known.filter(|(_, consumers)| consumers.contains(&consumer)) {
                let at = applied.entry((topic, consumer)).or_default();
                *at = seq.max(*at);
            }
        }
    }

    /// Events that a consumer known by name has not applied yet, or not yet reported; 0 when all are up to
    /// date. Among copies that share the database, each counts the reports it got itself.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn waiting(&self) -> Result<u64, StorageError> {
        let least: Vec<(&'static str, i64)> = {
            let applied = self.applied.lock().expect("no panic while held");
            let position = |topic, consumer| applied.get(&(topic, consumer)).copied().unwrap_or(0);
            let least = |(topic, consumers): (&&'static str, &BTreeSet<ComponentName>)| {
                Some((*topic, consumers.iter().map(|consumer| position(*topic, *consumer)).min()?))
            };
            self.outbound.0.iter().filter_map(least).collect()
        };
        let mut read = self.db.read().await?;
        let mut waiting = 0;
        for (topic, seq) in least {
            let select =
                query("SELECT", "outbox", "SELECT COUNT(*) FROM outbox WHERE topic = $1 AND seq > $2");
            waiting += select.bind(topic).bind(seq).one::<i64>(&mut read).await?.cast_unsigned();
        }
        Ok(waiting)
    }

    /// Up to where all consumers of each topic have applied it, of those topics of which all have reported.
    fn applied_by_all(&self) -> Vec<(&'static str, i64)> {
        let applied = self.applied.lock().expect("no panic while held");
        let least = |(topic, consumers): (&&'static str, &BTreeSet<ComponentName>)| {
            let positions = consumers.iter().map(|consumer| applied.get(&(*topic, *consumer)).copied());
            let least = positions.collect::<Option<Vec<i64>>>()?.into_iter().min()?;
            (least > 0).then_some((*topic, least))
        };
        self.outbound.0.iter().filter_map(least).collect()
    }

    /// Up to where all consumers of some topics have applied them; `None` where one of them has not reported.
    #[cfg(feature = "nats")]
    pub(crate) fn applied_by_all_of(&self, topics: &[&'static str]) -> Option<i64> {
        let applied = self.applied_by_all();
        let of = |topic: &&'static str| applied.iter().find(|(other, _)| other == topic).map(|(_, seq)| *seq);
        topics.iter().map(of).collect::<Option<Vec<i64>>>()?.into_iter().min()
    }

    /// Drops the rows that all consumers have applied; returns how many.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn trim(&self) -> Result<u64, StorageError> {
        let done = self.applied_by_all();
        if done.is_empty() {
            return Ok(0);
        }
        let mut tx = self.db.write().await?;
        let mut trimmed = 0;
        for (topic, seq) in done {
            let delete = query("DELETE", "outbox", "DELETE FROM outbox WHERE topic = $1 AND seq <= $2");
            trimmed += delete.bind(topic).bind(seq).execute(tx.conn()).await?;
        }
        tx.commit().await?;
        Ok(trimmed)
    }

    /// Records how much is kept, by topic, in the gauges.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn record_metrics(&self, component: ComponentName) -> Result<(), StorageError> {
        let mut read = self.db.read().await?;
        for topic in self.outbound.0.keys() {
            let select =
                query("SELECT", "outbox", "SELECT COUNT(*), MIN(created_us) FROM outbox WHERE topic = $1");
            let (rows, oldest): (i64, Option<i64>) = select.bind(*topic).one(&mut read).await?;
            let age = oldest.map_or(0, |created| (clock::wall_us() - created).max(0)).cast_unsigned();
            telemetry::outbox(component, topic, rows.cast_unsigned(), Duration::from_micros(age));
        }
        Ok(())
    }
}

async fn insert(tx: &mut Tx, envelope: Envelope) -> Result<(), StorageError> {
    tx.mark_published();
    if tx.conn().dialect() == Dialect::Postgres {
        tx.append_at_commit(envelope);
        return Ok(());
    }
    let insert = query(
        "INSERT",
        "outbox",
        "INSERT INTO outbox (id, topic, key, payload, traceparent, created_us)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING",
    )
    .bind(&envelope.id)
    .bind(&*envelope.topic)
    .bind(envelope.key.cast_signed())
    .bind(&envelope.payload)
    .bind(&envelope.traceparent)
    .bind(envelope.created_us);
    insert.execute(tx.conn()).await.map(drop)
}

/// The second write of a dual write. What fails here is lost, as it would be elsewhere.
async fn publish_after_commit(db: Database, envelope: Envelope) {
    tokio::time::sleep(DUAL_WRITE_DELAY).await;
    let topic = envelope.topic.clone();
    let published = async {
        let mut tx = db.write().await?;
        insert(&mut tx, envelope).await?;
        tx.commit().await
    };
    if let Err(error) = published.await {
        tracing::warn!(%error, %topic, "an event is lost between two writes");
    }
}
