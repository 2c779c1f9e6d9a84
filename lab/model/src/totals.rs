//! Sums since the run's start, by arm and journey: what counters and histograms of a metrics export are made of.

use std::collections::{BTreeMap, BTreeSet};

use record::Window;

use crate::block::Turn;

/// Totals of windows that cannot change any more, and where those are that still can.
#[derive(Clone, Debug, Default)]
pub(crate) struct WindowTotals {
    closed: BTreeMap<(char, String), Window>,
    open: BTreeSet<(Turn, u32, String)>,
}

impl WindowTotals {
    /// Counts a window that comes, again or for the first time.
    pub fn window(&mut self, window: &Window, was_closed: bool) {
        let place = ((window.arm, window.round), window.second, window.journey.clone());
        if !window.closed {
            self.open.insert(place);
        } else if !was_closed {
            self.open.remove(&place);
            add(&mut self.closed, window);
        }
    }

    /// A window leaves full detail: nothing changes it any more.
    pub fn leave(&mut self, window: &Window) {
        if !window.closed {
            self.open.remove(&((window.arm, window.round), window.second, window.journey.clone()));
            add(&mut self.closed, window);
        }
    }

    /// Sums by arm and journey, with windows that still can change as they are in `current`.
    pub fn sums<'w>(
        &self,
        current: impl Fn(Turn, u32, &str) -> Option<&'w Window>,
    ) -> BTreeMap<(char, String), Window> {
        let mut totals = self.closed.clone();
        for (turn, second, journey) in &self.open {
            if let Some(window) = current(*turn, *second, journey) {
                add(&mut totals, window);
            }
        }
        totals
    }
}

/// Adds a window to the sum of its arm and journey.
fn add(totals: &mut BTreeMap<(char, String), Window>, window: &Window) {
    let total = totals.entry((window.arm, window.journey.clone())).or_default();
    total.add_counts(window);
    total.add_latencies(window);
}
