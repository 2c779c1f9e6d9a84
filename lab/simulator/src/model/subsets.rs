//! Which copies of a component each of its callers asks, where it has very many.

use std::collections::BTreeMap;

use crate::engine::Rng;

/// Copies that one caller asks, at most. Where a callee has more, each caller has its subset, and all copies have as many
/// callers (Site Reliability Engineering, chapter 20, "Deterministic Subsetting"): a caller cannot hold connections to
/// thousands.
pub const SUBSET: usize = 32;

/// Which copies each caller asks.
pub(super) struct Subsets {
    seed: u64,
    /// By callee and round: a round is as many callers as there are subsets.
    shuffled: BTreeMap<(u32, usize), Vec<u32>>,
}

impl Subsets {
    pub fn new(seed: u64) -> Self {
        Self { seed, shuffled: BTreeMap::new() }
    }

    /// The copies of a callee, of so many, that a caller asks, by the caller's number.
    pub fn of(&mut self, callee: u32, name: &str, copies: &[u32], caller: usize) -> Vec<u32> {
        if copies.len() <= SUBSET {
            return copies.to_vec();
        }
        let subsets = copies.len() / SUBSET;
        let (round, subset) = (caller / subsets, caller % subsets);
        let seed = self.seed;
        let order = self.shuffled.entry((callee, round)).or_insert_with(|| {
            let mut order = copies.to_vec();
            let mut rng = Rng::new(seed, &format!("subset/{name}/{round}"));
            for at in (1..order.len()).rev() {
                order.swap(at, rng.below(at as u64 + 1) as usize);
            }
            order
        });
        let mut chosen = order[subset * SUBSET..(subset + 1) * SUBSET].to_vec();
        chosen.sort_unstable();
        chosen
    }
}
