//! The structure of a workspace as text, 80 columns wide.

use std::collections::BTreeSet;

use delivery::document::{
    Change, Component, Dependencies, Edge, EdgeKind, History, Rebuild, Role, Structure,
};
use model::format::{printable_lines, whole_percent};

/// Columns of a terminal.
const WIDTH: usize = 80;
/// A cell without anything in it.
const NOTHING: &str = "-";
/// Pairs that are printed; JSON has all.
const MAX_PAIRS: usize = 12;
/// Programs that are named in a cell; JSON has all.
const MAX_NAMES: usize = 6;
/// A last column that would have less room begins on a line of its own.
const MIN_LAST_WIDTH: usize = 16;

/// The structure as text.
pub(super) fn text(structure: &Structure) -> String {
    let mut text = String::new();
    let dependencies = match structure.dependencies {
        Dependencies::Resolved => "as resolved",
        Dependencies::Declared => "as declared",
    };
    let owners = structure.owners_file.as_deref().unwrap_or("no file");
    let (members, programs) = (structure.members, structure.programs.len());
    paragraph(
        &mut text,
        "",
        &format!("{members} crates, {programs} programs; dependencies {dependencies}; owners: {owners}"),
    );
    rebuilds(&mut text, structure);
    owners_of(&mut text, &structure.components);
    edges(&mut text, &structure.edges);
    if let Some(history) = &structure.history {
        co_changes(&mut text, history);
    }
    for note in &structure.notes {
        text.push('\n');
        paragraph(&mut text, "", &format!("Note: {note}."));
    }
    printable_lines(&text).into_owned()
}

fn rebuilds(text: &mut String, structure: &Structure) {
    *text += "\nCrates that a change compiles again, in the workspace and for each program\n";
    let head = ["component", "a change in", "crates", "monolith", "own", "tests", "other programs"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for component in &structure.components {
        for (at, change) in component.crates.iter().enumerate() {
            let found = |role: Role| {
                let is_it = |of: &&Rebuild| {
                    let is_own = of.component.as_ref() == Some(&component.component);
                    of.role == role && (role == Role::Monolith || is_own)
                };
                share(change.programs.iter().filter(is_it), structure)
            };
            rows.push(vec![
                if at == 0 { component.component.clone() } else { String::new() },
                change.of_crate.clone(),
                change.members.to_string(),
                found(Role::Monolith),
                found(Role::Component),
                change.tests.len().to_string(),
                others(change, &component.component),
            ]);
        }
    }
    // Where each crate is a component, one name is enough; a column without a figure says nothing.
    let is_by_crate = structure
        .components
        .iter()
        .all(|of| matches!(&of.crates[..], [only] if only.of_crate == of.component));
    for column in (0..head.len() - 1).rev() {
        let is_empty = rows.iter().skip(1).all(|row| row[column] == NOTHING);
        if is_empty || (column == 0 && is_by_crate) {
            rows.iter_mut().for_each(|row| drop(row.remove(column)));
        }
    }
    columns(text, &rows);
    paragraph(
        text,
        "",
        "own: its own program, +1: and one of which another number is compiled again; tests: crates whose tests the change \
         selects",
    );
}

/// `2 of 24`; of several programs that differ, the one that has the most to compile again, and how many others.
fn share<'a>(rebuilds: impl Iterator<Item = &'a Rebuild>, structure: &Structure) -> String {
    let built = |rebuild: &Rebuild| {
        let mut programs = structure.programs.iter();
        let found = programs.find(|of| of.program == rebuild.program && of.of_crate == rebuild.of_crate);
        found.map_or(0, |program| program.members)
    };
    let shares: BTreeSet<(u32, u32)> = rebuilds.map(|of| (of.members, built(of))).collect();
    match shares.last() {
        None => NOTHING.to_owned(),
        Some((members, built)) if shares.len() == 1 => format!("{members} of {built}"),
        Some((members, built)) => format!("{members} of {built} +{}", shares.len() - 1),
    }
}

/// Programs that hold the changed crate and belong to other components, the first of many by name; of those of no component the
/// number.
fn others(change: &Change, component: &str) -> String {
    let of_components: BTreeSet<&str> = change
        .programs
        .iter()
        .filter(|of| of.role == Role::Component && of.component.as_deref() != Some(component))
        .map(|of| of.program.as_str())
        .collect();
    let of_none = change.programs.iter().filter(|of| of.role == Role::Other).count();
    let mut words: Vec<String> =
        of_components.iter().take(MAX_NAMES).map(|name| (*name).to_owned()).collect();
    if of_components.len() > words.len() {
        words.push(format!("{} more", of_components.len() - words.len()));
    }
    if of_none > 0 {
        words.push(format!("{of_none} of no component"));
    }
    if words.is_empty() { NOTHING.to_owned() } else { words.join(", ") }
}

fn owners_of(text: &mut String, components: &[Component]) {
    if components.iter().all(|of| of.owners.is_empty() && of.owners_of_rebuilt.is_empty()) {
        return;
    }
    *text += "\nOwners of a component's files, and of what a change in it compiles again\n";
    let listed = |owners: &[String]| if owners.is_empty() { NOTHING.to_owned() } else { owners.join(", ") };
    let mut rows = vec![["component", "owners", "also touched"].map(str::to_owned).to_vec()];
    rows.extend(
        components
            .iter()
            .map(|of| vec![of.component.clone(), listed(&of.owners), listed(&of.owners_of_rebuilt)]),
    );
    columns(text, &rows);
}

fn edges(text: &mut String, edges: &[Edge]) {
    if edges.is_empty() {
        *text += "\nNo component depends on another.\n";
        return;
    }
    let kinds: BTreeSet<EdgeKind> = edges.iter().map(|edge| edge.kind).collect();
    *text += match kinds.len() {
        1 => "\nDependencies between components\n",
        _ => "\nCalls, events and dependencies between components\n",
    };
    let mut from: Vec<&str> = edges.iter().map(|edge| edge.from.as_str()).collect();
    from.dedup();
    let mut rows = Vec::new();
    for name in from {
        for (kind, verb) in [
            (EdgeKind::Call, "calls"),
            (EdgeKind::Event, "consumes events of"),
            (EdgeKind::Dependency, "depends on"),
        ] {
            let of_kind = edges.iter().filter(|edge| edge.from == name && edge.kind == kind);
            let to: Vec<String> = of_kind.map(callee).collect();
            if !to.is_empty() {
                rows.push(vec![name.to_owned(), format!("{verb} {}", to.join(", "))]);
            }
        }
    }
    for at in (1..rows.len()).rev() {
        if rows[at][0] == rows[at - 1][0] {
            rows[at][0].clear();
        }
    }
    columns(text, &rows);
}

/// The other end, and by what where that is not its name.
fn callee(edge: &Edge) -> String {
    match &edge.by[..] {
        [] => edge.to.clone(),
        [only] if *only == edge.to => edge.to.clone(),
        by => format!("{} ({})", edge.to, by.join(", ")),
    }
}

fn co_changes(text: &mut String, history: &History) {
    let History { read, counted, too_large, of_no_component, max_files, .. } = history;
    text.push('\n');
    paragraph(
        text,
        "",
        &format!(
            "What changed together, in the {counted} of the last {read} commits that count: merges are not read, and {too_large} \
             that touch more than {max_files} files and {of_no_component} that touch no component are left out"
        ),
    );
    if history.pairs.is_empty() {
        *text += "no two components changed together\n";
        return;
    }
    let mut rows = vec![["pair", "commits of each", "together", "confidence"].map(str::to_owned).to_vec()];
    for pair in history.pairs.iter().take(MAX_PAIRS) {
        rows.push(vec![
            format!("{}, {}", pair.first, pair.second),
            format!("{}, {}", pair.of_first, pair.of_second),
            pair.together.to_string(),
            format!(
                "{}, {}",
                whole_percent(pair.confidence_of_second),
                whole_percent(pair.confidence_of_first)
            ),
        ]);
    }
    columns(text, &rows);
    if let more @ 1.. = history.pairs.len().saturating_sub(MAX_PAIRS) {
        *text += &format!("{more} more pairs; --output json lists all\n");
    }
    paragraph(
        text,
        "",
        "confidence: share of the first's commits that touch the second as well, and of the second's that touch the first",
    );
}

/// Rows in columns; the last column is wrapped, below the row where it has too little room beside it.
fn columns(text: &mut String, rows: &[Vec<String>]) {
    let fixed = rows.first().map_or(0, |row| row.len().saturating_sub(1));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..fixed).map(width).collect();
    let taken: usize = widths.iter().map(|width| width + 2).sum();
    let last = rows.iter().map(|row| row[fixed].chars().count()).max().unwrap_or(0);
    let words = rows.iter().flat_map(|row| row[fixed].split(' '));
    let longest = words.map(|word| word.chars().count()).max().unwrap_or(0);
    let is_below = taken + last > WIDTH && taken + longest.max(MIN_LAST_WIDTH) > WIDTH;
    for row in rows {
        let cells: String = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  ")).collect();
        if is_below {
            // Names longer than the screen is wide keep their row.
            *text += &format!("{}\n", cells.trim_end());
            paragraph(text, "    ", &row[fixed]);
        } else {
            wrapped(text, &cells, &" ".repeat(taken), &row[fixed]);
        }
    }
}

/// Words within the width, each line with the indentation.
fn paragraph(text: &mut String, indentation: &str, words: &str) {
    wrapped(text, indentation, indentation, words);
}

fn wrapped(text: &mut String, first: &str, rest: &str, words: &str) {
    let mut line = first.to_owned();
    let mut is_begun = false;
    for word in words.split(' ') {
        let separator = usize::from(is_begun);
        if is_begun && line.chars().count() + separator + word.chars().count() > WIDTH {
            *text += line.trim_end();
            text.push('\n');
            line = rest.to_owned();
            is_begun = false;
        }
        if is_begun {
            line.push(' ');
        }
        line += word;
        is_begun = true;
    }
    *text += line.trim_end();
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_column_is_wrapped_within_the_width() {
        let names: Vec<String> = (0..20).map(|number| format!("program-{number}")).collect();
        let rows = [vec!["feed".to_owned(), "2 of 24".to_owned(), names.join(", ")]];
        let mut text = String::new();
        columns(&mut text, &rows);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() > 2 && lines.iter().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(lines[0].starts_with("feed  2 of 24  program-0, "), "{text}");
        assert!(lines[1].starts_with(&" ".repeat(15)) && !lines[1].starts_with(&" ".repeat(16)), "{text}");
    }

    #[test]
    fn of_many_programs_the_first_are_named() {
        let program = |number: usize| Rebuild {
            program: format!("p{number:02}"),
            of_crate: format!("c{number:02}"),
            role: Role::Component,
            component: Some(format!("c{number:02}")),
            rebuilt: Vec::new(),
            members: 1,
            tests: Vec::new(),
        };
        let change = |programs: usize| Change {
            of_crate: "base".to_owned(),
            owners: Vec::new(),
            rebuilt: Vec::new(),
            members: 1,
            programs: (0..programs).map(program).collect(),
            tests: Vec::new(),
            test_binaries: 0,
        };
        assert_eq!(others(&change(0), "base"), NOTHING);
        assert_eq!(others(&change(MAX_NAMES), "base"), "p00, p01, p02, p03, p04, p05");
        assert_eq!(others(&change(59), "base"), "p00, p01, p02, p03, p04, p05, 53 more");
    }

    #[test]
    fn a_last_column_without_room_goes_below() {
        let long = "a-crate-with-a-name-that-fills-nearly-all-of-a-line-of-the-terminal";
        let rows = [vec![long.to_owned(), "one, two, three, four, five, six".to_owned()]];
        let mut text = String::new();
        columns(&mut text, &rows);
        assert_eq!(text, format!("{long}\n    one, two, three, four, five, six\n"));
    }
}
