//! What is worse after than before, for a gate: expectations that no longer hold, figures that are marked worse, and
//! what could not be judged. A gate that looked at nothing is not passed.

use std::collections::BTreeSet;

use model::format;
use model::limit::value_and_limit;
use record::{Score, Verdict};
use scorecard::{finding, glossary};

use crate::compare::{ArmPair, CheckPair, Comparison, NAMES, Row};

/// What a gate looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Expectations that held before.
    Expectations,
    /// Every figure that is marked.
    Worse,
    /// The marked figures of a row, by its id.
    Row(String),
}

/// What was found, each a sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regressions {
    /// What is worse.
    pub worse: Vec<String>,
    /// What held, or was judged, before and could not be after; and gates of which nothing could be judged.
    pub undecided: Vec<String>,
    /// Why nothing can be concluded: a run is invalid or was cut short.
    pub void: Vec<String>,
}

impl std::str::FromStr for Gate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "expectations" => Ok(Self::Expectations),
            "worse" => Ok(Self::Worse),
            id if glossary::term_of(id).is_some() => Ok(Self::Row(id.to_owned())),
            other => Err(format!(
                "unknown gate `{other}`: expected expectations, worse, or the id of a row of the scorecard, such as \
                 latency_p50, cpu_per_journey or goodput"
            )),
        }
    }
}

/// What of two runs the gates find.
pub fn regressions(comparison: &Comparison<'_>, gates: &[Gate]) -> Regressions {
    let mut found = Regressions::default();
    for (run, name) in comparison.runs.iter().zip(NAMES) {
        let is_judged =
            run.end.as_ref().is_some_and(|end| end.verdict.is_some_and(|v| v != Verdict::Invalid));
        if !is_judged {
            found
                .void
                .push(format!("the run {name} is {}: its figures are not to be believed", run.verdict()));
        }
    }
    for gate in gates.iter().filter(|gate| **gate != Gate::Expectations) {
        let rows: Vec<&Row> = comparison.rows.iter().filter(|row| gate.is_of(row)).collect();
        if !rows.iter().flat_map(|row| row.findings()).any(finding::is_judged) {
            found.undecided.push(unjudged(gate, &rows));
        }
    }
    for row in &comparison.rows {
        let mut asking = gates.iter().filter(|gate| gate.is_of(row)).peekable();
        if asking.peek().is_some() {
            found.worse.extend(worse_of(comparison, row));
        }
        if asking.any(|gate| matches!(gate, Gate::Row(_))) {
            let lost = row.lost(&comparison.arms);
            found.undecided.extend(lost.map(|name| sentence(comparison, row, name)));
            found.undecided.extend(of_gone_arms(comparison, row));
        }
    }
    if gates.contains(&Gate::Expectations) {
        let held_before =
            |pair: &&CheckPair<'_>| pair.runs[0].is_some_and(|check| check.verdict == Verdict::Pass);
        if !comparison.checks.iter().any(|pair| held_before(&pair)) {
            found.undecided.push("expectations: none held before".to_owned());
        }
        for pair in comparison.checks.iter().filter(held_before) {
            expectation(pair, &mut found);
        }
    }
    found
}

impl Gate {
    /// Whether it looks at a row.
    fn is_of(&self, row: &Row) -> bool {
        match self {
            Self::Expectations => false,
            Self::Worse => true,
            Self::Row(id) => row.id == *id || glossary::term_of(&row.id).is_some_and(|term| term.id == *id),
        }
    }
}

/// That a gate found nothing to compare, and why: `latency_p50: nothing of it can be compared: no interval, not judged`.
fn unjudged(gate: &Gate, rows: &[&Row]) -> String {
    let name = match gate {
        Gate::Row(id) => id.as_str(),
        Gate::Worse | Gate::Expectations => "the scorecard",
    };
    if rows.is_empty() {
        return format!("{name}: neither run has a figure of it");
    }
    let findings = rows.iter().flat_map(|row| row.findings()).filter(|finding| !finding.is_empty());
    let why: Vec<&str> = findings.collect::<BTreeSet<_>>().into_iter().collect();
    let why = if why.is_empty() { "no arm is in both runs".to_owned() } else { why.join(", ") };
    format!("{name}: nothing of it can be compared: {why}")
}

/// What of a row is marked worse.
fn worse_of<'c>(comparison: &'c Comparison<'_>, row: &'c Row) -> impl Iterator<Item = String> {
    let marked = row.marked(&comparison.arms).filter(|(_, is_better)| !is_better);
    marked.map(move |(name, _)| sentence(comparison, row, name))
}

/// `p50 of all journeys (steady), micro against mono: ×1.34 [1.30, 1.38] before, ×1.60 [1.52, 1.70] after`.
fn sentence(comparison: &Comparison<'_>, row: &Row, name: &str) -> String {
    format!("{}{}, {name}: {}", row.measure, window_of(row), row.shown(&comparison.arms, name))
}

/// What of a row could be compared before, of arms that are run no more.
fn of_gone_arms(comparison: &Comparison<'_>, row: &Row) -> Vec<String> {
    let [before, _] = comparison.runs;
    let is_its = |score: &&Score| (&score.id, &score.window) == (&row.id, &row.window);
    let (Some(score), Some(base)) = (before.scores().into_iter().find(is_its), before.base()) else {
        return Vec::new();
    };
    let of_arm = |arm: &ArmPair| {
        let [Some(letter), None] = arm.letters else { return None };
        let contrast = score.contrasts.get(&letter).filter(|of| finding::is_contrast_comparable(of))?;
        let effect = format::contrast(contrast, &score.unit);
        let name = format!("{} against {}", arm.name, base.name);
        Some(format!("{}{}, {name}: {effect} before, not run after", row.measure, window_of(row)))
    };
    comparison.arms.iter().filter_map(of_arm).collect()
}

/// ` (steady)`; empty where a row has none.
fn window_of(row: &Row) -> String {
    if row.window.is_empty() { String::new() } else { format!(" ({})", row.window) }
}

/// What became of an expectation that held before.
fn expectation(pair: &CheckPair<'_>, found: &mut Regressions) {
    let [_, after] = pair.runs;
    let arm = if pair.arm.is_empty() { String::new() } else { format!(" [{}]", pair.arm) };
    let text = format!("{}{arm}", pair.text);
    match after {
        Some(check) if check.verdict == Verdict::Pass => {}
        Some(check) if check.verdict == Verdict::Fail => {
            let (value, limit) = value_and_limit(check);
            found.worse.push(format!("{text}: held before, {value} where the limit is {limit} after"));
        }
        Some(check) => found.undecided.push(format!("{text}: held before, {} after", check.verdict.word())),
        None => found.undecided.push(format!("{text}: held before, not asked after")),
    }
}
