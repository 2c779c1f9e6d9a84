//! The command line of `cleave structure`.

use std::path::PathBuf;

use clap::Args;
use delivery::Assignment;

use super::Output;

/// `cleave structure`.
#[derive(Args)]
pub struct Structure {
    /// Manifest of a cargo workspace, or its folder [default: that of the current folder, or of one above it].
    #[arg(long, value_name = "PATH")]
    pub manifest: Option<PathBuf>,
    /// Which crate belongs to which component; crates that are not named belong to none [default: in Cleave's own tree its five
    /// services, elsewhere each crate is a component].
    #[arg(long, value_name = "CRATE=COMPONENT", value_delimiter = ',')]
    pub components: Vec<Assignment>,
    /// Crate whose program holds all components [default: in Cleave's own tree suite, elsewhere none].
    #[arg(long, value_name = "CRATE")]
    pub monolith: Option<String>,
    /// How many of the last commits are read for what changed together; 0 for none.
    #[arg(long, value_name = "NUMBER", default_value_t = 500)]
    pub commits: u32,
    /// Leave out commits that touch more files than this: these reformat or rename, and show little of what belongs together.
    #[arg(long, value_name = "NUMBER", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_files: u32,
    /// File of owners in CODEOWNERS syntax [default: CODEOWNERS in .github, in the root, or in docs].
    #[arg(long, value_name = "FILE")]
    pub owners: Option<PathBuf>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}
