//! What the CPU of a journey was for: of a record, live or simulated, and of a simulation that was not recorded.

use std::ops::Range;

use contract::ComponentName;
use model::{Run, Window};

use super::document::Calibration;
use super::ledger::component_of;
use super::parts::CpuParts;
use crate::predict::layout::Group;
use crate::predict::{Block, Layout};

const SECOND_NS: f64 = 1e9;

/// The parts of an arm in a window of a record; `None` where its CPU is not known. What processes take of themselves no record
/// shows under load: it is what the calibration has of it.
pub fn recorded(run: &Run, arm: char, window: &Window, calibration: &Calibration) -> Option<CpuParts> {
    let cpu = run.figure_in(arm, "cpu_per_journey", window)?;
    let range = run.whole(window);
    let load_ns: u64 = run.run_time(arm, &range).iter().map(|time| time.end - time.start).sum();
    let processes = run.grown_by_instance(arm, arm, &range, |proc| proc.cpu_ns);
    let process_seconds = load_ns as f64 / SECOND_NS * processes.len() as f64;
    let mut sums = Sums {
        all: processes.values().sum::<u64>() as f64,
        background: of_itself_ns_per_s(calibration) * process_seconds,
        ..Sums::default()
    };
    for (name, cost) in &run.operations(arm, &range) {
        sums.add(name, (cost.business_ns + cost.database_ns) as f64, cost.blocking_ns as f64);
    }
    Some(sums.of_journey(cpu))
}

/// The parts of an arm in some seconds of its simulation, in which a journey took `cpu`, seconds. Copies of a component have
/// their share of its calls.
pub(super) fn simulated(
    blocks: &[Block],
    layout: &Layout,
    calibration: &Calibration,
    seconds: &Range<u64>,
    cpu: f64,
) -> CpuParts {
    let groups = layout.groups();
    let length_s = (seconds.end - seconds.start) as f64;
    let mut sums = Sums::default();
    for block in blocks.iter().filter(|block| block.letters.contains(&layout.letter)) {
        sums.all += block.cpu_ns(layout.letter, seconds.end) - block.cpu_ns(layout.letter, seconds.start);
        let served = block.served_within(seconds);
        for group in &groups {
            let (cooled, contended) = block.dearer(&layout.own(&group.name), seconds);
            sums.background += contended * of_itself_ns_per_s(calibration) * length_s;
            let own = calibration.operations.iter();
            for (name, operation) in own.filter(|(name, _)| has(group, component_of(name))) {
                let holders = groups.iter().filter(|other| has(other, component_of(name))).count();
                let count = served.get(layout.own(name).as_str()).copied().unwrap_or(0) as f64;
                let each = contended * count / holders as f64;
                let ns = cooled * (operation.own.mean_ns + operation.statements_ns());
                sums.add(name, each * ns, each * operation.blocking.mean_ns);
            }
        }
    }
    sums.of_journey(cpu)
}

/// CPU of an arm in some seconds, ns.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    all: f64,
    operations: f64,
    blocking: f64,
    background: f64,
}

impl Sums {
    /// Adds what an operation took, ns, of which so much on threads for blocking work.
    fn add(&mut self, operation: &str, ns: f64, blocking_ns: f64) {
        if component_of(operation) != ComponentName::GATEWAY.as_str() {
            self.operations += ns;
        }
        self.blocking += blocking_ns;
    }

    /// The parts of a journey that took `cpu` of it, seconds.
    fn of_journey(self, cpu: f64) -> CpuParts {
        let part = |ns: f64| if self.all > 0.0 { cpu * ns / self.all } else { 0.0 };
        let (operations, blocking) = (part(self.operations), part(self.blocking));
        let background = part(self.background);
        let messages = (cpu - operations - blocking - background).max(0.0);
        CpuParts { operations, blocking, background, messages }
    }
}

/// Whether a component is in the copies of a group.
fn has(group: &Group, component: &str) -> bool {
    group.components.iter().any(|known| known == component)
}

/// CPU that a process takes whatever is asked of it, ns a second.
fn of_itself_ns_per_s(calibration: &Calibration) -> f64 {
    calibration.idle_ns_per_s + calibration.background_ns_per_s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_operation_and_no_background_is_messages_and_so_is_the_gateway() {
        let mut sums = Sums { all: 1_000.0, background: 50.0, ..Sums::default() };
        sums.add("photo/photo.by_ids", 300.0, 0.0);
        sums.add("profile/POST /v1/users", 20.0, 180.0);
        sums.add("gateway/GET /v1/feed", 100.0, 0.0);
        // A journey took twice the share of a thousand.
        let parts = sums.of_journey(2.0);
        assert!((parts.operations - 0.64).abs() < 1e-9 && (parts.blocking - 0.36).abs() < 1e-9, "{parts:?}");
        assert!((parts.background - 0.1).abs() < 1e-9 && (parts.messages - 0.9).abs() < 1e-9, "{parts:?}");
        let all: f64 = parts.named().iter().map(|(_, cpu)| cpu).sum();
        assert!((all - 2.0).abs() < 1e-9);
        assert_eq!(Sums::default().of_journey(0.0), CpuParts::default());
    }
}
