//! Groupings as predicted beside the same as measured: whether both put them in the same order, and whether those that are
//! worth having by the one are so by the other.

use std::collections::BTreeMap;

use model::Run;
use model::sweep::FrontPlace;

/// Fewest groupings of which an order means something.
const MIN_COMMON: usize = 5;

/// Two runs of the same groupings: a prediction and a live one, or two live ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    /// Groupings of which both have p50 and CPU per journey, over all measured phases.
    pub common: usize,
    /// Rank correlation of their p50; `None` where one run has the same of all.
    pub p50: Option<f64>,
    /// The same of their CPU per journey.
    pub cpu: Option<f64>,
    /// Clear members of the other run's front, by name, each with its place on this one's. Empty where one of them has no
    /// front.
    pub members: Vec<(String, FrontPlace)>,
}

impl Agreement {
    /// How a run agrees with another one on the arms of the same names; `None` where they have fewer than five in common.
    pub fn of(run: &Run, other: &Run) -> Option<Self> {
        let (own, others) = (figures(run), figures(other));
        let pairs: Vec<([f64; 2], [f64; 2])> =
            own.iter().filter_map(|(name, figures)| Some((*figures, *others.get(name)?))).collect();
        let correlation = |at: usize| {
            let pairs: Vec<(f64, f64)> = pairs.iter().map(|(own, other)| (own[at], other[at])).collect();
            spearman(&pairs)
        };
        let (p50, cpu) = (correlation(0), correlation(1));
        (pairs.len() >= MIN_COMMON).then(|| Self {
            common: pairs.len(),
            p50,
            cpu,
            members: members(run, other),
        })
    }

    /// In words: `rank correlation over 52 groupings: p50 0.93, CPU per journey 0.97`.
    pub fn correlations(&self) -> String {
        let text =
            |of: Option<f64>| of.map_or_else(|| "none, all are equal".to_owned(), |of| format!("{of:.2}"));
        format!(
            "rank correlation over {} groupings: p50 {}, CPU per journey {}",
            self.common,
            text(self.p50),
            text(self.cpu)
        )
    }

    /// In words which clear members of the other front are on this one; `None` where a run has no front.
    pub fn front(&self) -> Option<String> {
        let at = |place: FrontPlace| {
            let there = self.members.iter().filter(|(_, own)| *own == place);
            there.map(|(name, _)| name.as_str()).collect::<Vec<_>>()
        };
        let on = at(FrontPlace::On);
        let listed = |lead: &str, names: Vec<&str>| {
            (!names.is_empty()).then(|| format!("; {lead}: {}", names.join(", ")))
        };
        let listed = [
            listed("on it", on.clone()),
            listed("tied there", at(FrontPlace::Tied)),
            listed("not on it", at(FrontPlace::Off)),
        ];
        let listed: String = listed.into_iter().flatten().collect();
        (!self.members.is_empty()).then(|| {
            format!(
                "of the {} clear members of its front {} are on the predicted one{listed}",
                self.members.len(),
                on.len()
            )
        })
    }
}

/// p50 and CPU per journey of arms, seconds, by their names.
fn figures(run: &Run) -> BTreeMap<&str, [f64; 2]> {
    let of = |arm: &record::Arm| {
        let figure = |row| run.figure_of_whole(arm.letter, row);
        Some([figure("latency_p50")?, figure("cpu_per_journey")?])
    };
    run.header.arms.iter().filter_map(|arm| Some((arm.name.as_str(), of(arm)?))).collect()
}

/// The clear members of the other run's front, and their places on that of this one.
fn members(run: &Run, other: &Run) -> Vec<(String, FrontPlace)> {
    let named = |run: &Run| -> BTreeMap<String, FrontPlace> {
        let places = run.front_places().into_iter();
        places.map(|(arm, place)| (run.arm_name(arm), place)).collect()
    };
    let own = named(run);
    let clear = named(other).into_iter().filter(|(_, place)| *place == FrontPlace::On);
    clear.filter_map(|(name, _)| own.get(&name).map(|place| (name.clone(), *place))).collect()
}

/// Spearman's rank correlation (Am. J. Psychol. 15, 1904): that of ranks, of which equal values share the mean. `None` where all
/// values of a side are equal.
pub fn spearman(pairs: &[(f64, f64)]) -> Option<f64> {
    let (one, other): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let (one, other) = (ranks(&one), ranks(&other));
    let mean = f64::midpoint(1.0, pairs.len() as f64);
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let spread = libm::sqrt(product(&one, &one) * product(&other, &other));
    (spread > 0.0).then(|| product(&one, &other) / spread)
}

/// The rank of each value, from 1 on; equal ones have the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let less = values.iter().filter(|other| other.total_cmp(value).is_lt()).count() as f64;
        let equal = values.iter().filter(|other| other.total_cmp(value).is_eq()).count() as f64;
        less + f64::midpoint(1.0, equal)
    };
    values.iter().map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_the_mean_of_their_ranks() {
        assert_eq!(ranks(&[10.0, 30.0, 20.0, 20.0]), [1.0, 4.0, 2.5, 2.5]);
        let of = |other: [f64; 4]| {
            let pairs: Vec<(f64, f64)> = [1.0, 2.0, 3.0, 4.0].into_iter().zip(other).collect();
            spearman(&pairs)
        };
        assert_eq!(of([10.0, 11.0, 500.0, 501.0]), Some(1.0), "by ranks alone");
        assert_eq!(of([4.0, 3.0, 2.0, 1.0]), Some(-1.0));
        assert_eq!(of([7.0; 4]), None, "there is no order");
        // Ranks 1, 2.5, 2.5, 4 against 1 to 4: 4.5 / sqrt(4.5 * 5).
        assert!(of([1.0, 2.0, 2.0, 3.0]).is_some_and(|rho| (rho - 0.948_683).abs() < 1e-6));
    }

    #[test]
    fn an_agreement_is_put_in_words() {
        let member = |name: &str, place| (name.to_owned(), place);
        let agreement = Agreement {
            common: 52,
            p50: Some(0.934),
            cpu: None,
            members: vec![
                member("a-b", FrontPlace::On),
                member("a.b", FrontPlace::Tied),
                member("c", FrontPlace::On),
                member("d", FrontPlace::Off),
            ],
        };
        assert_eq!(
            agreement.correlations(),
            "rank correlation over 52 groupings: p50 0.93, CPU per journey none, all are equal"
        );
        assert_eq!(
            agreement.front().expect("both have one"),
            "of the 4 clear members of its front 2 are on the predicted one; on it: a-b, c; tied there: a.b; not on it: d"
        );
        assert_eq!(Agreement { members: Vec::new(), ..agreement }.front(), None);
    }
}
