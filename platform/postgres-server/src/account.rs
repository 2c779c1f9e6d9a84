//! The account that a server runs as. PostgreSQL refuses to run as root, so root starts it under an unprivileged account.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

/// The account that Debian's package makes.
const NAME: &str = "postgres";

/// The account that a server runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// The one that starts it.
    Own,
    /// Another, since root starts it.
    Other {
        /// Its number.
        uid: u32,
        /// Its group's.
        gid: u32,
    },
}

/// There is no account to run it as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "PostgreSQL does not run as root and there is no user `postgres` to run it as; make one with `useradd --system postgres`, or start this as another user"
)]
pub struct NoAccount;

impl Account {
    /// This process's own, or the one of the name `postgres` where that is root.
    ///
    /// # Errors
    /// When root has no such account.
    pub fn find() -> Result<Self, NoAccount> {
        let own = std::fs::metadata("/proc/self").map_or(u32::MAX, |own| own.uid());
        Self::find_for(own, &std::fs::read_to_string("/etc/passwd").unwrap_or_default())
    }

    fn find_for(own: u32, passwd: &str) -> Result<Self, NoAccount> {
        if own != 0 {
            return Ok(Self::Own);
        }
        let account = passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (name, uid, gid) = (fields.next()?, fields.nth(1)?, fields.next()?);
            (name == NAME).then_some((uid.parse().ok()?, gid.parse().ok()?))
        });
        let (uid, gid) = account.filter(|(uid, _)| *uid != 0).ok_or(NoAccount)?;
        Ok(Self::Other { uid, gid })
    }

    /// A command that runs a program as this account, and kills it when its parent dies. The kernel clears that signal when
    /// the account changes, so it is set afterwards.
    pub fn command(self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("setpriv");
        if let Self::Other { uid, gid } = self {
            command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}"));
            command.args(["--init-groups", "--no-new-privs"]);
        }
        command.args(["--pdeathsig", "KILL"]).arg(program);
        command
    }

    /// Gives a file or folder to this account.
    ///
    /// # Errors
    /// When it is not there.
    pub fn own(self, path: &Path) -> std::io::Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid } => std::os::unix::fs::chown(path, Some(uid), Some(gid)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_needs_another_account_and_others_do_not() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/sh\n";
        assert_eq!(Account::find_for(1000, ""), Ok(Account::Own));
        assert_eq!(Account::find_for(0, passwd), Ok(Account::Other { uid: 101, gid: 104 }));
        assert_eq!(Account::find_for(0, "root:x:0:0::/root:/bin/sh"), Err(NoAccount));
        assert_eq!(
            Account::find_for(0, "postgres:x:0:0::/root:/bin/sh"),
            Err(NoAccount),
            "root by another name"
        );
    }
}
