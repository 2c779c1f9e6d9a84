//! Figures of an arm second by second of the load's clock, rounds put together: what charts of a whole run draw.

use record::{Latencies, Window};

use crate::edges;
use crate::latency::{P99_SECONDS, P999_SECONDS, Quantile, Rolling};
use crate::processes;
use crate::run::Run;
use crate::second::Second;
use crate::window::TimeRange;

/// A figure second by second; `None` where there is no data.
pub type Series = Vec<Option<f64>>;

/// Seconds between two points of what is sampled from outside once a second.
pub const SAMPLED_STEP: u32 = 2;

impl Run {
    /// A latency of ok journeys, milliseconds: the median of each second, or a higher percentile of the last
    /// [`P99_SECONDS`] or [`P999_SECONDS`].
    pub fn latency_series(&self, arm: char, q: f64) -> Series {
        let seconds = match q {
            q if q >= 0.999 => P999_SECONDS,
            q if q >= 0.99 => P99_SECONDS,
            _ => 1,
        };
        self.quantile_series(
            arm,
            q,
            seconds,
            true,
            |window| &window.intended,
            |second| match seconds {
                P999_SECONDS => second.p999(),
                P99_SECONDS => second.p99(),
                _ => second.p50(),
            },
        )
    }

    /// Acknowledged until visible elsewhere, milliseconds, over the last [`P999_SECONDS`].
    pub fn staleness_series(&self, arm: char, q: f64) -> Series {
        let thinned =
            |second: &Second| if q >= 0.99 { second.staleness_p99() } else { second.staleness_p50() };
        self.quantile_series(arm, q, P999_SECONDS, false, |window| &window.staleness, thinned)
    }

    fn quantile_series(
        &self,
        arm: char,
        q: f64,
        over: u32,
        has_gaps: bool,
        which: fn(&Window) -> &Latencies,
        thinned: impl Fn(&Second) -> Quantile,
    ) -> Series {
        let mut rolling = Rolling::over(over);
        let of_second = |second: u32| {
            let mut is_empty = true;
            for latencies in self.of_second(arm, second).map(which) {
                is_empty &= latencies.is_empty();
                rolling.add(second, latencies);
            }
            rolling.end_with(second);
            if let Some(old) = self.thinned(arm, second) {
                return thinned(old).ms;
            }
            // Nothing was answered in this second: a gap, although its neighbours have values.
            rolling.quantile(q).ms.filter(|_| !(is_empty && has_gaps))
        };
        (0..self.length_s()).map(of_second).collect()
    }

    /// The windows of one second, of all rounds.
    fn of_second(&self, arm: char, second: u32) -> impl Iterator<Item = &Window> {
        let rounds = self.seconds.range((arm, 0)..=(arm, u32::MAX));
        rounds.filter_map(move |(_, known)| known.get(&second)).flat_map(|second| second.windows())
    }

    /// A second of any round that has left full detail: only its own percentiles are known.
    fn thinned(&self, arm: char, second: u32) -> Option<&Second> {
        let mut rounds = self.seconds.range((arm, 0)..=(arm, u32::MAX)).rev();
        rounds.find_map(|(_, known)| known.get(&second).filter(|second| second.is_thinned).map(Box::as_ref))
    }

    /// Arrivals due per second, of one round.
    pub fn offered_series(&self, arm: char) -> Series {
        self.per_second(arm, |window| window.offered)
    }

    /// Good journeys per second, of one round.
    pub fn good_series(&self, arm: char) -> Series {
        self.per_second(arm, |window| window.good)
    }

    /// Failed journeys over offered, percent.
    pub fn error_series(&self, arm: char) -> Series {
        self.percent(arm, crate::failures::failed)
    }

    /// Arrivals that found no free slot over offered, percent.
    pub fn dropped_series(&self, arm: char) -> Series {
        self.percent(arm, |window| window.dropped)
    }

    fn per_second(&self, arm: char, which: impl Fn(&Window) -> u64) -> Series {
        let rounds = f64::from(self.header.rounds.max(1));
        self.shares(arm, which).map(|sums| sums.map(|(part, _)| part as f64 / rounds)).collect()
    }

    fn percent(&self, arm: char, which: impl Fn(&Window) -> u64) -> Series {
        let share = |(part, offered): (u64, u64)| part as f64 / offered as f64 * 100.0;
        self.shares(arm, which).map(|sums| sums.map(share)).collect()
    }

    /// A count and the arrivals due, second by second; `None` where none were.
    fn shares(&self, arm: char, which: impl Fn(&Window) -> u64) -> impl Iterator<Item = Option<(u64, u64)>> {
        (0..self.length_s()).map(move |second| {
            let sums = self
                .of_second(arm, second)
                .fold((0, 0), |(part, offered), window| (part + which(window), offered + window.offered));
            (sums.1 > 0).then_some(sums)
        })
    }

    /// CPU of the arm's processes, cores, every [`SAMPLED_STEP`] seconds: the mean of its rounds.
    pub fn cpu_series(&self, arm: char) -> Series {
        self.sampled(
            arm,
            |t| self.cpu_cores_at(arm, t),
            |cores| cores.iter().sum::<f64>() / cores.len() as f64,
        )
    }

    /// Proportional set size of the arm's processes together, MiB, every [`SAMPLED_STEP`] seconds: the highest of its
    /// rounds.
    pub fn memory_series(&self, arm: char) -> Series {
        let mib = |t| self.memory_at(arm, t).map(|bytes| bytes / processes::MIB);
        self.sampled(arm, mib, highest)
    }

    /// Calls that wait at the edge where most do, every [`SAMPLED_STEP`] seconds; nothing where all calls are function
    /// calls.
    pub fn queue_series(&self, arm: char) -> Series {
        self.sampled(arm, |t| self.longest_queue_at(arm, t).map(|calls| calls as f64), highest)
    }

    /// A point every [`SAMPLED_STEP`] seconds, as it was at their end in each round.
    fn sampled(&self, arm: char, at: impl Fn(u64) -> Option<f64>, join: impl Fn(&[f64]) -> f64) -> Series {
        let point = |second: u32| {
            let range = TimeRange { round: 0, seconds: second..second + SAMPLED_STEP };
            let ends = self.run_time(arm, &range).into_iter().map(|range| range.end);
            let values: Vec<f64> = ends.filter_map(&at).collect();
            (!values.is_empty()).then(|| join(&values))
        };
        (0..self.length_s()).step_by(SAMPLED_STEP as usize).map(point).collect()
    }
}

fn highest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

const _: () = assert!(
    edges::QUEUE_NS == processes::CPU_NS,
    "a point of a chart covers what was sampled since the point before"
);
