//! Between which rates of a ladder the limit lies: more than one in a hundred arrivals late, failed or dropped.

use record::Interval;

use super::pooled::PooledWaits;
use super::shares::{LEVEL, Share};
use super::statistic::{Arrivals, Trials};
use super::units::Units;

/// Share of arrivals that may be late, failed or dropped.
const MAX_BAD: f64 = 0.01;
/// Neighbours whose seconds are taken together, at most.
const MAX_NEIGHBOURS: usize = 3;
/// Seconds they must have together.
const MIN_SECONDS: usize = 8;
/// The arrivals that lend their clustering: slower than this quantile of their own rung.
const LENDER: f64 = 0.90;

/// A rate that was held for some seconds; a ladder that was climbed again adds its seconds.
#[derive(Clone, Debug)]
pub struct Rung {
    /// Arrivals a second, as planned.
    pub rate: f64,
    /// Bad arrivals of all, by second.
    pub bad: Vec<Trials>,
    /// The arrivals, by second.
    pub arrivals: Vec<Arrivals>,
}

/// Where the limit lies: above the highest rate that held, at most at the lowest that failed. An end is open where no
/// rung shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bracket {
    /// Highest rate that held, below the lowest that failed.
    pub held: Option<f64>,
    /// Lowest rate that failed.
    pub failed: Option<f64>,
}

impl Bracket {
    /// As an interval: from 0 where nothing held.
    pub fn interval(&self) -> Interval {
        Interval { low: self.held.unwrap_or(0.0), high: self.failed }
    }

    /// Two arms differ where their brackets are disjoint; then the interval of the ratio, `other` over `base`.
    pub fn ratio(base: &Self, other: &Self) -> Option<Interval> {
        let (a, b) = (base.interval(), other.interval());
        let is_apart = a.upper() <= b.low || b.upper() <= a.low;
        is_apart.then(|| Interval {
            low: if a.upper().is_finite() { b.low / a.upper() } else { 0.0 },
            high: b.high.filter(|_| a.low > 0.0).map(|high| high / a.low),
        })
    }
}

/// Finds the bracket of a ladder, its rungs by rising rate.
pub fn bracket(rungs: &[Rung]) -> Bracket {
    let tails: Vec<Vec<u64>> = rungs.iter().map(tail_of).collect();
    let (mut held, mut failed) = (Vec::new(), Vec::new());
    for first in 0..rungs.len() {
        for last in first..rungs.len().min(first + MAX_NEIGHBOURS) {
            let Some(share) = together(&rungs[first..=last], &tails[first..=last]) else { continue };
            let (low, high) = share.interval(LEVEL);
            if high <= MAX_BAD {
                held.push(rungs[first].rate);
            }
            if low > MAX_BAD {
                failed.push(rungs[last].rate);
            }
        }
    }
    let failed = failed.into_iter().min_by(f64::total_cmp);
    let held = held.into_iter().filter(|rate| failed.is_none_or(|failed| *rate < failed));
    Bracket { held: held.max_by(f64::total_cmp), failed }
}

/// Arrivals slower than their own rung's p90, by second.
fn tail_of(rung: &Rung) -> Vec<u64> {
    let seconds: Vec<Option<Arrivals>> = rung.arrivals.iter().cloned().map(Some).collect();
    let pooled = PooledWaits::new(&seconds, &Units::seconds(seconds.len()));
    match pooled.quantile(LENDER) {
        Some(us) => pooled.slower_than(us),
        None => vec![0; seconds.len()],
    }
}

/// The bad share of neighbours taken together; `None` where they are too few seconds to say.
fn together(rungs: &[Rung], tails: &[Vec<u64>]) -> Option<Share> {
    let bad: Vec<Trials> = rungs.iter().flat_map(|rung| rung.bad.iter().copied()).collect();
    let (events, trials): (Vec<u64>, Vec<u64>) =
        bad.iter().map(|second| (second.events, second.trials)).unzip();
    let tail: Vec<u64> = tails.iter().flatten().copied().collect();
    let arrivals: Vec<u64> = rungs.iter().flat_map(|rung| rung.arrivals.iter().map(Arrivals::len)).collect();
    let (n, count) = (trials.iter().sum::<u64>(), trials.len());
    if count < MIN_SECONDS || n == 0 {
        return None;
    }
    let seconds = Units::seconds(count);
    let lent = seconds.design_effect(&tail, &arrivals, count);
    Some(Share {
        events: events.iter().sum::<u64>() as f64,
        trials: n as f64,
        clustering: seconds.design_effect(&events, &trials, count).max(lent),
        nu: seconds.freedom(count).nu,
    })
}
