//! The schema for editors says what the reader reads: the same keys, the same scenarios, the same refusals.

use std::path::Path;

use jsonschema::Validator;
use scenario::schema::schema;
use serde_json::Value;

use crate::{COMPONENTS, diagnostics, files, read, stem, text};

/// A valid scenario, with a place for an unknown key.
fn with(place: &str, line: &str) -> String {
    let here = |name: &str| if name == place { line } else { "" };
    format!(
        r#"schema = 1
name = "x"
title = "t"
why = "w"
{}
phases = [{{ name = "steady", for = "5s", {} }}]
budget = {{ cores = 1, {} }}
[load]
rate = "10/s"
{}
[topology.mono]
processes = {{ app = ["gateway", "*"] }}
{}
[service.feed]
slots = 4
{}
[policy."feed->photo"]
timeout = "1s"
{}
[network]
rtt = "300us"
{}
[variant.v]
{}
[stop]
max = "60s"
{}
"#,
        here("top"),
        here("phase").replace('\n', ""),
        here("budget").replace('\n', ""),
        here("load"),
        here("topology"),
        here("service"),
        here("policy"),
        here("network"),
        here("variant"),
        here("stop"),
    )
}

/// The keys the reader offers when it meets one it does not know.
fn known_to_the_reader(place: &str) -> Vec<String> {
    let line = if matches!(place, "phase" | "budget") { "qqqqqqqq = 1" } else { "qqqqqqqq = 1\n" };
    let diagnostics = read("x", &with(place, line)).expect_err("an unknown key").to_string();
    let line = diagnostics
        .lines()
        .find(|line| line.contains("qqqqqqqq") && line.contains("unknown"))
        .unwrap_or_else(|| panic!("{place}: {diagnostics}"));
    let choices = line.rsplit_once(": ").expect("choices follow").1;
    let mut keys: Vec<String> = choices.split(", ").map(str::to_owned).collect();
    keys.sort();
    keys
}

/// A part of the schema, with references followed.
fn part<'s>(schema: &'s Value, path: &[&str]) -> &'s Value {
    let follow = |mut at: &'s Value| {
        while let Some(name) = at["$ref"].as_str() {
            at = schema.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("no {name}"));
        }
        at
    };
    path.iter().fold(follow(schema), |at, key| follow(&at[*key]))
}

fn known_to_the_schema(schema: &Value, path: &[&str]) -> Vec<String> {
    let properties = &part(schema, path)["properties"];
    let mut keys: Vec<String> = properties.as_object().expect("a table").keys().cloned().collect();
    keys.sort();
    keys
}

#[test]
fn the_schema_knows_the_keys_the_reader_knows() {
    let schema = schema(&COMPONENTS);
    for (place, path) in [
        ("top", &[][..]),
        ("phase", &["properties", "phases", "items"]),
        ("budget", &["properties", "budget"]),
        ("load", &["properties", "load"]),
        ("topology", &["properties", "topology", "additionalProperties"]),
        ("service", &["properties", "service", "additionalProperties"]),
        ("policy", &["properties", "policy", "additionalProperties"]),
        ("network", &["properties", "network"]),
        ("variant", &["properties", "variant", "additionalProperties"]),
        ("stop", &["properties", "stop"]),
    ] {
        assert_eq!(known_to_the_schema(&schema, path), known_to_the_reader(place), "{place}");
    }
}

#[test]
fn every_verb_and_its_fields_are_in_the_schema() {
    let schema = schema(&COMPONENTS);
    let step = part(&schema, &["properties", "step", "items"]);
    let branches = step["oneOf"].as_array().expect("a branch for every verb");
    for verb in scenario::action::verbs() {
        let branch = branches.iter().find(|branch| branch["properties"]["do"]["const"] == verb);
        let known = &branch.unwrap_or_else(|| panic!("no branch for {verb}"))["properties"];
        for field in scenario::action::fields(verb).expect("a verb has fields") {
            assert!(known.get(field).is_some(), "{verb}: {field}");
        }
    }
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema(&COMPONENTS)).expect("a valid schema")
}

/// What the schema refuses in a scenario file; nothing where the text is no TOML.
fn refusals(validator: &Validator, toml: &str) -> Option<Vec<String>> {
    let value: Value = toml::from_str(toml).ok()?;
    Some(validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect())
}

#[test]
fn every_shipped_scenario_fits_the_schema() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios"));
    let validator = validator();
    let shipped = files(folder, "toml");
    assert!(shipped.len() > 20, "{} scenarios in {}", shipped.len(), folder.display());
    for path in shipped {
        let refused = refusals(&validator, &text(&path)).expect("shipped scenarios are TOML");
        assert!(refused.is_empty(), "{}:\n{}", path.display(), refused.join("\n"));
    }
}

/// What the reader reads of a place by a name of its own.
#[test]
fn the_gateway_has_options_in_the_schema() {
    let toml = with("service", "[service.gateway]\nbodies = { replies = \"64MiB\" }\n");
    assert_eq!(refusals(&validator(), &toml), Some(Vec::new()));
    assert!(read("x", &toml).is_ok());
}

/// Files of `bad/` that only the reader refuses: one value contradicts another, a name is not given
/// elsewhere in the file, or an expectation has a grammar of its own.
const BEYOND_THE_SCHEMA: &[&str] = &[
    "arm-named-like-a-file-of-the-run",
    "arms-empty",
    "arms-of-one-folder",
    "arms-twice",
    "arrivals-of-a-closed-loop",
    "autoscaler-without-metrics",
    "broker-of-no-topology",
    "build-that-is-not-deployed",
    "calls-to-no-component",
    "carrier-between-processes",
    "change-on-no-component",
    "change-that-cannot-be-built-or-seen",
    "change-that-is-not-deployed",
    "changed-build-of-a-variant",
    "changed-build-without-a-change",
    "claim-over-a-phase-that-is-not-measured",
    "comparison-of-an-arm-with-itself",
    "comparison-without-two-arms",
    "component-in-two-processes",
    "component-missing",
    "connections-at-gateway",
    "connections-that-no-call-of-a-step-shares",
    "connections-that-no-call-shares",
    "connections-to-servers",
    "copy-that-is-not-there",
    "data-kept-of-one-round",
    "edges-that-nothing-calls",
    "events-of-other-components",
    "events-that-leave-no-process",
    "expectation-in-a-comment-too",
    "expectation-with-escape",
    "for-names-no-arm",
    "gateway-in-copies",
    "held-in-a-claim",
    "held-longer-than-it-can-be",
    "keys-a-step-cannot-carry-out",
    "keys-a-step-would-pass-over",
    "kill-on-edge",
    "limit-in-another-unit",
    "limits-that-decide-nothing",
    "load-number-out-of-range",
    "load-step-above-the-highest-rate",
    "measures-of-other-steps",
    "names-that-are-paths",
    "no-measured-phase",
    "non-ascii-caret-in-expectation",
    "options-out-of-range",
    "overload-in-no-phase",
    "phase-called-whole",
    "phase-not-whole-seconds",
    "phase-twice",
    "phases-longer-than-a-run",
    "pick-of-more-than-there-are",
    "policies-that-do-nothing",
    "policy-fallback-at-gateway",
    "policy-of-an-edge-twice",
    "pool-of-a-closed-loop",
    "prices-missing",
    "prices-of-a-run",
    "process-names-taken",
    "promotion-of-unknown-names",
    "promotion-that-leaves-an-arm-out",
    "quantities-beyond-a-run",
    "rate-for-unknown-phase",
    "rate-missing",
    "rate-zero",
    "reconfigure-fallback-at-gateway",
    "reconfigure-that-changes-nothing",
    "recovery-longer-than-is-watched",
    "recovery-too-short-to-see",
    "recovery-without-a-fault",
    "replicas-out-of-range",
    "rollback-of-nothing",
    "rollback-that-does-not-happen",
    "scale-of-another-load",
    "scale-of-empty-zones",
    "served-of-a-later-deploy",
    "step-after-phase-end",
    "step-id-that-is-a-number",
    "step-id-twice",
    "step-jitter-of-two-kinds",
    "step-jitter-too-long",
    "step-number-in-blast-radius",
    "step-of-empty-names",
    "step-share-and-every",
    "step-without-target",
    "steps-beyond-the-load",
    "steps-that-collide",
    "stop-after-the-longest-run",
    "stop-before-the-end",
    "store-component-unknown",
    "sweep-of-one-key-twice",
    "sweep-of-other-keys",
    "sweep-of-what-is-not-simulated",
    "sweep-with-impossible-values",
    "trace-beyond-the-phases",
    "trace-of-nonsense",
    "trace-with-a-load-step",
    "unknown-arm-in-expectation",
    "unknown-component-in-step",
    "unknown-component-in-topology",
    "unknown-journey-in-expectation",
    "unknown-phase-in-expectation",
    "unknown-phase-in-stop",
    "unknown-phase",
    "unknown-replica-process",
    "unknown-step-in-blast-radius",
    "variants-of-every-grouping",
    "weights-of-nothing",
    "window-longer-than-the-load",
    "windows-that-are-not-asked",
    "zones-that-hold-nothing",
    "zones-that-share-a-copy",
];

#[test]
fn what_is_bad_in_itself_is_refused_by_both() {
    let validator = validator();
    let mut accepted = Vec::new();
    for path in files(Path::new(diagnostics::FOLDER), "toml") {
        let Some(refused) = refusals(&validator, &text(&path)) else { continue };
        if refused.is_empty() {
            accepted.push(stem(&path));
        }
    }
    assert_eq!(accepted, BEYOND_THE_SCHEMA);
}

/// Descriptions are read in editors, where a link to code leads nowhere.
#[test]
fn descriptions_link_to_no_code() {
    let printed = schema(&COMPONENTS).to_string();
    let links: Vec<&str> = printed.split("[`").skip(1).filter_map(|rest| rest.split('`').next()).collect();
    assert!(links.is_empty(), "{links:?}");
}

#[test]
fn every_measure_is_in_the_schema() {
    let schema = schema(&COMPONENTS);
    let expectation = schema["$defs"]["Expectation"].to_string();
    for measure in scorecard::measures::CATALOGUE {
        assert!(expectation.contains(&measure.form()), "{}", measure.form());
    }
}

/// Where editors find the schema: the first line of each shipped scenario names it.
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/scenario.json");

#[test]
fn the_committed_schema_is_the_one_that_is_printed() {
    let printed = format!("{:#}\n", schema(&COMPONENTS));
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(COMMITTED, &printed).expect("a folder of ours");
    }
    assert!(
        text(Path::new(COMMITTED)) == printed,
        "run: UPDATE_SCHEMA=1 cargo test -p scenario --test it schema"
    );
}

#[test]
fn every_shipped_scenario_names_its_schema_first() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios"));
    let committed = Path::new(COMMITTED).canonicalize().expect("committed");
    for path in files(folder, "toml") {
        let text = text(&path);
        let named = text.lines().next().and_then(|line| line.strip_prefix("#:schema "));
        let named = named.unwrap_or_else(|| panic!("{} names no schema", path.display()));
        assert_eq!(folder.join(named).canonicalize().ok().as_ref(), Some(&committed), "{}", path.display());
    }
}
