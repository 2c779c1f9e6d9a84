//! The tables of `docs/method.md` that define every measure and row: they are written from the catalogue, and fail here
//! when they are stale.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use record::Better;
use scorecard::glossary;
use scorecard::measure::{Comparison, Measure, Property, Row, RowWindow, Unit};
use scorecard::measures::CATALOGUE;

/// Set this variable to write the tables again.
const UPDATE_VARIABLE: &str = "UPDATE_METHOD";
const METHOD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/method.md");

fn better(better: Better) -> &'static str {
    match better {
        Better::Higher => "higher",
        Better::Lower => "lower",
        Better::Neither => "-",
    }
}

fn unit(symbol: &str) -> &str {
    if symbol.is_empty() { "1" } else { symbol }
}

fn comparison(row: &Row, of: Unit) -> String {
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    match row.comparison {
        // Counted by plan: there is nothing to decide.
        Comparison::Ratio(ratio) if (ratio - 1.0).abs() < f64::EPSILON => "ratio of exact counts".to_owned(),
        Comparison::Ratio(ratio) => format!("ratio, margin {}", percent(ratio - 1.0)),
        Comparison::Difference(difference) if of == Unit::Share => {
            format!("difference, margin {:.1} points", difference * 100.0)
        }
        // A count is compared as a share of what it was counted among, and shown as what it is of A's.
        Comparison::Difference(difference) => {
            format!("difference among A's exposure, margin {:.1} points of it", difference * 100.0)
        }
        Comparison::Part(share) => format!("difference, margin {} of A's total", percent(share)),
        Comparison::SameAs(id) => format!("finding of `{id}`"),
        Comparison::Unjudged => "not compared".to_owned(),
    }
}

fn rows(measure: &Measure) -> String {
    let row = |row: &Row| {
        let window = match row.window {
            RowWindow::Steady => "steady",
            RowWindow::SteadyAndFaults => "steady, and each phase with a fault",
            RowWindow::Whole => "whole",
            RowWindow::EachStep => "each step",
            RowWindow::StepsAndOverloads => "each step, and each overloaded phase",
        };
        format!("`{}`, {window}: {}", row.id, comparison(row, measure.unit))
    };
    let all: Vec<String> = measure.rows.iter().map(row).collect();
    if all.is_empty() { "none".to_owned() } else { all.join("; ") }
}

fn measures() -> String {
    let mut table =
        String::from("| measure | unit | good | rows: window and comparison | start | meaning |\n");
    table += "|---|---|---|---|---|---|\n";
    for measure in CATALOGUE {
        let start = if measure.has(Property::DependsOnStart) { "yes" } else { "" };
        let (form, unit, better) = (measure.form(), unit(measure.unit.symbol()), better(measure.better));
        let (rows, meaning) = (rows(measure), measure.meaning);
        writeln!(table, "| `{form}` | {unit} | {better} | {rows} | {start} | {meaning} |").expect("a string");
    }
    table
}

/// Rows that come as a family: the terms of the glossary that neither a measure nor the model has.
fn families() -> String {
    let of_measures: BTreeSet<&str> =
        CATALOGUE.iter().flat_map(|measure| measure.rows).map(|row| row.id).collect();
    let of_model: BTreeSet<&str> = model::glossary::TERMS.iter().map(|term| term.id).collect();
    let mut table = String::from("| id | unit | good | meaning |\n|---|---|---|---|\n");
    let is_family = |id: &str| !of_measures.contains(id) && !of_model.contains(id);
    for term in glossary::terms().iter().filter(|term| is_family(term.id)) {
        let (unit, better) = (unit(term.unit), better(term.better));
        writeln!(table, "| `{}` | {unit} | {better} | {} |", term.id, term.meaning).expect("a string");
    }
    table
}

/// Puts a table between its markers.
pub fn with_table(document: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- begin: {name} -->\n"), format!("<!-- end: {name} -->"));
    let (before, rest) = document.split_once(&begin).expect("the marker that begins the table");
    let (_, after) = rest.split_once(&end).expect("the marker that ends the table");
    format!("{before}{begin}\n{table}\n{end}{after}")
}

#[test]
fn the_tables_of_the_method_are_those_of_the_catalogue() {
    let committed = std::fs::read_to_string(METHOD).expect("docs/method.md");
    let written = with_table(&committed, "measures", &measures());
    let written = with_table(&written, "families", &families());
    if std::env::var_os(UPDATE_VARIABLE).is_some() {
        std::fs::write(METHOD, &written).expect("docs/method.md");
        return;
    }
    assert!(
        committed == written,
        "docs/method.md is stale; write it again: {UPDATE_VARIABLE}=1 cargo test -p scorecard --test it method_tables"
    );
}

#[test]
fn a_table_replaces_only_what_is_between_its_markers() {
    let document = "a\n<!-- begin: x -->\nold\n<!-- end: x -->\nz\n";
    let written = with_table(document, "x", "| new |\n");
    assert_eq!(written, "a\n<!-- begin: x -->\n\n| new |\n\n<!-- end: x -->\nz\n");
    assert_eq!(with_table(&written, "x", "| new |\n"), written);
}
