//! A process's connection to the broker that carries the events of its deployment, where there is one: with the feature `nats`.

use std::sync::Arc;

use contract::ComponentName;
use runtime::Tasks;
use storage::Source;

use crate::config::NodeConfig;
use crate::contents::StoreContents;
use crate::stores::Store;

/// The broker as a process knows it.
pub(crate) struct EventBroker {
    #[cfg(feature = "nats")]
    nats: storage::nats::Broker,
    #[cfg(not(feature = "nats"))]
    none: std::convert::Infallible,
}

#[cfg(feature = "nats")]
impl EventBroker {
    /// Connects in the background; `None` where events are pulled.
    ///
    /// # Errors
    /// Why the configuration makes no sense.
    pub async fn connect(config: &NodeConfig) -> Result<Option<Self>, String> {
        let Some(address) = config.broker.clone() else { return Ok(None) };
        let credentials = config.broker_credentials.clone();
        let options = storage::nats::BrokerOptions { address, credentials, name: config.broker_name() };
        let connected = storage::nats::Broker::connect(&options, &config.instance).await;
        Ok(Some(Self { nats: connected.map_err(|why| why.to_string())? }))
    }

    /// What a consumer here takes of a publisher elsewhere, whose outbox has what the broker does not.
    pub fn source(
        &self,
        publisher: ComponentName,
        consumer: ComponentName,
        outbox: Arc<dyn Source>,
    ) -> Arc<dyn Source> {
        Arc::new(storage::nats::BrokerSource::new(self.nats.clone(), publisher, consumer, outbox))
    }

    /// Relays what the services of a database publish for components that are none of `here`, those of this process.
    pub fn start_relays(
        &self,
        store: &Store,
        contents: &StoreContents,
        here: &[ComponentName],
        tasks: &Tasks,
    ) {
        for service in &store.services {
            let is_its_own = |topic: &&'static str| service.publishes.iter().any(|own| own.name == *topic);
            let topics: Vec<_> = contents.outbound.topics_beyond(here).filter(is_its_own).collect();
            if !topics.is_empty() {
                let (broker, db) = (self.nats.clone(), store.db.clone());
                let relay = storage::nats::Relay { broker, db, publisher: service.name, topics };
                relay.start(&store.bus, tasks);
            }
        }
    }
}

#[cfg(not(feature = "nats"))]
impl EventBroker {
    /// Refuses a broker; `None` where events are pulled.
    ///
    /// # Errors
    /// That this program was built without the feature `nats`, where there is a broker.
    pub fn connect(config: &NodeConfig) -> std::future::Ready<Result<Option<Self>, String>> {
        std::future::ready(match config.broker {
            None => Ok(None),
            Some(_) => Err("this program was built without NATS; build it with `--features nats`".into()),
        })
    }

    pub fn source(&self, _: ComponentName, _: ComponentName, _: Arc<dyn Source>) -> Arc<dyn Source> {
        match self.none {}
    }

    pub fn start_relays(&self, _: &Store, _: &StoreContents, _: &[ComponentName], _: &Tasks) {
        match self.none {}
    }
}
