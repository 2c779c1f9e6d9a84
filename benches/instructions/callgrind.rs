//! Runs this program under callgrind and reads what each path took.
//! The format: <https://valgrind.org/docs/manual/cl-format.html>.

use std::collections::{BTreeMap, HashMap};
use std::process::{Command, Stdio};

/// The argument with which this program walks the paths.
pub const WALK: &str = "--walk";

/// Instructions of one walk of each path.
///
/// # Errors
/// When there is no valgrind, or it does not run this program.
pub fn count(names: &[&str], walks: u64, planted: Option<&str>) -> Result<BTreeMap<String, u64>, String> {
    let program = std::env::current_exe().map_err(|why| format!("this program is not found: {why}"))?;
    let folder = tempfile::tempdir().map_err(|why| format!("no folder: {why}"))?;
    let output = folder.path().join("callgrind.out");
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--quiet", "--compress-strings=no", "--compress-pos=no"])
        .arg(format!("--callgrind-out-file={}", output.display()))
        .arg(program)
        .arg(WALK)
        .stdin(Stdio::null());
    if let Some(name) = planted {
        command.args(["--plant", name]);
    }
    let ended = command.status().map_err(|why| format!("there is no valgrind here ({why})"))?;
    if !ended.success() {
        return Err(format!("valgrind ended with {ended}"));
    }
    let text = std::fs::read_to_string(&output).map_err(|why| format!("callgrind wrote nothing: {why}"))?;
    let taken = inclusive(&text, names);
    let of = |name: &&str| {
        let taken = taken.get(*name).ok_or_else(|| format!("callgrind saw no `{name}`"))?;
        Ok(((*name).to_owned(), taken / walks))
    };
    names.iter().map(of).collect()
}

/// Instructions within the functions of these names, what they call included.
///
/// A block begins with `fn=`; of its lines those of two numbers are a position and what the function itself took there, and
/// the one after `calls=` what a call took in all.
fn inclusive(text: &str, names: &[&str]) -> HashMap<String, u64> {
    let mut taken: HashMap<String, u64> = HashMap::new();
    let mut within = None;
    for line in text.lines() {
        if let Some(function) = line.strip_prefix("fn=") {
            within = names
                .iter()
                .find(|name| function.contains(&format!("paths::{name}")) || is_mangled(function, name));
        } else if let (Some(name), true) = (within, line.starts_with(|first: char| first.is_ascii_digit())) {
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse::<u64>().ok()).unwrap_or_default();
            *taken.entry((*name).to_owned()).or_default() += cost;
        }
    }
    taken
}

/// A symbol that valgrind could not demangle: parts have their lengths before them.
fn is_mangled(function: &str, name: &str) -> bool {
    function.contains(&format!("5paths{}{name}", name.len()))
}
