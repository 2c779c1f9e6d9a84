//! A data folder with its settings, the command that serves it, and whether it answers.

use std::error::Error;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::account::NoAccount;
use crate::{Account, Missing, Programs};

/// The superuser of every cluster.
const USER: &str = "cleave";
/// The database that every cluster begins with.
const DATABASE: &str = "postgres";
/// Part of the socket's name; no port is opened.
const PORT: &str = "5432";
/// The longest path of a socket is 107 bytes, and its file is called `.s.PGSQL.5432` in its folder.
const MAX_SOCKETS_PATH: usize = 107 - "/.s.PGSQL.5432".len();

/// Why a server cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// It is not installed.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// There is no account to run it as.
    #[error(transparent)]
    NoAccount(#[from] NoAccount),
    /// A folder.
    #[error("{path} cannot be used for a PostgreSQL server")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The path of its sockets.
    #[error(
        "the path of a PostgreSQL server's sockets is too long, {0}: expected at most {MAX_SOCKETS_PATH} bytes; give a shorter folder with --out"
    )]
    LongPath(PathBuf),
    /// A program did not start, or failed.
    #[error("`{program}` failed: {output}")]
    Program {
        /// Which.
        program: PathBuf,
        /// What it printed.
        output: String,
    },
}

/// A data folder, and the folder of its sockets.
#[derive(Clone, Debug)]
pub struct Cluster {
    programs: Programs,
    account: Account,
    data: PathBuf,
    sockets: PathBuf,
}

impl ClusterError {
    /// With its cause, for people.
    pub fn with_cause(&self) -> String {
        match self.source() {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }

    /// Whether the account may not enter a folder.
    pub fn is_of_rights(&self) -> bool {
        matches!(self, Self::Program { output, .. } if output.contains("Permission denied"))
    }
}

impl Cluster {
    /// A cluster with these folders. Nothing is made yet.
    ///
    /// # Errors
    /// When PostgreSQL is not installed, no account can run it, or the path is too long for sockets.
    pub fn new(data: PathBuf, sockets: PathBuf) -> Result<Self, ClusterError> {
        let (programs, account) = (Programs::find()?, Account::find()?);
        if sockets.as_os_str().len() > MAX_SOCKETS_PATH {
            return Err(ClusterError::LongPath(sockets));
        }
        Ok(Self { programs, account, data, sockets })
    }

    /// Makes both folders, and the data in it: seconds of work. Not synced to the disk: a fresh cluster that power loss
    /// damages is made anew.
    ///
    /// # Errors
    /// When a folder cannot be made, or `initdb` fails.
    pub fn make(&self) -> Result<(), ClusterError> {
        for path in [&self.data, &self.sockets] {
            let failed = |source| ClusterError::Folder { path: path.clone(), source };
            std::fs::create_dir_all(path).map_err(failed)?;
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o700)).map_err(failed)?;
            self.account.own(path).map_err(failed)?;
        }
        let mut initdb = self.account.command(&self.programs.initdb);
        initdb.args(["--username", USER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8"]);
        initdb.args(["--no-instructions", "--no-sync", "--pgdata"]).arg(&self.data);
        let failed = |output| ClusterError::Program { program: self.programs.initdb.clone(), output };
        // Its own folder may be closed to the account.
        let output = initdb.current_dir("/").stdin(Stdio::null()).output();
        let output = output.map_err(|why| failed(format!("{why} (is `setpriv` of util-linux there?)")))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        }
    }

    /// The command that serves it, in the foreground, until it is killed. `fsync` and `synchronous_commit` are on, as they
    /// are by default.
    pub fn command(&self, connections: u32) -> Command {
        let mut command = self.account.command(&self.programs.postgres);
        command.arg("-D").arg(&self.data).arg("-k").arg(&self.sockets).args(["-p", PORT]);
        for setting in [
            "listen_addresses=",
            "unix_socket_permissions=0700",
            "shared_buffers=16MB",
            // In its folder, so that a server that is killed leaves nothing elsewhere (PostgreSQL, 20.4).
            "dynamic_shared_memory_type=mmap",
            format!("max_connections={connections}").as_str(),
        ] {
            command.args(["-c", setting]);
        }
        command.current_dir("/");
        command
    }

    /// Whether its server accepts connections, which that notes in the last line of a file whose first is its process id: a
    /// server that was killed leaves its own behind. `None` for whatever process, where there was none before.
    pub fn is_ready(&self, pid: Option<u32>) -> bool {
        let Ok(noted) = std::fs::read_to_string(self.data.join("postmaster.pid")) else { return false };
        let line = |at| noted.lines().nth(at).map(str::trim);
        pid.is_none_or(|pid| line(0) == Some(&pid.to_string())) && line(7) == Some("ready")
    }

    /// Where its data are.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Who runs it.
    pub const fn account(&self) -> Account {
        self.account
    }

    /// Whether its data are there.
    pub fn is_made(&self) -> bool {
        self.data.join("PG_VERSION").exists()
    }

    /// The address of its first database, without a password: any process that can open the socket is let in.
    pub fn url(&self) -> String {
        self.url_of(DATABASE)
    }

    /// The address of a database.
    pub fn url_of(&self, database: &str) -> String {
        format!("host={} port={PORT} user={USER} dbname={database}", quoted(&self.sockets))
    }
}

/// A value of a connection string, whatever is in it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_value_of_a_connection_string() {
        assert_eq!(quoted(Path::new("/tmp/a run/it's")), r"'/tmp/a run/it\'s'");
    }

    #[test]
    fn the_note_of_a_server_that_was_killed_is_not_that_of_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().to_owned();
        let programs = Programs { initdb: "initdb".into(), postgres: "postgres".into() };
        let cluster = Cluster { programs, account: Account::Own, sockets: data.clone(), data };
        let note = |status: &str| {
            let text = format!("4711\n/data\n1700000000\n5432\n/sockets\n\n  5432001  32768\n{status} \n");
            std::fs::write(folder.path().join("postmaster.pid"), text).expect("written");
        };
        assert!(!cluster.is_ready(Some(4711)), "nothing is noted");
        note("starting");
        assert!(!cluster.is_ready(Some(4711)));
        note("ready");
        assert!(cluster.is_ready(Some(4711)) && cluster.is_ready(None));
        assert!(!cluster.is_ready(Some(4712)), "that is another's");
    }

    #[test]
    fn a_folder_too_deep_for_sockets_is_refused() {
        let folder = PathBuf::from("/deep".repeat(20));
        match Cluster::new(folder.join("data"), folder.clone()) {
            Err(ClusterError::LongPath(path)) => assert_eq!(path, folder),
            // Not installed here.
            Err(ClusterError::Missing(_) | ClusterError::NoAccount(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}
