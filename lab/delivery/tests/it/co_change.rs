//! Which components changed together.

use delivery::co_change::{CoChange, Pair};
use delivery::commits::{Commit, read};

/// A log as git prints it.
const LOG: &str = "\0c4\n\nM\ta/lib.rs\nM\tb/lib.rs\n\0c3\n\nM\ta/lib.rs\nM\tREADME.md\n\0c2\n\nM\tREADME.md\n\
                   \0c1\n\nA\ta/1\nA\ta/2\nA\tb/1\nD\tc/1\n";

fn component_of(path: &str) -> Option<usize> {
    ["a/", "b/", "c/"].iter().position(|folder| path.starts_with(folder))
}

#[test]
fn a_log_is_read_commit_by_commit() {
    let commits = read(LOG);
    assert_eq!(commits.iter().map(|commit| commit.id.as_str()).collect::<Vec<_>>(), ["c4", "c3", "c2", "c1"]);
    assert_eq!(commits[0].files, ["a/lib.rs", "b/lib.rs"]);
    assert_eq!(read(""), [] as [Commit; 0]);
    // A commit without files, as one that only records something.
    assert_eq!(read("\0c1\n\0c2\n\nM\ta\n")[0].files, [""; 0]);
}

#[test]
fn quoted_paths_are_as_they_are_on_the_disk() {
    let log = "\0c\n\nM\t\"a \\\"b\\\".rs\"\nM\t\"tab\\there\"\nA\t\"caf\\303\\251\"\nM\tplain name\n";
    let files = &read(log)[0].files;
    assert_eq!(files, &["a \"b\".rs", "tab\there", "café", "plain name"]);
}

/// Files of the commits of a log, the newest first.
fn files(log: &str) -> Vec<Vec<String>> {
    read(log).into_iter().map(|commit| commit.files).collect()
}

#[test]
fn a_file_that_was_moved_is_followed_into_the_commits_before() {
    let log = "\0c5\n\nM\tlib/a.rs\n\0c4\n\nR100\tcrates/a.rs\tlib/a.rs\n\0c3\n\nM\tcrates/a.rs\n\
               \0c2\n\nR100\tfirst/a.rs\tcrates/a.rs\n\0c1\n\nA\tfirst/a.rs\n";
    assert_eq!(
        files(log),
        [
            &["lib/a.rs"][..],
            &["crates/a.rs", "lib/a.rs"],
            &["lib/a.rs"],
            &["first/a.rs", "lib/a.rs"],
            &["lib/a.rs"]
        ]
    );
    // Both crates are touched by what moves a file from one to the other.
    let found = CoChange::of(&read("\0c1\n\nR100\ta/x.rs\tb/x.rs\n"), 3, 3, component_of);
    assert_eq!(found.pairs, [Pair { first: 0, second: 1, together: 1 }]);
}

#[test]
fn another_file_of_the_same_path_is_not_the_one_that_was_moved() {
    // Two files swap their paths; before that, the path of one was another file's.
    let log = "\0c3\n\nR100\ta/x\tb/x\nR100\tb/x\ta/x\n\0c2\n\nA\ta/x\nM\tb/x\n\0c1\n\nD\ta/x\n";
    assert_eq!(files(log), [&["a/x", "b/x", "b/x", "a/x"][..], &["b/x", "a/x"], &["a/x"]]);
    // A copy leaves the other where it is.
    assert_eq!(files("\0c2\n\nC100\ta/x\tb/x\n\0c1\n\nM\ta/x\n"), [["b/x"], ["a/x"]]);
}

#[test]
fn commits_that_touch_too_much_or_no_component_are_left_out_and_counted() {
    let found = CoChange::of(&read(LOG), 3, 3, component_of);
    // c1 touches four files, c2 no component.
    assert_eq!((found.counted, found.too_large, found.of_no_component), (2, 1, 1));
    assert_eq!(found.touched, [2, 1, 0]);
    assert_eq!(found.pairs, [Pair { first: 0, second: 1, together: 1 }]);
}

#[test]
fn a_pair_counts_once_a_commit_however_many_files_it_touches() {
    let found = CoChange::of(&read(LOG), 3, 4, component_of);
    assert_eq!(found.touched, [3, 2, 1]);
    let pairs: Vec<(usize, usize, u32)> =
        found.pairs.iter().map(|pair| (pair.first, pair.second, pair.together)).collect();
    assert_eq!(pairs, [(0, 1, 2), (0, 2, 1), (1, 2, 1)]);
}
