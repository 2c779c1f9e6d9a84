//! A network of the run's own, in which the kernel may lose packets.
//!
//! A process that enters gets a loopback interface of its own: what is done to it ends with the last process in it, and
//! needs no undoing. Root enters a network namespace; other users enter a user namespace as well, in which they are root
//! (user_namespaces(7)).

use std::ffi::OsStr;
use std::io;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use policy::units::Ratio;

/// Whether this process is in a network of its own.
static IN_NAMESPACE: AtomicBool = AtomicBool::new(false);

/// Where system tools are, for users whose path leaves them out.
const TOOL_PATH: &str = "/usr/sbin:/sbin:/usr/bin:/bin";
/// Arguments of `ip` in a new namespace, whose loopback interface is down.
const LOOPBACK_UP: [&str; 4] = ["link", "set", "lo", "up"];

/// Moves this process and all it will start into a network of its own. Call it before any
/// other thread begins: a process with threads may not enter a user namespace.
///
/// # Errors
/// Where the kernel or its configuration does not allow it, or tools are missing.
pub fn enter() -> io::Result<()> {
    let (uid, gid) = (geteuid(), getegid());
    // There is no way back from a user namespace: a run whose packets cannot be dropped stays where others reach it.
    try_in_child(uid.is_root())?;
    let mut flags = CloneFlags::CLONE_NEWNET;
    if !uid.is_root() {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    unshare(flags)?;
    if !uid.is_root() {
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
        std::fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    }
    run_tool("ip", &LOOPBACK_UP)?;
    IN_NAMESPACE.store(true, Ordering::Relaxed);
    Ok(())
}

/// Whether a child can enter, bring up its loopback interface and have packets dropped.
fn try_in_child(is_root: bool) -> io::Result<()> {
    run_tool("ip", &["-V"])?;
    run_tool("iptables", &["--version"])?;
    let network: &[&str] = if is_root { &["--net"] } else { &["--net", "--user", "--map-root-user"] };
    run_tool("unshare", &[network, &["ip"], &LOOPBACK_UP].concat())?;
    let rule = PacketLossRule::arguments(9, Ratio::new(0.01), "-A", "--dport");
    let rule: Vec<&str> = rule.iter().map(String::as_str).collect();
    run_tool("unshare", &[network, &["iptables"], &rule].concat())
}

/// Whether packets can be lost here.
pub fn is_inside() -> bool {
    IN_NAMESPACE.load(Ordering::Relaxed)
}

/// A rule by which packets to and from a port are dropped, for as long as it lives.
#[derive(Debug)]
pub(crate) struct PacketLossRule {
    port: u16,
    share: Ratio,
}

/// Makes the packet filter drop a share of what arrives for and from a port. On arrival: on departure the sender would
/// get an error.
///
/// # Errors
/// When it refuses, or is not installed.
pub(crate) fn drop_packets(port: u16, share: Ratio) -> io::Result<PacketLossRule> {
    let rule = PacketLossRule { port, share };
    rule.rules("-A")?;
    Ok(rule)
}

impl PacketLossRule {
    fn rules(&self, verb: &str) -> io::Result<()> {
        ["--dport", "--sport"].iter().try_for_each(|side| run_tool("iptables", &self.rule(verb, side)))
    }

    fn rule(&self, verb: &str, side: &str) -> Vec<String> {
        Self::arguments(self.port, self.share, verb, side)
    }

    /// The arguments of the rule for one side of a connection.
    fn arguments(port: u16, share: Ratio, verb: &str, side: &str) -> Vec<String> {
        let (port, share) = (port.to_string(), share.get().to_string());
        let filter = [verb, "INPUT", "-i", "lo", "-p", "tcp", side, &port];
        let chance = ["-m", "statistic", "--mode", "random", "--probability", &share, "-j", "DROP"];
        filter.into_iter().chain(chance).map(str::to_owned).collect()
    }
}

impl Drop for PacketLossRule {
    fn drop(&mut self) {
        // A rule that stays ends with the namespace.
        let _ = self.rules("-D");
    }
}

fn run_tool(name: &str, arguments: &[impl AsRef<OsStr>]) -> io::Result<()> {
    let mut command = Command::new(name);
    command.args(arguments).env("PATH", TOOL_PATH).env("XTABLES_LOCKFILE", "/dev/null");
    let missing =
        |why: io::Error| io::Error::new(why.kind(), format!("`{name}` cannot be started, {why}; install it"));
    let output = command.stdin(Stdio::null()).output().map_err(missing)?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{name}: {}", stderr.lines().next().unwrap_or("it failed"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_drops_its_share_of_what_arrives_for_and_from_a_port() {
        let rule = PacketLossRule { port: 8_080, share: Ratio::new(0.25) };
        // Without a packet filter the rule cannot be removed when it is dropped, which is no failure.
        assert_eq!(
            rule.rule("-A", "--dport").join(" "),
            "-A INPUT -i lo -p tcp --dport 8080 -m statistic --mode random --probability 0.25 -j DROP"
        );
        let (added, removed) = (rule.rule("-A", "--sport"), rule.rule("-D", "--sport"));
        assert_eq!(added[1..], removed[1..], "what is removed is what was added");
    }

    #[test]
    fn a_tool_that_fails_is_named_with_the_first_line_of_its_reason() {
        let error =
            run_tool("sh", &["-c", "echo first >&2; echo second >&2; exit 3"]).expect_err("it failed");
        assert_eq!(error.to_string(), "sh: first");
        let error = run_tool("sh", &["-c", "exit 3"]).expect_err("it failed");
        assert_eq!(error.to_string(), "sh: it failed");
        run_tool("sh", &["-c", "exit 0"]).expect("it succeeds");
    }

    #[test]
    fn a_tool_that_is_missing_is_to_be_installed() {
        let error = run_tool("cleave-no-such-tool", &[""; 0]).expect_err("there is none");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains("`cleave-no-such-tool` cannot be started"), "{error}");
        assert!(error.to_string().ends_with("install it"), "{error}");
    }

    #[test]
    fn what_is_tried_in_a_child_leaves_this_process_in_its_network() {
        let network = || std::fs::read_link("/proc/self/ns/net").expect("Linux");
        let before = network();
        // Whether it can be done here or not.
        let _tried = try_in_child(geteuid().is_root());
        assert_eq!(network(), before);
        assert!(!is_inside());
    }

    #[test]
    fn packets_cannot_be_lost_before_a_network_was_entered() {
        assert!(!is_inside());
    }
}
