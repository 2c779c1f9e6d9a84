//! The answer first: at most seven lines that can be pasted into a decision record. What the split costs here and what it buys,
//! each with its interval and finding; what this run did not decide; how to decide it.

mod items;
mod network;

use model::Run;
use record::Arm;

use items::{Item, Standing};

use crate::lints;

/// The arms an answer is about.
#[derive(Clone, Copy, Debug)]
struct Pair<'a> {
    base: &'a Arm,
    other: &'a Arm,
}

/// Rows that say what a split costs or buys, by their ids or what these begin with. Which of the two it is, the figures
/// say.
const ROWS: [&str; 13] = [
    "latency_p50",
    "latency_p99",
    "cpu_per_journey",
    "memory",
    "processes",
    "databases",
    "blast_radius",
    "bystander_slower",
    "goodput_",
    "recovery",
    "stale_reads",
    "staleness_p99",
    "lost_writes",
];
/// Items a line has at most: it is to be read.
const MAX_ITEMS: usize = 6;

/// The lines; none for a run of one arm, or without a scorecard.
pub fn answer(run: &Run) -> Vec<String> {
    answer_until(run, u64::MAX)
}

/// The lines by the scorecard as it was known at `t`, ns since the run's start.
pub fn answer_until(run: &Run, t: u64) -> Vec<String> {
    let Some(pair) = pair(run) else { return Vec::new() };
    let scores = run.scores_until(t);
    let items: Vec<Item> = ROWS.iter().flat_map(|id| items::of(&scores, pair, id)).collect();
    if items.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![about(run, pair)];
    for (head, standing) in [
        ("it costs", Standing::Worse),
        ("it buys", Standing::Better),
        ("it changes nothing in", Standing::Same),
        ("not decided by this run", Standing::Open),
    ] {
        lines.extend(line(head, items.iter().filter(|item| item.standing == standing)));
    }
    lines.extend(network::slope(run));
    let is_open = items.iter().any(|item| item.standing == Standing::Open);
    lines.extend(is_open.then(|| how(run)));
    lines
}

/// The arm others stand against, and of those the one that is split most.
fn pair(run: &Run) -> Option<Pair<'_>> {
    let (base, others) = run.header.arms.split_first()?;
    let other = others.iter().rev().max_by_key(|arm| arm.instances.len())?;
    Some(Pair { base, other })
}

/// `micro against mono: first-look, on loopback, side by side`, or `on a network of 300us round trip (declared)`.
fn about(run: &Run, pair: Pair<'_>) -> String {
    let header = &run.header;
    let way = match header.rounds {
        0 | 1 if header.way == "interleaved" => "in turns, once".to_owned(),
        0 | 1 => header.way.clone(),
        rounds => format!("in {rounds} rounds"),
    };
    let Pair { base, other } = pair;
    let is_one =
        lints::is_split(other) && lints::is_one_copy(base) && !header.arms.iter().any(lints::is_copied);
    let copy = if is_one { "one copy of " } else { "" };
    let network = network::between(pair);
    format!("{} against {copy}{}: {}, {network}, {way}", other.name, base.name, header.scenario)
}

fn line<'a>(head: &str, items: impl Iterator<Item = &'a Item>) -> Option<String> {
    let texts: Vec<&str> = items.take(MAX_ITEMS).map(|item| item.text.as_str()).collect();
    (!texts.is_empty()).then(|| format!("{head}: {}", texts.join("; ")))
}

/// More rounds decide what one start of each process cannot.
fn how(run: &Run) -> String {
    let header = &run.header;
    let rounds = if header.rounds < MIN_QUOTABLE_ROUNDS { MIN_QUOTABLE_ROUNDS } else { header.rounds * 2 };
    format!(
        "to decide it: cleave run {} --rounds {rounds}; cleave explain {} prints the rounds that an effect takes",
        header.scenario, header.scenario
    )
}

/// An even number of rounds removes linear drift; six find a tenth of CPU in four runs of five.
const MIN_QUOTABLE_ROUNDS: u32 = 6;
