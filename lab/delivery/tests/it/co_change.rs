//! Which components changed together.

use delivery::co_change::{CoChange, Pair};
use delivery::commits::{Commit, read};

/// A log as git prints it.
const LOG: &str = "\0c4\n\na/lib.rs\nb/lib.rs\n\0c3\n\na/lib.rs\nREADME.md\n\0c2\n\nREADME.md\n\0c1\n\na/1\na/2\nb/1\nc/1\n";

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
    assert_eq!(read("\0c1\n\0c2\n\na\n")[0].files, [""; 0]);
}

#[test]
fn quoted_paths_are_as_they_are_on_the_disk() {
    let files = &read("\0c\n\n\"a \\\"b\\\".rs\"\n\"tab\\there\"\n\"caf\\303\\251\"\nplain name\n")[0].files;
    assert_eq!(files, &["a \"b\".rs", "tab\there", "café", "plain name"]);
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
