//! The command lines of `cleave init`, `cleave completions` and `cleave man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// `cleave init`.
#[derive(Args)]
pub struct Init {
    /// The scenario file to write, such as mine.toml.
    pub file: PathBuf,
    /// The shipped scenario to start from.
    #[arg(long, value_name = "NAME", default_value = "first-look")]
    pub from: String,
}

/// `cleave completions`.
#[derive(Args)]
pub struct Completions {
    /// The shell.
    pub shell: Shell,
}

/// `cleave man`.
#[derive(Args)]
pub struct Man {
    /// The folder to write the manual pages to.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}
