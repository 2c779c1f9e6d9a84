//! The screen before the record begins: what is done of the run's start, part by part.

use model::startup::{StartupTask, TaskState};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::put;
use crate::state::State;
use crate::style::{Role, Theme};
use crate::text::{cut, left, width};

/// Cells of the longest name of a task that is not cut.
const LONGEST_NAME: usize = 24;

pub(super) fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let startup = &state.startup;
    let mut put_line = |y: u16, text: &str, role| {
        if y < area.height {
            let text = cut(text, area.width.into(), theme.ascii);
            put(buffer, area.x, area.y + y, &text, theme.style(role));
        }
    };
    if startup.scenario.is_empty() {
        return put_line(0, " cleave: waiting for the run to begin", Role::Text);
    }
    put_line(0, &format!(" {}  seed {}  starts", startup.scenario, startup.seed), Role::Strong);
    let names = startup.tasks.iter().map(|task| width(&task.name)).max().unwrap_or(0).min(LONGEST_NAME);
    // A short screen shows the first that are not done.
    let room = usize::from(area.height.saturating_sub(2)).max(1);
    let done = startup.tasks.iter().take_while(|task| task.state == TaskState::Done).count();
    let first = done.min(startup.tasks.len().saturating_sub(room));
    let mut y = if area.height > 3 { 2 } else { 1 };
    for task in startup.tasks.iter().skip(first) {
        let (text, role) = line(theme, task, names);
        put_line(y, &text, role);
        y += 1;
    }
    put_line(y + 1, " q leaves the dashboard or ends the run", Role::Dim);
}

/// ` ✓ A mono     serves with 1 process, 52.0ms`.
fn line(theme: &Theme, task: &StartupTask, names: usize) -> (String, Role) {
    let (sign, role) = match task.state {
        TaskState::Waiting => (theme.either("·", "."), Role::Dim),
        TaskState::Active => (theme.either("◐", "~"), Role::Warn),
        TaskState::Done => (theme.either("✓", "+"), Role::Good),
    };
    (format!(" {sign} {}  {}", left(&task.name, names, theme.ascii), task.text), role)
}
