//! How the dashboard looks: its options, and how they are read.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args, ValueEnum};

/// How the dashboard looks, in every command that shows it.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Screen {
    /// Use ASCII characters only.
    #[arg(long, env = "CLEAVE_ASCII", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub ascii: bool,
    /// Colours that suit the terminal's background; NO_COLOR in the environment means mono.
    #[arg(long, value_enum, default_value_t, env = "CLEAVE_THEME")]
    pub theme: Theme,
    /// Leave the mouse to the terminal, so that text can be selected with it.
    #[arg(long, env = "CLEAVE_NO_MOUSE", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub no_mouse: bool,
}

/// The terminal's background.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Theme {
    /// Bright colours on dark.
    #[default]
    Dark,
    /// Dark colours on light.
    Light,
    /// Bold and dim only, no colours.
    Mono,
}

impl Screen {
    /// The options of the dashboard.
    pub fn options(self, guest: bool, folder: PathBuf) -> tui::Options {
        let theme = match self.theme {
            Theme::Dark => tui::ColorScheme::Dark,
            Theme::Light => tui::ColorScheme::Light,
            Theme::Mono => tui::ColorScheme::Mono,
        };
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let (ascii, no_mouse) = (self.ascii, self.no_mouse);
        tui::Options {
            ascii,
            theme,
            no_color,
            no_mouse,
            guest,
            closes: false,
            pace: None,
            folder: Some(folder),
        }
    }
}
