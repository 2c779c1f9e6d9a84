//! The scenarios of the house are right, and `explain` leaves nothing of them out.

use std::path::Path;

use record::Resources;
use scenario::Scenario;
use scenario::explain::{PlannedArm, document, explain};

use crate::{COMPONENTS, files, read, stem, text};

/// Where the scenarios of the house lie.
const SCENARIO_FOLDERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios");

fn planned(scenario: &Scenario) -> Vec<PlannedArm<'_>> {
    let arms = scenario.default_arms().map(|arm| PlannedArm {
        arm,
        processes: arm.placement.resolve(&COMPONENTS).expect("read as right"),
        remote_edges: vec!["gateway->feed".into(), "feed->follower".into(), "feed->photo".into()],
        resources: Resources { readers: 10, writers: 1, workers: 2, cut_workers: 5, ..Resources::default() },
    });
    arms.collect()
}

#[test]
fn commands_name_a_scenario_of_the_catalogue_or_its_file() {
    let text = text(&Path::new(SCENARIO_FOLDERS).join("first-look.toml"));
    let argument = |path: &str| {
        let scenario = read(path, &text).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
        scenario.as_argument()
    };
    assert_eq!(argument("scenarios/first-look.toml"), "first-look");
    assert_eq!(argument("my scenarios/first-look.toml"), "'my scenarios/first-look.toml'");
}

/// A claim about a phase in which something is killed takes no 8 s, and no interval decides it.
#[test]
fn what_a_fault_does_is_explained_as_one_event() {
    let text = r#"schema = 1
name   = "events"
title  = "t"
why    = "w"
phases = [{ name = "steady", for = "20s" }, { name = "crash", for = "5s" }]
[load]
rate = "100/s"
[topology.mono]
processes = { app = ["gateway", "*"] }
[[step]]
in = "crash"
do = "kill"
on = "photo"
[expect]
valid = ["errors(all) in steady < 1%"]
check = ["errors(all) in crash < 5%", "errors(all) in steady < 5%", "errors(all) < 5%"]
"#;
    let scenario = read("events", text).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    let explained = document(&scenario, &planned(&scenario), |_, _| String::new());
    let needs = |list: &str, index: usize| {
        let claim = &explained[list][index];
        let needs = &claim["needs"][0];
        let words = needs["sentences"].to_string();
        (claim["can_be_judged"] == true, needs["seconds"].as_u64(), words)
    };
    let (can_be_judged, seconds, words) = needs("check", 0);
    assert_eq!((can_be_judged, seconds), (true, None), "{words}");
    assert!(words.contains("is one event") && !words.contains("passes with"), "{words}");
    for index in [1, 2] {
        let (can_be_judged, seconds, words) = needs("check", index);
        assert_eq!((can_be_judged, seconds), (true, Some(8)), "{words}");
        assert!(!words.contains("is one event") && words.contains("passes with at most"), "{words}");
    }
    let (can_be_judged, seconds, words) = needs("valid", 0);
    assert_eq!((can_be_judged, seconds), (true, None), "a premise is judged on what was seen: {words}");
    assert!(!words.contains("passes with"), "{words}");
}

#[test]
fn every_shipped_scenario_is_explained_in_full() {
    let paths = files(Path::new(SCENARIO_FOLDERS), "toml");
    assert!(!paths.is_empty(), "no scenario in {SCENARIO_FOLDERS}");
    for path in paths {
        let name = stem(&path);
        let scenario = read(&name, &text(&path)).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
        let arms = planned(&scenario);
        let reach =
            |step: usize, arm: usize| format!("step {step} among {} processes", arms[arm].processes.len());
        let printed = explain(&scenario, &arms, reach);
        let contains = |line: &str| {
            assert!(
                printed.lines().any(|printed| printed.starts_with(line)),
                "{name}: no line `{line}..` in\n{printed}"
            );
        };
        contains(&format!("{name}: {}", scenario.title));
        for (letter, PlannedArm { arm: planned, processes, .. }) in ('A'..='Z').chain('a'..='z').zip(&arms) {
            let arm = &planned.name;
            let copies: u32 = processes.iter().map(|process| process.replicas).sum();
            contains(&format!("  {letter} {arm}: {copies} process"));
            for process in processes {
                contains(&format!("      {} x{}: ", process.name, process.replicas));
            }
            for step in 0..scenario.steps.len() {
                contains(&format!("      {arm}: step {step} among {} processes", processes.len()));
            }
        }
        let left_out = scenario.arms.iter().filter(|arm| arm.is_opt_in);
        let left_out: Vec<&str> = left_out.map(|arm| arm.name.as_str()).collect();
        if left_out.is_empty() {
            assert!(!printed.contains("run only where --arms"), "{name}: {printed}");
        } else {
            contains(&format!("  run only where --arms names them: {}", left_out.join(", ")));
        }
        contains(
            "      database connections: 10 to read, 1 to write; threads: 2 (5 fewer since no process has more than cores)",
        );
        contains("      calls between processes: ");
        if scenario.prices.is_some() {
            contains("prices, assumed and not measured:");
            contains("  a core-hour is ");
        }
        for phase in &scenario.phases {
            contains(&format!("  {:<10} {:>5}  ", phase.name, phase.length.to_string()));
        }
        for step in &scenario.steps {
            let at_s = step.start_ns as f64 / 1e9;
            contains(&format!("  {} at {at_s:.1}s", step.number));
            assert!(
                printed.contains(&format!("{} {}", step.on, step.action)),
                "{name}: {} in\n{printed}",
                step.id
            );
        }
        for assertion in scenario.valid.iter().chain(&scenario.check) {
            contains(&format!("  {}", assertion.that.text));
            assert!(printed.contains(&assertion.why), "{name}: {} in\n{printed}", assertion.why);
        }
    }
}

/// What a lint advises to write is read where it belongs.
#[test]
fn what_lints_advise_to_write_is_read() {
    let topology = "[topology.mono]\nprocesses = { app = [\"gateway\", \"*\"] }\n";
    let mut found = 0;
    for lint in scorecard::lints::CATALOGUE {
        for (key, is_of_load) in [("telemetry = ", false), ("overload = ", true), ("model = ", true)] {
            let Some((_, rest)) = lint.help.split_once(key) else { continue };
            let value = rest.split('"').nth(1).expect("a text in quotes");
            let written = format!("{key}\"{value}\"\n");
            let (top, load) = if is_of_load { (String::new(), written) } else { (written, String::new()) };
            let text = format!(
                "schema = 1\nname = \"advised\"\ntitle = \"t\"\nwhy = \"w\"\n{top}\
                 phases = [{{ name = \"steady\", for = \"10s\" }}]\n[load]\nrate = \"100/s\"\n{load}{topology}"
            );
            let read = read("advised", &text);
            read.unwrap_or_else(|diagnostics| panic!("{}: {}: {diagnostics}", lint.name, lint.help));
            found += 1;
        }
    }
    assert!(found >= 4, "only {found} lints advise to write something");
}

#[test]
fn a_step_starts_with_its_phase_and_has_its_length() {
    let path = Path::new(SCENARIO_FOLDERS).join("first-look.toml");
    let scenario = read("first-look", &text(&path)).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    // warm 8 s, steady 14 s; then slow 8 s and calm 4 s, and one second into the crash.
    let [slow, dead] = scenario.steps.as_slice() else { panic!("two steps") };
    assert_eq!((slow.start_ns, slow.length_ns), (22_000_000_000, 8_000_000_000));
    assert_eq!((dead.start_ns, dead.length_ns), (35_000_000_000, 0));
    assert_eq!(scenario.length_ns(), 48_000_000_000);
    let arms: Vec<&str> = scenario.arms.iter().map(|arm| arm.name.as_str()).collect();
    assert_eq!(arms, ["mono", "micro", "mono-x3"], "the order of the file, not of the alphabet");
    // Every assertion knows its line, however many comments stand above it.
    let lines: Vec<String> = scenario.source.text.lines().map(str::to_owned).collect();
    for assertion in scenario.valid.iter().chain(&scenario.check) {
        let line = &lines[assertion.line as usize - 1];
        assert!(line.contains(&assertion.that.text), "line {}: {line}", assertion.line);
    }
}
