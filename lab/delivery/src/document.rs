//! The structure of a workspace as one document.

use schemars::JsonSchema;
use serde::Serialize;

/// Version of the document's format.
pub const SCHEMA_VERSION: u32 = 1;

/// What `cleave structure --output json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Structure {
    /// Version of this format.
    pub schema_version: u32,
    /// Folder of the workspace.
    pub workspace: String,
    /// Where dependencies are from.
    pub dependencies: Dependencies,
    /// Crates of the workspace.
    pub members: u32,
    /// The owners file, relative to the root of the repository; `None` where there is none.
    pub owners_file: Option<String>,
    /// Programs of the workspace by crate and name.
    pub programs: Vec<Program>,
    /// Components in the order in which they were named, or by name.
    pub components: Vec<Component>,
    /// What components need of each other, by caller, consumer or dependent.
    pub edges: Vec<Edge>,
    /// What changed together; `None` where there is no history.
    pub history: Option<History>,
    /// What limits these figures, as sentences.
    pub notes: Vec<String>,
}

/// Where dependencies are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dependencies {
    /// As cargo resolved them for this platform, with default features.
    Resolved,
    /// As the manifests declare them: between members of the workspace, optional ones included.
    Declared,
}

/// A program of the workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Program {
    /// Its name.
    pub program: String,
    /// Its crate.
    #[serde(rename = "crate")]
    pub of_crate: String,
    /// What it is.
    pub role: Role,
    /// The component it belongs to; `None` for a program of none.
    pub component: Option<String>,
    /// Crates of the workspace that it is built from, its own included.
    pub members: u32,
}

/// What a program is among those of the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The deployable that holds all components: each program of the crate that was named for it.
    Monolith,
    /// A deployable of one component.
    Component,
    /// Neither.
    Other,
}

/// A component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Component {
    /// Its name.
    pub component: String,
    /// What a change in each of its crates costs.
    pub crates: Vec<Change>,
    /// Owners of the files of its crates, who review a change in it.
    pub owners: Vec<String>,
    /// Owners of crates that a change in it rebuilds, and who are not among the former.
    pub owners_of_rebuilt: Vec<String>,
}

/// What a change in a crate costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Change {
    /// The changed crate.
    #[serde(rename = "crate")]
    pub of_crate: String,
    /// Owners of its files.
    pub owners: Vec<String>,
    /// All crates that are compiled again where everything is built, itself included; those outside the workspace with
    /// their version.
    pub rebuilt: Vec<String>,
    /// How many of these belong to the workspace.
    pub members: u32,
    /// What is compiled again for each program that holds the crate.
    pub programs: Vec<Rebuild>,
    /// Crates whose tests it selects.
    pub tests: Vec<String>,
    /// Test binaries of these crates, unit tests of libraries and programs included.
    pub test_binaries: u32,
}

/// What is compiled again for a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Rebuild {
    /// The program's name.
    pub program: String,
    /// Its crate.
    #[serde(rename = "crate")]
    pub of_crate: String,
    /// What it is.
    pub role: Role,
    /// The component it belongs to; `None` for a program of none.
    pub component: Option<String>,
    /// Crates that are compiled again, of those it is built from.
    pub rebuilt: Vec<String>,
    /// How many of these belong to the workspace.
    pub members: u32,
    /// Crates whose tests the change selects, of those it is built from.
    pub tests: Vec<String>,
}

/// What a component needs of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Edge {
    /// The caller, the consumer or the dependent.
    pub from: String,
    /// The callee, the publisher or the dependency.
    pub to: String,
    /// What passes between them.
    pub kind: EdgeKind,
    /// Topics of events, or crates of the other that are depended on; empty for calls.
    pub by: Vec<String>,
}

/// What passes between two components.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EdgeKind {
    /// The first calls the second.
    Call,
    /// The first consumes events of the second.
    Event,
    /// A crate of the first depends on one of the second.
    Dependency,
}

/// What changed together in the last commits.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct History {
    /// Commits asked for; merges are not among them.
    pub requested: u32,
    /// Commits read.
    pub read: u32,
    /// Commits counted.
    pub counted: u32,
    /// Commits left out because they touch more files than `max_files`.
    pub too_large: u32,
    /// Commits left out because they touch no component.
    pub of_no_component: u32,
    /// A commit that touches more files is left out.
    pub max_files: u32,
    /// Whether the history was cut when the repository was cloned.
    pub is_shallow: bool,
    /// Commits that touch each component.
    pub touched: Vec<ComponentCommits>,
    /// Pairs that changed together at least once, those with the most commits first.
    pub pairs: Vec<CoChange>,
}

/// Commits that touch a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ComponentCommits {
    /// The component.
    pub component: String,
    /// How many.
    pub commits: u32,
}

/// Two components that changed together.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CoChange {
    /// A component.
    pub first: String,
    /// Another.
    pub second: String,
    /// Commits that touch both: the pair's support.
    pub together: u32,
    /// Commits that touch the first.
    pub of_first: u32,
    /// Commits that touch the second.
    pub of_second: u32,
    /// Share of the first's commits that touch the second as well: the confidence that it follows.
    pub confidence_of_second: f64,
    /// Share of the second's commits that touch the first as well.
    pub confidence_of_first: f64,
}
