//! The version as runs write it down: `0.1.0+3f2a9c41d07b`, with `.dirty` where files are not as they were committed,
//! and without a commit where there is no git or no history. And the shipped scenarios, for a program that is away from
//! its source tree.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// `SHIPPED`: name and text of every shipped scenario, by name.
fn catalogue() -> String {
    // As it is now: a checkout may have been moved since this program was built.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").expect("Cargo sets it");
    let folder = Path::new(&here).join("../scenarios");
    let entries = std::fs::read_dir(&folder).expect("the folder of scenarios").flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    let mut text = String::from("pub const SHIPPED: &[(&str, &str)] = &[\n");
    for file in files {
        let name = file.file_stem().expect("a file").to_string_lossy().into_owned();
        writeln!(text, "    ({name:?}, include_str!({:?})),", file.display().to_string()).expect("a string");
    }
    text + "];\n"
}

fn main() {
    let out = std::env::var_os("OUT_DIR").expect("Cargo sets it");
    std::fs::write(Path::new(&out).join("catalogue.rs"), catalogue()).expect("a folder of ours");
    // Whatever the program is made of, and where its history stands.
    for path in [
        "Cargo.lock",
        "services",
        "gateway",
        "discovery",
        "platform",
        "loadgen",
        "lab",
        "dashboards",
        "scenarios",
    ] {
        println!("cargo:rerun-if-changed=../{path}");
    }
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) =
            git(&["rev-parse", "--git-path", file]).filter(|path| std::path::Path::new(path).exists())
        {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let mut version = env!("CARGO_PKG_VERSION").to_owned();
    // Without a history of its own a copy may lie within another's.
    let is_ours = git(&["ls-files", "--error-unmatch", "build.rs"]).is_some();
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]).filter(|_| is_ours) {
        version += &format!("+{commit}");
        if git(&["status", "--porcelain", "--untracked-files=no"]).is_none_or(|changed| !changed.is_empty()) {
            version += ".dirty";
        }
    }
    println!("cargo:rustc-env=CLEAVE_VERSION={version}");
}
