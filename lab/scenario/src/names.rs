//! Names that a run uses in paths, in requests and in other sections: what they are made of, and no two for one folder.

use std::ops::Range;

use contract::Placement;

use crate::declared::ArmName;
use crate::reader::Reader;

/// Longest name, bytes: names stand in columns, and in names of files, which end at 255.
const MAX_NAME_BYTES: usize = 64;
/// What a run writes into its own folder, where each arm has a folder, too.
const RUN_FILES: [&str; 8] = [
    "run.jsonl",
    "run.jsonl.gz",
    "run.idx",
    "undo.jsonl",
    "generator.log",
    "burner.log",
    "load.json",
    "report.html",
];

/// Names that targets and measures have for other things.
const RESERVED_PROCESSES: [&str; 4] = ["gateway", "registry", "broker", "host"];

/// The folder of an arm, below the run's.
pub fn arm_folder(name: &str) -> String {
    name.replace('/', "-")
}

impl Reader<'_> {
    /// Reports a name that could not be a file's, or not be written in an expectation.
    pub(crate) fn check_name(&mut self, what: &str, name: &str, span: Range<usize>) {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let begins_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !begins_well || !name.chars().all(is_allowed) || name.len() > MAX_NAME_BYTES {
            self.report(
                span,
                format!(
                    "invalid {what} `{}`: expected letters, digits, `-`, `_` and `.`, a letter or digit first, at most \
                     {MAX_NAME_BYTES} in all",
                    name.escape_debug()
                ),
            );
        }
    }

    /// Reports names of a topology's processes that would be taken for something else, and two of one name. `each` stands
    /// for a process of every component in it, by the component's name.
    pub(crate) fn check_processes(&mut self, placement: &Placement, place: &dyn Fn(&str) -> Range<usize>) {
        for (process, members) in &placement.processes {
            self.check_name("process", process, place(process));
            let is_component = self.components.iter().any(|component| component.as_str() == process);
            let holds_itself = members.iter().any(|member| member == process || member == "*");
            if members.is_empty() {
                let message =
                    format!("process `{process}` holds nothing; write for example {process} = [\"feed\"]");
                self.report(place(process), message);
            } else if RESERVED_PROCESSES.contains(&process.as_str()) && members.as_slice() != ["gateway"] {
                let message = format!(
                    "a process called `{process}` would be taken for the {process} itself; write another name"
                );
                self.report(place(process), message);
            } else if is_component && !holds_itself {
                let message = format!(
                    "process `{process}` does not hold the component of that name; write another name"
                );
                self.report(place(process), message);
            }
        }
        let plans = placement.resolve(self.components).unwrap_or_default();
        for (index, plan) in plans.iter().enumerate() {
            if plans[..index].iter().any(|other| other.name == plan.name) {
                let message = format!("two processes are called `{}`; write another name", plan.name);
                self.report(place(&plan.name), message);
            }
        }
    }

    /// Reports arms that would share a folder with each other, or with a file of the run.
    pub(crate) fn check_arm_folders(&mut self, places: &[(ArmName, Range<usize>)]) {
        for (index, (arm, place)) in places.iter().enumerate() {
            let folder = arm_folder(&arm.name);
            if RUN_FILES.contains(&folder.as_str()) {
                let message = format!(
                    "the run has a file called `{folder}`, where the arm's folder would be; write another name"
                );
                self.report(place.clone(), message);
            }
            let other = places[..index].iter().find(|(other, _)| arm_folder(&other.name) == folder);
            if let Some((other, _)) = other {
                let message = if other.name == arm.name {
                    format!("duplicate arm `{}`; write another name", arm.name)
                } else {
                    format!(
                        "arms `{}` and `{}` have the same folder, `{folder}`; write another name",
                        other.name, arm.name
                    )
                };
                self.report(place.clone(), message);
            }
        }
    }
}
