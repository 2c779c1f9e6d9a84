//! The answer first: what the split costs here and what it buys, each with its interval and finding; what this run did not
//! decide; how to decide it. As lines that can be pasted into a decision record ([`answer`]), or [`in_short`].
//!
//! - `items`: a row in a few words. `lines`: items as lines, in full or as many as there is room for. `trifle`: differences that
//!   are not worth a word. `network`: for which network it holds. `rounds`: how to decide what is open.

mod items;
mod lines;
mod network;
mod rounds;
mod trifle;

use model::Run;
use model::sweep::SweepRow;
use record::{Arm, Score};

use items::{Item, SplitOutcome};
use lines::{Line, Section};
pub(crate) use rounds::more_rounds;

use crate::lints;

/// The arms an answer is about.
#[derive(Clone, Copy, Debug)]
struct Pair<'a> {
    base: &'a Arm,
    other: &'a Arm,
}

/// Rows that say what a split costs or buys, the weightiest first, by their ids or what these begin with. Which of the two
/// it is, the figures say.
const ROWS: [&str; 14] = [
    "capacity",
    "recovery",
    "blast_radius",
    "latency_p50",
    "latency_p99",
    "cpu_per_journey",
    "goodput_",
    "memory",
    "lost_writes",
    "stale_reads",
    "staleness_p99",
    "bystander_slower",
    "processes",
    "databases",
];
/// Arms of a sweep that are named, at most.
const MAX_NAMED: usize = 8;

/// The lines, at most six of two arms and one more for each further arm; none for a run of one arm, or without a
/// scorecard.
pub fn answer(run: &Run) -> Vec<String> {
    answer_until(run, u64::MAX)
}

/// The lines by the scorecard as it was known at `t`, ns since the run's start.
pub fn answer_until(run: &Run, t: u64) -> Vec<String> {
    let scores = run.scores_until(t);
    let (lines, is_open) = lines_of(run, &scores);
    let Some(about) = about(run).filter(|_| !lines.is_empty()) else { return Vec::new() };
    let Subject { who, circumstances } = about;
    let crossings = network::crossings(run).map_or_else(String::new, |crossings| format!("; {crossings}"));
    let first = format!("{who}: {}, {circumstances}{crossings}", run.header.scenario);
    let lines = lines.iter().map(Line::in_full);
    let how = is_open.then(|| rounds::how(run));
    std::iter::once(first).chain(lines).chain(how).collect()
}

/// What the run compares, and under which circumstances: `micro against one copy of mono, on loopback, side by side`. Of
/// several arms the lines of the answer have the names.
pub fn subject(run: &Run) -> Option<String> {
    let Subject { who, circumstances } = about(run)?;
    let base = run.base().filter(|_| run.others().len() > 1 && !run.is_sweep());
    let who = base.map_or(who, |base| format!("each arm against {}", base.name));
    Some(format!("{who}, {circumstances}"))
}

/// The answer without its subject, in at most so many rows of text; `rows` counts those of a line. What weighs least
/// leaves first, and stands in the scorecard.
pub fn in_short(run: &Run, most: usize, rows: &dyn Fn(&str) -> usize) -> Vec<String> {
    let scores = run.scores();
    let (lines, is_open) = lines_of(run, &scores);
    let how = is_open.then(|| more_rounds(run));
    lines::fitted(lines, how.as_deref(), most, rows)
}

/// All there is to say, and whether something of it is open.
fn lines_of(run: &Run, scores: &[&Score]) -> (Vec<Line>, bool) {
    let Some(base) = run.base().filter(|_| !scores.is_empty()) else { return (Vec::new(), false) };
    let others: Vec<&Arm> = if run.is_sweep() { most_split(run).into_iter().collect() } else { run.others() };
    let of = |other: &Arm| -> Vec<Item> {
        let pair = Pair { base, other };
        let of_row = |(rank, id): (usize, &&str)| {
            items::of(run, scores, pair, id).into_iter().map(move |item| Item { rank, ..item })
        };
        ROWS.iter().enumerate().flat_map(of_row).collect()
    };
    let mut lines: Vec<Line> = front(run).into_iter().chain(network::slope(run)).collect();
    let mut open = Section::new("not decided by this run", "undecided", Vec::new());
    let is_one = others.len() == 1;
    for other in others {
        let (undecided, decided): (Vec<Item>, Vec<Item>) =
            of(other).into_iter().partition(|item| item.outcome == SplitOutcome::Open);
        let section = |full: &str, short: &str, outcome: SplitOutcome| {
            let items = decided.iter().filter(|item| item.outcome == outcome).cloned();
            Section::new(full, short, items.collect())
        };
        let sections = [
            section("it costs", "costs", SplitOutcome::Worse),
            section("it buys", "buys", SplitOutcome::Better),
            section("it changes nothing in", "same", SplitOutcome::Same),
        ];
        let mut sections: Vec<Section> = sections.into_iter().filter(|section| !section.is_empty()).collect();
        sections.sort_by_key(|section| !section.is_asked());
        if is_one {
            lines.extend(sections.into_iter().map(|section| Line::of("", vec![section])));
            open.extend(undecided);
        } else {
            lines.extend(Line::of_arm(other, sections));
            open.extend(undecided.into_iter().map(|item| item.of_arm(other.letter)));
        }
    }
    let is_open = !open.is_empty();
    lines.extend(is_open.then(|| Line::of("", vec![open])));
    (lines, is_open)
}

/// Who stands against whom, and under which circumstances.
struct Subject {
    who: String,
    circumstances: String,
}

fn about(run: &Run) -> Option<Subject> {
    let header = &run.header;
    let base = run.base()?;
    let others: Vec<&Arm> = if run.is_sweep() { most_split(run).into_iter().collect() } else { run.others() };
    let other = *others.first()?;
    let way = match header.rounds {
        0 | 1 if header.way == "interleaved" => "in turns, once".to_owned(),
        0 | 1 => header.way.clone(),
        rounds => format!("in {rounds} rounds"),
    };
    let is_one = others.len() == 1
        && lints::is_split(other)
        && lints::is_one_copy(base)
        && !header.arms.iter().any(lints::is_copied);
    let copy = if is_one { "one copy of " } else { "" };
    let names: Vec<&str> = others.iter().map(|other| other.name.as_str()).collect();
    Some(Subject {
        who: format!("{} against {copy}{}", listed(&names), base.name),
        circumstances: format!("{}, {way}", network::between(&others)),
    })
}

/// `a, b and c`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

/// Of the other arms the one that is split most.
fn most_split(run: &Run) -> Option<&Arm> {
    run.others().into_iter().rev().max_by_key(|arm| arm.processes())
}

/// Of many arms those worth having.
fn front(run: &Run) -> Option<Line> {
    if !run.is_sweep() {
        return None;
    }
    let rows = run.sweep_rows();
    let best: Vec<&SweepRow<'_>> = rows.iter().filter(|row| row.is_on_front()).collect();
    let names: Vec<&str> = best.iter().take(MAX_NAMED).map(|row| row.arm.name.as_str()).collect();
    let more = best.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let all = run.header.arms.len();
    let text = format!(
        "{} of {all} arms, no other being better in everything: {}{more}",
        best.len(),
        names.join("; ")
    );
    let text = format!("worth having: {text}");
    (!best.is_empty()).then(|| Line::fixed(text.clone(), text))
}
