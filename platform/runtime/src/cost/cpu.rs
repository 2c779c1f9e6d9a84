//! CPU by part, component and operation, from sampled polls.
//!
//! Reading the thread's CPU clock is a system call of 250 ns and more, and a measured poll makes dozens of them. So a
//! top-level poll decides before anything is read whether it is measured: one in so many that a thread measures about one
//! in [`SAMPLE_INTERVAL_NS`], and each counts for as many as it stands for. A thread with little to do measures all of its
//! polls. Within a measured poll every change of part, component or operation charges what ran since the last change: nested
//! parts are exclusive by construction.

use std::cell::Cell;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};

use contract::ComponentName;

use super::Part;
use crate::{clock, random, scope};

/// A thread measures a poll about so often: 250 a second cost it some three thousandths of its time, and a part that takes a
/// tenth of the CPU is known to 2 % within ten seconds.
const SAMPLE_INTERVAL_NS: u64 = 4_000_000;
/// Most polls that one measured poll stands for: 250,000 a second are more than a thread gets done.
const MAX_STRIDE: u64 = 1_024;

thread_local! {
    /// What the thread is at, and since when; `None` while not measured.
    static PROBE: Cell<Option<Probe>> = const { Cell::new(None) };
    /// The part the thread is at, measured or not.
    static PART: Cell<Part> = const { Cell::new(Part::Transport) };
    /// Which polls the thread measures.
    static SCHEDULE: Cell<Schedule> = const { Cell::new(Schedule::FIRST) };
}

#[derive(Clone, Copy)]
struct Probe {
    since_ns: u64,
    /// How many polls this one stands for.
    weight: u64,
}

/// Which polls of a thread are measured: on average one in `stride`, which follows how many there are.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Schedule {
    /// Polls until the next measured one.
    until: u64,
    /// How many polls that one stands for.
    stride: u64,
    /// Polls since the stride was set, and when that was; 0 before the first.
    polls: u64,
    since_ns: u64,
}

impl Schedule {
    const FIRST: Self = Self { until: 0, stride: 1, polls: 0, since_ns: 0 };

    /// A poll begins: whether it is measured.
    const fn is_due(&mut self) -> bool {
        self.polls += 1;
        let is_due = self.until == 0;
        self.until = self.until.saturating_sub(1);
        is_due
    }

    /// A measured poll has begun at `now_ns`: draws the next one. The stride is drawn, so that a rhythm in the polls cannot
    /// hide from it, and set before it is drawn, so that every poll counts the same on average.
    fn draw(&mut self, now_ns: u64, bits: u64) {
        let elapsed = now_ns.saturating_sub(self.since_ns);
        if elapsed >= SAMPLE_INTERVAL_NS || self.polls >= 2 * self.stride {
            let rate = u128::from(self.polls) * u128::from(SAMPLE_INTERVAL_NS) / u128::from(elapsed.max(1));
            // At most twice as many at once: a burst is no rate.
            self.stride = (rate as u64).clamp(1, (2 * self.stride).min(MAX_STRIDE));
            (self.polls, self.since_ns) = (0, now_ns);
        }
        // Uniform in 0 to 2 strides - 2: the next measured poll is the stride-th on average.
        self.until = bits % (2 * self.stride - 1);
    }
}

static OPERATIONS: RwLock<Vec<&'static Operation>> = RwLock::new(Vec::new());

/// Most operations of a process: routes, calls and topics are closed sets. What is beyond is charged to its component alone.
const MAX_OPERATIONS: usize = 1_024;

/// Something that a component does for its callers: a route, a call, the handler of an event.
#[derive(Debug)]
pub struct Operation {
    /// The component that does it.
    pub component: ComponentName,
    /// As its spans name it: `GET /v1/feed`, `photo.by_ids`, `process photo.liked`. Empty for what a component does for none.
    pub name: &'static str,
    /// CPU by part on workers, ns.
    ns: [AtomicU64; Part::ALL.len()],
    /// The same on other threads.
    blocking_ns: [AtomicU64; Part::ALL.len()],
    served: AtomicU64,
    /// Events that it has published, by topic.
    published: RwLock<Vec<(&'static str, u64)>>,
}

/// What an operation has taken since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationCost {
    /// The component that does it.
    pub component: ComponentName,
    /// Its name.
    pub name: &'static str,
    /// How often it was begun.
    pub served: u64,
    /// CPU by part, ns, scaled up from the sample; without `blocking_ns`.
    pub parts_ns: [u64; Part::ALL.len()],
    /// CPU of its own work on other threads than workers, ns.
    pub blocking_ns: u64,
    /// Events that it has published, by topic.
    pub published: Vec<(&'static str, u64)>,
}

impl Operation {
    /// That of a component and name, made at the first call and kept.
    pub fn of(component: ComponentName, name: &str) -> &'static Self {
        let find = |all: &[&'static Self]| {
            all.iter().copied().find(|one| one.name == name && one.component == component)
        };
        if let Some(known) = find(&OPERATIONS.read().expect("no panic while held")) {
            return known;
        }
        let mut all = OPERATIONS.write().expect("no panic while held");
        if let Some(known) = find(&all) {
            return known;
        }
        let name: &'static str = if all.len() < MAX_OPERATIONS { Box::leak(name.into()) } else { "" };
        if let Some(known) = all.iter().copied().find(|one| one.name == name && one.component == component) {
            return known;
        }
        // Operations are few and live as long as the process.
        let operation: &'static Self = Box::leak(Box::new(Self {
            component,
            name,
            ns: Default::default(),
            blocking_ns: Default::default(),
            served: AtomicU64::new(0),
            published: RwLock::default(),
        }));
        all.push(operation);
        operation
    }

    /// It begins once more.
    pub fn count(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    /// It has published an event of a topic.
    pub fn count_published(&self, topic: &'static str) {
        let mut published = self.published.write().expect("no panic while held");
        match published.iter_mut().find(|(known, _)| *known == topic) {
            Some((_, count)) => *count += 1,
            None => published.push((topic, 1)),
        }
    }

    fn read(&self) -> OperationCost {
        let (mut parts_ns, mut blocking_ns) = ([0; Part::ALL.len()], 0);
        for (at, part) in Part::ALL.into_iter().enumerate() {
            let elsewhere = self.blocking_ns[at].load(Ordering::Relaxed);
            parts_ns[at] = self.ns[at].load(Ordering::Relaxed);
            if part == Part::Business { blocking_ns += elsewhere } else { parts_ns[at] += elsewhere }
        }
        OperationCost {
            component: self.component,
            name: self.name,
            served: self.served.load(Ordering::Relaxed),
            parts_ns,
            blocking_ns,
            published: self.published.read().expect("no panic while held").clone(),
        }
    }
}

/// What is charged now: the operation that runs, or its component where none does.
fn charged() -> &'static Operation {
    scope::operation().unwrap_or_else(|| Operation::of(scope::component(), ""))
}

fn charge(part: Part, ns: u64) {
    charged().ns[part as usize].fetch_add(ns, Ordering::Relaxed);
}

/// Charges what ran so far in a measured poll: something changes now.
pub(crate) fn boundary() {
    if let Some(probe) = PROBE.get() {
        let now = clock::thread_cpu_ns();
        charge(PART.get(), now.saturating_sub(probe.since_ns) * probe.weight);
        // Read again: the charge itself is no component's work.
        PROBE.set(Some(Probe { since_ns: clock::thread_cpu_ns(), ..probe }));
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

/// Enters a top-level poll and decides whether it is measured.
pub(crate) fn begin_root(part: Part) -> PartGuard {
    let is_nested = PROBE.get().is_some();
    let mut charged = enter(part);
    if !is_nested {
        let mut schedule = SCHEDULE.get();
        if schedule.is_due() {
            let weight = schedule.stride;
            schedule.draw(clock::now_ns(), random::bits());
            PROBE.set(Some(Probe { since_ns: clock::thread_cpu_ns(), weight }));
            charged.ends_probe = true;
        }
        SCHEDULE.set(schedule);
    }
    charged
}

/// Measures work that is long enough to be measured every time: a blocking job.
pub(crate) fn measure_blocking<R>(part: Part, work: impl FnOnce() -> R) -> R {
    struct ChargeGuard(Part, u64);
    impl Drop for ChargeGuard {
        fn drop(&mut self) {
            let ns = clock::thread_cpu_ns().saturating_sub(self.1);
            charged().blocking_ns[self.0 as usize].fetch_add(ns, Ordering::Relaxed);
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
    let mut sums: Vec<(ComponentName, [u64; Part::ALL.len()])> = Vec::new();
    for cost in cost_by_operation() {
        let at = sums.iter().position(|(component, _)| *component == cost.component).unwrap_or_else(|| {
            sums.push((cost.component, [0; Part::ALL.len()]));
            sums.len() - 1
        });
        let parts = &mut sums[at].1;
        parts.iter_mut().zip(cost.parts_ns).for_each(|(sum, ns)| *sum += ns);
        parts[Part::Business as usize] += cost.blocking_ns;
    }
    sums
}

/// The same, by operation; what belongs to none of a component's has an empty name.
pub fn cost_by_operation() -> Vec<OperationCost> {
    OPERATIONS.read().expect("no panic while held").iter().map(|operation| operation.read()).collect()
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

    /// Polls a schedule so many times, `gap_ns` after each other: how many were measured, and for how many they stand.
    fn measured(schedule: &mut Schedule, polls: u64, gap_ns: u64, now_ns: &mut u64) -> (u64, u64) {
        let (mut count, mut weight) = (0, 0);
        for _ in 0..polls {
            *now_ns += gap_ns;
            if schedule.is_due() {
                (count, weight) = (count + 1, weight + schedule.stride);
                schedule.draw(*now_ns, random::bits());
            }
        }
        (count, weight)
    }

    #[test]
    fn a_thread_measures_about_as_many_polls_whatever_it_does() {
        let (mut schedule, mut now_ns) = (Schedule::FIRST, 0);
        // One in ten milliseconds: all of them.
        assert_eq!(measured(&mut schedule, 100, 10_000_000, &mut now_ns), (100, 100));
        // 100,000 a second for ten seconds are 2,500 intervals, each of 400 polls.
        let (count, weight) = measured(&mut schedule, 1_000_000, 10_000, &mut now_ns);
        assert!((2_000..3_500).contains(&count), "{count}");
        // They stand for all of them: the standard error is 1 / sqrt(3 x 2,500), about 1 %.
        assert!((950_000..1_050_000).contains(&weight), "{weight}");
    }

    #[test]
    fn nested_parts_are_exclusive_and_the_sample_scales_up() {
        let component = ComponentName::of("cpu-test");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        const TASKS: u64 = 10_000;
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
        // 10,000 x 20 us and 10,000 x 40 us, from about 150 measured polls: the count of those varies by a twentieth of
        // itself or so, the ratio of both parts hardly at all.
        let ratio = encoding as f64 / business as f64;
        assert!((1.5..2.2).contains(&ratio), "{ratio}: {parts:?}");
        assert!((100_000_000..400_000_000).contains(&business), "{business}");
    }

    #[test]
    fn operations_are_charged_apart_and_blocking_work_to_its_operation() {
        let component = ComponentName::of("operations-test");
        let (light, heavy) = (Operation::of(component, "light"), Operation::of(component, "heavy"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        const TASKS: u64 = 2_000;
        runtime.block_on(async {
            for _ in 0..TASKS {
                let serve =
                    |operation, ns| scope::serving(operation, part(Part::Business, async move { burn(ns) }));
                // Both in one poll, so that whichever are measured, both are.
                root(Part::Transport, async {
                    serve(light, 50_000).await;
                    serve(heavy, 200_000).await;
                })
                .await;
            }
            let hash = || burn(5_000_000);
            scope::serving(heavy, part(Part::Business, crate::blocking(hash))).await;
            light.count_published("topic");
        });
        let of = |name| {
            let all = cost_by_operation();
            all.into_iter().find(|cost| cost.component == component && cost.name == name).expect("charged")
        };
        let (light, heavy) = (of("light"), of("heavy"));
        let business = |cost: &OperationCost| cost.parts_ns[Part::Business as usize];
        let ratio = business(&heavy) as f64 / business(&light) as f64;
        assert!((2.5..6.5).contains(&ratio), "four times as much each: {ratio}");
        assert_eq!((light.served, heavy.served), (TASKS, TASKS + 1));
        assert!(heavy.blocking_ns >= 5_000_000 && light.blocking_ns == 0, "{heavy:?}");
        assert_eq!(light.published, [("topic", 1)]);
        let (_, parts) =
            cpu_by_component().into_iter().find(|(name, _)| *name == component).expect("charged");
        let sum = business(&light) + business(&heavy) + heavy.blocking_ns;
        assert_eq!(parts[Part::Business as usize], sum, "a component's is that of its operations");
    }
}
