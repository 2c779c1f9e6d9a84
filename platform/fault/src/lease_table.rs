//! The leases of one process: consulted at every call, free while empty.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use contract::ComponentName;

use crate::control::{LeaseStatus, MAX_TTL_MS};
use crate::kinds::{Actuator, Hit};
use crate::matching::{CallCounts, Dice, unit};
use crate::{ActiveFaults, AskedDelays, CallFault, CallSite, DelayCounter, DelayCounts, Lease};

/// Leases in force at once; a scenario has a handful.
const MAX_LEASES: usize = 64;
/// Lease ids whose hits are remembered; a run has at most hundreds of steps.
const MAX_HIT_COUNTERS: usize = 1_024;

/// The leases of a process. The faults of a call are computed from those in
/// force at that moment; nothing is ever undone.
#[derive(Debug, Default)]
pub struct LeaseTable {
    /// Number of entries in `active`, so that an empty table costs one relaxed load.
    len: AtomicUsize,
    /// In order of application.
    active: ArcSwap<Vec<Arc<ActiveLease>>>,
    /// Every lease seen, in the order of first sight. Also serialises writers.
    hit_counts: Mutex<Vec<(String, Arc<LeaseCounts>)>>,
    /// One-shots that have come: kind, and component where one was named.
    one_shots: Mutex<Vec<(&'static str, Option<ComponentName>)>>,
    listener: OnceLock<ChangeListener>,
}

/// Called on every change.
struct ChangeListener(Box<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for ChangeListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChangeListener")
    }
}

/// What a lease has done since the process started, also once it has ended.
#[derive(Debug, Default)]
struct LeaseCounts {
    hits: AtomicU64,
    delays: Arc<DelayCounter>,
}

impl LeaseCounts {
    fn hit(&self, times: u64) {
        self.hits.fetch_add(times, Ordering::Relaxed);
    }

    fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct ActiveLease {
    lease: Lease,
    until_ns: AtomicU64,
    began_ns: u64,
    done: Arc<LeaseCounts>,
    counts: CallCounts,
    /// Bits of the last call's draw.
    last_draw: AtomicU64,
}

/// More leases than a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many leases: expected at most {MAX_LEASES} in force; end one first")]
pub struct TableFull;

impl ActiveLease {
    fn is_active(&self, now_ns: u64) -> bool {
        now_ns < self.until_ns.load(Ordering::Relaxed)
    }

    /// How far its ramp has come, 0 to 1.
    fn strength(&self, now_ns: u64) -> f64 {
        let ramp_ns = self.lease.ramp_ms * 1_000_000;
        if ramp_ns == 0 {
            1.0
        } else {
            (now_ns.saturating_sub(self.began_ns) as f64 / ramp_ns as f64).min(1.0)
        }
    }
}

impl LeaseTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether no lease is there, so that callers need not read the clock.
    pub fn is_empty(&self) -> bool {
        self.len.load(Ordering::Relaxed) == 0
    }

    /// The faults of the call at `site`. `now_ns` is monotonic nanoseconds
    /// of any origin, the same as in [`LeaseTable::put`].
    pub fn call_fault(&self, site: &CallSite<'_>, now_ns: u64) -> CallFault {
        self.call_fault_and_delays(site, now_ns).0
    }

    /// The same, with what each lease asks of its delay: to be reported once it has passed.
    pub fn call_fault_and_delays(&self, site: &CallSite<'_>, now_ns: u64) -> (CallFault, AskedDelays) {
        let (mut fault, mut asked) = (CallFault::default(), AskedDelays::default());
        if self.is_empty() {
            return (fault, asked);
        }
        for active in self.active.load().iter() {
            let lease = &active.lease;
            if lease.fault.actuator() != Actuator::CallPath
                || !active.is_active(now_ns)
                || !lease.target.covers(site)
                || !lease.covers(site)
            {
                continue;
            }
            let dice = Dice::new(lease.seed, &lease.id, lease.matching.key(site, &active.counts));
            let mut strength = active.strength(now_ns);
            // What has no size grows by the share of calls it hits.
            let grown = lease.fault.has_size() || unit(dice.draw("ramp")) < strength;
            if !grown || !lease.matching.hits(site, dice, &active.counts) {
                continue;
            }
            if !lease.fault.has_size() {
                strength = 1.0;
            }
            active.done.hit(1);
            let delay_before = fault.delay;
            let previous_draw = f64::from_bits(active.last_draw.load(Ordering::Relaxed));
            let draw = lease.fault.apply(Hit { dice, strength, previous_draw }, &mut fault);
            active.last_draw.store(draw.to_bits(), Ordering::Relaxed);
            if fault.delay > delay_before {
                asked.push(active.done.delays.clone(), fault.delay - delay_before);
            }
            if fault.end.is_some() {
                break;
            }
        }
        (fault, asked)
    }

    /// The faults that are active in the process, whatever calls it gets.
    pub fn active_faults(&self, now_ns: u64) -> ActiveFaults {
        self.active_faults_of(now_ns, |_| true)
    }

    /// The same without the leases that are on another component than those that are meant: what acts on one of
    /// several databases of a process.
    pub fn active_faults_of(&self, now_ns: u64, is_meant: impl Fn(ComponentName) -> bool) -> ActiveFaults {
        let mut faults = ActiveFaults::default();
        if self.is_empty() {
            return faults;
        }
        for active in self.active.load().iter().filter(|active| active.is_active(now_ns)) {
            let Lease { fault, target, detours, .. } = &active.lease;
            if target.component().is_some_and(|component| !is_meant(component)) {
                continue;
            }
            if fault.actuator() == Actuator::Process {
                fault.activate(*target, active.strength(now_ns), &mut faults);
            }
            faults.detours.extend(detours);
        }
        faults
    }

    /// Counts hits of a kind for every lease of that kind in force.
    pub fn count_hits(&self, kind: &str, times: u64) {
        for active in self.active.load().iter().filter(|active| active.lease.fault.name() == kind) {
            active.done.hit(times);
        }
    }

    /// How often a one-shot of this kind has come for a component.
    pub fn one_shot_count(&self, kind: &str, component: ComponentName) -> u64 {
        let one_shots = self.one_shots.lock().expect("no panic while held");
        let meant = |one_shot: &&(&'static str, Option<ComponentName>)| {
            one_shot.0 == kind && one_shot.1.is_none_or(|name| name == component)
        };
        one_shots.iter().filter(meant).count() as u64
    }

    /// Calls `listener` whenever a lease comes or goes, on the thread that puts or ends it.
    ///
    /// # Panics
    /// When there is a listener already.
    pub fn on_change(&self, listener: impl Fn() + Send + Sync + 'static) {
        assert!(self.listener.set(ChangeListener(Box::new(listener))).is_ok(), "one process, one listener");
    }

    /// Puts a lease in force until `now_ns + ttl`, or renews it. A lease that
    /// differs under a known id replaces it.
    ///
    /// # Errors
    /// When the table is full.
    pub fn put(&self, lease: Lease, ttl: Duration, now_ns: u64) -> Result<(), TableFull> {
        self.put_started(lease, ttl, now_ns, now_ns)
    }

    /// [`LeaseTable::put`] of a lease that began earlier, as a restarted process gets it.
    ///
    /// # Errors
    /// When the table is full.
    pub fn put_started(
        &self,
        lease: Lease,
        ttl: Duration,
        began_ns: u64,
        now_ns: u64,
    ) -> Result<(), TableFull> {
        let mut hit_counts = self.hit_counts.lock().expect("no panic while held");
        let until_ns = now_ns + ttl.min(Duration::from_millis(MAX_TTL_MS)).as_nanos() as u64;
        let active = self.active.load_full();
        if let Some(known) = active.iter().find(|known| known.lease == lease) {
            known.until_ns.store(until_ns, Ordering::Relaxed);
            return Ok(());
        }
        let mut next: Vec<_> = active
            .iter()
            .filter(|other| other.lease.id != lease.id && other.is_active(now_ns))
            .cloned()
            .collect();
        if next.len() >= MAX_LEASES {
            return Err(TableFull);
        }
        let done = counts_of(&mut hit_counts, &lease.id);
        match lease.fault.actuator() {
            // Counted at every hit.
            Actuator::CallPath | Actuator::Proxy | Actuator::Conductor | Actuator::Session => {}
            Actuator::Process if lease.fault.counts_hits() => {}
            Actuator::Process => done.hit(1),
        }
        if !lease.fault.lasts() {
            let mut one_shots = self.one_shots.lock().expect("no panic while held");
            one_shots.push((lease.fault.name(), lease.target.component()));
        }
        let (counts, last_draw) = Default::default();
        next.push(Arc::new(ActiveLease {
            lease,
            until_ns: until_ns.into(),
            began_ns,
            done,
            counts,
            last_draw,
        }));
        next.sort_by(|a, b| (a.lease.order, &a.lease.id).cmp(&(b.lease.order, &b.lease.id)));
        self.store(next);
        Ok(())
    }

    /// Puts a lease in force for as long as the process lives: a defect of its build,
    /// not a fault that ends.
    pub fn install(&self, lease: Lease) {
        let mut hit_counts = self.hit_counts.lock().expect("no panic while held");
        let done = counts_of(&mut hit_counts, &lease.id);
        let (counts, last_draw) = Default::default();
        let active = ActiveLease { lease, until_ns: u64::MAX.into(), began_ns: 0, done, counts, last_draw };
        let mut next = self.active.load_full().to_vec();
        next.push(Arc::new(active));
        self.store(next);
    }

    /// Lets a lease hold until `now_ns + ttl`. `false` when there is none of
    /// this id, or it has lapsed.
    pub fn renew(&self, id: &str, ttl: Duration, now_ns: u64) -> bool {
        let until_ns = now_ns + ttl.min(Duration::from_millis(MAX_TTL_MS)).as_nanos() as u64;
        let active = self.active.load();
        let known = active.iter().find(|active| active.lease.id == id && active.is_active(now_ns));
        known.inspect(|active| active.until_ns.store(until_ns, Ordering::Relaxed)).is_some()
    }

    /// Ends a lease. `false` when there is none of this id.
    pub fn end(&self, id: &str) -> bool {
        self.retain(|active| active.lease.id != id)
    }

    /// Forgets leases that have lapsed. They have no effect from the moment they
    /// lapse; this only makes the table empty, and so free, again.
    pub fn sweep(&self, now_ns: u64) {
        if !self.is_empty() {
            self.retain(|active| active.is_active(now_ns));
        }
    }

    /// Calls hit by each lease since the process started, in the order the
    /// leases came, ended ones included.
    pub fn hits(&self) -> Vec<(String, u64)> {
        let hit_counts = self.hit_counts.lock().expect("no panic while held");
        hit_counts.iter().map(|(id, done)| (id.clone(), done.hits())).collect()
    }

    /// The delays that leases asked for and that have passed since the process started, ended leases included.
    pub fn delays(&self) -> Vec<(String, DelayCounts)> {
        let hit_counts = self.hit_counts.lock().expect("no panic while held");
        let counts = hit_counts.iter().map(|(id, done)| (id.clone(), done.delays.counts()));
        counts.filter(|(_, delays)| delays.count() > 0).collect()
    }

    /// The leases in force, in order of application.
    pub fn list(&self, now_ns: u64) -> Vec<LeaseStatus> {
        let active = self.active.load();
        let in_force = active.iter().filter(|active| active.is_active(now_ns));
        in_force
            .map(|active| LeaseStatus {
                lease: active.lease.clone(),
                left_ms: active.until_ns.load(Ordering::Relaxed).saturating_sub(now_ns) / 1_000_000,
                hits: active.done.hits(),
            })
            .collect()
    }

    fn retain(&self, wanted: impl Fn(&ActiveLease) -> bool) -> bool {
        let _writer = self.hit_counts.lock().expect("no panic while held");
        let active = self.active.load_full();
        let next: Vec<_> = active.iter().filter(|active| wanted(active)).cloned().collect();
        let changed = next.len() != active.len();
        if changed {
            self.store(next);
        }
        changed
    }

    fn store(&self, next: Vec<Arc<ActiveLease>>) {
        let len = next.len();
        self.active.store(Arc::new(next));
        self.len.store(len, Ordering::Relaxed);
        if let Some(listener) = self.listener.get() {
            (listener.0)();
        }
    }
}

fn counts_of(hit_counts: &mut Vec<(String, Arc<LeaseCounts>)>, id: &str) -> Arc<LeaseCounts> {
    if let Some((_, done)) = hit_counts.iter().find(|(known, _)| known == id) {
        return done.clone();
    }
    if hit_counts.len() == MAX_HIT_COUNTERS {
        hit_counts.remove(0);
    }
    let done = Arc::<LeaseCounts>::default();
    hit_counts.push((id.to_owned(), done.clone()));
    done
}
