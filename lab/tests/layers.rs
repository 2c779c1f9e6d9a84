//! Keeps the map of ARCHITECTURE.md true: arrows between rooms point down, and pure rooms stay pure.

mod circles;
mod rooms;
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Rooms from the floor up. A crate may depend on rooms before its own, and
/// within its own only on crates listed before it in [`WITHIN`].
const ROOMS: &[(&str, &[&str])] = &[
    ("platform/policy", &["policy"]),
    ("platform/contract", &["contract"]),
    ("platform/features", &["features"]),
    ("platform/runtime", &["runtime"]),
    ("platform/telemetry", &["telemetry"]),
    ("platform/fault", &["fault"]),
    ("platform/postgres-server", &["postgres-server"]),
    ("platform/nats-server", &["nats-server"]),
    ("platform/storage", &["storage"]),
    ("platform/transport", &["transport"]),
    ("platform/component", &["component"]),
    ("discovery", &["discovery"]),
    ("services/*/api", &["*-api"]),
    ("services/history", &["history"]),
    ("services/node", &["node"]),
    ("gateway and services", &["gateway", "profile", "follower", "feed", "search", "photo", "testkit"]),
    ("services/suite", &["suite"]),
    ("lab/record", &["record"]),
    ("lab/trace", &["trace"]),
    ("loadgen/traffic", &["traffic"]),
    ("loadgen/load-protocol", &["load-protocol"]),
    ("lab/model", &["model"]),
    ("lab/scorecard", &["scorecard"]),
    ("lab/scenario", &["scenario"]),
    ("lab/simulator", &["simulator"]),
    ("lab/delivery", &["delivery"]),
    ("loadgen/reqwest", &["reqwest"]),
    ("loadgen/pictures", &["pictures"]),
    ("looking from outside", &["loadgen", "tui", "report", "grafana"]),
    ("lab/conductor", &["conductor"]),
    ("lab and benches", &["lab", "benches", "fuzz"]),
];

/// Dependencies inside one room that are part of the design.
const WITHIN: &[(&str, &str)] = &[
    ("follower-api", "profile-api"),
    ("photo-api", "profile-api"),
    ("feed-api", "profile-api"),
    ("feed-api", "photo-api"),
    ("search-api", "profile-api"),
    ("search-api", "photo-api"),
];

/// Rooms without clock, sockets or a runtime, and what would betray one.
const PURE: &[&str] = &[
    "policy",
    "contract",
    "traffic",
    "load-protocol",
    "record",
    "model",
    "scorecard",
    "scenario",
    "simulator",
    "delivery",
    "trace",
    "*-api",
];
const IMPURE: &[&str] =
    &["tokio", "hyper", "axum", "rusqlite", "reqwest", "goose", "tracing", "nix", "flume"];

/// Above the line the laboratory, below it the specimen, which knows nothing of it.
const LABORATORY: &[&str] = &[
    "traffic",
    "load-protocol",
    "pictures",
    "record",
    "trace",
    "model",
    "scorecard",
    "scenario",
    "simulator",
    "delivery",
    "loadgen",
    "tui",
    "report",
    "grafana",
    "conductor",
    "lab",
    "benches",
    "fuzz",
];

/// Crates that are too heavy for the rooms named: goose, the screen and criterion stay at the edge.
const HEAVY: &[(&str, &[&str])] =
    &[("goose", &["loadgen"]), ("ratatui", &["tui"]), ("criterion", &["benches"])];

#[derive(Clone, Debug, PartialEq)]
struct Manifest {
    name: String,
    /// Below the root of the house: `services/feed`.
    folder: String,
    /// Everything but dev-dependencies: tests may look around.
    dependencies: Vec<String>,
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_prefix('*').map_or(pattern == name, |tail| name.ends_with(tail))
}

fn room_of(name: &str) -> Option<usize> {
    ROOMS.iter().position(|(_, members)| members.iter().any(|member| matches(member, name)))
}

/// Every crate's room. A new service needs no line here: its folder says what it is.
fn rooms(manifests: &[Manifest]) -> BTreeMap<&str, usize> {
    let services = room_of("feed").expect("services have a room");
    let room = |manifest: &Manifest| {
        let is_service = manifest.folder.strip_prefix("services/").is_some_and(|rest| !rest.contains('/'));
        room_of(&manifest.name).or(is_service.then_some(services))
    };
    manifests.iter().filter_map(|manifest| Some((manifest.name.as_str(), room(manifest)?))).collect()
}

/// Every arrow that should not be there, as a sentence.
fn faults(manifests: &[Manifest]) -> Vec<String> {
    let mut faults = Vec::new();
    let rooms = rooms(manifests);
    for Manifest { name, folder, dependencies } in manifests {
        let Some(&room) = rooms.get(name.as_str()) else {
            faults.push(format!("`{name}` in {folder} has no room; give it one in lab/tests/layers.rs"));
            continue;
        };
        for dependency in dependencies {
            if let Some(below) = rooms.get(dependency.as_str()).copied().or_else(|| room_of(dependency)) {
                let designed = WITHIN.contains(&(name.as_str(), dependency.as_str()));
                if below > room || (below == room && !designed) {
                    faults.push(format!(
                        "`{name}` ({}) must not depend on `{dependency}` ({})",
                        ROOMS[room].0, ROOMS[below].0
                    ));
                }
            }
            let listed = |list: &[&str], name: &str| list.iter().any(|pattern| matches(pattern, name));
            if listed(LABORATORY, dependency) && !listed(LABORATORY, name) {
                faults.push(format!("`{name}` is part of the specimen and must not know `{dependency}`"));
            }
            if listed(PURE, name) && IMPURE.contains(&dependency.as_str()) {
                faults.push(format!("`{name}` is pure and must not depend on `{dependency}`"));
            }
            for (heavy, allowed) in HEAVY {
                if dependency == heavy && !allowed.contains(&name.as_str()) {
                    faults.push(format!("`{heavy}` belongs to {allowed:?} only, not to `{name}`"));
                }
            }
        }
    }
    faults
}

fn read(root: &Path, path: &Path) -> Manifest {
    let text = std::fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let table: toml::Table = text.parse().unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let mut dependencies: BTreeMap<String, ()> = BTreeMap::new();
    for section in ["dependencies", "build-dependencies"] {
        if let Some(entries) = table.get(section).and_then(toml::Value::as_table) {
            dependencies.extend(entries.keys().map(|key| (key.clone(), ())));
        }
    }
    let name = table["package"]["name"].as_str().expect("a package has a name").to_owned();
    let folder = path.parent().and_then(|folder| folder.strip_prefix(root).ok()).expect("below the root");
    let folder = folder.to_string_lossy().into_owned();
    Manifest { name, folder, dependencies: dependencies.into_keys().collect() }
}

fn manifests_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let skipped = ["target", "runs", "src", "tests"].iter().any(|skip| name == *skip);
        if path.is_dir() && !skipped && !name.to_string_lossy().starts_with('.') {
            let manifest = path.join("Cargo.toml");
            found.extend(manifest.is_file().then_some(manifest));
            manifests_below(&path, found);
        }
    }
}

fn house() -> Vec<Manifest> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("lab lies in the workspace");
    let mut paths = Vec::new();
    manifests_below(root, &mut paths);
    assert!(paths.len() >= 25, "the house has more rooms than {}", paths.len());
    paths.iter().map(|path| read(root, path)).collect()
}

#[test]
fn arrows_point_down() {
    let faults = faults(&house());
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_room_of_the_map_is_inhabited() {
    let house = house();
    for (room, members) in ROOMS {
        let inhabited = house.iter().any(|crate_| members.iter().any(|member| matches(member, &crate_.name)));
        assert!(inhabited, "nothing is in {room}; take it off the map");
    }
}

#[test]
fn a_planted_upward_import_is_found() {
    let plant = |name: &str, dependency: &str| {
        let manifest = |name: &str, dependencies| Manifest {
            name: name.into(),
            folder: format!("services/{name}"),
            dependencies,
        };
        faults(&[manifest(name, vec![dependency.into()]), manifest("comments", Vec::new())])
    };
    assert_eq!(
        plant("feed", "follower"),
        ["`feed` (gateway and services) must not depend on `follower` (gateway and services)"]
    );
    assert!(!plant("contract", "transport").is_empty(), "the floor must not see what stands on it");
    assert!(!plant("profile", "traffic").is_empty(), "the specimen must not see the laboratory");
    assert!(!plant("scorecard", "tokio").is_empty(), "pure rooms stay pure");
    assert!(!plant("lab", "goose").is_empty(), "goose has one call site");
    assert!(!plant("feed", "comments").is_empty(), "a service added later is a service");
    assert!(plant("feed", "follower-api").is_empty(), "services see each other's promises");
}

/// Types of the record that no dashboard may name: a view that folds lines itself has numbers that other views lack.
const LINE_TYPES: [&str; 2] = ["Line", "Entry"];

/// Line types of the record that a source names, by path or by import; an import of everything names them all.
fn line_types_in(source: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    for (at, path) in source.match_indices("record::") {
        let rest = &source[at + path.len()..];
        let mut depth = 0_i32;
        // A path ends with its names, a group of paths with its last bracket.
        let is_end = |c: char| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            depth < 0 || depth == 0 && !(c.is_alphanumeric() || "_:*}".contains(c))
        };
        let end = rest.find(is_end).unwrap_or(rest.len());
        let names: Vec<&str> = rest[..end].split(|c: char| !c.is_alphanumeric() && c != '*').collect();
        found.extend(LINE_TYPES.into_iter().filter(|of| names.contains(of) || names.contains(&"*")));
    }
    found
}

fn sources_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn dashboards_name_no_line_of_the_record() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("lab lies in the workspace");
    let mut sources = Vec::new();
    for dashboard in ["tui", "report", "grafana"] {
        sources_below(&root.join("dashboards").join(dashboard).join("src"), &mut sources);
    }
    assert!(sources.len() > 50, "the dashboards have more files than {}", sources.len());
    for path in sources {
        let source = std::fs::read_to_string(&path).expect("a readable source");
        let found = line_types_in(&source);
        assert!(found.is_empty(), "{} names record::{found:?}; ask lab/model instead", path.display());
    }
}

#[test]
fn a_planted_line_in_a_dashboard_is_found() {
    assert_eq!(line_types_in("use record::{Edge, Line};"), ["Line"]);
    assert_eq!(line_types_in("fn fold(entry: &record::Entry) {}"), ["Entry"]);
    assert_eq!(line_types_in("use record::line::Line;"), ["Line"]);
    assert_eq!(line_types_in("use record::{kind::{Kind}, Line};"), ["Line"]);
    assert_eq!(line_types_in("use record::*;"), LINE_TYPES);
    assert!(line_types_in("use record::{Edge, Proc};\nuse ratatui::text::Line;").is_empty());
    assert!(line_types_in("fn of(edge: &record::Edge, line: Line) {}").is_empty());
}
