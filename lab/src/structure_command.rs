//! `cleave structure`: what a change in each component rebuilds, whom it touches, and what changed together.
//!
//! - [`source_tree`]: runs cargo and git.
//! - [`table`]: the structure as text.

pub(crate) mod source_tree;
mod table;

use std::process::ExitCode;

use contract::ComponentName;
use delivery::document::{Edge, EdgeKind, Structure};
use delivery::structure::{Log, Monolith, StructureError};
use delivery::{Assignment, Metadata, Owners, Sources};

use self::source_tree::Repository;
use crate::cli::Output;
use crate::{cli, output};

/// The crate that holds all components of Cleave's own tree, and its program that does.
const OWN_MONOLITH: Monolith<'_> = Monolith { of_crate: "suite", program: Some("monolith") };

/// The teams of Cleave's own tree.
const OWN_OWNERS: &str = "services/CODEOWNERS";

/// `cleave structure`.
pub fn structure(args: &cli::structure::Structure) -> ExitCode {
    let structure = match read(args) {
        Ok(structure) => structure,
        Err(text) => return output::usage_error(&text),
    };
    match args.output {
        Output::Human => output::print_text(&table::text(&structure)),
        Output::Json => match serde_json::to_string_pretty(&structure) {
            Ok(text) => output::print_line(format_args!("{text}")),
            Err(error) => return output::error(&error),
        },
    }
    ExitCode::SUCCESS
}

/// The structure that the arguments ask for.
///
/// # Errors
/// A message with what is wrong and what was expected.
fn read(args: &cli::structure::Structure) -> Result<Structure, String> {
    let mut missing = Vec::new();
    let metadata =
        source_tree::metadata(args.manifest.as_deref(), &mut missing).map_err(|text| {
            match &args.manifest {
                Some(path) => format!("--manifest {}: {text}", path.display()),
                None => format!("{text}\nname a workspace, e.g. --manifest ../other/Cargo.toml"),
            }
        })?;
    let repository = match Repository::around(&metadata.workspace_root) {
        Ok(repository) => Some(repository),
        Err(reason) => {
            missing.push(format!(
                "without a git repository it is not known what changed together, and owners are looked for in the workspace alone: \
                 {reason}"
            ));
            None
        }
    };
    let root = repository.as_ref().map_or(&metadata.workspace_root, |repository| &repository.root);
    let is_own = is_own_tree(&metadata);
    let owners = source_tree::owners(args.owners.as_deref(), root, is_own.then_some(OWN_OWNERS))?
        .map(|(path, text)| (path, Owners::read(&text)));
    let log = match &repository {
        Some(repository) if args.commits > 0 => Some(repository.log(args.commits)?),
        _ => None,
    };
    let assignments = match &args.components[..] {
        [] if is_own => own_assignments(&metadata),
        named => named.to_vec(),
    };
    let monolith = match &args.monolith {
        Some(name) => Some(Monolith { of_crate: name, program: None }),
        None => is_own.then_some(OWN_MONOLITH),
    };
    let sources = Sources {
        metadata: &metadata,
        root,
        assignments: &assignments,
        monolith,
        declared: if is_own { own_edges(&assignments) } else { Vec::new() },
        files: repository.as_ref().map(Repository::files).transpose()?,
        owners: owners.as_ref().map(|(path, owners)| (path.clone(), owners)),
        history: log.as_ref().map(|text| Log {
            text,
            requested: args.commits,
            max_files: args.max_files,
            is_shallow: repository.as_ref().is_some_and(|repository| repository.is_shallow),
        }),
    };
    let mut structure = delivery::structure(&sources).map_err(|error| message(&error, &metadata))?;
    structure.notes.extend(missing);
    Ok(structure)
}

/// Names that are not there, each with the near one and the choices.
fn message(error: &StructureError, metadata: &Metadata) -> String {
    let unknown = |name: &str| scenario::source::unknown("crate", name, metadata.members());
    match error {
        StructureError::Assignments(errors) => {
            let line = |error: &delivery::components::AssignmentError| match error {
                delivery::components::AssignmentError::UnknownCrate { name } => {
                    format!("--components: {}", unknown(name))
                }
                other => format!("--components: {other}"),
            };
            errors.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        StructureError::UnknownMonolith(name) => format!("--monolith: {}", unknown(name)),
        StructureError::NoProgram(_) => format!("--monolith: {error}: expected a crate with a `main`"),
    }
}

/// Whether a workspace is Cleave's: it has the catalogue and all that is in it.
pub(crate) fn is_own_tree(metadata: &Metadata) -> bool {
    let members = metadata.members();
    let has = |name: &str| members.contains(&name);
    has(OWN_MONOLITH.of_crate) && suite::components().iter().all(|component| has(component.as_str()))
}

/// A service's crates: its own, and that of its contract.
fn own_assignments(metadata: &Metadata) -> Vec<Assignment> {
    let members = metadata.members();
    let crates_of = |component: ComponentName| {
        [component.to_string(), format!("{component}-api")].map(|of_crate| (of_crate, component))
    };
    suite::components()
        .into_iter()
        .flat_map(crates_of)
        .filter(|(of_crate, _)| members.contains(&of_crate.as_str()))
        .map(|(of_crate, component)| Assignment { of_crate, component: component.to_string() })
        .collect()
}

/// The calls and subscriptions that services declare, between components that are asked about.
fn own_edges(assignments: &[Assignment]) -> Vec<Edge> {
    let is_asked = |component: ComponentName| assignments.iter().any(|of| of.component == component.as_str());
    let edge = |from: ComponentName, to: ComponentName, kind, by| Edge {
        from: from.to_string(),
        to: to.to_string(),
        kind,
        by,
    };
    let calls =
        suite::calls().into_iter().map(|(caller, callee)| edge(caller, callee, EdgeKind::Call, Vec::new()));
    let topics = |consumer: ComponentName, publisher: ComponentName| -> Vec<String> {
        let services = suite::CATALOGUE.iter().filter(|service| service.name == consumer);
        let topics =
            services.flat_map(|service| service.consumes).filter(|topic| topic.publisher == publisher);
        topics.map(|topic| topic.name.to_owned()).collect()
    };
    let events = suite::event_sources()
        .into_iter()
        .map(|(consumer, publisher)| edge(consumer, publisher, EdgeKind::Event, topics(consumer, publisher)));
    let both_asked =
        |edge: &Edge| [&edge.from, &edge.to].iter().all(|name| is_asked(ComponentName::intern(name)));
    calls.chain(events).filter(both_asked).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn arguments(of: &[&str]) -> cli::structure::Structure {
        let command = ["cleave", "structure"].iter().chain(of);
        match cli::Cleave::parse_from(command).command {
            cli::Command::Structure(args) => args,
            _ => panic!("another command"),
        }
    }

    /// The tree that these tests are compiled from.
    const OWN_MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");

    #[test]
    fn the_own_tree_has_its_services_their_calls_and_a_monolith() {
        let found = read(&arguments(&["--manifest", OWN_MANIFEST, "--commits", "0"])).expect("the own tree");
        let names: Vec<&str> = found.components.iter().map(|of| of.component.as_str()).collect();
        assert_eq!(names, ["profile", "follower", "feed", "search", "photo"]);
        let [feed, contract] = &found.components[2].crates[..] else { panic!("{:?}", found.components[2]) };
        let rebuilt = |change: &delivery::document::Change, program: &str| -> Vec<String> {
            let found = change.programs.iter().find(|of| of.program == program);
            found.unwrap_or_else(|| panic!("{program} is not built from {}", change.of_crate)).rebuilt.clone()
        };
        assert_eq!(rebuilt(feed, "feed"), ["feed"]);
        assert_eq!(rebuilt(feed, "monolith"), ["feed", "suite"]);
        assert!(feed.programs.iter().all(|of| of.program != "photo"), "no other service is built from feed");
        assert_eq!(rebuilt(contract, "feed"), ["feed", "feed-api"]);
        let calls_of = |name: &str| {
            let calls = found.edges.iter().filter(|edge| edge.kind == EdgeKind::Call && edge.from == name);
            calls.map(|edge| edge.to.clone()).collect::<Vec<_>>()
        };
        assert_eq!(calls_of("feed"), ["profile", "follower", "photo"]);
        assert_eq!(found.owners_file.as_deref(), Some(OWN_OWNERS));
        assert_eq!(found.components[2].owners, ["@cleave/feed"]);
        let text = table::text(&found);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn wrong_names_are_answered_with_the_choices() {
        let wrong =
            |of: &[&str]| read(&arguments(&[&["--manifest", OWN_MANIFEST], of].concat())).expect_err("wrong");
        let text = wrong(&["--components", "fed=a,feed=b,feed=c,nothing-like-it=d"]);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("unknown crate `fed`; did you mean `feed`?"), "{text}");
        assert!(text.contains("crate `feed` is in two components, `b` and `c`"), "{text}");
        assert!(wrong(&["--monolith", "suit"]).contains("did you mean `suite`?"));
        assert!(wrong(&["--monolith", "policy"]).contains("crate `policy` has no program"));
        assert!(wrong(&["--owners", "/no/such/file"]).contains("/no/such/file"));
    }

    #[test]
    fn a_manifest_that_is_none_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_str().expect("UTF-8").to_owned();
        let text = read(&arguments(&["--manifest", &path])).expect_err("no manifest");
        assert!(text.contains("Cargo.toml") && text.contains("--manifest"), "{text}");
        std::fs::write(folder.path().join("Cargo.toml"), "[package\n").expect("writes");
        let text = read(&arguments(&["--manifest", &path])).expect_err("no TOML");
        assert!(text.contains("cargo metadata") && text.contains("Cargo.toml"), "{text}");
    }
}
