//! The screen while the dashboard has the terminal: keys and lines in, frames out.
//!
//! - [`terminal`]: the terminal taken, written to, given back whatever happens.
//! - [`signals`]: stop and wake. [`meter`]: what the dashboard takes.

mod meter;
mod signals;
mod terminal;

use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{self, Event, KeyEventKind, MouseButton, MouseEventKind};
use crossterm::execute;
use model::Run;
use model::source::{Progress, Source};
use ratatui::Terminal;
use ratatui::backend::{Backend, CrosstermBackend};

use self::meter::{Meter, Throttle};
use self::signals::Signals;
use self::terminal::{BEGIN, END, Guard, Ink, is_taken, write_out};
pub use self::terminal::{enter, leave, restore};
use crate::state::State;
use crate::style::{Palette, Theme};
use crate::update::{Cmd, Msg, advance, read_back, update};
use crate::view::view;
use crate::{Options, Request, shot};

/// Between two draws: ten a second at most; more would show nothing new.
const FRAME: Duration = Duration::from_millis(100);
/// After one key the next is waited for so long: those that came together are taken together, and a wait of
/// nothing would take none.
const DRAIN: Duration = Duration::from_millis(1);
/// How the screen was left.
#[derive(Clone, Debug, Default)]
pub struct Exit {
    /// The run goes on and is still to be shown, in another way: the user detached, or a signal took the screen.
    pub detached: bool,
    /// The run as far as it was shown.
    pub run: Run,
}

/// Shows the run on the terminal until the user leaves; a run that closes its screen, or whose source ends before the run
/// does, until then.
/// `request` carries out what the user requests and answers with a status line, if any.
/// Needs a thread of its own; standard input and output must be a terminal.
///
/// # Errors
/// When the terminal cannot be taken, read or written.
pub fn run(
    options: Options,
    source: &mut dyn Source,
    request: &mut dyn FnMut(Request) -> Option<String>,
) -> io::Result<Exit> {
    let signals = Signals::listen()?;
    let _guard = Guard::take(!options.no_mouse)?;
    let ink = Ink::default();
    let mut terminal = Terminal::new(CrosstermBackend::new(ink.clone()))?;
    terminal.clear()?;
    let theme = Theme { palette: Palette::new(options.theme, options.no_color), ascii: options.ascii };
    let size = terminal.size()?;
    let state = State {
        run: Run::default().live(),
        theme,
        guest: options.guest,
        pace: options.pace,
        size: (size.width, size.height),
        ..State::default()
    };
    let meter = Meter::since(runtime::clock::now());
    let mut screen =
        Screen { options, request, terminal, ink, state, dirty: true, signals, meter, detached: false };
    screen.show(source)?;
    Ok(Exit { detached: screen.detached, run: screen.state.run })
}

/// Without a type of the program's, so that it is compiled here, and once.
struct Screen<'a> {
    options: Options,
    request: &'a mut dyn FnMut(Request) -> Option<String>,
    terminal: Terminal<CrosstermBackend<Ink>>,
    ink: Ink,
    state: State,
    dirty: bool,
    signals: Signals,
    meter: Meter,
    detached: bool,
}

impl Screen<'_> {
    fn show(&mut self, source: &mut dyn Source) -> io::Result<()> {
        let mut drawn: Option<Instant> = None;
        let mut wheel = Throttle::default();
        // A signal or a panic elsewhere gives the terminal back: then nothing more is drawn on it.
        while is_taken() {
            let (progress, mut commands) = advance(&mut self.state, source);
            let closes = progress == Progress::Ended && !self.state.stays(self.options.closes);
            // Waits for a key, no longer than the next frame may come, then takes every key there is before drawing once.
            // With nothing to draw that is a whole frame's length: an idle screen wakes ten times a second.
            self.dirty |= commands.contains(&Cmd::Draw);
            let since = drawn.map(|drawn| runtime::clock::now().saturating_duration_since(drawn));
            let mut patience = patience(self.dirty, since, closes);
            while event::poll(patience)? {
                patience = DRAIN;
                if let Some(msg) = message_of(event::read()?, &mut wheel) {
                    commands.extend(update(&mut self.state, msg));
                }
            }
            commands.extend(read_back(&mut self.state, source));
            if self.signals.stop.swap(false, Ordering::SeqCst) {
                commands.push(Cmd::Suspend);
            }
            for command in commands {
                if self.carry_out(command)? {
                    return Ok(());
                }
            }
            if self.signals.woken.swap(false, Ordering::SeqCst) {
                self.come_back()?;
            }
            if closes {
                return Ok(());
            }
            let now = runtime::clock::now();
            if let Some(overhead) = self.meter.last_second(now) {
                update(&mut self.state, Msg::Overhead(overhead));
            }
            if self.dirty && drawn.is_none_or(|drawn| now.saturating_duration_since(drawn) >= FRAME) {
                draw(&mut self.terminal, &self.state)?;
                let frame = self.ink.take();
                self.meter.frame(frame.len());
                write_out(&frame)?;
                self.dirty = false;
                drawn = Some(now);
            }
        }
        // What is over needs no other view.
        self.detached = self.state.run.end.is_none();
        Ok(())
    }

    /// Does what is to be done; true where the screen is to be left.
    fn carry_out(&mut self, command: Cmd) -> io::Result<bool> {
        match command {
            Cmd::Draw => self.dirty = true,
            Cmd::Request(what) => {
                if let Some(text) = (self.request)(what) {
                    self.set_status(text);
                }
            }
            Cmd::Copy(text) => {
                let mut bytes = Vec::new();
                execute!(bytes, CopyToClipboard::to_clipboard_from(text))?;
                write_out(&bytes)?;
            }
            Cmd::Shot => {
                let text = match &self.options.folder {
                    None => "this run has no folder to write to".to_owned(),
                    Some(folder) => match shot::write(&self.state, folder) {
                        Ok([text, ..]) => {
                            format!("written: {}, and .ansi and .svg beside it", text.display())
                        }
                        Err(error) => format!("{} cannot be written to: {error}", folder.display()),
                    },
                };
                self.set_status(text);
            }
            Cmd::Suspend => {
                restore();
                signals::stop()?;
                self.come_back()?;
            }
            Cmd::Leave(detached) => {
                self.detached = detached;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn set_status(&mut self, text: String) {
        update(&mut self.state, Msg::Status(text));
        self.dirty = true;
    }

    /// After a stop: the shell has had the terminal, and nothing of it is as it was left.
    fn come_back(&mut self) -> io::Result<()> {
        terminal::take_again(!self.options.no_mouse)?;
        self.signals.woken.store(false, Ordering::SeqCst);
        let size = self.terminal.size()?;
        update(&mut self.state, Msg::Resized(size.width, size.height));
        self.terminal.clear()?;
        self.dirty = true;
        Ok(())
    }
}

/// How long a key is waited for, with something to draw or without, so long after the last frame.
fn patience(dirty: bool, since: Option<Duration>, closes: bool) -> Duration {
    match (dirty, since) {
        _ if closes => Duration::ZERO,
        (false, _) => FRAME,
        (true, since) => since.map_or(Duration::ZERO, |since| FRAME.saturating_sub(since)),
    }
}

/// What an event of the terminal means, if anything.
fn message_of(event: Event, wheel: &mut Throttle) -> Option<Msg> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(Msg::Key(key.code, key.modifiers)),
        Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => Some(Msg::Click(mouse.column, mouse.row)),
            MouseEventKind::ScrollDown if wheel.passes(runtime::clock::now()) => Some(Msg::Wheel(true)),
            MouseEventKind::ScrollUp if wheel.passes(runtime::clock::now()) => Some(Msg::Wheel(false)),
            _ => None,
        },
        // The buffers follow the size by themselves; what the terminal reflowed has to go.
        Event::Resize(width, height) => Some(Msg::Resized(width, height)),
        _ => None,
    }
}

/// One frame in one synchronized update.
///
/// # Errors
/// When the writer fails.
pub fn draw<W: Write>(terminal: &mut Terminal<CrosstermBackend<W>>, state: &State) -> io::Result<()> {
    terminal.backend_mut().write_all(BEGIN)?;
    terminal.draw(|frame| view(state, frame))?;
    terminal.backend_mut().write_all(END)?;
    Backend::flush(terminal.backend_mut())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_screen_sleeps_and_a_dirty_one_waits_for_its_frame() {
        let ms = Duration::from_millis;
        assert_eq!(patience(false, Some(ms(5_000)), false), FRAME, "idle for long is no reason to hurry");
        assert_eq!(patience(true, Some(ms(30)), false), ms(70), "ten frames a second at most");
        assert_eq!(patience(true, Some(ms(300)), false), Duration::ZERO);
        assert_eq!(patience(true, None, false), Duration::ZERO, "the first frame is drawn at once");
        assert_eq!(patience(false, None, true), Duration::ZERO, "a run that is over is left at once");
    }
}
