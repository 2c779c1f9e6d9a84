//! What a feature costs the default build: nothing. Heavy crates come with the feature that needs them, and not before.

use std::collections::BTreeSet;
use std::process::Command;

/// A line for each crate that a build of `cleave` compiles.
fn lines_of_build(format: &str, features: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--package", "lab@0.1.0", "--edges", "normal,build"])
        .args(["--prefix", "none", "--format", format])
        .args(features)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names are text");
    let lines = text.lines().map(|line| line.trim_end_matches(" (*)").trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

/// Names of the crates that a build of `cleave` compiles.
fn crates_of_build(features: &[&str]) -> BTreeSet<String> {
    lines_of_build("{lib}", features).into_iter().collect()
}

/// The features of one of our crates in a build of `cleave`.
fn features_in_build(name: &str, features: &[&str]) -> String {
    let lines = lines_of_build("{lib} {f}", features);
    let found = lines.iter().find_map(|line| match line.split_once(' ') {
        Some((found, features)) => (found == name).then(|| features.to_owned()),
        None => (line == name).then(String::new),
    });
    found.unwrap_or_else(|| panic!("no crate {name} in the build"))
}

/// Checks that a feature brings these crates, and the default build has none of them, nor any whose name contains `part`.
fn check_feature(feature: &str, brings: &[&str], part: &str) {
    let (default, with_it) = (crates_of_build(&[]), crates_of_build(&["--features", feature]));
    assert!(default.len() > 200, "the program has more crates than {}", default.len());
    assert!(default.is_subset(&with_it), "a feature adds");
    let added: BTreeSet<&String> = with_it.difference(&default).collect();
    for name in brings {
        assert!(added.iter().any(|added| added == name), "{name} comes with `{feature}`: {added:?}");
    }
    let early: Vec<&String> = default.iter().filter(|name| name.contains(part)).collect();
    assert!(early.is_empty(), "{early:?} in the default build");
}

#[test]
fn the_default_build_has_no_crate_of_a_database_server() {
    let brings = ["postgres_server", "postgres_protocol", "postgres_types", "tokio_postgres", "stringprep"];
    check_feature("postgres", &brings, "postgres");
}

#[test]
fn the_default_build_has_no_crate_of_a_broker() {
    check_feature("nats", &["nats_server", "async_nats", "tryhard"], "nats");
}

#[test]
fn the_default_build_has_no_response_cache() {
    check_feature("response-cache", &[], "moka");
    assert_eq!(features_in_build("gateway", &[]), "");
    assert_eq!(features_in_build("gateway", &["--features", "response-cache"]), "response-cache");
}

#[test]
fn the_default_build_has_no_tls() {
    check_feature("tls", &["ring", "rustls", "tokio_rustls", "webpki"], "rustls");
    let other: Vec<String> =
        crates_of_build(&["--features", "tls"]).into_iter().filter(|name| name.contains("aws_lc")).collect();
    assert!(other.is_empty(), "{other:?}: ring is enough");
    assert_eq!(features_in_build("transport", &[]), "");
    assert_eq!(features_in_build("transport", &["--features", "tls"]), "tls");
}
