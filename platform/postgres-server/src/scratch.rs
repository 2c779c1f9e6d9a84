//! A server for the tests of a process, gone with it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::Cluster;

/// Connections to it: several databases for each test that runs.
const CONNECTIONS: u32 = 200;
/// How often it is asked whether it is ready.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

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

fn serve(folder: &Path) -> Result<Scratch, String> {
    let cluster = Cluster::new(folder.join("data"), folder.join("s")).map_err(|why| why.with_cause())?;
    cluster.make().map_err(|why| why.with_cause())?;
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
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            return Err(format!("the server ended at once, {status}: {}", log.trim()));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok(Scratch { cluster, _keeper: keeper })
}
