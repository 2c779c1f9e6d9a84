//! `cleave structure` on a workspace of a test, with a repository and without one.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cleave::Cleave;

/// Runs git in a folder, as an author whom no setting names.
pub fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"];
    let status = Command::new("git").current_dir(folder).args(identity).args(arguments).status();
    assert!(status.expect("git is installed").success(), "{arguments:?}");
}

pub fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("below the root")).expect("ours");
    fs::write(path, text).expect("ours");
}

/// A workspace of two services and what both stand on. `cart` is a program, and `billing` one that is built from `cart`.
fn shop() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let root = folder.path();
    write(
        root,
        "Cargo.toml",
        "[workspace]\nresolver = \"2\"\nmembers = [\"cart\", \"billing\", \"floor\"]\n",
    );
    for (name, dependencies) in [
        ("floor", ""),
        ("cart", "floor = { path = \"../floor\" }"),
        ("billing", "cart = { path = \"../cart\" }"),
    ] {
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\n{dependencies}\n"
        );
        write(root, &format!("{name}/Cargo.toml"), &manifest);
        write(root, &format!("{name}/src/lib.rs"), "");
        if name != "floor" {
            write(root, &format!("{name}/src/main.rs"), "fn main() {}\n");
        }
    }
    write(root, "CODEOWNERS", "* @all\n/cart/ @cart\n/billing/src/ @billing\n");
    folder
}

pub fn structure(shop: &Path, arguments: &[&str]) -> Value {
    let cleave = Cleave::shared();
    let manifest = shop.join("Cargo.toml");
    let manifest = manifest.to_str().expect("UTF-8");
    let output =
        cleave.run(&[&["structure", "--output", "json", "--manifest", manifest], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a document")
}

#[test]
fn a_workspace_has_its_dependencies_owners_and_history() {
    let shop = shop();
    let root = shop.path();
    git(root, &["init", "--quiet"]);
    git(root, &["add", "."]);
    git(root, &["commit", "--quiet", "--message", "all of it"]);
    for (number, files) in
        [&["cart/src/lib.rs", "billing/src/lib.rs"][..], &["cart/src/lib.rs"]].iter().enumerate()
    {
        for file in *files {
            write(root, file, &format!("// {number}\n"));
        }
        git(root, &["commit", "--quiet", "--all", "--message", "more"]);
    }

    let found = structure(root, &["--max-files", "5"]);
    assert_eq!((&found["members"], &found["owners_file"]), (&json!(3), &json!("CODEOWNERS")));
    let component = |name: &str| {
        let all = found["components"].as_array().expect("a list");
        all.iter().find(|of| of["component"] == name).expect("a component").clone()
    };
    let floor = component("floor");
    assert_eq!(floor["crates"][0]["rebuilt"], json!(["billing", "cart", "floor"]));
    assert_eq!(
        (&floor["owners"], &floor["owners_of_rebuilt"]),
        (&json!(["@all"]), &json!(["@billing", "@cart"]))
    );
    // Its manifest is outside src.
    assert_eq!(component("billing")["owners"], json!(["@all", "@billing"]));
    let history = &found["history"];
    assert_eq!(
        (&history["read"], &history["counted"], &history["too_large"]),
        (&json!(3), &json!(2), &json!(1))
    );
    let pairs = history["pairs"].as_array().expect("a list");
    assert_eq!(pairs.len(), 1, "{pairs:?}");
    assert_eq!(
        (&pairs[0]["first"], &pairs[0]["second"], &pairs[0]["together"]),
        (&json!("billing"), &json!("cart"), &json!(1))
    );
    assert_eq!(
        (&pairs[0]["confidence_of_second"], &pairs[0]["confidence_of_first"]),
        (&json!(1.0), &json!(0.5))
    );

    let named = structure(
        root,
        &["--components", "cart=shop,billing=shop", "--monolith", "billing", "--commits", "0"],
    );
    assert_eq!(named["components"].as_array().map(Vec::len), Some(1));
    assert_eq!((&named["history"], &named["edges"]), (&Value::Null, &json!([])));
    let roles: Vec<&Value> =
        named["programs"].as_array().expect("a list").iter().map(|of| &of["role"]).collect();
    assert_eq!(roles, ["monolith", "component"]);
}

#[test]
fn without_a_repository_the_rest_is_there_with_a_note() {
    let shop = shop();
    let found = structure(shop.path(), &[]);
    assert_eq!(found["history"], Value::Null);
    let notes = found["notes"].to_string();
    assert!(notes.contains("it is not known what changed together"), "{notes}");
    assert_eq!(found["edges"][0]["by"], json!(["cart"]));
    assert!(!shop.path().join("Cargo.lock").exists(), "nothing is written into another's source tree");
}

#[test]
fn text_is_80_columns_wide() {
    let shop = shop();
    let manifest = shop.path().to_str().expect("UTF-8");
    let cleave = Cleave::shared();
    let (code, text) = cleave.printed(&["structure", "--manifest", manifest]);
    assert_eq!(code, Some(0), "{text}");
    let wide = text.lines().find(|line| line.chars().count() > 80);
    // The path of a folder is as long as it is.
    assert!(wide.is_none_or(|line| line.contains('/')), "{text}");
    for words in ["a change in", "billing  ", "depends on cart", "@cart"] {
        assert!(text.contains(words), "no `{words}` in\n{text}");
    }
    // Two programs of one component: a change in `cart` compiles one crate of two again, and two of three.
    let arguments = ["structure", "--manifest", manifest, "--components", "cart=shop,billing=shop"];
    let (code, text) = cleave.printed(&arguments);
    assert!(code == Some(0) && text.contains("2 of 3 +1"), "{text}");
}

#[test]
fn a_change_without_a_source_tree_or_a_toolchain_is_refused() {
    let cleave = Cleave::shared();
    let refused = |code: i32, change: &dyn Fn(&mut Command)| {
        let mut command = cleave.command(&["run", "change-one-service"]);
        change(&mut command);
        let output = command.output().expect("the program starts");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(cleave.processes().is_empty() && !cleave.has_runs(), "something was started");
        text
    };
    let text = refused(2, &|_| {});
    assert!(
        text.contains("scenario `change-one-service` builds a change") && text.contains("Cargo.toml"),
        "{text}"
    );
    let text = refused(2, &|command| {
        command.env("CARGO", "/no/such/cargo");
    });
    assert!(text.contains("`/no/such/cargo` cannot be started") && text.contains("install Rust"), "{text}");
    let text = refused(2, &|command| {
        command.args(["--arms", "mono,mcro"]);
    });
    assert!(text.contains("unknown arm `mcro`") && !text.contains("Cargo.toml"), "{text}");
    let text = refused(3, &|command| {
        command.arg("--predict");
    });
    assert!(text.contains("cleave calibrate") && !text.contains("Cargo.toml"), "{text}");
    let shop = shop();
    let text = refused(2, &|command| {
        command.arg("--source").arg(shop.path());
    });
    assert!(text.contains("is not Cleave's") && text.contains("--source"), "{text}");
}
