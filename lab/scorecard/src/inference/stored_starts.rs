//! By how much two starts of one program differ on this machine, row by row.

use std::collections::BTreeMap;

use super::noise::StoredStart;

/// What is known of starts, by row and window. Empty where the machine was not measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredStarts(BTreeMap<(String, String), StoredStart>);

impl StoredStarts {
    /// Adds what is known of a row, by its id and its window.
    pub fn insert(&mut self, id: &str, window: &str, start: StoredStart) {
        self.0.insert((id.to_owned(), window.to_owned()), start);
    }

    /// What is known of a row in a window.
    pub fn of(&self, id: &str, window: &str) -> Option<&StoredStart> {
        self.0.get(&(id.to_owned(), window.to_owned()))
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
