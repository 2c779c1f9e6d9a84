//! The document: what it says of a small workspace, and that its schema says the same.

use std::path::Path;

use delivery::components::AssignmentError;
use delivery::document::{Change, Edge, EdgeKind, Role};
use delivery::structure::{Log, Monolith, StructureError};
use delivery::{Assignment, Metadata, Owners, Sources, Structure, schema, structure};
use serde_json::{Value, json};

use crate::workspace::{SHOP, metadata};

const OWNERS: &str = "* @floor\n/crates/cart/ @cart\n/crates/cart-api/ @cart\n/crates/billing/ @billing\n\
                      /crates/billing-api/ @billing\n/crates/shop/ @shop\n";

const LOG: &str = "\0c3\n\nM\tcrates/cart-api/src/lib.rs\nM\tcrates/billing/src/lib.rs\n\
                   \0c2\n\nM\tcrates/cart/src/lib.rs\n\0c1\n\nM\tcrates/floor/src/lib.rs\n";

fn assignments(of: &[&str]) -> Vec<Assignment> {
    of.iter().map(|text| text.parse().expect("crate=component")).collect()
}

fn sources<'a>(metadata: &'a Metadata, assignments: &'a [Assignment], owners: &'a Owners) -> Sources<'a> {
    let call = Edge { from: "billing".into(), to: "cart".into(), kind: EdgeKind::Call, by: Vec::new() };
    Sources {
        metadata,
        root: Path::new("/shop"),
        assignments,
        monolith: Some(Monolith { of_crate: "shop", program: None }),
        declared: vec![call],
        files: None,
        owners: Some(("CODEOWNERS".into(), owners)),
        history: Some(Log { text: LOG, requested: 500, max_files: 30, is_shallow: false }),
    }
}

fn shop() -> Structure {
    let assigned = assignments(&["cart=cart", "cart-api=cart", "billing=billing", "billing-api=billing"]);
    let (metadata, owners) = (metadata(SHOP, true), Owners::read(OWNERS));
    structure(&sources(&metadata, &assigned, &owners)).expect("all names are there")
}

fn change<'s>(shop: &'s Structure, name: &str) -> &'s Change {
    let changes = shop.components.iter().flat_map(|component| &component.crates);
    changes.into_iter().find(|change| change.of_crate == name).expect("a crate of a component")
}

/// Programs that hold a changed crate, with what is compiled again for each.
fn programs(change: &Change) -> Vec<(&str, Role, Vec<&str>)> {
    let programs = change.programs.iter();
    programs
        .map(|of| (of.program.as_str(), of.role, of.rebuilt.iter().map(String::as_str).collect()))
        .collect()
}

#[test]
fn a_service_is_deployed_alone_and_a_contract_is_not() {
    let shop = shop();
    assert_eq!(
        programs(change(&shop, "cart")),
        [("cart", Role::Component, vec!["cart"]), ("shop", Role::Monolith, vec!["cart", "shop"])]
    );
    assert_eq!(
        programs(change(&shop, "cart-api")),
        [
            ("billing", Role::Component, vec!["billing", "cart-api"]),
            ("cart", Role::Component, vec!["cart", "cart-api"]),
            ("shop", Role::Monolith, vec!["billing", "cart", "cart-api", "shop"]),
        ]
    );
}

#[test]
fn tests_are_those_of_each_deployable() {
    let shop = shop();
    let tests: Vec<_> = change(&shop, "cart-api").programs.iter().map(|of| of.tests.clone()).collect();
    assert_eq!(tests[0], ["billing", "cart-api"]);
    assert_eq!(tests[1], ["cart", "cart-api"]);
    assert_eq!(tests[2], ["billing", "cart", "cart-api", "shop"]);
}

#[test]
fn owners_are_those_who_review_and_those_who_are_compiled_again() {
    let shop = shop();
    let [cart, billing] = &shop.components[..] else { panic!("two components") };
    assert_eq!(
        (&cart.owners[..], &cart.owners_of_rebuilt[..]),
        (&["@cart".into()][..], &["@billing".into(), "@shop".into()][..])
    );
    assert_eq!(
        (&billing.owners[..], &billing.owners_of_rebuilt[..]),
        (&["@billing".into()][..], &["@shop".into()][..])
    );
}

#[test]
fn edges_are_declared_and_of_crates() {
    let edges: Vec<_> = shop()
        .edges
        .iter()
        .map(|edge| (edge.from.clone(), edge.to.clone(), edge.kind, edge.by.clone()))
        .collect();
    assert_eq!(
        edges,
        [
            ("billing".into(), "cart".into(), EdgeKind::Call, vec![]),
            ("billing".into(), "cart".into(), EdgeKind::Dependency, vec!["cart-api".to_owned()]),
        ]
    );
}

#[test]
fn history_has_support_and_confidence() {
    let history = shop().history.expect("a log was given");
    assert_eq!((history.read, history.counted, history.of_no_component), (3, 2, 1));
    let [pair] = &history.pairs[..] else { panic!("{:?}", history.pairs) };
    assert_eq!((pair.first.as_str(), pair.second.as_str(), pair.together), ("cart", "billing", 1));
    assert_eq!(
        (pair.of_first, pair.confidence_of_second),
        (2, 0.5),
        "billing follows one of two changes in cart"
    );
    assert_eq!((pair.of_second, pair.confidence_of_first), (1, 1.0));
}

#[test]
fn without_components_each_member_is_one() {
    let (metadata, owners) = (metadata(SHOP, false), Owners::read("crates/cart cart-people\n"));
    let found = structure(&Sources { monolith: None, history: None, ..sources(&metadata, &[], &owners) })
        .expect("all there");
    assert_eq!(found.components.len(), SHOP.len() - 1, "one crate is of others");
    assert!(found.programs.iter().all(|program| program.role == Role::Component));
    assert_eq!(found.notes.len(), 3, "{:?}", found.notes);
    assert!(found.notes[1].starts_with("CODEOWNERS:1 is skipped"), "{:?}", found.notes);
}

#[test]
fn names_that_are_not_there_are_all_reported() {
    let (metadata, owners) = (metadata(SHOP, true), Owners::default());
    let wrong = |of: &[&str], monolith: &str| {
        let assigned = assignments(of);
        let monolith = Some(Monolith { of_crate: monolith, program: None });
        structure(&Sources { monolith, ..sources(&metadata, &assigned, &owners) }).expect_err("a wrong name")
    };
    let StructureError::Assignments(errors) = wrong(&["kart=a", "cart=a", "cart=b", "journal=c"], "shop")
    else {
        panic!("names of crates")
    };
    assert_eq!(
        errors,
        [
            AssignmentError::UnknownCrate { name: "kart".into() },
            AssignmentError::AssignedTwice { name: "cart".into(), first: "a".into(), second: "b".into() },
            AssignmentError::UnknownCrate { name: "journal".into() },
        ]
    );
    assert_eq!(wrong(&["cart=a"], "shopp"), StructureError::UnknownMonolith("shopp".into()));
    assert_eq!(wrong(&["cart=a"], "floor"), StructureError::NoProgram("floor".into()));
    for text in ["cart", "=a", "cart=", ""] {
        assert!(text.parse::<Assignment>().is_err_and(|why| why.contains("crate=component")), "{text}");
    }
}

/// What of a document does not fit the schema.
fn faults(document: &Value) -> Vec<String> {
    let schema = schema::structure();
    let validator = jsonschema::draft202012::new(&schema).expect("a valid schema");
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn documents_fit_the_schema_and_others_do_not() {
    let document = json!(shop());
    assert_eq!(faults(&document), [""; 0]);
    for key in document.as_object().expect("a table").keys() {
        let mut without = document.clone();
        without.as_object_mut().expect("a table").remove(key);
        assert_eq!(faults(&without).len(), 1, "without {key}");
    }
    let mut wrong = document;
    wrong["programs"][0]["role"] = json!("perhaps");
    assert_eq!(faults(&wrong).len(), 1);
}

#[test]
fn the_committed_schema_is_this() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/structure.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == format!("{:#}\n", schema::structure()),
        "write it again: cleave schema structure > lab/delivery/schema/structure.json"
    );
}
