//! Two runs side by side: every row and expectation of both, and what of it is a difference.
//!
//! Two figures differ where their 95 % intervals do not overlap. That is a stricter rule than a test of the difference,
//! which suits runs that were not made at the same time and share no time to pair.

use model::score_rows::{ScoreRow, parts_below_totals};
use model::{Run, format};
use record::{Better, Check, Machine, Measured, Score, Verdict};
use scorecard::finding;

/// Two runs, matched.
pub struct Comparison<'a> {
    /// The one asked for, and the one it is compared with.
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
    /// B over A in each run, as every view writes it; empty where there is none.
    pub ratios: [String; 2],
}

/// A figure in both runs.
pub struct Pair {
    /// `None` in a run that has no such arm.
    pub runs: [Option<Measured>; 2],
    /// `differs`, `undecided`, `no interval`, `not measured`.
    pub finding: &'static str,
    /// Whether the second is better: only where they differ.
    pub is_second_better: Option<bool>,
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

impl<'a> Comparison<'a> {
    /// Two runs, matched by the names of arms, rows and expectations.
    pub fn of(one: &'a Run, two: &'a Run) -> Self {
        let runs = [one, two];
        let arms = arms(runs);
        Self { runs, warnings: warnings(runs), rows: rows(runs, &arms), checks: checks(runs), arms }
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
                Pair::of([measured(0), measured(1)], key.better)
            };
            let ratio = |score: &Option<Score>| score.as_ref().map_or_else(String::new, format::effect);
            Row {
                id: key.id.clone(),
                claim: key.claim.clone(),
                measure: key.measure.clone(),
                unit: key.unit.clone(),
                window: key.window.clone(),
                part_of: key.part_of.clone(),
                arms: arms.iter().map(pair).collect(),
                ratios: [ratio(&scores[0]), ratio(&scores[1])],
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

impl Pair {
    fn of(runs: [Option<Measured>; 2], better: Better) -> Self {
        let (finding, values) = match runs {
            [Some(one), Some(two)] => match (one.value, two.value) {
                (Some(a), Some(b)) => (finding::apart(&one, &two), Some((a, b))),
                _ => ("not measured", None),
            },
            _ => ("", None),
        };
        let is_second_better =
            values.filter(|(a, b)| finding == finding::DIFFERS && a != b).and_then(|(a, b)| match better {
                Better::Higher => Some(b > a),
                Better::Lower => Some(b < a),
                Better::Neither => None,
            });
        Self { runs, finding, is_second_better }
    }
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
            warnings.push(format!("{what}: {one} in run 1, {two} in run 2"));
        }
    };
    differ("scenarios differ", one.scenario.clone(), two.scenario.clone());
    differ("seeds differ", one.seed.to_string(), two.seed.to_string());
    differ("versions of Cleave differ", one.version.clone(), two.version.clone());
    differ("machines differ", machine(&one.machine), machine(&two.machine));
    differ("builds differ", one.machine.profile.clone(), two.machine.profile.clone());
    differ("arms were run", way(runs[0]), way(runs[1]));
    differ("telemetry differs", one.telemetry.clone(), two.telemetry.clone());
    if one.scenario_text != two.scenario_text {
        let (removed, added) = changed_lines(&one.scenario_text, &two.scenario_text);
        warnings.push(format!(
            "scenario texts differ: {removed} lines of run 1 are not in run 2, {added} of run 2 not in run 1"
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
        is_void.then(|| format!("run {} is {verdict}: its figures are not to be believed", index + 1))
    })
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

/// Heads of a row's columns after its label, and which of them are findings: for each arm a value of each run and
/// whether they differ.
pub(crate) fn heads(comparison: &Comparison<'_>) -> Vec<(String, bool)> {
    let mut heads = Vec::new();
    for arm in &comparison.arms {
        for (run, letter) in arm.letters.iter().enumerate() {
            heads.extend(letter.map(|_| (format!("{}, run {}", arm.name, run + 1), false)));
        }
        if arm.letters.iter().all(Option::is_some) {
            heads.push((format!("{}: run 2", arm.name), true));
        }
    }
    heads
}
