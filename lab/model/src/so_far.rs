//! The newest figures of a run that goes on: its last closed second, the phase so far, and whether the generator kept up.

use record::{Latencies, Window};

use crate::block::Turn;
use crate::known_quantiles::ClosedSeconds;
use crate::latency::{P999_SECONDS, Quantile};
use crate::processes::MIB;
use crate::run::Run;
use crate::second::Second;
use crate::{SECOND, seconds_of};

/// Lateness of the generator at the median that is always allowed, us: on two idle cores that a run shares, the scheduler alone
/// makes it 80 to 125 us.
const MIN_LAG_P50_US: f64 = 200.0;
/// Above that it may be this share of the median latency that was measured.
const LAG_P50_SHARE: f64 = 0.1;
/// CPU is sampled once a second: over fewer seconds a figure per journey says little.
const MIN_CPU_SECONDS: usize = 3;
/// Nanoseconds of a millisecond.
const MS: f64 = 1e6;

/// A figure, and whether enough samples stand behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figure {
    /// `None` without data.
    pub value: Option<f64>,
    /// Whether it may be compared.
    pub is_believable: bool,
}

impl Figure {
    fn counted(value: Option<f64>) -> Self {
        Self { value, is_believable: true }
    }
}

/// `b` over `a`, as long as nothing is judged; `None` where one is not known, or `a` is 0: nothing is no multiple of nothing.
pub fn ratio(a: Figure, b: Figure) -> Option<f64> {
    let (a, b) = (a.value?, b.value?);
    (a != 0.0).then(|| b / a)
}

impl From<Quantile> for Figure {
    fn from(quantile: Quantile) -> Self {
        Self { value: quantile.ms, is_believable: quantile.is_believable() }
    }
}

/// An arm's figures over the closed seconds of the phase it is in, all of the same ones, however long the phase is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SoFar {
    /// Median latency of ok journeys, ms.
    pub latency_p50: Figure,
    /// Their 99th percentile, ms.
    pub latency_p99: Figure,
    /// Good journeys per second.
    pub rate: Figure,
    /// CPU of all processes per journey sent, ms.
    pub cpu_per_journey: Figure,
    /// Proportional set size of all processes at the moment, MiB.
    pub memory: Figure,
    /// Reads that missed an acknowledged write, over those that should have seen one.
    pub stale_reads: Figure,
}

/// The generator's own lateness.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lag {
    /// p99 of the worst arm's newest second, ms.
    pub ms: Option<f64>,
    /// Whether half of the arrivals of some arm's newest second are later than a run may have them: see [`is_too_late`].
    pub is_behind: bool,
}

/// Whether the generator sends too late to believe latencies, by the medians of its lateness and of what was measured, both in
/// microseconds. A whole run in which it does is invalid.
pub fn is_too_late(lag_p50_us: f64, measured_p50_us: f64) -> bool {
    lag_p50_us > MIN_LAG_P50_US.max(measured_p50_us * LAG_P50_SHARE)
}

impl Run {
    /// The newest second of an arm that late answers can no longer change, of the last [`P999_SECONDS`] before `t`.
    pub fn newest_closed_at(&self, arm: char, t: u64) -> Option<(u32, &Second)> {
        let position = self.position_at(arm, t)?;
        let (newest, _) = self.newest_second_at(arm, t)?;
        let from = newest.saturating_sub(P999_SECONDS);
        self.seconds_between(arm, position.round, from, newest + 1).rev().find(|(_, second)| second.closed)
    }

    /// What arrivals were due in the newest closed second, per second: the most of any arm.
    pub fn offered_at(&self, t: u64) -> Option<u64> {
        self.newest_closed(t).map(|second| second.offered).max()
    }

    /// The generator's lateness at `t`.
    pub fn lag_at(&self, t: u64) -> Lag {
        let ms = self.newest_closed(t).filter_map(|second| second.lag_p99().ms).reduce(f64::max);
        // A second without an answer has no latency to measure the lateness by.
        let is_late = |second: &Second| {
            second
                .lag_p50()
                .ms
                .zip(second.p50().ms)
                .is_some_and(|(lag, p50)| is_too_late(lag * 1e3, p50 * 1e3))
        };
        Lag { ms, is_behind: self.newest_closed(t).any(is_late) }
    }

    fn newest_closed(&self, t: u64) -> impl Iterator<Item = &Second> {
        self.letters()
            .into_iter()
            .filter_map(move |arm| self.newest_closed_at(arm, t))
            .map(|(_, second)| second)
    }

    /// An arm's figures in the phase it is in at `t`, up to that moment. Of a moment that is no longer known in full detail there
    /// are no percentiles, and nothing but memory where the begin of its phase is not known second by second.
    pub fn so_far_at(&self, arm: char, t: u64) -> SoFar {
        let memory = Figure::counted(self.memory_at(arm, t).map(|bytes| bytes / MIB));
        let none = SoFar { memory, ..SoFar::default() };
        let Some(position) = self.position_at(arm, t) else { return none };
        let load_ns = t.saturating_sub(position.start).min(self.length_ns());
        let Some(phase) = self.header.phases.iter().rfind(|phase| phase.start_ns <= load_ns) else {
            return none;
        };
        let from = u32::try_from(phase.start_ns / SECOND).unwrap_or(u32::MAX);
        let Some(known) = self.phase_so_far((arm, position.round), from, position.seconds) else {
            return none;
        };
        let (good, sent) = (known.sum(|s| s.good, |w| w.good), known.sum(|s| s.sent, |w| w.sent));
        let (probes, stale) = (known.sum(|s| s.probes, |w| w.probes), known.sum(|s| s.stale, |w| w.stale));
        let length = seconds_of(known.count as u64 * SECOND);
        let seconds = ClosedSeconds {
            round: position.round,
            from,
            to: known.to,
            count: known.count,
            sent,
            ok: known.sum(|s| s.ok, |w| w.ok),
        };
        let [p50, p99] = self.known_quantiles.of(arm, seconds, || known.latencies());
        let cpu = self.own_cpu_ns_between(arm, position, from, known.to).filter(|_| sent > 0);
        SoFar {
            latency_p50: p50.into(),
            latency_p99: p99.into(),
            rate: Figure::counted((length > 0.0).then(|| good as f64 / length)),
            cpu_per_journey: Figure {
                value: cpu.map(|ns| ns as f64 / MS / sent as f64),
                is_believable: known.count >= MIN_CPU_SECONDS,
            },
            memory,
            stale_reads: Figure::counted((probes > 0).then(|| stale as f64 / probes as f64)),
        }
    }

    /// What is known of load seconds `from..to`, a phase up to a moment; `None` where seconds at its begin are known no longer
    /// one by one, and those at its end have left full detail: segments do not know where between them the moment lies.
    fn phase_so_far(&self, turn: Turn, from: u32, to: u32) -> Option<PhaseSoFar<'_>> {
        let (thinned, dropped) = self.segments.reached.get(&turn).copied().unwrap_or_default();
        // All that has left full detail came before the moment.
        let is_in_detail = thinned.min(self.length_s()) <= to;
        if !is_in_detail && dropped > from {
            return None;
        }
        let old: Vec<&Window> =
            if is_in_detail { self.segments.windows(turn, from, to).collect() } else { Vec::new() };
        let seconds: Vec<(u32, &Second)> = self
            .seconds_between(turn.0, turn.1, from, to)
            .filter(|(_, second)| second.closed || second.is_thinned)
            .collect();
        let left = dropped.min(to).saturating_sub(from);
        Some(PhaseSoFar {
            to: seconds.last().map_or(from + left, |(second, _)| second + 1),
            count: seconds.len() + left as usize,
            counted: seconds
                .into_iter()
                .map(|(_, second)| second)
                .filter(|second| !is_in_detail || !second.is_folded())
                .collect(),
            old,
        })
    }
}

/// The seconds of a phase up to a moment that late answers can no longer change: all figures of them are of the same stretch.
struct PhaseSoFar<'a> {
    /// The first second that is none of them.
    to: u32,
    count: usize,
    /// Those that are counted one by one.
    counted: Vec<&'a Second>,
    /// Counts and histograms of all that have left full detail.
    old: Vec<&'a Window>,
}

impl PhaseSoFar<'_> {
    /// A count, of seconds and of windows.
    fn sum(&self, of_second: fn(&Second) -> u64, of_window: fn(&Window) -> u64) -> u64 {
        let counted = self.counted.iter().map(|second| of_second(second)).sum::<u64>();
        counted + self.old.iter().map(|window| of_window(window)).sum::<u64>()
    }

    /// Latencies of ok journeys; without samples where seconds that have left full detail are known by their sums alone.
    fn latencies(&self) -> Latencies {
        let counted = self.counted.iter().flat_map(|second| second.windows());
        Latencies::merged(self.old.iter().copied().chain(counted).map(|window| &window.intended))
    }
}

#[cfg(test)]
mod tests {
    use record::{Entry, Header, Line, Phase, PhasePlan};

    use super::*;

    /// Of a second in which answers took so long, twenty arrivals, of which some were as late.
    fn lag(latency_us: u64, late_us: [u64; 20]) -> Lag {
        let steady = PhasePlan { name: "steady".into(), start_ns: 0, length_ns: 3 * SECOND, measure: true };
        let arm = record::Arm { letter: 'A', name: "a".into(), ..record::Arm::default() };
        let header = Header { phases: vec![steady], arms: vec![arm], rounds: 1, ..Header::default() };
        let mut run = Run::new(header);
        let phase = Phase { index: 0, name: "steady".into(), round: 1, arms: "A".into() };
        run.add(&Line { t: 0, entry: Entry::Phase(phase) });
        let window = Window {
            arm: 'A',
            round: 1,
            journey: "home-feed".into(),
            second: 0,
            offered: 20,
            sent: 20,
            ok: 20,
            good: 20,
            intended: std::iter::repeat_n(latency_us, 20).collect(),
            pace_lag: late_us.into_iter().collect(),
            closed: true,
            ..Window::default()
        };
        run.add(&Line { t: SECOND, entry: Entry::from(window) });
        run.settle();
        run.lag_at(2 * SECOND)
    }

    #[test]
    fn nothing_is_no_multiple_of_nothing() {
        let of = |a, b| ratio(Figure::counted(a), Figure::counted(b));
        assert_eq!((of(Some(2.0), Some(3.0)), of(Some(0.0), Some(3.0))), (Some(1.5), None));
        assert_eq!((of(None, Some(3.0)), of(Some(2.0), None)), (None, None));
    }

    #[test]
    fn the_phase_so_far_has_each_window_that_came() {
        let window = |journey: &str, second, latency_us: u64| Window {
            arm: 'A',
            round: 1,
            journey: journey.into(),
            second,
            offered: 200,
            sent: 200,
            ok: 200,
            good: 200,
            intended: std::iter::repeat_n(latency_us, 200).collect(),
            closed: true,
            ..Window::default()
        };
        let steady = PhasePlan { name: "steady".into(), start_ns: 0, length_ns: 3 * SECOND, measure: true };
        let arm = record::Arm { letter: 'A', name: "a".into(), ..record::Arm::default() };
        let mut run =
            Run::new(Header { phases: vec![steady], arms: vec![arm], rounds: 1, ..Header::default() });
        let phase = Phase { index: 0, name: "steady".into(), round: 1, arms: "A".into() };
        run.add(&Line { t: 0, entry: Entry::Phase(phase) });
        let mut medians = Vec::new();
        for added in [window("home-feed", 0, 1_000), window("search", 0, 9_000), window("search", 1, 9_000)] {
            run.add(&Line { t: SECOND, entry: Entry::from(added) });
            run.settle();
            let asked = [run.so_far_at('A', 2 * SECOND), run.so_far_at('A', 2 * SECOND)];
            assert_eq!(asked[0], asked[1]);
            assert_eq!(asked[0], run.clone().so_far_at('A', 2 * SECOND));
            medians.push(asked[0].latency_p50.value.expect("samples").round());
        }
        assert_eq!(medians, [1.0, 1.0, 9.0]);
    }

    #[test]
    fn the_generator_is_behind_where_half_of_the_arrivals_are_late() {
        // One arrival in ten is 3 ms late: a p99 that voids nothing.
        let mut few = [100; 20];
        few[..2].fill(3_000);
        let found = lag(20_000, few);
        assert!(!found.is_behind && found.ms.is_some_and(|ms| ms > 2.9), "{found:?}");
        // All are 1 ms late, of 5 ms: a p99 below any floor of it, and a run that is invalid.
        assert!(lag(5_000, [1_000; 20]).is_behind);
        assert!(!lag(20_000, [1_000; 20]).is_behind, "a twentieth");
        assert!(!lag(1_000, [150; 20]).is_behind, "what the scheduler does");
    }
}
