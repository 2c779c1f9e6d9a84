//! A folder with a configuration, the command that serves it, and whether it accepts connections.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::program::{self, Missing};

/// The configuration file in a server's folder.
const CONFIG: &str = "nats.conf";
/// The environment variable that the configuration takes the token from: on a command line or in the file others could
/// read it.
const TOKEN_VARIABLE: &str = "CLEAVE_NATS_TOKEN";
/// What its streams may be together: sizes of streams are promised, not taken.
const MAX_STORE: &str = "1GB";

/// Why a server cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// It is not installed.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// A folder or file.
    #[error("{path} cannot be used for a NATS server")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A server's program, its folder, and what opens it.
#[derive(Clone)]
pub struct Server {
    program: PathBuf,
    folder: PathBuf,
    token: String,
}

impl Server {
    /// A server that keeps its streams in a folder and lets clients in that have the token. Nothing is made yet.
    ///
    /// # Errors
    /// When the program is not installed.
    pub fn new(folder: PathBuf, token: &str) -> Result<Self, ServerError> {
        Ok(Self { program: program::find()?, folder, token: token.to_owned() })
    }

    /// Writes its configuration. Without a port it takes a free one, which [`Server::port`] shows.
    ///
    /// # Errors
    /// When the folder or the file cannot be made.
    pub fn configure(&self, port: Option<u16>) -> Result<(), ServerError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ServerError::Folder { path, source }
        };
        std::fs::create_dir_all(self.store()).map_err(failed(&self.folder))?;
        std::fs::set_permissions(&self.folder, PermissionsExt::from_mode(0o700))
            .map_err(failed(&self.folder))?;
        for entry in std::fs::read_dir(&self.folder).map_err(failed(&self.folder))?.flatten() {
            // Of a process that was killed: the next one may get its id.
            if entry.path().extension().is_some_and(|extension| extension == "ports") {
                std::fs::remove_file(entry.path()).map_err(failed(&entry.path()))?;
            }
        }
        let path = self.folder.join(CONFIG);
        std::fs::write(&path, self.config(port)).map_err(failed(&path))
    }

    fn config(&self, port: Option<u16>) -> String {
        let port = port.map_or_else(|| "-1".to_owned(), |port| port.to_string());
        format!(
            "host: \"127.0.0.1\"\nport: {port}\nports_file_dir: {}\nauthorization {{ token: ${TOKEN_VARIABLE} }}\n\
             jetstream {{ store_dir: {}, max_file_store: {MAX_STORE} }}\n",
            quoted(&self.folder),
            quoted(&self.store()),
        )
    }

    /// The command that serves it, in the foreground. It is killed when its parent dies.
    pub fn command(&self) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(&self.program).arg("-c").arg(self.folder.join(CONFIG));
        let (name, value) = self.environment();
        command.env(name, value);
        command
    }

    /// What the command needs in its environment: the token, as the configuration reads it.
    pub fn environment(&self) -> (&'static str, String) {
        // Quoted, or one of digits would be a number.
        (TOKEN_VARIABLE, format!("\"{}\"", self.token))
    }

    /// Where it accepts connections, once it does: the process of this id writes it to a file.
    pub fn port(&self, pid: u32) -> Option<u16> {
        /// The addresses that a server listens at.
        #[derive(Deserialize)]
        struct Ports {
            nats: Vec<String>,
        }

        let name = self.program.file_name()?.to_string_lossy();
        let text = std::fs::read(self.folder.join(format!("{name}_{pid}.ports"))).ok()?;
        let ports: Ports = serde_json::from_slice(&text).ok()?;
        ports.nats.first()?.rsplit_once(':')?.1.parse().ok()
    }

    /// Where its streams are.
    pub fn store(&self) -> PathBuf {
        self.folder.join("store")
    }
}

/// A path as a text of the configuration, whatever is in it.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(folder: &Path, token: &str) -> Server {
        Server { program: "/usr/sbin/nats-server".into(), folder: folder.to_owned(), token: token.to_owned() }
    }

    #[test]
    fn the_token_is_neither_in_a_file_nor_on_the_command_line() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let server = server(folder.path(), "5e3c437");
        server.configure(Some(4300)).expect("ours");
        let config = std::fs::read_to_string(folder.path().join(CONFIG)).expect("written");
        assert!(config.contains("port: 4300\n") && !config.contains("5e3c437"), "{config}");
        let command = server.command();
        assert!(!command.get_args().any(|argument| argument.to_string_lossy().contains("5e3c437")));
        assert_eq!(server.environment().1, "\"5e3c437\"");
    }

    #[test]
    fn a_port_is_known_once_the_process_has_written_it() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let server = server(folder.path(), "");
        assert_eq!(server.port(7), None);
        std::fs::write(folder.path().join("nats-server_7.ports"), "{\"nats\":[\"nats://127.0.0.1:4301\"]}")
            .expect("ours");
        assert_eq!((server.port(7), server.port(8)), (Some(4301), None), "another process");
    }

    #[test]
    fn a_path_is_one_text_of_the_configuration() {
        assert_eq!(quoted(Path::new(r#"/tmp/a "run"\x"#)), r#""/tmp/a \"run\"\\x""#);
    }
}
