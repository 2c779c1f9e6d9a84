//! How a run turned out.

use serde_json::json;

use super::{Def, flag, letter, list, map_of, nullable, number, object, of, one_of, text, whole};

pub(super) fn outcome() -> Vec<Def> {
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
            ("margin", nullable(number("distance of the value from the limit; negative beyond it"))),
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
            ("unacknowledged", whole("found although never acknowledged")),
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
