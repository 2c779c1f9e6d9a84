//! What a service is given when it opens.

use std::sync::Arc;

use contract::{Answer, Call, ComponentName, Event};
use runtime::Tasks;
use storage::{Blobs, Bus, Database, GatheringSubscriber};
use transport::CallRouter;

use crate::Identity;

/// Settings a scenario may turn that change what a component does, not what it is.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Authors with fewer followers are fanned out on write, the others merged on read.
    pub push_below: u32,
    /// Timelines are trimmed to this many entries.
    pub feed_depth: u32,
    /// Whether subscribers that run in the publisher's transaction call other components inside it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub calls_in_transaction: bool,
    /// Memory cost of argon2, KiB.
    pub argon2_kib: u32,
    /// Whether clients are limited by address, besides by user and in all. Off where all come from
    /// one, as in a run, whose load has one generator.
    pub limits_per_address: bool,
    /// Whether the gateway limits what one account may have under way, and how fast it may fail. Off in a run, whose load
    /// is a few users in place of many.
    pub limits_per_account: bool,
}

impl Default for Settings {
    fn default() -> Self {
        // 800 is Twitter's published trim; 7 MiB with five passes is one of OWASP's choices for argon2id.
        Self {
            push_below: 1_000,
            feed_depth: 800,
            calls_in_transaction: false,
            argon2_kib: 7 * 1024,
            limits_per_address: true,
            limits_per_account: true,
        }
    }
}

/// What a component runs on. Whether its callees are a function call or a hop away
/// is not visible from here.
#[derive(Clone)]
pub struct ServiceContext {
    /// The component being opened.
    pub name: ComponentName,
    /// Its database, shared by the components of one process.
    pub db: Database,
    /// Where it publishes.
    pub bus: Bus,
    /// Bytes too large for rows.
    pub blobs: Blobs,
    /// Owner of its tasks.
    pub tasks: Tasks,
    /// Makes and checks tokens.
    pub identity: Arc<Identity>,
    /// Settings of the scenario.
    pub settings: Settings,
    /// Calls to other components.
    pub calls: CallRouter,
}

impl ServiceContext {
    /// A client of `C`, wherever its callee runs.
    pub fn client<C: Call>(&self) -> Arc<dyn Answer<C>> {
        self.calls.ask::<C>(self.name)
    }

    /// Registers this component as the callee of `C`.
    pub fn answer<C: Call, S: Answer<C>>(&self, service: &Arc<S>) {
        self.calls.answer::<C>(service.clone());
    }

    /// Subscribes to every `E`, in the publisher's transaction or from its outbox.
    pub fn subscribe<E: Event, S: GatheringSubscriber<E>>(&self, service: &Arc<S>) {
        self.bus.subscribe::<E, S>(self.name, service.clone());
    }
}
