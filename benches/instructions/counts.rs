//! The committed counts: a line with the compiler they are of, then one for each path.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;

/// A path may take so much more, in hundredths.
const ALLOWED_PERCENT: u64 = 5;
/// And so many instructions: paths of some 400 that were not changed took up to 70 more after changes elsewhere, where the
/// compiler inlined otherwise. Two builds of one source in two folders agreed to the instruction.
const ALLOWED_BY_BUILD: u64 = 100;

/// Instructions by path.
pub struct Counts {
    /// Version of the compiler.
    pub compiler: String,
    /// Of one walk.
    pub by_path: BTreeMap<String, u64>,
}

/// A path's count beside the one that was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Within 5 %, and a hundred.
    Same,
    /// More than 5 % more, or not known so far.
    More,
    /// More than 5 % less.
    Less,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "as before",
            Self::More => {
                "MORE than 5 % above what was kept, or not kept: mend it, or keep it with UPDATE_COUNTS=1"
            }
            Self::Less => "less: keep it with UPDATE_COUNTS=1",
        })
    }
}

/// The version of the compiler in use.
///
/// # Errors
/// When there is none.
pub fn compiler() -> Result<String, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let printed = Command::new(rustc).arg("--version").output().map_err(|why| format!("no rustc: {why}"))?;
    Ok(String::from_utf8_lossy(&printed.stdout).trim().to_owned())
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("instructions/counts.txt")
}

impl Counts {
    /// The committed ones.
    ///
    /// # Errors
    /// When the file is not there or not as [`Counts::write`] leaves it.
    pub fn read() -> Result<Self, String> {
        let text = std::fs::read_to_string(path()).map_err(|why| format!("{}: {why}", path().display()))?;
        let mut lines = text.lines();
        let compiler = lines.next().unwrap_or_default().to_owned();
        let count = |line: &str| {
            let (name, count) = line.split_once(' ')?;
            Some((name.to_owned(), count.trim().parse().ok()?))
        };
        let by_path = lines.map(|line| count(line).ok_or_else(|| format!("invalid count `{line}`")));
        Ok(Self { compiler, by_path: by_path.collect::<Result<_, _>>()? })
    }

    /// Keeps these.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self) -> Result<(), String> {
        let lines = self.by_path.iter().map(|(name, count)| format!("{name} {count}\n"));
        let text = format!("{}\n{}", self.compiler, lines.collect::<String>());
        std::fs::write(path(), text).map_err(|why| format!("{}: {why}", path().display()))
    }

    /// How a path's count stands to the one that was kept.
    pub fn compare(&self, name: &str, counted: u64) -> Comparison {
        let Some(&kept) = self.by_path.get(name) else { return Comparison::More };
        if counted.saturating_sub(ALLOWED_BY_BUILD) * 100 > kept * (100 + ALLOWED_PERCENT) {
            Comparison::More
        } else if (counted + ALLOWED_BY_BUILD) * 100 < kept * (100 - ALLOWED_PERCENT) {
            Comparison::Less
        } else {
            Comparison::Same
        }
    }
}
