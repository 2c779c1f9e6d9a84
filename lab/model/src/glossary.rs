//! Every number a view shows, with its unit and how it comes about: help and glossary are drawn from here.

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

/// All of them, in the order views list them.
pub const TERMS: &[Term] = &[
    term(
        "latency_p50",
        "p50",
        "s",
        Lower,
        "median latency of ok journeys from the intended start; histograms are merged, then asked",
    ),
    term(
        "latency_p99",
        "p99",
        "s",
        Lower,
        "99th percentile of the same; on the screen over the last 5 s, dimmed below 500 samples",
    ),
    term(
        "latency_p999",
        "p99.9",
        "s",
        Lower,
        "99.9th percentile of the same; on the screen over the last 30 s, dimmed below 5,000 samples",
    ),
    term(
        "offered",
        "offered",
        "/s",
        Neither,
        "arrivals due in the second, whether or not they could be sent",
    ),
    term(
        "goodput",
        "good",
        "%",
        Higher,
        "journeys answered ok and within the time a user waits, over offered",
    ),
    term("rate", "good/s", "/s", Higher, "journeys answered ok and in time, over the window's seconds"),
    term("errors", "err", "%", Lower, "failed journeys over offered; their latencies are kept apart"),
    term("timeout", "timeout", "", Lower, "journeys that were not answered before the user gave up"),
    term("dropped", "dropped", "", Lower, "arrivals that found no free slot, or updates a view did not get"),
    term(
        "generator_lag",
        "gen lag",
        "s",
        Lower,
        "p99 of due until handed over by the load generator; above its limit a run is invalid",
    ),
    term("hops", "hops", "", Neither, "requests on the wire over journeys, all edges"),
    term(
        "cpu_per_journey",
        "CPU/journey",
        "s",
        Lower,
        "CPU of all processes of the arm, from /proc, over journeys finished",
    ),
    term(
        "cpu_total",
        "CPU",
        "s",
        Lower,
        "the same over one phase, split below by the processes' own sampling",
    ),
    term(
        "cpu",
        "of it",
        "s",
        Lower,
        "CPU per journey of one part, from sampled polls, scaled to what /proc says",
    ),
    term(
        "time_total",
        "time at the door",
        "s",
        Lower,
        "mean time per journey at the door, from billed requests",
    ),
    term("time", "of it", "s", Lower, "time per journey of one part, from billed requests; the parts add up"),
    term(
        "recovery",
        "recovery",
        "s",
        Lower,
        "from the last fault's end to the first of three seconds with 95 % of the goodput before it",
    ),
    term(
        "blast_radius",
        "blast radius",
        "",
        Lower,
        "share of journeys hurt that do not need what the fault hits",
    ),
    term("bystanders", "hurt", "%", Lower, "journeys hurt that do not need the component whose process dies"),
    term(
        "stale_reads",
        "stale reads",
        "%",
        Lower,
        "reads that missed a write acknowledged before, over such reads",
    ),
    term("staleness_p50", "staleness p50", "s", Lower, "a write acknowledged until seen elsewhere, median"),
    term("staleness_p99", "staleness p99", "s", Lower, "a write acknowledged until seen elsewhere, p99"),
    term("lost_writes", "lost", "", Lower, "acknowledged writes the audit did not find"),
    term("duplicated_writes", "duplicated", "", Lower, "acknowledged writes the audit found more than once"),
    term(
        "memory",
        "memory",
        "B",
        Lower,
        "proportional set size of the arm's processes, summed, at its highest",
    ),
    term("rate_per_core", "good/s/core", "/s", Higher, "good journeys over seconds of CPU used"),
    term("rate_per_gib", "good/s/GiB", "/s", Higher, "good journeys per second over GiB held (PSS)"),
    term("processes", "processes", "", Lower, "processes the arm is made of"),
    term("ports", "ports", "", Lower, "ports the arm listens on"),
    term("connections", "sockets", "", Lower, "sockets open in the arm's processes at most"),
    term("databases", "databases", "", Lower, "databases the arm keeps"),
    term("config_keys", "config keys", "", Lower, "keys in the configuration of all its nodes"),
    term("start_up", "start-up", "s", Lower, "from the arm's first process to all serving"),
    term("spans", "spans/journey", "", Lower, "spans ended over journeys sent, sampled or not as configured"),
    term(
        "telemetry",
        "telemetry",
        "",
        Lower,
        "what tracing costs: CPU of the exporter's threads over journeys",
    ),
    term(
        "traces",
        "traces",
        "",
        Neither,
        "requests followed through the components, put together by the lab",
    ),
    term(
        "trace",
        "on the critical path",
        "s",
        Lower,
        "mean per journey over all traces of the phase; segments of the critical path fill a request exactly",
    ),
    term(
        "culprit",
        "culprit named",
        "",
        Higher,
        "1 where what grew most on the critical path, against the steady phase, touches what the fault hits",
    ),
    term("felt", "felt", "s", Lower, "from when a request was due to its end: what its user felt"),
    term(
        "trace_length",
        "length",
        "s",
        Lower,
        "from when a request was sent to its end; its parts add up to it",
    ),
    term("pareto_front", "front", "", Neither, "1 where no other grouping is better in everything"),
    term("edge_rps", "rps", "/s", Neither, "calls of an edge per second, retries left out"),
    term("edge_actual", "actual", "/s", Neither, "tries of an edge per second, retries included"),
    term("edge_errors", "err", "%", Lower, "failed tries over tries of an edge"),
    term("edge_retries", "retries", "/s", Lower, "tries beyond the first of an edge per second"),
    term("edge_p50", "p50", "ms", Lower, "median of an edge's tries, from its caller's buckets"),
    term("edge_p99", "p99", "ms", Lower, "99th percentile of an edge's tries, from its caller's buckets"),
    term("edge_queue", "q", "", Lower, "calls waiting for a connection or a place at an edge"),
    term("breaker", "breaker", "", Neither, "circuit breaker of an edge: closed, half-open or open"),
    term("proc_cpu", "cpu", "%", Lower, "CPU a process used in the last second, of one core"),
    term("proc_wait", "wait", "%", Lower, "time its threads were runnable and not running, of one core"),
    term("proc_pss", "PSS", "B", Lower, "proportional set size: shared pages divided by their sharers"),
    term("proc_threads", "thr", "", Lower, "threads of a process"),
    term("proc_fds", "fds", "", Lower, "open file descriptors of a process"),
    term("proc_switches", "ctx/s", "/s", Lower, "context switches of a process per second"),
    term("proc_restarts", "rst", "", Lower, "how often an instance was started again"),
    term("proc_db", "db", "B", Lower, "bytes of a process's databases, write-ahead logs included"),
    term(
        "cpu_stall",
        "stall",
        "%",
        Lower,
        "share of the second in which somebody waited for a CPU (PSI some)",
    ),
    term(
        "margin",
        "margin",
        "",
        Higher,
        "distance of an expectation's value from its limit, in their unit; negative where it is beyond the limit",
    ),
    term("prediction", "predicted", "", Neither, "the simulator's value for a row, and its error"),
];

/// What an id means; a score's id may go on after its term's: `goodput_kill-feed`.
pub fn term_of(id: &str) -> Option<&'static Term> {
    let fits = |term: &&Term| {
        id.strip_prefix(term.id).is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', '-']))
    };
    TERMS.iter().filter(fits).max_by_key(|term| term.id.len())
}

/// The term or column of exactly this id.
pub fn term_by_id(id: &str) -> Option<&'static Term> {
    TERMS.iter().chain(COLUMNS).find(|term| term.id == id)
}

/// A class of a trace's time, as a term.
pub const fn of_class(class: Class) -> Term {
    term("class", class.words(), "s", Lower, class.meaning())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_means_its_longest_term_and_nothing_twice() {
        let meant = |id| term_of(id).map(|term| term.id);
        assert_eq!(meant("goodput_kill-feed"), Some("goodput"));
        assert_eq!(meant("cpu_total"), Some("cpu_total"));
        assert_eq!(meant("cpu_encoding"), Some("cpu"));
        assert_eq!(meant("goodputs"), None);
        let all: Vec<&Term> = TERMS.iter().chain(COLUMNS).collect();
        for (i, one) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|other| other.id != one.id), "`{}` is defined twice", one.id);
            assert!(one.meaning.len() > 10, "`{}` is not defined", one.id);
        }
    }
}
