//! Who owns a path, by the rules that GitHub documents.

use delivery::Owners;

#[track_caller]
fn check(file: &str, path: &str, expected: &[&str]) {
    assert_eq!(Owners::read(file).of(path), expected, "{path} in\n{file}");
}

#[test]
fn the_last_line_that_matches_decides() {
    let file =
        "*  @all\n/services/feed/  @feed @people # of the home feed\n\n# nothing\n*.md writers@example.org\n";
    check(file, "Cargo.toml", &["@all"]);
    check(file, "services/feed/src/lib.rs", &["@feed", "@people"]);
    check(file, "services/feed/README.md", &["writers@example.org"]);
    check("* @all\n/vendor/\n", "vendor/lib.rs", &[]);
    check("", "Cargo.toml", &[]);
}

#[test]
fn a_folder_owns_what_is_below_it() {
    check("/docs/ @d", "docs/a/b.md", &["@d"]);
    check("/docs/ @d", "other/docs/a.md", &[]);
    check("docs/ @d", "other/docs/a.md", &["@d"]);
    check("docs/ @d", "docs", &[]);
    check("/docs @d", "docs/a/b.md", &["@d"]);
    check("/docs @d", "docs", &["@d"]);
    check("services/feed @d", "services/feed/src/lib.rs", &["@d"]);
    check("services/feed @d", "old/services/feed/src/lib.rs", &[]);
}

#[test]
fn stars_stay_within_a_name_unless_there_are_two() {
    check("docs/* @d", "docs/a.md", &["@d"]);
    check("docs/* @d", "docs/more/a.md", &[]);
    check("*.rs @d", "a/b/c.rs", &["@d"]);
    check("/*.rs @d", "a/c.rs", &[]);
    check("/*.rs @d", "c.rs", &["@d"]);
    check("services/*/api/ @d", "services/feed/api/src/lib.rs", &["@d"]);
    check("services/*/api/ @d", "services/a/b/api/src/lib.rs", &[]);
    check("**/logs @d", "a/b/logs/c", &["@d"]);
    check("services/**/lib.rs @d", "services/lib.rs", &["@d"]);
    check("services/**/lib.rs @d", "services/a/b/lib.rs", &["@d"]);
    check("/docs/** @d", "docs/a/b", &["@d"]);
    check("fee?.rs @d", "feed.rs", &["@d"]);
    check("a*b*c @d", "axxbyyc", &["@d"]);
    check("a*b*c @d", "axxbyy", &[]);
}

#[test]
fn a_name_may_have_spaces() {
    check(r"/my\ folder/ @d", "my folder/a", &["@d"]);
}

#[test]
fn lines_that_are_none_are_skipped_with_their_number() {
    let owners = Owners::read("* @all\n!/docs/ @d\n[Section] @s\n*.rs alice\n");
    let lines: Vec<usize> = owners.skipped.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 3, 4]);
    assert!(owners.skipped[2].1.contains("invalid owner `alice`"), "{:?}", owners.skipped);
    assert_eq!(owners.of("src/lib.rs"), ["@all"], "the lines around them hold");
}
