//! An edit of the application's source that is built before the load and deployed under it.

use schemars::JsonSchema;
use serde::Deserialize;

/// Most builds of one run: each takes seconds to minutes.
pub(crate) const MAX_BUILDS: u32 = 25;

/// `[change]`: an edit, and how its behaviour is recognised.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The edit as a unified diff; its paths begin at the root of the source tree.
    pub patch: String,
    /// How its behaviour is recognised.
    pub probe: Probe,
    /// Builds that are timed, an odd number: the edit is made and taken back in turns, and is there in the end.
    #[serde(default = "default_builds")]
    #[schemars(range(min = 1, max = MAX_BUILDS))]
    pub builds: u32,
}

/// A request whose answer shows which behaviour is served.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Path at the public port, asked for by `GET` and without an account.
    pub path: String,
    /// What the answer contains once the edit is served, and not before.
    pub shows: String,
}

const fn default_builds() -> u32 {
    5
}

impl Change {
    /// What is wrong with it, each sentence with the key first.
    pub fn diagnostics(&self) -> Vec<String> {
        let mut diagnostics = Vec::new();
        if self.files().next().is_none() {
            diagnostics.push(
                "patch: no file is changed; write a unified diff, as `git diff` prints it, between triple quotes"
                    .to_owned(),
            );
        }
        if !self.probe.path.starts_with('/') || self.probe.path.contains(char::is_whitespace) {
            diagnostics.push(format!(
                "probe: invalid path `{}`: expected one below the public URL, e.g. probe = {{ path = \"/v1/users/x/photos\", shows = \"text\" }}",
                self.probe.path
            ));
        }
        if self.probe.shows.is_empty() {
            diagnostics.push(
                "probe: `shows` is empty, and so every answer contains it; write a text that only the new answer contains"
                    .to_owned(),
            );
        }
        if !(1..=MAX_BUILDS).contains(&self.builds) || self.builds.is_multiple_of(2) {
            diagnostics.push(format!(
                "builds: invalid number {}: expected an odd one, so that the edit is in place at the end, from 1 to {MAX_BUILDS}",
                self.builds
            ));
        }
        diagnostics
    }

    /// The files that the patch changes, as they are called afterwards; those that it deletes, as they were.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let (mut files, mut old) = (Vec::new(), None);
        let mut lines = self.patch.lines();
        while let Some(line) = lines.next() {
            if let Some((before, after)) = hunk_lengths(line) {
                skip_hunk(&mut lines, before, after);
            } else if let Some(text) = line.strip_prefix("--- ") {
                old = file_name(text, "a/");
            } else if let Some(text) = line.strip_prefix("+++ ") {
                files.extend(file_name(text, "b/").or(old.take()));
            }
        }
        files.into_iter()
    }
}

/// The name in a line of a file's header; none for the side on which it is not there.
fn file_name<'a>(text: &'a str, side: &str) -> Option<&'a str> {
    let name = text.split('\t').next().unwrap_or(text).trim_end();
    (name != "/dev/null").then(|| name.strip_prefix(side).unwrap_or(name))
}

/// Lines of a hunk before and after, by its header: `@@ -53,5 +53,5 @@`. One that is not written is 1.
fn hunk_lengths(line: &str) -> Option<(u32, u32)> {
    let (before, after) = line.strip_prefix("@@ -")?.split_once(" @@")?.0.split_once(" +")?;
    let length = |range: &str| range.split_once(',').map_or(Some(1), |(_, length)| length.parse().ok());
    Some((length(before)?, length(after)?))
}

/// Passes over the lines of a hunk, whatever they look like.
fn skip_hunk<'a>(lines: &mut impl Iterator<Item = &'a str>, mut before: u32, mut after: u32) {
    while before > 0 || after > 0 {
        let Some(line) = lines.next() else { return };
        match line.as_bytes().first() {
            Some(b'-') => before = before.saturating_sub(1),
            Some(b'+') => after = after.saturating_sub(1),
            // "\ No newline at end of file"
            Some(b'\\') => {}
            _ => (before, after) = (before.saturating_sub(1), after.saturating_sub(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(patch: &str, path: &str) -> Change {
        let probe = Probe { path: path.into(), shows: "new".into() };
        Change { patch: patch.into(), probe, builds: 3 }
    }

    #[test]
    fn a_patch_names_its_files() {
        let patch = "diff --git a/x b/x\n--- a/x\n+++ b/services/feed/src/lib.rs\n@@ -1 +1 @@\n-a\n+b\n--- a/gone\n+++ /dev/null\n";
        let files = change(patch, "/");
        assert_eq!(files.files().collect::<Vec<_>>(), ["services/feed/src/lib.rs", "gone"]);
        let plain = "--- old/x.rs\t2026-01-01\n+++ x.rs\t2026-01-02\n";
        assert_eq!(change(plain, "/").files().collect::<Vec<_>>(), ["x.rs"]);
        assert_eq!(change(patch, "/").diagnostics(), [""; 0]);
    }

    #[test]
    fn a_line_that_looks_like_a_files_header_is_none_within_a_hunk() {
        let patch = "--- a/x.md\n+++ b/x.md\n@@ -1,2 +1,2 @@ title\n--- old\n+++ new\n same\n\\ No newline at end of file\n--- a/y.rs\n+++ b/y.rs\n@@ -3 +3 @@\n-a\n+b\n";
        assert_eq!(change(patch, "/").files().collect::<Vec<_>>(), ["x.md", "y.rs"]);
    }

    #[test]
    fn a_patch_that_deletes_a_file_changes_it() {
        let deletion = change("--- a/services/feed/src/old.rs\n+++ /dev/null\n@@ -1 +0,0 @@\n-text\n", "/");
        assert_eq!(deletion.files().collect::<Vec<_>>(), ["services/feed/src/old.rs"]);
        assert_eq!(deletion.diagnostics(), [""; 0]);
    }

    #[test]
    fn what_could_not_be_built_or_seen_is_refused() {
        let starts = |change: &Change| -> Vec<String> {
            change.diagnostics().iter().filter_map(|text| Some(text.split_once(':')?.0.to_owned())).collect()
        };
        assert_eq!(starts(&change("no diff", "/")), ["patch"]);
        assert_eq!(starts(&change("+++ b/x\n", "v1/users")), ["probe"]);
        let nothing = Change { builds: 0, ..change("+++ b/x\n", "/") };
        let nothing = Change { probe: Probe { shows: String::new(), ..nothing.probe }, ..nothing };
        assert_eq!(starts(&nothing), ["probe", "builds"]);
        let even = Change { builds: 4, ..change("+++ b/x\n", "/") };
        assert_eq!(starts(&even), ["builds"], "the edit would be taken back in the end");
    }
}
