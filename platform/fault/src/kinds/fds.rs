//! `fds`: a process may open few files and sockets.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, FaultKind, out_of_range};
use crate::{ProcessFault, TargetKind};

/// RLIMIT_NOFILE of the running process: clients connect and hang in the backlog.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fds {
    /// Open files it may have.
    limit: u64,
}

/// What Linux allows a process at most where nothing else is set (`fs.nr_open`): beyond it the kernel refuses.
const MAX_FILES: u64 = 1_048_576;

impl FaultKind for Fds {
    const ACTUATOR: Actuator = Actuator::Conductor;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["limit"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Node];

    fn process_fault(&self) -> Option<ProcessFault> {
        Some(ProcessFault::OpenFiles(self.limit))
    }

    fn diagnostics(&self) -> Vec<String> {
        out_of_range("limit", self.limit, 0..=MAX_FILES)
    }
}

impl fmt::Display for Fds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limit to {} open files", self.limit)
    }
}
