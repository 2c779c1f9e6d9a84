//! What could have been seen, and what it takes to see more: power by the noncentral t.

use std::collections::BTreeMap;

use super::noise::StoredStart;
use super::shares::LEVEL;
use super::student;

/// Effects that could have been seen are found in four runs of five.
const FOUR_IN_FIVE: f64 = 0.80;
/// The same as a quantile of the normal distribution.
const FOUR_IN_FIVE_NORMAL: f64 = 0.842;
/// Effects that are planned for are found in nearly all: 18 of 20 runs find one with probability 0.98.
const PLANNED: f64 = 0.97;
/// Most rounds of a plan, and most seconds of each.
const MAX_ROUNDS: u32 = 40;
const MAX_SECONDS: u32 = 60;

/// Effects in standard errors, worked out once for each level and number of degrees of freedom.
#[derive(Debug, Default)]
pub(super) struct Factors(BTreeMap<(u64, u64), f64>);

impl Factors {
    /// The effect that is found in four runs of five, in standard errors as they are seen: half of them are smaller
    /// than the true one by the median of chi-square.
    pub(super) fn four_in_five(&mut self, level: f64, nu: f64) -> f64 {
        *self
            .0
            .entry((level.to_bits(), nu.to_bits()))
            .or_insert_with(|| shift(FOUR_IN_FIVE, level, nu) / (student::chi_square_median(nu) / nu).sqrt())
    }
}

/// The true effect, in true standard errors, that is found with a probability; by the secant method on its logarithm.
fn shift(power: f64, level: f64, nu: f64) -> f64 {
    let t = student::critical(level, nu);
    let miss = |log: f64| student::noncentral_tail(t, nu, log.exp()) - power;
    let (mut low, mut high) = ((t * 0.5).ln(), (t + 1.0).ln());
    while miss(high) < 0.0 {
        (low, high) = (high, high + 1.0);
    }
    while miss(low) > 0.0 {
        (low, high) = (low - 1.0, low);
    }
    // Illinois: a secant that keeps its bracket.
    let (mut at_low, mut at_high) = (miss(low), miss(high));
    for _ in 0..60 {
        let middle = (low * at_high - high * at_low) / (at_high - at_low);
        let at_middle = miss(middle);
        if at_middle.abs() < 1e-9 || f64::abs(high - low) < 1e-12 {
            return middle.exp();
        }
        if at_middle * at_high < 0.0 {
            (low, at_low) = (high, at_high);
        } else {
            at_low /= 2.0;
        }
        (high, at_high) = (middle, at_middle);
    }
    high.exp()
}

/// Rounds and seconds of each that find an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Rounds; an even number, so that drift cancels.
    pub rounds: u32,
    /// Measured seconds of each round.
    pub seconds: u32,
}

/// What a run costs beside its measured seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overhead {
    /// Arms, one after another.
    pub arms: u32,
    /// Seconds that each round of each arm takes beside its measured ones.
    pub seconds: f64,
}

/// The cheapest rounds that find `effect` (`0.05` for 5 %) in one row among `rows`, where starts and seconds differ as
/// stored; `None` if forty rounds do not.
pub fn plan(effect: f64, start: &StoredStart, rows: usize, overhead: Overhead) -> Option<Plan> {
    cheapest(effect, start, PLANNED, LEVEL / rows.max(1) as f64, overhead)
}

/// Probability to find an effect by a plan, in one row among `rows`.
pub fn power(effect: f64, start: &StoredStart, rows: usize, plan: Plan) -> f64 {
    let nu = f64::from(plan.rounds.max(2) - 1);
    let variance = (start.variance() + start.of_seconds() / f64::from(plan.seconds)) / f64::from(plan.rounds);
    let t = student::critical(LEVEL / rows.max(1) as f64, nu);
    if variance > 0.0 { student::noncentral_tail(t, nu, effect.ln_1p() / variance.sqrt()) } else { 1.0 }
}

/// The smallest effect that a run finds in four runs of five, in one row among `rows`, where starts and seconds differ as
/// stored. In a run of fewer than three rounds seconds are the units, and the normal distribution stands for theirs.
pub fn resolved(start: &StoredStart, rows: usize, plan: Plan) -> f64 {
    let level = LEVEL / rows.max(1) as f64;
    let seconds = f64::from(plan.seconds.max(1));
    let variance = (start.variance() + start.of_seconds() / seconds) / f64::from(plan.rounds.max(1));
    let errors = if plan.rounds < 3 {
        student::critical(level, student::NORMAL) + FOUR_IN_FIVE_NORMAL
    } else {
        shift(FOUR_IN_FIVE, level, f64::from(plan.rounds - 1))
    };
    (errors * variance.sqrt()).exp_m1()
}

/// The fewest rounds of a given length that find `effect` in one row among `rows`, where what differs between rounds is
/// known, but not how much of it a longer round would even out; `None` if forty rounds do not.
pub fn rounds(effect: f64, start: &StoredStart, rows: usize, seconds: u32) -> Option<Plan> {
    let mut plans = (4..=MAX_ROUNDS).step_by(2).map(|rounds| Plan { rounds, seconds: seconds.max(1) });
    plans.find(|plan| power(effect, start, rows, *plan) >= PLANNED)
}

fn cheapest(effect: f64, start: &StoredStart, power: f64, level: f64, overhead: Overhead) -> Option<Plan> {
    let mut best: Option<(f64, Plan)> = None;
    for rounds in (4..=MAX_ROUNDS).step_by(2) {
        let needed = shift(power, level, f64::from(rounds - 1));
        let enough = |seconds: &u32| {
            let variance = (start.variance() + start.of_seconds() / f64::from(*seconds)) / f64::from(rounds);
            effect.ln_1p() >= needed * variance.sqrt()
        };
        let Some(seconds) = (4..=MAX_SECONDS).step_by(2).find(enough) else { continue };
        let cost = f64::from(rounds * overhead.arms) * (f64::from(seconds) + overhead.seconds);
        if best.is_none_or(|(least, _)| cost < least) {
            best = Some((cost, Plan { rounds, seconds }));
        }
    }
    best.map(|(_, plan)| plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_found_in_four_runs_of_five() {
        let mut factors = Factors::default();
        for (level, expected) in [
            (0.05, [(2.0, 6.79), (4.0, 4.11), (5.0, 3.77), (9.0, 3.27), (39.0, 2.90)]),
            (0.0025, [(2.0, 30.5), (4.0, 9.22), (5.0, 7.50), (9.0, 5.40), (39.0, 4.14)]),
        ] {
            for (nu, factor) in expected {
                let found = factors.four_in_five(level, nu);
                assert!((found / factor - 1.0).abs() < 2e-3, "{level} {nu}: {found}");
            }
        }
    }

    /// A machine whose starts differ by `between` and whose ratios of one second by `within`.
    fn machine(between: f64, within: f64) -> StoredStart {
        StoredStart::of_parts(between * between, within * within)
    }

    #[test]
    fn rounds_of_a_given_length() {
        // What differs between rounds of 4 s is as in the first plan of the handbook: 1.4 % of starts, 6 % of a second.
        let start = machine(0.0, 4.0_f64.sqrt() * (0.014_f64.powi(2) + 0.06_f64.powi(2) / 4.0).sqrt());
        assert_eq!(rounds(0.05, &start, 20, 4), Some(Plan { rounds: 16, seconds: 4 }));
        assert_eq!(rounds(0.005, &start, 20, 4), None);
    }

    #[test]
    fn what_a_plan_resolves_is_found_in_four_runs_of_five() {
        let (start, plan) = (machine(0.014, 0.06), Plan { rounds: 6, seconds: 4 });
        for rows in [1, 20] {
            let effect = resolved(&start, rows, plan);
            assert!((power(effect, &start, rows, plan) - 0.8).abs() < 1e-3, "{rows} rows: {effect}");
        }
        let side_by_side = |rows| resolved(&machine(0.0, 0.06), rows, Plan { rounds: 1, seconds: 36 });
        // One per cent of error, 2.8 times; of twenty rows 3.86 times, since the level is 0.0025.
        assert!((side_by_side(1) - 0.0284).abs() < 5e-4, "{}", side_by_side(1));
        assert!((side_by_side(20) - 0.0394).abs() < 5e-4, "{}", side_by_side(20));
    }

    #[test]
    fn the_plans_of_the_handbook() {
        let overhead = Overhead { arms: 2, seconds: 5.0 };
        let found = |effect, start, power, level| {
            cheapest(effect, &start, power, level, overhead).map(|plan| (plan.rounds, plan.seconds))
        };
        let (cpu, p50, p99) = (machine(0.014, 0.06), machine(0.014, 0.12), machine(0.05, 0.90));
        for (effect, start, alone, among) in [
            (0.05, cpu.clone(), Some((6, 4)), Some((16, 4))),
            (0.10, cpu, Some((4, 4)), Some((8, 4))),
            (0.05, p50.clone(), Some((8, 10)), Some((22, 10))),
            (0.10, p50, Some((4, 8)), Some((10, 8))),
            (0.10, p99.clone(), Some((36, 22)), None),
            (0.20, p99, Some((14, 18)), Some((36, 20))),
        ] {
            assert_eq!(found(effect, start.clone(), 0.80, LEVEL), alone, "{effect} alone");
            assert_eq!(found(effect, start.clone(), PLANNED, LEVEL / 20.0), among, "{effect} among twenty");
            let Some(plan) = plan(effect, &start, 20, overhead) else { continue };
            assert!((PLANNED..1.0).contains(&power(effect, &start, 20, plan)), "{plan:?}");
        }
    }
}
