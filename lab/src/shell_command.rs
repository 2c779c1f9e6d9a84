//! `cleave completions` and `cleave man`: the command line as shells and manuals have it.

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cleave;
use crate::output;

/// What the program is called in a shell.
const PROGRAM: &str = "cleave";

/// `cleave completions`.
pub fn completions(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cleave::command(), PROGRAM, &mut script);
    output::print_text(&String::from_utf8_lossy(&script));
    ExitCode::SUCCESS
}

/// `cleave man`.
pub fn man(folder: &Path) -> ExitCode {
    let written =
        std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cleave::command(), folder));
    match written {
        Ok(()) => {
            output::print_line(format_args!("{}", folder.join(format!("{PROGRAM}.1")).display()));
            ExitCode::SUCCESS
        }
        Err(error) => output::usage_error(&format!(
            "manual pages cannot be written to {}: {error}; choose another folder",
            folder.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_a_script_and_every_subcommand_a_page() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cleave::command(), PROGRAM, &mut script);
            let script = String::from_utf8(script).expect("UTF-8");
            assert!(script.contains("keep-data") && script.contains("completions"), "{shell}");
        }
        let folder = tempfile::TempDir::new().expect("a folder");
        assert_eq!(man(folder.path()), ExitCode::SUCCESS);
        for page in ["cleave.1", "cleave-run.1", "cleave-runs-prune.1"] {
            let text =
                std::fs::read_to_string(folder.path().join(page)).unwrap_or_else(|_| panic!("no {page}"));
            assert!(text.contains(".SH NAME"), "{page}");
        }
        assert!(!folder.path().join("cleave-guard.1").exists(), "what runs start themselves has none");
    }
}
