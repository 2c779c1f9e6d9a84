//! Holds the order of the conductor's rooms, read from the paths that begin with `crate::` or `super::`.

use std::collections::BTreeMap;
use std::path::Path;

use super::circles::{Graph, graph, modules_below};

/// Rooms from the top down. A file may use rooms after its own, and files of its own room.
const ROOMS: &[&str] = &["run", "steps", "arm", "observe", "process"];

/// For tests only: it may use all rooms.
const FIXTURE: &str = "fixture";

/// The modules of the conductor by their path, such as `run::plan`, with their code.
fn modules() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    modules_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("conductor/src"), "", &mut found);
    found.retain(|module, _| module != "lib" && module != FIXTURE);
    found
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
fn a_planted_use_is_found() {
    let planted = |module: &str, line: &str| {
        let mut modules = modules();
        modules.get_mut(module).expect("a module").push_str(line);
        upward(&graph(&modules))
    };
    let upward = planted("process::host", "\nuse crate::run::header::LoadStart;\n");
    assert_eq!(upward, ["`process::host` must not use `run::header`"]);
    let inside = planted("run::plan", "\nuse crate::run::stage;\n");
    assert!(inside.is_empty(), "inside a room: {inside:?}");
}
