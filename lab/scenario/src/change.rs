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
    /// How often the edit is made and built.
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
                "probe: `{}` is no path; write for example probe = {{ path = \"/v1/users/x/photos\", shows = \"text\" }}",
                self.probe.path
            ));
        }
        if self.probe.shows.is_empty() {
            diagnostics.push(
                "probe: every answer contains nothing; write what only the new one contains".to_owned(),
            );
        }
        if !(1..=MAX_BUILDS).contains(&self.builds) {
            diagnostics.push(format!("builds: {} is out of range; write 1 to {MAX_BUILDS}", self.builds));
        }
        diagnostics
    }

    /// The files that the patch changes, as they are afterwards.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let lines = self.patch.lines().filter_map(|line| line.strip_prefix("+++ "));
        let names = lines.map(|name| name.split('\t').next().unwrap_or(name).trim_end());
        names.filter(|name| *name != "/dev/null").map(|name| name.strip_prefix("b/").unwrap_or(name))
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
        assert_eq!(change(patch, "/").files().collect::<Vec<_>>(), ["services/feed/src/lib.rs"]);
        let plain = "--- old/x.rs\t2026-01-01\n+++ x.rs\t2026-01-02\n";
        assert_eq!(change(plain, "/").files().collect::<Vec<_>>(), ["x.rs"]);
        assert_eq!(change(patch, "/").diagnostics(), [""; 0]);
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
    }
}
