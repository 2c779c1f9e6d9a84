//! The mark of a simulated run: no view of it goes without.

use std::collections::BTreeSet;

use record::{CalibrationIdentity, Prediction, SweepCount, SweepResult};

use crate::date::CivilTime;
use crate::run::Run;
use crate::sweep::MAX_SIDE_BY_SIDE;

/// The word that marks what was simulated, where there is no room for more.
pub const SIMULATED: &str = "SIMULATED";

/// Figures whose band the mark names.
const NAMED: [(&str, &str); 3] =
    [("latency_p50", "p50"), ("latency_p99", "p99"), ("cpu_per_journey", "CPU per journey")];

impl Run {
    /// Whether its figures were simulated.
    pub fn is_simulated(&self) -> bool {
        !self.header.source.is_live()
    }

    /// What a view of a simulated run shows beside its figures: that nothing was measured, from what it was calibrated, how
    /// far that carries, and how far the figures move. `None` of a live run.
    pub fn mark(&self) -> Option<String> {
        if !self.is_simulated() {
            return None;
        }
        let Some(prediction) = &self.header.prediction else {
            return Some(format!("{SIMULATED}, not measured; its calibration is unknown"));
        };
        Some(format!(
            "{SIMULATED}, not measured; calibrated from {}; validity: {}; band: {}",
            calibrated(&prediction.calibration),
            prediction.validity.word(),
            band(prediction)
        ))
    }

    /// What limits a simulated run, a sentence each: what keeps its validity from a better label, what was not simulated, at
    /// which rate every core would be busy, where it diverged; and behind these what came of keys that vary. Empty for a live
    /// run.
    pub fn prediction_limits(&self) -> Vec<String> {
        let Some(prediction) = self.header.prediction.as_ref().filter(|_| self.is_simulated()) else {
            return Vec::new();
        };
        let because = prediction.because.iter().map(|why| format!("{}: {why}", prediction.validity.word()));
        let missing = prediction.not_simulated.iter().map(|what| format!("not simulated: {what}"));
        let diverged = prediction.diverged.iter().map(|what| format!("diverged: {what}"));
        let saturation = saturation(prediction)
            .map(|rates| format!("at this CPU of a journey every core is busy at {rates}, each arm alone"));
        let swept = prediction.sweep.iter().flat_map(|sweep| self.swept(sweep));
        because.chain(missing).chain(saturation).chain(diverged).chain(swept).collect()
    }

    /// What came of keys that vary: what was counted, and a row for each arm and value of the first of two keys.
    fn swept(&self, sweep: &SweepResult) -> Vec<String> {
        let Some((columns, rows)) = sweep.axes.split_last() else { return Vec::new() };
        let mut lines = vec![format!(
            "simulated {} times for each combination of values, {}, and counted how often `{}` holds (with the 95 % interval of \
             that share):",
            sweep.replications,
            sweep
                .axes
                .iter()
                .map(|axis| format!("{} (`{}`)", axis.name, axis.key))
                .collect::<Vec<_>>()
                .join(" and "),
            sweep.holds
        )];
        let letters: BTreeSet<char> = sweep.cells.iter().flat_map(|cell| cell.arms.keys().copied()).collect();
        for letter in letters {
            let arm = self.header.arms.iter().find(|arm| arm.letter == letter);
            // A condition that compares two arms is of neither.
            let arm = arm.map_or_else(|| "arms compared".to_owned(), |arm| format!("{letter} {}", arm.name));
            for (row, cells) in sweep.cells.chunks(columns.values.len().max(1)).enumerate() {
                let of_row =
                    |axis: &record::SweptKey| Some(format!(", {} {}", axis.name, axis.values.get(row)?));
                let row = rows.first().and_then(of_row).unwrap_or_default();
                let counts: Vec<String> = columns
                    .values
                    .iter()
                    .zip(cells)
                    .map(|(value, cell)| format!("{value}: {}", counted(cell.arms.get(&letter))))
                    .collect();
                lines.push(format!("{arm}{row}; {} {}", columns.name, counts.join("; ")));
            }
        }
        lines
    }
}

/// `2 of 5 (12 to 77 %)`.
fn counted(count: Option<&SweepCount>) -> String {
    match count {
        Some(SweepCount { held, judged, interval: Some(interval) }) => {
            format!("{held} of {judged} ({:.0} to {:.0} %)", interval.low * 100.0, interval.upper() * 100.0)
        }
        Some(_) | None => "not judged".to_owned(),
    }
}

/// `A 2100/s, B 1300/s`; of more arms than stand beside each other the ends of the range, and their arms.
fn saturation(prediction: &Prediction) -> Option<String> {
    let busy = |(arm, rate): (&char, &f64)| format!("{arm} {rate:.0}/s");
    let mut rates: Vec<(&char, &f64)> = prediction.saturation.iter().collect();
    if rates.len() > MAX_SIDE_BY_SIDE {
        rates.sort_by(|a, b| a.1.total_cmp(b.1));
        return Some(format!("{} to {}", busy(*rates.first()?), busy(*rates.last()?)));
    }
    let rates: Vec<String> = rates.into_iter().map(busy).collect();
    (!rates.is_empty()).then(|| rates.join(", "))
}

/// `hop-tax 20261126-101500-a7f3 (2026-11-26 10:15, Cleave 0.1.0+3f2a, Linux 6.18, 2 x CPU)`.
fn calibrated(of: &CalibrationIdentity) -> String {
    format!(
        "{} ({}, Cleave {}, Linux {}, {} x {})",
        of.sources.join(" and "),
        CivilTime::of_wall_us(of.wall_us).to_the_minute(),
        of.version,
        of.kernel,
        of.cores,
        of.cpu
    )
}

/// `p50 ±4 %, p99 ±12 %, with each parameter 20 % lower or higher, one at a time`.
fn band(prediction: &Prediction) -> String {
    let of = |(measure, name): (&str, &str)| {
        prediction.widest(measure).map(|share| format!("{name} ±{:.0} %", share * 100.0))
    };
    let known: Vec<String> = NAMED.into_iter().filter_map(of).collect();
    if known.is_empty() {
        return "none".to_owned();
    }
    let of = prediction
        .band_copies
        .map_or_else(String::new, |copies| format!(", of a model of {copies} instances"));
    format!("{}, with each parameter 20 % lower or higher, one at a time{of}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use record::{Arm, Header, Interval, Provenance, Sensitivity, SweepCell, SweptKey, Validity};

    use super::*;

    #[test]
    fn a_simulated_run_is_marked_with_what_stands_behind_it_and_a_live_one_is_not() {
        let sensitivity = Sensitivity {
            arm: 'A',
            measure: "latency_p99".into(),
            unit: "s".into(),
            value: 0.010,
            low: 0.0095,
            high: 0.012,
            parameter: "wake".into(),
            interval: None,
        };
        let prediction = Prediction {
            calibration: CalibrationIdentity {
                sources: vec!["hop-tax r1".into()],
                kernel: "6.18".into(),
                ..CalibrationIdentity::default()
            },
            validity: Validity::Extrapolated,
            because: vec!["another load".into()],
            not_simulated: vec!["step 2 (`leak`)".into()],
            band: vec![sensitivity],
            ..Prediction::default()
        };
        let header = Header {
            source: Provenance::Simulated,
            prediction: Some(prediction.clone()),
            ..Header::default()
        };
        let run = Run::new(header);
        let mark = run.mark().expect("simulated");
        for part in [SIMULATED, "hop-tax r1", "Linux 6.18", "validity: extrapolated", "p99 ±20 %"] {
            assert!(mark.contains(part), "{part}: {mark}");
        }
        assert_eq!(run.prediction_limits(), ["extrapolated: another load", "not simulated: step 2 (`leak`)"]);
        let limits = |arms: &str| {
            let saturation = arms.chars().zip([900.0, 1_200.0, 700.0].into_iter().cycle()).collect();
            let prediction = Some(Prediction { saturation, ..Prediction::default() });
            let source = Provenance::Simulated;
            Run::new(Header { source, prediction, ..Header::default() }).prediction_limits().concat()
        };
        assert!(limits("AB").contains(" busy at A 900/s, B 1200/s, each arm alone"), "{}", limits("AB"));
        let many = limits("ABCDEFGHIJ");
        assert!(many.contains(" busy at C 700/s to H 1200/s, each arm alone"), "{many}");
        let live = Run::new(Header { prediction: Some(prediction), ..Header::default() });
        assert_eq!((live.mark(), live.prediction_limits()), (None, Vec::new()));
    }

    #[test]
    fn a_condition_that_compares_arms_has_rows_of_its_own() {
        let interval = Some(Interval::new(0.438, 1.0));
        let cell = SweepCell { arms: [('-', SweepCount { held: 3, judged: 3, interval })].into() };
        let axis = SweptKey {
            name: "load".into(),
            key: "scale.rate".into(),
            values: vec!["1/s".into(), "2/s".into()],
        };
        let sweep = SweepResult {
            holds: "cpu for micro < cpu for mono".into(),
            replications: 3,
            axes: vec![axis],
            cells: vec![cell, SweepCell::default()],
        };
        let prediction = Some(Prediction { sweep: Some(sweep), ..Prediction::default() });
        let header = Header { source: Provenance::Simulated, prediction, ..Header::default() };
        let lines = Run::new(header).prediction_limits();
        let counts = "arms compared; load 1/s: 3 of 3 (44 to 100 %); 2/s: not judged";
        assert_eq!(lines.last().map(String::as_str), Some(counts));
    }

    #[test]
    fn what_varies_has_a_row_for_each_arm_and_value_of_the_first_key() {
        let key = |name: &str, values: [&str; 2]| SweptKey {
            name: name.into(),
            key: format!("{name}.key"),
            values: values.map(str::to_owned).into(),
        };
        let cell = |held, judged, interval| SweepCell {
            arms: [('A', SweepCount { held, judged, interval })].into(),
        };
        let sweep = SweepResult {
            holds: "errors(all) < 1%".into(),
            replications: 5,
            axes: vec![key("load", ["60/s", "90/s"]), key("length", ["1s", "2s"])],
            cells: vec![
                cell(5, 5, Some(Interval::new(0.566, 1.0))),
                cell(2, 5, Some(Interval::new(0.118, 0.769))),
                cell(0, 0, None),
                SweepCell::default(),
            ],
        };
        let header = Header {
            source: Provenance::Simulated,
            arms: vec![Arm { letter: 'A', name: "micro".into(), ..Arm::default() }],
            prediction: Some(Prediction { sweep: Some(sweep), ..Prediction::default() }),
            ..Header::default()
        };
        let lines = Run::new(header).prediction_limits();
        assert!(
            lines[0].contains("load (`load.key`) and length (`length.key`)")
                && lines[0].contains("errors(all)"),
            "{lines:?}"
        );
        assert_eq!(
            lines[1..],
            [
                "A micro, load 60/s; length 1s: 5 of 5 (57 to 100 %); 2s: 2 of 5 (12 to 77 %)",
                "A micro, load 90/s; length 1s: not judged; 2s: not judged",
            ]
        );
    }
}
