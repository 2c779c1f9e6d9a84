//! Findings over all rows of a run: of those that are called different at most one in twenty is not, and of runs in which
//! nothing differs one in twenty has any (Benjamini & Hochberg 1995).

use record::Finding;

use super::contrast::Candidate;
use super::evidence::Evidence;
use super::power;
use super::shares::LEVEL;

/// Decides all contrasts of a run, all windows and arms together. Rows in another guise are left out by the caller.
pub fn decide(candidates: &mut [Candidate]) {
    let evidence = |candidate: &Candidate| candidate.evidence;
    let all: Vec<f64> = candidates.iter().filter_map(evidence).map(|row| row.p).collect();
    let equivalent: Vec<f64> =
        candidates.iter().filter_map(evidence).filter_map(|row| row.p_equivalent).collect();
    let (different, same) = (threshold(all.clone()), threshold(equivalent));
    let differs = |row: &Evidence| different.is_some_and(|most| row.p <= most);
    let found = candidates.iter().filter_map(evidence).filter(differs).count();
    let mut factors = power::Factors::default();
    for candidate in candidates {
        let Some(row) = candidate.evidence else { continue };
        let is_equivalent =
            row.is_within && row.p_equivalent.is_some_and(|p| same.is_some_and(|most| p <= most));
        let finding = if is_equivalent {
            Finding::Equivalent
        } else if differs(&row) {
            Finding::Differs
        } else {
            Finding::Undecided
        };
        let others = found - usize::from(differs(&row));
        let level = LEVEL * (others + 1) as f64 / all.len() as f64;
        let contrast = &mut candidate.contrast;
        contrast.finding = Some(finding);
        contrast.differs_alone = finding == Finding::Undecided && row.p <= LEVEL;
        let reach = row.threshold + factors.four_in_five(level, row.nu) * row.error;
        contrast.error = Some(row.error);
        contrast.could_see = Some(if row.is_ratio { reach.exp_m1() } else { reach });
    }
}

/// The largest level that is called: the largest `i` with `p_(i) <= 0.05 i / m`. `None` where none is.
fn threshold(mut levels: Vec<f64>) -> Option<f64> {
    levels.sort_by(f64::total_cmp);
    let m = levels.len() as f64;
    let is_called = |(index, p): &(usize, &f64)| **p <= LEVEL * (*index + 1) as f64 / m;
    levels.iter().enumerate().filter(is_called).map(|(_, p)| *p).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_textbook_case_of_benjamini_and_hochberg() {
        // Their section 3.2: of fifteen levels the four smallest are called.
        let levels = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
            0.6528, 0.7590, 1.0,
        ];
        assert_eq!(threshold(levels.to_vec()), Some(0.0095));
        assert_eq!(threshold(vec![0.06]), None);
        assert_eq!(threshold(vec![0.04, 0.049]), Some(0.049), "the larger one carries the smaller");
    }
}
