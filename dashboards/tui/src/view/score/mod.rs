//! What the run comes to, every trade-off and every expectation; before they are judged, the figures so far.

pub(super) mod answer;
mod detail;

use model::contrasts::against_base;
use model::format;
use model::limit::value_and_limit;
use ratatui::layout::{Constraint, Layout, Rect};
use record::{Check, ExpectationPlan, Score};
use scorecard::figure::figure;
use scorecard::glossary;

use super::frame::{foot, framed, titled};
use super::page::{Page, Target};
use super::table::{Column, Row, Table, more_columns};
use super::{is_low, live};
use crate::state::State;
use crate::style::{Role, Theme};
use crate::text::{NO_DATA, count as counted, effect_in, value, width};

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

/// Cells of a figure, at least.
const FIGURE_CELLS: usize = 9;
/// And at most: `never (120 s watched)`. What is longer is whole where a row is opened.
const MAX_FIGURE_CELLS: usize = 21;

/// Cells of an effect, at least: `×2.52 [2.41, 2.63]`.
const EFFECT_CELLS: usize = 18;
/// Cells of a name and of a finding, and what they have where figures or effects need more.
const NAME_CELLS: usize = 16;
const FINDING_CELLS: usize = 15;
const TIGHT_NAME_CELLS: usize = 15;
const TIGHT_FINDING_CELLS: usize = 10;
/// Cells of a name beside an effect that would be cut otherwise.
const SHORT_NAME_CELLS: usize = 11;

/// Below, a row's sentence has no room.
const SENTENCES: u16 = 100;

/// Rows of a frame.
const FRAME: u16 = 2;
/// Rows of a table of the tab, with its frame: its head, and a claim with its first rows.
const TABLE: u16 = 8;
/// Rows of the expectations where the answer stands above them, at least.
const MIN_STANDING: u16 = 5;
/// Below, the answer has the tab to itself while it is chosen.
const ALL_PARTS: u16 = 17;

/// A row that can be chosen.
pub(super) enum Item<'a> {
    /// What the run comes to, line by line.
    Answer(Vec<String>),
    /// The scorecard's.
    Score(&'a Score),
    /// Before it is there: a figure of the phase so far.
    SoFar(live::score::Row),
    /// An expectation, with its last standing in one arm.
    Check(&'a ExpectationPlan, Option<&'a Check>),
}

/// The rows of the tab, in the order of its parts.
struct Items<'a> {
    /// One, once there is a scorecard.
    answer: Option<Item<'a>>,
    scores: Vec<Item<'a>>,
    checks: Vec<Item<'a>>,
}

impl<'a> Items<'a> {
    fn all(&self) -> impl Iterator<Item = &Item<'a>> {
        self.answer.iter().chain(&self.scores).chain(&self.checks)
    }
}

/// The answer, trade-offs, then expectations.
fn items(state: &State) -> Items<'_> {
    let lines = answer::lines(state);
    let mut answer = (!lines.is_empty()).then_some(Item::Answer(lines));
    let claims = state.run.scores_by_claim_until(state.at()).into_iter();
    let mut scores: Vec<Item> = claims.flat_map(|(_, rows)| rows).map(Item::Score).collect();
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
        Item::Answer(lines) => state.score.passes(&lines.join(" ")),
        Item::Score(score) => {
            state.score.passes(&format!("{} {} {} {}", score.id, score.claim, score.measure, score.window))
        }
        Item::SoFar(row) => state.score.passes(&row.name()),
        Item::Check(plan, check) => {
            let verdict = check.map_or("pending", |check| check.verdict.word());
            state.score.passes(&format!("{} {verdict}", plan.text))
        }
    };
    answer = answer.filter(passes);
    scores.retain(passes);
    checks.retain(passes);
    Items { answer, scores, checks }
}

pub(super) fn count(state: &State) -> usize {
    items(state).all().count()
}

pub(super) fn draw(state: &State, area: Rect, page: &mut Page) {
    let items = items(state);
    let chosen = state.score.at(items.all().count(), false);
    if state.score.open
        && let Some(item) = items.all().nth(chosen)
    {
        return detail::draw(state, item, area, page);
    }
    let Items { answer, scores, checks } = &items;
    let lines = match answer {
        Some(Item::Answer(lines)) => lines.as_slice(),
        _ => &[],
    };
    let before = usize::from(answer.is_some());
    let is_answer_chosen = chosen < before;
    if is_low(area) {
        // One part has to do: the one with the chosen row.
        if is_answer_chosen {
            answer::draw(state, lines, true, area, page);
        } else if chosen < before + scores.len() || checks.is_empty() {
            card(state, scores, before, chosen, area, page);
        } else {
            standing(state, checks, before + scores.len(), chosen, area, page);
        }
        return;
    }
    if is_answer_chosen && area.height < ALL_PARTS {
        return framed_answer(state, lines, true, area, page);
    }
    let is_answer_shown = answer.is_some() && area.height >= ALL_PARTS;
    let most = if is_answer_shown { (area.height / 4).max(MIN_STANDING) } else { area.height * 2 / 5 };
    let below = if checks.is_empty() { 0 } else { (checks.len() as u16 + 3).min(most) };
    let above = if is_answer_shown {
        let least = lines.len() as u16 + FRAME;
        let room = area.height.saturating_sub(below + TABLE).max(least);
        (answer::rows(lines, area.width.saturating_sub(FRAME)) + FRAME).min(room)
    } else {
        0
    };
    let parts = [Constraint::Length(above), Constraint::Fill(1), Constraint::Length(below)];
    let [top, upper, lower]: [Rect; 3] = Layout::vertical(parts).areas(area);
    if is_answer_shown {
        framed_answer(state, lines, is_answer_chosen, top, page);
    }
    let judged = scores.iter().any(|item| matches!(item, Item::Score(_)));
    let title = if judged { "scorecard" } else { "this phase so far; the scorecard is judged at the end" };
    let inner = framed(&state.theme, titled(&state.theme, title), upper, page);
    let missing = card(state, scores, before, chosen, inner, page);
    let other = state.shown().map_or('B', |(_, other)| other);
    let legend = if judged {
        format!("{other}: {}", state.theme.either("▲ better ▼ worse", "^ better v worse"))
    } else {
        live::score::legend(&state.theme, other)
    };
    let more = if missing > 0 {
        format!("  {}: Enter shows all of a row", more_columns(missing))
    } else {
        String::new()
    };
    foot(&state.theme, &format!("{legend}{more}"), Role::Dim, upper, page);
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
        standing(state, checks, before + scores.len(), chosen, inner, page);
    }
}

/// The answer in a frame of its own; a click on it chooses it.
fn framed_answer(state: &State, lines: &[String], is_chosen: bool, area: Rect, page: &mut Page) {
    let inner = framed(&state.theme, titled(&state.theme, "answer"), area, page);
    page.answers(area, Target::Row(0));
    if answer::draw(state, lines, is_chosen, inner, page) {
        foot(&state.theme, "Enter shows all of it", Role::Dim, area, page);
    }
}

/// The trade-offs, with so many rows of the tab before them; returns how many columns found no room.
fn card(state: &State, items: &[Item], before: usize, chosen: usize, area: Rect, page: &mut Page) -> usize {
    let Some((first, other)) = state.shown() else { return 0 };
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
            Item::Score(score) => score_cells(state, score, [first, other], area.width < SENTENCES),
            Item::SoFar(row) => so_far_cells(&state.theme, row),
            Item::Answer(_) | Item::Check(..) => continue,
        };
        if first == other {
            cells.drain(2..4);
        }
        rows.push(Row::Cells(cells));
    }
    let head = |letter: char| LETTERS.find(letter).map_or("?", |at| &LETTERS[at..=at]);
    // A word such as `never (30 s watched)` needs more than a number does.
    let [of_first, of_other] = [1, 2].map(|column| widest(&rows, column).max(FIGURE_CELLS));
    let figures = if first == other { of_first } else { of_first.max(of_other) };
    let room = usize::from(area.width);
    let effect = if first == other { 0 } else { effect_cells(&rows, room, of_first + of_other) };
    // On a narrow screen such a word, or an interval in percent, leaves room for a finding, if not for all of its words.
    let whole = 2 + NAME_CELLS + 1 + of_first + 1 + of_other + 1 + effect + 1 + FINDING_CELLS;
    let is_tight =
        area.width < SENTENCES && (figures > FIGURE_CELLS || (effect > EFFECT_CELLS && whole > room));
    let tight = 2 + 1 + of_first + 1 + of_other + 1 + effect + 1 + TIGHT_FINDING_CELLS;
    let shortest = if effect > EFFECT_CELLS { SHORT_NAME_CELLS } else { TIGHT_NAME_CELLS };
    let tight_name = room.saturating_sub(tight).clamp(shortest, TIGHT_NAME_CELLS);
    let (name, finding) =
        if is_tight { (tight_name, TIGHT_FINDING_CELLS) } else { (NAME_CELLS, FINDING_CELLS) };
    let mut columns = vec![Column::rest("measure", name), Column::values(head(first), of_first, 0)];
    if first != other {
        columns.push(Column::values(head(other), of_other, 0));
        columns.push(Column::words("ratio, difference", effect, 1));
        for row in &mut rows {
            if let Row::Cells(cells) = row {
                let (text, _) = &mut cells[3];
                *text = effect_in(text, effect).to_owned();
            }
        }
    }
    columns.extend([
        Column::values("n", 6, 4),
        Column::words("finding", finding, 2),
        Column::words("window", 9, 5),
    ]);
    Table { columns: &columns, rows: &rows, chosen, sort: None, before }.draw(&state.theme, area, page)
}

/// Cells of the effects of two arms in so much room, beside figures that take so much: what the longest needs, if a finding
/// fits behind it, or else in the place of the findings.
fn effect_cells(rows: &[Row], room: usize, figures: usize) -> usize {
    let room = room.saturating_sub(2 + SHORT_NAME_CELLS + 1 + figures + 2);
    let with_finding = room.saturating_sub(1 + TIGHT_FINDING_CELLS);
    let most = if with_finding < EFFECT_CELLS { room } else { with_finding };
    widest(rows, 3).clamp(EFFECT_CELLS, most.max(EFFECT_CELLS))
}

/// Cells of a column's longest text.
fn widest(rows: &[Row], column: usize) -> usize {
    let texts = rows.iter().filter_map(|row| match row {
        Row::Cells(cells) => cells.get(column),
        Row::Text(..) => None,
    });
    texts.map(|(text, _)| width(text)).max().unwrap_or(0)
}

/// What a row is called where its sentence would be cut: its term, and the rest of its id.
fn short(score: &Score) -> String {
    let Some(term) = glossary::term_of(&score.id) else { return score.measure.clone() };
    match score.id[term.id.len()..].trim_start_matches(['_', '-']) {
        "" => term.name.to_owned(),
        rest => format!("{} {rest}", term.name),
    }
}

/// The figures of two arms, and what the second has against the first, which is the base arm.
fn score_cells(state: &State, score: &Score, arms: [char; 2], narrow: bool) -> Vec<(String, Role)> {
    let theme = &state.theme;
    let measured = |arm: char| score.arms.get(&arm).copied().unwrap_or_default();
    let shown = |arm: char| {
        let of = measured(arm);
        let in_words = Some(figure(&state.run, score, arm)).filter(|text| width(text) <= MAX_FIGURE_CELLS);
        let text = in_words.unwrap_or_else(|| format::measured(&of, &score.unit));
        (text, if of.value.is_some() { Role::Text } else { Role::Dim })
    };
    let [first, other] = arms;
    let against = against_base(score, other);
    let (sign, role) = match against.is_better {
        Some(true) => (theme.either("▲ ", "^ "), Role::Good),
        Some(false) => (theme.either("▼ ", "v "), Role::Error),
        None => ("", Role::Dim),
    };
    let ratio = against.effect;
    let ratio = if theme.ascii { ratio.replace('×', "x") } else { ratio };
    // Arms that are not compared have a reason all the same.
    let finding = if against.finding.is_empty() { &score.finding } else { &against.finding };
    let n = [first, other].map(|arm| measured(arm).n).into_iter().min().unwrap_or(0);
    let indent = if score.part_of.is_some() { "    " } else { "  " };
    vec![
        (format!("{indent}{}", if narrow { short(score) } else { score.measure.clone() }), Role::Text),
        shown(first),
        shown(other),
        (ratio, role),
        (counted(Some(n as f64)), Role::Dim),
        (format!("{sign}{finding}"), role),
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
        Item::Answer(_) | Item::Score(_) | Item::SoFar(_) => Vec::new(),
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
