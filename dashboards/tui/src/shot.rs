//! The screen as files: text, text with colours, and a picture of it.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::Run;
use model::source::Source;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier, Style};

use crate::state::State;
use crate::style::{Palette, Role, Theme};
use crate::text::load_clock;
use crate::update::read_back;
use crate::{Options, view};

/// Cells of the picture, in its own units: most monospaced fonts are about three fifths as wide as high.
const CELL: (u32, u32) = (9, 18);
/// Where a line of text stands in its cell.
const BASELINE: u32 = 14;

/// Writes the screen into `folder`, named by tab and moment; returns the three paths.
///
/// # Errors
/// When a file cannot be written.
pub fn write(state: &State, folder: &Path) -> io::Result<[PathBuf; 3]> {
    let moment = load_clock(state.at(), state.run.load_start(), 1).replace(':', "m");
    let name = format!("screen-{}-{moment}s", state.tab.name().to_lowercase());
    let buffer = view::screen(state);
    let roles = State { theme: Theme { palette: Palette::numbered(), ..state.theme }, ..state.clone() };
    let files = [
        ("txt", view::text(&buffer, buffer.area)),
        ("ansi", ansi(&buffer)),
        ("svg", svg(&view::screen(&roles))),
    ];
    let paths = files.each_ref().map(|(ending, _)| folder.join(format!("{name}.{ending}")));
    for ((_, text), path) in files.iter().zip(&paths) {
        std::fs::write(path, text)?;
    }
    Ok(paths)
}

/// The screen of a run at `second` of its load, 120 columns by 40 rows, as the key would write it.
///
/// # Errors
/// When the options name no folder, or a file cannot be written.
pub fn of_run(options: &Options, run: Run, source: &mut dyn Source, second: f64) -> io::Result<[PathBuf; 3]> {
    let folder = options.folder.as_deref().ok_or_else(|| io::Error::other("no folder to write to"))?;
    let theme = Theme { palette: Palette::new(options.theme, options.no_color), ascii: options.ascii };
    let mut state = State { theme, run, guest: options.guest, size: (120, 40), ..State::default() };
    let into = Duration::try_from_secs_f64(second).map_err(io::Error::other)?;
    let ns = u64::try_from(into.as_nanos()).unwrap_or(u64::MAX);
    state.cursor = Some(state.run.load_start().saturating_add(ns).min(state.run.now));
    read_back(&mut state, source);
    write(&state, folder)
}

/// The buffer with colours and weights as a terminal shows them: Select Graphic Rendition (ECMA-48, 8.3.117).
pub fn ansi(buffer: &Buffer) -> String {
    let mut text = String::new();
    let columns = usize::from(buffer.area.width).max(1);
    for row in buffer.content.chunks(columns) {
        let mut last = Style::reset();
        let end = row.iter().rposition(|cell| !is_blank(cell)).map_or(0, |at| at + 1);
        for (_, cell, _) in view::visible(&row[..end]) {
            let style = cell.style();
            if style != last {
                let _ = write!(text, "\x1b[0{}m", codes(cell));
                last = style;
            }
            text.push_str(cell.symbol());
        }
        text.push_str("\x1b[0m\n");
    }
    text
}

fn is_blank(cell: &Cell) -> bool {
    cell.symbol() == " " && !cell.modifier.contains(Modifier::REVERSED)
}

/// A cell's weights and its foreground: backgrounds are the terminal's own.
fn codes(cell: &Cell) -> String {
    let mut codes = String::new();
    for (modifier, code) in [(Modifier::BOLD, 1), (Modifier::DIM, 2), (Modifier::REVERSED, 7)] {
        if cell.modifier.contains(modifier) {
            let _ = write!(codes, ";{code}");
        }
    }
    let code = match cell.fg {
        Color::Red => 31,
        Color::Yellow => 33,
        Color::Blue => 34,
        Color::Magenta => 35,
        Color::LightRed => 91,
        Color::LightYellow => 93,
        Color::LightMagenta => 95,
        Color::LightCyan => 96,
        _ => return codes,
    };
    let _ = write!(codes, ";{code}");
    codes
}

/// A picture of a buffer whose cells have roles for colours ([`Palette::numbered`]): one file, no font of its own, dark
/// on light and light on dark as the browser prefers.
pub fn svg(buffer: &Buffer) -> String {
    let (columns, rows) = (u32::from(buffer.area.width), u32::from(buffer.area.height));
    let (wide, high) = (columns * CELL.0, rows * CELL.1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {high}\" width=\"{wide}\" height=\"{high}\" \
         role=\"img\" font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"15\">\n\
         <title>cleave dashboard</title>\n<style>{}</style>\n<rect class=\"page\" width=\"{wide}\" height=\"{high}\"/>\n",
        css()
    );
    for (y, row) in buffer.content.chunks(columns.max(1) as usize).enumerate() {
        let top = y as u32 * CELL.1;
        for (x, length, role, reversed, text) in runs(row) {
            let (left, span) = (x * CELL.0, length * CELL.0);
            if reversed {
                let _ = writeln!(
                    svg,
                    "<rect class=\"rt\" x=\"{left}\" y=\"{top}\" width=\"{span}\" height=\"{}\"/>",
                    CELL.1
                );
            }
            if text.trim().is_empty() {
                continue;
            }
            // Given its length, a run keeps to the grid whatever font there is.
            let _ = writeln!(
                svg,
                "<text class=\"{}{}\" x=\"{left}\" y=\"{}\" textLength=\"{span}\" lengthAdjust=\"spacingAndGlyphs\" \
                 xml:space=\"preserve\">{}</text>",
                if reversed { "v" } else { "r" },
                if reversed { String::new() } else { role.letter_name() },
                top + BASELINE,
                escaped(&text)
            );
        }
    }
    svg + "</svg>\n"
}

/// Neighbours of one role, blanks at both ends left out unless they are marked: column, cells, role, whether marked.
fn runs(row: &[Cell]) -> Vec<(u32, u32, Role, bool, String)> {
    let role = |cell: &Cell| match cell.fg {
        Color::Indexed(role) => Role::ALL.get(usize::from(role)).copied().unwrap_or(Role::Text),
        _ => Role::Text,
    };
    let mut runs: Vec<(u32, u32, Role, bool, String)> = Vec::new();
    for (x, cell, cells) in view::visible(row) {
        let reversed = cell.modifier.contains(Modifier::REVERSED);
        let alike = (role(cell), reversed);
        match runs.last_mut() {
            Some((at, length, of, marked, text))
                if (*of, *marked) == alike && *at + *length == x && cell.symbol() != " " =>
            {
                text.push_str(cell.symbol());
                *length += cells;
            }
            // A blank within a marked row is marked too.
            Some((at, length, of, marked, text))
                if reversed && (*of, *marked) == alike && *at + *length == x =>
            {
                text.push_str(cell.symbol());
                *length += cells;
            }
            _ if cell.symbol() != " " || reversed => {
                runs.push((x, cells, alike.0, alike.1, cell.symbol().to_owned()));
            }
            _ => {}
        }
    }
    runs
}

/// What XML does not take as text, and what it takes for markup.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A class a role, twice: for a dark page, and for a light one.
fn css() -> String {
    let mut css = String::from(".page{fill:#16181d}.v{fill:#16181d}");
    let mut light = String::from(".page{fill:#fff}.v{fill:#fff}");
    for role in Role::ALL {
        let (on_dark, on_light) = fills(role);
        let weight =
            if matches!(role, Role::Strong | Role::Error | Role::Fault) { ";font-weight:bold" } else { "" };
        let _ = write!(css, ".r{}{{fill:{on_dark}{weight}}}", role.letter_name());
        let _ = write!(light, ".r{}{{fill:{on_light}}}", role.letter_name());
    }
    css + "@media (prefers-color-scheme: light){" + &light + "}"
}

/// A role on a dark and on a light page: the hues of the terminal's themes, each at least 4.5 to 1 against its page
/// (WCAG 2.2, 1.4.3).
const fn fills(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Text => ("#d7dae0", "#24292f"),
        Role::Strong => ("#ffffff", "#000000"),
        Role::Dim | Role::Frame => ("#8b93a1", "#6a7079"),
        Role::Median | Role::Good => ("#56b4e9", "#0b5c91"),
        Role::Tail | Role::Warn => ("#e6a532", "#8a5300"),
        Role::FarTail | Role::Fault => ("#d59bc0", "#8c3a70"),
        Role::Error | Role::Limit => ("#ff8a65", "#b03000"),
    }
}

impl Role {
    /// The letter as the name of a class.
    fn letter_name(self) -> String {
        match self.letter() {
            '-' => "x".to_owned(),
            letter => letter.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    fn buffer() -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 20, 2));
        let palette = Palette::numbered();
        buffer.set_string(1, 0, "a<b & c", palette.style(Role::Error));
        buffer.set_string(2, 1, "p99", palette.style(Role::Tail));
        buffer.set_style(Rect::new(0, 1, 20, 1), Modifier::REVERSED);
        buffer
    }

    #[test]
    fn a_picture_escapes_text_and_keeps_to_the_grid() {
        let svg = svg(&buffer());
        assert!(svg.contains(">a&lt;b</text>") && svg.contains(">&amp;</text>"), "{svg}");
        assert!(svg.contains("x=\"9\" y=\"14\" textLength=\"27\""), "three cells from the second on:\n{svg}");
        let tags = |tag: &str| svg.matches(tag).count();
        assert_eq!((tags("<text"), tags("<style>")), (tags("</text>"), tags("</style>")));
        assert!(!svg.contains("http") || svg.matches("http").count() == 1, "nothing is fetched");
    }

    #[test]
    fn every_role_can_be_read_on_both_pages() {
        let channel = |hex: &str, at: usize| {
            let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("a colour")) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        // Relative luminance and contrast, WCAG 2.2.
        let light =
            |hex: &str| 0.2126 * channel(hex, 1) + 0.7152 * channel(hex, 3) + 0.0722 * channel(hex, 5);
        let contrast = |a: f64, b: f64| (a.max(b) + 0.05) / (a.min(b) + 0.05);
        for role in Role::ALL {
            let (on_dark, on_light) = fills(role);
            assert!(contrast(light(on_dark), light("#16181d")) >= 4.5, "{role:?} on dark");
            assert!(contrast(light(on_light), light("#ffffff")) >= 4.5, "{role:?} on light");
        }
    }

    #[test]
    fn colours_are_given_back_at_the_end_of_each_line() {
        let mut buffer = buffer();
        buffer
            .set_style(Rect::new(1, 0, 7, 1), Style::new().fg(Color::LightRed).add_modifier(Modifier::BOLD));
        let ansi = ansi(&buffer);
        assert!(ansi.contains("\x1b[0;1;91ma<b & c\x1b[0m\n"), "{ansi:?}");
        assert!(ansi.lines().all(|line| line.ends_with("\x1b[0m")), "{ansi:?}");
    }
}
