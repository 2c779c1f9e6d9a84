//! What a miss is made of: where the CPU of an arm's journeys went, as predicted and as measured.

use std::fmt::Write as _;

use contract::ComponentName;
use model::format::value;
use model::{Run, Window};
use record::Proc;

use crate::calibrate::{Calibration, CpuParts, attribution, component_of};

const GATEWAY: &str = ComponentName::GATEWAY.as_str();

/// What the CPU of a journey was for, seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CpuUse {
    /// By part.
    pub parts: CpuParts,
    /// What its operations take alone in a warm process, by the calibration: what they took more, cooling and neighbours on the
    /// cores have added, or the calibration has not.
    pub alone: f64,
    /// Of messages, watching.
    pub watching: f64,
    /// Of messages, waking up and going to sleep; `None` in a prediction, whose record has it in one sum with the others.
    pub waking: Option<f64>,
}

impl CpuUse {
    /// That of an arm over all measured phases of a run; `None` where its CPU is not known.
    pub fn of(run: &Run, arm: char, calibration: &Calibration) -> Option<Self> {
        let parts = attribution::recorded(run, arm, &Window::Whole, calibration)?;
        let range = run.whole(&Window::Whole);
        let kernel = |figure: fn(&Proc) -> u64| -> f64 {
            run.grown_by_instance(arm, arm, &range, figure).values().sum::<u64>() as f64
        };
        let own = |figure: fn(&Proc) -> u64| -> f64 {
            run.reported_by_instance(arm, &range, figure).values().sum::<u64>() as f64
        };
        let all_ns = kernel(|proc| proc.cpu_ns);
        let cpu = parts.named().iter().map(|(_, part)| part).sum::<f64>();
        let of_journey = |ns: f64| if all_ns > 0.0 { cpu * ns.max(0.0) / all_ns } else { 0.0 };
        let operations = run.operations(arm, &range);
        let alone_ns = operations.iter().filter_map(|(name, cost)| {
            let known = calibration.operations.get(name).filter(|_| component_of(name) != GATEWAY)?;
            Some(cost.served as f64 * (known.own.mean_ns + known.statements_ns()))
        });
        let watching_ns = own(|proc| proc.parts.get("telemetry").copied().unwrap_or(0))
            + kernel(|proc| proc.cpu_telemetry_ns);
        let waking_ns = kernel(|proc| proc.cpu_workers_ns) - own(|proc| proc.parts.values().sum());
        Some(Self {
            parts,
            alone: of_journey(alone_ns.sum()),
            watching: of_journey(watching_ns),
            waking: (!run.is_simulated()).then(|| of_journey(waking_ns)),
        })
    }

    /// The mean of several; `None` of none.
    fn mean(all: &[Self]) -> Option<Self> {
        let mean = |of: &dyn Fn(&Self) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
        (!all.is_empty()).then(|| Self {
            parts: CpuParts {
                operations: mean(&|of| of.parts.operations),
                blocking: mean(&|of| of.parts.blocking),
                background: mean(&|of| of.parts.background),
                messages: mean(&|of| of.parts.messages),
            },
            alone: mean(&|of| of.alone),
            watching: mean(&|of| of.watching),
            waking: Some(mean(&|of| of.waking.unwrap_or(0.0))),
        })
    }

    /// How many times as much operations took as they take alone in a warm process; `None` without any.
    pub fn dearer(&self) -> Option<f64> {
        (self.alone > 0.0).then(|| self.parts.operations / self.alone)
    }
}

/// An arm of a held-out scenario of which a figure is out of its bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The held-out scenario.
    pub scenario: String,
    /// Name of the arm.
    pub arm: String,
    /// The figures.
    pub missed: Vec<String>,
    /// Where its CPU goes as predicted; `None` where the record of the prediction is not at hand.
    pub predicted: Option<CpuUse>,
    /// As measured, the mean of the live runs.
    pub measured: Option<CpuUse>,
}

impl Explanation {
    /// That of an arm whose figures were `missed`.
    pub fn of(
        (scenario, arm, missed): (&str, char, Vec<String>),
        predicted: Option<&Run>,
        runs: &[Run],
        calibration: &Calibration,
    ) -> Self {
        let measured: Vec<CpuUse> = runs.iter().filter_map(|run| CpuUse::of(run, arm, calibration)).collect();
        Self {
            scenario: scenario.to_owned(),
            arm: runs.first().map(|run| run.arm_name(arm)).unwrap_or_default(),
            missed,
            predicted: predicted.and_then(|run| CpuUse::of(run, arm, calibration)),
            measured: CpuUse::mean(&measured),
        }
    }
}

/// All of them as a Markdown table, each part as predicted and as measured; empty of none.
pub fn table(all: &[Explanation]) -> String {
    let mut text = String::new();
    if all.is_empty() {
        return text;
    }
    text += "| held out | arm | missed | operations | as a multiple of alone and warm | blocking work | messages | of these \
             watching | of these waking | background |\n|---|---|---|---|---|---|---|---|---|---|\n";
    for explanation in all {
        let sides = [explanation.predicted, explanation.measured];
        let both = |shown: &dyn Fn(&CpuUse) -> String| {
            sides.map(|side| side.as_ref().map_or_else(|| "-".to_owned(), shown)).join(" vs ")
        };
        let s = |of: fn(&CpuUse) -> f64| both(&|side| value(Some(of(side)), "s"));
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            explanation.scenario,
            explanation.arm,
            explanation.missed.join(", "),
            s(|side| side.parts.operations),
            both(&|side| side.dearer().map_or_else(|| "-".to_owned(), |times| format!("{times:.2}"))),
            s(|side| side.parts.blocking),
            s(|side| side.parts.messages),
            s(|side| side.watching),
            both(&|side| value(side.waking, "s")),
            s(|side| side.parts.background),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_shown_as_predicted_and_as_measured() {
        let side = |operations: f64, waking| CpuUse {
            parts: CpuParts { operations, blocking: 0.0, background: 10e-6, messages: 90e-6 },
            alone: 100e-6,
            watching: 5e-6,
            waking,
        };
        let measured = CpuUse::mean(&[side(280e-6, Some(20e-6)), side(300e-6, Some(24e-6))]).expect("two");
        let is_mean = |seen: f64, mean: f64| (seen - mean).abs() < 1e-12;
        assert!(is_mean(measured.parts.operations, 290e-6), "{measured:?}");
        assert!(measured.waking.is_some_and(|waking| is_mean(waking, 22e-6)), "{measured:?}");
        let explanation = Explanation {
            scenario: "held-out-load-55".into(),
            arm: "mono".into(),
            missed: vec!["cpu_per_journey".into(), "latency_p50".into()],
            predicted: Some(side(240e-6, None)),
            measured: Some(measured),
        };
        let text = table(std::slice::from_ref(&explanation));
        let line = text.lines().nth(2).expect("a head of two lines, and the arm");
        let start =
            "| held-out-load-55 | mono | cpu_per_journey, latency_p50 | 240µs vs 290µs | 2.40 vs 2.90 | ";
        assert!(line.starts_with(start), "{text}");
        assert!(line.ends_with("| 90µs vs 90µs | 5µs vs 5µs | - vs 22µs | 10µs vs 10µs |"), "{text}");
        let unknown = table(&[Explanation { predicted: None, ..explanation }]);
        assert!(unknown.contains("| - vs 290µs |"), "{unknown}");
        assert_eq!(table(&[]), "");
        assert_eq!(CpuUse::mean(&[]), None);
    }
}
