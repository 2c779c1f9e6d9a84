//! What a change rebuilds, and whose tests it selects.

use delivery::graph::DependencyGraph;
use proptest::prelude::*;

use crate::workspace::{Package, SHOP, metadata};

fn names(graph: &DependencyGraph, of: impl IntoIterator<Item = delivery::graph::CrateIndex>) -> Vec<String> {
    let mut names: Vec<String> = of.into_iter().map(|index| graph.get(index).name.clone()).collect();
    names.sort();
    names
}

#[track_caller]
fn check(is_resolved: bool, changed: &str, rebuilt: &[&str], tests: &[&str]) {
    let graph = DependencyGraph::of(&metadata(SHOP, is_resolved));
    let found = graph.rebuilt_by(graph.member(changed).expect("a member"));
    assert_eq!(names(&graph, found.iter().copied()), rebuilt, "a change in {changed}");
    assert_eq!(names(&graph, graph.tests_selected(&found).crates), tests, "tests of a change in {changed}");
}

#[test]
fn a_change_rebuilds_what_is_built_from_it() {
    check(true, "cart", &["cart", "shop"], &["cart", "shop"]);
    let of_contract = ["billing", "cart", "cart-api", "shop"];
    check(true, "cart-api", &of_contract, &of_contract);
    check(true, "shop", &["shop"], &["shop"]);
}

#[test]
fn what_makes_code_rebuilds_what_the_code_is_for() {
    let all = ["billing", "billing-api", "cart", "cart-api", "floor", "shop", "stamp", "workbench"];
    check(true, "stamp", &all, &all);
}

#[test]
fn what_only_tests_use_rebuilds_tests() {
    check(true, "workbench", &["workbench"], &["cart", "workbench"]);
}

#[test]
fn a_crate_of_others_that_is_built_from_a_member_is_rebuilt() {
    check(true, "clock", &["cart", "clock", "journal@1.0.0", "shop"], &["cart", "clock", "shop"]);
    // Manifests do not show it.
    check(false, "clock", &["clock"], &["clock"]);
}

#[test]
fn what_manifests_declare_is_the_same_between_members() {
    for (changed, ..) in SHOP.iter().filter(|(name, ..)| !["journal", "clock"].contains(name)) {
        let [resolved, declared] = [true, false].map(|is_resolved| {
            let graph = DependencyGraph::of(&metadata(SHOP, is_resolved));
            let found = graph.rebuilt_by(graph.member(changed).expect("a member"));
            names(&graph, found)
        });
        assert_eq!(resolved, declared, "{changed}");
    }
}

#[test]
fn test_binaries_are_those_of_selected_crates() {
    let graph = DependencyGraph::of(&metadata(SHOP, true));
    let found = graph.rebuilt_by(graph.member("cart").expect("a member"));
    // The library and the tests of `cart`, and the library of `shop`: its program has no tests.
    assert_eq!(graph.tests_selected(&found).binaries, 3);
}

/// Names of packages in graphs that are drawn.
const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

proptest! {
    #[test]
    fn what_a_change_rebuilds_is_what_is_built_from_it(arrows in prop::collection::vec((0_usize..8, 0_usize..8), 0..20)) {
        // From later to earlier: no circles, as in cargo.
        let uses = |of: usize| -> &'static [crate::workspace::Dependency] {
            let used = arrows.iter().filter(|(from, to)| from.max(to) == &of && from != to);
            used.map(|(from, to)| (NAMES[*from.min(to)], None)).collect::<Vec<_>>().leak()
        };
        let packages: Vec<Package> =
            NAMES.iter().enumerate().map(|(at, name)| (*name, &["lib"] as &[&str], uses(at))).collect();
        let graph = DependencyGraph::of(&metadata(&packages, true));
        for one in graph.members() {
            for other in graph.members() {
                prop_assert_eq!(graph.rebuilt_by(one).contains(&other), graph.built_into(other).contains(&one));
            }
        }
    }
}
