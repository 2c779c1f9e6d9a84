//! The terminal while the dashboard has it: taken, written to, given back whatever happens.

use std::io::{self, BufWriter, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, mpsc};
use std::time::Duration;

use crossterm::event::{self, Event, KeyEventKind};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::{Backend, CrosstermBackend};
use record::Line;

use crate::model::{Cmd, Model, Msg, update};
use crate::style::{Look, Palette};
use crate::view::view;
use crate::{Options, Quit};

/// Between two draws: ten a second at most; more would show nothing new.
const FRAME: Duration = Duration::from_millis(100);
/// A frame's bytes at 120x40 are 3 to 4 KB: one write each.
const WRITE: usize = 64 * 1024;
/// Lines taken in before keys are looked at again: a minute of backlog must not make the screen deaf.
const BATCH: usize = 4_096;

/// Whether the alternate screen and raw mode are on.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Begin and end of a synchronized update (DEC private mode 2026): the
/// terminal shows a frame whole or not at all.
const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

/// Shows the run on the terminal until the channel closes or the user leaves.
/// Needs a thread of its own; standard input and output must be a terminal.
///
/// # Errors
/// What the terminal says when it cannot be taken, read or written.
pub fn run(
    options: Options,
    lines: mpsc::Receiver<Arc<Line>>,
    mut on_quit: impl FnMut(Quit),
) -> io::Result<()> {
    let _guard = Guard::take()?;
    let look = Look { palette: Palette::new(options.theme, options.no_color), ascii: options.ascii };
    let mut model = Model { look, guest: options.guest, ..Model::default() };
    let mut terminal = Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(WRITE, io::stdout())))?;
    terminal.clear()?;
    let mut dirty = true;
    let mut drawn: Option<std::time::Instant> = None;
    // A signal or a panic elsewhere gives the terminal back: then nothing more is drawn on it.
    while TAKEN.load(Ordering::SeqCst) {
        let (batch, closed) = drain(&lines);
        let mut commands = update(&mut model, Msg::Lines(batch));
        // Waits for a key for the rest of the frame, then takes every key there is before drawing once.
        let now = runtime::clock::now();
        let wait = drawn.map_or(FRAME, |drawn| FRAME.saturating_sub(now.saturating_duration_since(drawn)));
        let wait = if closed { Duration::ZERO } else { wait.max(Duration::from_millis(1)) };
        let mut patience = wait;
        while event::poll(patience)? {
            patience = Duration::ZERO;
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => {
                    commands.extend(update(&mut model, Msg::Key(key.code, key.modifiers)));
                }
                // The buffers follow the size by themselves; what the terminal reflowed has to go.
                Event::Resize(..) => commands.extend(update(&mut model, Msg::Resized)),
                _ => {}
            }
        }
        for command in commands {
            match command {
                Cmd::Draw => dirty = true,
                Cmd::Tell(quit) => on_quit(quit),
                Cmd::Leave => return Ok(()),
            }
        }
        if closed {
            return Ok(());
        }
        let now = runtime::clock::now();
        if dirty && drawn.is_none_or(|drawn| now.saturating_duration_since(drawn) >= FRAME) {
            draw(&mut terminal, &model)?;
            dirty = false;
            drawn = Some(now);
        }
    }
    Ok(())
}

/// What is waiting in the channel, and whether it is closed and empty.
fn drain(lines: &mpsc::Receiver<Arc<Line>>) -> (Vec<Arc<Line>>, bool) {
    let mut batch = Vec::new();
    while batch.len() < BATCH {
        match lines.try_recv() {
            Ok(line) => batch.push(line),
            Err(mpsc::TryRecvError::Empty) => return (batch, false),
            Err(mpsc::TryRecvError::Disconnected) => {
                let closed = batch.is_empty();
                return (batch, closed);
            }
        }
    }
    (batch, false)
}

/// One frame in one synchronized update.
///
/// # Errors
/// What the writer says.
pub fn draw<W: Write>(terminal: &mut Terminal<CrosstermBackend<W>>, model: &Model) -> io::Result<()> {
    terminal.backend_mut().write_all(BEGIN)?;
    terminal.draw(|frame| view(model, frame))?;
    terminal.backend_mut().write_all(END)?;
    Backend::flush(terminal.backend_mut())
}

/// Enters the alternate screen on a writer and hides the cursor.
///
/// # Errors
/// What the writer says.
pub fn enter(out: &mut impl Write) -> io::Result<()> {
    execute!(out, EnterAlternateScreen, cursor::Hide)
}

/// Ends a frame that was cut short, leaves the alternate screen, shows the cursor.
///
/// # Errors
/// What the writer says.
pub fn leave(out: &mut impl Write) -> io::Result<()> {
    out.write_all(END)?;
    execute!(out, LeaveAlternateScreen, cursor::Show)
}

/// Leaves the alternate screen and raw mode if they are on; safe to call from
/// a panic hook or a signal thread, and more than once.
pub fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // Where the terminal is gone there is nothing to give back.
        let _ = leave(&mut io::stdout());
        let _ = disable_raw_mode();
    }
}

/// Holds the terminal; gives it back when dropped or on a panic.
struct Guard;

impl Guard {
    fn take() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                before(panic);
            }));
        });
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let guard = Self;
        enter(&mut io::stdout())?;
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}
