//! What is said once a second, and what happens in between.

use serde_json::{Value, json};

use super::{Def, flag, letter, map_of, nullable, number, object, one_of, pair_of, text, texts, whole};

fn latencies(description: &str) -> Value {
    json!({
        "type": "string",
        "contentEncoding": "base64",
        "description": format!("{description}, us: HDR histogram V2, deflated; empty without samples"),
    })
}

pub(super) fn seconds() -> Vec<Def> {
    let phase = object(
        &[
            ("index", whole("index into the header's phases")),
            ("name", text("its name")),
            ("round", whole("round, from 1")),
            ("arms", text("arm letters it concerns; empty for all")),
        ],
        &[],
    );
    let window = object(
        &[
            ("arm", letter("arm")),
            ("round", whole("round, from 1")),
            ("journey", text("journey name")),
            ("second", whole("the second in which its arrivals were due, since the load's start")),
            ("offered", whole("arrivals due")),
            ("sent", whole("sent")),
            ("ok", whole("answered as asked, content checked")),
            ("good", whole("ok, and within the time a user waits")),
            ("errors", map_of(whole(""), "failed, by cause")),
            ("dropped", whole("no free slot, or the queue was full")),
            ("abandoned", whole("left behind when the run was cut short")),
            ("pages", whole("pages asked")),
            ("empty_pages", whole("empty ones among them")),
            ("bytes", whole("bytes of answers read")),
            ("intended", latencies("ok answers, from the intended start")),
            ("service", latencies("ok answers, from the send")),
            ("failed", latencies("failed ones, from the intended start")),
            ("pace_lag", latencies("due to handed over: the generator's own lateness")),
            ("own_wait", latencies("handed over to sent, while a slot was idle")),
            ("slot_wait", latencies("handed over to sent, all slots busy")),
            ("staleness", latencies("a write acknowledged until seen elsewhere")),
            ("probes", whole("reads that should have seen an acknowledged write")),
            ("stale", whole("how many of them did not")),
            ("final", flag("no answer can change it any more; until then the same window may come again")),
        ],
        &[],
    );
    let edge = object(
        &[
            ("arm", letter("arm")),
            ("caller", text("client, gateway or a component")),
            ("callee", text("component")),
            ("local", flag("a function call")),
            ("effective_rps", number("logical calls per second")),
            ("actual_rps", number("tries per second")),
            ("errors_rps", number("failed tries per second")),
            ("retries_rps", number("retries per second")),
            ("p50_ms", nullable(number("median, ms, from buckets"))),
            ("p99_ms", nullable(number("99th percentile, ms, from buckets"))),
            ("breaker", json!({ "enum": [0, 1, 2], "description": "0 closed, 1 half-open, 2 open" })),
            ("queue", whole("waiting for a connection or a place")),
        ],
        &[],
    );
    let pairs = |description| map_of(pair_of(whole(""), ""), description);
    let spans = json!({ "type": "array", "items": whole(""), "minItems": 4, "maxItems": 4,
        "description": "spans ended, exported, failed, dropped since its start" });
    let proc = object(
        &[
            ("arm", letter("arm; - for the generator and the lab itself")),
            ("pid", whole("process id")),
            ("instance", text("feed#0, generator, cleave")),
            ("components", texts("components inside")),
            ("state", text("up, starting, paused, down")),
            ("cpu_ns", whole("CPU since its start, ns")),
            ("cpu_db_ns", whole("of it, threads of the database")),
            ("cpu_telemetry_ns", whole("of it, threads of the telemetry exporter")),
            ("run_queue_ns", whole("time runnable but not running since its start, ns")),
            ("pss_kib", whole("proportional set size, KiB")),
            ("threads", whole("threads")),
            ("fds", whole("open file descriptors")),
            ("sockets", whole("sockets among them")),
            ("switches", whole("context switches since its start")),
            ("restarts", whole("restarts so far")),
            ("db_bytes", whole("bytes of its databases")),
            ("spans", spans),
        ],
        &[
            (
                "work",
                pairs("by component: requests finished since its start, and those whose caller had left"),
            ),
            ("cache", pairs("by component: reads its cache answered, and all reads through it")),
        ],
    );
    let host = object(
        &[
            ("cpu_stall", number("share of the second all processes waited for a CPU (PSI some), percent")),
            ("memory_available_mib", whole("memory available, MiB")),
            ("steal", number("CPU stolen by the hypervisor, percent")),
            ("other_cpu", number("CPU used outside the run, percent of one core")),
            ("pss_kib", whole("PSS of everything this run started, KiB")),
            ("dropped_updates", whole("updates views did not get")),
        ],
        &[],
    );
    let mark = json!({ "type": "array", "items": text(""), "minItems": 2, "maxItems": 2,
        "description": "arm letter, and began, canary, detected, rolled-back or done" });
    let event = object(
        &[
            ("number", whole("the step's number, 0 where none belongs to it")),
            (
                "what",
                one_of(&["FAULT", "HEALTH", "BREAK", "SCALE", "DEPLOY", "CHECK", "LOG"], "kind of event"),
            ),
            ("active", nullable(flag("begins or ends something that lasts"))),
            ("targets", map_of(text(""), "per arm letter: what it hit, or why it could not")),
            ("text", text("a sentence")),
        ],
        &[("mark", mark)],
    );
    vec![
        ("phase", phase),
        ("window", window),
        ("edge", edge),
        ("proc", proc),
        ("host", host),
        ("event", event),
    ]
}
