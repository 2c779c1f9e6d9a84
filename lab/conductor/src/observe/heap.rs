//! Memory of the lab itself: what a long run has let go of is given back to the machine.

use std::time::Duration;

use model::Run;
use runtime::{ShutdownPolicy, Tasks};

use crate::observe::record_writer::RecordWriter;

/// Seconds are thinned one by one, and what they leave are holes of some KiB: less than that is not worth the pause.
const INTERVAL: Duration = Duration::from_secs(60);

/// Gives memory back once a minute, in a run that is planned to take longer than what is held in full. A shorter one lets go of
/// little, and its seconds are left undisturbed.
pub(crate) fn give_back_every_minute(tasks: &Tasks, record: &RecordWriter) {
    let record = record.clone();
    tasks.spawn("lab.heap", ShutdownPolicy::Cancel, async move {
        loop {
            tokio::time::sleep(INTERVAL).await;
            match record.query(Run::is_planned_long) {
                Some(true) => {
                    runtime::blocking(runtime::allocator::give_back).await;
                }
                Some(false) => return,
                // Nothing is known of the run before its header is written.
                None => {}
            }
        }
    });
}
