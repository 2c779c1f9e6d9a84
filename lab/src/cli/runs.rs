//! The command line of `cleave runs`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};

use super::{DEFAULT_OUT, Output};

/// `cleave runs`.
#[derive(Args)]
pub struct Runs {
    /// The subcommand; without one, runs are listed.
    #[command(subcommand)]
    pub command: Option<RunsCommand>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// Folder that holds the runs.
    #[arg(long, global = true, default_value = DEFAULT_OUT, env = "CLEAVE_OUT")]
    pub out: PathBuf,
}

/// `cleave runs` with a verb.
#[derive(Subcommand)]
pub enum RunsCommand {
    /// Remove old runs, by number or by age. A run in progress is never removed.
    #[command(
        after_help = "Examples:\n  cleave runs prune --keep 10\n  cleave runs prune --keep 10 --older 7d --dry-run\n\nWith both, a run is removed if it is none of the newest 10 and older than 7 days."
    )]
    Prune(Prune),
    /// Remove runs by name. A run in progress is never removed.
    #[command(after_help = "Examples:\n  cleave runs rm a7f3\n  cleave runs rm last")]
    Rm(Rm),
}

/// `cleave runs prune`.
#[derive(Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true).args(["keep", "older"]))]
pub struct Prune {
    /// Keep this many of the newest runs.
    #[arg(long, value_name = "NUMBER")]
    pub keep: Option<usize>,
    /// Remove only runs older than this, such as 12h, 7d or 4w.
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub older: Option<Duration>,
    /// Print what would be removed, and remove nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// `cleave runs rm`.
#[derive(Args)]
pub struct Rm {
    /// Runs: `last`, an id, the end of an id, a label, or a folder.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<String>,
}

/// Units of an age, with their seconds.
const AGE_UNITS: [(char, u64); 4] = [('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800)];

fn age(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "invalid age `{text}`: expected a whole number with a unit, e.g. \"30m\", \"12h\", \"7d\" or \"4w\""
        )
    };
    let unit = text.chars().last().ok_or_else(wrong)?;
    let (_, seconds) = AGE_UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let number: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_a_unit() {
        assert_eq!(age("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert_eq!((age("30m"), age("0h")), (Ok(Duration::from_secs(1_800)), Ok(Duration::ZERO)));
        for wrong in ["", "7", "d", "-7d", "1.5h", "7y", "99999999999999999999d", "999999999999999999w", "7é"]
        {
            assert!(age(wrong).is_err_and(|text| text.contains("\"7d\"")), "{wrong}");
        }
    }
}
