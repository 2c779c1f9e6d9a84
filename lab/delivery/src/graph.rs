//! Which crates a change rebuilds, in which programs, and whose tests it selects.
//!
//! Cargo compiles a crate again when its source or a crate that it depends on was compiled again ("The Cargo Book",
//! *build cache*), so a change rebuilds its crate and everything that leads to it by normal and build dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::metadata::{DeclaredDependency, Metadata, Package};

/// A crate by its place in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CrateIndex(usize);

/// A package of the graph.
#[derive(Debug)]
pub struct Crate {
    /// Its name; with its version where it is no member, since several versions of it may be there.
    pub name: String,
    /// Folder of its manifest.
    pub folder: PathBuf,
    /// Whether it belongs to the workspace.
    pub is_member: bool,
    /// Names of its programs.
    pub programs: Vec<String>,
    /// Number of its test binaries, unit tests of libraries and programs included.
    pub test_binaries: u32,
    /// The root file of each of its targets.
    pub sources: Vec<PathBuf>,
}

impl Crate {
    fn of(package: &Package, is_member: bool) -> Self {
        let is_kind = |kind: &'static str| {
            package.targets.iter().filter(move |target| target.kind.iter().any(|of| of == kind))
        };
        let tests = package.targets.iter().filter(|target| target.test).count();
        Self {
            name: match is_member {
                true => package.name.clone(),
                false => format!("{}@{}", package.name, package.version),
            },
            folder: package.manifest_path.parent().map_or_else(PathBuf::new, Path::to_path_buf),
            is_member,
            programs: is_kind("bin").map(|target| target.name.clone()).collect(),
            test_binaries: u32::try_from(tests).unwrap_or(u32::MAX),
            sources: package.targets.iter().map(|target| target.src_path.clone()).collect(),
        }
    }
}

/// Crates whose tests a change selects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectedTests {
    /// The crates.
    pub crates: Vec<CrateIndex>,
    /// Their test binaries.
    pub binaries: u32,
}

/// The crates of a workspace and what they are built from.
#[derive(Debug)]
pub struct DependencyGraph {
    crates: Vec<Crate>,
    /// Crates that a crate is built from, by normal and build dependencies.
    uses: Vec<BTreeSet<usize>>,
    /// The same, backwards.
    used_by: Vec<BTreeSet<usize>>,
    /// Crates that only a crate's tests, examples and benches are built from.
    tests_use: Vec<BTreeSet<usize>>,
    /// Optional dependencies that count as used, since features were not resolved.
    optional: usize,
    /// Dependencies between members that are declared, and that cargo did not resolve.
    left_out: usize,
}

impl DependencyGraph {
    /// The graph of a workspace: of all its packages where dependencies were resolved, else of its members alone.
    pub fn of(metadata: &Metadata) -> Self {
        let members: BTreeSet<&str> = metadata.workspace_members.iter().map(String::as_str).collect();
        let crates: Vec<Crate> = metadata
            .packages
            .iter()
            .map(|package| Crate::of(package, members.contains(package.id.as_str())))
            .collect();
        let empty = || vec![BTreeSet::new(); crates.len()];
        let mut graph =
            Self { uses: empty(), used_by: empty(), tests_use: empty(), optional: 0, left_out: 0, crates };
        match &metadata.resolve {
            Some(_) => graph.add_resolved(metadata),
            None => graph.add_declared(metadata),
        }
        graph
    }

    fn add_resolved(&mut self, metadata: &Metadata) {
        let by_id: BTreeMap<&str, usize> =
            metadata.packages.iter().enumerate().map(|(at, package)| (package.id.as_str(), at)).collect();
        for node in metadata.resolve.iter().flat_map(|resolve| &resolve.nodes) {
            let Some(&user) = by_id.get(node.id.as_str()) else { continue };
            for dependency in &node.deps {
                let Some(&used) = by_id.get(dependency.pkg.as_str()) else { continue };
                for kind in &dependency.dep_kinds {
                    self.add(user, used, kind.kind.as_deref());
                }
            }
        }
        let is_left_out = |(user, used, dependency): &(usize, usize, &DeclaredDependency)| {
            let are_members = self.crates[*user].is_member && self.crates[*used].is_member;
            are_members && dependency.kind.as_deref() != Some("dev") && !self.uses[*user].contains(used)
        };
        self.left_out = self.declared(metadata).into_iter().filter(is_left_out).count();
    }

    fn add_declared(&mut self, metadata: &Metadata) {
        for (user, used, dependency) in self.declared(metadata) {
            self.optional += usize::from(dependency.optional);
            self.add(user, used, dependency.kind.as_deref());
        }
    }

    /// The dependencies that manifests declare by paths, each with its user and what it leads to.
    fn declared<'m>(&self, metadata: &'m Metadata) -> Vec<(usize, usize, &'m DeclaredDependency)> {
        let by_folder: BTreeMap<&Path, usize> =
            self.crates.iter().enumerate().map(|(at, of)| (of.folder.as_path(), at)).collect();
        let mut declared = Vec::new();
        for (user, package) in metadata.packages.iter().enumerate() {
            for dependency in &package.dependencies {
                let folder = dependency.path.as_deref();
                let used = folder.and_then(|folder| by_folder.get(folder));
                declared.extend(used.map(|used| (user, *used, dependency)));
            }
        }
        declared
    }

    fn add(&mut self, user: usize, used: usize, kind: Option<&str>) {
        if kind == Some("dev") {
            self.tests_use[user].insert(used);
        } else if user != used {
            self.uses[user].insert(used);
            self.used_by[used].insert(user);
        }
    }

    /// A crate.
    pub fn get(&self, index: CrateIndex) -> &Crate {
        &self.crates[index.0]
    }

    /// The members of the workspace, by name.
    pub fn members(&self) -> Vec<CrateIndex> {
        let mut members: Vec<CrateIndex> =
            (0..self.crates.len()).map(CrateIndex).filter(|index| self.get(*index).is_member).collect();
        members.sort_by(|one, other| self.get(*one).name.cmp(&self.get(*other).name));
        members
    }

    /// The member of this name.
    pub fn member(&self, name: &str) -> Option<CrateIndex> {
        self.members().into_iter().find(|index| self.get(*index).name == name)
    }

    /// The member that has a program of this name.
    pub fn of_program(&self, name: &str) -> Option<CrateIndex> {
        let has_it = |index: &CrateIndex| self.get(*index).programs.iter().any(|program| program == name);
        self.members().into_iter().find(has_it)
    }

    /// Optional dependencies between members that count as used, since features were not resolved.
    pub fn optional_dependencies(&self) -> usize {
        self.optional
    }

    /// Dependencies between members that are declared, and left out by default features or this platform.
    pub fn left_out_dependencies(&self) -> usize {
        self.left_out
    }

    /// Crates that a crate depends on directly, its tests left out.
    pub fn direct(&self, index: CrateIndex) -> impl Iterator<Item = CrateIndex> + '_ {
        self.uses[index.0].iter().map(|used| CrateIndex(*used))
    }

    /// Crates that a change in a crate rebuilds, itself included.
    pub fn rebuilt_by(&self, changed: CrateIndex) -> BTreeSet<CrateIndex> {
        closure(&self.used_by, changed)
    }

    /// Crates that a crate is built from, itself included.
    pub fn built_into(&self, root: CrateIndex) -> BTreeSet<CrateIndex> {
        closure(&self.uses, root)
    }

    /// Members whose tests a change selects: what they test, or test with, is rebuilt.
    pub fn tests_selected(&self, rebuilt: &BTreeSet<CrateIndex>) -> SelectedTests {
        let is_selected = |index: &CrateIndex| {
            let tests_use = &self.tests_use[index.0];
            rebuilt.contains(index) || rebuilt.iter().any(|rebuilt| tests_use.contains(&rebuilt.0))
        };
        let has_tests = |index: &CrateIndex| self.get(*index).test_binaries > 0;
        let crates: Vec<CrateIndex> =
            self.members().into_iter().filter(has_tests).filter(is_selected).collect();
        let binaries = crates.iter().map(|index| self.get(*index).test_binaries).sum();
        SelectedTests { crates, binaries }
    }
}

/// What is reachable from `start`, itself included.
fn closure(arrows: &[BTreeSet<usize>], start: CrateIndex) -> BTreeSet<CrateIndex> {
    let (mut open, mut reached) = (vec![start.0], BTreeSet::from([start]));
    while let Some(at) = open.pop() {
        for next in &arrows[at] {
            if reached.insert(CrateIndex(*next)) {
                open.push(*next);
            }
        }
    }
    reached
}
