//! What is chosen, sought, sorted and opened on a tab that lists things; the focus of the one that does not.

use crossterm::event::{KeyCode, KeyModifiers};

use super::Cmd;
use crate::keymap::Action;
use crate::model::{Model, Over};
use crate::tab::Tab;
use crate::view;

/// Longest text sought: longer ones match nothing that fits on a screen.
const LONGEST: usize = 60;

/// Moves the choice, the focus, or a page that is longer than the screen.
pub(super) fn step(model: &mut Model, by: isize) {
    if model.over == Over::Help {
        let last = view::help_rows(model).saturating_sub(1);
        model.help.scroll = model.help.scroll.saturating_add_signed(by).min(last);
        return;
    }
    if model.tab == Tab::Live {
        let panels = view::panels(model);
        let focus = model.live.focus.unwrap_or_default();
        let at = panels.iter().position(|panel| *panel == focus).unwrap_or(0);
        let next = at.saturating_add_signed(by.signum()).min(panels.len().saturating_sub(1));
        model.live.focus = panels.get(next).copied();
        return;
    }
    if model.tab == Tab::Traces && model.traces.shown.is_some() {
        let spans = view::chosen_trace(model).map_or(0, |trace| trace.spans.len());
        model.traces.scroll = model.traces.scroll.saturating_add_signed(by).min(spans.saturating_sub(1));
        return;
    }
    let (count, log) = (view::count(model), model.tab == Tab::Events);
    if let Some(list) = model.list_mut() {
        list.step(by, count, log);
    }
}

pub(super) fn act(model: &mut Model, action: Action) {
    match action {
        Action::Filter => model.over = Over::Typing,
        Action::Open => open(model),
        Action::Close => close(model),
        Action::Sort(right) => {
            let columns = view::sortable(model.tab);
            if let Some(list) = model.list_mut() {
                list.sort_by(right, columns);
            }
        }
        Action::SlowTraces => {
            if let Some(component) = view::chosen_component(model) {
                model.traces = Default::default();
                model.traces.list.filter = component;
                model.tab = Tab::Traces;
            }
        }
        _ => {}
    }
}

fn open(model: &mut Model) {
    match model.tab {
        Tab::Live => model.live.alone = !model.live.alone,
        Tab::Traces => {
            model.traces.shown =
                view::chosen_trace(model).map(|trace| (trace.arm, trace.round, trace.request));
            model.traces.scroll = 0;
        }
        Tab::Events => {
            if let Some(t) = view::chosen_moment(model) {
                model.cursor = Some(t.clamp(super::time::earliest(model), model.run.now));
            }
        }
        Tab::Map | Tab::Score | Tab::Procs => {
            let some = view::count(model) > 0;
            if let Some(list) = model.list_mut() {
                list.open = some;
            }
        }
        Tab::Predict => {}
    }
}

/// One thing at a time: what lies over, what was opened, the filter.
fn close(model: &mut Model) {
    if model.over == Over::Help && !model.help.sought.is_empty() {
        model.help = Default::default();
        return;
    }
    if model.over != Over::Nothing {
        model.over = Over::Nothing;
        return;
    }
    if model.tab == Tab::Live {
        model.live.alone = false;
        return;
    }
    if model.tab == Tab::Traces && model.traces.shown.take().is_some() {
        return;
    }
    if let Some(list) = model.list_mut() {
        match list.open {
            true => list.open = false,
            false => list.filter.clear(),
        }
    }
}

/// A letter of a filter, or of what is sought in the help.
pub(super) fn typed(model: &mut Model, code: KeyCode, modifiers: KeyModifiers) -> Vec<Cmd> {
    if modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
        return Vec::new();
    }
    let typing = model.over == Over::Typing;
    let mut over = model.over;
    let text = match over {
        Over::Typing => model.list_mut().map(|list| &mut list.filter),
        Over::Help => Some(&mut model.help.sought),
        Over::Nothing | Over::Leave => None,
    };
    let Some(text) = text else { return Vec::new() };
    match code {
        // In the help `/` begins a search anew, as elsewhere.
        KeyCode::Char('/') if text.is_empty() => {}
        KeyCode::Char(c) if text.chars().count() < LONGEST => text.push(c),
        KeyCode::Backspace => drop(text.pop()),
        KeyCode::Enter if typing => over = Over::Nothing,
        KeyCode::Esc if typing => {
            text.clear();
            over = Over::Nothing;
        }
        _ => return Vec::new(),
    }
    model.over = over;
    // What was chosen is another row now.
    if let Some(list) = model.list_mut() {
        list.selected = None;
    }
    model.help.scroll = 0;
    vec![Cmd::Draw]
}

/// A click chooses a row; on the chosen one it opens it.
pub(super) fn click(model: &mut Model, row: usize) -> Vec<Cmd> {
    let (count, log) = (view::count(model), model.tab == Tab::Events);
    let Some(list) = model.list_mut() else { return Vec::new() };
    if list.selected == Some(row) || list.at(count, log) == row {
        list.selected = Some(row);
        open(model);
    } else {
        list.selected = Some(row);
    }
    vec![Cmd::Draw]
}
