//! Which components changed together: support and confidence of pairs over commits (Zimmermann et al., "Mining Version
//! Histories to Guide Software Changes", IEEE TSE 31(6), 2005).

use std::collections::{BTreeMap, BTreeSet};

use crate::commits::Commit;

/// Two components, by place, and the commits that touched both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The component with the lower place.
    pub first: usize,
    /// The other.
    pub second: usize,
    /// Commits that touched both.
    pub together: u32,
}

/// What a history shows about components.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoChange {
    /// Commits that were counted.
    pub counted: u32,
    /// Commits left out because they touched too many files.
    pub too_large: u32,
    /// Commits left out because they touched no component.
    pub of_no_component: u32,
    /// Commits that touched each component, by place.
    pub touched: Vec<u32>,
    /// Pairs that changed together at least once, those with the most commits first.
    pub pairs: Vec<Pair>,
}

impl CoChange {
    /// Counts the commits that touch at most `max_files` files and some component.
    pub fn of(
        commits: &[Commit],
        components: usize,
        max_files: u32,
        component_of: impl Fn(&str) -> Option<usize>,
    ) -> Self {
        let mut found = Self { touched: vec![0; components], ..Self::default() };
        let mut pairs: BTreeMap<(usize, usize), u32> = BTreeMap::new();
        for commit in commits {
            if commit.files.len() > max_files as usize {
                found.too_large += 1;
                continue;
            }
            let touched: BTreeSet<usize> =
                commit.files.iter().filter_map(|file| component_of(file)).collect();
            if touched.is_empty() {
                found.of_no_component += 1;
                continue;
            }
            found.counted += 1;
            for (at, &first) in touched.iter().enumerate() {
                found.touched[first] += 1;
                for &second in touched.iter().skip(at + 1) {
                    *pairs.entry((first, second)).or_default() += 1;
                }
            }
        }
        found.pairs =
            pairs.into_iter().map(|((first, second), together)| Pair { first, second, together }).collect();
        // Equal pairs stay in the order of the components.
        found.pairs.sort_by_key(|pair| std::cmp::Reverse(pair.together));
        found
    }
}
