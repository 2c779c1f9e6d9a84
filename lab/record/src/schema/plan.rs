//! What does not change during a run: its header.

use serde_json::json;

use super::{
    Def, flag, letter, list, map_of, nullable, number, object, of, one_of, pair_of, text, texts, whole,
};
use crate::SCHEMA_VERSION;

pub(super) fn header() -> Vec<Def> {
    let machine = object(
        &[
            ("cpu", text("model name of the first CPU")),
            ("cores", whole("logical CPUs the run might use")),
            ("memory_mib", whole("memory, MiB")),
            ("kernel", text("kernel release")),
            ("governor", nullable(text("how the first CPU's clock is governed; null where unknown"))),
            ("load_average", number("load average over a minute when the run started")),
            ("steal", number("CPU time the hypervisor took since the machine started, percent of all")),
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
            ("version", text("version of Cleave, with the commit it was built from")),
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
