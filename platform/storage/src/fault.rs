//! Injected faults of a database: a slow, full or broken disk, stopped delivery, poisonous events, and events out of order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::Duration;

use contract::{ComponentName, Refusal};
use runtime::cost::{self, Part};
use runtime::timer;

use crate::StorageError;

/// The faults that are active in a database and its events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageFaults {
    /// Every operation takes so much longer.
    pub slow: Duration,
    /// Writes find no space.
    pub full: bool,
    /// Every operation fails.
    pub broken: bool,
    /// Events are not delivered.
    pub delivery_stopped: bool,
    /// Consumers whose events cannot be applied.
    pub poisoned: Vec<ComponentName>,
    /// Whether such events are set aside after some tries.
    pub dead_letters: bool,
    /// Consumers that get events out of order, with how many change places at a time.
    pub reordered: Vec<(ComponentName, u32)>,
}

/// Injects the active faults of one database. Free while there are none.
#[derive(Debug, Default)]
pub struct FaultInjector {
    is_active: AtomicBool,
    active: RwLock<StorageFaults>,
    hits: Mutex<BTreeMap<&'static str, u64>>,
}

impl FaultInjector {
    /// Replaces the active faults.
    pub fn set(&self, active: StorageFaults) {
        let is_active = active != StorageFaults::default();
        *self.active.write().expect("no panic while held") = active;
        self.is_active.store(is_active, Ordering::Release);
    }

    /// Hits of each fault since the last call of this.
    pub fn take_hits(&self) -> BTreeMap<&'static str, u64> {
        std::mem::take(&mut *self.hits.lock().expect("no panic while held"))
    }

    fn hit(&self, fault: &'static str, times: u64) {
        *self.hits.lock().expect("no panic while held").entry(fault).or_default() += times;
    }

    fn active(&self) -> Option<StorageFaults> {
        self.is_active
            .load(Ordering::Acquire)
            .then(|| self.active.read().expect("no panic while held").clone())
    }

    /// Applies the faults of the disk before an operation.
    ///
    /// # Errors
    /// Where the disk is broken, or full and the operation writes.
    pub(crate) async fn check_operation(&self, writes: bool) -> Result<(), StorageError> {
        let Some(active) = self.active() else { return Ok(()) };
        if !active.slow.is_zero() {
            self.hit("disk-slow", 1);
            cost::part(Part::Injected, timer::sleep(active.slow)).await;
        }
        if active.broken {
            self.hit("disk-error", 1);
            return Err(StorageError::Other("an injected fault".into()));
        }
        if active.full && writes {
            self.hit("disk-full", 1);
            return Err(StorageError::Full(std::io::Error::from(std::io::ErrorKind::StorageFull).into()));
        }
        Ok(())
    }

    /// Whether events stay where they are.
    pub(crate) fn is_delivery_stopped(&self) -> bool {
        self.active().is_some_and(|active| active.delivery_stopped)
    }

    /// Whether an event cannot be applied by its consumer.
    ///
    /// # Errors
    /// Where it is poisonous: for good, or as if the moment were bad, so that it is
    /// tried again and again.
    pub(crate) fn check_event(&self, consumer: ComponentName) -> Result<(), Refusal> {
        let Some(active) = self.active().filter(|active| active.poisoned.contains(&consumer)) else {
            return Ok(());
        };
        self.hit("poison", 1);
        Err(if active.dead_letters {
            Refusal::internal("a poisonous event: an injected fault")
        } else {
            Refusal::unavailable("event_poisonous", "a poisonous event: an injected fault")
        })
    }

    /// The order in which a consumer gets so many events: of each window the last first.
    pub(crate) fn delivery_order(&self, consumer: ComponentName, events: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..events).collect();
        let reordered = self.active().map(|active| active.reordered).unwrap_or_default();
        let windows = reordered.iter().filter(|(name, _)| *name == consumer).map(|(_, window)| *window);
        let Some(window) = windows.max() else { return order };
        for window in order.chunks_mut(window.max(1) as usize).filter(|window| window.len() > 1) {
            window.rotate_right(1);
            self.hit("reorder", 1);
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
        let faults = FaultInjector::default();
        assert_eq!(faults.delivery_order(FEED, 3), [0, 1, 2], "without faults");
        faults.set(StorageFaults { reordered: vec![(FEED, 3)], ..StorageFaults::default() });
        assert_eq!(faults.delivery_order(FEED, 7), [2, 0, 1, 5, 3, 4, 6]);
        assert_eq!(faults.delivery_order(ComponentName::of("search"), 3), [0, 1, 2], "of no other consumer");
        assert_eq!(
            faults.take_hits(),
            BTreeMap::from([("reorder", 2)]),
            "the seventh has no other to change places with"
        );
        assert!(faults.take_hits().is_empty(), "taken once");
    }
}
