//! Which crate a file belongs to: the innermost one around it.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::graph::{CrateIndex, DependencyGraph};

/// Where the root package of a repository keeps what is its own: all else in that folder may be about anything.
const ROOT_SOURCES: [&str; 5] = ["src", "tests", "benches", "examples", "build.rs"];

/// Folders of a repository and the crates that files in them belong to. Paths are relative to the root of the repository.
#[derive(Debug)]
pub struct CrateFolders {
    /// Folders of members, and of packages that are none, whose files belong to no crate: a package ends where another begins
    /// ("The Cargo Book", *the `exclude` and `include` fields*).
    folders: BTreeMap<PathBuf, Option<CrateIndex>>,
    /// Root files of targets that lie in the root of the repository itself.
    files: BTreeMap<PathBuf, CrateIndex>,
}

impl CrateFolders {
    /// The folders of the members below `root`. Packages that are no members are known from `files`.
    pub fn new(graph: &DependencyGraph, root: &Path, files: &[String]) -> Self {
        let manifests = files.iter().map(Path::new).filter(|path| path.ends_with("Cargo.toml"));
        let mut folders: BTreeMap<PathBuf, Option<CrateIndex>> =
            manifests.filter_map(|path| Some((path.parent()?.to_owned(), None))).collect();
        let below = |path: &Path| Some(normalized(path).strip_prefix(root).ok()?.to_owned());
        let members = graph.members();
        folders.extend(
            members.iter().filter_map(|index| Some((below(&graph.get(*index).folder)?, Some(*index)))),
        );
        let mut found = Self { folders, files: BTreeMap::new() };
        for index in members {
            for source in graph.get(index).sources.iter().filter_map(|source| below(source)) {
                found.add_target(source, index);
            }
        }
        found
    }

    /// A target's root file may lie where no package is around it but that of the root, such as `crates/core/main.rs`: the
    /// folder is then the target's.
    fn add_target(&mut self, source: PathBuf, index: CrateIndex) {
        let Some(folder) = source.parent() else { return };
        if folder.as_os_str().is_empty() {
            self.files.insert(source, index);
        } else if self.around(folder).is_none_or(|(around, _)| around.as_os_str().is_empty()) {
            self.folders.insert(folder.to_owned(), Some(index));
        }
    }

    /// The innermost folder that is known, from a folder outwards, and its crate.
    fn around<'p>(&self, folder: &'p Path) -> Option<(&'p Path, Option<CrateIndex>)> {
        folder.ancestors().find_map(|folder| Some((folder, *self.folders.get(folder)?)))
    }

    /// The crate that a file belongs to.
    pub fn of_path(&self, path: &str) -> Option<CrateIndex> {
        let path = Path::new(path);
        if let Some(index) = self.files.get(path) {
            return Some(*index);
        }
        let (folder, index) = self.around(path.parent()?)?;
        let is_at_root = folder.as_os_str().is_empty();
        let is_own = || path.iter().next().is_some_and(|first| ROOT_SOURCES.iter().any(|own| first == *own));
        index.filter(|_| !is_at_root || is_own())
    }
}

/// A path without `..`, which cargo leaves in the paths of targets as manifests have them.
fn normalized(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}
