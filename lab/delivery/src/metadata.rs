//! What `cargo metadata --format-version 1` prints, as far as it is used here ("The Cargo Book", *cargo metadata*).

use std::path::PathBuf;

use serde::Deserialize;

/// The packages of a workspace, and how they depend on each other.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    /// Every package; with `--no-deps` the members alone.
    pub(crate) packages: Vec<Package>,
    /// Ids of the members.
    pub(crate) workspace_members: Vec<String>,
    /// How dependencies were resolved; absent with `--no-deps`.
    #[serde(default)]
    pub(crate) resolve: Option<Resolve>,
    /// Folder of the workspace's manifest.
    pub workspace_root: PathBuf,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub id: String,
    pub name: String,
    pub version: String,
    pub manifest_path: PathBuf,
    #[serde(default)]
    pub targets: Vec<Target>,
    #[serde(default)]
    pub dependencies: Vec<DeclaredDependency>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub name: String,
    /// `lib`, `bin`, `test`, `custom-build` and others.
    pub kind: Vec<String>,
    pub src_path: PathBuf,
    /// Whether `cargo test` builds and runs it.
    #[serde(default)]
    pub test: bool,
}

/// A dependency as a manifest declares it.
#[derive(Debug, Deserialize)]
pub(crate) struct DeclaredDependency {
    /// `None` for a normal one, else `dev` or `build`.
    pub kind: Option<String>,
    /// Folder of the package, where it is given by its path.
    #[serde(default)]
    pub path: Option<PathBuf>,
    #[serde(default)]
    pub optional: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Resolve {
    pub nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    pub id: String,
    pub deps: Vec<NodeDependency>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct NodeDependency {
    /// Id of the package.
    pub pkg: String,
    pub dep_kinds: Vec<DependencyKind>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct DependencyKind {
    /// `None` for a normal one, else `dev` or `build`.
    pub kind: Option<String>,
}

/// A text that is not the output of `cargo metadata`.
#[derive(Debug, thiserror::Error)]
#[error("the output of `cargo metadata --format-version 1` cannot be read")]
pub struct MetadataError(#[from] serde_json::Error);

impl Metadata {
    /// Reads what `cargo metadata --format-version 1` printed.
    ///
    /// # Errors
    /// When it is not that.
    pub fn read(json: &[u8]) -> Result<Self, MetadataError> {
        Ok(serde_json::from_slice(json)?)
    }

    /// Names of the members, sorted.
    pub fn members(&self) -> Vec<&str> {
        let is_member = |package: &&Package| self.workspace_members.contains(&package.id);
        let mut names: Vec<&str> =
            self.packages.iter().filter(is_member).map(|package| package.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// The name of the package of an id, as cargo's messages have it.
    pub fn name_of(&self, id: &str) -> Option<&str> {
        self.packages.iter().find(|package| package.id == id).map(|package| package.name.as_str())
    }

    /// Whether dependencies are as cargo resolved them; otherwise they are as the manifests declare them.
    pub fn is_resolved(&self) -> bool {
        self.resolve.is_some()
    }
}
