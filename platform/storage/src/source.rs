//! Where a consumer's events come from: an outbox of its own process, of another over HTTP, or a broker between them.

use std::time::Duration;

use contract::{ComponentName, Pending};

use crate::{Batch, Outbox, Position};

/// Where a consumer pulls from.
pub trait Source: Send + Sync + 'static {
    /// Events of some topics, separated by commas, after a position up to which the consumer has applied everything, in
    /// the order they were published; waits for the first one.
    fn pull<'a>(
        &'a self,
        topics: &'a str,
        after: &'a Position,
        limit: u32,
        wait: Duration,
    ) -> Pending<'a, Batch>;

    /// Reports that everything up to a position is applied, without a pull: another copy of the consumer pulls now, and
    /// this process's outbox, or a broker, hears of it from here.
    fn report<'a>(&'a self, _topics: &'a str, _at: &'a Position) -> Reporting<'a> {
        Box::pin(std::future::ready(()))
    }

    /// What carries the events, as spans name it (`messaging.system`).
    fn system(&self) -> &'static str {
        "cleave-outbox"
    }
}

/// A report on its way. Where it gets lost, the next one says more.
pub type Reporting<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl Source for Outbox {
    fn pull<'a>(
        &'a self,
        topics: &'a str,
        after: &'a Position,
        limit: u32,
        wait: Duration,
    ) -> Pending<'a, Batch> {
        Box::pin(self.pull(topics, after.seq, limit, wait))
    }
}

/// An outbox of the consumer's own process, read in place.
pub struct LocalSource {
    /// The publisher's outbox.
    pub outbox: Outbox,
    /// The consuming component.
    pub consumer: ComponentName,
}

impl Source for LocalSource {
    fn pull<'a>(
        &'a self,
        topics: &'a str,
        after: &'a Position,
        limit: u32,
        wait: Duration,
    ) -> Pending<'a, Batch> {
        Box::pin(self.outbox.pull_for(self.consumer, topics, after, limit, wait))
    }

    fn report<'a>(&'a self, topics: &'a str, at: &'a Position) -> Reporting<'a> {
        self.outbox.applied(topics, self.consumer, at);
        Box::pin(std::future::ready(()))
    }
}
