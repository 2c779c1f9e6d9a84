//! The structure of a workspace, made from its sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::co_change;
use crate::commits;
use crate::components::{Assignment, AssignmentError, Components};
use crate::crate_folders::CrateFolders;
use crate::document::{
    Change, CoChange, Component, ComponentCommits, Dependencies, Edge, EdgeKind, History, Program, Rebuild,
    Role, SCHEMA_VERSION, Structure,
};
use crate::graph::{CrateIndex, DependencyGraph};
use crate::metadata::Metadata;
use crate::owners::Owners;

/// What a structure is made from.
pub struct Sources<'a> {
    /// The packages and their dependencies.
    pub metadata: &'a Metadata,
    /// The folder that `files`, `owners` and `history` are relative to.
    pub root: &'a Path,
    /// Which crate belongs to which component; without any, each member is a component.
    pub assignments: &'a [Assignment],
    /// The crate whose program holds all components.
    pub monolith: Option<Monolith<'a>>,
    /// Calls and events that components declare.
    pub declared: Vec<Edge>,
    /// Files of the repository. Without them, owners of a crate are those of its manifest and of its targets' root files.
    pub files: Option<Vec<String>>,
    /// The owners file and its path.
    pub owners: Option<(String, &'a Owners)>,
    /// The last commits.
    pub history: Option<Log<'a>>,
}

/// The program that holds all components.
#[derive(Clone, Copy, Debug)]
pub struct Monolith<'a> {
    /// Its crate.
    pub of_crate: &'a str,
    /// Its name, where the crate has several programs.
    pub program: Option<&'a str>,
}

/// The last commits of a repository.
#[derive(Clone, Copy, Debug)]
pub struct Log<'a> {
    /// What `git log --name-status` printed in [`commits::FORMAT`].
    pub text: &'a str,
    /// Commits asked for.
    pub requested: u32,
    /// A commit that touches more files is left out.
    pub max_files: u32,
    /// Whether the history was cut when the repository was cloned.
    pub is_shallow: bool,
}

/// Why there is no structure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StructureError {
    /// Components were named wrongly.
    #[error("components cannot be assigned")]
    Assignments(Vec<AssignmentError>),
    /// The crate that is to hold all components is no member.
    #[error("unknown crate `{0}`")]
    UnknownMonolith(String),
    /// The crate that is to hold all components has no program.
    #[error("crate `{0}` has no program")]
    NoProgram(String),
}

/// Makes the structure of a workspace.
///
/// # Errors
/// When crates are named that are not there.
pub fn structure(sources: &Sources<'_>) -> Result<Structure, StructureError> {
    let graph = DependencyGraph::of(sources.metadata);
    let components = Components::new(&graph, sources.assignments).map_err(StructureError::Assignments)?;
    let folders = CrateFolders::new(&graph, sources.root, sources.files.as_deref().unwrap_or_default());
    let workspace = Workspace { sources, graph: &graph, components: &components, folders };
    let programs = workspace.programs()?;
    let owners = workspace.owners_by_crate();
    Ok(Structure {
        schema_version: SCHEMA_VERSION,
        workspace: sources.metadata.workspace_root.display().to_string(),
        dependencies: match sources.metadata.is_resolved() {
            true => Dependencies::Resolved,
            false => Dependencies::Declared,
        },
        members: count(graph.members().len()),
        owners_file: sources.owners.as_ref().map(|(path, _)| path.clone()),
        components: workspace.components(&programs, &owners),
        programs: programs.into_iter().map(|found| found.program).collect(),
        edges: workspace.edges(),
        history: sources.history.as_ref().map(|log| workspace.history(log)),
        notes: workspace.notes(),
    })
}

/// A program, and the crates it is built from.
struct FoundProgram {
    program: Program,
    built: BTreeSet<CrateIndex>,
}

/// Owners of the files of each member.
type OwnersByCrate = BTreeMap<CrateIndex, BTreeSet<String>>;

struct Workspace<'a> {
    sources: &'a Sources<'a>,
    graph: &'a DependencyGraph,
    components: &'a Components,
    folders: CrateFolders,
}

impl Workspace<'_> {
    fn names(&self, crates: impl IntoIterator<Item = CrateIndex>) -> Vec<String> {
        let mut names: Vec<String> =
            crates.into_iter().map(|index| self.graph.get(index).name.clone()).collect();
        names.sort_unstable();
        names
    }

    fn members_of(&self, crates: &BTreeSet<CrateIndex>) -> u32 {
        count(crates.iter().filter(|index| self.graph.get(**index).is_member).count())
    }

    fn component_name(&self, place: usize) -> String {
        self.components.all()[place].name.clone()
    }

    fn programs(&self) -> Result<Vec<FoundProgram>, StructureError> {
        if let Some(monolith) = self.sources.monolith {
            let name = || monolith.of_crate.to_owned();
            let index = self
                .graph
                .member(monolith.of_crate)
                .ok_or_else(|| StructureError::UnknownMonolith(name()))?;
            if self.graph.get(index).programs.is_empty() {
                return Err(StructureError::NoProgram(name()));
            }
        }
        let mut found = Vec::new();
        for index in self.graph.members() {
            let of_crate = self.graph.get(index);
            let component = self.components.of_crate(index).map(|place| self.component_name(place));
            for program in &of_crate.programs {
                let built = self.graph.built_into(index);
                let is_monolith = self.sources.monolith.is_some_and(|monolith| {
                    monolith.of_crate == of_crate.name && monolith.program.is_none_or(|name| name == program)
                });
                let role = match &component {
                    _ if is_monolith => Role::Monolith,
                    Some(_) => Role::Component,
                    None => Role::Other,
                };
                let program = Program {
                    program: program.clone(),
                    of_crate: of_crate.name.clone(),
                    role,
                    component: component.clone().filter(|_| !is_monolith),
                    members: self.members_of(&built),
                };
                found.push(FoundProgram { program, built });
            }
        }
        Ok(found)
    }

    fn owners_by_crate(&self) -> OwnersByCrate {
        let mut owners: OwnersByCrate =
            self.graph.members().into_iter().map(|index| (index, BTreeSet::new())).collect();
        let Some((_, file)) = &self.sources.owners else { return owners };
        let of_targets = || {
            let members = self.graph.members().into_iter();
            let sources = members.flat_map(|index| {
                let of_crate = self.graph.get(index);
                of_crate.sources.iter().cloned().chain([of_crate.folder.join("Cargo.toml")])
            });
            let below = |path: PathBuf| {
                Some(path.strip_prefix(self.sources.root).ok()?.to_string_lossy().into_owned())
            };
            sources.filter_map(below).collect()
        };
        let files: Vec<String> = self.sources.files.clone().unwrap_or_else(of_targets);
        for path in &files {
            let inner = self.folders.of_path(path);
            if let Some(found) = inner.and_then(|index| owners.get_mut(&index)) {
                found.extend(file.of(path).iter().cloned());
            }
        }
        owners
    }

    fn components(&self, programs: &[FoundProgram], owners: &OwnersByCrate) -> Vec<Component> {
        let describe = |component: &crate::components::Component| {
            let rebuilt: BTreeSet<CrateIndex> =
                component.crates.iter().flat_map(|index| self.graph.rebuilt_by(*index)).collect();
            let own = owners_of(owners, &component.crates);
            let of_rebuilt = owners_of(owners, &rebuilt);
            Component {
                component: component.name.clone(),
                crates: component.crates.iter().map(|index| self.change(*index, programs, owners)).collect(),
                owners_of_rebuilt: of_rebuilt.difference(&own).cloned().collect(),
                owners: own.into_iter().collect(),
            }
        };
        self.components.all().iter().map(describe).collect()
    }

    fn change(&self, changed: CrateIndex, programs: &[FoundProgram], owners: &OwnersByCrate) -> Change {
        let rebuilt = self.graph.rebuilt_by(changed);
        let selected = self.graph.tests_selected(&rebuilt);
        let rebuild = |found: &FoundProgram| {
            let again: BTreeSet<CrateIndex> = rebuilt.intersection(&found.built).copied().collect();
            let tested = selected.crates.iter().copied().filter(|index| found.built.contains(index));
            Rebuild {
                program: found.program.program.clone(),
                of_crate: found.program.of_crate.clone(),
                role: found.program.role,
                component: found.program.component.clone(),
                members: self.members_of(&again),
                rebuilt: self.names(again),
                tests: self.names(tested),
            }
        };
        let holding = programs.iter().filter(|found| found.built.contains(&changed));
        Change {
            of_crate: self.graph.get(changed).name.clone(),
            owners: owners_of(owners, [&changed]).into_iter().collect(),
            programs: holding.map(rebuild).collect(),
            tests: self.names(selected.crates.iter().copied()),
            test_binaries: selected.binaries,
            members: self.members_of(&rebuilt),
            rebuilt: self.names(rebuilt),
        }
    }

    /// What is declared, and what crates depend on across components.
    fn edges(&self) -> Vec<Edge> {
        let mut by: BTreeMap<(usize, usize), BTreeSet<CrateIndex>> = BTreeMap::new();
        for (from, component) in self.components.all().iter().enumerate() {
            for used in component.crates.iter().flat_map(|index| self.graph.direct(*index)) {
                if let Some(to) = self.components.of_crate(used).filter(|to| *to != from) {
                    by.entry((from, to)).or_default().insert(used);
                }
            }
        }
        let dependencies = by.into_iter().map(|((from, to), used)| Edge {
            from: self.component_name(from),
            to: self.component_name(to),
            kind: EdgeKind::Dependency,
            by: self.names(used),
        });
        let mut edges: Vec<Edge> = self.sources.declared.iter().cloned().chain(dependencies).collect();
        let order: Vec<&str> = self.components.all().iter().map(|of| of.name.as_str()).collect();
        let place = |name: &str| order.iter().position(|known| *known == name);
        edges.sort_by_key(|edge| (place(&edge.from), edge.kind, place(&edge.to)));
        edges
    }

    fn history(&self, log: &Log<'_>) -> History {
        let read = commits::read(log.text);
        let all = self.components.all();
        let found = co_change::CoChange::of(&read, all.len(), log.max_files, |path| {
            self.components.of_crate(self.folders.of_path(path)?)
        });
        let share = |together: u32, of: u32| f64::from(together) / f64::from(of.max(1));
        let pair = |pair: &co_change::Pair| {
            let (of_first, of_second) = (found.touched[pair.first], found.touched[pair.second]);
            CoChange {
                first: self.component_name(pair.first),
                second: self.component_name(pair.second),
                together: pair.together,
                of_first,
                of_second,
                confidence_of_second: share(pair.together, of_first),
                confidence_of_first: share(pair.together, of_second),
            }
        };
        History {
            requested: log.requested,
            read: count(read.len()),
            counted: found.counted,
            too_large: found.too_large,
            of_no_component: found.of_no_component,
            max_files: log.max_files,
            is_shallow: log.is_shallow,
            touched: all
                .iter()
                .zip(&found.touched)
                .map(|(component, commits)| ComponentCommits {
                    component: component.name.clone(),
                    commits: *commits,
                })
                .collect(),
            pairs: found.pairs.iter().map(pair).collect(),
        }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.sources.metadata.is_resolved() {
            let optional = self.graph.optional_dependencies();
            notes.push(format!(
                "dependencies are as the manifests declare them, for all platforms: between members only, and {optional} \
                 optional ones count as used; those that [patch] leads to members are not known"
            ));
        }
        match self.graph.left_out_dependencies() {
            0 => {}
            left_out => notes.push(format!(
                "dependencies between members that default features or this platform leave out are not counted: {left_out}"
            )),
        }
        notes.extend(self.unknown_to_git());
        if let Some((path, owners)) = &self.sources.owners {
            let skipped = owners.skipped.iter();
            notes.extend(skipped.map(|(line, reason)| format!("{path}:{line} is skipped: {reason}")));
            if self.sources.files.is_none() {
                notes.push(
                    "owners of a crate are those of its manifest and of its targets' root files: no list of files is at \
                     hand"
                        .to_owned(),
                );
            }
        }
        if self.sources.history.as_ref().is_some_and(|log| log.is_shallow) {
            notes.push(
                "the history was cut when the repository was cloned: neither the commit it was cut at nor older ones \
                 are counted"
                    .to_owned(),
            );
        }
        notes
    }

    /// A note on the members whose manifests git does not keep, or keeps elsewhere.
    fn unknown_to_git(&self) -> Option<String> {
        let files: BTreeSet<&Path> = self.sources.files.as_ref()?.iter().map(Path::new).collect();
        let is_kept = |index: &CrateIndex| {
            let manifest = self.graph.get(*index).folder.join("Cargo.toml");
            manifest.strip_prefix(self.sources.root).is_ok_and(|manifest| files.contains(manifest))
        };
        let members = self.graph.members().into_iter();
        let unknown = self.names(members.filter(|index| !is_kept(index)));
        (!unknown.is_empty()).then(|| {
            format!(
                "files of these crates are not in the repository, so that owners and history are not known of them: {}",
                unknown.join(", ")
            )
        })
    }
}

fn owners_of<'c>(
    owners: &OwnersByCrate,
    crates: impl IntoIterator<Item = &'c CrateIndex>,
) -> BTreeSet<String> {
    crates.into_iter().filter_map(|index| owners.get(index)).flatten().cloned().collect()
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}
