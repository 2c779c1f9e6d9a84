//! The stretch of load time a chart shows.

use crate::state::{State, Zoom};
use model::SECOND;

/// Load seconds from one to another, the end not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeAxis {
    pub from: u32,
    pub to: u32,
}

impl TimeAxis {
    /// What is zoomed to, or what fits into `columns` with two seconds a column: the whole plan where it fits, which
    /// then fills from the left; else the seconds up to the one shown.
    pub(super) fn of(state: &State, columns: u16) -> Self {
        let length = seconds(state.run.length_ns()).max(1);
        let stretch = match state.live.zoom {
            Zoom::Fit => (u32::from(columns) * 2).max(1),
            Zoom::Seconds(stretch) => stretch.max(1),
            Zoom::Phase(index) => {
                let phase = state.run.header.phases.get(index);
                let phase = phase.map(|phase| Self {
                    from: seconds(phase.start_ns),
                    to: seconds(phase.start_ns + phase.length_ns).max(seconds(phase.start_ns) + 1),
                });
                return phase.unwrap_or(Self { from: 0, to: length });
            }
        };
        if length <= stretch {
            return Self { from: 0, to: length };
        }
        let (first, other) = state.shown().unwrap_or_default();
        let places = [first, other].into_iter().filter_map(|arm| state.run.position_at(arm, state.at()));
        let to = places.map(|place| place.seconds).max().unwrap_or(0).clamp(stretch, length);
        Self { from: to - stretch, to }
    }

    fn length(self) -> u64 {
        u64::from(self.to.saturating_sub(self.from)).max(1)
    }

    /// The dot a second begins at, of `dots` across.
    pub(super) fn dot(self, second: u32, dots: u16) -> u16 {
        let after = u64::from(second.saturating_sub(self.from));
        u16::try_from(after * u64::from(dots) / self.length()).unwrap_or(u16::MAX)
    }

    /// The column of a moment of load time, of `columns` across; `None` outside.
    pub(super) fn column(self, ns: u64, columns: u16) -> Option<u16> {
        let inside = u64::from(self.from) * SECOND <= ns && ns < u64::from(self.to) * SECOND;
        let after = u128::from(ns.saturating_sub(u64::from(self.from) * SECOND));
        let column = after * u128::from(columns) / u128::from(self.length() * SECOND);
        inside.then(|| u16::try_from(column).unwrap_or(u16::MAX))
    }

    /// The seconds a column covers, of `columns` across; at least one.
    pub(super) fn seconds(self, column: u16, columns: u16) -> std::ops::Range<u32> {
        let at = |column: u16| u64::from(column) * self.length() / u64::from(columns.max(1));
        let from = self.from + at(column) as u32;
        from..(self.from + at(column + 1) as u32).max(from + 1)
    }
}

fn seconds(ns: u64) -> u32 {
    u32::try_from(ns.div_ceil(SECOND)).unwrap_or(u32::MAX)
}
