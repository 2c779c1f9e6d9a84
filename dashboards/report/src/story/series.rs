//! Figures of an arm, second by second of the load's clock: what charts draw.

use model::TimeRange;
use model::Window;
use record::Latencies;

use super::{SECOND, Story};

/// Seconds a 99th percentile looks back, as on the screen: one second has too few samples.
const P99_OVER_S: u32 = 5;
/// Seconds between two points of what is sampled from outside once a second.
const SAMPLED_S: u32 = 2;

/// A figure second by second; `None` where there is no data.
pub type Series = Vec<Option<f64>>;

impl Story {
    /// A latency of ok journeys, milliseconds: the median of each second, or the 99th percentile of the last five.
    pub fn latency_ms(&self, arm: char, q: f64) -> Series {
        self.quantile_ms(arm, q, |window| &window.intended)
    }

    /// Acknowledged until visible elsewhere, milliseconds, as [`Story::latency_ms`].
    pub fn staleness_ms(&self, arm: char, q: f64) -> Series {
        self.quantile_ms(arm, q, |window| &window.staleness)
    }

    fn quantile_ms(&self, arm: char, q: f64, which: fn(&record::Window) -> &Latencies) -> Series {
        let back = if q >= 0.99 { P99_OVER_S as usize } else { 1 };
        let mut seconds = vec![Latencies::default(); self.length_s() as usize];
        self.each_window(arm, |second, window| seconds[second].merge(which(window)));
        let quantile = |second: usize| {
            // Nothing came in this second: a gap, although its neighbours have values.
            if seconds[second].is_empty() {
                return None;
            }
            let latencies = Latencies::merged(&seconds[(second + 1).saturating_sub(back)..=second]);
            latencies.quantile(q).map(|us| us as f64 / 1e3)
        };
        (0..seconds.len()).map(quantile).collect()
    }

    /// Looks once at every window of an arm within the load, with its second.
    fn each_window(&self, arm: char, mut look: impl FnMut(usize, &record::Window)) {
        let stretch = TimeRange { round: 0, seconds: 0..self.length_s() };
        self.run.windows(arm, &stretch, |_| true).for_each(|window| look(window.second as usize, window));
    }

    /// Latencies of ok journeys over a window.
    pub fn all_latencies(&self, arm: char, window: &Window) -> Latencies {
        self.run.merged(arm, &self.run.whole(window), "all", |window| &window.intended)
    }

    /// Arrivals due per second, of one round.
    pub fn offered(&self, arm: char) -> Series {
        self.per_second(arm, |window| window.offered)
    }

    /// Good journeys per second, of one round.
    pub fn good(&self, arm: char) -> Series {
        self.per_second(arm, |window| window.good)
    }

    /// Journeys per second that failed, were dropped or came too late.
    pub fn failed(&self, arm: char) -> Series {
        self.per_second(arm, |window| window.offered.saturating_sub(window.good))
    }

    /// Share of the arrivals due that were not answered ok, percent.
    pub fn errors_percent(&self, arm: char) -> Series {
        self.percent(arm, |window| window.offered.saturating_sub(window.ok))
    }

    /// Share of the arrivals due that nobody sent: no slot was free, percent.
    pub fn dropped_percent(&self, arm: char) -> Series {
        self.percent(arm, |window| window.dropped)
    }

    fn per_second(&self, arm: char, which: impl Fn(&record::Window) -> u64) -> Series {
        let rounds = f64::from(self.header().rounds.max(1));
        self.shares(arm, which).into_iter().map(|sums| sums.map(|(part, _)| part as f64 / rounds)).collect()
    }

    fn percent(&self, arm: char, which: impl Fn(&record::Window) -> u64) -> Series {
        let share = |(part, offered): (u64, u64)| part as f64 / offered as f64 * 100.0;
        self.shares(arm, which).into_iter().map(|sums| sums.map(share)).collect()
    }

    /// A count and the arrivals due, second by second; `None` where none were.
    fn shares(&self, arm: char, which: impl Fn(&record::Window) -> u64) -> Vec<Option<(u64, u64)>> {
        let mut sums = vec![(0, 0); self.length_s() as usize];
        self.each_window(arm, |second, window| {
            sums[second].0 += which(window);
            sums[second].1 += window.offered;
        });
        sums.into_iter().map(|(part, offered)| (offered > 0).then_some((part, offered))).collect()
    }

    /// CPU of the arm's processes, cores, every two seconds.
    pub fn cpu_cores(&self, arm: char) -> Series {
        let rounds = f64::from(self.header().rounds.max(1));
        self.each(SAMPLED_S, |second| {
            let stretch = TimeRange { round: 0, seconds: second..second + SAMPLED_S };
            let ns = self.run.cpu_ns(arm, &stretch)?;
            Some(ns as f64 / SECOND as f64 / f64::from(SAMPLED_S) / rounds)
        })
    }

    /// Proportional set size of the arm's processes together, MiB, every two seconds: the highest of its rounds.
    pub fn memory_mib(&self, arm: char) -> Series {
        self.each(SAMPLED_S, |second| {
            let ranges = self.run.run_time(arm, &TimeRange { round: 0, seconds: second..second + SAMPLED_S });
            let held = |range: &std::ops::Range<u64>| {
                let last = |samples: &[(u64, record::Proc)]| {
                    samples.iter().rev().find(|(t, _)| range.contains(t)).map(|(_, proc)| proc.pss_kib)
                };
                let known: Vec<u64> = self.run.procs(arm).filter_map(|(_, samples)| last(samples)).collect();
                (!known.is_empty()).then(|| known.iter().sum::<u64>() as f64 / 1024.0)
            };
            ranges.iter().filter_map(held).reduce(f64::max)
        })
    }

    /// Calls that wait at the edge where most do, every two seconds; nothing where all calls are function calls.
    pub fn queue(&self, arm: char) -> Series {
        self.each(SAMPLED_S, |second| {
            let stretch = TimeRange { round: 0, seconds: second..second + SAMPLED_S };
            let crossing =
                self.run.edges(arm, &stretch).filter(|edge| !edge.local && !edge.caller.is_empty());
            crossing.map(|edge| edge.queue as f64).reduce(f64::max)
        })
    }

    /// A point every `step` seconds; in between nothing is known.
    fn each(&self, step: u32, figure: impl Fn(u32) -> Option<f64>) -> Series {
        (0..self.length_s()).step_by(step as usize).map(figure).collect()
    }
}
