//! What the runs of an arm against itself found, row by row; the run is the trial.

use std::collections::BTreeMap;

use record::{Contrast, Finding, Header, Note, Score};
use scorecard::inference::noise::too_many_false;

use crate::machine_noise::{RowNoise, ScenarioNoise, window_seconds};

/// The row that planted CPU has to be found in.
pub const PLANTED_ROW: &str = "cpu_per_journey";

/// One row over all runs.
#[derive(Debug, Default)]
pub struct Row {
    /// Runs in which it was judged.
    pub judged: u32,
    /// Runs in which it was called different.
    pub differs: u32,
    /// Ratio of the second arm over the first, of each run that has one.
    pub ratios: Vec<f64>,
    /// Squared standard errors of those ratios' logarithms.
    squared_errors: Vec<f64>,
    /// Why it was not judged, the last time.
    pub note: Option<Note>,
    /// Why it was not judged, and in how many runs.
    pub not_judged: BTreeMap<Note, u32>,
}

/// All runs.
#[derive(Debug, Default)]
pub struct Tally {
    /// Runs that came to an end.
    pub runs: u32,
    /// Runs that judged a row: the trials.
    pub judged: u32,
    /// Runs with a row that was called different.
    pub false_runs: u32,
    /// Runs that judged the planted row.
    pub planted_judged: u32,
    /// Runs that found more CPU in the second arm.
    pub found: u32,
    /// Rows in the family of a run, in the run with most.
    pub family: usize,
    /// The rows by window and id.
    pub rows: BTreeMap<(String, String), Row>,
    /// Effects in the planted row that runs would have found four times in five, run by run.
    pub visible_effects: Vec<f64>,
}

impl Tally {
    /// Adds the scorecard of a run.
    pub fn add(&mut self, scores: &[Score]) {
        let contrasts = || scores.iter().flat_map(|score| score.contrasts.values().map(move |c| (score, c)));
        // Rows in another guise and brackets have findings, but are not of the family.
        let family = || contrasts().filter(|(_, contrast)| contrast.error.is_some());
        self.runs += 1;
        self.judged += u32::from(family().next().is_some());
        self.false_runs += u32::from(family().any(|(_, contrast)| differs(contrast)));
        self.family = self.family.max(family().count());
        let is_more =
            |contrast: &Contrast| ratio_of(contrast).is_some_and(|ratio| differs(contrast) && ratio > 1.0);
        let planted = || contrasts().filter(|(score, _)| score.id == PLANTED_ROW);
        self.planted_judged += u32::from(planted().any(|(_, contrast)| contrast.finding.is_some()));
        self.found += u32::from(planted().any(|(_, contrast)| is_more(contrast)));
        self.visible_effects.extend(planted().filter_map(|(_, contrast)| contrast.could_see));
        for (score, contrast) in contrasts() {
            let row = self.rows.entry((score.window.clone(), score.id.clone())).or_default();
            row.add(contrast);
        }
    }

    /// Whether more runs were false than chance explains: 5 of 20 that judged a row.
    pub fn has_too_many_false(&self) -> bool {
        self.false_runs >= self.too_many_false()
    }

    /// How many false runs are too many.
    pub fn too_many_false(&self) -> u32 {
        too_many_false(self.judged)
    }

    /// Whether there are runs enough for any number of false ones to be too many: of a single one it would be chance.
    pub fn can_be_false(&self) -> bool {
        self.too_many_false() <= self.judged
    }

    /// Rows that could differ, and that no run judged.
    pub fn never_judged(&self) -> impl Iterator<Item = (&(String, String), Option<Note>)> {
        let never =
            self.rows.iter().filter(|(_, row)| row.judged == 0 && !matches!(row.note, Some(Note::Exact)));
        never.map(|(key, row)| (key, row.note))
    }

    /// Why rows that some runs judge were not judged by others: the reason, the runs, and the rows of which that holds.
    pub fn partly_judged(&self) -> BTreeMap<(Note, u32), Vec<&(String, String)>> {
        let mut partly: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (key, row) in self.rows.iter().filter(|(_, row)| row.judged > 0) {
            for (note, runs) in &row.not_judged {
                partly.entry((*note, *runs)).or_default().push(key);
            }
        }
        partly
    }

    /// The effect in the planted row that half of the runs would have found four times in five.
    pub fn could_see(&self) -> Option<f64> {
        let mut effects = self.visible_effects.clone();
        effects.sort_by(f64::total_cmp);
        effects.get(effects.len() / 2).copied()
    }

    /// What is kept of this machine's noise.
    pub fn noise(&self, mut of: ScenarioNoise, header: &Header) -> ScenarioNoise {
        let kept = self.rows.iter().filter(|(_, row)| !row.squared_errors.is_empty());
        of.family = self.family;
        of.rows = kept
            .map(|((window, id), row)| RowNoise {
                id: id.clone(),
                window: window.clone(),
                log_ratios: row.ratios.iter().map(|ratio| ratio.ln()).collect(),
                within: row.squared_errors.iter().sum::<f64>() / row.squared_errors.len() as f64,
                seconds: window_seconds(header, window),
            })
            .collect();
        of
    }
}

impl Row {
    fn add(&mut self, contrast: &Contrast) {
        self.judged += u32::from(contrast.finding.is_some());
        self.differs += u32::from(differs(contrast));
        if contrast.finding.is_none() {
            self.note = contrast.note;
            if let Some(note) = contrast.note {
                *self.not_judged.entry(note).or_default() += 1;
            }
        }
        if let (Some(ratio), Some(error)) = (ratio_of(contrast), contrast.error) {
            self.ratios.push(ratio);
            self.squared_errors.push(error * error);
        }
    }

    /// The lowest and the highest ratio.
    pub fn spread(&self) -> Option<(f64, f64)> {
        let low = self.ratios.iter().copied().reduce(f64::min)?;
        let high = self.ratios.iter().copied().reduce(f64::max)?;
        Some((low, high))
    }
}

fn differs(contrast: &Contrast) -> bool {
    contrast.finding == Some(Finding::Differs)
}

fn ratio_of(contrast: &Contrast) -> Option<f64> {
    contrast.ratio.and_then(|ratio| ratio.value).filter(|ratio| *ratio > 0.0)
}

#[cfg(test)]
mod tests {
    use record::{Better, Measured, PhasePlan};

    use super::*;

    /// A row of a run: its id, ratio, standard error and finding.
    fn score(id: &str, ratio: f64, error: Option<f64>, finding: Option<Finding>) -> Score {
        let contrast = Contrast {
            ratio: Some(Measured { value: Some(ratio), ..Measured::default() }),
            finding,
            note: finding.is_none().then_some(Note::TooFewToJudge),
            error,
            could_see: error.map(|error| 3.0 * error),
            ..Contrast::default()
        };
        Score {
            id: id.into(),
            claim: String::new(),
            measure: String::new(),
            unit: "s".into(),
            better: Better::Lower,
            window: "steady".into(),
            part_of: None,
            notes: Vec::new(),
            arms: BTreeMap::new(),
            margin: None,
            contrasts: [('B', contrast)].into(),
            ratio: contrast.ratio,
            context: None,
            finding: String::new(),
        }
    }

    const DIFFERS: Option<Finding> = Some(Finding::Differs);
    const UNDECIDED: Option<Finding> = Some(Finding::Undecided);

    #[test]
    fn a_run_counts_once_however_many_of_its_rows_differ() {
        let mut tally = Tally::default();
        let row = |id, finding| score(id, 1.02, Some(0.01), finding);
        tally.add(&[row("latency_p50", DIFFERS), row("latency_p90", DIFFERS)]);
        tally.add(&[row("latency_p50", UNDECIDED), row("latency_p90", Some(Finding::Equivalent))]);
        assert_eq!((tally.runs, tally.false_runs, tally.family), (2, 1, 2));
        let p50 = &tally.rows[&("steady".to_owned(), "latency_p50".to_owned())];
        assert_eq!((p50.judged, p50.differs), (2, 1));
    }

    #[test]
    fn four_of_twenty_may_be_false_and_five_are_too_many() {
        let mut tally = Tally::default();
        for run in 0..20 {
            tally.add(&[score("latency_p50", 1.0, Some(0.01), if run < 4 { DIFFERS } else { UNDECIDED })]);
        }
        assert!(!tally.has_too_many_false());
        tally.false_runs += 1;
        assert!(tally.has_too_many_false());
    }

    #[test]
    fn a_run_that_judged_nothing_is_no_trial() {
        let mut tally = Tally::default();
        let run = |finding: Option<Finding>| [score("latency_p50", 1.0, finding.map(|_| 0.01), finding)];
        (0..4).for_each(|_| tally.add(&run(DIFFERS)));
        tally.add(&run(UNDECIDED));
        // Fifteen on a busy machine: of twenty four may be false, of five no more than two.
        (0..15).for_each(|_| tally.add(&run(None)));
        assert_eq!((tally.runs, tally.judged, tally.false_runs), (20, 5, 4));
        assert!(tally.too_many_false() == 3 && tally.has_too_many_false());
        let mut one = Tally::default();
        one.add(&run(DIFFERS));
        assert!(!one.can_be_false() && !Tally::default().can_be_false() && tally.can_be_false());
    }

    #[test]
    fn a_row_in_another_guise_makes_no_run_false() {
        let mut tally = Tally::default();
        tally.add(&[score("cost", 1.1, None, DIFFERS)]);
        assert_eq!((tally.false_runs, tally.family), (0, 0));
    }

    #[test]
    fn what_no_run_judged_is_listed_unless_it_cannot_differ() {
        let mut tally = Tally::default();
        let mut exact = score("processes", 1.0, None, None);
        exact.contrasts.get_mut(&'B').expect("one").note = Some(Note::Exact);
        tally.add(&[
            score("latency_p99", 1.0, None, None),
            score("latency_p50", 1.0, Some(0.1), UNDECIDED),
            exact,
        ]);
        let listed: Vec<_> = tally.never_judged().map(|((_, id), note)| (id.as_str(), note)).collect();
        assert_eq!(listed, [("latency_p99", Some(Note::TooFewToJudge))]);
    }

    #[test]
    fn planted_cpu_is_found_in_the_arm_that_has_it() {
        let mut tally = Tally::default();
        let cpu = |ratio, finding| score(PLANTED_ROW, ratio, Some(0.02), finding);
        tally.add(&[cpu(1.1, DIFFERS)]);
        tally.add(&[cpu(0.9, DIFFERS)]);
        tally.add(&[cpu(1.1, UNDECIDED)]);
        assert_eq!((tally.found, tally.could_see()), (1, Some(0.06)));
    }

    #[test]
    fn a_run_that_withheld_the_planted_row_has_not_judged_it() {
        let mut tally = Tally::default();
        let other = || score("latency_p50", 1.0, Some(0.01), UNDECIDED);
        tally.add(&[score(PLANTED_ROW, 1.1, Some(0.02), DIFFERS), other()]);
        tally.add(&[score(PLANTED_ROW, 1.1, Some(0.02), UNDECIDED), other()]);
        tally.add(&[score(PLANTED_ROW, 1.1, None, None), other()]);
        assert_eq!((tally.runs, tally.judged, tally.planted_judged, tally.found), (3, 3, 2, 1));
    }

    #[test]
    fn log_ratios_and_the_mean_of_squared_errors_are_kept() {
        let mut tally = Tally::default();
        for error in [0.01, 0.03] {
            tally.add(&[score("latency_p50", 1.1, Some(error), UNDECIDED)]);
        }
        let phase = |name: &str, seconds: u64, measure| PhasePlan {
            name: name.into(),
            start_ns: 0,
            length_ns: seconds * 1_000_000_000,
            measure,
        };
        let header =
            Header { phases: vec![phase("warm", 2, false), phase("steady", 12, true)], ..Header::default() };
        let scenario = crate::scenario_files::find("hop-tax").expect("shipped");
        let noise = tally.noise(ScenarioNoise::of_run(&header, &scenario, "mono"), &header);
        let row = &noise.rows[0];
        assert_eq!(row.log_ratios, [1.1_f64.ln(); 2]);
        assert!((row.within - 5e-4).abs() < 1e-12 && row.seconds == 12.0, "{row:?}");
    }
}
