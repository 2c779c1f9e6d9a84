//! Whatever a slip of the hand makes of a scenario, reading it ends in a scenario or in faults with a place.

use std::path::Path;

use proptest::prelude::*;

use crate::{read, text};

const FIRST_LOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/first-look.toml");

/// A slip of the hand. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Edit {
    DeleteLine(usize),
    DuplicateLine(usize),
    SwapCharacters(usize, usize),
    Truncate(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        any::<usize>().prop_map(Edit::DeleteLine),
        any::<usize>().prop_map(Edit::DuplicateLine),
        (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Edit::SwapCharacters(a, b)),
        // Neighbours, as fingers do: most of these are still TOML.
        any::<usize>().prop_map(|at| Edit::SwapCharacters(at, at.wrapping_add(1))),
        any::<usize>().prop_map(Edit::Truncate),
    ]
}

fn apply(text: &str, edit: &Edit) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let mut chars: Vec<char> = text.chars().collect();
    if chars.is_empty() || lines.is_empty() {
        return String::new();
    }
    match *edit {
        Edit::DeleteLine(at) => {
            lines.remove(at % lines.len());
        }
        Edit::DuplicateLine(at) => lines.insert(at % lines.len(), lines[at % lines.len()]),
        Edit::SwapCharacters(a, b) => {
            let count = chars.len();
            chars.swap(a % count, b % count);
            return chars.into_iter().collect();
        }
        Edit::Truncate(at) => {
            chars.truncate(at % chars.len());
            return chars.into_iter().collect();
        }
    }
    lines.join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_scenario_is_read_or_refused_with_a_place(edits in prop::collection::vec(edit(), 1..4)) {
        let mut damaged = text(Path::new(FIRST_LOOK));
        for edit in &edits {
            damaged = apply(&damaged, edit);
        }
        let Err(diagnostics) = read("damaged.toml", &damaged) else { return Ok(()) };
        prop_assert!(!diagnostics.items.is_empty(), "refused without a reason:\n{damaged}");
        for diagnostic in &diagnostics.items {
            let marked = damaged.get(diagnostic.span.clone());
            prop_assert!(marked.is_some(), "{:?} is no part of the text: {}", diagnostic.span, diagnostic.message);
            prop_assert!(!diagnostic.message.is_empty() && !diagnostic.message.contains('\n'), "{:?}", diagnostic.message);
        }
        let starts: Vec<usize> = diagnostics.items.iter().map(|diagnostic| diagnostic.span.start).collect();
        prop_assert!(starts.is_sorted(), "not in the order of the file: {starts:?}");
        let shown = diagnostics.to_string();
        // Place, gutter, line and caret: four lines each.
        prop_assert_eq!(shown.lines().count(), 4 * diagnostics.items.len(), "{}", shown);
    }
}
