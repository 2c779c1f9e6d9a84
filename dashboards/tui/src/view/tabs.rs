//! The second row: the tabs, and beside them what makes figures doubtful.

use ratatui::layout::Rect;
use ratatui::text::Span as Piece;

use super::frame;
use super::page::{Page, Target};
use super::{header, put};
use crate::keymap::Action;
use crate::state::State;
use crate::style::Role;
use crate::tab::Tab;
use crate::text::width;

/// Draws the tabs whole, with short names, or as numbers: whichever fits, never cut.
pub(super) fn draw(state: &State, area: Rect, page: &mut Page) {
    if area.is_empty() {
        return;
    }
    let theme = &state.theme;
    type Name = fn(Tab, bool) -> &'static str;
    let whole: Name = |tab, _| tab.name();
    let mixed: Name = |tab, active| if active { tab.name() } else { tab.short() };
    let short: Name = |tab, _| tab.short();
    let bare: Name = |_, _| "";
    let written = |name: Name| {
        let label = |tab: Tab| match (tab == state.tab, name(tab, tab == state.tab)) {
            (true, "") => format!("[{}]", tab.number()),
            (false, "") => format!("{}", tab.number()),
            (true, text) => format!("[{} {text}]", tab.number()),
            (false, text) => format!("{} {text}", tab.number()),
        };
        Tab::ALL.map(label)
    };
    let ways = [(whole, 2), (whole, 1), (mixed, 1), (short, 1), (bare, 1)];
    let room = usize::from(area.width).saturating_sub(1);
    let fits = |(name, gap): &(Name, usize)| {
        written(*name).iter().map(|label| width(label)).sum::<usize>() + gap * (Tab::ALL.len() - 1) <= room
    };
    // Two blanks between tabs only where what stands beside them has room as well.
    let roomy = area.width >= super::WIDE.0;
    let way = ways.iter().skip(usize::from(!roomy)).find(|way| fits(way)).unwrap_or(&ways[4]);
    let mut x = area.x + 1;
    for (tab, label) in Tab::ALL.into_iter().zip(written(way.0)) {
        let cells = width(&label) as u16;
        let role = if tab == state.tab { Role::Strong } else { Role::Text };
        put(page, x, area.y, &label, theme.style(role));
        page.answers(
            Rect { x, y: area.y, width: cells, height: 1 }.intersection(area),
            Target::Act(Action::Show(tab)),
        );
        x = x.saturating_add(cells + way.1 as u16);
    }
    // Whole groups only: half a figure misleads. What fits stands on the right.
    let left = usize::from(area.right().saturating_sub(x.saturating_sub(way.1 as u16)));
    let mut pieces: Vec<Piece<'static>> = Vec::new();
    let mut used = 1;
    for group in header::caveats(state, area.width) {
        let cells = 2 + group.iter().map(|piece| width(&piece.content)).sum::<usize>();
        if used + cells > left {
            break;
        }
        used += cells;
        pieces.push(Piece::raw("  "));
        pieces.extend(group);
    }
    let used = used as u16;
    frame::line(pieces, area.right().saturating_sub(used), area.y, used, page);
}
