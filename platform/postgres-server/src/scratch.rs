//! Servers for tests: one for all tests of a process, gone with it, and those of a test's own, which can be killed.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::Cluster;

/// Connections to it: several databases for each test that runs.
const CONNECTIONS: u32 = 200;
/// How often it is asked whether it is ready.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Starts of a server that was killed, before it is given up: processes of the one before may hold its data for a moment.
const MAX_STARTS: u32 = 200;

/// Serves until its standard input ends, which is when the process that started it has ended, however that came about;
/// then it takes server and folder away. It ends at once where the server does. Signals of a terminal are for that process.
const SERVE: &str = r#"
trap '' INT TERM HUP
folder=$1
shift
"$@" </dev/null >"$folder/log" 2>&1 &
server=$!
exec 3<&0
{
    cat <&3 >/dev/null
    kill -QUIT $server 2>/dev/null
    while kill -0 $server 2>/dev/null; do sleep 0.02; done
    rm -rf "$folder"
} &
exec 3<&-
wait $server
"#;

/// A server, and the pipe that keeps it alive.
struct Scratch {
    cluster: Cluster,
    _keeper: Child,
}

/// The address of this process's server, which is started for the first who asks.
///
/// # Errors
/// Why there is none, for people: PostgreSQL is not installed, above all.
pub fn url() -> Result<String, String> {
    static SERVER: OnceLock<Result<Scratch, String>> = OnceLock::new();
    SERVER.get_or_init(start).as_ref().map(|scratch| scratch.cluster.url()).map_err(Clone::clone)
}

/// A server of a test's own, which can be killed and started again. It ends with this value, and with the thread that started it.
pub struct OwnServer {
    cluster: Cluster,
    folder: PathBuf,
    server: Child,
}

impl OwnServer {
    /// Makes and starts one.
    ///
    /// # Errors
    /// Why there is none, for people: PostgreSQL is not installed, above all.
    pub fn start() -> Result<Self, String> {
        let folder = fresh_folder()?;
        let started = make(&folder).and_then(|cluster| Ok((spawn(&cluster, &folder)?, cluster)));
        match started {
            Ok((server, cluster)) => Ok(Self { cluster, folder, server }),
            Err(reason) => {
                // What cannot be removed stays.
                let _ = std::fs::remove_dir_all(&folder);
                Err(reason)
            }
        }
    }

    /// Its address.
    pub fn url(&self) -> String {
        self.cluster.url()
    }

    /// Its first process, whose children work for its clients.
    pub fn pid(&self) -> u32 {
        self.server.id()
    }

    /// Kills its first process: the others end when they notice.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }

    /// Starts it again where it was, with what it has kept.
    ///
    /// # Errors
    /// When it does not come back.
    pub fn start_again(&mut self) -> Result<(), String> {
        self.kill();
        let mut started = spawn(&self.cluster, &self.folder);
        for _ in 1..MAX_STARTS {
            if started.is_ok() {
                break;
            }
            std::thread::sleep(POLL_INTERVAL);
            started = spawn(&self.cluster, &self.folder);
        }
        self.server = started?;
        Ok(())
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // "Immediate shutdown" (PostgreSQL, 19.5), which waits for all of its processes.
        let quit = Command::new("kill").args(["-QUIT", &self.server.id().to_string()]).status();
        if !quit.is_ok_and(|status| status.success()) {
            let _ = self.server.kill();
        }
        let _ = self.server.wait();
        // What is left in a temporary folder is of no use, and harms nothing.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Serves until it is ended, once it accepts connections.
fn spawn(cluster: &Cluster, folder: &Path) -> Result<Child, String> {
    let log = folder.join("log");
    let file = File::options().create(true).append(true).open(&log).map_err(|why| why.to_string())?;
    let mut server = cluster
        .command(CONNECTIONS)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file)
        .spawn()
        .map_err(|why| format!("`setpriv` does not start: {why}"))?;
    while !cluster.is_ready(Some(server.id())) {
        if let Ok(Some(status)) = server.try_wait() {
            return Err(ended_at_once(status, &log));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok(server)
}

fn ended_at_once(status: ExitStatus, log: &Path) -> String {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    format!("the server ended at once, {status}: {}", log.trim())
}

fn start() -> Result<Scratch, String> {
    let folder = fresh_folder()?;
    let started = serve(&folder);
    if started.is_err() {
        // What is left of it is of no use; where it cannot be removed, it stays.
        let _ = std::fs::remove_dir_all(&folder);
    }
    started
}

/// A short path, since sockets have short names, that the server's account can enter.
fn fresh_folder() -> Result<PathBuf, String> {
    let output = Command::new("mktemp").args(["-d", "-p", "/tmp", "cleave-pg.XXXXXXXX"]).output();
    let output = output.map_err(|why| format!("`mktemp` does not start: {why}"))?;
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o711))
        .map_err(|why| format!("no folder in /tmp: {why}"))?;
    Ok(folder)
}

fn make(folder: &Path) -> Result<Cluster, String> {
    let cluster = Cluster::new(folder.join("data"), folder.join("s")).map_err(|why| why.with_cause())?;
    cluster.make().map_err(|why| why.with_cause())?;
    Ok(cluster)
}

fn serve(folder: &Path) -> Result<Scratch, String> {
    let cluster = make(folder)?;
    let command = cluster.command(CONNECTIONS);
    let mut keeper = Command::new("sh")
        .args(["-c", SERVE, "sh"])
        .arg(folder)
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|why| format!("`sh` does not start: {why}"))?;
    while !cluster.is_ready(None) {
        if let Ok(Some(status)) = keeper.try_wait() {
            return Err(ended_at_once(status, &folder.join("log")));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok(Scratch { cluster, _keeper: keeper })
}
