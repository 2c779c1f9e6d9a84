//! What a feature costs the default build: nothing. Heavy crates come with the feature that needs them, and not before.

use std::collections::BTreeSet;
use std::process::Command;

/// Names of the crates that a build of `cleave` compiles.
fn crates_of_build(features: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--package", "lab@0.1.0", "--edges", "normal,build"])
        .args(["--prefix", "none", "--format", "{lib}"])
        .args(features)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names are text");
    text.lines()
        .map(|line| line.trim_end_matches(" (*)").trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn the_default_build_has_no_crate_of_a_database_server() {
    let (default, with_postgres) = (crates_of_build(&[]), crates_of_build(&["--features", "postgres"]));
    assert!(default.len() > 200, "the program has more crates than {}", default.len());
    assert!(default.is_subset(&with_postgres), "a feature adds");
    let added: BTreeSet<&String> = with_postgres.difference(&default).collect();
    for name in ["postgres_server", "postgres_protocol", "postgres_types", "tokio_postgres", "stringprep"] {
        assert!(added.iter().any(|added| *added == name), "{name} comes with the feature: {added:?}");
    }
    let early: Vec<&String> = default.iter().filter(|name| name.contains("postgres")).collect();
    assert!(early.is_empty(), "{early:?} in the default build");
}
