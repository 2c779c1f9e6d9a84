//! CPU by part and component, from sampled polls.
//!
//! Reading the thread's CPU clock costs 250 ns, so only one top-level poll in
//! sixteen is measured and counts sixteenfold. Within a measured poll every
//! change of part or component charges what ran since the last change: nested
//! parts are exclusive by construction.

use std::cell::Cell;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};

use contract::ComponentName;

use super::Part;
use crate::{clock, random, scope};

/// One poll in so many is measured, and counts as often.
const SAMPLE_STRIDE: u64 = 16;

thread_local! {
    /// What the thread is at, and since when; `None` while not measured.
    static PROBE: Cell<Option<Probe>> = const { Cell::new(None) };
    /// The part the thread is at, measured or not.
    static PART: Cell<Part> = const { Cell::new(Part::Transport) };
    /// Polls until the next measured one.
    static UNTIL: Cell<u64> = const { Cell::new(0) };
}

#[derive(Clone, Copy)]
struct Probe {
    since_ns: u64,
}

struct Account {
    component: ComponentName,
    ns: [AtomicU64; Part::ALL.len()],
}

static ACCOUNTS: RwLock<Vec<&'static Account>> = RwLock::new(Vec::new());

fn account(component: ComponentName) -> &'static Account {
    let find = |accounts: &[&'static Account]| accounts.iter().copied().find(|a| a.component == component);
    if let Some(account) = find(&ACCOUNTS.read().expect("no panic while held")) {
        return account;
    }
    let mut accounts = ACCOUNTS.write().expect("no panic while held");
    find(&accounts).unwrap_or_else(|| {
        // Components are few and live as long as the process.
        let account: &'static Account = Box::leak(Box::new(Account { component, ns: Default::default() }));
        accounts.push(account);
        account
    })
}

fn charge(part: Part, ns: u64) {
    account(scope::component()).ns[part as usize].fetch_add(ns, Ordering::Relaxed);
}

/// Charges what ran so far in a measured poll: something changes now.
pub(crate) fn boundary() {
    if let Some(probe) = PROBE.get() {
        let now = clock::thread_cpu_ns();
        charge(PART.get(), now.saturating_sub(probe.since_ns) * SAMPLE_STRIDE);
        // Read again: the charge itself is no component's work.
        PROBE.set(Some(Probe { since_ns: clock::thread_cpu_ns() }));
    }
}

/// The part the thread is at.
pub(crate) fn current() -> Part {
    PART.get()
}

/// Puts the previous part back, also when a poll panics.
pub(crate) struct PartGuard {
    before: Part,
    ends_probe: bool,
}

impl Drop for PartGuard {
    fn drop(&mut self) {
        boundary();
        PART.set(self.before);
        if self.ends_probe {
            PROBE.set(None);
        }
    }
}

/// Enters a part.
pub(crate) fn enter(part: Part) -> PartGuard {
    boundary();
    PartGuard { before: PART.replace(part), ends_probe: false }
}

/// Enters a top-level poll and decides whether it is measured. The stride is
/// drawn, so that a rhythm in the polls cannot hide from it.
pub(crate) fn begin_root(part: Part) -> PartGuard {
    let nested = PROBE.get().is_some();
    let mut charged = enter(part);
    if !nested {
        let until = UNTIL.get();
        if until == 0 {
            // Uniform in 0 to 2 SAMPLE_STRIDE - 2: the mean stride is SAMPLE_STRIDE.
            UNTIL.set(random::bits() % (2 * SAMPLE_STRIDE - 1));
            PROBE.set(Some(Probe { since_ns: clock::thread_cpu_ns() }));
            charged.ends_probe = true;
        } else {
            UNTIL.set(until - 1);
        }
    }
    charged
}

/// Measures work that is long enough to be measured every time: a blocking job.
pub(crate) fn measure_blocking<R>(part: Part, work: impl FnOnce() -> R) -> R {
    struct ChargeGuard(Part, u64);
    impl Drop for ChargeGuard {
        fn drop(&mut self) {
            charge(self.0, clock::thread_cpu_ns().saturating_sub(self.1));
        }
    }
    let _ended = ChargeGuard(part, clock::thread_cpu_ns());
    work()
}

/// CPU by part over all components since the start, ns, scaled up from the sample.
pub fn cpu_totals() -> [u64; Part::ALL.len()] {
    cpu_by_component().into_iter().fold([0; Part::ALL.len()], |mut sum, (_, parts)| {
        sum.iter_mut().zip(parts).for_each(|(all, one)| *all += one);
        sum
    })
}

/// The same, by component.
pub fn cpu_by_component() -> Vec<(ComponentName, [u64; Part::ALL.len()])> {
    let accounts = ACCOUNTS.read().expect("no panic while held");
    accounts
        .iter()
        .map(|account| (account.component, std::array::from_fn(|i| account.ns[i].load(Ordering::Relaxed))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{part, root};
    use super::*;

    /// Burns thread CPU time.
    fn burn(ns: u64) {
        let from = clock::thread_cpu_ns();
        while clock::thread_cpu_ns() < from + ns {
            std::hint::black_box(0);
        }
    }

    #[test]
    fn nested_parts_are_exclusive_and_the_sample_scales_up() {
        let component = ComponentName::of("cpu-test");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        const TASKS: u64 = 1_000;
        runtime.block_on(async {
            for _ in 0..TASKS {
                root(
                    Part::Transport,
                    scope::within(component, async {
                        part(Part::Business, async {
                            burn(20_000);
                            super::super::run(Part::Encoding, || burn(40_000));
                        })
                        .await;
                    }),
                )
                .await;
            }
        });
        let (_, parts) =
            cpu_by_component().into_iter().find(|(name, _)| *name == component).expect("charged");
        let (business, encoding) = (parts[Part::Business as usize], parts[Part::Encoding as usize]);
        // 1,000 x 20 us and 1,000 x 40 us, from about 62 measured polls: the count of those
        // varies by 8 / sqrt(62) of itself or so, the ratio of both parts hardly at all.
        let ratio = encoding as f64 / business as f64;
        assert!((1.5..2.2).contains(&ratio), "{ratio}: {parts:?}");
        assert!((10_000_000..40_000_000).contains(&business), "{business}");
    }
}
