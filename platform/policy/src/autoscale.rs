//! Horizontal autoscaling by target tracking: as many copies as keep each at the target.
//!
//! The rule is that of Kubernetes' HorizontalPodAutoscaler ("Algorithm details", "Stabilization window" and "Scaling
//! policies" of <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/>): copies times what they do over
//! the target, rounded up; nothing within a tolerance; downwards only to the most of what was wanted lately; upwards at most
//! to double or by four copies in a quarter of a minute. Its waits are shorter by default, as a run is.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{HumanDuration, MAX_LENGTH, Rate, Ratio};

/// How far back growth is limited, ns.
const GROWTH_PERIOD_NS: u64 = 15_000_000_000;
/// Copies that may be added in a period, where doubling is less.
const MAX_COPIES_ADDED: u32 = 4;

/// `{ requests = "20/s", max = 4 }` or `{ cpu = "60%", max = 4 }`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AutoscaleOptions {
    /// Target: requests and calls that a copy finishes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Rate>,
    /// Target: CPU of a copy, as a share of one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Ratio>,
    /// Fewest copies.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub min: u32,
    /// Most copies.
    #[schemars(range(min = 1))]
    pub max: u32,
    /// Distance from the target, as a share of it, at which nothing is changed.
    #[serde(default = "tolerance")]
    pub tolerance: Ratio,
    /// Copies are added when this many were wanted for so long.
    #[serde(default)]
    pub up_after: HumanDuration,
    /// Copies are removed when no more were wanted for so long.
    #[serde(default = "down_after")]
    pub down_after: HumanDuration,
}

const fn one() -> u32 {
    1
}

const fn tolerance() -> Ratio {
    Ratio::new(0.1)
}

const fn down_after() -> HumanDuration {
    HumanDuration::from_millis(10_000)
}

/// What a copy should do: its target, in the unit of the figure it is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// Requests and calls finished, per second.
    Requests(f64),
    /// CPU, cores.
    Cpu(f64),
}

impl Target {
    /// The figure for one copy.
    pub const fn per_copy(self) -> f64 {
        match self {
            Self::Requests(per_copy) | Self::Cpu(per_copy) => per_copy,
        }
    }
}

/// Why the number of copies changes, as a record has it: what they do together, and what each should.
pub fn reason(target: Option<Target>, total: Option<f64>) -> String {
    match (target, total) {
        (Some(Target::Requests(per_copy)), Some(total)) => format!(", {total:.1}/s at {per_copy}/s each"),
        (Some(Target::Cpu(per_copy)), Some(total)) => format!(", {total:.2} cores at {per_copy} each"),
        _ => String::new(),
    }
}

impl AutoscaleOptions {
    /// What a copy should do; `None` where neither or both are written, which [`Self::diagnostics`] reports.
    pub fn target(&self) -> Option<Target> {
        match (self.requests, self.cpu) {
            (Some(requests), None) => Some(Target::Requests(requests.get())),
            (None, Some(cpu)) => Some(Target::Cpu(cpu.get())),
            _ => None,
        }
    }

    /// What is wrong with them, each sentence with the key first.
    pub fn diagnostics(&self) -> Vec<String> {
        let mut diagnostics = Vec::new();
        let mut refuse = |is_wrong: bool, sentence: String| {
            if is_wrong {
                diagnostics.push(sentence);
            }
        };
        refuse(
            self.requests.is_none() && self.cpu.is_none(),
            "do: an autoscaler needs a target; write requests = \"20/s\" or cpu = \"60%\" of a core for each copy".to_owned(),
        );
        refuse(
            self.requests.is_some() && self.cpu.is_some(),
            "cpu: an autoscaler has one target; write `requests` or `cpu`".to_owned(),
        );
        refuse(
            self.target().is_some_and(|target| target.per_copy() <= 0.0),
            "do: no copy does nothing; write a target above 0, e.g. requests = \"20/s\" or cpu = \"60%\""
                .to_owned(),
        );
        for (key, copies) in [("min", self.min), ("max", self.max)] {
            refuse(copies == 0, format!("{key}: 0 copies serve nothing; write at least 1"));
        }
        refuse(self.min > self.max, format!("min: {} is more than max = {}; write less", self.min, self.max));
        refuse(
            !(0.0..1.0).contains(&self.tolerance.get()),
            format!("tolerance: {} is out of range; write less than 100%, e.g. \"10%\"", self.tolerance),
        );
        for (key, wait) in [("up_after", self.up_after), ("down_after", self.down_after)] {
            refuse(wait > MAX_LENGTH, format!("{key}: {wait} is out of range; write at most {MAX_LENGTH}"));
        }
        diagnostics
    }
}

/// The autoscaler of one process's copies.
#[derive(Clone, Debug)]
pub struct Autoscaler {
    options: AutoscaleOptions,
    /// Copies wanted at each decision of late: (ns, copies).
    recommended: VecDeque<(u64, u32)>,
    /// Copies there were at each decision of the last [`GROWTH_PERIOD_NS`].
    copies: VecDeque<(u64, u32)>,
}

impl Autoscaler {
    /// One that has decided nothing.
    pub const fn new(options: AutoscaleOptions) -> Self {
        Self { options, recommended: VecDeque::new(), copies: VecDeque::new() }
    }

    /// Copies there should be at `now_ns`, of `copies` that do `total` together, in the unit of the target. Those that serve nothing
    /// for now count as copies, as Kubernetes' `currentReplicas` do: another instance is not in their place.
    /// Without a figure all stays as it is, within the bounds.
    pub fn decide(&mut self, now_ns: u64, copies: u32, total: Option<f64>) -> u32 {
        let recommended = self.recommend(copies, total);
        remember(&mut self.copies, now_ns, copies, GROWTH_PERIOD_NS);
        let longest = self.options.up_after.max(self.options.down_after).nanos();
        if self.recommended.is_empty() {
            // What there is was wanted until now.
            self.recommended.push_back((now_ns, copies));
        }
        remember(&mut self.recommended, now_ns, recommended, longest);
        let of_late = |wait: HumanDuration| {
            let is_recent = move |at: u64| now_ns.saturating_sub(at) < wait.nanos();
            self.recommended.iter().filter(move |(at, _)| is_recent(*at)).map(|(_, copies)| *copies)
        };
        let least = of_late(self.options.up_after).min().unwrap_or(recommended);
        let most = of_late(self.options.down_after).max().unwrap_or(recommended);
        let stabilised = copies.clamp(least.min(most), most);
        stabilised.min(self.growth_limit(copies)).clamp(self.options.min, self.options.max)
    }

    /// Copies that would do `total` at the target each.
    fn recommend(&self, copies: u32, total: Option<f64>) -> u32 {
        let total = total.filter(|total| total.is_finite());
        let (Some(target), Some(total)) = (self.options.target(), total) else { return copies };
        let wanted = total / target.per_copy();
        let ratio = wanted / f64::from(copies.max(1));
        if copies > 0 && (ratio - 1.0).abs() <= self.options.tolerance.get() {
            return copies.clamp(self.options.min, self.options.max);
        }
        // What no integer holds saturates.
        (wanted.ceil() as u32).clamp(self.options.min, self.options.max)
    }

    /// The most copies that growth within the period allows.
    fn growth_limit(&self, copies: u32) -> u32 {
        let base = self.copies.iter().map(|(_, copies)| *copies).min().unwrap_or(copies);
        let limit = base.saturating_mul(2).max(base.saturating_add(MAX_COPIES_ADDED));
        limit.max(copies)
    }
}

/// Adds a value, and forgets those from before the window.
fn remember(values: &mut VecDeque<(u64, u32)>, now_ns: u64, value: u32, window_ns: u64) {
    let since = now_ns.saturating_sub(window_ns);
    while values.front().is_some_and(|(at, _)| *at < since) {
        values.pop_front();
    }
    values.push_back((now_ns, value));
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn options(max: u32) -> AutoscaleOptions {
        AutoscaleOptions {
            requests: Some(Rate::per_second(20.0)),
            cpu: None,
            min: 1,
            max,
            tolerance: tolerance(),
            up_after: HumanDuration::default(),
            down_after: down_after(),
        }
    }

    #[test]
    fn the_reason_has_the_unit_of_the_target() {
        assert_eq!(reason(Some(Target::Requests(20.0)), Some(55.94)), ", 55.9/s at 20/s each");
        assert_eq!(reason(Some(Target::Cpu(0.6)), Some(1.5)), ", 1.50 cores at 0.6 each");
        assert_eq!(reason(Some(Target::Cpu(0.6)), None), "");
    }

    #[test]
    fn there_are_as_many_copies_as_keep_each_at_the_target() {
        let decide = |copies, total| Autoscaler::new(options(8)).decide(0, copies, Some(total));
        assert_eq!(decide(1, 56.0), 3, "56/s are 2.8 times 20/s");
        assert_eq!(decide(3, 65.0), 3, "8 % above the target is within the tolerance of 10 %");
        assert_eq!(decide(3, 67.0), 4, "12 % above is not");
        assert_eq!(decide(2, 1e9), 6, "at most four more at once");
        assert_eq!(decide(6, 1e9), 8, "and at most as many as are allowed");
        assert_eq!(decide(0, 10.0), 1, "none is there yet");
        assert_eq!(decide(1, 0.0), 1, "and never fewer than the least");
    }

    #[test]
    fn copies_go_when_no_more_were_wanted_for_the_whole_window() {
        let mut autoscaler = Autoscaler::new(options(8));
        assert_eq!(autoscaler.decide(0, 4, Some(80.0)), 4);
        assert_eq!(autoscaler.decide(SECOND, 4, Some(10.0)), 4, "four were wanted a second ago");
        assert_eq!(autoscaler.decide(6 * SECOND, 4, Some(50.0)), 4);
        assert_eq!(
            autoscaler.decide(11 * SECOND, 4, Some(10.0)),
            3,
            "the most of the last ten seconds: 50/s"
        );
        assert_eq!(autoscaler.decide(17 * SECOND, 3, Some(10.0)), 1);
    }

    #[test]
    fn copies_come_when_they_were_wanted_for_the_whole_window() {
        let up_after = HumanDuration::from_millis(3_000);
        let mut autoscaler = Autoscaler::new(AutoscaleOptions { up_after, ..options(8) });
        assert_eq!(autoscaler.decide(0, 1, Some(18.0)), 1);
        assert_eq!(autoscaler.decide(2 * SECOND, 1, Some(100.0)), 1, "one was enough two seconds ago");
        assert_eq!(autoscaler.decide(4 * SECOND, 1, Some(60.0)), 3, "three were wanted all the time since");
    }

    #[test]
    fn what_there_is_counts_as_wanted_until_the_first_decision() {
        let mut autoscaler = Autoscaler::new(options(8));
        assert_eq!(
            autoscaler.decide(0, 4, Some(10.0)),
            4,
            "none goes within the ten seconds of `down_after`"
        );
        assert_eq!(autoscaler.decide(10 * SECOND, 4, Some(10.0)), 1);
        let up_after = HumanDuration::from_millis(3_000);
        let mut autoscaler = Autoscaler::new(AutoscaleOptions { up_after, ..options(8) });
        assert_eq!(autoscaler.decide(0, 1, Some(100.0)), 1, "and none comes within `up_after`");
        assert_eq!(autoscaler.decide(3 * SECOND, 1, Some(100.0)), 5);
    }

    #[test]
    fn copies_at_most_double_or_grow_by_four_in_a_quarter_of_a_minute() {
        let mut autoscaler = Autoscaler::new(options(100));
        let mut copies = 1;
        let mut grown = Vec::new();
        for second in 0..32 {
            copies = autoscaler.decide(second * SECOND, copies, Some(1e6));
            grown.push(copies);
        }
        assert_eq!(grown[0], 5, "one and four");
        assert!(grown[..16].iter().all(|copies| *copies == 5), "{grown:?}");
        assert!(grown[16..31].iter().all(|copies| *copies == 10), "{grown:?}");
    }

    #[test]
    fn without_a_figure_nothing_changes_but_to_the_bounds() {
        assert_eq!(Autoscaler::new(options(8)).decide(0, 3, None), 3);
        assert_eq!(Autoscaler::new(options(2)).decide(0, 3, None), 2);
        assert_eq!(Autoscaler::new(options(2)).decide(0, 0, Some(f64::NAN)), 1);
    }

    #[test]
    fn what_no_autoscaler_can_carry_out_is_named() {
        assert!(options(4).diagnostics().is_empty());
        let wrong = AutoscaleOptions {
            cpu: Some(Ratio::new(0.6)),
            min: 9,
            max: 4,
            up_after: HumanDuration::from_millis(86_400_000),
            ..options(4)
        };
        let keys: Vec<String> = wrong
            .diagnostics()
            .iter()
            .map(|text| text.split(':').next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(keys, ["cpu", "min", "up_after"]);
        let none = AutoscaleOptions { requests: None, ..options(0) };
        assert!(none.diagnostics()[0].contains("write requests = \"20/s\""), "{:?}", none.diagnostics());
    }
}
