//! When goodput was back after the last fault: the end of the last bad second before three that are not, seen to the
//! second.

use record::Contrast;

use super::conditions::Margin;
use super::evidence::{Evidence, of_logarithms};
use super::noise::at_most;
use super::statistic::{Once, Trials};

/// Goodput counts as recovered from here.
const GOOD: f64 = 0.95;
/// A second is bad if so few good journeys are less likely than this at [`GOOD`].
const TOO_UNLIKELY: f64 = 0.01;
/// Seconds in a row that are not bad, from which goodput is back.
pub const RECOVERED_SECONDS: usize = 3;
/// Bad seconds in a row that are a relapse.
const RELAPSE_SECONDS: usize = 2;
/// Arrivals a second from which seconds can be distinguished.
const MIN_RATE: f64 = 20.0;
/// Arrivals without which a second shows nothing: of five, fewer than half have to be good for it to be bad. At 20 a second,
/// chance leaves fewer in about one second of 60,000.
const MIN_ARRIVALS: u64 = 5;
/// What 0 seconds count as where logarithms are taken: half of what is distinguished.
const LEAST_SECONDS: f64 = 0.5;
/// Least standard deviation of log ratios: seconds are too coarse to show less.
const LEAST_DEVIATION: f64 = 0.05;

/// How goodput came back after the last fault of a round.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovery {
    /// Seconds from the fault's end; censored at what was left of the run if it never did.
    pub seconds: Once,
    /// Seconds from the fault's end at which goodput was bad again, twice in a row or more: first and one past the last.
    pub relapses: Vec<(u32, u32)>,
    /// Whether a claim about it can be judged: arrivals enough, also in each second up to the end of what decides, a good
    /// start, seconds enough.
    pub is_judged: bool,
}

/// Recovery by the good among the due journeys of each second from the fault's end, and of the ten seconds before the
/// first fault together.
pub fn recovery(after: &[Trials], before: Trials) -> Recovery {
    let is_good: Vec<bool> = after.iter().map(|second| !is_bad(*second)).collect();
    let begins = |from: usize| is_good[from..from + RECOVERED_SECONDS].iter().all(|is_good| *is_good);
    let starts = || (0..(after.len() + 1).saturating_sub(RECOVERED_SECONDS)).filter(|from| begins(*from));
    let shows = |second: &Trials| second.trials >= MIN_ARRIVALS;
    let goal = GOOD.min(share(&[before]));
    let surely = starts().find(|from| {
        let three = &after[*from..*from + RECOVERED_SECONDS];
        three.iter().all(shows) && share(three) >= goal
    });
    let first = starts().next();
    // A second that shows nothing is not bad either: up to one of them it is not known when goodput was back.
    let decisive = &after[..first.map_or(after.len(), |first| first + RECOVERED_SECONDS)];
    let arrivals: u64 = after.iter().map(|second| second.trials).sum();
    let seconds = match first {
        Some(first) => Once {
            value: first as f64,
            is_censored: false,
            interval: Some((
                (first as f64 - 1.0).max(0.0),
                surely.map_or(f64::INFINITY, |surely| surely.max(first) as f64 + 1.0),
            )),
        },
        None => {
            let looked = after.len() as f64;
            Once { value: looked, is_censored: true, interval: Some((looked, f64::INFINITY)) }
        }
    };
    Recovery {
        seconds,
        relapses: first.map(|first| relapses(&is_good, first)).unwrap_or_default(),
        is_judged: arrivals as f64 >= MIN_RATE * after.len() as f64
            && decisive.iter().all(shows)
            && before.trials > 0
            && !is_bad(before)
            && after.len() >= RECOVERED_SECONDS,
    }
}

/// Bad seconds in a row, two or more, after goodput was back.
fn relapses(is_good: &[bool], first: usize) -> Vec<(u32, u32)> {
    let mut found = Vec::new();
    let mut from = first;
    for run in is_good[first..].chunk_by(|a, b| a == b) {
        if !run[0] && run.len() >= RELAPSE_SECONDS {
            found.push((from as u32, (from + run.len()) as u32));
        }
        from += run.len();
    }
    found
}

/// Too few good ones for chance; a second without arrivals is not bad.
fn is_bad(second: Trials) -> bool {
    second.trials > 0 && at_most(second.events, second.trials, GOOD) <= TOO_UNLIKELY
}

fn share(seconds: &[Trials]) -> f64 {
    let (events, trials) =
        seconds.iter().fold((0, 0), |sum, second| (sum.0 + second.events, sum.1 + second.trials));
    if trials > 0 { events as f64 / trials as f64 } else { 1.0 }
}

/// Whether two arms' figures are known to the second, as recoveries are.
pub(super) fn are_recoveries(base: &[Option<Once>], other: &[Option<Once>]) -> bool {
    base.iter().chain(other).flatten().any(|once| once.interval.is_some())
}

/// Arms over rounds: the mean log ratio with Student's t.
pub(super) fn compared(
    base: &[Option<Once>],
    other: &[Option<Once>],
    margin: Margin,
) -> Option<(Contrast, Evidence)> {
    let seconds = |once: &Option<Once>| Some(once.as_ref()?.value.max(LEAST_SECONDS));
    let logs: Vec<f64> =
        base.iter().zip(other).filter_map(|(a, b)| Some((seconds(b)? / seconds(a)?).ln())).collect();
    let n = logs.len() as f64;
    if n < 3.0 {
        return None;
    }
    let mean = logs.iter().sum::<f64>() / n;
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Some(of_logarithms(mean, variance.sqrt().max(LEAST_DEVIATION) / n.sqrt(), n - 1.0, margin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(shares: &[f64]) -> Vec<Trials> {
        shares.iter().map(|share| Trials { events: (share * 100.0) as u64, trials: 100 }).collect()
    }

    const BEFORE: Trials = Trials { events: 995, trials: 1_000 };

    #[test]
    fn goodput_is_back_at_the_end_of_the_last_bad_second_before_three_good_ones() {
        let found = recovery(&seconds(&[0.3, 0.3, 1.0, 1.0, 0.2, 0.98, 0.97, 0.99, 1.0]), BEFORE);
        assert_eq!(found.seconds, Once { value: 5.0, is_censored: false, interval: Some((4.0, 6.0)) });
        assert!(found.relapses.is_empty() && found.is_judged);
    }

    #[test]
    fn bad_seconds_later_are_relapses_if_there_are_two_in_a_row() {
        let found = recovery(&seconds(&[1.0, 1.0, 1.0, 0.2, 1.0, 0.3, 0.4, 0.1, 1.0]), BEFORE);
        assert_eq!((found.seconds.value, found.relapses), (0.0, vec![(5, 8)]));
    }

    #[test]
    fn never_is_beyond_what_was_looked_at() {
        let found = recovery(&seconds(&[0.3; 9]), BEFORE);
        assert_eq!((found.seconds.value, found.seconds.is_censored), (9.0, true));
    }

    #[test]
    fn not_judged_without_arrivals_a_good_start_or_three_seconds() {
        let good = seconds(&[1.0; 5]);
        assert!(recovery(&good, BEFORE).is_judged);
        assert!(!recovery(&good[..2], BEFORE).is_judged);
        assert!(!recovery(&good, Trials { events: 900, trials: 1_000 }).is_judged);
        let few: Vec<Trials> = vec![Trials { events: 19, trials: 19 }; 5];
        assert!(!recovery(&few, BEFORE).is_judged);
        let enough: Vec<Trials> = vec![Trials { events: 20, trials: 20 }; 5];
        assert!(recovery(&enough, BEFORE).is_judged);
    }

    #[test]
    fn seconds_in_which_hardly_anything_arrives_show_no_recovery() {
        let bad = Trials { events: 0, trials: 200 };
        let after = |late: &[Trials]| [&[bad; 5][..], late].concat();
        for thin in [Trials::default(), Trials { events: 0, trials: 1 }, Trials { events: 4, trials: 4 }] {
            let found = recovery(&after(&[thin; 20]), BEFORE);
            assert!(!found.is_judged, "{thin:?}: {found:?}");
        }
        // A gap before it is back hides when, one after it hides nothing.
        let good = Trials { events: 200, trials: 200 };
        let gap = Trials::default();
        assert!(!recovery(&after(&[gap, good, good, good, good]), BEFORE).is_judged);
        assert!(!recovery(&after(&[good, good, gap, good, good]), BEFORE).is_judged);
        let found = recovery(&after(&[good, good, good, gap, gap]), BEFORE);
        assert!(found.is_judged && found.seconds.interval == Some((4.0, 6.0)), "{found:?}");
        // Goodput is not surely back in three seconds of which one is empty.
        let back = |rest: [Trials; 4]| recovery(&after(&rest), BEFORE).seconds.interval;
        let fair = Trials { events: 183, trials: 200 };
        assert_eq!(back([fair, fair, good, gap]), Some((4.0, f64::INFINITY)));
        assert_eq!(back([fair, fair, good, good]), Some((4.0, 7.0)));
    }
}
