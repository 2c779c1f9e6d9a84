//! The programs that arms are deployed from, where these are the application's own: one that holds all of it, and one for each
//! service, as they are shipped. Otherwise every process is `cleave node`.

use std::path::{Path, PathBuf};

use contract::ProcessPlan;

/// Programs of one build in a folder, and of another with a change in it.
#[derive(Clone, Debug)]
pub struct Deployables {
    /// The folder of the programs before the change.
    pub before: PathBuf,
    /// The folder of those that the change was built into.
    pub after: PathBuf,
    /// The build that runs those.
    pub changed: &'static str,
}

/// The name of the program that a process is: that of its one component, of the gateway or of the registry by itself, and
/// otherwise the monolith, which can be any of them.
pub fn program_of(process: &ProcessPlan) -> String {
    match (&process.hosts[..], process.gateway, process.registry) {
        ([only], false, false) => only.to_string(),
        ([], true, false) => "gateway".to_owned(),
        ([], false, true) => "registry".to_owned(),
        _ => "monolith".to_owned(),
    }
}

impl Deployables {
    /// The program of a process that runs a build.
    pub fn path(&self, process: &ProcessPlan, build: &str) -> PathBuf {
        let folder: &Path = if build == self.changed { &self.after } else { &self.before };
        folder.join(program_of(process))
    }
}

#[cfg(test)]
mod tests {
    use contract::ComponentName;

    use super::*;

    #[test]
    fn a_process_is_the_smallest_program_that_holds_it() {
        let feed = ProcessPlan::holding(ComponentName::of("feed"));
        let empty = ProcessPlan { hosts: Vec::new(), ..feed.clone() };
        let both = ProcessPlan {
            hosts: vec![ComponentName::of("feed"), ComponentName::of("photo")],
            ..feed.clone()
        };
        assert_eq!(program_of(&feed), "feed");
        assert_eq!(program_of(&ProcessPlan { gateway: true, ..empty.clone() }), "gateway");
        assert_eq!(program_of(&ProcessPlan { registry: true, ..empty.clone() }), "registry");
        for whole in [
            both,
            ProcessPlan { gateway: true, ..feed.clone() },
            ProcessPlan { gateway: true, registry: true, ..empty },
        ] {
            assert_eq!(program_of(&whole), "monolith");
        }
        let deployables = Deployables { before: "/old".into(), after: "/new".into(), changed: "changed" };
        assert_eq!(deployables.path(&feed, "good"), Path::new("/old/feed"));
        assert_eq!(deployables.path(&feed, "changed"), Path::new("/new/feed"));
    }
}
