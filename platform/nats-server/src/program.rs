//! `nats-server`, on PATH or where a distribution puts it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Folders that are not on every user's PATH.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin"];
/// Its name, everywhere.
const NAME: &str = "nats-server";

/// The program is not on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the program `nats-server` is neither on PATH nor in /usr/sbin; install it with `apt-get install nats-server`"
)]
pub struct Missing;

/// Where it is.
///
/// # Errors
/// When it is not there.
pub fn find() -> Result<PathBuf, Missing> {
    find_in(&std::env::var_os("PATH").unwrap_or_default(), Path::new("/"))
}

/// The version of a program, such as `2.9.10`; `None` where it does not print one.
pub fn version(program: &Path) -> Option<String> {
    let printed = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    version_in(&String::from_utf8_lossy(&printed.stdout)).map(str::to_owned)
}

/// The version in what `nats-server --version` prints.
fn version_in(printed: &str) -> Option<&str> {
    printed.trim().strip_prefix("nats-server: v")
}

fn find_in(path: &OsStr, root: &Path) -> Result<PathBuf, Missing> {
    let usual = FOLDERS.iter().map(|folder| root.join(folder.trim_start_matches('/')));
    let mut files = std::env::split_paths(path).chain(usual).map(|folder| folder.join(NAME));
    files.find(|file| file.is_file()).ok_or(Missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_prints_its_version() {
        assert_eq!(version_in("nats-server: v2.9.10\n"), Some("2.9.10"));
        assert_eq!(version_in(""), None);
    }

    #[test]
    fn the_one_on_path_comes_before_a_distribution_s() {
        let root = tempfile::TempDir::new().expect("a folder");
        assert_eq!(find_in(OsStr::new(""), root.path()), Err(Missing));
        for folder in ["usr/sbin", "own"] {
            std::fs::create_dir_all(root.path().join(folder)).expect("ours");
        }
        std::fs::write(root.path().join("usr/sbin/nats-server"), "").expect("ours");
        let own = root.path().join("own");
        assert_eq!(
            find_in(own.as_os_str(), root.path()),
            Ok(root.path().join("usr/sbin/nats-server")),
            "PATH has none"
        );
        std::fs::write(own.join("nats-server"), "").expect("ours");
        assert_eq!(find_in(own.as_os_str(), root.path()), Ok(own.join("nats-server")));
    }
}
