//! What ails a database on purpose: a slow, full or broken disk, mute delivery, poisonous events, and events out of order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, RwLock};
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
    /// Consumers that hear of events out of order, with how many change places at a time.
    pub reordered: Vec<(ComponentName, u32)>,
}

/// The ills of one database. Free while there are none.
#[derive(Debug, Default)]
pub struct Ills {
    any: AtomicBool,
    ailing: RwLock<Ailing>,
    struck: Mutex<BTreeMap<&'static str, u64>>,
}

impl Ills {
    /// From now on this, and nothing else.
    pub fn set(&self, ailing: Ailing) {
        let any = ailing != Ailing::default();
        *self.ailing.write().expect("no panic while held") = ailing;
        self.any.store(any, Ordering::Release);
    }

    /// How often each ill has struck since this was asked last.
    pub fn struck(&self) -> BTreeMap<&'static str, u64> {
        std::mem::take(&mut *self.struck.lock().expect("no panic while held"))
    }

    fn strike(&self, ill: &'static str, times: u64) {
        *self.struck.lock().expect("no panic while held").entry(ill).or_default() += times;
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
        if !ailing.slow.is_zero() {
            self.strike("disk-slow", 1);
            cost::part(Part::Injected, sleep(ailing.slow)).await;
        }
        if ailing.broken {
            self.strike("disk-error", 1);
            return Err(StorageError::Other(sqlx::Error::Io(std::io::Error::other("an injected fault"))));
        }
        if ailing.full && writes {
            self.strike("disk-full", 1);
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
        self.strike("poison", 1);
        Err(if ailing.dead_letters {
            Refusal::internal("a poisonous event: an injected fault")
        } else {
            Refusal::unavailable("event_poisonous", "a poisonous event: an injected fault")
        })
    }

    /// The order in which a consumer hears of so many events: of each window the last first.
    pub(crate) fn order(&self, consumer: ComponentName, events: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..events).collect();
        let reordered = self.now().map(|ailing| ailing.reordered).unwrap_or_default();
        let windows = reordered.iter().filter(|(name, _)| *name == consumer).map(|(_, window)| *window);
        let Some(window) = windows.max() else { return order };
        for window in order.chunks_mut(window.max(1) as usize).filter(|window| window.len() > 1) {
            window.rotate_right(1);
            self.strike("reorder", 1);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEED: ComponentName = ComponentName::of("feed");

    #[test]
    fn of_each_window_the_last_comes_first() {
        let ills = Ills::default();
        assert_eq!(ills.order(FEED, 3), [0, 1, 2], "well");
        ills.set(Ailing { reordered: vec![(FEED, 3)], ..Ailing::default() });
        assert_eq!(ills.order(FEED, 7), [2, 0, 1, 5, 3, 4, 6]);
        assert_eq!(ills.order(ComponentName::of("search"), 3), [0, 1, 2], "nobody else's");
        assert_eq!(ills.struck(), BTreeMap::from([("reorder", 2)]), "one of seven had nobody to change with");
        assert!(ills.struck().is_empty(), "told once");
    }
}
