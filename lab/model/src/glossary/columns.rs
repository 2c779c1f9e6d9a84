//! What stands in the columns of documents, beside the numbers of [`super::TERMS`]: whose, of what, and how sure.

use super::{Lower, Neither, Term, term};

/// All of them, in the order of a page.
pub const COLUMNS: &[Term] = &[
    word("measure", "measure", "what is measured, and in which phase"),
    word("arm", "arm", "one topology with one variant; all arms get the same arrivals from one seed"),
    word(
        "run",
        "run",
        "one execution of a scenario; of two, before is the one that `--compare` names, after the other",
    ),
    word(
        "ratio",
        "B/A",
        "an arm over the base arm, or less it; in brackets its 95 % interval, from resamples that all arms share",
    ),
    word("samples", "n", "samples behind a figure; the smallest of the arms where a row has several"),
    word(
        "finding",
        "finding",
        "of two arms: they differ, with few false findings among all rows together, are equivalent within a margin, or it is \
         undecided; of two runs: they differ only where their intervals lie apart",
    ),
    word(
        "rung",
        "rate",
        "a rate of a search for capacity: arrivals a second, the same for every arm that runs at the time",
    ),
    word(
        "late",
        "late",
        "arrivals of a rate that took longer than the limit, failed or were dropped; at most 1 % may be",
    ),
    word(
        "standing",
        "standing",
        "what a search concludes of a rate: it held, it failed, or its seconds do not decide",
    ),
    word("expectation", "expectation", "an assertion of the scenario, at its line of the file"),
    word("value", "value", "left side of an expectation, as measured"),
    word("limit", "limit", "right side of an expectation"),
    word(
        "verdict",
        "verdict",
        "pass, fail, inconclusive (too few samples, or the interval holds the limit), invalid (no figure can be trusted)",
    ),
    word(
        "since",
        "since",
        "moment of the load's clock from which the figure, taken from its phase's start until then, was beyond the limit without a break",
    ),
    word("offered_total", "offered", "arrivals due over the window, whether or not they could be sent"),
    word("phase", "phase", "a named part of the run"),
    word("edge", "edge", "a caller and whom it calls"),
    word("way", "way", "how calls travel: a function call within a process, or requests between processes"),
    word("instances", "processes", "running copies, and the components each holds"),
    word("ready", "start-up time", "from the arm's first process to all serving"),
    Term {
        better: Lower,
        ..word("tries_per_call", "tries/call", "tries over calls of an edge: above 1 are retries and hedges")
    },
    Term {
        better: Lower,
        unit: "s",
        ..word("edge_worst_p99", "worst p99", "the highest of an edge's 99th percentiles of one second each")
    },
    Term {
        better: Lower,
        unit: "s",
        ..word("breaker_open", "breaker open", "seconds in which the circuit breaker of an edge was open")
    },
    Term {
        better: Lower,
        unit: "s",
        ..word("slowest", "slowest 1 %", "mean of the slowest hundredth of the traces")
    },
    word(
        "places",
        "where most of it goes",
        "components and edges with the largest share of the traces' time",
    ),
    word("clock", "clock", "moment on the load's clock; before its start with a minus"),
    word("number", "no.", "number of the step it belongs to, the same in every view"),
    word(
        "symptom",
        "what was wrong",
        "as found at the end of each second of the load: a process down, a breaker open or flapping, calls multiplied by \
         retries from 1.2, a queue that grows by 1/s over 5 s, tries failing from 5 %, an edge that makes 80 % of its \
         caller's p99; as it was at its worst",
    ),
    word("first_seen", "first", "second of the load at whose end it was first there"),
    word("last_seen", "last", "second of the load at whose end it was last there"),
    word("worst_seen", "worst", "second of the load at whose end it was worst"),
    Term { unit: "s", ..word("seen_s", "seconds", "seconds at whose end it was there, rounds added up") },
    word("event", "event", "what happened"),
    word("targets", "hit", "what it hit in each arm, or why it could not"),
    Term {
        better: Lower,
        unit: "s",
        ..word(
            "not_up",
            "not up",
            "seconds in which a copy that answers the edge was down, paused or starting",
        )
    },
    Term {
        better: Lower,
        ..word("cores", "cores", "CPU the arm's processes used over the last two seconds, per second")
    },
    word("part", "part", "what a piece of the critical path was spent on"),
    word("meaning", "meaning", "what a word or number is, and how it comes about"),
];

const fn word(id: &'static str, name: &'static str, meaning: &'static str) -> Term {
    term(id, name, "", Neither, meaning)
}
