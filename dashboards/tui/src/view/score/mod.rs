//! Every trade-off and every expectation; before they are judged, the figures so far.

mod detail;

use model::format;
use model::limit::value_and_limit;
use ratatui::layout::{Constraint, Layout, Rect};
use record::{Check, ExpectationPlan, Score};
use scorecard::glossary;

use super::frame::{foot, framed, titled};
use super::page::Page;
use super::table::{Column, Row, Table, more_columns};
use super::{is_low, live};
use crate::state::State;
use crate::style::{Role, Theme};
use crate::text::{NO_DATA, count as counted, value};

/// Heads of the two arms' columns: a letter is a piece of this.
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Columns of the expectations.
pub(super) const CHECKS: &[Column] = &[
    Column::rest("expectation", 24),
    Column::words("arm", 3, 0),
    Column::values("value", 9, 0),
    Column::values("limit", 9, 1),
    Column::figure("margin", 8, 2),
    Column::words("verdict", 14, 0),
];

/// Below, a row's sentence has no room.
const SENTENCES: u16 = 100;

/// A row that can be chosen.
pub(super) enum Item<'a> {
    /// The scorecard's.
    Score(&'a Score),
    /// Before it is there: a figure of the phase so far.
    SoFar(live::score::Row),
    /// An expectation, with its last standing in one arm.
    Check(&'a ExpectationPlan, Option<&'a Check>),
}

/// The rows: trade-offs, then expectations.
fn items(state: &State) -> (Vec<Item<'_>>, Vec<Item<'_>>) {
    let mut known: Vec<&Score> = state.run.scores_until(state.at());
    // A claim's rows stand together, claims in the order they come up.
    let mut claims: Vec<&str> = Vec::new();
    for score in &known {
        if !claims.contains(&score.claim.as_str()) {
            claims.push(&score.claim);
        }
    }
    known.sort_by_key(|score| claims.iter().position(|claim| *claim == score.claim));
    let mut scores: Vec<Item> = known.into_iter().map(Item::Score).collect();
    if scores.is_empty() {
        scores = live::score::rows(state).into_iter().map(Item::SoFar).collect();
    }
    let mut checks = Vec::new();
    for (plan, standing) in state.run.checks_until(state.at()) {
        if standing.is_empty() {
            checks.push(Item::Check(plan, None));
        }
        checks.extend(standing.into_iter().map(|check| Item::Check(plan, Some(check))));
    }
    let passes = |item: &Item| match item {
        Item::Score(score) => {
            state.score.passes(&format!("{} {} {} {}", score.id, score.claim, score.measure, score.window))
        }
        Item::SoFar(row) => state.score.passes(&row.name()),
        Item::Check(plan, check) => {
            let verdict = check.map_or("pending", |check| check.verdict.word());
            state.score.passes(&format!("{} {verdict}", plan.text))
        }
    };
    scores.retain(passes);
    checks.retain(passes);
    (scores, checks)
}

pub(super) fn count(state: &State) -> usize {
    let (scores, checks) = items(state);
    scores.len() + checks.len()
}

pub(super) fn draw(state: &State, area: Rect, page: &mut Page) {
    let (scores, checks) = items(state);
    let chosen = state.score.at(scores.len() + checks.len(), false);
    if state.score.open
        && let Some(item) = scores.iter().chain(&checks).nth(chosen)
    {
        return detail::draw(state, item, area, page);
    }
    if is_low(area) {
        // One table has to do: the one with the chosen row.
        match chosen < scores.len() || checks.is_empty() {
            true => card(state, &scores, chosen, area, page),
            false => standing(state, &checks, scores.len(), chosen, area, page),
        };
        return;
    }
    let below = if checks.is_empty() { 0 } else { (checks.len() as u16 + 3).min(area.height * 2 / 5) };
    let [upper, lower]: [Rect; 2] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(below)]).areas(area);
    let judged = scores.iter().any(|item| matches!(item, Item::Score(_)));
    let title = if judged { "scorecard" } else { "this phase so far; the scorecard is judged at the end" };
    let inner = framed(&state.theme, titled(&state.theme, title), upper, page);
    let missing = card(state, &scores, chosen, inner, page);
    let legend = state.theme.either("▲ better ▼ worse", "^ better v worse");
    let other = state.shown().map_or('B', |(_, other)| other);
    let more = if missing > 0 {
        format!("  {}: Enter shows all of a row", more_columns(missing))
    } else {
        String::new()
    };
    foot(&state.theme, &format!("{other}: {legend}{more}"), Role::Dim, upper, page);
    if !checks.is_empty() {
        let verdicts = || {
            checks.iter().filter_map(|item| match item {
                Item::Check(_, Some(check)) => Some(check.verdict),
                _ => None,
            })
        };
        let title = match verdicts().count() {
            0 => "expectations: none is judged yet".to_owned(),
            judged => {
                let held = verdicts().filter(|verdict| *verdict == record::Verdict::Pass).count();
                format!("expectations: {held} of {judged} checks hold")
            }
        };
        let inner = framed(&state.theme, titled(&state.theme, &title), lower, page);
        standing(state, &checks, scores.len(), chosen, inner, page);
    }
}

/// The trade-offs; returns how many columns found no room.
fn card(state: &State, items: &[Item], chosen: usize, area: Rect, page: &mut Page) -> usize {
    let Some((first, other)) = state.shown() else { return 0 };
    let head = |letter: char| LETTERS.find(letter).map_or("?", |at| &LETTERS[at..=at]);
    let mut columns = vec![Column::rest("measure", 16), Column::values(head(first), 9, 0)];
    if first != other {
        columns.push(Column::values(head(other), 9, 0));
        columns.push(Column::words("ratio [95 %]", 18, 1));
    }
    columns.extend([
        Column::values("n", 6, 4),
        Column::words("finding", 15, 2),
        Column::words("window", 9, 5),
    ]);
    let mut rows = Vec::new();
    let mut claim = "";
    for item in items {
        if let Item::Score(score) = item
            && score.claim != claim
        {
            claim = &score.claim;
            rows.push(Row::Text(format!(" {claim}"), Role::Strong));
        }
        let mut cells = match item {
            Item::Score(score) => score_cells(&state.theme, score, first, other, area.width < SENTENCES),
            Item::SoFar(row) => so_far_cells(&state.theme, row),
            Item::Check(..) => continue,
        };
        if first == other {
            cells.drain(2..4);
        }
        rows.push(Row::Cells(cells));
    }
    Table { columns: &columns, rows: &rows, chosen, sort: None, before: 0 }.draw(&state.theme, area, page)
}

/// What a row is called where its sentence would be cut: its term, and the rest of its id.
fn short(score: &Score) -> String {
    let Some(term) = glossary::term_of(&score.id) else { return score.measure.clone() };
    match score.id[term.id.len()..].trim_start_matches(['_', '-']) {
        "" => term.name.to_owned(),
        rest => format!("{} {rest}", term.name),
    }
}

fn score_cells(theme: &Theme, score: &Score, first: char, other: char, narrow: bool) -> Vec<(String, Role)> {
    let measured = |arm: char| score.arms.get(&arm).copied().unwrap_or_default();
    let shown = |arm: char| {
        let of = measured(arm);
        (format::measured(&of, &score.unit), if of.value.is_some() { Role::Text } else { Role::Dim })
    };
    let (sign, role) = match model::outcome::is_b_better(score) {
        Some(true) => (theme.either("▲ ", "^ "), Role::Good),
        Some(false) => (theme.either("▼ ", "v "), Role::Error),
        None => ("", Role::Dim),
    };
    let ratio = format::effect(score);
    let ratio = if theme.ascii { ratio.replace('×', "x") } else { ratio };
    let n = [first, other].map(|arm| measured(arm).n).into_iter().min().unwrap_or(0);
    vec![
        (format!("  {}", if narrow { short(score) } else { score.measure.clone() }), Role::Text),
        shown(first),
        shown(other),
        (ratio, role),
        (counted(Some(n as f64)), Role::Dim),
        (format!("{sign}{}", score.finding), role),
        (score.window.clone(), Role::Dim),
    ]
}

fn so_far_cells(theme: &Theme, row: &live::score::Row) -> Vec<(String, Role)> {
    let shown = |figure: model::so_far::Figure| {
        let sure = figure.value.is_some() && figure.is_believable;
        ((row.show)(figure.value), if sure { Role::Text } else { Role::Dim })
    };
    let (text, sign, role) = live::score::comparison(theme, row);
    vec![
        (format!("  {}", row.name()), Role::Text),
        shown(row.a),
        shown(row.b),
        (format!("{text} {sign}"), role),
        (String::new(), Role::Dim),
        ("not judged yet".into(), Role::Dim),
        ("so far".into(), Role::Dim),
    ]
}

/// The expectations.
fn standing(
    state: &State,
    items: &[Item],
    before: usize,
    chosen: usize,
    area: Rect,
    page: &mut Page,
) -> usize {
    let cells = |item: &Item| match item {
        Item::Check(plan, None) => vec![
            (plan.text.clone(), Role::Text),
            ("-".into(), Role::Dim),
            (NO_DATA.into(), Role::Dim),
            (NO_DATA.into(), Role::Dim),
            (NO_DATA.into(), Role::Dim),
            ("not judged yet".into(), Role::Dim),
        ],
        Item::Check(_, Some(check)) => {
            let (found, limit) = value_and_limit(check);
            vec![
                (check.text.clone(), Role::Text),
                (check.arm.to_string(), Role::Text),
                (found, Role::Text),
                (limit, Role::Text),
                (value(check.margin, &check.unit), Role::Text),
                verdict(&state.theme, check),
            ]
        }
        Item::Score(_) | Item::SoFar(_) => Vec::new(),
    };
    let rows: Vec<Row> = items.iter().map(|item| Row::Cells(cells(item))).collect();
    Table { columns: CHECKS, rows: &rows, chosen, sort: None, before }.draw(&state.theme, area, page)
}

/// A verdict with its sign.
fn verdict(theme: &Theme, check: &Check) -> (String, Role) {
    use record::Verdict::{Fail, Inconclusive, Invalid, Pass};
    let role = match check.verdict {
        Pass => Role::Good,
        Fail => Role::Error,
        Inconclusive | Invalid => Role::Warn,
    };
    let sign = match (theme.ascii, check.verdict) {
        (true, Pass) => '+',
        (true, Fail) => 'x',
        (_, verdict) => verdict.sign(),
    };
    (format!("{sign} {}", check.verdict.word()), role)
}
