//! The six tabs, and how they are called where there is little room.

/// A page of the dashboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// Charts, map, score and events of the moment.
    #[default]
    Live,
    /// The calls between components, edge by edge, and what is wrong with them.
    Map,
    /// Every trade-off and every expectation.
    Score,
    /// Requests that were kept, span by span.
    Traces,
    /// Every process with what it takes.
    Procs,
    /// What happened, to be searched.
    Events,
}

impl Tab {
    /// All of them, in the order of their keys.
    pub const ALL: [Self; 6] = [Self::Live, Self::Map, Self::Score, Self::Traces, Self::Procs, Self::Events];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "Live",
            Self::Map => "Map",
            Self::Score => "Score",
            Self::Traces => "Traces",
            Self::Procs => "Procs",
            Self::Events => "Events",
        }
    }

    /// Its name in two letters: whole names never fit into 40 columns, and half a name misleads.
    pub const fn short(self) -> &'static str {
        match self {
            Self::Live => "Lv",
            Self::Map => "Mp",
            Self::Score => "Sc",
            Self::Traces => "Tr",
            Self::Procs => "Pr",
            Self::Events => "Ev",
        }
    }

    /// Its key, from 1.
    pub const fn number(self) -> usize {
        self as usize + 1
    }

    /// The tab so many further on, round the end.
    pub const fn further(self, by: usize) -> Self {
        Self::ALL[(self as usize + by) % Self::ALL.len()]
    }
}
