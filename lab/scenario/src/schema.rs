//! The JSON Schema of scenario files, for editors.
//!
//! Written out, because the types are many small ones with texts for values; a test
//! asks the reader for the keys it knows in every table and compares.

use contract::ComponentName;
use serde_json::{Map, Value, json};

use crate::action::{self, ACTIONS};
use crate::read::TOP_KEYS;

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn span(description: &str) -> Value {
    json!({ "type": "string", "pattern": "^[0-9.]+ *(us|ms|s|m|h)$", "description": description })
}

fn rate(description: &str) -> Value {
    json!({ "type": "string", "description": description, "examples": ["280/s", "150/s -> 300/s"] })
}

fn share(description: &str) -> Value {
    json!({ "description": description, "oneOf": [{ "type": "string", "pattern": "^[0-9.]+ *%$" }, { "type": "number", "minimum": 0, "maximum": 1 }] })
}

fn whole(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

fn flag(description: &str) -> Value {
    json!({ "type": "boolean", "description": description })
}

fn number(description: &str) -> Value {
    json!({ "type": "number", "description": description })
}

fn one_of(choices: &[&str], description: &str) -> Value {
    json!({ "enum": choices, "description": description })
}

/// A table that knows these keys and no others.
fn table(properties: &[(&str, Value)], required: &[&str]) -> Value {
    let known: Map<String, Value> =
        properties.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": known, "required": required })
}

fn tables_of(inner: &Value, description: &str) -> Value {
    json!({ "type": "object", "additionalProperties": inner, "description": description })
}

fn topology() -> Value {
    let limits = table(
        &[
            ("memory", text("data a process may have, as 96MiB")),
            ("cpu", number("cores it may use, by a quota of the kernel")),
            ("fds", whole("open files and sockets it may have")),
            ("nice", whole("how far it stands back when cores are short, 0 to 19")),
        ],
        &[],
    );
    let list = json!({ "type": "array", "items": { "type": "string" } });
    table(
        &[
            (
                "processes",
                tables_of(&list, "process name to its components; each = [\"*\"] gives every one its own"),
            ),
            ("replicas", tables_of(&whole("copies"), "copies of a process")),
            (
                "carrier",
                one_of(&["local", "wire", "http+json", "http+binary"], "how calls travel between processes"),
            ),
            ("zones", tables_of(&list, "zone name to the copies that stand there")),
            ("limits", tables_of(&limits, "what a process may use; * for those not named")),
            ("restart", table(&[("after", span("wait")), ("max", whole("restarts per run"))], &["after"])),
        ],
        &["processes"],
    )
}

fn work() -> Value {
    table(
        &[
            ("dist", one_of(&["exp", "constant", "uniform", "lognormal", "pareto"], "how it is spread")),
            ("mean", span("its mean")),
            ("cpu", flag("burns CPU instead of waiting")),
            ("offload", flag("on a thread for blocking work")),
            ("share", share("of calls that do it")),
        ],
        &["mean"],
    )
}

fn service() -> Value {
    let cache = table(
        &[
            ("ttl", span("how long an entry is fresh")),
            ("entries", whole("entries kept")),
            ("warm", flag("every key is warm when the run begins")),
            ("single_flight", flag("one fill per key at a time")),
            ("serve_stale", flag("stale entries are answered and refreshed behind")),
            ("keep_late", flag("a fill whose caller has given up is kept")),
        ],
        &[],
    );
    let store = table(
        &[
            ("slots", whole("fills at once")),
            ("queue", whole("fills that may wait")),
            ("work", work()),
            ("timeout", span("how long the component waits for a fill")),
        ],
        &["slots", "work"],
    );
    table(
        &[
            ("slots", whole("calls worked on at once")),
            ("queue", whole("calls that may wait for a slot")),
            ("work", work()),
            ("cache", cache),
            ("store", store),
            ("push_below", whole("authors with fewer followers are fanned out on write")),
            ("outbox", flag("events are written in the transaction of what they tell")),
            ("pool", whole("connections to its database")),
        ],
        &[],
    )
}

fn policy() -> Value {
    let budget = table(
        &[
            ("ratio", share("retries per first try")),
            ("min", rate("always allowed")),
            ("window", span("window")),
        ],
        &[],
    );
    let breaker = table(
        &[
            ("errors", share("of failures from which it opens")),
            ("window", text("20 calls, or a length of time")),
            ("open", span("how long it stays open")),
            ("probes", whole("calls let through half-open")),
            ("minimum", whole("calls it needs to have seen")),
        ],
        &[],
    );
    let hedge = table(
        &[("after", span("how long the first try may take")), ("extra", share("second tries per call"))],
        &["after"],
    );
    let throttle = table(
        &[
            ("k", number("requests per accepted one")),
            ("window", span("window")),
            ("probe", share("let through whatever happens")),
        ],
        &[],
    );
    table(
        &[
            ("timeout", span("of one try")),
            ("attempts", whole("tries, the first included, 1 to 5")),
            ("backoff", span("first wait between tries, doubling")),
            ("jitter", one_of(&["full", "equal", "none"], "how the wait is spread")),
            ("budget", budget),
            ("deadline", flag("the remaining time travels along")),
            ("cancel", one_of(&["propagate", "detach"], "what happens to a call whose caller has gone")),
            ("bulkhead", whole("calls under way at most")),
            ("breaker", breaker),
            ("hedge", hedge),
            ("throttle", throttle),
            ("fallback", flag("go on without an answer where that is possible")),
            ("balance", one_of(&["p2c", "round-robin"], "which copy is asked")),
        ],
        &[],
    )
}

fn load() -> Value {
    let mix = json!({ "oneOf": [{ "type": "string" }, { "type": "object", "additionalProperties": { "type": "number" } }], "description": "a named mix, or weights by journey" });
    let rates = json!({ "oneOf": [rate("per second and arm"), { "type": "object", "additionalProperties": { "type": "string" } }] });
    table(
        &[
            (
                "model",
                one_of(&["open", "closed"], "arrivals by the clock, or users who wait for their answers"),
            ),
            ("rate", rates),
            ("trace", text("a file of arrivals in the place of a rate: offset_us,journey,user")),
            (
                "users",
                table(
                    &[
                        ("count", whole("users at once")),
                        ("think", span("mean wait between an answer and the next request")),
                    ],
                    &["count", "think"],
                ),
            ),
            ("mix", mix),
            ("timeout", span("longest a user waits")),
            ("attempts", whole("times a user tries in all")),
            ("good_within", span("an ok answer later than this is not good")),
            ("size", one_of(&["tiny", "small", "standard", "large"], "users, photos and edges")),
            ("arrivals", one_of(&["poisson", "constant"], "how arrivals are spread")),
            ("graph", json!({ "type": "object", "description": "shape of the follower graph" })),
            (
                "popularity",
                table(
                    &[
                        ("reader", number("Zipf exponent")),
                        ("photo", number("Zipf exponent")),
                        ("author", text("who posts")),
                    ],
                    &[],
                ),
            ),
            (
                "feed",
                table(
                    &[
                        ("depth", whole("entries a timeline keeps")),
                        ("page", whole("items on a page")),
                        ("push_below", whole("fan-out on write below")),
                    ],
                    &[],
                ),
            ),
            ("overload", one_of(&["queue", "drop"], "what becomes of an arrival without a slot")),
            ("pool", whole("slots per arm")),
            ("queue_cap", whole("arrivals that may wait per arm")),
        ],
        &[],
    )
}

fn step() -> Value {
    let verbs: Vec<&str> = action::verbs().collect();
    let mut known = vec![
        ("id", text("its name")),
        ("in", text("its phase")),
        ("at", text("offset in the phase, +2s")),
        ("do", one_of(&verbs, "what happens")),
        (
            "on",
            text(
                "to whom: feed, photo#0, feed->photo, zone:a, db:photo, cache:profile, gateway, registry, broker, host",
            ),
        ),
        ("for", span("how long it lasts")),
        (
            "pick",
            json!({ "description": "how many of the copies meant", "oneOf": [{ "type": "integer" }, { "type": "string" }] }),
        ),
        ("ramp", span("how long it takes to grow")),
        ("until", text("ends it early")),
        ("symptom", text("what must be seen of it")),
        ("share", share("of calls hit")),
        ("share_of", one_of(&["calls", "requests", "users"], "what the share is a share of")),
        ("every", whole("each nth call")),
        ("first", whole("the first n calls")),
        ("route", text("only this call or route")),
        ("from", text("one side of a partition")),
        (
            "to",
            json!({ "description": "other side of a partition, or how many", "oneOf": [{ "type": "string" }, { "type": "integer" }] }),
        ),
    ];
    let names = fault::Fault::names().iter().filter_map(|verb| action::fields(verb));
    let fields = names.chain(ACTIONS.iter().map(|(_, fields)| *fields)).flatten();
    for field in fields {
        if known.iter().all(|(name, _)| name != field) {
            known.push((field, json!({ "description": "of the verb" })));
        }
    }
    table(&known, &["do"])
}

/// The schema, with the catalogue's components where they can stand.
pub fn schema(components: &[ComponentName]) -> Value {
    let names: Vec<&str> = components.iter().map(|name| name.as_str()).collect();
    let forms: Vec<String> = scorecard::measures::CATALOGUE.iter().map(|measure| measure.form()).collect();
    let that = text(&format!("what must hold, such as errors(all) < 1%; measures: {}", forms.join(", ")));
    let assertion = json!({ "oneOf": [
        that,
        table(&[("that", that), ("why", text("why it should"))], &["that"]),
    ] });
    let assertions = json!({ "type": "array", "items": assertion });
    let services = json!({ "type": "object", "additionalProperties": false, "properties":
        names.iter().map(|name| ((*name).to_owned(), service())).collect::<Map<_, _>>() });
    let variant = table(
        &[
            ("topology", tables_of(&json!({ "type": "object" }), "laid over the topologies")),
            ("service", services.clone()),
            ("policy", tables_of(&policy(), "laid over the policies")),
            ("telemetry", one_of(&["off", "metrics", "sampled", "full"], "how much is watched here")),
            (
                "build",
                one_of(
                    &["good", "bad-errors", "bad-slow", "bad-leak", "incompatible-schema"],
                    "what deploys deploy here",
                ),
            ),
        ],
        &[],
    );
    let phase = table(
        &[
            ("name", text("its name")),
            ("for", span("its length, whole seconds")),
            ("measure", flag("whether it counts")),
        ],
        &["name", "for"],
    );
    let budget = table(
        &[
            ("cores", whole("cores all processes of an arm share")),
            ("memory", text("memory they may hold together")),
            ("blast", share("of an arm's copies that faults may hit at once")),
            ("faults", whole("faults in force at once")),
        ],
        &[],
    );
    let stop = table(
        &[("when", json!({ "type": "array", "items": { "type": "string" } })), ("max", span("longest run"))],
        &[],
    );
    let known = [
        ("schema", json!({ "const": 1 })),
        ("name", text("the scenario's name, and its file's")),
        ("title", text("one line")),
        ("why", text("the claim, with its source")),
        ("seed", whole("one seed for everything")),
        ("tags", json!({ "type": "array", "items": { "type": "string" } })),
        ("telemetry", one_of(&["off", "metrics", "sampled", "full"], "how much is watched")),
        ("way", one_of(&["side-by-side", "interleaved"], "how arms are run")),
        ("repeats", whole("rounds of arms that take turns")),
        ("data", one_of(&["fresh", "kept"], "whether every round begins with the snapshot")),
        ("budget", budget),
        ("phases", json!({ "type": "array", "items": phase, "minItems": 1 })),
        ("load", load()),
        ("topology", tables_of(&topology(), "one arm each, or one for every variant")),
        ("service", services),
        ("policy", tables_of(&policy(), "by edge: feed->photo, *->photo, *->*")),
        ("variant", tables_of(&variant, "laid over service, policy and topology")),
        (
            "arms",
            json!({ "type": "array", "items": { "type": "string" }, "description": "which arms are run unless others are asked for" }),
        ),
        ("step", json!({ "type": "array", "items": step() })),
        ("expect", table(&[("valid", assertions.clone()), ("check", assertions)], &[])),
        ("stop", stop),
    ];
    debug_assert_eq!(known.len(), TOP_KEYS.len() + 1, "every key of the top, and `stop`");
    let mut schema = table(&known, &["schema", "name", "title", "why", "phases", "load"]);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("a scenario of Cleave");
    schema
}
