//! The JSON Schema (draft 2020-12) of a record's lines, for whoever reads records without this program.
//!
//! - [`line()`]: the schema; committed as `lab/record/schema/line.json`.
//! - [`defs`]: its definitions, which documents made of a record share.
//! - [`faults`]: what of a value does not fit a schema.
//!
//! Written out, because the types have texts for values and old records lack what came later; a test fills every
//! type and compares the keys both ways.

mod fit;
mod words;

pub use fit::{KEYWORDS, faults};
pub use words::{
    flag, letter, list, map_of, nullable, number, object, of, one_of, pair_of, text, texts, whole,
};

use serde_json::{Map, Value, json};

use crate::SCHEMA_VERSION;

/// What every schema of ours says it is written in.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of one line.
pub fn line() -> Value {
    let kinds = [
        "header", "phase", "window", "edge", "proc", "host", "event", "check", "score", "cost", "trace",
        "split", "audit", "end",
    ];
    let mut defs = defs();
    // A line is its kind's fields, with the kind and the moment among them.
    for kind in kinds {
        let def = defs.get_mut(kind).expect("every kind is defined");
        def["properties"]["kind"] = json!({ "const": kind });
        def["properties"]["t"] = whole("when it was written, ns since the run's start");
        let required = def["required"].as_array_mut().expect("a list");
        required.extend([json!("t"), json!("kind")]);
    }
    json!({
        "$schema": DIALECT,
        "title": "a line of a run record of Cleave",
        "description": "run.jsonl: one object a line, the first a header, the last an end. A later version may add kinds \
            and keys: skip what you do not know. No end means that the run was cut short.",
        "type": "object",
        "oneOf": kinds.map(of),
        "$defs": defs,
    })
}

/// The types of a record, by the kind of line or their own name.
pub fn defs() -> Map<String, Value> {
    let mut defs = Map::new();
    for (name, def) in header().into_iter().chain(seconds()).chain(outcome()).chain(traces()) {
        defs.insert(name.to_owned(), def);
    }
    defs
}

type Def = (&'static str, Value);

fn header() -> Vec<Def> {
    let machine = object(
        &[
            ("cpu", text("model name of the first CPU")),
            ("cores", whole("logical CPUs the run might use")),
            ("memory_mib", whole("memory, MiB")),
            ("kernel", text("kernel release")),
            ("load_average", number("load average over a minute when the run started")),
            ("profile", text("build of Cleave: release, lab, debug")),
        ],
        &[],
    );
    let instance = object(
        &[
            ("name", text("feed#0, app#2")),
            ("hosts", texts("components inside, door and registry included")),
            ("port", whole("internal port")),
            ("public_port", nullable(whole("port of the public door"))),
        ],
        &[],
    );
    let arm = object(
        &[
            ("letter", letter("A, B, ...: how views call it")),
            ("name", text("mono, micro, or topology/variant")),
            ("topology", text("its topology")),
            ("variant", text("its variant; empty without one")),
            ("instances", list(of("instance"), "its instances as planned")),
            ("local_edges", texts("edges that are function calls, caller->callee")),
            ("remote_edges", texts("edges that cross processes, caller->callee")),
            ("databases", whole("databases it keeps")),
            ("config_keys", whole("keys in its nodes' configuration")),
            ("ready_ms", whole("from its first process to all serving, ms")),
        ],
        &[("policies", map_of(json!({}), "what holds on each remote edge, every blank filled in"))],
    );
    let phase_plan = object(
        &[
            ("name", text("its name")),
            ("start_ns", whole("start, ns since the load's start")),
            ("length_ns", whole("length, ns")),
            ("measure", flag("whether its windows count")),
        ],
        &[],
    );
    let journey = object(
        &[
            ("name", text("its name: home-feed")),
            ("needs", texts("components it needs")),
            ("groups", texts("group names it answers to")),
        ],
        &[],
    );
    let step = object(
        &[
            ("number", whole("number, from 1, the same in every view")),
            ("id", text("the step's id, or its kind")),
            ("text", text("what it does, in a few words")),
            ("hits", texts("components it hits")),
            ("start_ns", whole("start, ns since the load's start")),
            ("length_ns", whole("length, ns; 0 for one-shot steps")),
            ("not_applicable", map_of(text("why"), "arms without such a target, by letter")),
        ],
        &[("is_fault", flag("whether something goes wrong, rather than being done on purpose"))],
    );
    let expectation = object(
        &[
            ("id", whole("index among all")),
            ("list", one_of(&["valid", "check"], "a premise of the run, or a claim")),
            ("text", text("as written")),
            ("why", text("why it should hold")),
            ("line", whole("line in the scenario file")),
        ],
        &[],
    );
    let header = object(
        &[
            (
                "schema_version",
                json!({ "const": SCHEMA_VERSION, "description": "major version of the format" }),
            ),
            ("run_id", text("names the run and its folder")),
            ("scenario", text("the scenario's name")),
            ("title", text("its title")),
            ("why", text("its claim")),
            ("scenario_text", text("its whole text")),
            ("seed", whole("the seed used")),
            ("version", text("version of Cleave")),
            ("command", texts("command line")),
            (
                "wall_us",
                json!({ "type": "integer", "description": "wall clock at t = 0, us since the Unix epoch" }),
            ),
            ("way", text("side by side, or interleaved")),
            ("rounds", whole("rounds of an interleaved run; 1 side by side")),
            ("machine", of("machine")),
            ("arms", list(of("arm"), "the arms, A first")),
            ("phases", list(of("phase_plan"), "the phases, in order")),
            ("journeys", list(of("journey"), "the journeys of the mix")),
            ("steps", list(of("step"), "the steps, in order of their numbers")),
            ("expectations", list(of("expectation"), "the expectations")),
            ("schedule_digest", text("digest of the schedule offered to every arm")),
            ("planned", whole("arrivals planned per arm")),
            ("good_within_us", whole("an ok answer later than this is not good, us")),
            ("load_start_ns", whole("when the load starts, ns since the run's start")),
            ("ready_ms", whole("from the program's start until every arm served, ms")),
            ("telemetry", text("how much is watched, in words")),
        ],
        &[
            ("budget_memory", nullable(whole("memory all processes of an arm may hold together, bytes"))),
            ("closed", flag("whether users wait for answers before they come again")),
            ("popularity", pair_of(number(""), "Zipf exponents of readers and photos")),
            ("has_copies", flag("whether the scenario knows a monolith with copies, run or not")),
            ("drops", flag("whether arrivals that find no slot are dropped by design")),
            ("slots", pair_of(whole(""), "slots of the generator per arm, and how many its peak needs")),
        ],
    );
    vec![
        ("machine", machine),
        ("instance", instance),
        ("arm", arm),
        ("phase_plan", phase_plan),
        ("journey", journey),
        ("step", step),
        ("expectation", expectation),
        ("header", header),
    ]
}

fn latencies(description: &str) -> Value {
    json!({
        "type": "string",
        "contentEncoding": "base64",
        "description": format!("{description}, us: HDR histogram V2, deflated; empty without samples"),
    })
}

fn seconds() -> Vec<Def> {
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
            ("work", pairs("by component: requests finished since its start, and those nobody waited for")),
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

fn outcome() -> Vec<Def> {
    let interval = json!({ "type": ["array", "null"], "items": number(""), "minItems": 2, "maxItems": 2,
        "description": "95 % interval" });
    let verdict = one_of(&["pass", "inconclusive", "fail", "invalid"], "verdict");
    let check = object(
        &[
            ("id", whole("index into the header's expectations")),
            ("text", text("its text")),
            ("arm", letter("arm; - where it compares arms")),
            ("value", nullable(number("left side; null without samples"))),
            ("limit", nullable(number("right side"))),
            ("unit", text("unit of both: s, %, /s, B or nothing; % values are shares, 0 to 1")),
            ("n", whole("samples behind the left side")),
            ("verdict", of("verdict")),
            ("reason", text("why it is inconclusive or invalid; empty else")),
            ("since_ns", nullable(whole("violated since, ns since the run's start"))),
        ],
        &[],
    );
    let measured = object(
        &[
            ("value", nullable(number("the value; null means no data, never 0"))),
            ("n", whole("samples behind it")),
            ("interval", of("interval")),
        ],
        &[],
    );
    let score = object(
        &[
            ("id", text("stable id: latency_p99")),
            ("claim", text("the trade-off it measures")),
            ("measure", text("in words")),
            ("unit", text("unit: s, %, /s, B or nothing; % values are shares, 0 to 1")),
            ("better", one_of(&["higher", "lower", "neither"], "which way is good")),
            ("window", text("phase, or whole")),
            ("arms", map_of(of("measured"), "per arm letter")),
            ("ratio", json!({ "oneOf": [of("measured"), { "type": "null" }], "description": "B over A" })),
            ("beside", nullable(text("work, hop cost and hops, beside every latency or CPU ratio"))),
            ("finding", text("differs, no difference, too few samples, no interval, not measured")),
        ],
        &[],
    );
    let cost = object(
        &[
            ("arm", letter("arm")),
            ("round", whole("round, from 1")),
            ("phase", text("phase name")),
            ("journeys", whole("journeys finished in it")),
            ("hops", number("requests on the wire, all edges, over journeys")),
            ("cpu_total_ns", whole("CPU of all processes of the arm, ns")),
            ("cpu_parts_ns", map_of(whole(""), "CPU by part, ns")),
            ("wall_parts_ns", map_of(whole(""), "time by part, summed over billed requests, ns")),
            ("billed", whole("billed requests")),
        ],
        &[],
    );
    let audit = object(
        &[
            ("arm", letter("arm")),
            ("round", whole("round, from 1")),
            ("acknowledged", whole("writes acknowledged to the generator")),
            ("found", whole("found exactly once")),
            ("lost", whole("not found")),
            ("duplicated", whole("found more than once")),
            ("unacknowledged", whole("found although nobody was told so")),
            ("orphaned", whole("references to things that are gone")),
            ("state_digest", nullable(text("digest of the final state"))),
        ],
        &[],
    );
    let lint = object(
        &[
            ("name", text("stable name: generator_lag")),
            ("verdict", of("verdict")),
            ("text", text("a sentence with the figures")),
        ],
        &[],
    );
    let end = object(
        &[
            (
                "verdict",
                json!({ "oneOf": [of("verdict"), { "type": "null" }], "description": "null when interrupted" }),
            ),
            ("exit_code", whole("exit code of the program")),
            ("lints", list(of("lint"), "reasons not to believe the run")),
            ("generator_saturated", flag("the generator fell behind")),
            ("noisy", flag("the machine was busy with other things")),
            ("pss_mib_peak", number("highest PSS of everything, MiB")),
            ("lines", map_of(whole(""), "lines by kind")),
            ("dropped_updates", whole("updates views did not get")),
        ],
        &[("tracing", of("tracing"))],
    );
    let tracing = object(
        &[
            ("spans", whole("spans received")),
            ("requests", whole("requests they were put together to")),
            ("kept", whole("requests that were written to the record")),
            ("errors_beyond", whole("failed requests that were not, since there were too many")),
            ("strays", whole("spans of requests the lab did not ask for, or that came too late")),
            ("overflow", whole("spans left out since too many requests were open")),
            ("forwarded", whole("spans passed on to the collector of the user")),
            ("not_forwarded", whole("spans it did not take")),
        ],
        &[],
    );
    vec![
        ("interval", interval),
        ("verdict", verdict),
        ("check", check),
        ("measured", measured),
        ("score", score),
        ("cost", cost),
        ("audit", audit),
        ("lint", lint),
        ("end", end),
        ("tracing", tracing),
    ]
}

fn traces() -> Vec<Def> {
    let classes = ["network", "queue", "work", "database", "injected", "unanswered"];
    let class = one_of(&classes, "what a stretch of a request's time was spent on");
    let span = object(
        &[
            ("of", text("component that did it; client for the root")),
            ("name", text("GET /v1/feed, SELECT photo_photos, queue.wait")),
            ("place", text("where its time belongs: a component, or an edge")),
            ("start", whole("begin, ns since the root's")),
            ("length", whole("length, ns; clipped to its parent's")),
            ("class", of("class")),
        ],
        &[
            ("parent", whole("index of the span it belongs to; absent for the root")),
            ("at", text("the copy it happened in")),
            ("error", text("why it failed; absent if it did not")),
        ],
    );
    let segment = object(
        &[
            ("span", whole("index of the span it belongs to")),
            ("start", whole("begin, ns since the root's")),
            ("length", whole("length, ns")),
        ],
        &[],
    );
    let trace = object(
        &[
            ("arm", letter("arm")),
            ("round", whole("round, from 1")),
            ("phase", whole("index of the phase it was due in")),
            ("journey", text("journey name")),
            ("request", whole("number of its arrival, the same in every arm")),
            ("trace_id", text("32 hex digits")),
            ("kept", one_of(&["error", "slow", "pair"], "why it was kept")),
            ("due", whole("when it was due, ns since the run's start")),
            ("felt", whole("from then to its end, ns")),
            ("start", whole("when it was sent, ns since the run's start: the root's begin")),
            ("spans", list(of("span"), "the spans; the root first, parents before children")),
            ("path", list(of("segment"), "the critical path; the lengths add up to the root's")),
        ],
        &[
            ("error", text("why it failed; absent if it did not")),
            ("clipped", whole("what spans reached beyond their parents, ns")),
            ("orphans", whole("spans whose parent never arrived")),
        ],
    );
    let part = object(
        &[
            ("place", text("component, or edge")),
            ("class", of("class")),
            ("mean", number("mean over all traces, ns on the critical path")),
            ("variance", number("sample variance over the traces, ns squared")),
            ("slowest", number("mean over the slowest hundredth of the traces, ns")),
        ],
        &[],
    );
    let split = object(
        &[
            ("arm", letter("arm")),
            ("round", whole("round, from 1")),
            ("phase", whole("index of the phase")),
            ("journey", text("journey name")),
            ("n", whole("traces behind it")),
            ("mean", number("mean length of their roots, ns; the parts' means add up to it")),
            ("slowest", number("mean length of the slowest hundredth, ns")),
            ("parts", list(of("part"), "the parts, largest mean first")),
        ],
        &[],
    );
    vec![
        ("class", class),
        ("span", span),
        ("segment", segment),
        ("trace", trace),
        ("part", part),
        ("split", split),
    ]
}
