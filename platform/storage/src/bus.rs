//! Events: subscribers within the transaction, the outbox for the rest.
//!
//! A subscriber that shares the publisher's database runs inside its transaction:
//! nothing is stale, nothing can be lost, and the publisher waits. All other
//! subscribers find a row in the outbox, written in the same transaction.

use std::any::Any;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::{Arc, RwLock};

use contract::{CallContext, ComponentName, Envelope, Event, Pending, Refusal};
use runtime::{Tasks, scope};
use tracing::Instrument;

use crate::{Database, OutboundTopics, Outbox, Tx};

/// Applies every `E` to its own tables, without calls to other components.
pub trait Subscriber<E: Event>: Send + Sync + 'static {
    /// The effect. May publish. May run again after a rollback.
    fn apply<'a>(&'a self, cx: &'a CallContext, tx: &'a mut Tx, event: &'a E) -> Pending<'a, ()>;
}

/// Applies every `E` after calls to other components. Every [`Subscriber`] is one, without calls.
pub trait GatheringSubscriber<E: Event>: Send + Sync + 'static {
    /// The replies that the effect needs.
    type Gathered: Send + 'static;

    /// Calls other components. In a shared database it runs inside the publisher's
    /// transaction and sees what was committed before; elsewhere before any
    /// transaction, so that no lock is held across the network.
    fn gather<'a>(&'a self, cx: &'a CallContext, event: &'a E) -> Pending<'a, Self::Gathered>;

    /// The effect. May publish. May run again after a rollback.
    fn apply_gathered<'a>(
        &'a self,
        cx: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a E,
        gathered: Self::Gathered,
    ) -> Pending<'a, ()>;
}

impl<E: Event, S: Subscriber<E>> GatheringSubscriber<E> for S {
    type Gathered = ();

    fn gather<'a>(&'a self, _: &'a CallContext, _: &'a E) -> Pending<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn apply_gathered<'a>(
        &'a self,
        cx: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a E,
        (): (),
    ) -> Pending<'a, ()> {
        self.apply(cx, tx, event)
    }
}

type AnyEvent = Box<dyn Any + Send + Sync>;
type AnyReplies = Box<dyn Any + Send>;

/// A subscriber of some event, behind one type.
pub(crate) trait Handler: Send + Sync {
    fn decode(&self, envelope: &Envelope) -> Result<AnyEvent, serde_json::Error>;
    fn gather<'a>(
        &'a self,
        cx: &'a CallContext,
        event: &'a (dyn Any + Send + Sync),
    ) -> Pending<'a, AnyReplies>;
    fn apply<'a>(
        &'a self,
        cx: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a (dyn Any + Send + Sync),
        gathered: AnyReplies,
    ) -> Pending<'a, ()>;
}

struct TypedHandler<E, S> {
    subscriber: Arc<S>,
    event: PhantomData<fn() -> E>,
}

fn downcast<E: Event>(event: &(dyn Any + Send + Sync)) -> &E {
    event.downcast_ref().expect("a topic has one event type")
}

impl<E: Event, S: GatheringSubscriber<E>> Handler for TypedHandler<E, S> {
    fn decode(&self, envelope: &Envelope) -> Result<AnyEvent, serde_json::Error> {
        envelope.open::<E>().map(|event| Box::new(event) as AnyEvent)
    }

    fn gather<'a>(
        &'a self,
        cx: &'a CallContext,
        event: &'a (dyn Any + Send + Sync),
    ) -> Pending<'a, AnyReplies> {
        Box::pin(async move {
            Ok(Box::new(self.subscriber.gather(cx, downcast::<E>(event)).await?) as AnyReplies)
        })
    }

    fn apply<'a>(
        &'a self,
        cx: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a (dyn Any + Send + Sync),
        gathered: AnyReplies,
    ) -> Pending<'a, ()> {
        let gathered = gathered.downcast().expect("gathered by the same subscriber");
        self.subscriber.apply_gathered(cx, tx, downcast::<E>(event), *gathered)
    }
}

#[derive(Clone)]
pub(crate) struct Subscription {
    pub(crate) component: ComponentName,
    pub(crate) handler: Arc<dyn Handler>,
}

/// The events of one database. Cheap to clone.
#[derive(Clone)]
pub struct Bus {
    outbox: Outbox,
    subscriptions: Arc<RwLock<HashMap<&'static str, Vec<Subscription>>>>,
}

impl Bus {
    /// A bus over a database. Of `outbound` topics rows are kept for others.
    pub fn new(db: Database, outbound: OutboundTopics) -> Self {
        Self { outbox: Outbox::new(db, outbound), subscriptions: Arc::default() }
    }

    /// Publishes after the commit of the cause instead of in it.
    pub fn dual_write(&mut self, tasks: Tasks) {
        self.outbox.dual_write(tasks);
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
        let handler: Arc<dyn Handler> = Arc::new(TypedHandler::<E, S> { subscriber, event: PhantomData });
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
        self.outbox.append(cx, tx, id, event).await?;
        let subscriber_cx = cx.called_by(publisher);
        for Subscription { component, handler } in self.subscribers(E::TOPIC) {
            let span = telemetry::call_span(E::TOPIC, component, "local");
            let effect = async {
                let gathered = handler.gather(&subscriber_cx, event).await?;
                handler.apply(&subscriber_cx, tx, event, gathered).await
            };
            scope::within(component, effect.instrument(span)).await?;
        }
        Ok(())
    }
}
