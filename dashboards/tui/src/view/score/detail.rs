//! One row whole: what it is, how it comes about, every arm with samples and interval.

use model::format;
use model::limit::value_and_limit;
use ratatui::layout::Rect;
use record::{Better, Check, Contrast, ExpectationPlan, Score};
use scorecard::figure::figure;
use scorecard::glossary;

use super::super::frame::{framed, titled};
use super::super::live;
use super::super::page::Page;
use super::super::put;
use super::{Item, answer, verdict};
use crate::state::State;
use crate::style::Role;
use crate::text::{count, value, wrap};

/// Lines of words, each with its meaning.
type Lines = Vec<(String, Role)>;

pub(super) fn draw(state: &State, item: &Item, area: Rect, page: &mut Page) {
    let theme = &state.theme;
    let (title, lines) = match item {
        Item::Answer(lines) => ("answer".to_owned(), answer::whole(lines)),
        Item::Score(score) => (score.id.clone(), score_lines(state, score)),
        Item::SoFar(row) => (row.term.to_owned(), so_far(state, row)),
        Item::Check(plan, check) => {
            (format!("expectation, line {}", plan.line), check_lines(state, plan, *check))
        }
    };
    let inner = framed(theme, titled(theme, &title), area, page);
    let room = usize::from(inner.width.saturating_sub(2)).min(110);
    let rows = lines.into_iter().flat_map(|(text, role)| {
        let lines = if text.is_empty() { vec![String::new()] } else { wrap(&text, room) };
        lines.into_iter().map(move |line| (line, role))
    });
    for ((text, role), y) in rows.zip(inner.top()..inner.bottom()) {
        let text = if theme.ascii { text.replace('×', "x") } else { text };
        put(page, inner.x + 1, y, &text, theme.style(role));
    }
}

const fn good(better: Better) -> &'static str {
    match better {
        Better::Higher => "more is better",
        Better::Lower => "less is better",
        Better::Neither => "neither is better; it explains others",
    }
}

/// The glossary's definition of an id, and which way is good.
fn definition(id: &str, better: Better) -> Lines {
    let meaning = glossary::term_of(id).map_or_else(
        || format!("the glossary has no term for `{id}`"),
        |term| format!("{}: {}", term.name, term.meaning),
    );
    vec![(meaning, Role::Text), (good(better).to_owned(), Role::Dim), (String::new(), Role::Text)]
}

fn score_lines(state: &State, score: &Score) -> Lines {
    let window =
        if score.window == "whole" { "the whole run".to_owned() } else { format!("phase {}", score.window) };
    let mut lines = vec![
        (format!("{}, over {window}", score.measure), Role::Strong),
        (format!("tests the claim: {}", score.claim), Role::Dim),
    ];
    lines.extend(definition(&score.id, score.better));
    for (letter, of) in &score.arms {
        let name = state.run.arm(*letter).map_or("", |arm| arm.name.as_str());
        let text = format!(
            "{letter} {name}: {}  n {}  {}",
            figure(&state.run, score, *letter),
            count(Some(of.n as f64)),
            format::interval_words(of, &score.unit)
        );
        lines.push((text, if of.value.is_some() { Role::Text } else { Role::Dim }));
    }
    lines.push((String::new(), Role::Text));
    lines.extend(score.contrasts.iter().map(|(letter, contrast)| contrast_line(score, *letter, contrast)));
    if !score.finding.is_empty() {
        let role = match model::outcome::is_b_better(score) {
            Some(true) => Role::Good,
            Some(false) => Role::Error,
            None => Role::Text,
        };
        lines.push((format!("finding: {}", score.finding), role));
    }
    if let Some(context) = &score.context {
        lines.push((format!("beside it: {context}"), Role::Dim));
    }
    lines.extend(score.notes.iter().map(|note| (note.clone(), Role::Dim)));
    lines
}

/// `B against A ×1.04 [0.98, 1.11], undecided, could have seen 8.2%`.
fn contrast_line(score: &Score, letter: char, contrast: &Contrast) -> (String, Role) {
    let mut parts = vec![format::contrast(contrast, &score.unit)];
    parts.extend(contrast.finding.map(|finding| finding.word().to_owned()));
    parts.extend(contrast.note.map(|note| note.sentence().to_owned()));
    parts.extend(contrast.differs_alone.then(|| "alone it would differ".to_owned()));
    let seen = format::could_see(contrast, &score.unit);
    parts.extend((!seen.is_empty()).then(|| format!("could have seen {seen}")));
    parts.retain(|part| !part.is_empty());
    (format!("{letter} against {}: {}", base_of(score), parts.join(", ")), Role::Text)
}

/// The arm all others stand against.
fn base_of(score: &Score) -> char {
    score.arms.keys().next().copied().unwrap_or('A')
}

fn so_far(state: &State, row: &live::score::Row) -> Lines {
    let mut lines = vec![(format!("{}, this phase so far", row.name()), Role::Strong)];
    lines.extend(definition(row.term, row.better));
    let Some((first, other)) = state.shown() else { return lines };
    let arms = [(first, row.a), (other, row.b)];
    for (letter, figure) in arms.iter().take(if first == other { 1 } else { 2 }) {
        let few = if figure.is_believable { "" } else { "  too few samples" };
        lines.push((format!("{letter}: {}{few}", (row.show)(figure.value)), Role::Text));
    }
    lines.push(("Samples and intervals come with the scorecard, when the run has ended.".into(), Role::Dim));
    lines
}

fn check_lines(state: &State, plan: &ExpectationPlan, check: Option<&Check>) -> Lines {
    let mut lines = vec![(plan.text.clone(), Role::Strong)];
    if !plan.why.is_empty() {
        lines.push((format!("because {}", plan.why), Role::Text));
    }
    let list = if plan.list == "valid" {
        "if it does not hold the run is invalid"
    } else {
        "if it does not hold the run fails"
    };
    lines.extend([(list.to_owned(), Role::Dim), (String::new(), Role::Text)]);
    let Some(check) = check else {
        lines.push(("not judged yet".into(), Role::Dim));
        return lines;
    };
    let arm = if check.arm == '-' { "between arms".to_owned() } else { format!("arm {}", check.arm) };
    let (found, limit) = value_and_limit(check);
    lines.push((
        format!(
            "{arm}: {found} against {limit}, margin {}, n {}",
            value(check.margin, &check.unit),
            count(Some(check.n as f64))
        ),
        Role::Text,
    ));
    lines.push(verdict(&state.theme, check));
    if !check.reason.is_empty() {
        lines.push((check.reason.clone(), Role::Text));
    }
    let since = state.run.violated_since(check);
    if !since.is_empty() {
        lines.push((since, Role::Error));
    }
    if let Some(term) = glossary::term_of("margin") {
        lines.extend([(String::new(), Role::Text), (format!("margin: {}", term.meaning), Role::Dim)]);
    }
    lines
}
