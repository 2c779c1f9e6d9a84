//! What is worse after than before, for a gate: expectations that no longer hold, figures that are marked worse, and
//! what could not be judged.

use record::Verdict;
use scorecard::glossary;

use crate::compare::{CheckPair, Comparison, NAMES, Row};
use model::limit::value_and_limit;

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
    /// What held before and could not be judged after.
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
    let is_asked = |row: &Row| {
        gates.iter().any(|gate| match gate {
            Gate::Expectations => false,
            Gate::Worse => true,
            Gate::Row(id) => row.id == *id || glossary::term_of(&row.id).is_some_and(|term| term.id == *id),
        })
    };
    for row in comparison.rows.iter().filter(|row| is_asked(row)) {
        found.worse.extend(worse_of(comparison, row));
    }
    if gates.contains(&Gate::Expectations) {
        for pair in &comparison.checks {
            expectation(pair, &mut found);
        }
    }
    found
}

/// `p50 of all journeys (steady), micro against mono: ×1.34 [1.30, 1.38] before, ×1.60 [1.52, 1.70] after`.
fn worse_of<'c>(comparison: &'c Comparison<'_>, row: &'c Row) -> impl Iterator<Item = String> {
    let window = if row.window.is_empty() { String::new() } else { format!(" ({})", row.window) };
    let marked = row.marked(&comparison.arms).filter(|(_, is_better)| !is_better);
    marked.map(move |(name, _)| {
        format!("{}{window}, {name}: {}", row.measure, row.shown(&comparison.arms, name))
    })
}

fn expectation(pair: &CheckPair<'_>, found: &mut Regressions) {
    let [Some(before), after] = pair.runs else { return };
    if before.verdict != Verdict::Pass {
        return;
    }
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
