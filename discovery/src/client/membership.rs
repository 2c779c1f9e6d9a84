//! A watcher's view of the members: the last snapshot, later deltas, and removals in doubt. No clock, no IO.

use std::collections::{BTreeMap, BTreeSet};

use crate::instance::{Delta, EventId, Instance, Key, RegistryEpoch, Revision, ServiceName, Snapshot, State};

/// A watcher's view of the registry.
#[derive(Clone, Debug, Default)]
pub(crate) struct MembershipView {
    /// Position of the watch; `None` before the first snapshot and after an error.
    at: Option<EventId>,
    /// Epoch of the registry that listed the instances; `None` if they come from the file.
    registry: Option<RegistryEpoch>,
    lease_ms: u64,
    instances: BTreeMap<Key, Instance>,
    /// Instances that the registry no longer lists, kept until this time, nanoseconds.
    held: BTreeMap<Key, u64>,
}

/// Services whose instances changed.
pub(crate) type ChangedServices = BTreeSet<ServiceName>;

/// The delta does not follow the position; a snapshot is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the watch went backwards or the registry restarted; starting over with a snapshot")]
pub(crate) struct SequenceGap;

impl MembershipView {
    /// The view from the snapshot file. The instances may be gone, so all are suspects until the
    /// registry's first snapshot.
    pub fn from_file(snapshot: Snapshot) -> Self {
        let suspects = snapshot.instances.into_iter().map(|i| Instance { state: State::Suspect, ..i });
        Self {
            lease_ms: snapshot.lease_ms,
            instances: suspects.map(|i| (i.key(), i)).collect(),
            ..Self::default()
        }
    }

    /// Position of the watch; `None` asks for a snapshot.
    pub fn at(&self) -> Option<EventId> {
        self.at
    }

    /// Resets the position and keeps the instances.
    pub fn reset_position(&mut self) {
        self.at = None;
    }

    /// Instances of a service, in order of id.
    pub fn instances(&self, service: &ServiceName) -> Vec<Instance> {
        self.instances.values().filter(|i| i.service == *service).cloned().collect()
    }

    /// All instances, as one snapshot.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            registry: self.registry.unwrap_or_default(),
            rev: self.at.map_or(Revision(0), |at| at.rev),
            lease_ms: self.lease_ms,
            preserving: false,
            instances: self.instances.values().cloned().collect(),
        }
    }

    /// Replaces the view by a snapshot, with one exception: instances that are missing because the
    /// registry has just restarted, or because a whole service is suddenly empty, are kept for one
    /// lease. Live instances renew, and so register again, within that time.
    pub fn apply_snapshot(&mut self, snapshot: Snapshot, now_ns: u64) -> ChangedServices {
        let reborn = self.registry != Some(snapshot.registry);
        let may_doubt = self.registry.is_some();
        self.at = Some(EventId { registry: snapshot.registry, rev: snapshot.rev });
        self.registry = Some(snapshot.registry);
        self.lease_ms = snapshot.lease_ms;

        let listed: BTreeMap<Key, Instance> = snapshot.instances.into_iter().map(|i| (i.key(), i)).collect();
        let populated: ChangedServices = listed.keys().map(|key| key.service.clone()).collect();
        let known = std::mem::replace(&mut self.instances, listed);
        let held = std::mem::take(&mut self.held);
        let mut changed = ChangedServices::new();
        for (key, listed) in &self.instances {
            if known.get(key) != Some(listed) {
                changed.insert(key.service.clone());
            }
        }
        for (key, instance) in known {
            if self.instances.contains_key(&key) {
                continue;
            }
            let since_before = held.get(&key).copied();
            let doubted = since_before.is_some() || reborn || !populated.contains(&key.service);
            if may_doubt && doubted {
                let until = since_before.unwrap_or(now_ns + self.lease_ms * 1_000_000);
                self.held.insert(key.clone(), until);
                self.instances.insert(key, instance);
            } else {
                changed.insert(key.service);
            }
        }
        changed
    }

    /// Applies a delta.
    pub fn apply_delta(&mut self, id: EventId, delta: Delta) -> Result<ChangedServices, SequenceGap> {
        let at = self.at.ok_or(SequenceGap)?;
        if at.registry != id.registry || delta.rev <= at.rev {
            return Err(SequenceGap);
        }
        self.at = Some(id);
        let mut changed = ChangedServices::new();
        for key in delta.del {
            self.held.remove(&key);
            self.instances.remove(&key);
            changed.insert(key.service);
        }
        for instance in delta.put {
            let key = instance.key();
            self.held.remove(&key);
            changed.insert(key.service.clone());
            self.instances.insert(key, instance);
        }
        Ok(changed)
    }

    /// Removes instances that have been missing for a lease.
    pub fn tick(&mut self, now_ns: u64) -> ChangedServices {
        let over: Vec<Key> =
            self.held.iter().filter(|(_, until)| **until <= now_ns).map(|(key, _)| key.clone()).collect();
        for key in &over {
            self.held.remove(key);
            self.instances.remove(key);
        }
        over.into_iter().map(|key| key.service).collect()
    }

    /// Number of instances kept although the registry does not list them.
    pub fn held(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;
    use crate::instance::{Epoch, InstanceId};

    const S: u64 = 1_000_000_000;

    fn instance(service: &str, id: &str) -> Instance {
        let (service, id) = (ServiceName::new(service).expect("plain"), InstanceId::new(id).expect("plain"));
        Instance::new(service, id, Epoch(1), ([127, 0, 0, 1], 80).into())
    }

    fn snapshot(registry: u64, rev: u64, instances: &[Instance]) -> Snapshot {
        Snapshot {
            registry: RegistryEpoch(registry),
            rev: Revision(rev),
            lease_ms: 3_000,
            preserving: false,
            instances: instances.to_vec(),
        }
    }

    fn delta(rev: u64, put: &[Instance], del: &[Instance]) -> Delta {
        Delta { rev: Revision(rev), put: put.to_vec(), del: del.iter().map(Instance::key).collect() }
    }

    fn id(registry: u64, rev: u64) -> EventId {
        EventId { registry: RegistryEpoch(registry), rev: Revision(rev) }
    }

    fn ids(view: &MembershipView, service: &str) -> Vec<String> {
        let service = ServiceName::new(service).expect("plain");
        view.instances(&service).iter().map(|i| i.id.to_string()).collect()
    }

    #[test]
    fn deltas_follow_a_snapshot() {
        let (a, b) = (instance("photo", "a"), instance("photo", "b"));
        let mut view = MembershipView::default();
        assert_eq!(
            view.apply_delta(id(1, 1), delta(1, slice::from_ref(&a), &[])),
            Err(SequenceGap),
            "nothing to follow"
        );
        view.apply_snapshot(snapshot(1, 5, slice::from_ref(&a)), 0);
        view.apply_delta(id(1, 7), delta(7, &[b], &[a])).expect("later");
        assert_eq!(ids(&view, "photo"), ["b"]);
        assert_eq!(view.at(), Some(id(1, 7)));
    }

    #[test]
    fn another_registry_or_an_older_revision_is_not_followed() {
        let mut view = MembershipView::default();
        view.apply_snapshot(snapshot(1, 5, &[instance("photo", "a")]), 0);
        for wrong in [id(2, 6), id(1, 5), id(1, 4)] {
            assert_eq!(view.apply_delta(wrong, delta(wrong.rev.0, &[], &[])), Err(SequenceGap), "{wrong}");
        }
        assert_eq!(ids(&view, "photo"), ["a"]);
    }

    #[test]
    fn a_later_snapshot_of_the_same_registry_is_believed_at_once() {
        let mut view = MembershipView::default();
        view.apply_snapshot(snapshot(1, 5, &[instance("photo", "a"), instance("photo", "b")]), 0);
        let changed = view.apply_snapshot(snapshot(1, 5000, &[instance("photo", "b")]), 0);
        assert_eq!(ids(&view, "photo"), ["b"]);
        assert_eq!(changed.len(), 1);
    }

    #[test]
    fn another_registrys_snapshot_replaces_the_view_within_one_lease() {
        let mut view = MembershipView::default();
        view.apply_snapshot(snapshot(1, 50, &[instance("photo", "a"), instance("feed", "f")]), 0);
        let changed =
            view.apply_snapshot(snapshot(2, 3, &[instance("photo", "b"), instance("feed", "f")]), 0);
        assert_eq!(changed.len(), 1, "feed is as it was");
        assert_eq!(ids(&view, "photo"), ["a", "b"], "a may be about to register again");
        assert_eq!(view.at(), Some(id(2, 3)), "the revision went back and the watch goes on from there");
        view.tick(3 * S);
        assert_eq!(ids(&view, "photo"), ["b"], "and did not");
    }

    #[test]
    fn sudden_emptiness_is_believed_after_one_lease() {
        for registry in [1, 2] {
            let mut view = MembershipView::default();
            view.apply_snapshot(snapshot(1, 5, &[instance("photo", "a")]), 0);
            view.apply_snapshot(snapshot(registry, 6, &[]), S);
            assert_eq!(ids(&view, "photo"), ["a"]);
            view.tick(4 * S - 1);
            assert_eq!(ids(&view, "photo"), ["a"], "1 s + one lease of 3 s is not over");
            // A second empty snapshot does not restart the wait.
            view.apply_snapshot(snapshot(registry, 7, &[]), 3 * S);
            assert_eq!(view.tick(4 * S).len(), 1);
            assert_eq!(ids(&view, "photo"), [""; 0]);
        }
    }

    #[test]
    fn those_who_register_again_stay_and_the_others_go() {
        let mut view = MembershipView::default();
        view.apply_snapshot(snapshot(1, 5, &[instance("photo", "a"), instance("photo", "b")]), 0);
        view.apply_snapshot(snapshot(2, 0, &[]), S);
        assert_eq!(view.held(), 2);
        view.apply_delta(id(2, 1), delta(1, &[instance("photo", "b")], &[])).expect("follows");
        // Dropping `a` now would put the whole load on `b` until it is back, too.
        assert_eq!(ids(&view, "photo"), ["a", "b"]);
        view.tick(4 * S);
        assert_eq!(ids(&view, "photo"), ["b"]);
    }

    #[test]
    fn a_deletion_is_believed_at_once() {
        let mut view = MembershipView::default();
        let a = instance("photo", "a");
        view.apply_snapshot(snapshot(1, 5, slice::from_ref(&a)), 0);
        view.apply_delta(id(1, 6), delta(6, &[], &[a])).expect("follows");
        assert_eq!(ids(&view, "photo"), [""; 0]);
    }

    #[test]
    fn what_is_only_remembered_is_suspect_and_gives_way_to_the_first_snapshot() {
        let mut view = MembershipView::from_file(snapshot(1, 5, &[instance("photo", "a")]));
        let photo = ServiceName::new("photo").expect("plain");
        assert_eq!(view.instances(&photo)[0].state, State::Suspect);
        assert_eq!(view.at(), None, "the watch begins with a snapshot");
        view.apply_snapshot(snapshot(2, 1, &[]), 0);
        assert_eq!(ids(&view, "photo"), [""; 0]);
    }
}
