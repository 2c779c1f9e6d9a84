//! The dashboard's state: everything the screen is drawn from. [`crate::update`] alone changes it.

use std::ops::Range;

use model::startup::Startup;
use model::{Run, SECOND};

use crate::keymap::{self, Context};
use crate::list::List;
use crate::style::Theme;
use crate::tab::Tab;

/// Everything the screen is drawn from.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The run so far.
    pub run: Run,
    /// How it gets ready, before anything of it is known.
    pub startup: Startup,
    /// Seconds that the run no longer keeps in detail, read back from the record for the moment shown.
    pub past: Option<Past>,
    /// How it is drawn.
    pub theme: Theme,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// The moment shown, ns since the run's start; `None` is now.
    pub cursor: Option<u64>,
    /// The tab shown.
    pub tab: Tab,
    /// What lies over it.
    pub overlay: Overlay,
    /// Index of the arm A is compared with, among the others.
    pub other: usize,
    /// Which of the two arms are shown.
    pub solo: Solo,
    /// The charts.
    pub live: Live,
    /// The call graph.
    pub map: List,
    /// The scorecard.
    pub score: List,
    /// The kept requests.
    pub traces: Traces,
    /// The processes.
    pub procs: List,
    /// What happened.
    pub events: List,
    /// Keys and terms.
    pub help: Help,
    /// What the last key did, until the next one.
    pub status: String,
    /// Ctrl-C was pressed before.
    pub interrupted: bool,
    /// Whether leaving the screen leaves the run alone.
    pub guest: bool,
    /// How many times as fast a record is replayed; `None` where it is not.
    pub pace: Option<f64>,
    /// What the dashboard itself takes.
    pub overhead: Overhead,
}

/// What lies over a tab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlay {
    /// Nothing.
    #[default]
    Nothing,
    /// Keys and terms.
    Help,
    /// The question whether to detach or to abort.
    Leave,
    /// A filter is being typed.
    Typing,
}

/// Which of the two arms are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Solo {
    /// Both; where one fits, the first.
    #[default]
    Both,
    /// The first.
    First,
    /// The other.
    Other,
}

/// What the charts show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metric {
    /// Of ok journeys, counted from when they were due.
    #[default]
    Latency,
    /// Good journeys per second.
    Goodput,
    /// Failed journeys over offered.
    Errors,
    /// Calls that wait at edges.
    Queue,
    /// Of all processes of the arm, in cores.
    Cpu,
    /// From acknowledged to seen.
    Staleness,
}

impl Metric {
    /// All of them, in the order `c` goes through.
    pub const ALL: [Self; 6] =
        [Self::Latency, Self::Goodput, Self::Errors, Self::Queue, Self::Cpu, Self::Staleness];
}

/// Which percentiles of the latency are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Percentiles {
    /// p50, p99, p99.9.
    #[default]
    All,
    /// p50 and p99.
    Two,
    /// p99.
    Tail,
}

/// The stretch of time the charts show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zoom {
    /// The whole load where it fits at two seconds a column, else its newest part.
    #[default]
    Fit,
    /// So many seconds up to the moment shown.
    Seconds(u32),
    /// The phase of this index.
    Phase(usize),
}

/// A panel of the live tab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Panel {
    /// The charts, with goodput and errors below them.
    #[default]
    Charts,
    /// The services by the calls between them.
    Map,
    /// The score so far.
    Score,
    /// The plan of the run.
    Timeline,
    /// What happened.
    Events,
}

/// The live tab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// What the charts show.
    pub metric: Metric,
    /// The other scale than the metric's own.
    pub other_scale: bool,
    /// Which percentiles.
    pub percentiles: Percentiles,
    /// Which stretch of time.
    pub zoom: Zoom,
    /// The panel that is copied, or shown alone; the charts until another is focused.
    pub focus: Option<Panel>,
    /// Whether it is shown alone.
    pub alone: bool,
}

/// The traces tab.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// The kept requests.
    pub list: List,
    /// The one shown whole: arm, round, request.
    pub shown: Option<(char, u32, u64)>,
    /// Spans scrolled past in it.
    pub scroll: usize,
}

/// The help overlay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Help {
    /// The search text.
    pub query: String,
    /// Rows scrolled past.
    pub scroll: usize,
}

/// What the dashboard takes, over its last second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Overhead {
    /// CPU of its thread, share of one core; `None` before the first second is over.
    pub cpu: Option<f64>,
    /// Frames drawn.
    pub frames: u32,
    /// Bytes of a frame, mean; `None` without frames.
    pub bytes_per_frame: Option<u64>,
}

/// A part of the run that was read back from its record.
#[derive(Clone, Debug)]
pub struct Past {
    /// From one moment to another, ns since the run's start.
    pub range: Range<u64>,
    /// What the record has of it; `None` where it cannot be read back.
    pub run: Option<Run>,
}

/// What is read back before and after the moment shown, ns: as much as a panel of samples shows, and a few steps on.
const PAST_BEFORE: u64 = 180 * SECOND;
const PAST_AFTER: u64 = 30 * SECOND;

impl State {
    /// The run with what was sampled around the moment shown: edges, processes, host.
    pub(crate) fn detail(&self) -> &Run {
        let at = self.at();
        let past = self.past.as_ref().filter(|past| self.is_past() && past.range.contains(&at));
        past.and_then(|past| past.run.as_ref()).unwrap_or(&self.run)
    }

    /// What has to be read back for the moment shown, if anything.
    pub(crate) fn missing_past(&self) -> Option<Range<u64>> {
        let at = self.at();
        let is_known = self.past.as_ref().is_some_and(|past| past.range.contains(&at));
        (self.is_past() && !is_known).then(|| at.saturating_sub(PAST_BEFORE)..at + PAST_AFTER)
    }

    /// Whether the moment shown is older than what the run keeps in detail.
    fn is_past(&self) -> bool {
        self.at() < self.run.detail_from()
    }

    /// The moment shown, ns since the run's start.
    pub fn at(&self) -> u64 {
        self.cursor.unwrap_or(self.run.now)
    }

    /// Where keys are pressed.
    pub fn context(&self) -> Context {
        match self.overlay {
            Overlay::Nothing => keymap::of_tab(self.tab),
            Overlay::Help => keymap::HELP,
            Overlay::Leave => keymap::LEAVE,
            Overlay::Typing => keymap::TYPING,
        }
    }

    /// The letters on the left, which is the base arm, and on the right; the same one if there is only one arm.
    pub(crate) fn shown(&self) -> Option<(char, char)> {
        let base = self.run.base()?.letter;
        let others = self.run.others();
        let other = if others.is_empty() { base } else { others[self.other % others.len()].letter };
        Some((base, other))
    }

    /// The arms of the two that are to be shown.
    pub(crate) fn arms(&self) -> Vec<char> {
        match (self.shown(), self.solo) {
            (None, _) => Vec::new(),
            (Some((first, other)), Solo::Both) if first != other => vec![first, other],
            (Some((first, _)), Solo::Both | Solo::First) => vec![first],
            (Some((_, other)), Solo::Other) => vec![other],
        }
    }

    /// Whether leaving leaves nothing behind that still runs.
    pub(crate) fn is_over(&self) -> bool {
        self.guest || self.run.end.is_some() || self.interrupted
    }

    /// Whether the screen outlives the run: until the user leaves it, unless it closes with the run or the user has ended
    /// that. A paused view is being read.
    pub fn stays(&self, closes: bool) -> bool {
        self.run.end.is_some() && !self.interrupted && (!closes || self.cursor.is_some())
    }

    /// The list of a tab that has one.
    pub(crate) fn list(&self) -> Option<&List> {
        match self.tab {
            Tab::Live => None,
            Tab::Map => Some(&self.map),
            Tab::Score => Some(&self.score),
            Tab::Traces => Some(&self.traces.list),
            Tab::Procs => Some(&self.procs),
            Tab::Events => Some(&self.events),
        }
    }

    /// The same, to be changed.
    pub(crate) fn list_mut(&mut self) -> Option<&mut List> {
        match self.tab {
            Tab::Live => None,
            Tab::Map => Some(&mut self.map),
            Tab::Score => Some(&mut self.score),
            Tab::Traces => Some(&mut self.traces.list),
            Tab::Procs => Some(&mut self.procs),
            Tab::Events => Some(&mut self.events),
        }
    }
}
