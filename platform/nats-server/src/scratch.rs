//! A server for a test, which can be killed, paused and started again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Server;

/// How often it is asked whether it is ready.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// A server whose folder is the test's. It ends with this value, and with the thread that started it.
pub struct Scratch {
    server: Server,
    log: PathBuf,
    child: Child,
    /// Where it listens, also after it was started again.
    pub port: u16,
}

impl Scratch {
    /// Starts one in a folder.
    ///
    /// # Errors
    /// Why there is none, for people: it is not installed, above all.
    pub fn start(folder: &Path, token: &str) -> Result<Self, String> {
        let server = Server::new(folder.join("broker"), token).map_err(|why| why.to_string())?;
        let log = folder.join("broker.log");
        let (child, port) = serve(&server, &log, None)?;
        Ok(Self { server, log, child, port })
    }

    /// Kills it.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again where it was, with what it has kept.
    ///
    /// # Errors
    /// When it does not come back.
    pub fn start_again(&mut self) -> Result<(), String> {
        self.kill();
        (self.child, self.port) = serve(&self.server, &self.log, Some(self.port))?;
        Ok(())
    }

    /// Starts it again with nothing of what it has kept.
    ///
    /// # Errors
    /// When it does not come back.
    pub fn start_empty(&mut self) -> Result<(), String> {
        self.kill();
        // Where something is left, the test that needs it gone fails.
        let _ = std::fs::remove_dir_all(self.server.store());
        self.start_again()
    }

    /// Keeps a copy of what it has by now; it is killed for that, and started again.
    ///
    /// # Errors
    /// When it cannot be copied, or does not come back.
    pub fn save(&mut self) -> Result<(), String> {
        self.kill();
        copy(&self.server.store(), &self.saved())?;
        self.start_again()
    }

    /// Starts it again with the copy: what it has acknowledged since then is lost, as with the machine's power.
    ///
    /// # Errors
    /// When it cannot be copied, or does not come back.
    pub fn restore(&mut self) -> Result<(), String> {
        self.kill();
        copy(&self.saved(), &self.server.store())?;
        self.start_again()
    }

    fn saved(&self) -> PathBuf {
        self.server.store().with_extension("saved")
    }

    /// Stops it where it stands, or lets it go on.
    pub fn pause(&self, is_paused: bool) {
        let signal = if is_paused { "-STOP" } else { "-CONT" };
        let sent = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "`kill` signals a child of ours");
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Copies a folder in the place of another.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    // There may be none yet; what cannot be removed is found by `cp`.
    let _ = std::fs::remove_dir_all(to);
    let copied = Command::new("cp").args(["-a", "-T"]).arg(from).arg(to).status();
    match copied {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("`cp` of {} fails: {other:?}", from.display())),
    }
}

fn serve(server: &Server, log: &Path, port: Option<u16>) -> Result<(Child, u16), String> {
    server.configure(port).map_err(|why| why.to_string())?;
    let errors = File::options().create(true).append(true).open(log).map_err(|why| why.to_string())?;
    let mut child = server
        .command()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn()
        .map_err(|why| format!("`setpriv` does not start: {why}"))?;
    loop {
        if let Some(port) = server.port(child.id()) {
            return Ok((child, port));
        }
        if let Ok(Some(status)) = child.try_wait() {
            let log = std::fs::read_to_string(log).unwrap_or_default();
            return Err(format!("the server ended at once, {status}: {log}"));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}
