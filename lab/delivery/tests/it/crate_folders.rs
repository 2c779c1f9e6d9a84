//! Which crate a file belongs to, in repositories as they are found.

use std::path::Path;

use delivery::Metadata;
use delivery::crate_folders::CrateFolders;
use delivery::graph::DependencyGraph;
use serde_json::json;

/// The crate of each path in a repository at `/r` with these members (name, folder, root files of targets) and these files.
#[track_caller]
fn check(members: &[(&str, &str, &[&str])], files: &[&str], expected: &[(&str, Option<&str>)]) {
    let package = |(name, folder, sources): &(&str, &str, &[&str])| {
        let targets =
            sources.iter().map(|source| json!({ "name": name, "kind": ["lib"], "src_path": source }));
        json!({
            "id": name,
            "name": name,
            "version": "1.0.0",
            "manifest_path": format!("{folder}/Cargo.toml"),
            "targets": targets.collect::<Vec<_>>(),
        })
    };
    let document = json!({
        "packages": members.iter().map(package).collect::<Vec<_>>(),
        "workspace_members": members.iter().map(|(name, ..)| name).collect::<Vec<_>>(),
        "workspace_root": "/r",
    });
    let metadata = Metadata::read(document.to_string().as_bytes()).expect("as cargo prints it");
    let graph = DependencyGraph::of(&metadata);
    let files: Vec<String> = files.iter().map(|path| (*path).to_owned()).collect();
    let folders = CrateFolders::new(&graph, Path::new("/r"), &files);
    for (path, name) in expected {
        let found = folders.of_path(path).map(|index| graph.get(index).name.as_str());
        assert_eq!(found, *name, "{path}");
    }
}

#[test]
fn a_file_is_of_the_innermost_crate_around_it() {
    check(
        &[
            ("feed", "/r/feed", &["/r/feed/src/lib.rs"]),
            ("feed-api", "/r/feed/api", &["/r/feed/api/src/lib.rs"]),
        ],
        &["Cargo.toml", "feed/Cargo.toml", "feed/api/Cargo.toml"],
        &[
            ("feed/src/store.rs", Some("feed")),
            ("feed/README.md", Some("feed")),
            ("feed/api/src/lib.rs", Some("feed-api")),
            ("Cargo.toml", None),
            ("docs/feed/x.md", None),
        ],
    );
}

#[test]
fn a_package_that_is_no_member_ends_the_crate_around_it() {
    // As `cargo fuzz init` makes it: a workspace of its own within the crate.
    check(
        &[("feed", "/r/feed", &["/r/feed/src/lib.rs"])],
        &["feed/Cargo.toml", "feed/fuzz/Cargo.toml", "feed/fuzz/targets/one.rs"],
        &[("feed/fuzz/targets/one.rs", None), ("feed/src/lib.rs", Some("feed"))],
    );
}

#[test]
fn of_a_crate_at_the_root_are_its_sources_alone() {
    check(
        &[("all", "/r", &["/r/src/lib.rs", "/r/build.rs"]), ("cart", "/r/crates/cart", &[])],
        &["Cargo.toml", "crates/cart/Cargo.toml"],
        &[
            ("src/deep/in.rs", Some("all")),
            ("tests/it/main.rs", Some("all")),
            ("build.rs", Some("all")),
            ("docs/x.md", None),
            ("Cargo.toml", None),
            ("crates/cart/src/lib.rs", Some("cart")),
        ],
    );
}

#[test]
fn sources_elsewhere_are_of_the_crate_whose_target_they_are() {
    // The root package has its program in a folder among those of members, and its library at the root itself.
    check(
        &[
            ("all", "/r", &["/r/crates/core/main.rs", "/r/lib.rs"]),
            ("cart", "/r/crates/cart", &["/r/crates/cart/src/lib.rs", "/r/crates/cart/../../shared/cart.rs"]),
            ("till", "/r/crates/till", &["/r/crates/cart/src/till.rs"]),
        ],
        &["Cargo.toml", "crates/cart/Cargo.toml", "crates/till/Cargo.toml"],
        &[
            ("crates/core/flags/parse.rs", Some("all")),
            ("lib.rs", Some("all")),
            ("crates/README.md", None),
            ("shared/cart.rs", Some("cart")),
            ("crates/cart/src/till.rs", Some("cart")),
        ],
    );
}
