//! `cleave structure` on a workspace as others have them, against what cargo and git make of it: members by a pattern and one left
//! out, a renamed dependency and one of the same name elsewhere, dependencies of tests and of build scripts, an optional one, a
//! repository around it with a crate that was moved, a merge, and a clone that was cut.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::structure::{git, structure, write};

/// Folder and name of each package, and its dependencies. The workspace is in `ws`.
const PACKAGES: &[(&str, &str, &str)] = &[
    ("ws/crates/floor", "floor", ""),
    ("ws/crates/workbench", "workbench", "[dependencies]\nfloor.path = \"../floor\""),
    ("ws/crates/till", "till", ""),
    ("ws/crates/stamp", "stamp", ""),
    (
        "ws/crates/basket",
        "cart",
        "[dependencies]\nground = { package = \"floor\", path = \"../floor\" }\n\
         foreign = { package = \"floor\", path = \"../../../outside\" }\n\
         till = { path = \"../till\", optional = true }\n\
         [dev-dependencies]\nworkbench.path = \"../workbench\"",
    ),
    (
        "ws/crates/billing",
        "billing",
        "[dependencies]\ncart.path = \"../basket\"\n[build-dependencies]\nstamp.path = \"../stamp\"",
    ),
    // Matches the pattern of members, and is none.
    ("ws/crates/old", "old", "[dependencies]\nfloor.path = \"../floor\"\n[workspace]"),
    ("outside", "floor", ""),
];

fn package(root: &Path, folder: &str, name: &str, dependencies: &str) {
    let version = if folder == "outside" { "9.0.0" } else { "0.1.0" };
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\n{dependencies}\n"
    );
    write(root, &format!("{folder}/Cargo.toml"), &manifest);
    write(root, &format!("{folder}/src/lib.rs"), &format!("// {folder}\n"));
}

/// The repository, with five commits and a merge.
fn repository() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let root = folder.path();
    let workspace = "[workspace]\nresolver = \"2\"\nmembers = [\"crates/*\"]\nexclude = [\"crates/old\"]\n";
    write(root, "ws/Cargo.toml", workspace);
    for (folder, name, dependencies) in PACKAGES {
        package(root, folder, name, dependencies);
    }
    write(root, "ws/crates/basket/src/main.rs", "fn main() {}\n");
    write(root, "ws/crates/billing/build.rs", "fn main() {}\n");
    write(root, "ws/crates/floor/fuzz/Cargo.toml", "[package]\nname = \"fuzz\"\n[workspace]\n");
    write(
        root,
        ".github/CODEOWNERS",
        "* @all\n/ws/crates/*/src/ @sources\nws/crates/floor/** @floor\n!/ws/crates/till/ @none\n",
    );
    git(root, &["init", "--quiet"]);
    let commit = |message: &str| {
        git(root, &["add", "."]);
        git(root, &["commit", "--quiet", "--message", message]);
    };
    commit("all of it");
    write(root, "ws/crates/basket/src/lib.rs", "// changed with the floor\n");
    write(root, "ws/crates/floor/src/lib.rs", "// changed with the cart\n");
    commit("two at once, one of which is moved later");
    git(root, &["mv", "ws/crates/basket", "ws/crates/cart"]);
    let manifest = root.join("ws/crates/billing/Cargo.toml");
    let text = std::fs::read_to_string(&manifest).expect("ours").replace("../basket", "../cart");
    std::fs::write(&manifest, text).expect("ours");
    commit("a crate is moved, and what leads to it changed");
    git(root, &["checkout", "--quiet", "-b", "side"]);
    write(root, "ws/crates/till/src/lib.rs", "// on a branch\n");
    commit("on a branch");
    git(root, &["checkout", "--quiet", "-"]);
    write(root, "ws/crates/old/src/lib.rs", "// no member\n");
    write(root, "ws/crates/floor/fuzz/one.rs", "// no member either\n");
    commit("no member");
    git(root, &["merge", "--quiet", "--no-ff", "--message", "both", "side"]);
    folder
}

/// What cargo writes itself, without a network.
fn lock(workspace: &Path) {
    let status = Command::new(env!("CARGO"))
        .args(["generate-lockfile", "--offline", "--quiet"])
        .current_dir(workspace)
        .status();
    assert!(status.expect("cargo runs this test").success());
}

fn component(found: &Value, name: &str) -> Value {
    let all = found["components"].as_array().expect("a list");
    let component = all.iter().find(|of| of["component"] == name);
    component.unwrap_or_else(|| panic!("no component {name}")).clone()
}

#[track_caller]
fn rebuilds(found: &Value, changed: &str, rebuilt: &[&str], tests: &[&str]) {
    let change = component(found, changed)["crates"][0].clone();
    assert_eq!((&change["rebuilt"], &change["tests"]), (&json!(rebuilt), &json!(tests)), "{changed}");
}

#[test]
fn dependencies_are_those_of_cargo() {
    let repository = repository();
    let workspace = repository.path().join("ws");
    for is_resolved in [true, false] {
        if is_resolved {
            lock(&workspace);
        } else {
            std::fs::remove_file(workspace.join("Cargo.lock")).expect("ours");
        }
        let found = structure(&workspace, &["--commits", "0"]);
        assert_eq!(found["dependencies"], if is_resolved { "resolved" } else { "declared" });
        let names: Vec<&str> = found["components"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|of| of["component"].as_str().expect("a name"))
            .collect();
        assert_eq!(names, ["billing", "cart", "floor", "stamp", "till", "workbench"]);
        let of_floor = ["billing", "cart", "floor", "workbench"];
        rebuilds(&found, "floor", &of_floor, &of_floor);
        rebuilds(&found, "cart", &["billing", "cart"], &["billing", "cart"]);
        rebuilds(&found, "workbench", &["workbench"], &["cart", "workbench"]);
        rebuilds(&found, "stamp", &["billing", "stamp"], &["billing", "stamp"]);
        // An optional dependency counts where nothing shows whether it is asked for.
        let of_till: &[&str] = if is_resolved { &["till"] } else { &["billing", "cart", "till"] };
        rebuilds(&found, "till", of_till, of_till);
        let notes = found["notes"].to_string();
        let expected = if is_resolved { "are not counted: 1" } else { "1 optional ones count as used" };
        assert!(notes.contains(expected), "{notes}");
    }
}

#[test]
fn owners_are_those_of_the_repository_around_it() {
    let repository = repository();
    let found = structure(&repository.path().join("ws"), &["--commits", "0"]);
    assert_eq!(found["owners_file"], ".github/CODEOWNERS");
    for (name, owners) in [
        ("floor", json!(["@floor"])),
        ("cart", json!(["@all", "@sources"])),
        ("till", json!(["@all", "@sources"])),
    ] {
        assert_eq!(component(&found, name)["owners"], owners, "{name}");
    }
    let notes = found["notes"].to_string();
    assert!(notes.contains(".github/CODEOWNERS:4 is skipped"), "{notes}");
}

#[test]
fn history_follows_a_crate_that_was_moved_and_leaves_out_what_is_none_of_it() {
    let repository = repository();
    let found = structure(&repository.path().join("ws"), &["--max-files", "8"])["history"].clone();
    let numbers = ["read", "counted", "too_large", "of_no_component"].map(|name| found[name].as_u64());
    // A merge is not read; the first commit is too large; one touches no member.
    assert_eq!(numbers, [5, 3, 1, 1].map(Some), "{found:#}");
    let pairs: Vec<_> = found["pairs"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|pair| (pair["first"].as_str(), pair["second"].as_str(), pair["together"].as_u64()))
        .collect();
    assert_eq!(
        pairs,
        [(Some("billing"), Some("cart"), Some(1)), (Some("cart"), Some("floor"), Some(1))],
        "the second is of a commit before the move"
    );
}

#[test]
fn a_clone_that_was_cut_shows_no_commit_that_made_everything() {
    let repository = repository();
    let folder = TempDir::new().expect("a folder");
    let url = format!("file://{}", repository.path().display());
    git(folder.path(), &["clone", "--quiet", "--depth", "2", &url, "cut"]);
    let found = structure(&folder.path().join("cut/ws"), &["--max-files", "1000"]);
    let history = &found["history"];
    assert_eq!((&history["is_shallow"], &history["counted"]), (&json!(true), &json!(0)), "{history:#}");
    assert_eq!(history["pairs"], json!([]));
    assert!(found["notes"].to_string().contains("history was cut"), "{}", found["notes"]);
}

#[test]
fn a_workspace_that_git_does_not_keep_has_no_owners_and_a_note() {
    let repository = repository();
    let root = repository.path();
    write(root, "scratch/Cargo.toml", "[workspace]\nmembers = [\"new\"]\n");
    package(root, "scratch/new", "new", "");
    let found = structure(&root.join("scratch"), &[]);
    assert_eq!(component(&found, "new")["owners"], json!([]));
    let notes = found["notes"].to_string();
    assert!(notes.contains("owners and history are not known of them: new"), "{notes}");
}
