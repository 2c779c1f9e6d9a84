//! Predicted figures beside measured ones.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::Run;
use model::format::value;
use model::predicted::PredictedFigure;
use record::MachineSpeed;

use super::explanation::{self, Explanation};
use super::held_out::HeldOut;
use super::null_models::NullModels;
use crate::calibrate::Calibration;

/// How far each figure may be off, as a share of the measured one; more where two runs of one seed are further apart than half
/// of it.
const TARGETS: [(&str, f64); 3] = [("latency_p50", 0.10), ("latency_p99", 0.20), ("cpu_per_journey", 0.05)];
/// The bound is so many times what two runs differ by, where that is more than the target.
const FLOORS: f64 = 2.0;
/// Share of the figures that has to be within its bound.
pub const ENOUGH: f64 = 0.8;

/// A figure as predicted and as measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The held-out scenario.
    pub scenario: String,
    /// Name of the arm.
    pub arm: String,
    /// `latency_p50`, `latency_p99` or `cpu_per_journey`, seconds.
    pub measure: String,
    /// The prediction.
    pub predicted: f64,
    /// The least of its band.
    pub low: f64,
    /// The most of it.
    pub high: f64,
    /// As measured in each live run of the same seed.
    pub measured: Vec<f64>,
    /// What the null models predict.
    pub null: NullModels,
}

impl Row {
    /// Mean of the live runs.
    pub fn mean(&self) -> f64 {
        self.measured.iter().sum::<f64>() / self.measured.len() as f64
    }

    /// How far the prediction is off, as a share of what was measured: above 0 where it is more.
    pub fn error(&self) -> f64 {
        self.predicted / self.mean() - 1.0
    }

    /// How far two live runs of the seed are apart, as a share of their mean; `None` with one.
    pub fn floor(&self) -> Option<f64> {
        let [one, other] = self.measured[..] else { return None };
        Some((one - other).abs() / self.mean())
    }

    /// How far it may be off.
    pub fn bound(&self) -> f64 {
        let target =
            TARGETS.iter().find(|(measure, _)| *measure == self.measure).map_or(0.0, |(_, target)| *target);
        target.max(FLOORS * self.floor().unwrap_or(0.0))
    }

    /// Whether it is no further off than it may be.
    pub fn is_within(&self) -> bool {
        self.error().abs() <= self.bound()
    }
}

/// All held-out figures of a calibration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Validation {
    /// The figures, by scenario and arm.
    pub rows: Vec<Row>,
    /// Live runs that were invalid and count for nothing: scenario and reason.
    pub excluded: Vec<String>,
    /// Held-out scenarios that were predicted.
    pub scenarios: usize,
    /// Of them, those without a valid live run.
    pub not_compared: Vec<String>,
    /// Arms with a miss.
    pub explanations: Vec<Explanation>,
    /// How fast the machine was when it was calibrated; `None` where the calibration does not have it.
    pub calibrated: Option<MachineSpeed>,
    /// How fast it was in the live runs of each held-out scenario.
    pub speeds: Vec<(String, Vec<MachineSpeed>)>,
}

impl Validation {
    /// Adds what live runs of a held-out scenario measured beside what was predicted of it; `predicted` is the record of the
    /// prediction, where it is at hand.
    pub fn add(
        &mut self,
        held_out: &HeldOut,
        predicted: Option<&Run>,
        runs: &[Run],
        calibration: &Calibration,
    ) {
        self.scenarios += 1;
        let Some((first, others)) = runs.split_first() else {
            self.not_compared.push(held_out.name.clone());
            return;
        };
        self.calibrated = calibration.speed;
        self.speeds.push((held_out.name.clone(), runs.iter().filter_map(Run::speed).collect()));
        let others: Vec<_> = others.iter().map(Run::predicted_figures).collect();
        let mut rows: Vec<(char, Row)> = Vec::new();
        for figure in first.predicted_figures() {
            let of = figure.predicted;
            let again = others.iter().filter_map(|figures| {
                let same = |other: &&PredictedFigure<'_>| {
                    (other.predicted.arm, &other.predicted.measure) == (of.arm, &of.measure)
                };
                figures.iter().find(same).map(|other| other.measured)
            });
            let measured: Vec<f64> = std::iter::once(figure.measured).chain(again).collect();
            // Of nothing that was measured there is no error.
            if measured.iter().any(|measured| *measured <= 0.0) {
                continue;
            }
            rows.push((
                of.arm,
                Row {
                    scenario: held_out.name.clone(),
                    arm: first.arm_name(of.arm).to_owned(),
                    measure: of.measure.clone(),
                    predicted: of.value,
                    low: of.low,
                    high: of.high,
                    measured,
                    null: NullModels::of(calibration, &of.measure, held_out.rate, &held_out.mix),
                },
            ));
        }
        let place = |measure: &str| TARGETS.iter().position(|(name, _)| *name == measure);
        rows.sort_by_key(|(arm, row)| (*arm, place(&row.measure)));
        let mut missed: BTreeMap<char, Vec<String>> = BTreeMap::new();
        for (arm, row) in rows.iter().filter(|(_, row)| !row.is_within()) {
            missed.entry(*arm).or_default().push(row.measure.clone());
        }
        self.explanations.extend(missed.into_iter().map(|(arm, missed)| {
            Explanation::of((held_out.name.as_str(), arm, missed), predicted, runs, calibration)
        }));
        self.rows.extend(rows.into_iter().map(|(_, row)| row));
    }

    /// Share of the figures within their bounds; `None` without figures.
    pub fn share_within(&self) -> Option<f64> {
        let within = self.rows.iter().filter(|row| row.is_within()).count();
        (!self.rows.is_empty()).then(|| within as f64 / self.rows.len() as f64)
    }

    /// Mean absolute logarithm of predicted over measured, of the simulator and of the null models, each with the simulator's
    /// over the figures of which the null model has a prediction: name, its own, the simulator's. 0 is exact.
    pub fn against_null_models(&self) -> Vec<(&'static str, f64, f64)> {
        type Null = (&'static str, fn(&NullModels) -> Option<f64>);
        let models: [Null; 3] = [
            ("one station (M/M/c)", |null| null.station),
            ("the calibration run, scaled", |null| null.scaled),
            ("the universal scalability law", |null| null.usl),
        ];
        let errors = |(name, of): &Null| {
            let rows: Vec<(f64, &Row)> =
                self.rows.iter().filter_map(|row| Some((of(&row.null)?, row))).collect();
            let mean =
                |off: &dyn Fn(&(f64, &Row)) -> f64| rows.iter().map(off).sum::<f64>() / rows.len() as f64;
            let theirs = mean(&|(null, row)| (null / row.mean()).ln().abs());
            let ours = mean(&|(_, row)| (row.predicted / row.mean()).ln().abs());
            (!rows.is_empty()).then_some((*name, theirs, ours))
        };
        models.iter().filter_map(errors).collect()
    }

    /// Whether every scenario was compared, enough figures are within their bounds, and every null model is further off in all.
    pub fn holds(&self) -> bool {
        self.not_compared.is_empty()
            && self.share_within().is_some_and(|share| share >= ENOUGH)
            && self.against_null_models().iter().all(|(_, theirs, ours)| ours < theirs)
    }

    /// What came of it, in lines.
    pub fn summary(&self) -> Vec<String> {
        let within = self.rows.iter().filter(|row| row.is_within()).count();
        let mut lines = vec![format!(
            "{within} of {} held-out figures are within their bounds ({:.0} % must be)",
            self.rows.len(),
            ENOUGH * 100.0
        )];
        for (name, theirs, ours) in self.against_null_models() {
            lines.push(format!(
                "{name}: off by a factor of {:.2} on average, the simulator by {:.2} over the same figures (1 is exact)",
                libm::exp(theirs),
                libm::exp(ours)
            ));
        }
        if !self.rows.is_empty() && self.rows.iter().all(|row| row.null.usl.is_none()) {
            lines.push(
                "the universal scalability law (USL) needs three rates, each of a run of its own, and the calibration has fewer"
                    .to_owned(),
            );
        }
        lines.extend(self.speed());
        if !self.not_compared.is_empty() {
            lines.push(format!(
                "{} of {} held-out scenarios were compared; without a valid live run: {}",
                self.scenarios - self.not_compared.len(),
                self.scenarios,
                self.not_compared.join(", ")
            ));
        }
        lines.extend(self.excluded.iter().map(|run| format!("excluded: {run}")));
        lines
    }

    /// The speed of the machine when it was calibrated and in each live run, in a line: what a miss may come from. `None` where
    /// either is not known.
    fn speed(&self) -> Option<String> {
        let calibrated = self.calibrated?;
        let s = |ns: u64| format!("{:.2} ms", ns as f64 / 1e6);
        let of = |speed: &MachineSpeed| {
            format!("{} ({:+.0} %)", s(speed.probe_ns), speed.slower_than(&calibrated) * 100.0)
        };
        let measured = self.speeds.iter().filter(|(_, speeds)| !speeds.is_empty());
        let runs: Vec<String> = measured
            .map(|(scenario, speeds)| {
                format!("{scenario} {}", speeds.iter().map(of).collect::<Vec<_>>().join(", "))
            })
            .collect();
        (!runs.is_empty()).then(|| {
            format!(
                "speed of the machine, as CPU of a fixed piece of work (more is slower): calibrated at {} ({} to {}); {}",
                s(calibrated.probe_ns),
                s(calibrated.low_ns),
                s(calibrated.high_ns),
                runs.join("; ")
            )
        })
    }

    /// Arms with a miss as a Markdown table: each part of their CPU as predicted and as measured. Empty where there is none.
    pub fn explained(&self) -> String {
        explanation::table(&self.explanations)
    }

    /// All figures as a Markdown table, and those out of bounds marked.
    pub fn table(&self) -> String {
        let mut text = String::from(
            "| held out | arm | figure | predicted [band] | measured | error | bound | one station | scaled | USL |\n\
             |---|---|---|---|---|---|---|---|---|---|\n",
        );
        for row in &self.rows {
            let s = |seconds: Option<f64>| value(seconds, "s");
            let measured: Vec<String> = row.measured.iter().map(|measured| s(Some(*measured))).collect();
            let mark = if row.is_within() { "" } else { " **miss**" };
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} [{}, {}] | {} | {:+.0} %{mark} | {:.0} % | {} | {} | {} |",
                row.scenario,
                row.arm,
                row.measure,
                s(Some(row.predicted)),
                s(Some(row.low)),
                s(Some(row.high)),
                measured.join(", "),
                row.error() * 100.0,
                row.bound() * 100.0,
                s(row.null.station),
                s(row.null.scaled),
                s(row.null.usl),
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(measure: &str, predicted: f64, measured: &[f64]) -> Row {
        Row {
            scenario: "held-out-mix".into(),
            arm: "mono".into(),
            measure: measure.into(),
            predicted,
            low: predicted,
            high: predicted,
            measured: measured.to_vec(),
            null: NullModels { station: Some(2.0), ..NullModels::default() },
        }
    }

    #[test]
    fn a_figure_may_be_off_by_its_target_or_by_twice_what_two_runs_differ_by() {
        assert!(row("latency_p50", 1.09, &[1.0]).is_within());
        assert!(!row("latency_p50", 1.11, &[1.0]).is_within());
        let noisy = row("latency_p50", 1.25, &[0.9, 1.1]);
        assert!((noisy.floor().expect("two runs") - 0.2).abs() < 1e-9 && noisy.is_within());
        assert!(!row("latency_p50", 1.45, &[0.9, 1.1]).is_within());
        assert!(!row("cpu_per_journey", 0.94, &[1.0]).is_within(), "6 % of 5 %");
    }

    #[test]
    fn it_holds_where_four_of_five_figures_do_and_the_null_models_are_further_off() {
        let good = || row("latency_p99", 1.1, &[1.0]);
        let mut validation =
            Validation { rows: vec![good(), good(), good(), good()], ..Validation::default() };
        validation.rows.push(row("latency_p99", 1.4, &[1.0]));
        assert!(validation.holds(), "{validation:?}");
        assert!(validation.table().contains("+40 % **miss** | 20 % |"), "{}", validation.table());
        let lines = validation.summary();
        assert_eq!(lines[0], "4 of 5 held-out figures are within their bounds (80 % must be)");
        assert!(lines[1].starts_with("one station (M/M/c): off by a factor of 2.00 "), "{lines:?}");
        let held_out = HeldOut { name: "held-out-mix".into(), ..HeldOut::default() };
        let mut other = validation.clone();
        other.add(&held_out, None, &[], &Calibration::default());
        assert!(!other.holds(), "a scenario was not compared");
        let line = "0 of 1 held-out scenarios were compared; without a valid live run: held-out-mix";
        assert!(other.summary().iter().any(|known| known == line), "{:?}", other.summary());
        validation.rows.push(row("latency_p50", 2.0, &[1.0]));
        assert!(!validation.holds(), "four of six");
        validation.rows.truncate(4);
        validation.rows.iter_mut().for_each(|row| row.null.station = Some(1.0));
        assert!(!validation.holds(), "a station is exact");
        assert!(!Validation::default().holds(), "nothing was measured");
    }

    #[test]
    fn the_speed_of_the_machine_stands_with_the_figures_run_by_run() {
        let speed = |us: u64| MachineSpeed { probe_ns: us * 1_000, low_ns: us * 990, high_ns: us * 1_020 };
        let mut validation = Validation {
            rows: vec![row("latency_p50", 1.0, &[1.0])],
            calibrated: Some(speed(3_000)),
            speeds: vec![
                ("held-out-load-55".into(), vec![speed(3_270), speed(2_970)]),
                ("held-out-mix".into(), Vec::new()),
            ],
            ..Validation::default()
        };
        let line = "speed of the machine, as CPU of a fixed piece of work (more is slower): calibrated at 3.00 ms (2.97 ms to \
                    3.06 ms); held-out-load-55 3.27 ms (+9 %), 2.97 ms (-1 %)";
        assert!(validation.summary().iter().any(|known| known == line), "{:?}", validation.summary());
        validation.calibrated = None;
        assert!(!validation.summary().iter().any(|known| known.starts_with("speed")), "of version 3");
        // What live runs measured is taken from them.
        let of_run = || {
            let machine = record::Machine { speed: Some(speed(3_100)), ..record::Machine::default() };
            Run::new(record::Header { machine, ..record::Header::default() })
        };
        let mut validation = Validation::default();
        let calibration = Calibration { speed: Some(speed(3_000)), ..Calibration::default() };
        let held_out = HeldOut { name: "held-out-mix".into(), ..HeldOut::default() };
        validation.add(&held_out, None, &[of_run()], &calibration);
        assert_eq!(validation.calibrated, calibration.speed);
        assert_eq!(validation.speeds, [("held-out-mix".to_owned(), vec![speed(3_100)])]);
    }
}
