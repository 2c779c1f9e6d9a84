//! Holds the order of the conductor's rooms, and keeps circles of files out: both are read from the paths that begin with
//! `crate::`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Rooms from the top down. A file may use rooms after its own, and files of its own room.
const ROOMS: &[&str] = &["run", "steps", "arm", "observe", "process"];

/// For tests only: it may use all rooms.
const FIXTURE: &str = "fixture";

type Graph = BTreeMap<String, BTreeSet<String>>;

/// The modules of the crate by their path, such as `run::plan`, with their text up to their tests.
fn modules() -> BTreeMap<String, String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    collect(&src, &src, &mut found);
    found
}

fn collect(folder: &Path, src: &Path, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, src, found);
            continue;
        }
        let relative = path.strip_prefix(src).expect("below src").with_extension("");
        let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
        let name = parts.join("::");
        let name = name.strip_suffix("::mod").unwrap_or(&name).to_owned();
        if name == "lib" || name == FIXTURE {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let tests = text.find("#[cfg(test)]").unwrap_or(text.len());
        found.insert(name, text[..tests].to_owned());
    }
}

/// The modules that a text names after `crate::`, `self::` of a room's own map left out.
fn used(text: &str, modules: &BTreeMap<String, String>) -> BTreeSet<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let mut found = BTreeSet::new();
    for path in code.split("crate::").skip(1) {
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let path = &path[..path.find(|c| !is_name(c)).unwrap_or(path.len())];
        let parts: Vec<&str> = path.split("::").filter(|part| !part.is_empty()).collect();
        let prefixes = (1..=parts.len()).rev().map(|length| parts[..length].join("::"));
        found.extend(prefixes.into_iter().find(|prefix| modules.contains_key(prefix)));
    }
    found
}

fn graph(modules: &BTreeMap<String, String>) -> Graph {
    let uses = |(name, text): (&String, &String)| {
        let mut used = used(text, modules);
        used.remove(name);
        (name.clone(), used)
    };
    modules.iter().map(uses).collect()
}

fn room_of(module: &str) -> Option<usize> {
    let room = module.split("::").next().unwrap_or_default();
    ROOMS.iter().position(|known| *known == room)
}

/// Every use that goes up, as a sentence.
fn upward(graph: &Graph) -> Vec<String> {
    let uses = graph.iter().flat_map(|(module, used)| used.iter().map(move |used| (module, used)));
    let goes_up = uses.filter(|(module, used)| match (room_of(module), room_of(used)) {
        (Some(room), Some(other)) => other < room,
        _ => true,
    });
    goes_up.map(|(module, used)| format!("`{module}` must not use `{used}`")).collect()
}

/// Modules that can be reached from a module.
fn reachable<'a>(graph: &'a Graph, from: &'a str) -> BTreeSet<&'a str> {
    let (mut open, mut seen) = (vec![from], BTreeSet::new());
    while let Some(module) = open.pop() {
        for used in graph.get(module).into_iter().flatten() {
            if seen.insert(used.as_str()) {
                open.push(used);
            }
        }
    }
    seen
}

/// Modules that can be reached from themselves.
fn in_circles(graph: &Graph) -> Vec<&String> {
    graph.keys().filter(|module| reachable(graph, module).contains(module.as_str())).collect()
}

#[test]
fn rooms_use_rooms_below_their_own() {
    let modules = modules();
    assert!(modules.len() > 30, "the conductor has more files than {}", modules.len());
    let upward = upward(&graph(&modules));
    assert!(upward.is_empty(), "\n{}", upward.join("\n"));
    for room in ROOMS {
        assert!(modules.contains_key(*room), "`{room}` has no header that is a map");
    }
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let graph = graph(&modules());
    let circles = in_circles(&graph);
    assert!(circles.is_empty(), "{circles:?}");
}

#[test]
fn a_planted_use_is_found() {
    let planted = |module: &str, line: &str| {
        let mut modules = modules();
        modules.get_mut(module).expect("a module").push_str(line);
        let graph = graph(&modules);
        (upward(&graph), in_circles(&graph).len())
    };
    let (upward, circles) = planted("process::host", "use crate::run::header::LoadStart;\n");
    assert_eq!(upward, ["`process::host` must not use `run::header`"]);
    assert!(circles >= 2, "the header uses the host already");
    let (upward, circles) =
        planted("run::plan", "use crate::run::{options, stage};\nfn f() { crate::run::stage::f() }\n");
    assert!(upward.is_empty(), "inside a room, {upward:?}");
    assert!(circles >= 2, "stage uses plan already");
}
