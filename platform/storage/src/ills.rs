//! What ails a database on purpose: a slow, full or broken disk, mute delivery, poisonous events.

use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use contract::{ComponentName, Refusal};
use runtime::cost::{self, Part};
use tokio::time::sleep;

use crate::StorageError;

/// What a database and its events suffer as long as somebody says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ailing {
    /// Every operation takes so much longer.
    pub slow: Duration,
    /// Writes find no space.
    pub full: bool,
    /// Every operation fails.
    pub broken: bool,
    /// Events are not handed over.
    pub mute: bool,
    /// Consumers whose events cannot be applied.
    pub poisoned: Vec<ComponentName>,
    /// Whether such events are set aside after some tries.
    pub dead_letters: bool,
}

/// The ills of one database. Free while there are none.
#[derive(Debug, Default)]
pub struct Ills {
    any: AtomicBool,
    ailing: RwLock<Ailing>,
    struck: AtomicU64,
}

impl Ills {
    /// From now on this, and nothing else.
    pub fn set(&self, ailing: Ailing) {
        let any = ailing != Ailing::default();
        *self.ailing.write().expect("no panic while held") = ailing;
        self.any.store(any, Ordering::Release);
    }

    /// How often an ill has struck since the start.
    pub fn struck(&self) -> u64 {
        self.struck.load(Ordering::Relaxed)
    }

    fn now(&self) -> Option<Ailing> {
        self.any.load(Ordering::Acquire).then(|| self.ailing.read().expect("no panic while held").clone())
    }

    /// An operation is about to begin.
    ///
    /// # Errors
    /// Where the disk is broken, or full and the operation writes.
    pub(crate) async fn operation(&self, writes: bool) -> Result<(), StorageError> {
        let Some(ailing) = self.now() else { return Ok(()) };
        let strike = || self.struck.fetch_add(1, Ordering::Relaxed);
        if !ailing.slow.is_zero() {
            strike();
            cost::part(Part::Injected, sleep(ailing.slow)).await;
        }
        if ailing.broken {
            strike();
            return Err(StorageError::Other(sqlx::Error::Io(std::io::Error::other("an injected fault"))));
        }
        if ailing.full && writes {
            strike();
            return Err(StorageError::Full(sqlx::Error::Io(std::io::ErrorKind::StorageFull.into())));
        }
        Ok(())
    }

    /// Whether events stay where they are.
    pub(crate) fn is_mute(&self) -> bool {
        self.now().is_some_and(|ailing| ailing.mute)
    }

    /// Whether an event cannot be applied by its consumer.
    ///
    /// # Errors
    /// Where it is poisonous: for good, or as if the moment were bad, so that it is
    /// tried again and again.
    pub(crate) fn taste(&self, consumer: ComponentName) -> Result<(), Refusal> {
        let Some(ailing) = self.now().filter(|ailing| ailing.poisoned.contains(&consumer)) else {
            return Ok(());
        };
        self.struck.fetch_add(1, Ordering::Relaxed);
        Err(if ailing.dead_letters {
            Refusal::internal("a poisonous event: an injected fault")
        } else {
            Refusal::unavailable("event_poisonous", "a poisonous event: an injected fault")
        })
    }
}
