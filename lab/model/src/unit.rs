//! One load second of one round of an arm: the unit that inference weighs.
//!
//! What users saw of a second is in [`Run::second`], by the second arrivals were *due* in. Here is the rest: what the
//! second itself cost, and where the time of its traced requests went. What was not measured is `None` and never 0, so
//! that a second can be left out in all arms; a second in which nothing happened is 0.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::SECOND;
use crate::cpu_samples::{Expenditure, INJECTED};
use crate::run::Run;
use crate::trace_seconds::TracesOfSecond;
use crate::window::Window;

/// CPU of an arm in one load second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuOfSecond<'a> {
    /// Of all its processes, ns.
    pub total_ns: u64,
    /// By part, ns; they add up to the total. `database` and `telemetry` have threads of their own, `waking` is what
    /// workers spend outside of tasks, `other` what no part claims; the rest are tasks' own.
    pub parts: BTreeMap<&'a str, u64>,
}

impl CpuOfSecond<'_> {
    /// What the lab spends on injected delays inside the arm's processes, ns.
    pub fn injected_ns(&self) -> u64 {
        self.parts.get(INJECTED).copied().unwrap_or(0)
    }

    /// Of the application, ns: all but that.
    pub fn own_ns(&self) -> u64 {
        self.total_ns - self.injected_ns()
    }
}

impl Run {
    /// CPU of an arm in a load second by part; `None` where a process was not sampled or did not report.
    pub fn unit_cpu(&self, arm: char, round: u32, second: u32) -> Option<CpuOfSecond<'_>> {
        let Expenditure { total_ns, parts, .. } = self.unit_spent(arm, round, second)?;
        Some(CpuOfSecond { total_ns, parts: parts? })
    }

    /// CPU of an arm in a load second, ns, which the kernel knows where processes do not report; `None` where one was
    /// not sampled.
    pub fn unit_cpu_total(&self, arm: char, round: u32, second: u32) -> Option<u64> {
        Some(self.unit_spent(arm, round, second)?.total_ns)
    }

    /// Requests on the wire in a load second: to the door, and between processes. `None` where a process did not report.
    pub fn unit_hops(&self, arm: char, round: u32, second: u32) -> Option<u64> {
        self.unit_spent(arm, round, second)?.requests
    }

    /// Journeys that ended in a load second, whenever they were due, ok or failed: what [`Run::unit_cpu`] and
    /// [`Run::unit_hops`] are shared among. `None` before the second is over, and in records of version 1.
    pub fn unit_finished(&self, arm: char, round: u32, second: u32) -> Option<u64> {
        let known = self.finished.get(&(arm, round))?;
        let is_over = self.unit_time(arm, round, second)?.end <= self.now;
        is_over.then(|| known.get(&second).copied().unwrap_or(0))
    }

    /// Where the time of an arm's traced requests went that were due in a load second, all journeys together; `None`
    /// where nothing of the round was traced, or its arms have not all ended yet.
    pub fn unit_trace(&self, arm: char, round: u32, second: u32) -> Option<TracesOfSecond> {
        self.unit_trace_of(arm, round, second, |_| true)
    }

    /// The same of some journeys, by name.
    pub fn unit_trace_of(
        &self,
        arm: char,
        round: u32,
        second: u32,
        is_meant: impl Fn(&str) -> bool,
    ) -> Option<TracesOfSecond> {
        let is_of_load = second < self.length_s();
        self.trace_seconds.of_second((arm, round), second, is_meant).filter(|_| is_of_load)
    }

    /// Traced requests of an arm that were due in a window: those complete in all arms, and those complete here and not in
    /// all, which no figure of [`Run::unit_trace`] has.
    pub fn paired_traces(&self, arm: char, window: &Window) -> (u64, u64) {
        self.trace_seconds.paired(arm, &self.seconds(window))
    }

    /// When a load second was, ns of the run; `None` where the round had not begun or its load was shorter.
    pub fn unit_time(&self, arm: char, round: u32, second: u32) -> Option<Range<u64>> {
        let block = self.blocks.iter().find(|block| block.is_of((arm, round)))?;
        let start = block.start + u64::from(second) * SECOND;
        (second < self.length_s()).then_some(start..start + SECOND)
    }

    fn unit_spent(&self, arm: char, round: u32, second: u32) -> Option<Expenditure<'_>> {
        let range = self.unit_time(arm, round, second)?;
        self.cpu_samples.get(&arm)?.spent(&range)
    }
}

#[cfg(test)]
mod tests {
    use record::{Entry, Header, Line, Phase, PhasePlan, Proc, Window};

    use super::*;

    /// A load of three seconds in two rounds that begin at 10 s and 20 s, an arm that spends 100 ns and sends 6 requests
    /// a second, sampled at half seconds.
    fn run() -> Run {
        run_injecting(0)
    }

    /// The same, of whose CPU a part is that of injected delays, ns a second.
    fn run_injecting(injected_ns: u64) -> Run {
        let steady = PhasePlan { name: "steady".into(), start_ns: 0, length_ns: 3 * SECOND, measure: true };
        let header =
            Header { load_start_ns: 10 * SECOND, phases: vec![steady], rounds: 2, ..Header::default() };
        let mut run = Run::new(header);
        let mut add = |t: u64, entry| run.add(&Line { t, entry });
        for round in 1..=2_u32 {
            let start = u64::from(round) * 10 * SECOND;
            let phase = Phase { index: 0, name: "steady".into(), round, arms: "A".into() };
            add(start, Entry::Phase(phase));
            for sample in 0..=4 {
                add(
                    start + sample * SECOND - SECOND / 2,
                    Entry::from(Proc {
                        arm: 'A',
                        instance: "app#0".into(),
                        pid: round,
                        cpu_ns: 500 + sample * 100,
                        scraped: true,
                        requests: sample * 6,
                        cpu_timer_ns: sample * injected_ns,
                        ..Proc::default()
                    }),
                );
            }
            for (second, finished) in [(0, 2), (2, 3)] {
                let window =
                    Window { arm: 'A', round, second, finished: Some(finished), ..Window::default() };
                add(start + 4 * SECOND, Entry::from(window));
            }
        }
        run
    }

    #[test]
    fn a_second_of_a_round_has_its_cpu_its_hops_and_what_ended_in_it() {
        let run = run();
        for round in [1, 2] {
            let cpu = run.unit_cpu('A', round, 1).expect("sampled");
            assert_eq!((cpu.total_ns, cpu.parts["other"]), (100, 100));
            let hops: Vec<_> = (0..4).map(|second| run.unit_hops('A', round, second)).collect();
            assert_eq!(hops, [Some(6), Some(6), Some(6), None], "there are three seconds");
            let finished: Vec<_> = (0..4).map(|second| run.unit_finished('A', round, second)).collect();
            assert_eq!(finished, [Some(2), Some(0), Some(3), None], "a second in which nothing ended stays");
        }
        assert_eq!(run.unit_cpu('A', 3, 1), None, "no such round");
        assert_eq!(
            (run.unit_cpu_total('B', 1, 1), run.unit_finished('B', 1, 1)),
            (None, None),
            "no such arm"
        );
    }

    #[test]
    fn what_injected_delays_cost_is_not_the_arms_own() {
        let run = run_injecting(30);
        let cpu = run.unit_cpu('A', 1, 1).expect("sampled");
        assert_eq!((cpu.total_ns, cpu.injected_ns(), cpu.own_ns()), (100, 30, 70));
        let position = run.position_at('A', 14 * SECOND).expect("in its load");
        let live = |run: &Run| run.own_cpu_ns_between('A', position, 0, 3);
        assert_eq!((live(&run), live(&self::run())), (Some(210), Some(300)));
    }

    #[test]
    fn a_window_that_comes_again_counts_once() {
        let mut run = run();
        let window =
            Window { arm: 'A', round: 1, second: 2, finished: Some(4), closed: true, ..Window::default() };
        run.add(&Line { t: 25 * SECOND, entry: Entry::from(window) });
        assert_eq!(run.unit_finished('A', 1, 2), Some(4));
        let other = Window {
            arm: 'A',
            round: 1,
            second: 2,
            journey: "like".into(),
            finished: Some(1),
            ..Window::default()
        };
        run.add(&Line { t: 25 * SECOND, entry: Entry::from(other) });
        assert_eq!(run.unit_finished('A', 1, 2), Some(5), "of all journeys");
    }

    #[test]
    fn a_record_of_version_1_does_not_know_what_ended_in_a_second() {
        let mut run = run();
        run.finished.clear();
        let window = Window { arm: 'A', round: 1, second: 2, sent: 4, ..Window::default() };
        run.add(&Line { t: 25 * SECOND, entry: Entry::from(window) });
        assert_eq!(run.unit_finished('A', 1, 2), None);
    }
}
