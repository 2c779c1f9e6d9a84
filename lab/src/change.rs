//! Builds the change of a scenario before its run: what it takes from an edit to programs that can be deployed.
//!
//! The source tree is copied, and everything built once. Then the edit is made and taken back in turns; after each of these
//! edits the programs of every arm that hold it are built and timed. Arms have folders of builds of their own: what one has
//! compiled is not there for the other.
//!
//! - [`scratch`]: the copy of the source tree, and the edit in it. [`compile`]: one build by cargo. [`child`]: how programs are
//!   started for it.

mod child;
mod compile;
mod scratch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use conductor::BuiltChange;
use conductor::arm::server_product::ServerProduct;
use conductor::process::deployables::{Deployables, program_of};
use contract::ProcessPlan;
use delivery::Metadata;
use delivery::crate_folders::CrateFolders;
use delivery::graph::{CrateIndex, DependencyGraph};
use record::{Build, BuiltProgram};
use runtime::bounded_file;
use scenario::action::Build as DeployedBuild;
use scenario::{Change, Scenario};

use self::compile::Compiled;
use self::scratch::{Edit, Scratch};
use crate::cli::change::ChangeOptions;
use crate::output;
use crate::structure_command::is_own_tree;
use crate::structure_command::source_tree::{self, Repository};

/// A change that was built, and the folder it lies in, which no other run uses meanwhile.
pub struct PreparedChange {
    /// What the run deploys.
    pub built: BuiltChange,
    /// What is to be known of it besides, for the record's log.
    pub notes: Vec<String>,
    _scratch: Scratch,
}

/// The builds of the edit, by arm.
type ArmBuilds = BTreeMap<String, Vec<Build>>;

/// An arm's programs.
struct ArmPrograms {
    arm: String,
    all: BTreeSet<String>,
    /// Those that the edit makes new.
    changed: BTreeSet<String>,
}

/// Takes the change of the command line into the scenario.
///
/// # Errors
/// A message with what is wrong.
pub fn choose(scenario: &mut Scenario, options: &ChangeOptions) -> Result<(), String> {
    let Some(path) = &options.change else { return Ok(()) };
    let name = scenario.name.clone();
    let Some(change) = &mut scenario.change else {
        return Err(format!(
            "--change: scenario `{name}` deploys no change; expected one with [change], e.g. change-one-service"
        ));
    };
    change.patch = bounded_file::read_text(path, bounded_file::MAX_BYTES).map_err(|error| {
        format!("--change {}: {error}; expected a patch, as `git diff` prints it", path.display())
    })?;
    if let Some(probe) = &options.probe {
        change.probe = probe.clone();
    }
    let problems = change.diagnostics();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(format!("--change {}: {}", path.display(), problems.join("; ")))
    }
}

/// The tools that build a change, with their versions.
///
/// # Errors
/// Those that are missing.
pub fn tools() -> Result<String, String> {
    let tools = [source_tree::cargo_program(), "git".into(), "setpriv".into()];
    let (mut there, mut missing) = (Vec::new(), Vec::new());
    for tool in tools {
        let printed = Command::new(&tool).arg("--version").stdin(Stdio::null()).output();
        match printed.ok().filter(|printed| printed.status.success()) {
            Some(printed) => {
                there.push(
                    String::from_utf8_lossy(&printed.stdout).lines().next().unwrap_or_default().to_owned(),
                );
            }
            None => missing.push(tool.to_string_lossy().into_owned()),
        }
    }
    if missing.is_empty() { Ok(there.join(", ")) } else { Err(format!("no {}", missing.join(", no "))) }
}

/// Builds the change of a scenario, where it has one, for the arms that are run.
///
/// # Errors
/// A message with what is missing or does not build; nothing was started then.
pub fn build(
    scenario: &Scenario,
    arms: &[String],
    options: &ChangeOptions,
) -> Result<Option<PreparedChange>, String> {
    let Some(change) = &scenario.change else { return Ok(None) };
    let failed = |text: String| format!("scenario `{}` builds a change: {text}", scenario.name);
    for arm in scenario.arms_to_run(arms) {
        if let Some(product) = ServerProduct::needed_by(&arm.placement).next() {
            let (arm, need) = (&arm.name, product.need());
            return Err(failed(format!(
                "arm `{arm}` {need}, and the programs are built without it; run arms that need no server, with --arms"
            )));
        }
    }
    let source = source_tree::metadata(options.source.as_deref(), &mut Vec::new()).map_err(failed)?;
    if !is_own_tree(&source) {
        return Err(failed(format!(
            "the workspace at {} is not Cleave's; run it in a clone of Cleave, or name one with --source",
            source.workspace_root.display()
        )));
    }
    let repository = Repository::around(&source.workspace_root).map_err(|reason| {
        failed(format!("git is needed to list the files of the source tree and to apply the edit: {reason}"))
    })?;
    let scratch = Scratch::open(options.scratch.as_deref(), &repository).map_err(failed)?;
    scratch.copy(&repository).map_err(failed)?;
    let edit = Edit::new(&scratch, &change.patch).map_err(failed)?;
    let programs = programs_of(scenario, arms);
    let metadata = source_tree::metadata(Some(&scratch.tree), &mut Vec::new()).map_err(failed)?;
    let graph = DependencyGraph::of(&metadata);
    let rebuilt = rebuilt_crates(scenario, change, &graph, &scratch.tree).map_err(failed)?;
    let builder = Builder {
        scratch: &scratch,
        metadata: &metadata,
        graph: &graph,
        rebuilt,
        programs: &programs,
        has_tests: options.tests,
    };
    let mut notes = builder.build_first().map_err(failed)?;
    notes.extend(programs.iter().filter_map(|arm| builder.left_behind(arm)));
    let before = builder.keep("before", |arm| &arm.all).map_err(failed)?;
    let (builds, failures) = builder.build_edits(&edit, change.builds).map_err(failed)?;
    notes.extend(failures);
    let after = builder.keep("after", |arm| &arm.changed).map_err(failed)?;
    let deployables = Deployables { before, after, changed: DeployedBuild::Changed.name() };
    Ok(Some(PreparedChange { built: BuiltChange { deployables, builds }, notes, _scratch: scratch }))
}

/// The programs of each arm that is run.
fn programs_of(scenario: &Scenario, arms: &[String]) -> Vec<ArmPrograms> {
    let components = scenario.changed_components();
    let programs = |arm: &&scenario::Arm| {
        let processes = arm.placement.resolve(&suite::components()).unwrap_or_default();
        let holds_change =
            |process: &&ProcessPlan| process.hosts.iter().any(|host| components.contains(host));
        ArmPrograms {
            arm: arm.name.clone(),
            all: processes.iter().map(program_of).collect(),
            changed: processes.iter().filter(holds_change).map(program_of).collect(),
        }
    };
    scenario.arms_to_run(arms).iter().map(programs).collect()
}

/// The crates that the edit rebuilds.
///
/// # Errors
/// When it edits no crate, or a component that is not deployed.
fn rebuilt_crates(
    scenario: &Scenario,
    change: &Change,
    graph: &DependencyGraph,
    tree: &Path,
) -> Result<BTreeSet<CrateIndex>, String> {
    let folders = CrateFolders::new(graph, tree, &[]);
    let edited: BTreeSet<CrateIndex> = change.files().filter_map(|file| folders.of_path(file)).collect();
    if edited.is_empty() {
        return Err(
            "the patch edits no crate of the workspace; expected one of a service, e.g. services/feed/src"
                .into(),
        );
    }
    let deployed = scenario.changed_components();
    for index in &edited {
        let name = &graph.get(*index).name;
        let component = suite::components().into_iter().find(|component| component.as_str() == name);
        if let Some(component) = component.filter(|component| !deployed.contains(component)) {
            let names: Vec<&str> = deployed.iter().map(|component| component.as_str()).collect();
            return Err(format!(
                "the patch edits `{component}`, and the scenario deploys {}; write on = \"{component}\" in a copy of it \
                 (`cleave init --from {} mine.toml`)",
                names.join(", "),
                scenario.name
            ));
        }
    }
    Ok(edited.iter().flat_map(|index| graph.rebuilt_by(*index)).collect())
}

/// Builds the programs of all arms, each in a folder of its own.
struct Builder<'a> {
    scratch: &'a Scratch,
    metadata: &'a Metadata,
    graph: &'a DependencyGraph,
    rebuilt: BTreeSet<CrateIndex>,
    programs: &'a [ArmPrograms],
    /// Whether the tests that the edit selects are run after each build.
    has_tests: bool,
}

impl Builder<'_> {
    fn compile(&self, arm: &ArmPrograms, programs: &BTreeSet<String>) -> Result<Compiled, String> {
        let target = self.scratch.target(&arm.arm);
        compile::compile(&self.scratch.tree, &target, self.metadata, self.graph, programs)
    }

    /// Everything once, so that what is timed afterwards is the increment. Returns what it took.
    fn build_first(&self) -> Result<Vec<String>, String> {
        let mut notes = Vec::new();
        for (index, arm) in self.programs.iter().enumerate() {
            if let Some(first) = self.programs.first().filter(|_| index > 0) {
                self.scratch.copy_target(&first.arm, &arm.arm)?;
            }
            output::progress(format_args!(
                "building {} of `{}`: minutes the first time, seconds from then on",
                listed(&arm.all),
                arm.arm
            ));
            let compiled = self.compile(arm, &arm.all)?;
            let (crates, seconds) = (compiled.crates.len(), compiled.seconds);
            let note = format!("first build of `{}`: {crates} crates in {seconds:.1} s", arm.arm);
            output::progress(format_args!("{note}"));
            notes.push(note);
            let tests = self.selected_tests(arm);
            if self.has_tests && !tests.is_empty() {
                output::progress(format_args!(
                    "compiling the tests of {} of `{}`",
                    tests.join(", "),
                    arm.arm
                ));
                compile::compile_tests(&self.scratch.tree, &self.scratch.target(&arm.arm), &tests)?;
            }
        }
        Ok(notes)
    }

    /// Programs of an arm that hold a crate which the edit rebuilds, and that are not deployed.
    fn left_behind(&self, arm: &ArmPrograms) -> Option<String> {
        let holds_rebuilt = |program: &&String| {
            self.graph.of_program(program).is_some_and(|index| {
                self.graph.built_into(index).intersection(&self.rebuilt).next().is_some()
            })
        };
        let left: BTreeSet<String> =
            arm.all.difference(&arm.changed).filter(holds_rebuilt).cloned().collect();
        (!left.is_empty()).then(|| {
            let left = listed(&left);
            format!("`{}`: the edit is in these programs as well, and they are not deployed: {left}", arm.arm)
        })
    }

    /// The edit and its reverse in turns; their number is odd, so that the edit is there in the end. Returns the builds of each
    /// arm, and which tests failed.
    fn build_edits(&self, edit: &Edit<'_>, builds: u32) -> Result<(ArmBuilds, Vec<String>), String> {
        let (mut found, mut failures) = (ArmBuilds::new(), Vec::new());
        for number in 0..builds {
            if number % 2 == 0 {
                edit.apply()?;
            } else {
                edit.reverse()?;
            }
            // No arm is always the first after an edit.
            let mut arms: Vec<&ArmPrograms> = self.programs.iter().collect();
            if number % 2 == 1 {
                arms.reverse();
            }
            for arm in arms {
                let compiled = self.compile(arm, &arm.changed)?;
                if compiled.crates.is_empty() {
                    return Err(format!(
                        "cargo compiled nothing again after the edit: it changes no code of {}",
                        listed(&arm.changed)
                    ));
                }
                output::progress(format_args!(
                    "edit {} of {builds}, `{}`: {} crates in {:.1} s",
                    number + 1,
                    arm.arm,
                    compiled.crates.len(),
                    compiled.seconds
                ));
                let mut build = self.build(arm, compiled)?;
                if self.has_tests && !build.tests.is_empty() {
                    let (seconds, have_passed) = self.test(arm, &build.tests)?;
                    build.test_seconds = Some(seconds);
                    let state = if have_passed { "passed" } else { "some fail" };
                    let note = format!(
                        "edit {} of {builds}, `{}`: tests of {} in {seconds:.1} s, {state}",
                        number + 1,
                        arm.arm,
                        build.tests.join(", ")
                    );
                    output::progress(format_args!("{note}"));
                    failures.extend((!have_passed).then_some(note));
                }
                found.entry(arm.arm.clone()).or_default().push(build);
            }
        }
        Ok((found, failures))
    }

    /// Compiles tests again and runs them; how many seconds that took, and whether all passed.
    fn test(&self, arm: &ArmPrograms, crates: &[String]) -> Result<(f64, bool), String> {
        let (tree, target) = (&self.scratch.tree, self.scratch.target(&arm.arm));
        let compiled = compile::compile_tests(tree, &target, crates)?;
        let (run, have_passed) = compile::run_tests(tree, &target, crates)?;
        Ok((compiled + run, have_passed))
    }

    fn build(&self, arm: &ArmPrograms, compiled: Compiled) -> Result<Build, String> {
        let target = self.scratch.target(&arm.arm);
        let program = |name: &String| -> Result<BuiltProgram, String> {
            let path = compile::program(&target, name);
            let bytes =
                std::fs::metadata(&path).map_err(|error| format!("{}: {error}", path.display()))?.len();
            Ok(BuiltProgram { name: name.clone(), bytes })
        };
        Ok(Build {
            seconds: compiled.seconds,
            crates: compiled.crates.into_iter().collect(),
            bytes: compiled.bytes,
            programs: arm.changed.iter().map(program).collect::<Result<_, String>>()?,
            tests: self.selected_tests(arm),
            test_seconds: None,
        })
    }

    /// Crates among those of an arm's new programs whose tests the edit selects.
    fn selected_tests(&self, arm: &ArmPrograms) -> Vec<String> {
        let packages = arm.changed.iter().filter_map(|program| self.graph.of_program(program));
        let built: BTreeSet<CrateIndex> = packages.flat_map(|index| self.graph.built_into(index)).collect();
        let selected = self.graph.tests_selected(&self.rebuilt).crates;
        let selected = selected.into_iter().filter(|index| built.contains(index));
        selected.map(|index| self.graph.get(index).name.clone()).collect()
    }

    /// Copies programs of all arms to a folder from which they are started.
    fn keep(
        &self,
        folder: &str,
        which: fn(&ArmPrograms) -> &BTreeSet<String>,
    ) -> Result<std::path::PathBuf, String> {
        let folder = self.scratch.empty_folder(folder)?;
        for arm in self.programs {
            let target = self.scratch.target(&arm.arm);
            for name in which(arm) {
                let (from, to) = (compile::program(&target, name), folder.join(name));
                std::fs::copy(&from, &to).map_err(|error| {
                    format!("{} cannot be copied to {}: {error}", from.display(), to.display())
                })?;
            }
        }
        Ok(folder)
    }
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario_files;

    /// The tree that these tests are compiled from.
    const OWN_MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");

    fn shipped() -> Vec<Scenario> {
        let all = scenario_files::names().into_iter().map(|name| scenario_files::find(&name).expect("valid"));
        all.filter(|scenario| scenario.change.is_some()).collect()
    }

    #[test]
    fn the_edits_of_shipped_scenarios_fit_the_source_tree_and_what_they_deploy() {
        let metadata =
            source_tree::metadata(Some(Path::new(OWN_MANIFEST)), &mut Vec::new()).expect("the own tree");
        let repository = Repository::around(&metadata.workspace_root).expect("a repository");
        let graph = DependencyGraph::of(&metadata);
        let folder = tempfile::tempdir().expect("a folder");
        let scratch = Scratch::open(Some(folder.path()), &repository).expect("a folder outside");
        scratch.copy(&repository).expect("copied");
        let scenarios = shipped();
        assert!(!scenarios.is_empty());
        for scenario in &scenarios {
            let change = scenario.change.as_ref().expect("filtered");
            Edit::new(&scratch, &change.patch).unwrap_or_else(|text| panic!("{}: {text}", scenario.name));
            let rebuilt = rebuilt_crates(scenario, change, &graph, &repository.root);
            let rebuilt = rebuilt.unwrap_or_else(|text| panic!("{}: {text}", scenario.name));
            assert!(rebuilt.iter().any(|index| graph.get(*index).name == "suite"), "{}", scenario.name);
        }
    }

    #[test]
    fn programs_of_arms_belong_to_crates_of_the_tree() {
        let metadata =
            source_tree::metadata(Some(Path::new(OWN_MANIFEST)), &mut Vec::new()).expect("the own tree");
        let graph = DependencyGraph::of(&metadata);
        let crate_of = |program: &str| graph.of_program(program).map(|index| graph.get(index).name.clone());
        let crates = ["monolith", "gateway", "registry", "feed"].map(crate_of);
        assert_eq!(crates, ["suite", "suite", "node", "feed"].map(|name| Some(name.to_owned())));
        assert_eq!(crate_of("nothing"), None);
    }

    #[test]
    fn what_keeps_data_on_a_server_is_refused_before_anything_is_copied() {
        let mut scenario = scenario_files::find("change-one-service").expect("shipped");
        let stores = scenario_files::find("stores").expect("shipped");
        let with_server = stores.arms.iter().find(|arm| arm.placement.has_server()).expect("PostgreSQL");
        scenario.arms[0].placement = with_server.placement.clone();
        let arms = [scenario.arms[0].name.clone()];
        let refused = build(&scenario, &arms, &ChangeOptions::default()).map(|_| ()).expect_err("no server");
        assert!(refused.contains("keeps data in PostgreSQL") && refused.contains("--arms"), "{refused}");
    }

    #[test]
    fn an_arm_builds_what_holds_the_changed_component() {
        let scenario = scenario_files::find("change-one-service").expect("shipped");
        let programs = programs_of(&scenario, &["mono".into(), "mono-x3".into(), "micro".into()]);
        let changed: Vec<String> = programs.iter().map(|arm| listed(&arm.changed)).collect();
        assert_eq!(changed, ["monolith", "monolith", "feed"], "as they were asked for");
        let all: Vec<String> = programs.iter().map(|arm| listed(&arm.all)).collect();
        assert_eq!(all[0], "monolith");
        assert_eq!(all[1], "gateway, monolith, registry");
        assert_eq!(all[2], "feed, follower, gateway, photo, profile, registry, search");
        assert_eq!(programs_of(&scenario, &[]).len(), 2, "mono-x3 is run when it is asked for");
    }

    #[test]
    fn a_patch_of_ones_own_takes_the_place_of_the_scenarios() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("mine.patch");
        std::fs::write(&file, "--- a/services/photo/src/lib.rs\n+++ b/services/photo/src/lib.rs\n")
            .expect("ours");
        let options = ChangeOptions { change: Some(file), ..ChangeOptions::default() };
        let mut scenario = scenario_files::find("change-one-service").expect("shipped");
        choose(&mut scenario, &options).expect("a patch");
        let metadata =
            source_tree::metadata(Some(Path::new(OWN_MANIFEST)), &mut Vec::new()).expect("the own tree");
        let graph = DependencyGraph::of(&metadata);
        let change = scenario.change.clone().expect("chosen");
        let refused = rebuilt_crates(&scenario, &change, &graph, &metadata.workspace_root)
            .expect_err("another service");
        assert!(refused.contains("edits `photo`") && refused.contains("deploys feed"), "{refused}");
        let outside = Change { patch: "+++ b/README.md\n".into(), ..change };
        let refused =
            rebuilt_crates(&scenario, &outside, &graph, &metadata.workspace_root).expect_err("no crate");
        assert!(refused.contains("edits no crate"), "{refused}");
        let mut other = scenario_files::find("first-look").expect("shipped");
        assert!(choose(&mut other, &options).is_err_and(|text| text.contains("deploys no change")));
    }
}
