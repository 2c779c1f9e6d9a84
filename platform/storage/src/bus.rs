//! Events: subscribers within the transaction, the outbox for the rest.
//!
//! A subscriber that shares the publisher's database runs inside its transaction:
//! nothing is stale, nothing can be lost, and the publisher waits. All other
//! subscribers find a row in the outbox, written in the same transaction.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use contract::{CallContext, ComponentName, Event, Refusal};
use runtime::cost::Operation;
use runtime::{Tasks, scope};
use tracing::Instrument;

use crate::subscriber::{AnyReplies, Effect, GatheringSubscriber, MAX_GATHERINGS, Subscription};
use crate::{Database, OutboundTopics, Outbox, Tx};

/// The events of one database. Cheap to clone.
#[derive(Clone)]
pub struct Bus {
    outbox: Outbox,
    subscriptions: Arc<RwLock<HashMap<&'static str, Vec<Subscription>>>>,
    calls_in_transaction: bool,
}

/// Where the replies come from that effects in the publisher's transaction need.
enum Replies {
    /// Gathered before it, by subscriber.
    Gathered(HashMap<ComponentName, AnyReplies>),
    /// Gathered inside it.
    InTransaction,
    /// Nowhere: effects are applied from the subscribers' own tables.
    None,
}

impl Bus {
    /// A bus over a database. Of `outbound` topics rows are kept for others.
    pub fn new(db: Database, outbound: OutboundTopics) -> Self {
        Self { outbox: Outbox::new(db, outbound), subscriptions: Arc::default(), calls_in_transaction: false }
    }

    /// Publishes events of these components after the commit of the cause instead of in it.
    pub fn dual_write(&mut self, tasks: Tasks, publishers: &[ComponentName]) {
        self.outbox.dual_write(tasks, publishers);
    }

    /// Lets the subscribers here call other components inside the publisher's transaction instead of before it:
    /// all other writers wait for those calls.
    pub const fn call_in_transaction(&mut self) {
        self.calls_in_transaction = true;
    }

    /// What is kept for other databases.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Subscribes a component of this process. Whether it hears inside the
    /// publisher's transaction or from a [`crate::Consumer`] is the placement's affair.
    pub fn subscribe<E: Event, S: GatheringSubscriber<E>>(
        &self,
        component: ComponentName,
        subscriber: Arc<S>,
    ) {
        let subscription = Subscription::new::<E, S>(component, subscriber);
        let mut subscriptions = self.subscriptions.write().expect("no panic while held");
        subscriptions.entry(E::TOPIC).or_default().push(subscription);
    }

    pub(crate) fn subscription(&self, component: ComponentName, topic: &str) -> Option<Subscription> {
        let subscriptions = self.subscriptions.read().expect("no panic while held");
        subscriptions.get(topic)?.iter().find(|subscription| subscription.component == component).cloned()
    }

    fn subscribers(&self, topic: &str) -> Vec<Subscription> {
        self.subscriptions.read().expect("no panic while held").get(topic).cloned().unwrap_or_default()
    }

    /// Publishes inside a transaction, without calls to other components: for events that are known only
    /// there, above all those that an effect publishes. `id` is unique per event and follows from what
    /// caused it, so that a repeat publishes nothing new.
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
        match self.deliver(cx, tx, id, event, Replies::None).await? {
            Effect::Applied => Ok(()),
            Effect::Outdated => Err(Refusal::internal("an effect without replies cannot be outdated")),
        }
    }

    /// An event that is known before its transaction begins, so that its subscribers here can call other
    /// components first.
    pub fn publication<'a, E: Event>(&'a self, cx: &'a CallContext, event: &'a E) -> Publication<'a, E> {
        Publication { bus: self, cx, event, gatherings: 0, replies: Ok(Replies::None) }
    }

    async fn deliver<E: Event>(
        &self,
        cx: &CallContext,
        tx: &mut Tx,
        id: String,
        event: &E,
        mut replies: Replies,
    ) -> Result<Effect, Refusal> {
        self.outbox.append(cx, tx, id, event).await?;
        if let Some(operation) = scope::operation() {
            operation.count_published(E::TOPIC);
        }
        let subscriber_cx = cx.called_by(ComponentName::of(E::COMPONENT));
        for Subscription { component, handler } in self.subscribers(E::TOPIC) {
            let span = telemetry::call_span(E::TOPIC, component, "local");
            let effect = async {
                let gathered = match &mut replies {
                    Replies::Gathered(replies) => replies.remove(&component),
                    Replies::InTransaction => Some(handler.gather(&subscriber_cx, event).await?),
                    Replies::None => None,
                };
                handler.apply(&subscriber_cx, tx, event, gathered).await
            };
            let operation = Operation::of(component, &telemetry::process_name(E::TOPIC));
            if scope::serving(operation, effect.instrument(span)).await? == Effect::Outdated {
                return Ok(Effect::Outdated);
            }
        }
        Ok(Effect::Applied)
    }

    async fn gather<E: Event>(&self, cx: &CallContext, event: &E) -> Result<Replies, Refusal> {
        let subscriber_cx = cx.called_by(ComponentName::of(E::COMPONENT));
        let mut replies = HashMap::new();
        let callers = self.subscribers(E::TOPIC).into_iter().filter(|one| one.handler.calls());
        for Subscription { component, handler } in callers {
            let span = telemetry::call_span(E::TOPIC, component, "local");
            let gathering = async { handler.gather(&subscriber_cx, event).await };
            replies.insert(component, scope::within(component, gathering.instrument(span)).await?);
        }
        Ok(Replies::Gathered(replies))
    }
}

/// An event on its way, from before its transaction to its place in it.
///
/// ```text
/// let mut publication = bus.publication(cx, &event);
/// loop {
///     publication.gather().await;
///     let mut tx = db.write().await?;
///     // ... the change itself ...
///     if publication.publish(&mut tx, id).await? == Effect::Outdated {
///         continue; // the transaction is given up, and with it the writer's turn
///     }
///     return Ok(tx.commit().await?);
/// }
/// ```
pub struct Publication<'a, E> {
    bus: &'a Bus,
    cx: &'a CallContext,
    event: &'a E,
    gatherings: u32,
    replies: Result<Replies, Refusal>,
}

impl<E: Event> Publication<'_, E> {
    /// Lets the subscribers of the publisher's database call other components, while no turn to write is held.
    /// What fails is returned by [`Publication::publish`]: a repeat of a write is owed its first reply
    /// whatever other components do. After [`MAX_GATHERINGS`] it calls none: the effects are then applied from the
    /// subscribers' own tables, which cannot be outdated.
    pub async fn gather(&mut self) {
        if self.bus.calls_in_transaction {
            self.replies = Ok(Replies::InTransaction);
        } else if self.gatherings < MAX_GATHERINGS {
            self.gatherings += 1;
            self.replies = self.bus.gather(self.cx, self.event).await;
        } else {
            self.replies = Ok(Replies::None);
        }
    }

    /// Publishes inside the transaction. `id` is as for [`Bus::publish`].
    ///
    /// # Errors
    /// When a call of a subscriber failed or a subscriber refuses: the transaction must not be committed then.
    pub async fn publish(&mut self, tx: &mut Tx, id: String) -> Result<Effect, Refusal> {
        let replies = std::mem::replace(&mut self.replies, Ok(Replies::None))?;
        self.bus.deliver(self.cx, tx, id, self.event, replies).await
    }
}
