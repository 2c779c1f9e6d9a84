//! The answer first: at most six lines that can be pasted into a decision record. What the split costs here and what it buys,
//! each with its interval and finding; what this run did not decide; how to decide it.

mod items;

use model::Run;
use record::Arm;

use items::Item;

/// The arms an answer is about.
#[derive(Clone, Copy, Debug)]
struct Pair<'a> {
    base: &'a Arm,
    other: &'a Arm,
}

/// Rows that say what splitting costs, by the first letters of their ids.
const COSTS: [&str; 6] =
    ["latency_p50", "latency_p99", "cpu_per_journey", "memory", "processes", "databases"];
/// Rows that say what it buys.
const GAINS: [&str; 3] = ["blast_radius", "goodput_", "recovery"];
/// Rows that say what is paid in consistency.
const CONSISTENCY: [&str; 3] = ["stale_reads", "staleness_p99", "lost_writes"];
/// Items a line has at most: it is to be read.
const MAX_ITEMS: usize = 6;

/// The lines; none for a run of one arm, or without a scorecard.
pub fn answer(run: &Run) -> Vec<String> {
    let Some(pair) = pair(run) else { return Vec::new() };
    let of = |ids: &[&str]| -> Vec<Item> { ids.iter().flat_map(|id| items::of(run, pair, id)).collect() };
    let (costs, gains, paid) = (of(&COSTS), of(&GAINS), of(&CONSISTENCY));
    if costs.is_empty() && gains.is_empty() && paid.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![about(run, pair)];
    for (head, items) in [("it costs", &costs), ("it buys", &gains), ("consistency", &paid)] {
        lines.extend(line(head, items));
    }
    let open: Vec<&Item> = costs.iter().chain(&gains).chain(&paid).filter(|item| !item.is_decided).collect();
    lines.extend(undecided(&open));
    lines.extend((!open.is_empty()).then(|| how(run)));
    lines
}

/// The arm others stand against, and of those the one that is split most.
fn pair(run: &Run) -> Option<Pair<'_>> {
    let (base, others) = run.header.arms.split_first()?;
    let other = others.iter().rev().max_by_key(|arm| arm.instances.len())?;
    Some(Pair { base, other })
}

/// `micro against mono: 80/s of first-look, on loopback, side by side`.
fn about(run: &Run, pair: Pair<'_>) -> String {
    let header = &run.header;
    let way = match header.rounds {
        0 | 1 if header.way == "interleaved" => "in turns, once".to_owned(),
        0 | 1 => header.way.replace('-', " "),
        rounds => format!("in {rounds} rounds"),
    };
    let Pair { base, other } = pair;
    format!("{} against {}: {}, on loopback, {way}", other.name, base.name, header.scenario)
}

/// What is decided, or is what was seen of one event.
fn line(head: &str, items: &[Item]) -> Option<String> {
    let decided: Vec<&str> =
        items.iter().filter(|item| item.is_decided).take(MAX_ITEMS).map(|item| item.text.as_str()).collect();
    (!decided.is_empty()).then(|| format!("{head}: {}", decided.join("; ")))
}

fn undecided(open: &[&Item]) -> Option<String> {
    let names: Vec<&str> = open.iter().map(|item| item.text.as_str()).collect();
    (!names.is_empty()).then(|| format!("not decided by this run: {}", names.join("; ")))
}

/// More rounds decide what one start of each process cannot.
fn how(run: &Run) -> String {
    let header = &run.header;
    let rounds = if header.rounds < MIN_QUOTABLE_ROUNDS { MIN_QUOTABLE_ROUNDS } else { header.rounds * 2 };
    format!(
        "to decide it: cleave run {} --rounds {rounds}; cleave explain {} prints the effect that many rounds find",
        header.scenario, header.scenario
    )
}

/// An even number of rounds removes linear drift; six find a tenth of CPU in four runs of five.
const MIN_QUOTABLE_ROUNDS: u32 = 6;
