//! What is chosen, searched for, sorted and opened on a tab that lists things; the focus of the one that does not.

use crossterm::event::{KeyCode, KeyModifiers};

use super::Cmd;
use crate::keymap::Action;
use crate::state::{Overlay, State};
use crate::tab::Tab;
use crate::view;

/// Longest search text, characters: longer ones match nothing that fits on a screen.
const MAX_SEARCH_CHARS: usize = 60;

/// Moves the choice, the focus, or a page that is longer than the screen.
pub(super) fn step(state: &mut State, by: isize) {
    if state.overlay == Overlay::Help {
        let last = view::help_rows(state).saturating_sub(1);
        state.help.scroll = state.help.scroll.saturating_add_signed(by).min(last);
        return;
    }
    if state.tab == Tab::Live {
        let panels = view::panels(state);
        let focus = state.live.focus.unwrap_or_default();
        let at = panels.iter().position(|panel| *panel == focus).unwrap_or(0);
        let next = at.saturating_add_signed(by.signum()).min(panels.len().saturating_sub(1));
        state.live.focus = panels.get(next).copied();
        return;
    }
    if state.tab == Tab::Traces && state.traces.shown.is_some() {
        let spans = view::chosen_trace(state).map_or(0, |trace| trace.spans.len());
        state.traces.scroll = state.traces.scroll.saturating_add_signed(by).min(spans.saturating_sub(1));
        return;
    }
    let (count, log) = (view::count(state), state.tab == Tab::Events);
    if let Some(list) = state.list_mut() {
        list.step(by, count, log);
    }
}

pub(super) fn act(state: &mut State, action: Action) {
    match action {
        Action::Filter => state.overlay = Overlay::Typing,
        Action::Open => open(state),
        Action::Close => close(state),
        Action::Sort(right) => {
            let columns = view::sortable(state.tab);
            if let Some(list) = state.list_mut() {
                list.sort_by(right, columns);
            }
        }
        Action::SlowTraces => {
            if let Some(component) = view::chosen_component(state) {
                state.traces = Default::default();
                state.traces.list.filter = component;
                state.tab = Tab::Traces;
            }
        }
        _ => {}
    }
}

fn open(state: &mut State) {
    match state.tab {
        Tab::Live => state.live.alone = !state.live.alone,
        Tab::Traces => {
            state.traces.shown =
                view::chosen_trace(state).map(|trace| (trace.arm, trace.round, trace.request));
            state.traces.scroll = 0;
        }
        Tab::Events => {
            if let Some(t) = view::chosen_moment(state) {
                state.cursor = Some(t.clamp(super::time::earliest(state), state.run.now));
            }
        }
        Tab::Map | Tab::Score | Tab::Procs => {
            let some = view::count(state) > 0;
            if let Some(list) = state.list_mut() {
                list.open = some;
            }
        }
    }
}

/// One thing at a time: what lies over, what was opened, the filter.
fn close(state: &mut State) {
    if state.overlay == Overlay::Help && !state.help.query.is_empty() {
        state.help = Default::default();
        return;
    }
    if state.overlay != Overlay::Nothing {
        state.overlay = Overlay::Nothing;
        return;
    }
    if state.tab == Tab::Live {
        state.live.alone = false;
        return;
    }
    if state.tab == Tab::Traces && state.traces.shown.take().is_some() {
        return;
    }
    if let Some(list) = state.list_mut() {
        match list.open {
            true => list.open = false,
            false => list.filter.clear(),
        }
    }
}

/// A letter of a filter, or of the search text of the help.
pub(super) fn typed(state: &mut State, code: KeyCode, modifiers: KeyModifiers) -> Vec<Cmd> {
    if modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
        return Vec::new();
    }
    let typing = state.overlay == Overlay::Typing;
    let mut over = state.overlay;
    let text = match over {
        Overlay::Typing => state.list_mut().map(|list| &mut list.filter),
        Overlay::Help => Some(&mut state.help.query),
        Overlay::Nothing | Overlay::Leave => None,
    };
    let Some(text) = text else { return Vec::new() };
    match code {
        // In the help `/` begins a search anew, as elsewhere.
        KeyCode::Char('/') if text.is_empty() => {}
        KeyCode::Char(c) if text.chars().count() < MAX_SEARCH_CHARS => text.push(c),
        KeyCode::Backspace => drop(text.pop()),
        KeyCode::Enter if typing => over = Overlay::Nothing,
        KeyCode::Esc if typing => {
            text.clear();
            over = Overlay::Nothing;
        }
        _ => return Vec::new(),
    }
    state.overlay = over;
    // What was chosen is another row now.
    if let Some(list) = state.list_mut() {
        list.selected = None;
    }
    state.help.scroll = 0;
    vec![Cmd::Draw]
}

/// A click chooses a row; on the chosen one it opens it.
pub(super) fn click(state: &mut State, row: usize) -> Vec<Cmd> {
    let (count, log) = (view::count(state), state.tab == Tab::Events);
    let Some(list) = state.list_mut() else { return Vec::new() };
    if list.selected == Some(row) || list.at(count, log) == row {
        list.selected = Some(row);
        open(state);
    } else {
        list.selected = Some(row);
    }
    vec![Cmd::Draw]
}
