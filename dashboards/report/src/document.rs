//! The run as one JSON document, and two runs as one. Their schemas are committed beside the record's, in
//! `lab/record/schema`.

pub mod schema;
pub mod search;

use std::collections::BTreeMap;

use model::Run;
use model::incidents::Incident;
use model::predicted::PredictedFigure;
use record::{Arm, Audit, Check, Lint, Machine, Measured, Prediction, Provenance, Score, Verdict};
use schemars::JsonSchema;
use scorecard::{ladder, reason};
use search::CapacitySearch;
use serde::Serialize;

use crate::compare::{self, Comparison};
use crate::without_verdict;

/// Version of the documents: a reader should refuse any other.
pub const SCHEMA_VERSION: u32 = 2;
/// Version of the document of two runs: since 3 the run before the change comes first.
pub const COMPARISON_VERSION: u32 = 3;
/// What a record without an end counts as, by its exit code.
const EXIT_INVALID: u8 = 3;

/// A run.
#[derive(Serialize, JsonSchema)]
pub struct Document<'a> {
    /// Version of the document: refuse any other.
    #[schemars(range(min = SCHEMA_VERSION, max = SCHEMA_VERSION))]
    pub schema_version: u32,
    /// Whether the figures were measured or simulated.
    pub source: Provenance,
    /// What stands behind simulated figures; of a live run what was predicted of it, and absent where nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction: Option<&'a Prediction>,
    /// What was predicted of a live run and measured in it, the closest first; absent where nothing was predicted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub predicted: Vec<PredictedValue<'a>>,
    /// Names the run and its folder.
    pub run_id: &'a str,
    /// The scenario's name.
    pub scenario: &'a str,
    /// Its title.
    pub title: &'a str,
    /// The seed used.
    pub seed: u64,
    /// Version of Cleave.
    pub version: &'a str,
    /// `side by side` or `interleaved`.
    pub way: &'a str,
    /// Rounds of an interleaved run.
    pub rounds: u32,
    /// `null` when it was interrupted.
    pub verdict: Option<Verdict>,
    /// Exit code of the program: 0 pass, 1 fail, 3 invalid, 4 inconclusive, 130 interrupted.
    pub exit_code: u8,
    /// The run's folder, as it was asked for; absent where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_dir: Option<String>,
    /// Milliseconds from the program's start until every arm served.
    pub ready_ms: u64,
    /// Highest memory of everything, MiB; `null` when cut short, and where nothing ran.
    pub pss_mib: Option<f64>,
    /// Digest of the schedule offered to every arm.
    pub schedule_digest: &'a str,
    /// The machine.
    pub machine: &'a Machine,
    /// The arms.
    pub arms: &'a [Arm],
    /// Letter of the arm that the others are compared with, in `contrasts` of each row.
    pub base: Option<char>,
    /// Why the run is invalid or inconclusive, against which limit, and what helps; absent where it is neither.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the run comes to, in at most six lines of two arms and one more for each further arm, and one more of a run at several round trips: what the split costs and buys here, what was not decided, and how to
    /// decide it.
    pub answer: Vec<String>,
    /// Searches for capacity, rate by rate; absent where none was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub capacity: Vec<CapacitySearch>,
    /// How each expectation stands in the end.
    pub checks: Vec<JudgedCheck<'a>>,
    /// Rows of the scorecard.
    pub scorecard: Vec<&'a Score>,
    /// Audits of acknowledged writes, one per arm.
    pub audits: Vec<Audit>,
    /// What was wrong in the arms, by arm; none for a sweep of many.
    pub symptoms: Vec<IncidentEntry>,
    /// Reasons not to believe the run.
    pub lints: &'a [Lint],
}

/// A figure as predicted and as measured.
#[derive(Serialize, JsonSchema)]
pub struct PredictedValue<'a> {
    /// Letter of its arm.
    pub arm: char,
    /// Its name, as in `band` of the prediction.
    pub measure: &'a str,
    /// Its unit.
    pub unit: &'a str,
    /// As predicted.
    pub predicted: f64,
    /// As measured.
    pub measured: f64,
    /// How far the prediction is off, as a share of what was measured.
    pub error: f64,
    /// Whether what was measured lies within the band.
    pub is_within_band: bool,
}

impl<'a> From<&PredictedFigure<'a>> for PredictedValue<'a> {
    fn from(figure: &PredictedFigure<'a>) -> Self {
        Self {
            arm: figure.predicted.arm,
            measure: &figure.predicted.measure,
            unit: &figure.predicted.unit,
            predicted: figure.predicted.value,
            measured: figure.measured,
            error: figure.error(),
            is_within_band: figure.is_within_band(),
        }
    }
}

/// Something that was wrong for a while.
#[derive(Serialize, JsonSchema)]
pub struct IncidentEntry {
    /// Letter of its arm.
    pub arm: char,
    /// What it is: `retry_amplification`, `queue_growing`, `breaker_open`, ...
    pub kind: &'static str,
    /// Where: `feed#0`, or `feed->follower`.
    pub place: String,
    /// In words, as it was at its worst.
    pub text: String,
    /// Second of the load at whose end it was first there.
    pub first_s: u32,
    /// Second of the load at whose end it was last there.
    pub last_s: u32,
    /// Second of the load at whose end it was worst.
    pub worst_s: u32,
    /// Seconds at whose end it was there, rounds added up.
    pub seconds: u32,
}

impl From<Incident> for IncidentEntry {
    fn from(incident: Incident) -> Self {
        let Incident { arm, symptom, first_s, last_s, worst_s, seconds } = incident;
        let kind = symptom.kind.as_str();
        Self { arm, kind, place: symptom.place, text: symptom.text, first_s, last_s, worst_s, seconds }
    }
}

/// A check, and its line of the scenario.
#[derive(Serialize, JsonSchema)]
pub struct JudgedCheck<'a> {
    /// As the record has it.
    #[serde(flatten)]
    pub check: &'a Check,
    /// Line of the scenario file; 0 where it is not known.
    pub line: u32,
}

/// The document of a run that lies in a folder.
pub fn document(run: &Run, run_dir: Option<String>) -> Document<'_> {
    let header = &run.header;
    let end = run.end.as_ref();
    Document {
        schema_version: SCHEMA_VERSION,
        source: header.source,
        prediction: header.prediction.as_ref(),
        predicted: run.predicted_figures().iter().map(PredictedValue::from).collect(),
        run_id: &header.run_id,
        scenario: &header.scenario,
        title: &header.title,
        seed: header.seed,
        version: &header.version,
        way: &header.way,
        rounds: header.rounds,
        verdict: end.map_or(Some(Verdict::Invalid), |end| end.verdict),
        exit_code: end.map_or(EXIT_INVALID, |end| end.exit_code),
        run_dir,
        ready_ms: header.ready_ms,
        pss_mib: run.peak_pss_mib(),
        schedule_digest: &header.schedule_digest,
        machine: &header.machine,
        arms: &header.arms,
        base: run.base().map(|arm| arm.letter),
        reason: reason::sentence(run).or_else(|| cut_short(run)),
        answer: scorecard::answer::answer(run),
        capacity: ladder::ladders(run).into_iter().map(CapacitySearch::from).collect(),
        checks: run
            .checks()
            .into_iter()
            .map(|check| JudgedCheck { check, line: run.reason_of(check).1 })
            .collect(),
        scorecard: run.scores(),
        audits: run.audits(),
        symptoms: run.incidents().into_iter().map(IncidentEntry::from).collect(),
        lints: end.map_or(&[], |end| &end.lints),
    }
}

/// Why a record without an end counts as invalid; `None` of one with an end.
fn cut_short(run: &Run) -> Option<String> {
    let why = without_verdict(run).filter(|_| run.end.is_none())?;
    Some(format!("{}: {why}", Verdict::Invalid.word()))
}

/// Two runs.
#[derive(Serialize, JsonSchema)]
pub struct ComparisonDocument<'a> {
    /// Version of the document: refuse any other.
    #[schemars(range(min = COMPARISON_VERSION, max = COMPARISON_VERSION))]
    pub schema_version: u32,
    /// Before, which `--compare` names, and after.
    pub runs: Vec<Document<'a>>,
    /// What else is different between them.
    pub warnings: &'a [String],
    /// Rows of the scorecard, of both.
    pub scorecard: Vec<Row<'a>>,
    /// Expectations, of both.
    pub checks: Vec<Expected<'a>>,
}

/// A row of the scorecard in both runs.
#[derive(Serialize, JsonSchema)]
pub struct Row<'a> {
    /// Stable id.
    pub id: &'a str,
    /// The claim it tests.
    pub claim: &'a str,
    /// In words.
    pub measure: &'a str,
    /// Unit.
    pub unit: &'a str,
    /// Phase or `whole`.
    pub window: &'a str,
    /// Id of the row it is a part of, in the same window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_of: Option<&'a str>,
    /// By the name of the arm.
    pub arms: BTreeMap<&'a str, Values>,
    /// The arm against the base arm, by its name, where both runs have both.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub contrasts: BTreeMap<&'a str, Contrasts<'a>>,
}

/// An arm against the base arm in both runs.
#[derive(Serialize, JsonSchema)]
pub struct Contrasts<'a> {
    /// Ratio or difference with its interval, before and after, as views write it; where there is none, why.
    pub runs: &'a [String; 2],
    /// `differs`, only where the intervals stand further apart than the row's margin; `undecided`, `no interval`; `not judged`
    /// where a run has no finding of its own for it, or one of the two is simulated.
    pub finding: &'static str,
    /// Whether the arm stands better against the base arm after; `null` where they do not differ.
    pub is_after_better: Option<bool>,
}

/// A figure in both runs.
#[derive(Serialize, JsonSchema)]
pub struct Values {
    /// Before and after; `null` in a run without such an arm.
    pub runs: [Option<Measured>; 2],
    /// `differs`, only where counts differ or intervals do not overlap; `same`, `undecided`, `no interval`,
    /// `not measured`; `not judged` of times, rates and bytes, which two runs do not share a machine's moments for, of too few
    /// samples, and of what was not counted where one of the two is simulated; empty where only one run has the arm.
    pub finding: &'static str,
    /// Whether it is better after; `null` where they do not differ.
    pub is_after_better: Option<bool>,
}

/// An expectation in both runs.
#[derive(Serialize, JsonSchema)]
pub struct Expected<'a> {
    /// Its text.
    pub text: &'a str,
    /// The arm's name; empty where it compares arms.
    pub arm: &'a str,
    /// How it stands in each; `null` in a run that was not asked.
    pub runs: [Option<&'a Check>; 2],
}

/// The document of two runs.
pub fn comparison<'a>(comparison: &'a Comparison<'a>) -> ComparisonDocument<'a> {
    let row = |row: &'a compare::Row| Row {
        id: &row.id,
        claim: &row.claim,
        measure: &row.measure,
        unit: &row.unit,
        window: &row.window,
        part_of: row.part_of.as_deref(),
        arms: comparison
            .arms
            .iter()
            .zip(&row.arms)
            .map(|(arm, pair)| {
                let values =
                    Values { runs: pair.runs, finding: pair.finding, is_after_better: pair.is_after_better };
                (arm.name.as_str(), values)
            })
            .collect(),
        contrasts: row
            .contrasts
            .iter()
            .map(|pair| {
                let (finding, is_after_better) = (pair.finding, pair.is_after_better);
                (pair.arm.as_str(), Contrasts { runs: &pair.runs, finding, is_after_better })
            })
            .collect(),
    };
    ComparisonDocument {
        schema_version: COMPARISON_VERSION,
        runs: comparison.runs.iter().map(|run| document(run, None)).collect(),
        warnings: &comparison.warnings,
        scorecard: comparison.rows.iter().map(row).collect(),
        checks: comparison
            .checks
            .iter()
            .map(|pair| Expected { text: &pair.text, arm: &pair.arm, runs: pair.runs })
            .collect(),
    }
}
