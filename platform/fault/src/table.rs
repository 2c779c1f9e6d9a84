//! The leases of one process: asked at every call, free while empty.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use contract::ComponentName;

use crate::control::{Listed, MAX_TTL_MS};
use crate::kinds::{Carried, Hit};
use crate::matching::{Counts, Dice, unit};
use crate::{Lease, Site, Standing, Verdict};

/// Leases in force at once; a scenario has a handful.
const MAX_LEASES: usize = 64;
/// Lease ids whose hits are remembered; a run has at most hundreds of steps.
const MAX_REMEMBERED: usize = 1_024;

/// The leases of a process. What a call suffers is computed from those in
/// force at that moment; nothing is ever undone.
#[derive(Debug, Default)]
pub struct Table {
    /// Number of entries in `active`, so that an empty table costs one relaxed load.
    len: AtomicUsize,
    /// In order of application.
    active: ArcSwap<Vec<Arc<Active>>>,
    /// Every lease seen, in the order of first sight. Also serialises writers.
    ledger: Mutex<Vec<(String, Arc<AtomicU64>)>>,
    /// One-shots that have come: kind, and component where one was named.
    orders: Mutex<Vec<(&'static str, Option<ComponentName>)>>,
    tell: OnceLock<Tell>,
}

/// Whoever wants to know of changes.
struct Tell(Box<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Tell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tell")
    }
}

#[derive(Debug)]
struct Active {
    lease: Lease,
    until_ns: AtomicU64,
    began_ns: u64,
    hits: Arc<AtomicU64>,
    counts: Counts,
    /// Bits of the last call's wave.
    wave: AtomicU64,
}

/// More leases than a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_LEASES} leases are in force already; end one first")]
pub struct TableFull;

impl Active {
    fn holds(&self, now_ns: u64) -> bool {
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

impl Table {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether no lease is there, so that callers need not read the clock.
    pub fn is_empty(&self) -> bool {
        self.len.load(Ordering::Relaxed) == 0
    }

    /// What the call at `site` must suffer. `now_ns` is monotonic nanoseconds
    /// of any origin, the same as in [`Table::put`].
    pub fn verdict(&self, site: &Site<'_>, now_ns: u64) -> Verdict {
        let mut verdict = Verdict::default();
        if self.is_empty() {
            return verdict;
        }
        for active in self.active.load().iter() {
            let lease = &active.lease;
            if lease.fault.carried() != Carried::Calls
                || !active.holds(now_ns)
                || !lease.target.covers(site)
                || !lease.means(site)
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
            active.hits.fetch_add(1, Ordering::Relaxed);
            let wave = f64::from_bits(active.wave.load(Ordering::Relaxed));
            let wave = lease.fault.apply(Hit { dice, strength, wave }, &mut verdict);
            active.wave.store(wave.to_bits(), Ordering::Relaxed);
            if verdict.end.is_some() {
                break;
            }
        }
        verdict
    }

    /// What the process must suffer, whatever it is asked.
    pub fn standing(&self, now_ns: u64) -> Standing {
        let mut standing = Standing::default();
        if self.is_empty() {
            return standing;
        }
        for active in self.active.load().iter().filter(|active| active.holds(now_ns)) {
            let Lease { fault, target, detours, .. } = &active.lease;
            if fault.carried() == Carried::Process {
                fault.stand(*target, active.strength(now_ns), &mut standing);
            }
            standing.detours.extend(detours);
        }
        standing
    }

    /// An ill of the process has struck so many times: counted for every lease of that kind in force.
    pub fn struck(&self, kind: &str, times: u64) {
        for active in self.active.load().iter().filter(|active| active.lease.fault.name() == kind) {
            active.hits.fetch_add(times, Ordering::Relaxed);
        }
    }

    /// How often a one-shot of this kind has come for a component.
    pub fn orders(&self, kind: &str, component: ComponentName) -> u64 {
        let orders = self.orders.lock().expect("no panic while held");
        let meant = |order: &&(&'static str, Option<ComponentName>)| {
            order.0 == kind && order.1.is_none_or(|name| name == component)
        };
        orders.iter().filter(meant).count() as u64
    }

    /// Calls `tell` whenever a lease comes or goes, on the thread that puts or ends it.
    ///
    /// # Panics
    /// When somebody is told already.
    pub fn on_change(&self, tell: impl Fn() + Send + Sync + 'static) {
        assert!(self.tell.set(Tell(Box::new(tell))).is_ok(), "one process, one listener");
    }

    /// Puts a lease in force until `now_ns + ttl`, or renews it. A lease that
    /// says something else under a known id replaces it.
    ///
    /// # Errors
    /// When the table is full.
    pub fn put(&self, lease: Lease, ttl: Duration, now_ns: u64) -> Result<(), TableFull> {
        self.put_begun(lease, ttl, now_ns, now_ns)
    }

    /// [`Table::put`] of a lease that began earlier, as a restarted process hears of it.
    ///
    /// # Errors
    /// When the table is full.
    pub fn put_begun(
        &self,
        lease: Lease,
        ttl: Duration,
        began_ns: u64,
        now_ns: u64,
    ) -> Result<(), TableFull> {
        let mut ledger = self.ledger.lock().expect("no panic while held");
        let until_ns = now_ns + ttl.min(Duration::from_millis(MAX_TTL_MS)).as_nanos() as u64;
        let active = self.active.load_full();
        if let Some(known) = active.iter().find(|known| known.lease == lease) {
            known.until_ns.store(until_ns, Ordering::Relaxed);
            return Ok(());
        }
        let mut next: Vec<_> = active
            .iter()
            .filter(|other| other.lease.id != lease.id && other.holds(now_ns))
            .cloned()
            .collect();
        if next.len() >= MAX_LEASES {
            return Err(TableFull);
        }
        let hits = remember(&mut ledger, &lease.id);
        match lease.fault.carried() {
            // Counted when they bite.
            Carried::Calls | Carried::Wire | Carried::Conductor => {}
            Carried::Process if lease.fault.strikes() => {}
            Carried::Process => {
                hits.fetch_add(1, Ordering::Relaxed);
            }
        }
        if !lease.fault.lasts() {
            let mut orders = self.orders.lock().expect("no panic while held");
            orders.push((lease.fault.name(), lease.target.component()));
        }
        let (counts, wave) = Default::default();
        next.push(Arc::new(Active { lease, until_ns: until_ns.into(), began_ns, hits, counts, wave }));
        next.sort_by(|a, b| (a.lease.order, &a.lease.id).cmp(&(b.lease.order, &b.lease.id)));
        self.store(next);
        Ok(())
    }

    /// Puts a lease in force for as long as the process lives: a defect of its build,
    /// not a fault that ends.
    pub fn install(&self, lease: Lease) {
        let mut ledger = self.ledger.lock().expect("no panic while held");
        let hits = remember(&mut ledger, &lease.id);
        let (counts, wave) = Default::default();
        let active = Active { lease, until_ns: u64::MAX.into(), began_ns: 0, hits, counts, wave };
        let mut next = self.active.load_full().to_vec();
        next.push(Arc::new(active));
        self.store(next);
    }

    /// Lets a lease hold until `now_ns + ttl`. `false` when there is none of
    /// this id, or it has lapsed.
    pub fn renew(&self, id: &str, ttl: Duration, now_ns: u64) -> bool {
        let until_ns = now_ns + ttl.min(Duration::from_millis(MAX_TTL_MS)).as_nanos() as u64;
        let active = self.active.load();
        let known = active.iter().find(|active| active.lease.id == id && active.holds(now_ns));
        known.inspect(|active| active.until_ns.store(until_ns, Ordering::Relaxed)).is_some()
    }

    /// Ends a lease. `false` when there is none of this id.
    pub fn end(&self, id: &str) -> bool {
        self.keep(|active| active.lease.id != id)
    }

    /// Forgets leases that have lapsed. They bite no more from the moment they
    /// lapse; this only makes the table empty, and so free, again.
    pub fn sweep(&self, now_ns: u64) {
        if !self.is_empty() {
            self.keep(|active| active.holds(now_ns));
        }
    }

    /// Calls hit by each lease since the process started, in the order the
    /// leases came, ended ones included.
    pub fn hits(&self) -> Vec<(String, u64)> {
        let ledger = self.ledger.lock().expect("no panic while held");
        ledger.iter().map(|(id, hits)| (id.clone(), hits.load(Ordering::Relaxed))).collect()
    }

    /// The leases in force, in order of application.
    pub fn list(&self, now_ns: u64) -> Vec<Listed> {
        let active = self.active.load();
        let holding = active.iter().filter(|active| active.holds(now_ns));
        holding
            .map(|active| Listed {
                lease: active.lease.clone(),
                left_ms: active.until_ns.load(Ordering::Relaxed).saturating_sub(now_ns) / 1_000_000,
                hits: active.hits.load(Ordering::Relaxed),
            })
            .collect()
    }

    fn keep(&self, wanted: impl Fn(&Active) -> bool) -> bool {
        let _writer = self.ledger.lock().expect("no panic while held");
        let active = self.active.load_full();
        let next: Vec<_> = active.iter().filter(|active| wanted(active)).cloned().collect();
        let changed = next.len() != active.len();
        if changed {
            self.store(next);
        }
        changed
    }

    fn store(&self, next: Vec<Arc<Active>>) {
        let len = next.len();
        self.active.store(Arc::new(next));
        self.len.store(len, Ordering::Relaxed);
        if let Some(tell) = self.tell.get() {
            (tell.0)();
        }
    }
}

fn remember(ledger: &mut Vec<(String, Arc<AtomicU64>)>, id: &str) -> Arc<AtomicU64> {
    if let Some((_, hits)) = ledger.iter().find(|(known, _)| known == id) {
        return hits.clone();
    }
    if ledger.len() == MAX_REMEMBERED {
        ledger.remove(0);
    }
    let hits = Arc::new(AtomicU64::new(0));
    ledger.push((id.to_owned(), hits.clone()));
    hits
}
