//! A data folder with its settings, the command that serves it, and whether it answers.

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
        "the folder of a PostgreSQL server's sockets is too long, {0}; use one of at most {MAX_SOCKETS_PATH} bytes"
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
        for setting in ["listen_addresses=", "unix_socket_permissions=0700", "shared_buffers=16MB"] {
            command.args(["-c", setting]);
        }
        command.args(["-c", &format!("max_connections={connections}")]);
        command.current_dir("/");
        command
    }

    /// Whether it accepts connections: the server notes it in the last line of a file.
    pub fn is_ready(&self) -> bool {
        let noted = std::fs::read_to_string(self.data.join("postmaster.pid"));
        noted.is_ok_and(|noted| noted.lines().nth(7).is_some_and(|status| status.trim() == "ready"))
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

    /// The address of its first database, without a password: a process that can open the socket may come in.
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
