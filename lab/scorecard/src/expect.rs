//! What an expectation says: `side op side`, where a side is `[k *] measure` or a quantity.
//! How it is written is in `parse`.

mod parse;

use std::fmt;

pub use model::Window;
use serde::{Deserialize, Serialize};

/// What a number is a number of. Both sides must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Seconds.
    Time,
    /// A share, 0 to 1.
    Share,
    /// Per second.
    Rate,
    /// Bytes.
    Bytes,
    /// A bare number.
    Count,
}

impl Unit {
    /// How values of it are written.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Time => "s",
            Self::Share => "%",
            Self::Rate => "/s",
            Self::Bytes => "B",
            Self::Count => "",
        }
    }
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `<=`
    AtMost,
    /// `<`
    Below,
    /// `>=`
    AtLeast,
    /// `>`
    Above,
    /// `==`
    Equal,
}

impl Op {
    /// Whether it holds between two plain numbers.
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::AtMost => left <= right,
            Self::Below => left < right,
            Self::AtLeast => left >= right,
            Self::Above => left > right,
            Self::Equal => left == right,
        }
    }
}

/// What is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// Which, with its arguments checked.
    pub kind: Kind,
    /// Where.
    pub window: Window,
    /// Topologies and variants it is bound to; empty for the other side's, or all.
    pub axes: Vec<String>,
}

/// The measures.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Latency quantile of ok journeys from the intended start: `p50(home-feed)`.
    Latency(f64, String),
    /// Good over offered.
    Goodput(String),
    /// Good per second.
    Rate(String),
    /// Not ok over offered.
    Errors(String),
    /// Ok over offered.
    Availability(String),
    /// Tries per logical call of an edge.
    Attempts(String, String),
    /// From the end of the last fault until goodput is back at 95 % for three seconds.
    Recovery(String),
    /// Share of journeys hurt that do not need the step's target.
    BlastRadius(String),
    /// CPU of the arm over journeys finished, seconds.
    CpuPerJourney,
    /// CPU seconds per 1,000 requests the arm's users sent.
    Cost,
    /// Requests on the wire per journey.
    Hops,
    /// Proportional set size of the arm at its highest, bytes.
    Pss,
    /// CPU used by the processes that hold a component, cores.
    CpuOf(String),
    /// Proportional set size, at its highest, of the processes that hold a component, bytes.
    PssOf(String),
    /// Acknowledged writes that are gone.
    LostWrites,
    /// Acknowledged writes found more than once.
    DuplicatedWrites,
    /// Probes that did not see an acknowledged write.
    StaleReads,
    /// Quantile of acknowledged until visible elsewhere.
    Staleness(f64),
    /// From the start of a step until it was noticed to be bad.
    TimeToDetect(String),
    /// From the start of a step until it was taken back.
    TimeToRollback(String),
    /// From the start of a step until it was done.
    TimeToFinish(String),
    /// Share of reads a declared cache answered.
    CacheHits(String),
    /// CPU the arm used, cores.
    Cpu,
    /// Share of ok journeys slower than so many microseconds.
    Slower(String, u64),
    /// Highest rate of a phase whose 99th percentile, in microseconds, was kept and whose journeys were good.
    Capacity(String, u64),
    /// Something there is to look after: processes, ports, databases, configuration keys.
    Things(Thing),
    /// From the first process to serving, seconds.
    StartUp,
    /// Spans per journey.
    Spans,
    /// Share of finished work nobody waited for any more.
    Wasted(String),
    /// Seconds a breaker was open.
    BreakerOpen(String, String),
    /// PSI `some` of the host.
    CpuStall,
    /// Memory available on the host over all memory.
    MemoryAvailable,
}

/// What there is to look after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// Processes.
    Processes,
    /// Listening ports.
    Ports,
    /// Databases.
    Databases,
    /// Configuration keys.
    ConfigKeys,
}

/// The names of all measures, with their arguments, for messages and documents.
pub const MEASURES: &[(&str, &str)] = &[
    ("p50(journey)", "median latency of ok journeys, from the intended start"),
    ("p95(journey)", "95th percentile of it"),
    ("p99(journey)", "99th percentile of it"),
    ("p999(journey)", "99.9th percentile of it"),
    ("goodput(journey)", "share of offered journeys answered ok and in time"),
    ("rate(journey)", "good journeys per second"),
    ("errors(journey)", "share of offered journeys not answered ok"),
    ("availability(journey)", "share of offered journeys answered ok"),
    ("attempts(a->b)", "tries per logical call of an edge"),
    ("recovery(journey)", "time from the last fault's end until goodput is back at 95 % for 3 s"),
    ("blast_radius(step id)", "share of journeys hurt that do not need the step's target"),
    ("cpu_per_journey", "CPU of the arm per finished journey"),
    ("cost", "CPU seconds per 1,000 journeys"),
    ("hops", "requests on the wire per journey"),
    ("procs.pss", "highest proportional set size of the arm"),
    ("pss(component)", "the same of the processes that hold a component"),
    ("lost_writes()", "acknowledged writes that are gone"),
    ("duplicated_writes()", "acknowledged writes found more than once"),
    ("stale_reads()", "reads that missed an acknowledged write"),
    ("staleness_p50()", "median time until a write is visible elsewhere"),
    ("staleness_p99()", "99th percentile of it"),
    ("wasted(component)", "share of finished work nobody waited for any more"),
    ("time_to_detect(step id)", "from a step's start until it was noticed to be bad"),
    ("time_to_rollback(step id)", "from a step's start until it was taken back"),
    ("time_to_finish(step id)", "from a step's start until it was done"),
    ("cache_hits(component)", "share of reads a declared cache answered"),
    ("cpu", "CPU the arm used, cores"),
    ("cpu(component)", "CPU used by the processes that hold a component, cores"),
    ("slower(journey 100ms)", "share of ok journeys slower than that"),
    ("capacity(journey 50ms)", "highest rate of a phase whose p99 was kept and whose journeys were good"),
    ("processes()", "processes of the arm"),
    ("ports()", "ports it listens on"),
    ("databases()", "databases it keeps"),
    ("config_keys()", "keys in its configuration"),
    ("start_up()", "from its first process to serving"),
    ("spans()", "spans per journey"),
    ("breaker_open(a->b)", "time a breaker was open"),
    ("host.cpu_stall", "share of time tasks waited for a CPU"),
    ("host.mem_available", "share of memory available"),
];

impl Kind {
    /// Unit of its values.
    pub const fn unit(&self) -> Unit {
        match self {
            Self::Latency(..)
            | Self::Recovery(_)
            | Self::CpuPerJourney
            | Self::Staleness(_)
            | Self::TimeToDetect(_)
            | Self::TimeToRollback(_)
            | Self::TimeToFinish(_)
            | Self::StartUp
            | Self::BreakerOpen(..) => Unit::Time,
            Self::Goodput(_)
            | Self::Errors(_)
            | Self::Availability(_)
            | Self::BlastRadius(_)
            | Self::Wasted(_)
            | Self::CacheHits(_)
            | Self::Slower(..)
            | Self::CpuStall
            | Self::MemoryAvailable => Unit::Share,
            Self::Rate(_) | Self::Capacity(..) => Unit::Rate,
            Self::Pss | Self::PssOf(_) => Unit::Bytes,
            Self::Attempts(..)
            | Self::Cost
            | Self::Cpu
            | Self::CpuOf(_)
            | Self::Things(_)
            | Self::Spans
            | Self::Hops
            | Self::LostWrites
            | Self::DuplicatedWrites
            | Self::StaleReads => Unit::Count,
        }
    }

    /// Whether more of it is better. All others are prices.
    pub const fn is_better_high(&self) -> bool {
        matches!(
            self,
            Self::Goodput(_)
                | Self::Rate(_)
                | Self::Availability(_)
                | Self::Capacity(..)
                | Self::CacheHits(_)
                | Self::MemoryAvailable
        )
    }

    /// Whether it belongs to the host rather than to an arm.
    pub const fn is_host(&self) -> bool {
        matches!(self, Self::CpuStall | Self::MemoryAvailable)
    }
}

/// One side of an expectation.
#[derive(Clone, Debug, PartialEq)]
pub enum Side {
    /// `factor * measure`.
    Measure {
        /// 1 unless written.
        factor: f64,
        /// Which measure.
        measure: Measure,
    },
    /// A number with its unit, in base units.
    Quantity {
        /// In seconds, shares, bytes, per second.
        value: f64,
        /// `None` for a bare number, which fits any unit only if it is 0.
        unit: Unit,
    },
}

/// One assertion.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// As written.
    pub text: String,
    /// Left of the operator; always a measure.
    pub left: Side,
    /// The comparison.
    pub op: Op,
    /// Right of it.
    pub right: Side,
    /// How long it must stand, ns; only in stop conditions.
    pub held_ns: u64,
}

/// Why a text is no expectation: where, and what instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectError {
    /// Byte offset in the text.
    pub at: usize,
    /// What is wrong and what to write.
    pub message: String,
}

impl fmt::Display for ExpectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ExpectError {}

impl Expectation {
    /// The phases it looks at.
    pub fn phases(&self) -> Vec<&str> {
        let mut phases = Vec::new();
        for side in [&self.left, &self.right] {
            if let Side::Measure { measure: Measure { window: Window::Phase(name), .. }, .. } = side {
                phases.push(name.as_str());
            }
        }
        phases
    }

    /// The same over a stretch of seconds, where it says nothing of when.
    #[must_use]
    pub fn over_seconds(&self, from: u32, to: u32) -> Self {
        let mut that = self.clone();
        for side in [&mut that.left, &mut that.right] {
            if let Side::Measure { measure, .. } = side
                && measure.window == Window::Whole
            {
                measure.window = Window::Seconds(from, to);
            }
        }
        that
    }
}
