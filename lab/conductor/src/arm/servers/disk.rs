//! A disk of a server's own, of a fixed size, so that it can be full without the machine's being so.
//!
//! It is a file system in memory in a mount namespace, which a process of the run holds: the server enters the namespace, and
//! nothing else of the machine sees the disk. What it keeps outlives the server, which may be killed and started again, and
//! ends with the process that holds it, however the lab ends. Root makes a mount namespace; other users make a user namespace
//! as well, in which they may mount (user_namespaces(7)).

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use runtime::clock;

use crate::arm::children::{ChildProcess, ChildSpec, describe_exit};
use crate::arm::environment::RunEnvironment;
use crate::process::guardian::{ProcessIdentity, UndoAction};

/// Mounts a disk at `$1` and holds it until standard input ends, as the lab does, or its parent. 32 MiB: a hundred thousand
/// events, far more than wait while a broker is away, and a tenth of what a run may take in memory.
const HOLD: &str = "mount -t tmpfs -o size=32m,mode=0700 cleave \"$1\" && exec setpriv --pdeathsig KILL cat";
/// A namespace and a mount take some milliseconds, and longer on a busy machine.
const MOUNT_TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is looked whether it is mounted.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// The file that takes the space.
const FILLER: &str = "cleave-filler";

/// What takes the space, in pieces.
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// A disk that is mounted for a server.
pub struct Disk {
    /// Its namespaces are those of this process.
    holder: ChildProcess,
    /// Where the server sees it.
    folder: PathBuf,
    undo: Option<u64>,
}

/// Whether this machine lets one be mounted.
///
/// # Errors
/// Why it does not.
pub fn availability() -> Result<(), String> {
    // Where no process but this command sees it.
    let mount = ["mount", "-t", "tmpfs", "cleave", "/tmp"];
    let mut command = Command::new("unshare");
    let output = command.args(new_namespaces()).args(mount).stdin(Stdio::null()).output();
    let output = output.map_err(|why| format!("`unshare` cannot be started, {why}; install util-linux"))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(stderr.lines().next().unwrap_or("`unshare` failed").to_owned())
}

/// The namespaces that a user needs for a mount.
fn new_namespaces() -> &'static [&'static str] {
    if geteuid().is_root() { &["--mount"] } else { &["--user", "--map-root-user", "--mount"] }
}

impl Disk {
    /// Mounts one at a folder, which is made and has to be named from the root on. `name` names its process, whose messages go
    /// to `log`.
    ///
    /// # Errors
    /// Where the machine does not allow it.
    pub async fn mount(
        environment: &RunEnvironment,
        name: String,
        folder: PathBuf,
        log: PathBuf,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let mut arguments: Vec<OsString> = new_namespaces().iter().map(Into::into).collect();
        arguments.extend(["sh", "-c", HOLD, "sh"].map(OsString::from));
        arguments.push(folder.clone().into_os_string());
        let program = "unshare".into();
        let spec = ChildSpec { name, program, arguments, environment: Vec::new(), log: log.clone() };
        let (holder, _output) = environment.spawner.spawn(spec).await.map_err(|why| why.source)?;
        let undo = environment.guardian.record_undo(&UndoAction::Kill(ProcessIdentity::of(holder.pid)));
        let disk = Self { holder, folder, undo };
        let until = clock::now() + MOUNT_TIMEOUT;
        while !disk.is_mounted() {
            let ended = disk.holder.exit_status().map(describe_exit);
            if ended.is_some() || clock::now() > until {
                let reason = ended.map_or_else(
                    || format!("nothing is mounted within {MOUNT_TIMEOUT:?}"),
                    |end| format!("`unshare` ended with {end}"),
                );
                disk.unmount(environment).await;
                return Err(io::Error::other(format!("{reason}; its log is {}", log.display())));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(disk)
    }

    /// What a command begins with that shall see the disk.
    pub fn entered(&self) -> Vec<OsString> {
        let holder = self.holder.pid.to_string();
        let mut words = vec!["nsenter", "--target", &holder, "--mount"];
        if !geteuid().is_root() {
            words.extend(["--user", "--preserve-credentials"]);
        }
        words.into_iter().map(OsString::from).collect()
    }

    /// Where it is for this process.
    pub fn path(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.pid));
        root.join(self.folder.strip_prefix("/").unwrap_or(&self.folder))
    }

    /// Takes what space is left. Returns whether there was any.
    ///
    /// # Errors
    /// When it fails in another way than for want of space.
    pub async fn fill(&self) -> io::Result<bool> {
        let filler = self.path().join(FILLER);
        runtime::blocking(move || take_space(&filler)).await
    }

    /// Gives back what [`Disk::fill`] has taken.
    ///
    /// # Errors
    /// When it cannot be given back.
    pub fn empty(&self) -> io::Result<()> {
        match std::fs::remove_file(self.path().join(FILLER)) {
            Err(why) if why.kind() != ErrorKind::NotFound => Err(why),
            _ => Ok(()),
        }
    }

    /// Ends it with all that is on it.
    pub async fn unmount(&self, environment: &RunEnvironment) {
        // Where it has ended the disk has, too.
        let _ = self.holder.signal(Signal::SIGKILL);
        self.holder.wait().await;
        environment.guardian.mark_undone(self.undo.into_iter().collect());
    }

    /// Whether it is there: what lies at the folder is on another device than for others.
    fn is_mounted(&self) -> bool {
        let device = |path: &Path| std::fs::metadata(path).map(|found| found.dev());
        match (device(&self.path()), device(&self.folder)) {
            (Ok(inside), Ok(outside)) => inside != outside,
            _ => false,
        }
    }
}

fn take_space(filler: &Path) -> io::Result<bool> {
    let mut file = File::options().create(true).append(true).open(filler)?;
    let mut has_taken = false;
    loop {
        match file.write(&ZEROS) {
            Ok(bytes) => has_taken |= bytes > 0,
            Err(why) if why.kind() == ErrorKind::StorageFull => return Ok(has_taken),
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
}
