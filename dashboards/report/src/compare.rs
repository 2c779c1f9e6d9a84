//! Two runs, before and after a change: every row and expectation of both, and what of it is a difference.
//!
//! One pair of runs is judged by what sets the arms of a run apart, and by counts and shares: see
//! [`scorecard::finding`]. Absolute times of two runs stand beside each other unmarked.

use model::contrasts::{against_base, place_of};
use model::date::CivilTime;
use model::outcome::is_better;
use model::score_rows::{ScoreRow, parts_below_totals};
use model::{Run, format};
use record::{Better, Check, Contrast, Header, Machine, Measured, Score, Verdict};
use scorecard::figure::figure;
use scorecard::finding::{self, Margins};

/// Names of the two, in their order, as every view calls them.
pub const NAMES: [&str; 2] = ["before", "after"];

/// Two runs, matched.
pub struct Comparison<'a> {
    /// Before and after.
    pub runs: [&'a Run; 2],
    /// What else is different between them: each a sentence.
    pub warnings: Vec<String>,
    /// Arms of both, matched by name, in the order of the first.
    pub arms: Vec<ArmPair>,
    /// Rows of the scorecard.
    pub rows: Vec<Row>,
    /// Expectations.
    pub checks: Vec<CheckPair<'a>>,
}

/// An arm and its letter in each run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArmPair {
    /// Its name.
    pub name: String,
    /// Its letters; `None` in a run that does not have it.
    pub letters: [Option<char>; 2],
}

/// A row of the scorecard in both runs.
pub struct Row {
    /// Stable id.
    pub id: String,
    /// The claim it tests.
    pub claim: String,
    /// In words.
    pub measure: String,
    /// Unit.
    pub unit: String,
    /// Phase or `whole`.
    pub window: String,
    /// Id of the row it is a part of, in the same window.
    pub part_of: Option<String>,
    /// One for each of [`Comparison::arms`].
    pub arms: Vec<Pair>,
    /// Each other arm against the base arm, where both runs have both.
    pub contrasts: Vec<ContrastPair>,
}

/// A figure in both runs.
pub struct Pair {
    /// `None` in a run that has no such arm.
    pub runs: [Option<Measured>; 2],
    /// The same in words, as every view writes it; a dash in a run that has no such arm.
    pub texts: [String; 2],
    /// `differs`, `same`, `undecided`, `no interval`, `not judged`, `not measured`.
    pub finding: &'static str,
    /// Whether it is better after: only where they differ.
    pub is_after_better: Option<bool>,
    /// Whether it could be compared before, and cannot after.
    pub is_lost: bool,
}

/// An arm against the base arm in both runs.
pub struct ContrastPair {
    /// `micro against mono`.
    pub name: String,
    /// The arm's own name.
    pub arm: String,
    /// Ratio or difference with its interval, as every view writes it; where there is none, why.
    pub runs: [String; 2],
    /// `differs`, `undecided`, `no interval`, `not judged`.
    pub finding: &'static str,
    /// Whether the arm stands better against its base arm after: only where they differ.
    pub is_after_better: Option<bool>,
    /// Whether it could be compared before, and cannot after.
    pub is_lost: bool,
}

/// An expectation in both runs.
pub struct CheckPair<'a> {
    /// Its text.
    pub text: String,
    /// The arm's name; empty where it compares arms.
    pub arm: String,
    /// How it stands; `None` in a run that was not asked.
    pub runs: [Option<&'a Check>; 2],
}

impl Row {
    /// Figures of what [`Row::marked`] names: `×1.34 [1.30, 1.38] before, ×1.60 [1.52, 1.70] after`.
    pub fn shown(&self, arms: &[ArmPair], name: &str) -> String {
        let of_contrast = self.contrasts.iter().find(|pair| pair.name == name).map(|pair| pair.runs.clone());
        let of_arm = || {
            let (_, pair) = arms.iter().zip(&self.arms).find(|(arm, _)| arm.name == name)?;
            Some(pair.texts.clone())
        };
        let [before, after] = of_contrast.or_else(of_arm).unwrap_or_default();
        format!("{before} before, {after} after")
    }
}

/// What a column of one of the runs stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Of the program: the first twelve digits, or the version where it is not known.
    pub commit: String,
    /// When it was made, to the minute, UTC.
    pub date: String,
    /// Cores and CPU.
    pub machine: String,
    /// Its id.
    pub run: String,
}

impl Side {
    /// Of a run.
    pub fn of(run: &Run) -> Self {
        let header = &run.header;
        Self {
            commit: commit(&header.version).to_owned(),
            date: CivilTime::of_wall_us(header.wall_us).to_the_minute(),
            machine: format!("{} x {}", header.machine.cores, header.machine.cpu),
            run: header.run_id.clone(),
        }
    }
}

impl<'a> Comparison<'a> {
    /// Two runs, matched by the names of arms, rows and expectations.
    pub fn of(before: &'a Run, after: &'a Run) -> Self {
        let runs = [before, after];
        let arms = arms(runs);
        Self { runs, warnings: warnings(runs), rows: rows(runs, &arms), checks: checks(runs), arms }
    }
}

impl Row {
    /// What could be compared before and cannot after, in words.
    pub fn lost<'r>(&'r self, arms: &'r [ArmPair]) -> impl Iterator<Item = &'r str> {
        let of_arms = arms.iter().zip(&self.arms).map(|(arm, pair)| (arm.name.as_str(), pair.is_lost));
        let of_contrasts = self.contrasts.iter().map(|pair| (pair.name.as_str(), pair.is_lost));
        of_contrasts.chain(of_arms).filter_map(|(name, is_lost)| is_lost.then_some(name))
    }

    /// What was found of its figures and contrasts, empty where only one run has them.
    pub fn findings(&self) -> impl Iterator<Item = &'static str> {
        let of_arms = self.arms.iter().map(|pair| pair.finding);
        self.contrasts.iter().map(|pair| pair.finding).chain(of_arms)
    }

    /// What a change is marked at, in words, with whether it is better after: `micro against mono`, or the name of an arm.
    pub fn marked<'r>(&'r self, arms: &'r [ArmPair]) -> impl Iterator<Item = (&'r str, bool)> {
        let of_arms =
            arms.iter().zip(&self.arms).map(|(arm, pair)| (arm.name.as_str(), pair.is_after_better));
        let of_contrasts = self.contrasts.iter().map(|pair| (pair.name.as_str(), pair.is_after_better));
        of_contrasts.chain(of_arms).filter_map(|(name, is_better)| Some((name, is_better?)))
    }
}

fn arms(runs: [&Run; 2]) -> Vec<ArmPair> {
    let mut pairs: Vec<ArmPair> = Vec::new();
    for (index, run) in runs.into_iter().enumerate() {
        for arm in &run.header.arms {
            let known = pairs.iter_mut().find(|pair| pair.name == arm.name && pair.letters[index].is_none());
            match known {
                Some(pair) => pair.letters[index] = Some(arm.letter),
                None => {
                    let mut letters = [None; 2];
                    letters[index] = Some(arm.letter);
                    pairs.push(ArmPair { name: arm.name.clone(), letters });
                }
            }
        }
    }
    pairs
}

/// The order of the first run, then what only the second has.
fn rows(runs: [&Run; 2], arms: &[ArmPair]) -> Vec<Row> {
    let mut keys: Vec<&Score> = Vec::new();
    for score in runs.iter().flat_map(|run| run.scores()) {
        if keys.iter().all(|key| (&key.id, &key.window) != (&score.id, &score.window)) {
            keys.push(score);
        }
    }
    // Claims stay together, wherever their rows come from.
    let claims: Vec<&str> = keys.iter().map(|key| key.claim.as_str()).collect();
    keys.sort_by_key(|key| claims.iter().position(|claim| *claim == key.claim));
    parts_below_totals(keys)
        .into_iter()
        .map(|key| {
            let of = |run: &'_ Run| {
                run.scores()
                    .into_iter()
                    .find(|score| (&score.id, &score.window) == (&key.id, &key.window))
                    .cloned()
            };
            let scores = runs.map(of);
            let pair = |arm: &ArmPair| {
                let measured = |index: usize| {
                    let letter = arm.letters[index]?;
                    let score = scores[index].as_ref();
                    Some(score.and_then(|score| score.arms.get(&letter)).copied().unwrap_or_default())
                };
                let text = |index: usize| {
                    let (letter, score) = (arm.letters[index]?, scores[index].as_ref()?);
                    Some(figure(runs[index], score, letter))
                };
                let texts = [0, 1].map(|index| text(index).unwrap_or_else(|| format::NO_DATA.to_owned()));
                Pair::of([measured(0), measured(1)], texts, key, is_mixed(runs))
            };
            Row {
                id: key.id.clone(),
                claim: key.claim.clone(),
                measure: key.measure.clone(),
                unit: key.unit.clone(),
                window: key.window.clone(),
                part_of: key.part_of.clone(),
                arms: arms.iter().map(pair).collect(),
                contrasts: contrasts(runs, arms, [scores[0].as_ref(), scores[1].as_ref()], key.better),
            }
        })
        .collect()
}

impl ScoreRow for Row {
    fn id(&self) -> &str {
        &self.id
    }

    fn window(&self) -> &str {
        &self.window
    }

    fn part_of(&self) -> Option<&str> {
        self.part_of.as_deref()
    }
}

/// Whether one run is simulated and the other was measured: what a model is off by is in no interval.
fn is_mixed(runs: [&Run; 2]) -> bool {
    runs[0].is_simulated() != runs[1].is_simulated()
}

impl Pair {
    fn of(runs: [Option<Measured>; 2], texts: [String; 2], row: &Score, is_mixed: bool) -> Self {
        let is_counted = runs.iter().all(|of| of.is_some_and(|of| finding::is_counted(&of)));
        let is_unjudged = finding::is_absolute(row) || is_mixed && !is_counted;
        let (finding, values) = match runs {
            [Some(one), Some(two)] => match (place_of(&one), place_of(&two)) {
                (Some(a), Some(b)) => (finding::apart(&one, &two, is_unjudged), Some((a, b))),
                _ => ("not measured", None),
            },
            _ => ("", None),
        };
        let [before, after] = runs.map(|of| of.is_some_and(|of| finding::is_comparable(&of)));
        Self {
            runs,
            texts,
            finding,
            is_after_better: is_after_better(finding, row.better, values),
            is_lost: before && !after && !is_unjudged,
        }
    }
}

fn is_after_better(finding: &str, better: Better, values: Option<(f64, f64)>) -> Option<bool> {
    values
        .filter(|_| finding == finding::DIFFERS)
        .and_then(|(before, after)| is_better(better, before, after))
}

/// Each arm that both runs have against the base arm, where that is the same in both.
fn contrasts(
    runs: [&Run; 2],
    arms: &[ArmPair],
    scores: [Option<&Score>; 2],
    better: Better,
) -> Vec<ContrastPair> {
    let base = runs.map(|run| run.base().map(|arm| arm.name.as_str()));
    let Some(base_name) = base[0].filter(|_| base[0] == base[1]) else { return Vec::new() };
    let margins = margins(runs, scores);
    let pair = |arm: &ArmPair| {
        let [Some(a), Some(b)] = arm.letters else { return None };
        let letters = [a, b];
        let contrast = |index: usize| {
            let contrast = scores[index].and_then(|score| score.contrasts.get(&letters[index]));
            contrast.copied().unwrap_or_default()
        };
        let (before, after) = (contrast(0), contrast(1));
        let finding = match finding::contrasts_apart(&before, &after, margins) {
            finding if is_mixed(runs) && finding::is_judged(finding) => finding::NOT_JUDGED,
            finding => finding,
        };
        let shown = |index: usize| {
            let Some(score) = scores[index] else { return format::NO_DATA.to_owned() };
            let of = against_base(score, letters[index]);
            if of.effect.is_empty() { of.finding } else { of.effect }
        };
        (!finding.is_empty()).then(|| ContrastPair {
            name: format!("{} against {base_name}", arm.name),
            arm: arm.name.clone(),
            runs: [shown(0), shown(1)],
            finding,
            is_after_better: is_after_better(finding, better, value_of(&before).zip(value_of(&after))),
            is_lost: finding::is_contrast_comparable(&before) && !finding::is_contrast_comparable(&after),
        })
    };
    arms.iter().filter_map(pair).collect()
}

/// By how much the contrasts of a row may stand apart, by the larger of the two runs' figures.
fn margins(runs: [&Run; 2], scores: [Option<&Score>; 2]) -> Margins {
    let of = |index: usize| {
        let (run, score) = (runs[index], scores[index]?);
        let base = run.base()?.letter;
        let value = |score: &Score| score.arms.get(&base).and_then(|measured| measured.value);
        let rows = run.scores();
        let is_total = |row: &&Score| Some(&row.id) == score.part_of.as_ref() && row.window == score.window;
        let total = rows.into_iter().find(is_total).and_then(value);
        Some(Margins::of(score, value(score), total))
    };
    let [one, two] = [of(0), of(1)].map(|of| of.unwrap_or(Margins { ratio: 1.0, difference: 0.0 }));
    Margins { ratio: one.ratio.max(two.ratio), difference: one.difference.max(two.difference) }
}

fn value_of(contrast: &Contrast) -> Option<f64> {
    contrast.ratio.or(contrast.difference).and_then(|measured| place_of(&measured))
}

fn checks<'a>(runs: [&'a Run; 2]) -> Vec<CheckPair<'a>> {
    let mut pairs: Vec<CheckPair<'a>> = Vec::new();
    for (index, run) in runs.into_iter().enumerate() {
        for check in run.checks() {
            let arm = if check.arm == '-' { String::new() } else { run.arm_name(check.arm) };
            let known = pairs
                .iter_mut()
                .find(|pair| pair.text == check.text && pair.arm == arm && pair.runs[index].is_none());
            match known {
                Some(pair) => pair.runs[index] = Some(check),
                None => {
                    let mut runs = [None; 2];
                    runs[index] = Some(check);
                    pairs.push(CheckPair { text: check.text.clone(), arm, runs });
                }
            }
        }
    }
    pairs
}

/// What is not the same: a difference of figures may come from it.
fn warnings(runs: [&Run; 2]) -> Vec<String> {
    let mut warnings: Vec<String> = doubts(runs).collect();
    let [one, two] = runs.map(|run: &Run| &run.header);
    let mut differ = |what: &str, one: String, two: String| {
        if one != two {
            warnings.push(format!("{what}: {one} before, {two} after"));
        }
    };
    let source = |header: &Header| {
        let word = if header.source.is_live() { "measured" } else { "simulated" };
        word.to_owned()
    };
    differ("figures are", source(one), source(two));
    differ("scenarios differ", one.scenario.clone(), two.scenario.clone());
    differ("seeds differ", one.seed.to_string(), two.seed.to_string());
    differ("versions of Cleave differ", one.version.clone(), two.version.clone());
    differ("machines differ", machine(&one.machine), machine(&two.machine));
    differ("builds differ", one.machine.profile.clone(), two.machine.profile.clone());
    differ("arms were run", way(runs[0]), way(runs[1]));
    // Of other base arms no ratio is that of the other run.
    differ("arms are compared with", base(runs[0]), base(runs[1]));
    differ("telemetry differs", one.telemetry.clone(), two.telemetry.clone());
    if one.wall_us > two.wall_us {
        warnings.push(
            "the run before was made after the other one: `--compare` names the run before the change"
                .to_owned(),
        );
    }
    if one.scenario_text != two.scenario_text {
        let (removed, added) = changed_lines(&one.scenario_text, &two.scenario_text);
        warnings.push(format!(
            "scenario texts differ: {removed} lines of before are gone, {added} of after are new"
        ));
    }
    if one.seed == two.seed
        && one.scenario_text == two.scenario_text
        && one.schedule_digest != two.schedule_digest
    {
        warnings.push("schedules differ: the two runs were not offered the same arrivals".to_owned());
    }
    warnings
}

/// Runs whose figures are not to be believed by themselves.
fn doubts(runs: [&Run; 2]) -> impl Iterator<Item = String> {
    runs.into_iter().enumerate().filter_map(|(index, run)| {
        let verdict = run.verdict();
        let is_void =
            verdict == Verdict::Invalid.word() || run.end.as_ref().is_none_or(|end| end.verdict.is_none());
        is_void.then(|| format!("the run {} is {verdict}: its figures are not to be believed", NAMES[index]))
    })
}

fn base(run: &Run) -> String {
    run.base().map_or_else(|| format::NO_DATA.to_owned(), |arm| arm.name.clone())
}

fn way(run: &Run) -> String {
    let header = &run.header;
    if header.rounds > 1 { format!("{} in {} rounds", header.way, header.rounds) } else { header.way.clone() }
}

fn machine(machine: &Machine) -> String {
    format!("{} x {}, {} MiB, Linux {}", machine.cores, machine.cpu, machine.memory_mib, machine.kernel)
}

/// Lines of each text that the other does not hold.
fn changed_lines(one: &str, two: &str) -> (usize, usize) {
    let missing = |from: &str, of: &str| {
        let mut there: Vec<&str> = of.lines().collect();
        let mut count = 0;
        for line in from.lines() {
            match there.iter().position(|other| *other == line) {
                Some(at) => drop(there.swap_remove(at)),
                None => count += 1,
            }
        }
        count
    };
    (missing(one, two), missing(two, one))
}

/// The commit of a version, `3f2a9c41d07b` of `0.1.0+3f2a9c41d07b`; with `.dirty` where files were changed since. The
/// version itself where it has none.
fn commit(version: &str) -> &str {
    version.split_once('+').map_or(version, |(_, commit)| commit)
}

#[cfg(test)]
mod tests {
    use super::commit;

    #[test]
    fn a_version_names_its_commit() {
        assert_eq!(commit("0.1.0+3f2a9c41d07b"), "3f2a9c41d07b");
        assert_eq!(commit("0.1.0+3f2a9c41d07b.dirty"), "3f2a9c41d07b.dirty");
        assert_eq!(commit("0.1.0"), "0.1.0");
    }
}
