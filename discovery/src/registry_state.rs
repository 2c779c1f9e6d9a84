//! The registry as a state machine: commands in, events out; no clock, no IO.
//!
//! A single writer applies commands one after another, so `rev` is a total
//! order and every watcher sees a prefix of it. Lapses are counted by process
//! (instance id), not by lease: a process with five services counts once.

use std::collections::{BTreeMap, VecDeque};

use policy::lease::{LEASE_NS, REJOIN_NS};

use crate::instance::{
    Delta, Epoch, EventId, Instance, Key, RegistryEpoch, Revision, ServiceName, Snapshot, State, WatchFilter,
};
use crate::lease_table::{LeaseTable, LivenessCounts, SelfPreservation};

/// Rules of leases and self-preservation. Times in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Length of a lease.
    pub lease_ns: u64,
    /// Limits of self-preservation.
    pub preservation: SelfPreservation,
    /// How long a suspect is kept.
    pub suspect_ns: u64,
    /// How long what an earlier process of the registry listed is kept for its renewals.
    pub grace_ns: u64,
    /// How long after a restart of the registry what leaves stays listed, as draining: the watchers of the earlier process
    /// come back within this time, and would otherwise ask what is gone.
    pub rejoin_ns: u64,
    /// A longer interval between sweeps means that the registry itself was stalled; no lease ends
    /// because of that.
    pub stall_ns: u64,
    /// Deltas kept for watchers that reconnect.
    pub ring: usize,
}

impl Default for Rules {
    fn default() -> Self {
        const S: u64 = 1_000_000_000;
        // A gap of ten sweeps of 100 ms is more than a scheduling delay. While the registry is away an instance tries to renew
        // at least once a second, and waits a second for an answer: a lease is long enough for two attempts.
        Self {
            lease_ns: LEASE_NS,
            preservation: SelfPreservation::default(),
            suspect_ns: 30 * S,
            grace_ns: LEASE_NS,
            rejoin_ns: REJOIN_NS,
            stall_ns: S,
            ring: 1024,
        }
    }
}

/// Commands of clients, and the sweep.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Register an instance, or register it again.
    Register(Instance),
    /// Renew a lease.
    Renew(Key, Epoch),
    /// Exclude an instance from new requests.
    Drain(Key, Epoch),
    /// Remove an instance; without an epoch, of any epoch.
    Deregister(Key, Option<Epoch>),
    /// Evict lapsed instances.
    Sweep,
}

/// Events that a command causes.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The registry changed.
    Changed(Delta),
    /// A lease lapsed and the instance was removed.
    Evicted(Key),
    /// Too many leases lapsed at once; this many instances are kept as suspects.
    Preserving(usize),
    /// There are no suspects any more.
    Recovered,
    /// The sweeps were stalled; all leases are extended.
    SweepStalled {
        /// Nanoseconds between the last two sweeps.
        stall_ns: u64,
    },
}

/// Why a command was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// A later epoch of the instance is registered.
    #[error("a later epoch ({}) of this instance is registered; stop, or wait for its lease to end", current.0)]
    Superseded {
        /// That epoch.
        current: Epoch,
    },
    /// Not registered, or not in this epoch.
    #[error("this epoch of the instance is not registered; register it again or stop")]
    Unknown,
}

/// The changes a watcher has not seen.
#[derive(Clone, Debug, PartialEq)]
pub enum CatchUp {
    /// These changes, possibly none.
    Deltas(Vec<Delta>),
    /// More than the log of deltas holds.
    Snapshot(Snapshot),
}

/// The registry's state.
#[derive(Clone, Debug)]
pub struct RegistryState {
    rules: Rules,
    registry: RegistryEpoch,
    rev: Revision,
    now_ns: u64,
    swept_ns: Option<u64>,
    entries: BTreeMap<Key, Entry>,
    /// How many of the entries are suspects: every command asks, and there may be ten thousand entries.
    suspects: usize,
    leases: LeaseTable<Key>,
    /// Evicted within the last lease period; the input of self-preservation.
    lapsed: VecDeque<(u64, Instance)>,
    ring: VecDeque<Delta>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// As registered; suspicion is stored separately, so that a renewal restores the state.
    instance: Instance,
    suspect_since_ns: Option<u64>,
}

impl Entry {
    fn is_suspect(&self) -> bool {
        self.suspect_since_ns.is_some()
    }

    fn listed(&self) -> Instance {
        let state = if self.is_suspect() { State::Suspect } else { self.instance.state };
        Instance { state, ..self.instance.clone() }
    }
}

/// Changes collected for one revision.
#[derive(Default)]
struct Change {
    put: Vec<Instance>,
    del: Vec<Key>,
}

impl RegistryState {
    /// An empty registry of epoch `registry`.
    pub fn new(registry: RegistryEpoch, rules: Rules) -> Self {
        Self {
            rules,
            registry,
            rev: Revision(0),
            now_ns: 0,
            swept_ns: None,
            entries: BTreeMap::new(),
            suspects: 0,
            leases: LeaseTable::default(),
            lapsed: VecDeque::new(),
            ring: VecDeque::new(),
        }
    }

    /// Lists at `now_ns` what an earlier process of this registry had registered. How long the registry was away does not
    /// matter: each instance gets a lease of [`Rules::grace_ns`], counted from now, in which it is listed as before. One that
    /// renews goes on as if nothing had happened; the others lapse like any other lease, so that very many of them at once
    /// are kept as suspects.
    ///
    /// # Panics
    /// If the registry has changed already: what is restored has no revision, and a watcher would miss it.
    pub fn restore(&mut self, instances: impl IntoIterator<Item = Instance>, now_ns: u64) {
        assert_eq!(self.rev, Revision(0), "a registry is restored before its first change");
        self.now_ns = self.now_ns.max(now_ns);
        for instance in instances {
            self.leases.grant(&instance.key(), self.now_ns + self.rules.grace_ns);
            self.insert(Entry { instance, suspect_since_ns: None });
        }
    }

    /// Applies a command at `now_ns`; a clock that runs backwards is treated as stopped.
    ///
    /// # Errors
    /// If the command is rejected; nothing has changed then.
    pub fn apply(&mut self, cmd: Command, now_ns: u64) -> Result<Vec<Event>, CommandError> {
        self.now_ns = self.now_ns.max(now_ns);
        match cmd {
            Command::Register(instance) => self.register(instance),
            Command::Renew(key, epoch) => self.renew(&key, epoch),
            Command::Drain(key, epoch) => self.drain(&key, epoch),
            Command::Deregister(key, epoch) => self.deregister(&key, epoch),
            Command::Sweep => Ok(self.sweep()),
        }
    }

    /// The current position.
    pub fn at(&self) -> EventId {
        EventId { registry: self.registry, rev: self.rev }
    }

    /// Its rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The instances of the watched services.
    pub fn snapshot(&self, watched: &WatchFilter) -> Snapshot {
        let entries = self.entries.values().filter(|entry| watched.includes(&entry.instance.service));
        self.snapshot_of(entries.map(Entry::listed).collect())
    }

    fn snapshot_of(&self, instances: Vec<Instance>) -> Snapshot {
        Snapshot {
            registry: self.registry,
            rev: self.rev,
            lease_ms: self.rules.lease_ns / 1_000_000,
            preserving: self.preserving(),
            instances,
        }
    }

    /// The changes after `seen`. No position, another epoch of the registry, a future revision or one
    /// older than the log of deltas gives a snapshot.
    pub fn since(&self, seen: Option<EventId>, watched: &WatchFilter) -> CatchUp {
        match self.deltas_since(seen) {
            Some(deltas) => CatchUp::Deltas(deltas.filter_map(|delta| delta.filtered(watched)).collect()),
            None => CatchUp::Snapshot(self.snapshot(watched)),
        }
    }

    /// The changes of all services after `seen`, as [`RegistryState::since`] gives them, but with each instance as it is
    /// registered now: a suspicion ends with the process of the registry that has it.
    pub fn registered_since(&self, seen: Option<EventId>) -> CatchUp {
        match self.deltas_since(seen) {
            Some(deltas) => CatchUp::Deltas(deltas.map(|delta| self.as_registered(delta)).collect()),
            None => CatchUp::Snapshot(self.registered()),
        }
    }

    /// All instances as they are registered.
    pub fn registered(&self) -> Snapshot {
        self.snapshot_of(self.entries.values().map(|entry| entry.instance.clone()).collect())
    }

    /// What was put and is not there any more is deleted by a later delta.
    fn as_registered(&self, delta: &Delta) -> Delta {
        let registered = |listed: &Instance| Some(self.entries.get(&listed.key())?.instance.clone());
        let put = delta.put.iter().filter_map(registered).collect();
        Delta { rev: delta.rev, put, del: delta.del.clone() }
    }

    /// The deltas after `seen`, where the log of deltas has them all.
    fn deltas_since(&self, seen: Option<EventId>) -> Option<impl Iterator<Item = &Delta>> {
        let rev = seen.filter(|seen| seen.registry == self.registry)?.rev;
        let oldest = self.ring.front().map_or(self.rev, |first| Revision(first.rev.0 - 1));
        let is_held = (oldest..=self.rev).contains(&rev);
        is_held.then(|| {
            let missed = (self.rev.0 - rev.0) as usize;
            self.ring.iter().skip(self.ring.len() - missed)
        })
    }

    fn preserving(&self) -> bool {
        self.suspects > 0
    }

    fn insert(&mut self, entry: Entry) {
        self.suspects += usize::from(entry.is_suspect());
        let before = self.entries.insert(entry.instance.key(), entry);
        self.suspects -= usize::from(before.is_some_and(|before| before.is_suspect()));
    }

    fn remove(&mut self, key: &Key) -> Option<Instance> {
        let entry = self.entries.remove(key)?;
        self.suspects -= usize::from(entry.is_suspect());
        Some(entry.instance)
    }

    fn register(&mut self, instance: Instance) -> Result<Vec<Event>, CommandError> {
        let key = instance.key();
        let before = self.entries.get(&key);
        if let Some(current) =
            before.map(|entry| entry.instance.epoch).filter(|epoch| *epoch > instance.epoch)
        {
            return Err(CommandError::Superseded { current });
        }
        let was_preserving = self.preserving();
        let entry = Entry { instance, suspect_since_ns: None };
        let is_change = self.entries.get(&key).is_none_or(|before| before.listed() != entry.listed());
        let listed = entry.listed();
        self.insert(entry);
        self.leases.grant(&key, self.now_ns + self.rules.lease_ns);
        self.lapsed.retain(|(_, dead)| dead.key() != key);
        let change = Change { put: if is_change { vec![listed] } else { Vec::new() }, del: Vec::new() };
        Ok(self.commit(change, was_preserving))
    }

    fn renew(&mut self, key: &Key, epoch: Epoch) -> Result<Vec<Event>, CommandError> {
        let was_preserving = self.preserving();
        let entry = self.entry_of_epoch(key, epoch)?;
        let was_suspect = entry.suspect_since_ns.take().is_some();
        let put = if was_suspect { vec![entry.listed()] } else { Vec::new() };
        self.suspects -= usize::from(was_suspect);
        self.leases.grant(key, self.now_ns + self.rules.lease_ns);
        Ok(self.commit(Change { put, del: Vec::new() }, was_preserving))
    }

    fn drain(&mut self, key: &Key, epoch: Epoch) -> Result<Vec<Event>, CommandError> {
        let was_preserving = self.preserving();
        let entry = self.entry_of_epoch(key, epoch)?;
        let before = entry.listed();
        entry.instance.state = State::Draining;
        let was_suspect = entry.suspect_since_ns.take().is_some();
        let listed = entry.listed();
        let put = if listed == before { Vec::new() } else { vec![listed] };
        self.suspects -= usize::from(was_suspect);
        self.leases.grant(key, self.now_ns + self.rules.lease_ns);
        Ok(self.commit(Change { put, del: Vec::new() }, was_preserving))
    }

    fn deregister(&mut self, key: &Key, epoch: Option<Epoch>) -> Result<Vec<Event>, CommandError> {
        let was_preserving = self.preserving();
        let known = self.entries.get(key).ok_or(CommandError::Unknown)?.instance.epoch;
        if epoch.is_some_and(|epoch| epoch != known) {
            return Err(CommandError::Unknown);
        }
        self.remove(key);
        self.leases.end(key);
        Ok(self.commit(Change { put: Vec::new(), del: vec![key.clone()] }, was_preserving))
    }

    fn entry_of_epoch(&mut self, key: &Key, epoch: Epoch) -> Result<&mut Entry, CommandError> {
        self.entries.get_mut(key).filter(|entry| entry.instance.epoch == epoch).ok_or(CommandError::Unknown)
    }

    fn sweep(&mut self) -> Vec<Event> {
        let now = self.now_ns;
        let stall_ns = self.swept_ns.replace(now).map_or(0, |before| now - before);
        let mut events = Vec::new();
        if stall_ns > self.rules.stall_ns {
            self.leases.extend_all(now + self.rules.lease_ns);
            events.push(Event::SweepStalled { stall_ns });
        }
        let was_preserving = self.preserving();
        let mut change = Change::default();
        let horizon = now.saturating_sub(self.rules.lease_ns);
        self.lapsed.retain(|(at, _)| *at >= horizon);

        for key in self.leases.lapsed(now) {
            let instance = self.remove(&key).expect("a lease has an entry");
            // The lapse of a draining instance is expected, not a sign of a network problem.
            if instance.state != State::Draining {
                self.lapsed.push_back((now, instance));
            }
            change.del.push(key);
        }
        if was_preserving || self.should_preserve() {
            self.restore_as_suspects(&mut change);
        }
        self.evict_expired_suspects(&mut change);

        events.extend(change.del.iter().cloned().map(Event::Evicted));
        events.extend(self.commit(change, was_preserving));
        events
    }

    /// Whether the lapses of the last lease period point to a problem of the registry itself.
    fn should_preserve(&self) -> bool {
        // There are at most as many processes, and counting them takes a while.
        if self.lapsed.len() < self.rules.preservation.min_lapses {
            return false;
        }
        let mut processes = BTreeMap::new();
        let mut by_service: BTreeMap<&ServiceName, LivenessCounts> = BTreeMap::new();
        // A process with a valid lease for any of its services is alive.
        for (_, dead) in &self.lapsed {
            processes.insert(&dead.id, false);
            by_service.entry(&dead.service).or_default().lapsed += 1;
        }
        for (key, entry) in &self.entries {
            if !entry.is_suspect() {
                processes.insert(&key.id, true);
                by_service.entry(&key.service).or_default().live += 1;
            }
        }
        let live = processes.values().filter(|live| **live).count();
        let all = LivenessCounts { lapsed: processes.len() - live, live };
        self.rules.preservation.is_triggered(all, by_service.into_values())
    }

    fn restore_as_suspects(&mut self, change: &mut Change) {
        for (at, instance) in std::mem::take(&mut self.lapsed) {
            let key = instance.key();
            let entry = Entry { instance, suspect_since_ns: Some(at) };
            change.del.retain(|gone| *gone != key);
            change.put.push(entry.listed());
            self.insert(entry);
        }
    }

    fn evict_expired_suspects(&mut self, change: &mut Change) {
        if !self.preserving() {
            return;
        }
        let (now, patience) = (self.now_ns, self.rules.suspect_ns);
        let old = |entry: &Entry| entry.suspect_since_ns.is_some_and(|since| now >= since + patience);
        let gone: Vec<Key> =
            self.entries.iter().filter(|(_, entry)| old(entry)).map(|(key, _)| key.clone()).collect();
        for key in &gone {
            self.remove(key);
        }
        change.del.extend(gone);
    }

    /// Assigns a revision to the change and appends it to the log of deltas.
    fn commit(&mut self, change: Change, was_preserving: bool) -> Vec<Event> {
        let mut events = Vec::new();
        if !change.put.is_empty() || !change.del.is_empty() {
            self.rev = self.rev.next();
            let delta = Delta { rev: self.rev, put: change.put, del: change.del };
            if self.ring.len() == self.rules.ring {
                self.ring.pop_front();
            }
            self.ring.push_back(delta.clone());
            events.push(Event::Changed(delta));
        }
        match (was_preserving, self.suspects) {
            (false, 1..) => events.push(Event::Preserving(self.suspects)),
            (true, 0) => events.push(Event::Recovered),
            _ => {}
        }
        events
    }
}

#[cfg(test)]
mod tests;
