//! The cores of a host, shared by the threads of its processes.
//!
//! Two disciplines: threads take turns on cores (first come first served is a turn without end), or all run at once and
//! slow each other down. They agree on means, and differ by half in the tail.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::flow::Flow;
use super::plan::CpuSharing;
use super::stall::Stall;
use super::surcharge::Surcharge;
use crate::engine::Handle;

/// What a burst of CPU is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A frame, on the thread that serves it.
    Frame(Handle),
    /// A frame, on a thread for blocking work.
    Blocking(Handle),
    /// A query or a transaction, on a thread for blocking work.
    Query(Handle),
}

impl Owner {
    /// Whether it runs on a thread for blocking work.
    pub const fn is_blocking(self) -> bool {
        matches!(self, Self::Blocking(_) | Self::Query(_))
    }
}

/// CPU without a pause: a thread from where it becomes runnable to where it blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Burst {
    /// Whose thread it is.
    pub process: u32,
    /// What it is for.
    pub owner: Owner,
    /// What it needs, ns.
    pub demand_ns: u64,
    /// When it became runnable, ns.
    pub since_ns: u64,
}

/// An event that a host asks for: after `delay_ns`, `index` counts its cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// From now, ns.
    pub delay_ns: u64,
    /// The core, or 0 where cores are shared evenly.
    pub core: u32,
}

/// The cores of a host.
#[derive(Debug)]
pub struct Cpu {
    cores: Cores,
    flow: Flow,
    /// CPU used, ns, of bursts that have ended.
    used_ns: u64,
    contention: f64,
    /// What bursts ask for, and what neighbours add to it.
    contended: Surcharge,
    stall: Stall,
}

#[derive(Debug)]
enum Cores {
    Turns(Turns),
    Shared(Shared),
}

impl Cpu {
    /// Idle cores.
    pub fn new(cores: u32, sharing: CpuSharing, contention: f64) -> Self {
        let cores = cores.max(1);
        let cores = match sharing {
            CpuSharing::Fcfs => Cores::Turns(Turns::new(cores, u64::MAX)),
            CpuSharing::Quantum(quantum_ns) => Cores::Turns(Turns::new(cores, quantum_ns.max(1))),
            CpuSharing::Shared => Cores::Shared(Shared::new(cores)),
        };
        Self {
            cores,
            flow: Flow::default(),
            used_ns: 0,
            contention,
            contended: Surcharge::default(),
            stall: Stall::default(),
        }
    }

    /// A thread becomes runnable. The event that is asked for must be reported with [`Cpu::on_wake`].
    pub fn start(&mut self, mut burst: Burst, now_ns: u64) -> Option<Wake> {
        self.flow.enter(now_ns);
        burst.since_ns = now_ns;
        if self.contention > 0.0 {
            // As many as run at once: what waits for a core evicts nothing from caches.
            let others = (self.flow.present() - 1).min(self.cores.count() - 1);
            let more_ns = (burst.demand_ns as f64 * self.contention * others as f64) as u64;
            self.contended.base_ns += burst.demand_ns;
            self.contended.more_ns += more_ns;
            burst.demand_ns += more_ns;
        }
        let wake = match &mut self.cores {
            Cores::Turns(turns) => turns.start(burst, now_ns),
            Cores::Shared(shared) => shared.start(burst, now_ns),
        };
        self.stall.becomes(self.cores.stalled(), now_ns);
        wake
    }

    /// Remembers the number of an event that was asked for; others of the same core are stale from now on.
    pub fn armed(&mut self, core: u32, seq: u32) {
        match &mut self.cores {
            Cores::Turns(turns) => turns.cores[core as usize].armed = seq,
            Cores::Shared(shared) => shared.armed = seq,
        }
    }

    /// An event that was asked for happens. Returns the burst that has ended, if one has, and the next event to ask for. To
    /// be called again as long as a burst comes back: several may end at once.
    pub fn on_wake(&mut self, core: u32, seq: u32, now_ns: u64) -> (Option<Burst>, Option<Wake>) {
        let (ended, wake) = match &mut self.cores {
            Cores::Turns(turns) => turns.on_wake(core, seq, now_ns),
            Cores::Shared(shared) => shared.on_wake(seq, now_ns),
        };
        if let Some(burst) = ended {
            self.flow.leave(now_ns, burst.since_ns);
            self.used_ns += burst.demand_ns;
        }
        self.stall.becomes(self.cores.stalled(), now_ns);
        (ended, wake)
    }

    /// Takes the threads of a process away, with what each still needs: it dies, or pauses. Events to ask for come with
    /// them.
    pub fn remove(&mut self, process: u32, now_ns: u64) -> (Vec<Burst>, Vec<Wake>) {
        let (removed, wakes) = match &mut self.cores {
            Cores::Turns(turns) => turns.remove(process, now_ns),
            Cores::Shared(shared) => shared.remove(process, now_ns),
        };
        for burst in &removed {
            self.flow.leave(now_ns, burst.since_ns);
        }
        self.stall.becomes(self.cores.stalled(), now_ns);
        (removed, wakes)
    }

    /// Who has come and gone.
    pub const fn flow(&self) -> &Flow {
        &self.flow
    }

    /// Whether Little's law holds of its threads.
    pub fn is_balanced(&self) -> bool {
        match &self.cores {
            Cores::Turns(Turns { cores, waiting, .. }) => {
                let running = cores.iter().filter_map(|core| core.running.map(|turn| turn.burst.since_ns));
                self.flow.is_balanced(running.chain(waiting.iter().map(|(burst, _)| burst.since_ns)))
            }
            Cores::Shared(Shared { threads, .. }) => {
                self.flow.is_balanced(threads.iter().map(|Reverse((.., burst))| burst.since_ns))
            }
        }
    }

    /// What neighbours on the cores have added so far.
    pub const fn contended(&self) -> Surcharge {
        self.contended
    }

    /// CPU of all bursts that have ended, ns.
    pub const fn used_ns(&self) -> u64 {
        self.used_ns
    }

    /// Time so far in which threads waited for a core, ns: the mean over cores, each counted while one waits for it. So the
    /// kernel's pressure (PSI `some`, Linux's `kernel/sched/psi.c`) puts its cores together, of which none idles meanwhile.
    pub fn stalled_ns(&self, now_ns: u64) -> u64 {
        self.stall.until(now_ns) / self.cores.count()
    }
}

impl Cores {
    fn count(&self) -> u64 {
        match self {
            Self::Turns(turns) => turns.cores.len() as u64,
            Self::Shared(shared) => shared.cores,
        }
    }

    /// Cores that a thread waits for.
    fn stalled(&self) -> u64 {
        let waiting = match self {
            Self::Turns(turns) => turns.waiting.len() as u64,
            Self::Shared(shared) => (shared.threads.len() as u64).saturating_sub(shared.cores),
        };
        waiting.min(self.count())
    }
}

/// Threads take turns.
#[derive(Debug)]
struct Turns {
    cores: Vec<Core>,
    /// Idle cores, the last used first.
    idle: Vec<u32>,
    /// Runnable threads, and what each still needs, ns.
    waiting: VecDeque<(Burst, u64)>,
    quantum_ns: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Core {
    running: Option<Turn>,
    armed: u32,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    burst: Burst,
    /// When it ends, ns.
    ends_ns: u64,
    /// What the thread needs after it, ns.
    then_ns: u64,
}

impl Turns {
    fn new(cores: u32, quantum_ns: u64) -> Self {
        let idle = (0..cores).rev().collect();
        Self { cores: vec![Core::default(); cores as usize], idle, waiting: VecDeque::new(), quantum_ns }
    }

    fn start(&mut self, burst: Burst, now_ns: u64) -> Option<Wake> {
        let Some(core) = self.idle.pop() else {
            self.waiting.push_back((burst, burst.demand_ns));
            return None;
        };
        Some(self.run(core, burst, burst.demand_ns, now_ns))
    }

    fn run(&mut self, core: u32, burst: Burst, left_ns: u64, now_ns: u64) -> Wake {
        let delay_ns = left_ns.min(self.quantum_ns);
        let turn = Turn { burst, ends_ns: now_ns + delay_ns, then_ns: left_ns - delay_ns };
        self.cores[core as usize].running = Some(turn);
        Wake { delay_ns, core }
    }

    /// The next thread's turn on a core.
    fn next(&mut self, core: u32, now_ns: u64) -> Option<Wake> {
        if let Some((burst, left_ns)) = self.waiting.pop_front() {
            return Some(self.run(core, burst, left_ns, now_ns));
        }
        self.idle.push(core);
        None
    }

    fn on_wake(&mut self, core: u32, seq: u32, now_ns: u64) -> (Option<Burst>, Option<Wake>) {
        let at = &mut self.cores[core as usize];
        if at.armed != seq {
            return (None, None);
        }
        let Some(Turn { burst, then_ns, .. }) = at.running.take() else { return (None, None) };
        if then_ns == 0 {
            return (Some(burst), self.next(core, now_ns));
        }
        self.waiting.push_back((burst, then_ns));
        (None, self.next(core, now_ns))
    }

    fn remove(&mut self, process: u32, now_ns: u64) -> (Vec<Burst>, Vec<Wake>) {
        let (mut removed, mut wakes) = (Vec::new(), Vec::new());
        self.waiting.retain(|(burst, left_ns)| {
            let is_meant = burst.process == process;
            if is_meant {
                removed.push(Burst { demand_ns: *left_ns, ..*burst });
            }
            !is_meant
        });
        for core in 0..self.cores.len() as u32 {
            let at = &mut self.cores[core as usize];
            if let Some(turn) = at.running.filter(|turn| turn.burst.process == process) {
                let left_ns = turn.ends_ns - now_ns + turn.then_ns;
                removed.push(Burst { demand_ns: left_ns, ..turn.burst });
                // The event that is out finds no turn, or another number.
                at.running = None;
                wakes.extend(self.next(core, now_ns));
            }
        }
        (removed, wakes)
    }
}

/// Bits after the point of virtual time.
const FRACTION: u32 = 12;

/// All threads run at once, each at a rate of min(1, cores / threads). Virtual time is the CPU that a thread gets which is
/// always there; a thread ends when it reaches the thread's tag.
#[derive(Debug)]
struct Shared {
    cores: u64,
    virtual_time: u64,
    updated_ns: u64,
    threads: BinaryHeap<Reverse<(u64, u64, Burst)>>,
    /// Orders threads of one tag.
    order: u64,
    armed: u32,
    /// When the event that is armed happens.
    armed_for_ns: u64,
}

impl Shared {
    const fn new(cores: u32) -> Self {
        Self {
            cores: cores as u64,
            virtual_time: 0,
            updated_ns: 0,
            threads: BinaryHeap::new(),
            order: 0,
            armed: 0,
            armed_for_ns: u64::MAX,
        }
    }

    fn update(&mut self, now_ns: u64) {
        let passed = u128::from(now_ns - self.updated_ns) << FRACTION;
        let threads = self.threads.len() as u64;
        let share = if threads <= self.cores {
            passed
        } else {
            // Rounded up, so that a thread does not end a nanosecond late for each look at it.
            (passed * u128::from(self.cores)).div_ceil(u128::from(threads))
        };
        self.virtual_time += share as u64;
        self.updated_ns = now_ns;
    }

    fn start(&mut self, burst: Burst, now_ns: u64) -> Option<Wake> {
        self.update(now_ns);
        let tag = self.virtual_time + (burst.demand_ns << FRACTION);
        self.threads.push(Reverse((tag, self.order, burst)));
        self.order += 1;
        self.arm(now_ns)
    }

    /// The event for the thread that ends first. One that is armed for an earlier time will do: it then asks again.
    fn arm(&mut self, now_ns: u64) -> Option<Wake> {
        let Reverse((tag, ..)) = self.threads.peek()?;
        let needed = u128::from(tag.saturating_sub(self.virtual_time));
        let threads = (self.threads.len() as u64).max(self.cores);
        let delay_ns = (needed * u128::from(threads)).div_ceil(u128::from(self.cores) << FRACTION) as u64;
        if now_ns + delay_ns >= self.armed_for_ns {
            return None;
        }
        self.armed_for_ns = now_ns + delay_ns;
        Some(Wake { delay_ns, core: 0 })
    }

    fn on_wake(&mut self, seq: u32, now_ns: u64) -> (Option<Burst>, Option<Wake>) {
        if self.armed != seq {
            return (None, None);
        }
        self.update(now_ns);
        if let Some(Reverse((tag, _, burst))) = self.threads.peek().copied()
            && tag <= self.virtual_time
        {
            self.threads.pop();
            return (Some(burst), None);
        }
        self.armed_for_ns = u64::MAX;
        (None, self.arm(now_ns))
    }

    fn remove(&mut self, process: u32, now_ns: u64) -> (Vec<Burst>, Vec<Wake>) {
        self.update(now_ns);
        let all = std::mem::take(&mut self.threads).into_sorted_vec();
        let mut removed = Vec::new();
        for Reverse((tag, order, burst)) in all {
            if burst.process == process {
                removed.push(Burst { demand_ns: tag.saturating_sub(self.virtual_time) >> FRACTION, ..burst });
            } else {
                self.threads.push(Reverse((tag, order, burst)));
            }
        }
        self.armed_for_ns = u64::MAX;
        (removed, self.arm(now_ns).into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{HeapQueue, Scheduler, Slab};

    /// Threads of `(start, demand)` on a host, and when each ends.
    fn ends(cpu: Cpu, threads: &[(u64, u64)]) -> Vec<u64> {
        run(cpu, threads).0
    }

    /// The same, and the host afterwards.
    fn run(mut cpu: Cpu, threads: &[(u64, u64)]) -> (Vec<u64>, Cpu) {
        let (mut events, mut slab) = (Scheduler::new(HeapQueue::default()), Slab::default());
        let handles: Vec<Handle> = threads.iter().map(|_| slab.insert(())).collect();
        for ((start, _), n) in threads.iter().zip(0..) {
            events.at(*start, 0, n);
        }
        let mut ends = vec![0; threads.len()];
        while let Some(event) = events.next(u64::MAX) {
            let mut ask = |cpu: &mut Cpu, wake: Option<Wake>| {
                if let Some(Wake { delay_ns, core }) = wake {
                    cpu.armed(core, events.after(delay_ns, 1, core));
                }
            };
            if event.kind == 0 {
                let (owner, demand_ns) =
                    (Owner::Frame(handles[event.index as usize]), threads[event.index as usize].1);
                let wake = cpu.start(Burst { process: 0, owner, demand_ns, since_ns: 0 }, event.time_ns);
                ask(&mut cpu, wake);
                continue;
            }
            loop {
                let (ended, wake) = cpu.on_wake(event.index, event.seq, event.time_ns);
                ask(&mut cpu, wake);
                let Some(Burst { owner: Owner::Frame(handle), .. }) = ended else { break };
                ends[handle.index as usize] = event.time_ns;
            }
        }
        assert!(cpu.is_balanced());
        (ends, cpu)
    }

    #[test]
    fn turns_are_as_by_hand() {
        let threads = [(0, 100), (10, 100), (20, 30)];
        assert_eq!(ends(Cpu::new(1, CpuSharing::Fcfs, 0.0), &threads), [100, 200, 230]);
        assert_eq!(ends(Cpu::new(2, CpuSharing::Fcfs, 0.0), &threads), [100, 110, 130]);
        // One core in turns of 40: a until 40, b 80, c 110, a 150, b 190, a 210, b 230.
        assert_eq!(ends(Cpu::new(1, CpuSharing::Quantum(40), 0.0), &threads), [210, 230, 110]);
        // By itself a thread has turn after turn.
        assert_eq!(ends(Cpu::new(1, CpuSharing::Quantum(40), 0.0), &[(5, 100)]), [105]);
    }

    #[test]
    fn sharing_is_as_by_hand() {
        // Alone until 10; two until 20; then three at a third. At 20 they need 85, 95 and 30: c ends at 20 + 90. a and b have
        // 55 and 65 left: a at 110 + 110, b 10 later.
        let threads = [(0, 100), (10, 100), (20, 30)];
        assert_eq!(ends(Cpu::new(1, CpuSharing::Shared, 0.0), &threads), [220, 230, 110]);
        // Two cores: three at 2/3 from 20 on. c needs 45 and ends at 65; a has 80 - 30 left, b 90 - 30.
        assert_eq!(ends(Cpu::new(2, CpuSharing::Shared, 0.0), &threads), [115, 125, 65]);
    }

    #[test]
    fn a_core_is_stalled_as_long_as_a_thread_waits_for_it() {
        let threads = [(0, 100), (10, 100), (20, 30)];
        let stalled = |cores, sharing| run(Cpu::new(cores, sharing, 0.0), &threads).1.stalled_ns(1_000);
        // b waits from 10 to 100, c from 20 to 200.
        assert_eq!(stalled(1, CpuSharing::Fcfs), 190);
        // c waits from 20 to 100, for one of two cores.
        assert_eq!(stalled(2, CpuSharing::Fcfs), 40);
        // Until a ends at 210, or at 220, there are two at least; on two cores there are three from 20 to 65.
        assert_eq!(stalled(1, CpuSharing::Quantum(40)), 200);
        assert_eq!(stalled(1, CpuSharing::Shared), 210);
        assert_eq!(stalled(2, CpuSharing::Shared), 22);
        let mut one = Cpu::new(1, CpuSharing::Fcfs, 0.0);
        let mut slab = Slab::default();
        for since_ns in [0, 10] {
            let owner = Owner::Frame(slab.insert(()));
            one.start(Burst { process: 0, owner, demand_ns: 100, since_ns }, since_ns);
        }
        assert_eq!(one.stalled_ns(50), 40, "it goes on");
        one.remove(0, 60);
        assert_eq!(one.stalled_ns(90), 50, "until the process is taken away");
    }

    #[test]
    fn neighbours_slow_a_thread_down() {
        assert_eq!(ends(Cpu::new(2, CpuSharing::Fcfs, 0.5), &[(0, 100), (0, 100)]), [100, 150]);
        // Those that wait for a core do not: each has one neighbour at most, however long the queue.
        let queue: Vec<(u64, u64)> = (0..5).map(|_| (0, 100)).collect();
        assert_eq!(ends(Cpu::new(2, CpuSharing::Fcfs, 0.5), &queue), [100, 150, 250, 300, 400]);
        assert_eq!(ends(Cpu::new(1, CpuSharing::Fcfs, 0.5), &queue), [100, 200, 300, 400, 500]);
    }
}
