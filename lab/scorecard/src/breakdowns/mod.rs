//! Rows that come as a family, for which no single measure stands: the parts of the CPU, the classes of a trace's time,
//! the capacity that was searched for, the culprit of each fault, what it took to build a change, what injected delays took, the
//! longest waits, what servers take by product, the front of many groupings. Each is a file and a line in [`BREAKDOWNS`].

mod capacity;
mod cpu_parts;
mod culprit;
mod delivered_delays;
mod delivery;
mod front;
mod server_parts;
mod trace_sums;
mod trace_time;
mod waits;

pub(crate) use cpu_parts::{context, is_known};

use model::glossary::Term;
use record::Score;

use crate::draft::{Card, Draft};

/// A family of rows.
pub(crate) struct Breakdown {
    /// Their terms in the glossary: the ids of rows begin with these.
    pub terms: &'static [Term],
    /// The rows of a run from which something is concluded.
    pub drafts: fn(&Card<'_>) -> Vec<Draft>,
    /// The rows of a run that are conclusions by themselves.
    pub scores: fn(&Card<'_>) -> Vec<Score>,
}

/// All of them, in the order of the scorecard.
pub(crate) const BREAKDOWNS: &[&Breakdown] = &[
    &capacity::CAPACITIES,
    &cpu_parts::CPU_PARTS,
    &trace_time::TRACE_TIME,
    &delivered_delays::DELIVERED_DELAYS,
    &culprit::CULPRIT,
    &waits::WAITS,
    &server_parts::SERVER_PARTS,
    &delivery::DELIVERY,
    &front::FRONT,
];
