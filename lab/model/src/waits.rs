//! The longest waits for what can be had by so many at a time: the writer of a database, its readers, connections,
//! slots, admission.

use std::ops::Range;

use crate::history::inside;
use crate::run::Run;
use crate::{SECOND, TimeRange};

/// The queue of writers, as processes label it.
pub const WRITER: &str = "tx";

/// A wait that ended, the longest of some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongestWait<'a> {
    /// How long, microseconds.
    pub us: u64,
    /// Where: `app#0`.
    pub instance: &'a str,
    /// For what: `photo tx`, component and queue.
    pub resource: &'a str,
}

/// The queue of a resource: `tx` of `photo tx`.
fn queue_of(resource: &str) -> &str {
    resource.split_once(' ').map_or("", |(_, queue)| queue)
}

impl LongestWait<'_> {
    /// What was waited for, in words: `photo's writer`.
    pub fn words(&self) -> String {
        let (component, queue) = self.resource.split_once(' ').unwrap_or(("", self.resource));
        let queue = match queue {
            WRITER => "writer",
            "pool" => "connections",
            other => other,
        };
        format!("{component}'s {queue} in {}", self.instance)
    }
}

impl Run {
    /// The longest wait of an arm's processes that ended in a range, for a queue that is meant. `None` where none of them
    /// showed its figures in it.
    pub fn longest_wait(
        &self,
        arm: char,
        range: &TimeRange,
        is_meant: impl Fn(&str) -> bool,
    ) -> Option<LongestWait<'_>> {
        // A sample shows the waits of the second before it.
        let later = |range: Range<u64>| range.start + SECOND..range.end + SECOND;
        let ranges: Vec<Range<u64>> = self.run_time(arm, range).into_iter().map(later).collect();
        let mut longest: Option<LongestWait<'_>> = None;
        for (instance, samples) in self.processes(arm) {
            for (_, proc) in inside(samples, &ranges).filter(|(_, proc)| proc.scraped) {
                let none = LongestWait { us: 0, instance, resource: "" };
                let known = longest.get_or_insert(none);
                for (resource, us) in proc.longest_waits.iter().filter(|(name, _)| is_meant(queue_of(name))) {
                    if *us > known.us {
                        *known = LongestWait { us: *us, instance, resource };
                    }
                }
            }
        }
        longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_named_by_its_resource_and_its_process() {
        let wait = LongestWait { us: 974_000, instance: "app#0", resource: "photo tx" };
        assert_eq!(wait.words(), "photo's writer in app#0");
        let wait = LongestWait { resource: "gateway admission", ..wait };
        assert_eq!(wait.words(), "gateway's admission in app#0");
    }
}
