//! The arguments of `cleave run` for scenarios that build a change.

use std::path::PathBuf;

use clap::Args;
use scenario::Probe;

/// What is changed, and from which source tree it is built.
#[derive(Args, Clone, Debug, Default)]
pub struct ChangeOptions {
    /// Patch to build and deploy in place of the scenario's, in the component that the scenario deploys.
    #[arg(long, value_name = "FILE", conflicts_with = "all")]
    pub change: Option<PathBuf>,
    /// What shows the new behaviour: a path below the public URL, and a text that the new answer contains and the old one
    /// does not
    /// [default: the scenario's].
    #[arg(long, value_name = "PATH=TEXT", requires = "change", value_parser = probe)]
    pub probe: Option<Probe>,
    /// Source tree of Cleave that a change is built from [default: that around the current folder].
    #[arg(long, value_name = "FOLDER", conflicts_with = "all")]
    pub source: Option<PathBuf>,
    /// Folder for the copy of the source tree and its builds, kept from run to run [default: cleave/change in the user's
    /// cache].
    #[arg(long, value_name = "FOLDER", conflicts_with = "all")]
    pub scratch: Option<PathBuf>,
    /// Run the tests that the change selects after each of its builds, and time them: minutes more.
    #[arg(long, conflicts_with = "all")]
    pub tests: bool,
}

fn probe(text: &str) -> Result<Probe, String> {
    let wrong =
        || format!("invalid probe `{text}`: expected PATH=TEXT, e.g. \"/v1/users/x/photos=whose photos\"");
    let (path, shows) = text.split_once('=').ok_or_else(wrong)?;
    if !path.starts_with('/') || shows.is_empty() {
        return Err(wrong());
    }
    Ok(Probe { path: path.to_owned(), shows: shows.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_a_path_and_a_text() {
        assert_eq!(probe("/v1/x=new=er"), Ok(Probe { path: "/v1/x".into(), shows: "new=er".into() }));
        for wrong in ["/v1/x", "v1=new", "/v1=", ""] {
            assert!(probe(wrong).is_err_and(|text| text.contains("PATH=TEXT")), "{wrong}");
        }
    }
}
