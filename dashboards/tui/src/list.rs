//! The state of a list: what is selected, its filter, its order.

/// State of one list. The rows themselves are the view's; only their number is known here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// The row chosen; `None` stays with the first, or in a log with the last.
    pub selected: Option<usize>,
    /// Rows that do not contain each word of this are left out; case does not matter.
    pub filter: String,
    /// Index of the column rows are sorted by; `None` is the list's own order.
    pub sort: Option<usize>,
    /// Whether the chosen row is shown whole.
    pub open: bool,
}

impl List {
    /// The row chosen of `count`; where nothing is, the first, or the last of a log.
    pub fn at(&self, count: usize, log: bool) -> usize {
        let resting = if log { usize::MAX } else { 0 };
        self.selected.unwrap_or(resting).min(count.saturating_sub(1))
    }

    /// Moves by rows; the ends hold.
    pub fn step(&mut self, by: isize, count: usize, log: bool) {
        let moved = self.at(count, log).saturating_add_signed(by).min(count.saturating_sub(1));
        // At the end of a log one follows it again.
        self.selected = (!log || moved + 1 < count).then_some(moved);
    }

    /// Sorts by the next column to the left or right; beyond either end is the list's own order.
    pub fn sort_by(&mut self, right: bool, columns: usize) {
        let last = columns.checked_sub(1);
        self.sort = match (self.sort, right) {
            (None, true) => last.map(|_| 0),
            (None, false) => last,
            (Some(at), true) => (at + 1 < columns).then_some(at + 1),
            (Some(at), false) => at.checked_sub(1),
        };
        self.selected = None;
    }

    /// Whether a row with this text is shown: every word of the filter is in it.
    pub fn passes(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.filter.to_lowercase().split_whitespace().all(|word| text.contains(word))
    }
}

/// The first of `count` rows shown where `room` of them fit: the chosen one stays in the middle.
pub(crate) fn first_shown(chosen: usize, count: usize, room: usize) -> usize {
    chosen.saturating_sub(room / 2).min(count.saturating_sub(room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_followed_until_the_user_scrolls_back() {
        let mut list = List::default();
        assert_eq!((list.at(10, true), list.at(12, true), list.at(0, true)), (9, 11, 0));
        list.step(-1, 12, true);
        assert_eq!((list.at(12, true), list.at(20, true)), (10, 10), "what is chosen stays");
        list.step(5, 12, true);
        assert_eq!(list.at(20, true), 19, "back at the end it follows again");
    }

    #[test]
    fn sorting_goes_through_the_columns_and_back_to_none() {
        let mut list = List::default();
        let mut seen = Vec::new();
        for _ in 0..4 {
            list.sort_by(true, 3);
            seen.push(list.sort);
        }
        assert_eq!(seen, [Some(0), Some(1), Some(2), None]);
        list.sort_by(false, 3);
        assert_eq!(list.sort, Some(2));
        list.sort_by(true, 0);
        assert_eq!(list.sort, None);
    }

    #[test]
    fn a_filter_asks_for_every_word_in_any_order() {
        let list = List { filter: "Slow home".into(), ..List::default() };
        assert!(list.passes("home-feed slow 3031") && !list.passes("home-feed steady"));
        assert!(List::default().passes("anything"));
    }

    #[test]
    fn the_chosen_row_is_always_shown() {
        for (chosen, count, room) in [(0, 100, 10), (50, 100, 10), (99, 100, 10), (3, 5, 10), (2, 9, 1)] {
            let first = first_shown(chosen, count, room);
            assert!((first..first + room).contains(&chosen), "{chosen} of {count} in {room}");
        }
    }
}
