//! Which crate a file belongs to: the innermost one around it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::graph::{CrateIndex, DependencyGraph};

/// Where the root package of a repository keeps what is its own: all else in that folder may be about anything.
const ROOT_SOURCES: [&str; 5] = ["src", "tests", "benches", "examples", "build.rs"];

/// The folders of a workspace's members, relative to the root of the repository.
#[derive(Debug)]
pub struct CrateFolders(BTreeMap<PathBuf, CrateIndex>);

impl CrateFolders {
    /// The folders of the members below `root`.
    pub fn new(graph: &DependencyGraph, root: &Path) -> Self {
        let members = graph.members().into_iter();
        let below = |index: CrateIndex| {
            let folder = graph.get(index).folder.strip_prefix(root).ok()?;
            Some((folder.to_owned(), index))
        };
        Self(members.filter_map(below).collect())
    }

    /// The crate that a file belongs to.
    pub fn of_path(&self, path: &str) -> Option<CrateIndex> {
        let path = Path::new(path);
        let (folder, index) =
            path.ancestors().skip(1).find_map(|folder| Some((folder, *self.0.get(folder)?)))?;
        let is_at_root = folder.as_os_str().is_empty();
        let is_own = || path.iter().next().is_some_and(|first| ROOT_SOURCES.iter().any(|own| first == *own));
        (!is_at_root || is_own()).then_some(index)
    }
}
