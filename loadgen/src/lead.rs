//! How much earlier than it is due an arrival is handed to a slot: so that the slot is awake when it is.
//!
//! From the timer of the pacer's thread to a slot two threads have to wake, some 170 us on an idle virtual machine, which is
//! a tenth of what a journey takes. So the pacer comes that much earlier, and the slot holds the arrival until it is due, and
//! its thread with it. The lead follows what is seen: three of four arrivals are held, the fourth is late.

use std::sync::atomic::{AtomicU64, Ordering};

/// On a machine that is busy with something else no lead makes up for that, us.
const MAX_US: u64 = 250;
/// By how much one arrival that was held moves the lead, ns.
const STEP_NS: u64 = 1_000;
/// One that was late moves it so many times as far: one of four may be.
const LATE_STEPS: u64 = 3;

/// The lead of a generator.
#[derive(Debug, Default)]
pub struct Lead {
    ns: AtomicU64,
}

impl Lead {
    /// How much earlier, microseconds.
    pub fn us(&self) -> u64 {
        self.ns.load(Ordering::Relaxed) / 1_000
    }

    /// Learns from an arrival for which a slot was idle: whether the slot had it only after it was due.
    pub fn learn(&self, is_late: bool) {
        let ns = self.ns.load(Ordering::Relaxed);
        let next = if is_late { ns + LATE_STEPS * STEP_NS } else { ns.saturating_sub(STEP_NS) };
        // Two at once may count as one.
        self.ns.store(next.min(MAX_US * 1_000), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_of_four_arrivals_are_held() {
        let lead = Lead::default();
        // A hand-over takes 100 to 199 us, each as often as the others.
        let hand_overs = || (0..10_000_u64).map(|n| 100 + n * 37 % 100);
        hand_overs().for_each(|us| lead.learn(us > lead.us()));
        let mut late = 0;
        for us in hand_overs() {
            let is_late = us > lead.us();
            late += u32::from(is_late);
            lead.learn(is_late);
        }
        assert!((2_300..2_700).contains(&late), "{late} of 10,000");
        assert!((165..185).contains(&lead.us()), "{}", lead.us());
    }

    #[test]
    fn a_busy_machine_does_not_raise_it_without_end() {
        let lead = Lead::default();
        (0..1_000).for_each(|_| lead.learn(true));
        assert_eq!(lead.us(), MAX_US);
        (0..1_000).for_each(|_| lead.learn(false));
        assert_eq!(lead.us(), 0);
    }
}
