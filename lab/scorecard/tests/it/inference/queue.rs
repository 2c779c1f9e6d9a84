//! Generator Q: two arms that share arrivals and demand, with latencies, CPU and goodput by second.
//!
//! Poisson arrivals; demand lognormal of mean 1 and cv 1, the same in both arms, times each arm's own of cv 0.3. The mean
//! service keeps the load. One server serves first come first served; two share their processors. *Stalls*: each arm stands
//! still every 3 s from a random phase, each time for a lognormal time of mean 40 ms and cv 0.5. *Drift*: log speed is
//! autoregressive in steps of 0.25 s, correlated over 5 s, common side by side, each arm's own in turns. *Start*: a normal
//! deviation of the log service of each arm and round.

use std::collections::BinaryHeap;

use super::random::Random;

/// Seconds before the window, which are dropped.
const WARM_UP_SECONDS: f64 = 3.0;
/// Drift: step and correlation time, seconds.
const DRIFT_STEP: f64 = 0.25;
const DRIFT_CORRELATION: f64 = 5.0;
/// CPU that an arm takes every second beside its work, seconds.
pub(super) const IDLE_CPU: f64 = 0.05;

/// What is generated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    /// Arrivals a second.
    pub(super) rate: f64,
    pub(super) seconds: u32,
    pub(super) load: f64,
    /// Two servers share their processors, instead of one that serves in order.
    pub(super) is_shared: bool,
    pub(super) has_stalls: bool,
    /// Standard deviation of the log speed.
    pub(super) drift: f64,
    /// Standard deviation of the log service between starts.
    pub(super) start: f64,
    /// Arms take turns: each has a speed of its own.
    pub(super) is_taking_turns: bool,
}

impl Queue {
    /// Without drift, starts or turns.
    pub(super) fn plain(rate: f64, seconds: u32, load: f64, is_shared: bool, has_stalls: bool) -> Self {
        Self { rate, seconds, load, is_shared, has_stalls, drift: 0.0, start: 0.0, is_taking_turns: false }
    }

    /// Mean service, seconds.
    pub(super) fn mean_service(&self) -> f64 {
        self.servers() * self.load / self.rate
    }

    fn servers(&self) -> f64 {
        if self.is_shared { 2.0 } else { 1.0 }
    }

    /// One round of both arms.
    pub(super) fn round(&self, random: &mut Random) -> [Round; 2] {
        let mut arrivals = Vec::new();
        let mut at = -WARM_UP_SECONDS;
        loop {
            at += random.exponential() / self.rate;
            if at >= f64::from(self.seconds) {
                break;
            }
            arrivals.push((at, random.lognormal(1.0)));
        }
        let common = self.speeds(random);
        [(); 2].map(|()| {
            let speeds = if self.is_taking_turns { self.speeds(random) } else { common.clone() };
            self.arm(&arrivals, &speeds, random)
        })
    }

    /// Speed in steps of a quarter of a second, from the warm-up's beginning to well after the end.
    fn speeds(&self, random: &mut Random) -> Vec<f64> {
        let steps = ((f64::from(self.seconds) + WARM_UP_SECONDS + 10.0) / DRIFT_STEP) as usize;
        if self.drift == 0.0 {
            return vec![1.0];
        }
        let keep = (-DRIFT_STEP / DRIFT_CORRELATION).exp();
        let mut log = self.drift * random.normal();
        (0..steps)
            .map(|_| {
                let speed = log.exp();
                log = keep * log + self.drift * (1.0 - keep * keep).sqrt() * random.normal();
                speed
            })
            .collect()
    }

    fn arm(&self, arrivals: &[(f64, f64)], speeds: &[f64], random: &mut Random) -> Round {
        let clock = Clock::new(speeds, &self.stalls(random));
        let start = (self.start * random.normal()).exp();
        let jobs: Vec<Job> = arrivals
            .iter()
            .map(|(at, demand)| {
                let service = self.mean_service() * start * demand * random.lognormal(0.3);
                Job::new(*at, service, &clock)
            })
            .collect();
        let finished = if self.is_shared { share(&jobs, self.servers()) } else { in_order(&jobs) };
        let mut round = Round::new(self.seconds as usize);
        let mut cpu = vec![0.0; self.seconds as usize + 1];
        for (job, finished) in jobs.iter().zip(finished) {
            let finished = clock.when(finished);
            if finished >= 0.0 && finished < f64::from(self.seconds) {
                round.finished[finished as usize] += 1;
            }
            // The second before the window, whose CPU is read within it, has index 0.
            if job.at >= -1.0 {
                cpu[(job.at + 1.0) as usize] += job.cpu;
            }
            if job.at >= 0.0 {
                round.latencies_us[job.at as usize].push(((finished - job.at) * 1e6).max(1.0) as u64);
            }
        }
        let offset = random.uniform();
        for (second, pair) in cpu.windows(2).enumerate() {
            let read = (1.0 - offset) * pair[1] + offset * pair[0] + IDLE_CPU;
            round.cpu_ns[second] = (read * 1e9) as u64;
        }
        round
    }

    /// Beginning and length of each.
    fn stalls(&self, random: &mut Random) -> Vec<(f64, f64)> {
        if !self.has_stalls {
            return Vec::new();
        }
        let first = 3.0 * random.uniform() - WARM_UP_SECONDS;
        let count = (f64::from(self.seconds) + WARM_UP_SECONDS) / 3.0 + 3.0;
        (0..count as u32).map(|i| (first + 3.0 * f64::from(i), 0.04 * random.lognormal(0.5))).collect()
    }
}

/// What one arm did in one round, by second.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// Of the arrivals due in it.
    pub(super) latencies_us: Vec<Vec<u64>>,
    pub(super) cpu_ns: Vec<u64>,
    /// Journeys that ended in it.
    pub(super) finished: Vec<u64>,
}

impl Round {
    fn new(seconds: usize) -> Self {
        Self { latencies_us: vec![Vec::new(); seconds], cpu_ns: vec![0; seconds], finished: vec![0; seconds] }
    }

    /// With an effect planted: latencies and CPU times these factors.
    pub(super) fn scaled(mut self, latency: f64, cpu: f64) -> Self {
        for us in self.latencies_us.iter_mut().flatten() {
            *us = (*us as f64 * latency) as u64;
        }
        for ns in &mut self.cpu_ns {
            *ns = (*ns as f64 * cpu) as u64;
        }
        self
    }
}

/// An arrival with the work it brings.
pub(super) struct Job {
    pub(super) at: f64,
    service: f64,
    /// Work that could have been done until it arrived.
    arrived: f64,
    cpu: f64,
}

impl Job {
    pub(super) fn new(at: f64, service: f64, clock: &Clock) -> Self {
        Self { at, service, arrived: clock.work_until(at), cpu: service / clock.speed(at) }
    }
}

/// Time and the work that can be done until then: none in a stall, else by the speed.
pub(super) struct Clock {
    /// Where the rate of work changes: when, work done until then, rate from then on.
    pieces: Vec<(f64, f64, f64)>,
    speeds: Vec<f64>,
}

impl Clock {
    pub(super) fn new(speeds: &[f64], stalls: &[(f64, f64)]) -> Self {
        let mut changes: Vec<f64> =
            (0..speeds.len()).map(|step| step as f64 * DRIFT_STEP - WARM_UP_SECONDS).collect();
        changes.extend(stalls.iter().flat_map(|(from, length)| [*from, from + length]));
        changes.sort_by(f64::total_cmp);
        let mut clock = Self { pieces: Vec::with_capacity(changes.len()), speeds: speeds.to_vec() };
        let mut next_stall = stalls.iter().peekable();
        for at in changes {
            let work = clock.work_until(at);
            while next_stall.peek().is_some_and(|(from, length)| from + length <= at) {
                next_stall.next();
            }
            let is_stalled = next_stall.peek().is_some_and(|(from, _)| *from <= at);
            let rate = if is_stalled { 0.0 } else { clock.speed(at) };
            clock.pieces.push((at, work, rate));
        }
        clock
    }

    fn speed(&self, at: f64) -> f64 {
        let step = ((at + WARM_UP_SECONDS) / DRIFT_STEP + 1e-9) as usize;
        self.speeds[step.min(self.speeds.len() - 1)]
    }

    fn work_until(&self, at: f64) -> f64 {
        let index = self.pieces.partition_point(|piece| piece.0 <= at);
        index.checked_sub(1).map_or(0.0, |index| {
            let (from, work, rate) = self.pieces[index];
            work + rate * (at - from)
        })
    }

    pub(super) fn when(&self, work: f64) -> f64 {
        let index = self.pieces.partition_point(|piece| piece.1 < work).max(1) - 1;
        let (from, done, rate) = self.pieces[index];
        if rate > 0.0 { from + (work - done) / rate } else { from }
    }
}

/// Work done when each job is finished, first come first served.
pub(super) fn in_order(jobs: &[Job]) -> Vec<f64> {
    let mut free = f64::NEG_INFINITY;
    jobs.iter()
        .map(|job| {
            free = job.arrived.max(free) + job.service;
            free
        })
        .collect()
}

/// The same where all jobs in the system share the servers, none taking more than one.
fn share(jobs: &[Job], servers: f64) -> Vec<f64> {
    /// Ordered by what each job will have been given when it ends, least first.
    #[derive(PartialEq)]
    struct Ends(f64, usize);
    impl Eq for Ends {}
    impl Ord for Ends {
        fn cmp(&self, other: &Self) -> std::cmp::Ordering {
            other.0.total_cmp(&self.0).then(other.1.cmp(&self.1))
        }
    }
    impl PartialOrd for Ends {
        fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }

    let mut finished = vec![0.0; jobs.len()];
    let mut running = BinaryHeap::new();
    // What a job that was there all the time would have been given, and the work done until now.
    let (mut given, mut now) = (0.0, f64::NEG_INFINITY);
    let mut serve_until = |running: &mut BinaryHeap<Ends>, given: &mut f64, now: &mut f64, until: f64| {
        while let Some(Ends(ends, job)) = running.peek() {
            let pace = (servers / running.len() as f64).min(1.0);
            let done = *now + (ends - *given) / pace;
            if done > until {
                *given += (until - *now) * pace;
                break;
            }
            (*given, *now) = (*ends, done);
            finished[*job] = done;
            running.pop();
        }
        *now = until;
    };
    for (index, job) in jobs.iter().enumerate() {
        serve_until(&mut running, &mut given, &mut now, job.arrived);
        running.push(Ends(given + job.service, index));
    }
    serve_until(&mut running, &mut given, &mut now, f64::INFINITY);
    finished
}
