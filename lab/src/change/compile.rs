//! One build by cargo: how long it took, and what it compiled. The tests of crates: how long they took.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use delivery::Metadata;
use delivery::graph::DependencyGraph;
use serde::Deserialize;

use super::child;
use crate::structure_command::source_tree::cargo_program;

/// Lines of the compiler that a failed build is reported with.
const MAX_ERROR_LINES: usize = 20;

/// What a build did.
pub(super) struct Compiled {
    /// Seconds from its start to its end.
    pub seconds: f64,
    /// Crates that it compiled.
    pub crates: BTreeSet<String>,
    /// Bytes of what it wrote for them.
    pub bytes: u64,
}

/// A line of `cargo build --message-format=json`, as far as it is used here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    #[serde(default)]
    fresh: bool,
}

/// Where a program lies that was built.
pub(super) fn program(target: &Path, name: &str) -> PathBuf {
    target.join("release").join(name)
}

/// Builds programs from a source tree, as they are released.
///
/// # Errors
/// A message with what the compiler printed last, or which program no crate of the tree has.
pub(super) fn compile(
    tree: &Path,
    target: &Path,
    metadata: &Metadata,
    graph: &DependencyGraph,
    programs: &BTreeSet<String>,
) -> Result<Compiled, String> {
    let package_of = |program: &String| {
        let package = graph.of_program(program).map(|index| graph.get(index).name.as_str());
        package.ok_or_else(|| format!("no crate of the source tree has the program `{program}`"))
    };
    let packages = programs.iter().map(package_of).collect::<Result<BTreeSet<&str>, String>>()?;
    let mut command = child::command(cargo_program());
    command.current_dir(tree).args([
        "build",
        "--release",
        "--locked",
        "--message-format=json-render-diagnostics",
    ]);
    command.arg("--target-dir").arg(target);
    command.args(packages.iter().flat_map(|package| ["--package", *package]));
    command.args(programs.iter().flat_map(|program| ["--bin", program.as_str()]));
    let (output, seconds) = timed(&mut command)?;
    if !output.status.success() {
        return Err(failure(&output));
    }
    let mut compiled = Compiled { seconds, crates: BTreeSet::new(), bytes: 0 };
    for message in messages(&output.stdout) {
        let name = metadata.name_of(&message.package_id).unwrap_or(&message.package_id);
        compiled.crates.insert(name.to_owned());
        let sizes = message.filenames.iter().filter_map(|file| std::fs::metadata(file).ok());
        compiled.bytes += sizes.map(|file| file.len()).sum::<u64>();
    }
    Ok(compiled)
}

/// Compiles the tests of some crates, as they are run in a source tree.
///
/// # Errors
/// A message with what the compiler printed last.
pub(super) fn compile_tests(tree: &Path, target: &Path, crates: &[String]) -> Result<f64, String> {
    let (output, seconds) = timed(test_command(tree, target, crates).arg("--no-run"))?;
    if output.status.success() { Ok(seconds) } else { Err(failure(&output)) }
}

/// Runs them; how many seconds that took, and whether all passed.
///
/// # Errors
/// When cargo does not start.
pub(super) fn run_tests(tree: &Path, target: &Path, crates: &[String]) -> Result<(f64, bool), String> {
    let (output, seconds) = timed(test_command(tree, target, crates).arg("--no-fail-fast"))?;
    Ok((seconds, output.status.success()))
}

fn test_command(tree: &Path, target: &Path, crates: &[String]) -> Command {
    let mut command = child::command(cargo_program());
    command.current_dir(tree).args(["test", "--locked", "--target-dir"]).arg(target);
    command.args(crates.iter().flat_map(|name| ["--package", name.as_str()]));
    command
}

/// What a command printed, and the seconds from its start to its end.
fn timed(command: &mut Command) -> Result<(Output, f64), String> {
    let began = runtime::clock::now();
    let output = command.output().map_err(|error| child::not_started(&error))?;
    Ok((output, runtime::clock::now().saturating_duration_since(began).as_secs_f64()))
}

/// The last lines of the compiler.
fn failure(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("Compiling")).collect();
    let last = &lines[lines.len().saturating_sub(MAX_ERROR_LINES)..];
    format!("cargo ended with {}\n{}", output.status, last.join("\n"))
}

/// What was compiled, and was not there already.
fn messages(output: &[u8]) -> Vec<Message> {
    let lines =
        output.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Message>(line).ok());
    lines.filter(|message| message.reason == "compiler-artifact" && !message.fresh).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_compiled_counts() {
        let output = br#"{"reason":"compiler-artifact","package_id":"path+file:///s/feed#0.1.0","filenames":["/t/libfeed.rlib"],"fresh":false}
{"reason":"compiler-artifact","package_id":"path+file:///s/node#0.1.0","filenames":["/t/libnode.rlib"],"fresh":true}
not json
{"reason":"build-finished","success":true}"#;
        let found = messages(output);
        assert_eq!(
            found.iter().map(|message| message.package_id.as_str()).collect::<Vec<_>>(),
            ["path+file:///s/feed#0.1.0"]
        );
    }
}
