//! A request span by span: the critical path, waiting and injected delay in characters of their own, and where the time
//! went.

use model::format;
use model::traces::{self, TimeShare};
use ratatui::layout::Rect;
use ratatui::text::Span as Piece;
use record::{Class, Split, Trace};

use super::super::frame::line;
use super::super::page::Page;
use super::super::put;
use super::length;
use crate::list::first_shown;
use crate::style::{Role, Theme};
use crate::text::{cut, left, right, width};

/// A request on a time axis.
pub(super) struct Waterfall<'a> {
    pub trace: &'a Trace,
    /// What the axis is long, ns: of two requests side by side the longer one.
    pub longest: u64,
    /// Where the time of all of its kind went, if that is known.
    pub split: Option<&'a Split>,
    /// Spans scrolled past.
    pub scroll: usize,
}

/// How a stretch of a class on the critical path is drawn.
const fn stroke(class: Class) -> (&'static str, &'static str, Role) {
    match class {
        Class::Queue | Class::Unanswered => ("░", ":", Role::Warn),
        Class::Injected => ("▒", "%", Role::Fault),
        Class::Network | Class::Work | Class::Database | Class::Client => ("▓", "#", Role::Text),
    }
}

/// Off the critical path: it took time, and nothing waited for it.
const OFF: (&str, &str, Role) = ("─", "-", Role::Dim);

/// Cells of a length.
const LENGTH: usize = 8;
/// Places named in the line that sums up.
const MAX_PLACES: usize = 4;

impl Waterfall<'_> {
    pub(super) fn draw(&self, theme: &Theme, area: Rect, page: &mut Page) {
        if area.is_empty() {
            return;
        }
        // What the time went on is worth more than the last spans: two to four rows, the legend last of all.
        let sums = self.sums(theme, area.width.into());
        let below = sums.len().min(usize::from(area.height) / 2) as u16;
        let rows = area.height - below;
        let spans = (self.trace.spans.len() as u16).min(rows);
        self.spans(theme, Rect { height: spans, ..area }, page);
        // Where there is room to spare every place has a row of its own.
        self.places(theme, Rect { y: area.y + spans, height: rows - spans, ..area }, page);
        for ((text, role), y) in sums.into_iter().zip(area.y + rows..area.bottom()) {
            put(page, area.x, y, &cut(&text, area.width.into(), theme.ascii), theme.style(role));
        }
    }

    fn spans(&self, theme: &Theme, area: Rect, page: &mut Page) {
        let spans = &self.trace.spans;
        let depths = self.depths();
        let room = usize::from(area.height);
        let first = first_shown(self.scroll + room / 2, spans.len(), room);
        let wide = usize::from(area.width);
        let name_cells = (wide * 2 / 5).clamp(10, 40).min(wide);
        let bar_cells = wide.saturating_sub(name_cells + LENGTH + 3);
        for ((index, span), y) in spans.iter().enumerate().skip(first).zip(area.top()..area.bottom()) {
            let at = if span.at.is_empty() { String::new() } else { format!(" @{}", span.at) };
            let name = format!("{}{} {}{at}", " ".repeat(depths[index].min(12)), span.of, span.name);
            let role = if span.error.is_empty() { Role::Text } else { Role::Error };
            let sign = if span.error.is_empty() { " " } else { theme.either("✗", "x") };
            let mut pieces = vec![Piece::styled(
                format!("{sign}{} ", left(&name, name_cells, theme.ascii)),
                theme.style(role),
            )];
            pieces.extend(self.bar(theme, index as u32, bar_cells));
            pieces.push(Piece::styled(right(&length(span.length), LENGTH + 1), theme.style(Role::Dim)));
            line(pieces, area.x, y, area.width, page);
        }
        let hidden = spans.len().saturating_sub(first + room);
        if hidden > 0 && room > 1 {
            let text = format!(" {}{hidden} ", theme.either("↓", "v"));
            put(
                page,
                area.right().saturating_sub(width(&text) as u16),
                area.bottom() - 1,
                &text,
                theme.style(Role::Strong),
            );
        }
    }

    /// How deep each span lies below the root.
    fn depths(&self) -> Vec<usize> {
        let mut depths: Vec<usize> = Vec::with_capacity(self.trace.spans.len());
        for span in &self.trace.spans {
            // Parents come before children; one that does not hangs from the root.
            let above = span.parent.and_then(|parent| depths.get(parent as usize));
            depths.push(above.map_or(usize::from(span.parent.is_some()), |above| above + 1));
        }
        depths
    }

    /// A span's extent, and over it its stretches of the critical path.
    fn bar(&self, theme: &Theme, index: u32, cells: usize) -> Vec<Piece<'static>> {
        let Some(span) = self.trace.spans.get(index as usize) else { return Vec::new() };
        let longest = u128::from(self.longest.max(1));
        let cell =
            |ns: u64| ((u128::from(ns) * cells as u128 / longest) as usize).min(cells.saturating_sub(1));
        let mut bar: Vec<Option<(&str, &str, Role)>> = vec![None; cells];
        let mut draw = |start: u64, length: u64, with| {
            // Whatever took time is drawn, if only in one cell; what took none is not.
            if length == 0 {
                return;
            }
            for place in bar.iter_mut().take(cell(start + length.saturating_sub(1)) + 1).skip(cell(start)) {
                *place = Some(with);
            }
        };
        draw(span.start, span.length, OFF);
        for segment in self.trace.path.iter().filter(|segment| segment.span == index) {
            draw(segment.start, segment.length, stroke(span.class));
        }
        let piece = |place: Option<(&'static str, &'static str, Role)>| match place {
            Some((unicode, ascii, role)) => Piece::styled(theme.either(unicode, ascii), theme.style(role)),
            None => Piece::raw(" "),
        };
        bar.into_iter().map(piece).collect()
    }

    /// Where the time went, the most first: place, part, time, share; and the same of all of its kind, if that is known.
    fn places(&self, theme: &Theme, area: Rect, page: &mut Page) {
        if area.height < 4 || area.width < 50 || self.trace.length() == 0 {
            return;
        }
        let places = traces::time_by_place(self.trace).into_iter().filter(|part| part.ns > 0.0);
        let of_all = |place: &str, class: Class| {
            let part = self.split?.parts.iter().find(|part| part.place == place && part.class == class)?;
            Some(length(part.mean as u64))
        };
        // Beside it a blank, two lengths, a share and a gap: what is wider runs over the frame.
        let name = usize::from(area.width).saturating_sub(2 * (LENGTH + 1) + 9).min(44);
        let heads = format!(
            " {}{}{}  {}",
            left("where the time went", name, theme.ascii),
            right("this", LENGTH + 1),
            right("share", 7),
            if self.split.is_some() { right("all", LENGTH) } else { String::new() },
        );
        put(page, area.x, area.y + 1, &heads, theme.style(Role::Dim));
        for (part, y) in places.zip(area.y + 2..area.bottom()) {
            let TimeShare { place, class, ns, share } = part;
            let text = format!(
                " {}{}{}  {}",
                left(&format!("{place}, {}", class.words()), name, theme.ascii),
                right(&length(ns as u64), LENGTH + 1),
                right(&format::whole_percent(share), 7),
                right(&of_all(place, class).unwrap_or_default(), LENGTH),
            );
            put(page, area.x, y, &text, theme.style(stroke(class).2));
        }
    }

    /// Time by part and by place, of this request and of all of its kind; then what the characters mean.
    fn sums(&self, theme: &Theme, room: usize) -> Vec<(String, Role)> {
        let of_class =
            |part: TimeShare<'_>| format!("{} {}", part.class.words(), format::whole_percent(part.share));
        let of_place = |part: TimeShare<'_>| format!("{} {}", part.place, of_class(part));
        let parts = traces::time_by_class(self.trace).into_iter().map(of_class);
        let mut sums = vec![(joined(" time by part: ", parts, room), Role::Text)];
        let places = traces::time_by_place(self.trace).into_iter().take(MAX_PLACES).map(of_place);
        sums.push((joined(" by place: ", places, room), Role::Text));
        if let Some(split) = self.split.filter(|split| split.mean > 0.0) {
            let parts = traces::time_of_kind(split).take(MAX_PLACES).map(of_place);
            let lead = format!(" all {} alike, mean {}: ", split.n, length(split.mean as u64));
            sums.push((joined(&lead, parts, room), Role::Text));
        }
        let (orphans, clipped) = (self.trace.orphans, self.trace.clipped);
        let orphans = (orphans > 0).then(|| format!("{orphans} spans without their parent"));
        let clipped = (clipped > 0)
            .then(|| format!("{} ran on after its caller gave up (not counted)", length(clipped)));
        if orphans.is_some() || clipped.is_some() {
            sums.push((joined(" ", orphans.into_iter().chain(clipped), room), Role::Warn));
        }
        let of = |(unicode, ascii, _): (&'static str, &'static str, Role)| theme.either(unicode, ascii);
        let legend = [
            (of(stroke(Class::Work)), "critical path"),
            (of(stroke(Class::Queue)), "waiting"),
            (of(stroke(Class::Injected)), "injected"),
            (of(OFF), "beside it"),
        ];
        let legend = legend.into_iter().map(|(sign, words)| format!("{sign} {words}"));
        sums.push((joined(" ", legend, room), Role::Dim));
        sums
    }
}

/// Parts behind each other, whole ones only: half a part misleads.
fn joined(lead: &str, parts: impl Iterator<Item = String>, room: usize) -> String {
    let mut text = lead.to_owned();
    for (i, part) in parts.enumerate() {
        let gap = if i == 0 { "" } else { "  " };
        if i > 0 && width(&text) + width(&part) + 2 > room {
            break;
        }
        text.push_str(gap);
        text.push_str(&part);
    }
    text
}
