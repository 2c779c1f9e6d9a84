//! One build by cargo: how long it took, and what it compiled.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use delivery::Metadata;
use serde::Deserialize;

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

/// The crate of a program.
pub(super) fn package_of(program: &str) -> &str {
    match program {
        "monolith" | "gateway" => "suite",
        "registry" => "node",
        service => service,
    }
}

/// Where a program lies that was built.
pub(super) fn program(target: &Path, name: &str) -> PathBuf {
    target.join("release").join(name)
}

/// Builds programs from a source tree, as they are released.
///
/// # Errors
/// A message with what the compiler printed last.
pub(super) fn compile(
    tree: &Path,
    target: &Path,
    metadata: &Metadata,
    programs: &BTreeSet<String>,
) -> Result<Compiled, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command.current_dir(tree).args([
        "build",
        "--release",
        "--locked",
        "--message-format=json-render-diagnostics",
    ]);
    command.arg("--target-dir").arg(target);
    let packages: BTreeSet<&str> = programs.iter().map(|program| package_of(program)).collect();
    command.args(packages.iter().flat_map(|package| ["--package", *package]));
    command.args(programs.iter().flat_map(|program| ["--bin", program.as_str()]));
    let began = runtime::clock::now();
    let output = command.stdin(Stdio::null()).output().map_err(|error| {
        format!(
            "`{}` cannot be started: {error}; install Rust's toolchain (https://rustup.rs)",
            cargo.to_string_lossy()
        )
    })?;
    let seconds = runtime::clock::now().saturating_duration_since(began).as_secs_f64();
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> =
            text.lines().filter(|line| !line.trim_start().starts_with("Compiling")).collect();
        let last = &lines[lines.len().saturating_sub(MAX_ERROR_LINES)..];
        return Err(format!("cargo ended with {}\n{}", output.status, last.join("\n")));
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

    #[test]
    fn a_program_belongs_to_a_crate() {
        assert_eq!(
            ["monolith", "gateway", "registry", "feed"].map(package_of),
            ["suite", "suite", "node", "feed"]
        );
    }
}
