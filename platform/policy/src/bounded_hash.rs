//! Consistent hashing with bounded loads: what is asked for decides which copy is asked, while that has little more to do
//! than its peers (Mirrokni, Thorup & Zadimoghaddam, SODA 2018).
//!
//! Copies are ranked for each key by a hash of both (rendezvous hashing, Thaler & Ravishankar 1998): as with a ring, only the
//! keys of a copy move when it comes or goes, and there is no table to keep.

/// Requests in flight that a copy may have, in even shares: a quarter above its own, which keeps most keys at home while the
/// busiest copy has little more to do than the others (ours).
const LOAD_FACTOR: f64 = 1.25;

/// A copy, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// Which of those given.
    pub index: usize,
    /// What keys are ranked by.
    pub place: u32,
    /// Its requests in flight.
    pub inflight: u32,
}

/// The copy to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Which of those given.
    pub index: usize,
    /// Whether it is another than the first of its key, which has too much to do.
    pub is_overflow: bool,
}

/// The highest in rank for `key` of those below the bound; `None` of none.
pub(crate) fn choose(candidates: impl Iterator<Item = Candidate> + Clone, key: u64) -> Option<Choice> {
    let (mut count, mut inflight) = (0_u64, 0_u64);
    for candidate in candidates.clone() {
        count += 1;
        inflight += u64::from(candidate.inflight);
    }
    let bound = ((inflight + 1) as f64 * LOAD_FACTOR / count as f64).ceil();
    let (mut first, mut below) = (None::<(u64, usize)>, None::<(u64, usize)>);
    for candidate in candidates {
        let ranked = Some((rank(key, candidate.place), candidate.index));
        first = first.max(ranked);
        if f64::from(candidate.inflight) < bound {
            below = below.max(ranked);
        }
    }
    let (_, home) = first?;
    // Counts change while they are added up: where all seem full, the first is asked.
    let index = below.map_or(home, |(_, index)| index);
    Some(Choice { index, is_overflow: index != home })
}

/// The finaliser of MurmurHash3, 64 bit: each bit of key and place changes half of the rank's.
const fn rank(key: u64, place: u32) -> u64 {
    let mut z = key ^ (place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    z = (z ^ (z >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    z ^ (z >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copies(places: &[u32]) -> Vec<Candidate> {
        let idle = |(index, place): (usize, &u32)| Candidate { index, place: *place, inflight: 0 };
        places.iter().enumerate().map(idle).collect()
    }

    fn chosen(candidates: &[Candidate], key: u64) -> Choice {
        choose(candidates.iter().copied(), key).expect("there are copies")
    }

    #[test]
    fn keys_are_spread_and_only_those_of_a_copy_that_leaves_move() {
        let (before, after) = (copies(&[1, 2, 3]), copies(&[1, 3]));
        let mut counts = [0; 3];
        for key in 0..3_000 {
            let home = chosen(&before, key).index;
            counts[home] += 1;
            let then = chosen(&after, key).index;
            match home {
                0 => assert_eq!(then, 0, "{key}"),
                2 => assert_eq!(then, 1, "{key}"),
                _ => {}
            }
        }
        // 1,000 each, give or take 26 (binomial).
        assert!(counts.iter().all(|count| (870..1_130).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_copy_with_too_much_to_do_is_passed_over_until_it_has_less() {
        let mut candidates = copies(&[1, 2, 3]);
        let home = chosen(&candidates, 7).index;
        // One request in flight and this one: 1.25 x 2 / 3, rounded up, is one, which it has.
        candidates[home].inflight = 1;
        let other = chosen(&candidates, 7);
        assert!(other.index != home && other.is_overflow, "{other:?}");
        // The others have one each as well: 1.25 x 4 / 3, rounded up, is two.
        candidates.iter_mut().for_each(|candidate| candidate.inflight = 1);
        assert_eq!(chosen(&candidates, 7), Choice { index: home, is_overflow: false });
        assert_eq!(choose(std::iter::empty(), 7), None);
    }
}
