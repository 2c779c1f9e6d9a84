//! A small workspace, as `cargo metadata` prints it.

use delivery::Metadata;
use serde_json::{Value, json};

/// A dependency: the kind is none, `dev` or `build`.
pub type Dependency = (&'static str, Option<&'static str>);

/// A package with the kinds of its targets and its dependencies.
pub type Package = (&'static str, &'static [&'static str], &'static [Dependency]);

/// A shop: `cart` and `billing` are services with contracts, `shop` is the whole, `floor` is below all of them, `stamp`
/// makes code for `floor`, and `journal` is a crate of others that is built with `clock`, a member.
pub const SHOP: &[Package] = &[
    ("billing", &["lib", "bin", "test"], &[("billing-api", None), ("cart-api", None), ("floor", None)]),
    ("billing-api", &["lib"], &[("floor", None)]),
    ("cart", &["lib", "bin", "test"], &[("cart-api", None), ("journal", None), ("workbench", Some("dev"))]),
    ("cart-api", &["lib"], &[("floor", None)]),
    ("clock", &["lib"], &[]),
    ("floor", &["lib", "custom-build"], &[("stamp", Some("build"))]),
    ("journal", &["lib"], &[("clock", None)]),
    ("shop", &["lib", "bin"], &[("cart", None), ("billing", None)]),
    ("stamp", &["lib"], &[]),
    ("workbench", &["lib"], &[("floor", None)]),
];

/// A crate of others.
const FOREIGN: &str = "journal";

fn id(name: &str) -> String {
    format!("path+file:///shop/crates/{name}#1.0.0")
}

fn target(package: &str, kind: &str) -> Value {
    let file = match kind {
        "bin" => "src/main.rs",
        "test" => "tests/it/main.rs",
        "custom-build" => "build.rs",
        _ => "src/lib.rs",
    };
    json!({
        "name": package,
        "kind": [kind],
        "src_path": format!("/shop/crates/{package}/{file}"),
        "test": kind != "custom-build" && kind != "bin",
    })
}

/// A workspace; resolved, or with what the manifests declare alone.
pub fn metadata(packages: &[Package], is_resolved: bool) -> Metadata {
    let written = packages.iter().filter(|(name, ..)| is_resolved || *name != FOREIGN);
    let package = |(name, kinds, dependencies): &Package| {
        let declared = dependencies.iter().map(|(of, kind)| match *of {
            FOREIGN => json!({ "name": of, "kind": kind, "optional": false }),
            of => {
                json!({ "name": of, "kind": kind, "optional": false, "path": format!("/shop/crates/{of}") })
            }
        });
        json!({
            "id": id(name),
            "name": name,
            "version": "1.0.0",
            "manifest_path": format!("/shop/crates/{name}/Cargo.toml"),
            "targets": kinds.iter().map(|kind| target(name, kind)).collect::<Vec<_>>(),
            "dependencies": declared.collect::<Vec<_>>(),
        })
    };
    let node = |(name, _, dependencies): &Package| {
        let used = dependencies
            .iter()
            .map(|(of, kind)| json!({ "name": of, "pkg": id(of), "dep_kinds": [{ "kind": kind, "target": null }] }));
        json!({ "id": id(name), "deps": used.collect::<Vec<_>>() })
    };
    let members = packages.iter().filter(|(name, ..)| *name != FOREIGN).map(|(name, ..)| id(name));
    let resolve = is_resolved.then(|| json!({ "nodes": packages.iter().map(node).collect::<Vec<_>>() }));
    let document = json!({
        "packages": written.map(package).collect::<Vec<_>>(),
        "workspace_members": members.collect::<Vec<_>>(),
        "workspace_root": "/shop",
        "resolve": resolve,
        "version": 1,
    });
    Metadata::read(document.to_string().as_bytes()).expect("as cargo prints it")
}
