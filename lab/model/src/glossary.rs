//! Numbers of a run that are no measure: of a second, an edge, a process, a trace. The measures and the rows of the
//! scorecard have their terms in `scorecard::measures`; views draw help and glossary from `scorecard::glossary`, which
//! holds both.

mod columns;

pub use columns::COLUMNS;

use record::{Better, Class};

/// One kind of number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// Stable id: a score's id, or a view's own name for it.
    pub id: &'static str,
    /// How views call it.
    pub name: &'static str,
    /// Its unit; empty for counts.
    pub unit: &'static str,
    /// Which way is good.
    pub better: Better,
    /// What it is and how it is computed.
    pub meaning: &'static str,
}

const fn term(
    id: &'static str,
    name: &'static str,
    unit: &'static str,
    better: Better,
    meaning: &'static str,
) -> Term {
    Term { id, name, unit, better, meaning }
}

use Better::{Higher, Lower, Neither};

/// The model's own, in the order views list them.
pub const TERMS: &[Term] = &[
    term(
        "journey",
        "journey",
        "",
        Neither,
        "what a user wants done, such as reading the home feed: one request or several; the unit of throughput",
    ),
    term(
        "offered",
        "offered",
        "/s",
        Neither,
        "arrivals due in the second, whether or not they could be sent",
    ),
    term("errors", "err", "%", Lower, "failed journeys over offered; their latencies are kept apart"),
    term("timeout", "timeout", "", Lower, "journeys that were not answered before the user gave up"),
    term("dropped", "dropped", "", Lower, "arrivals that found no free slot, or updates a view did not get"),
    term(
        "generator_lag",
        "gen lag",
        "s",
        Lower,
        "p99 of the time from when an arrival was due until the load generator handed it over; behind where half of the arrivals are \
         late by over 0.2 ms and over a tenth of the p50: a run that is so as a whole is invalid",
    ),
    term(
        "time_total",
        "server time at the gateway",
        "s",
        Lower,
        "server time per request at the gateway, mean, from billed requests; only in older records",
    ),
    term(
        "time",
        "server time part",
        "s",
        Lower,
        "server time per request of one part, from billed requests; only in older records",
    ),
    term(
        "traces",
        "traces",
        "",
        Neither,
        "requests followed through the components, put together by the lab",
    ),
    term("user_latency", "user-perceived", "s", Lower, "from when a request was due to its end"),
    term(
        "trace_length",
        "server-side",
        "s",
        Lower,
        "from when a request was sent to its end; its parts add up to it",
    ),
    term("edge_rps", "rps", "/s", Neither, "calls of an edge per second, retries left out"),
    term("edge_actual", "actual", "/s", Neither, "tries of an edge per second, retries included"),
    term("edge_errors", "err", "%", Lower, "failed tries over tries of an edge"),
    term("edge_retries", "retries", "/s", Lower, "tries beyond the first of an edge per second"),
    term("edge_p50", "p50", "ms", Lower, "median of an edge's tries, from its caller's buckets"),
    term("edge_p99", "p99", "ms", Lower, "99th percentile of an edge's tries, from its caller's buckets"),
    term("edge_queue", "q", "", Lower, "calls waiting for a connection or a place at an edge"),
    term("breaker", "breaker", "", Neither, "circuit breaker of an edge: closed, half-open or open"),
    term("proc_cpu", "cpu", "cores", Lower, "CPU a process used per second, over the last two seconds"),
    term("proc_wait", "wait", "cores", Lower, "time its threads were runnable and not running per second"),
    term("proc_pss", "PSS", "B", Lower, "proportional set size: shared pages divided by their sharers"),
    term("proc_threads", "thr", "", Lower, "threads of a process"),
    term("proc_fds", "fds", "", Lower, "open file descriptors of a process"),
    term("proc_switches", "ctx/s", "/s", Lower, "context switches of a process per second"),
    term("proc_restarts", "rst", "", Lower, "how often an instance was started again"),
    term("proc_db", "db", "B", Lower, "bytes of a process's databases, write-ahead logs included"),
    term("cpu_stall", "stall", "%", Lower, "share of the second in which a task waited for a CPU (PSI some)"),
    term(
        "margin",
        "margin",
        "",
        Higher,
        "distance of an expectation's value from its limit, in their unit; negative where it is beyond the limit",
    ),
];

/// A class of a trace's time, as a term.
pub const fn of_class(class: Class) -> Term {
    term("class", class.words(), "s", Lower, class.meaning())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_term_is_defined_once() {
        let all: Vec<&Term> = TERMS.iter().chain(COLUMNS).collect();
        for (i, one) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|other| other.id != one.id), "`{}` is defined twice", one.id);
            assert!(one.meaning.len() > 10, "`{}` is not defined", one.id);
        }
    }
}
