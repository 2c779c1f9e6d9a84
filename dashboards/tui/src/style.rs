//! Roles and how they look: meaning first, colour second, and never colour alone.

use model::incidents::Symptom;
use ratatui::style::{Color, Modifier, Style};

/// What a piece of the screen means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// Ordinary text.
    Text,
    /// Names and the figures that matter most.
    Strong,
    /// Too few samples, still open, or in the background.
    Dim,
    /// Borders and axes.
    Frame,
    /// The median's line.
    Median,
    /// The p99's line.
    Tail,
    /// The p99.9's line.
    FarTail,
    /// Better, up, holding.
    Good,
    /// Degraded or doubtful.
    Warn,
    /// Worse, down, failing.
    Error,
    /// An injected fault.
    Fault,
    /// An expectation's limit.
    Limit,
}

impl Role {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::Text,
        Self::Strong,
        Self::Dim,
        Self::Frame,
        Self::Median,
        Self::Tail,
        Self::FarTail,
        Self::Good,
        Self::Warn,
        Self::Error,
        Self::Fault,
        Self::Limit,
    ];

    /// Of something that is wrong.
    pub(crate) const fn of(symptom: &Symptom) -> Self {
        if symptom.kind.is_error() { Self::Error } else { Self::Warn }
    }

    /// A letter for it: how tests write styles down.
    pub const fn letter(self) -> char {
        match self {
            Self::Text => 't',
            Self::Strong => 's',
            Self::Dim => 'd',
            Self::Frame => '-',
            Self::Median => 'm',
            Self::Tail => 'p',
            Self::FarTail => 'q',
            Self::Good => 'g',
            Self::Warn => 'w',
            Self::Error => 'e',
            Self::Fault => 'f',
            Self::Limit => 'l',
        }
    }
}

/// Colours for a terminal's background. ANSI-16 only: the terminal's own
/// palette decides what they look like, and text keeps the terminal's colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorScheme {
    /// Bright colours on a dark background.
    #[default]
    Dark,
    /// Dark colours on a light background.
    Light,
    /// Weight and lines only.
    Mono,
}

/// A style for every role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette([Style; Role::ALL.len()]);

impl Palette {
    /// The theme's styles; without colour the same as [`ColorScheme::Mono`].
    pub fn new(theme: ColorScheme, no_color: bool) -> Self {
        let theme = if no_color { ColorScheme::Mono } else { theme };
        Self(Role::ALL.map(|role| match theme {
            ColorScheme::Mono => weight(role),
            ColorScheme::Dark => {
                weight(role).patch(color(role).map_or(Style::new(), |color| Style::new().fg(color)))
            }
            ColorScheme::Light => {
                weight(role).patch(color(role).map_or(Style::new(), |c| Style::new().fg(darker(c))))
            }
        }))
    }

    /// Every role its own number as colour, so that a buffer shows which role a cell has.
    pub fn numbered() -> Self {
        Self(Role::ALL.map(|role| Style::new().fg(Color::Indexed(role as u8))))
    }

    /// The style of a role.
    pub const fn style(&self, role: Role) -> Style {
        self.0[role as usize]
    }
}

fn weight(role: Role) -> Style {
    match role {
        Role::Strong | Role::Error | Role::Fault => Style::new().add_modifier(Modifier::BOLD),
        Role::Dim | Role::Frame => Style::new().add_modifier(Modifier::DIM),
        _ => Style::new(),
    }
}

/// Blue, orange and purple lines, and blue against orange for good and bad, stay
/// apart for colour-blind eyes (Okabe and Ito, "Color Universal Design", 2008).
const fn color(role: Role) -> Option<Color> {
    match role {
        Role::Text | Role::Strong | Role::Dim | Role::Frame => None,
        Role::Median => Some(Color::LightCyan),
        Role::Tail => Some(Color::LightYellow),
        Role::FarTail => Some(Color::LightMagenta),
        Role::Good => Some(Color::LightCyan),
        Role::Warn => Some(Color::LightYellow),
        Role::Error => Some(Color::LightRed),
        Role::Fault => Some(Color::LightMagenta),
        Role::Limit => Some(Color::LightRed),
    }
}

const fn darker(color: Color) -> Color {
    match color {
        Color::LightCyan => Color::Blue,
        Color::LightYellow => Color::Yellow,
        Color::LightMagenta => Color::Magenta,
        Color::LightRed => Color::Red,
        other => other,
    }
}

/// How everything is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Styles by role.
    pub palette: Palette,
    /// Only ASCII.
    pub ascii: bool,
}

impl Default for Theme {
    fn default() -> Self {
        Self { palette: Palette::new(ColorScheme::Dark, false), ascii: false }
    }
}

impl Theme {
    /// The style of a role.
    pub const fn style(&self, role: Role) -> Style {
        self.palette.style(role)
    }

    /// One of two ways to write something.
    pub const fn either(&self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.ascii { ascii } else { unicode }
    }
}
