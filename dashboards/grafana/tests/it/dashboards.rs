//! What Grafana would stumble over, or show empty without a word.

use std::collections::BTreeSet;
use std::path::Path;

use grafana::board::{JAEGER, PROMETHEUS, Shape};
use grafana::families::{FAMILIES, Kind};
use grafana::{boards, promql};
use serde_json::Value;
use telemetry::names;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards")
}

fn panels(board: &Value) -> Vec<&Value> {
    board["panels"].as_array().expect("panels").iter().collect()
}

#[test]
fn committed_files_are_what_the_program_writes() {
    let mut expected = BTreeSet::new();
    for (file, text) in grafana::files() {
        let found = std::fs::read_to_string(folder().join(&file)).unwrap_or_default();
        assert!(found == text, "{file} is not what the panels say; write it with: cargo run -p grafana");
        expected.insert(file);
    }
    let entries = std::fs::read_dir(folder()).expect("the folder is there").flatten();
    let found: BTreeSet<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    assert_eq!(found, expected, "a file without a board, or a board without its file");
}

#[test]
fn boards_have_fixed_names_and_nothing_that_only_the_import_page_fills_in() {
    let mut uids = BTreeSet::new();
    for board in boards::all() {
        let json = board.json();
        assert!(json["id"].is_null(), "{}: ids belong to the Grafana that holds it", board.name);
        assert!(uids.insert(json["uid"].as_str().expect("a uid").to_owned()), "{} twice", board.name);
        let text = json.to_string();
        for left in ["__inputs", "__requires", "${DS_"] {
            assert!(!text.contains(left), "{}: {left}", board.name);
        }
        assert!(json["schemaVersion"].as_u64().is_some_and(|version| (41..=42).contains(&version)));
    }
}

#[test]
fn panels_have_a_place_a_unit_a_sentence_and_a_source_that_is_provisioned() {
    for board in boards::all() {
        let json = board.json();
        let mut ids = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for panel in panels(&json) {
            let name = format!("{}: {}", board.name, panel["title"]);
            assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{name}: its id is not its own");
            let side = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
            assert!(side("x") + side("w") <= 24, "{name} reaches beyond the grid");
            for (x, y) in (0..side("w")).flat_map(|dx| (0..side("h")).map(move |dy| (dx, dy))) {
                assert!(taken.insert((side("x") + x, side("y") + y)), "{name} lies over another");
            }
            if panel["type"] == "row" {
                continue;
            }
            assert!(
                panel["fieldConfig"]["defaults"]["unit"].as_str().is_some_and(|unit| !unit.is_empty()),
                "{name}"
            );
            assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{name}");
            let targets = panel["targets"].as_array().expect("queries");
            assert!(!targets.is_empty(), "{name} asks nothing");
            for source in targets.iter().map(|target| &target["datasource"]).chain([&panel["datasource"]]) {
                assert_eq!(source["uid"], PROMETHEUS, "{name}");
            }
            let with_exemplars = targets.iter().filter(|target| target["exemplar"] == true).count();
            assert!(with_exemplars <= 1, "{name}: Grafana draws the exemplars of both over each other");
        }
    }
    let sources = std::fs::read_to_string(folder().with_file_name("provisioning/datasources/cleave.yaml"));
    let sources = sources.expect("it is there");
    for uid in [PROMETHEUS, JAEGER] {
        assert!(sources.contains(&format!("uid: {uid}\n")), "{uid} is not provisioned");
    }
}

#[test]
fn queries_name_only_metrics_and_labels_that_the_code_has() {
    let of_nodes = names::NODE.iter().map(|(name, _)| *name);
    let known: BTreeSet<&str> = FAMILIES.iter().map(|(name, ..)| *name).chain(of_nodes).collect();
    let is_known = |metric: &str| {
        let base = ["_bucket", "_count", "_sum"].iter().find_map(|end| metric.strip_suffix(end));
        // Only histograms have parts, and all of ours are durations.
        known.contains(metric) || base.is_some_and(|base| base.ends_with("_seconds") && known.contains(base))
    };
    for board in boards::all() {
        let variables: Vec<String> = board.json()["templating"]["list"]
            .as_array()
            .expect("variables")
            .iter()
            .map(|variable| format!("${}", variable["name"].as_str().expect("a name")))
            .collect();
        for panel in board.rows.iter().flat_map(|row| &row.panels) {
            for (legend, query) in &panel.queries {
                let name = format!("{}: {}: {query}", board.name, panel.title);
                let found = promql::names(&promql::filled(query));
                assert!(!found.metrics.is_empty(), "{name} asks for nothing");
                for metric in &found.metrics {
                    assert!(is_known(metric), "{name}: no metric is called {metric}");
                }
                let in_legend = legend.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
                for label in found.labels.iter().map(String::as_str).chain(in_legend) {
                    assert!(names::LABELS.contains(&label), "{name}: no metric has a label {label}");
                }
                assert!(!query.contains("le=\""), "{name}: Prometheus 3 writes bounds otherwise");
                let used = query.split('$').skip(1).map(|rest| {
                    let end =
                        rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                    format!("${}", &rest[..end])
                });
                for variable in used.filter(|variable| variable != "$__rate_interval") {
                    assert!(variables.contains(&variable), "{name}: the board has no {variable}");
                }
            }
        }
    }
}

#[test]
fn bands_and_choices_name_what_the_code_has() {
    let labels = |name: &str| names::LABELS.contains(&name);
    for board in boards::all() {
        let json = board.json();
        for band in json["annotations"]["list"].as_array().expect("annotations") {
            let found = promql::names(&promql::filled(band["expr"].as_str().expect("a query")));
            assert!(
                found.metrics.iter().all(|metric| FAMILIES.iter().any(|(name, ..)| name == metric)),
                "{found:?}"
            );
            assert!(found.labels.iter().all(|label| labels(label)), "{found:?}");
            for shown in ["titleFormat", "textFormat"] {
                let label = band[shown].as_str().expect("text").trim_matches(['{', '}']);
                assert!(labels(label), "{shown}: {label}");
            }
        }
        for variable in json["templating"]["list"].as_array().expect("variables") {
            let query = variable["query"]["query"].as_str().expect("a query");
            let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
            let (series, label) =
                inner.expect("a list of values").rsplit_once(", ").unwrap_or(("", inner.expect("as above")));
            assert!(labels(label), "{query}");
            let found = promql::names(&promql::filled(series));
            let of_node = |metric: &String| names::NODE.iter().any(|(name, _)| metric.starts_with(name));
            assert!(
                found.metrics.iter().all(of_node) && found.labels.iter().all(|label| labels(label)),
                "{query}"
            );
        }
    }
}

#[test]
fn metrics_of_a_run_are_ours_by_name_and_no_process_has_the_same() {
    for (name, ..) in FAMILIES {
        assert!(name.starts_with(names::OWN_PREFIX), "{name}");
        assert!(
            names::NODE.iter().all(|(other, _)| other != name),
            "{name} is a metric of the processes as well"
        );
    }
}

#[test]
fn every_figure_of_a_run_is_on_some_panel() {
    let queries: Vec<String> = boards::all()
        .iter()
        .flat_map(|board| &board.rows)
        .flat_map(|row| &row.panels)
        .flat_map(|panel| panel.queries.iter().map(|(_, query)| query.clone()))
        .collect();
    for (name, kind, _) in FAMILIES.iter().filter(|(name, ..)| *name != names::run::INFO) {
        let found = queries.iter().any(|query| {
            promql::names(&promql::filled(query)).metrics.iter().any(|metric| metric.starts_with(name))
        });
        assert!(found, "{name} ({kind:?}) is exposed and shown nowhere");
        assert_eq!(*kind == Kind::Counter, name.ends_with("_total"), "{name}");
    }
}

#[test]
fn a_dead_process_is_a_gap_and_arms_share_an_axis() {
    for board in boards::all() {
        let json = board.json();
        for panel in panels(&json).into_iter().filter(|panel| panel["type"] == "timeseries") {
            assert_eq!(panel["fieldConfig"]["defaults"]["custom"]["spanNulls"], false, "{}", panel["title"]);
        }
        // Two panels side by side, one an arm, would each have a scale of its own.
        for panel in board.rows.iter().flat_map(|row| &row.panels).filter(|panel| panel.shape == Shape::Lines)
        {
            assert!(!panel.queries.iter().any(|(_, query)| query.contains("letter=")), "{}", panel.title);
        }
    }
}
