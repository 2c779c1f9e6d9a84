//! Subscribers: what a component does when it hears of an event, and what it calls others for first.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use contract::{CallContext, ComponentName, Envelope, Event, Pending};

use crate::Tx;

/// Applies every `E` to its own tables, without calls to other components.
pub trait Subscriber<E: Event>: Send + Sync + 'static {
    /// The effect. May publish. May run again after a rollback.
    fn apply<'a>(&'a self, cx: &'a CallContext, tx: &'a mut Tx, event: &'a E) -> Pending<'a, ()>;
}

/// What became of an effect that needs the replies of other components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a transaction with an outdated effect must not be committed"]
pub enum Effect {
    /// It is in the transaction.
    Applied,
    /// The subscriber's tables have changed since the replies were gathered, and the replies may
    /// be wrong by now. The transaction has to be given up, and the replies gathered again.
    Outdated,
}

/// Times that replies are gathered for one event before its effect is applied without them. Each
/// time means that a change of the same rows came in between; three in a row are rare, and a limit
/// is needed where such changes come faster than replies.
pub const MAX_GATHERINGS: u32 = 3;

/// Applies every `E` with the replies of other components. Every [`Subscriber`] is one, without calls.
///
/// No lock is held across a call: replies are gathered before the write transaction begins, whether it
/// is the publisher's or one of the subscriber's own. So another writer may come in between, and the
/// effect checks in its turn, from its own tables, that none changed what the replies depend on.
pub trait GatheringSubscriber<E: Event>: Send + Sync + 'static {
    /// The replies that the effect needs, and what shows whether they still hold.
    type Gathered: Send + 'static;

    /// Whether it calls other components at all.
    const CALLS: bool = true;

    /// Calls other components, before the transaction.
    fn gather<'a>(&'a self, cx: &'a CallContext, event: &'a E) -> Pending<'a, Self::Gathered>;

    /// The effect, unless what was gathered is outdated. May publish. May run again after a rollback.
    fn apply_gathered<'a>(
        &'a self,
        cx: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a E,
        gathered: Self::Gathered,
    ) -> Pending<'a, Effect>;

    /// The same effect from its own tables alone, which may take longer: for an event that another effect
    /// publishes, and after [`MAX_GATHERINGS`].
    fn apply_alone<'a>(&'a self, cx: &'a CallContext, tx: &'a mut Tx, event: &'a E) -> Pending<'a, ()>;
}

impl<E: Event, S: Subscriber<E>> GatheringSubscriber<E> for S {
    type Gathered = ();

    const CALLS: bool = false;

    fn gather<'a>(&'a self, _: &'a CallContext, _: &'a E) -> Pending<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn apply_gathered<'a>(
        &'a self,
        cx: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a E,
        (): (),
    ) -> Pending<'a, Effect> {
        Box::pin(async move { self.apply(cx, tx, event).await.map(|()| Effect::Applied) })
    }

    fn apply_alone<'a>(&'a self, cx: &'a CallContext, tx: &'a mut Tx, event: &'a E) -> Pending<'a, ()> {
        self.apply(cx, tx, event)
    }
}

type AnyEvent = Box<dyn Any + Send + Sync>;
pub(crate) type AnyReplies = Box<dyn Any + Send>;

/// A subscriber of some event, behind one type.
pub(crate) trait Handler: Send + Sync {
    fn decode(&self, envelope: &Envelope) -> Result<AnyEvent, serde_json::Error>;
    /// Whether there is anything to gather.
    fn calls(&self) -> bool;
    fn gather<'a>(
        &'a self,
        cx: &'a CallContext,
        event: &'a (dyn Any + Send + Sync),
    ) -> Pending<'a, AnyReplies>;
    /// The effect; from its own tables alone where nothing was gathered.
    fn apply<'a>(
        &'a self,
        cx: &'a CallContext,
        tx: &'a mut Tx,
        event: &'a (dyn Any + Send + Sync),
        gathered: Option<AnyReplies>,
    ) -> Pending<'a, Effect>;
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

    fn calls(&self) -> bool {
        S::CALLS
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
        gathered: Option<AnyReplies>,
    ) -> Pending<'a, Effect> {
        let event = downcast::<E>(event);
        match gathered {
            Some(gathered) => {
                let gathered = gathered.downcast().expect("gathered by the same subscriber");
                self.subscriber.apply_gathered(cx, tx, event, *gathered)
            }
            None => {
                Box::pin(
                    async move { self.subscriber.apply_alone(cx, tx, event).await.map(|()| Effect::Applied) },
                )
            }
        }
    }
}

/// A component of this process that hears of a topic.
#[derive(Clone)]
pub(crate) struct Subscription {
    pub(crate) component: ComponentName,
    pub(crate) handler: Arc<dyn Handler>,
}

impl Subscription {
    pub(crate) fn new<E: Event, S: GatheringSubscriber<E>>(
        component: ComponentName,
        subscriber: Arc<S>,
    ) -> Self {
        Self { component, handler: Arc::new(TypedHandler::<E, S> { subscriber, event: PhantomData }) }
    }
}
