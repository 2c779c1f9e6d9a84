//! `initdb` and `postgres`, on PATH or where a distribution puts them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Folders with one folder per version, and where the programs are in it: Debian's, Red Hat's from postgresql.org.
const VERSIONED: [(&str, &str); 2] = [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")];

/// The two programs that make and serve a data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    /// Makes a data folder.
    pub initdb: PathBuf,
    /// Serves it.
    pub postgres: PathBuf,
}

/// The programs are not on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "PostgreSQL's programs `initdb` and `postgres` are neither on PATH nor in /usr/lib/postgresql/*/bin; install them with `apt-get install postgresql`"
)]
pub struct Missing;

impl Programs {
    /// Those on PATH, else the newest of those that are installed by version.
    ///
    /// # Errors
    /// When there are none.
    pub fn find() -> Result<Self, Missing> {
        Self::find_in(&std::env::var_os("PATH").unwrap_or_default(), Path::new("/"))
    }

    /// The version of the server, such as `15.18 (Debian 15.18-0+deb12u1)`; `None` where it does not say.
    pub fn version(&self) -> Option<String> {
        let printed = Command::new(&self.postgres).arg("--version").stdin(Stdio::null()).output().ok()?;
        version_in(&String::from_utf8_lossy(&printed.stdout)).map(str::to_owned)
    }

    fn find_in(path: &OsStr, root: &Path) -> Result<Self, Missing> {
        let mut versioned: Vec<(u32, PathBuf)> = Vec::new();
        for (folder, prefix) in VERSIONED {
            let folder = root.join(folder.trim_start_matches('/'));
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let version = name.to_str().and_then(|name| name.strip_prefix(prefix)?.parse().ok());
                versioned.extend(version.map(|version| (version, entry.path().join("bin"))));
            }
        }
        versioned.sort_unstable_by(|one, other| other.cmp(one));
        let versioned = versioned.into_iter().map(|(_, folder)| folder);
        std::env::split_paths(path)
            .chain(versioned)
            .find_map(|folder| Self::in_folder(&folder))
            .ok_or(Missing)
    }

    /// Both, in one folder. Links are followed: `initdb` looks for what it needs beside itself.
    fn in_folder(folder: &Path) -> Option<Self> {
        let real = |name: &str| std::fs::canonicalize(folder.join(name)).ok().filter(|path| path.is_file());
        Some(Self { initdb: real("initdb")?, postgres: real("postgres")? })
    }
}

/// The version in what `postgres --version` prints.
fn version_in(printed: &str) -> Option<&str> {
    Some(printed.trim().split_once("(PostgreSQL) ")?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_prints_its_version() {
        for (printed, version) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0)\n", Some("15.18 (Debian 15.18-0)")),
            ("postgres (PostgreSQL) 17beta1\n", Some("17beta1")),
            ("", None),
        ] {
            assert_eq!(version_in(printed), version, "{printed}");
        }
    }

    fn install(root: &Path, folder: &str, names: &[&str]) -> PathBuf {
        let folder = root.join(folder);
        std::fs::create_dir_all(&folder).expect("ours");
        for name in names {
            std::fs::write(folder.join(name), "").expect("ours");
        }
        folder
    }

    #[test]
    fn programs_on_path_come_before_the_newest_that_is_installed() {
        let root = tempfile::TempDir::new().expect("a folder");
        let root = std::fs::canonicalize(root.path()).expect("there");
        let both = ["initdb", "postgres"];
        assert_eq!(Programs::find_in(OsStr::new(""), &root), Err(Missing));
        let half = install(&root, "half", &["initdb"]);
        assert_eq!(Programs::find_in(half.as_os_str(), &root), Err(Missing), "no server beside it");
        install(&root, "usr/lib/postgresql/9/bin", &both);
        install(&root, "usr/lib/postgresql/15/bin", &both);
        install(&root, "usr/lib/postgresql/16/bin", &["initdb"]);
        let found = Programs::find_in(half.as_os_str(), &root).expect("installed");
        assert_eq!(
            found.postgres,
            root.join("usr/lib/postgresql/15/bin/postgres"),
            "the newest that is whole"
        );
        let own = install(&root, "own", &both);
        assert_eq!(Programs::find_in(own.as_os_str(), &root).expect("on PATH").initdb, own.join("initdb"));
    }
}
