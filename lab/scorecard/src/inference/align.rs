//! What is missing in one arm leaves the row in all of them: arms are compared over the same units. An arm that has nothing of
//! a row is not compared in it, and takes nothing from the others.

use super::statistic::{Body, Statistic};

/// Takes out of each statistic the units that another one lacks, but for those of arms that have none. All are the same
/// figure of different arms.
pub fn align(arms: &mut [Statistic]) {
    let present: Vec<Vec<bool>> =
        arms.iter().map(units_of).filter(|units| units.iter().any(|is_there| *is_there)).collect();
    let units = present.iter().map(Vec::len).max().unwrap_or(0);
    let is_kept: Vec<bool> =
        (0..units).map(|unit| present.iter().all(|arm| arm.get(unit).copied().unwrap_or(true))).collect();
    for arm in arms {
        keep(arm, &is_kept);
    }
}

/// Which units have data; none where nothing is drawn of it.
fn units_of(statistic: &Statistic) -> Vec<bool> {
    fn present<T>(units: &[Option<T>]) -> Vec<bool> {
        units.iter().map(Option::is_some).collect()
    }
    match &statistic.body {
        Body::Quotient(units) => present(units),
        Body::Quantile { arrivals, .. } => present(arrivals),
        Body::Share { trials, .. } => present(trials),
        Body::Count(rounds) => present(rounds),
        Body::PerRound { values, .. } => present(values),
        Body::Exact(_) | Body::Bracket { .. } => Vec::new(),
    }
}

fn keep(statistic: &mut Statistic, is_kept: &[bool]) {
    fn clear<T>(units: &mut [Option<T>], is_kept: &[bool]) {
        for (unit, _) in units.iter_mut().zip(is_kept).filter(|(_, is_kept)| !**is_kept) {
            *unit = None;
        }
    }
    match &mut statistic.body {
        Body::Quotient(units) => clear(units, is_kept),
        Body::Quantile { arrivals, .. } => clear(arrivals, is_kept),
        Body::Share { trials, arrivals, .. } => {
            clear(trials, is_kept);
            clear(arrivals, is_kept);
        }
        Body::Count(rounds) => clear(rounds, is_kept),
        Body::PerRound { values, .. } => clear(values, is_kept),
        Body::Exact(_) | Body::Bracket { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::statistic::{Once, Terms};
    use super::*;

    #[test]
    fn a_unit_that_one_arm_lacks_leaves_both() {
        let unit = |numerator| Some(Terms { numerator, denominator: 1.0 });
        let of = |units| Statistic::quotient(units, 3, 1.0);
        let mut arms = [of(vec![unit(1.0), None, unit(3.0)]), of(vec![None, unit(5.0), unit(6.0)])];
        align(&mut arms);
        assert_eq!(arms, [of(vec![None, None, unit(3.0)]), of(vec![None, None, unit(6.0)])]);
    }

    #[test]
    fn an_arm_that_has_nothing_takes_nothing_from_the_others() {
        let once = |value: f64| Some(Once::of(value));
        let of = |values| Statistic::once(values);
        let mut arms = [of(vec![None; 3]), of(vec![once(1.0), None, once(3.0)]), of(vec![once(4.0); 3])];
        align(&mut arms);
        let values = |arm: &Statistic| units_of(arm);
        assert_eq!(values(&arms[0]), [false; 3]);
        assert_eq!([&arms[1], &arms[2]].map(values), [[true, false, true], [true, false, true]]);
    }
}
