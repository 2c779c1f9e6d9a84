//! Whether the traced requests of an arm are those that its rows of time are of.

use model::Run;

use super::LintList;
use crate::argument::Argument;
use crate::selection::{Selection, name_of, steady};

/// Traces without their like in another arm from which their share is not by chance.
const MIN_UNPAIRED: u64 = 20;

/// The rows of a request's time are of the requests whose traces are whole in every arm. Where a fault acts, those of one arm
/// fail, and are no fewer than they should be.
pub(super) fn note(run: &Run, found: &mut LintList) {
    let steady = steady(run);
    for arm in &run.header.arms {
        let selection = Selection::new(run, arm.letter, &steady, &Argument::None);
        let (pairs, unpaired) = run.paired_traces(arm.letter, &steady);
        let is_minority = unpaired >= MIN_UNPAIRED && unpaired > pairs;
        if is_minority && !selection.has_fault() {
            let text = format!(
                "{}: of {} traced requests in {} {pairs} are whole in every arm; where time goes is not known of most",
                arm.name,
                pairs + unpaired,
                name_of(&steady)
            );
            found.add("unpaired_traces", text);
        }
    }
}
