//! What a source tree says of itself: cargo and git are run, nothing is written.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use delivery::{Metadata, commits};

/// Where owners files are looked for, in GitHub's order.
const OWNERS_FILES: [&str; 3] = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"];

/// Variables by which git would take another repository than the one around a folder.
const GIT_VARIABLES: [&str; 4] = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"];

/// The packages of the workspace at `manifest`, its file or its folder, or of the one around the current folder. Where
/// cargo cannot resolve dependencies without network and without writing a lock file, they are as declared, and the reason goes
/// to `notes`.
///
/// # Errors
/// A message with what is missing.
pub(crate) fn metadata(manifest: Option<&Path>, notes: &mut Vec<String>) -> Result<Metadata, String> {
    let manifest = manifest.map(manifest_file).transpose()?;
    let platform = platform()?;
    let mut arguments = vec!["metadata".to_owned(), "--format-version".to_owned(), "1".to_owned()];
    if let Some(path) = &manifest {
        arguments.extend(["--manifest-path".to_owned(), path.display().to_string()]);
    }
    let resolved =
        [&arguments[..], &["--frozen".to_owned(), "--filter-platform".to_owned(), platform]].concat();
    let output = cargo(&resolved)?;
    let output = if output.status.success() {
        output
    } else {
        let declared = cargo(&[&arguments[..], &["--no-deps".to_owned()]].concat())?;
        if !declared.status.success() {
            return Err(format!("`cargo metadata` finds no cargo workspace\n{}", error_text(&declared)));
        }
        notes.push(format!(
            "cargo cannot resolve dependencies without network or without changing Cargo.lock (`cargo fetch --locked` there \
             may help): {}",
            first_line(&output)
        ));
        declared
    };
    Metadata::read(&output.stdout).map_err(|error| crate::output::error_chain(&error))
}

/// The manifest that was asked for, by an absolute path without links, as git has it.
fn manifest_file(asked: &Path) -> Result<PathBuf, String> {
    let path = if asked.is_dir() { asked.join("Cargo.toml") } else { asked.to_owned() };
    path.canonicalize().map_err(|error| {
        format!("{}: {error}; expected the Cargo.toml of a workspace, or its folder", path.display())
    })
}

/// The cargo that is used: the one that `CARGO` names, as cargo itself does for what it runs, or the first on the path.
pub(crate) fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn cargo(arguments: &[String]) -> Result<Output, String> {
    let program = cargo_program();
    let started = Command::new(&program).args(arguments).stdin(Stdio::null()).output();
    started.map_err(|error| {
        format!(
            "`{}` cannot be started: {error}; the crates of a workspace are read by `cargo metadata`: install Rust's toolchain \
             (https://rustup.rs), or set CARGO to the path of cargo",
            program.to_string_lossy()
        )
    })
}

/// The platform that cargo builds for, such as `x86_64-unknown-linux-gnu`.
fn platform() -> Result<String, String> {
    let output = cargo(&["-vV".to_owned()])?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| format!("`cargo -vV` names no host: {}", error_text(&output)))
}

/// The owners file that was asked for, or the first that is there, with its text. `own` is looked for last.
///
/// # Errors
/// When the file that was asked for cannot be read.
pub(crate) fn owners(
    asked: Option<&Path>,
    root: &Path,
    own: Option<&'static str>,
) -> Result<Option<(String, String)>, String> {
    let read = |path: &Path| std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    match asked {
        Some(path) => match read(path) {
            Ok(text) => Ok(Some((path.display().to_string(), text))),
            Err(error) => {
                Err(format!("--owners {}: {error}; expected a file in CODEOWNERS syntax", path.display()))
            }
        },
        None => {
            let mut names = OWNERS_FILES.into_iter().chain(own);
            Ok(names.find_map(|name| Some((name.to_owned(), read(&root.join(name)).ok()?))))
        }
    }
}

/// A repository of git.
pub(crate) struct Repository {
    /// Its working folder, without links.
    pub root: PathBuf,
    /// Whether its history was cut when it was cloned.
    pub is_shallow: bool,
}

impl Repository {
    /// The repository around a folder.
    ///
    /// # Errors
    /// Why there is none.
    pub fn around(folder: &Path) -> Result<Self, String> {
        let text = git(folder, ["rev-parse", "--show-toplevel", "--is-shallow-repository"])?;
        match text.lines().collect::<Vec<_>>()[..] {
            [root, is_shallow] => Ok(Self { root: root.into(), is_shallow: is_shallow == "true" }),
            _ => Err(format!("git does not name its folder but `{}`", text.trim())),
        }
    }

    /// The files that git keeps, relative to the root.
    ///
    /// # Errors
    /// When git fails.
    pub fn files(&self) -> Result<Vec<String>, String> {
        let text = git(&self.root, ["ls-files", "-z"])?;
        Ok(text.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
    }

    /// The last commits but merges, with the files they touch.
    ///
    /// # Errors
    /// When git fails.
    pub fn log(&self, commits: u32) -> Result<String, String> {
        // Where a clone was cut, git shows the commit as if it had made every file.
        let root = format!("log.showRoot={}", !self.is_shallow);
        // No setting of the user changes what is printed.
        let settings = ["-c", "core.quotePath=false", "-c", "log.showSignature=false", "-c", &root];
        let number = format!("--max-count={commits}");
        let format = format!("--format={}", commits::FORMAT);
        // Files that were moved as they are: to compare their texts, git would have to fetch them in a partial clone.
        let moves = ["--find-renames=100%", "--no-rename-empty"];
        let what = ["log", "--no-color", "--no-merges", "--no-relative", "--name-status", &number, &format];
        // A repository without a commit has no log.
        if git(&self.root, ["rev-parse", "--verify", "--quiet", "HEAD"]).is_err() {
            return Ok(String::new());
        }
        git(&self.root, settings.into_iter().chain(what).chain(moves))
    }
}

/// A command of git in a folder, whatever repository the environment names.
pub(crate) fn git_command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).stdin(Stdio::null());
    for name in GIT_VARIABLES {
        command.env_remove(name);
    }
    command
}

fn git<'a>(folder: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Result<String, String> {
    let mut command = git_command(folder);
    command.args(arguments.into_iter().map(OsStr::new));
    let output = command.output().map_err(|error| format!("`git` cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(first_line(&output));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn error_text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

fn first_line(output: &Output) -> String {
    let text = error_text(output);
    text.lines().next().unwrap_or("it gave no reason").to_owned()
}
