//! The terminal while the dashboard has it: taken, written to, given back whatever happens.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Once, mpsc};
use std::time::{Duration, Instant};

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{self, Event, KeyEventKind, MouseButton, MouseEventKind};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::{Backend, CrosstermBackend};
use record::{Entry, Line};
use signal_hook::consts::{SIGCONT, SIGTSTP};

use crate::model::{Model, Own};
use crate::style::{Look, Palette};
use crate::update::{Cmd, Msg, update};
use crate::view::view;
use crate::{Ask, Options, shot};

/// Between two draws: ten a second at most; more would show nothing new.
const FRAME: Duration = Duration::from_millis(100);
/// Between two steps of the wheel: touchpads send hundreds a second.
const WHEEL: Duration = Duration::from_millis(20);
/// What the dashboard takes is told over so long.
const METERED: Duration = Duration::from_secs(1);
/// Lines taken in before keys are looked at again: a minute of backlog must not make the screen deaf.
const BATCH: usize = 4_096;
/// How long giving the terminal back waits for a frame on its way: a terminal that takes longer is gone.
const PATIENCE: Duration = Duration::from_millis(200);

/// Whether the alternate screen and raw mode are on. While they are not, a stop signal stops.
static TAKEN: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
static ASIDE: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(true)));
/// Held by whoever writes to the terminal: a frame must not come after it was given back.
static WRITING: Mutex<()> = Mutex::new(());

/// Begin and end of a synchronized update (DEC private mode 2026): the
/// terminal shows a frame whole or not at all.
const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";
/// Presses and the wheel, with coordinates as decimal numbers (xterm modes 1000 and 1006). Moves are not asked for.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";

/// How the screen was left.
#[derive(Clone, Debug, Default)]
pub struct Left {
    /// The run goes on and is still to be watched, in another way: somebody detached, or a signal took the screen.
    pub detached: bool,
    /// The header, and the phases begun so far: what another view has to know of what came before.
    pub before: Vec<Arc<Line>>,
}

/// Shows the run on the terminal until the channel closes or the user leaves.
/// `ask` answers with what is to be said of it, if anything.
/// Needs a thread of its own; standard input and output must be a terminal.
///
/// # Errors
/// What the terminal says when it cannot be taken, read or written.
pub fn run(
    options: Options,
    lines: &mpsc::Receiver<Arc<Line>>,
    ask: impl FnMut(Ask) -> Option<String>,
) -> io::Result<Left> {
    let signals = Signals::hear()?;
    let _guard = Guard::take(!options.no_mouse)?;
    let ink = Ink::default();
    let mut terminal = Terminal::new(CrosstermBackend::new(ink.clone()))?;
    terminal.clear()?;
    let look = Look { palette: Palette::new(options.theme, options.no_color), ascii: options.ascii };
    let size = terminal.size()?;
    let model = Model {
        look,
        guest: options.guest,
        pace: options.pace,
        size: (size.width, size.height),
        ..Model::default()
    };
    let meter = Meter::since(runtime::clock::now());
    let mut screen =
        Screen { options, ask, terminal, ink, model, dirty: true, signals, meter, left: Left::default() };
    screen.show(lines)?;
    Ok(screen.left)
}

struct Screen<A> {
    options: Options,
    ask: A,
    terminal: Terminal<CrosstermBackend<Ink>>,
    ink: Ink,
    model: Model,
    dirty: bool,
    signals: Signals,
    meter: Meter,
    left: Left,
}

impl<A: FnMut(Ask) -> Option<String>> Screen<A> {
    fn show(&mut self, lines: &mpsc::Receiver<Arc<Line>>) -> io::Result<()> {
        let mut drawn: Option<Instant> = None;
        let mut wheel = Throttle::default();
        // A signal or a panic elsewhere gives the terminal back: then nothing more is drawn on it.
        while TAKEN.load(Ordering::SeqCst) {
            let (batch, closed) = drain(lines);
            let said_before = |line: &&Arc<Line>| matches!(line.entry, Entry::Header(_) | Entry::Phase(_));
            self.left.before.extend(batch.iter().filter(said_before).cloned());
            let mut commands = update(&mut self.model, Msg::Lines(batch));
            // Waits for a key for the rest of the frame, then takes every key there is before drawing once.
            let now = runtime::clock::now();
            let wait =
                drawn.map_or(FRAME, |drawn| FRAME.saturating_sub(now.saturating_duration_since(drawn)));
            let mut patience = if closed { Duration::ZERO } else { wait.max(Duration::from_millis(1)) };
            while event::poll(patience)? {
                patience = Duration::ZERO;
                if let Some(msg) = heard(event::read()?, &mut wheel) {
                    commands.extend(update(&mut self.model, msg));
                }
            }
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
            if closed {
                return Ok(());
            }
            let now = runtime::clock::now();
            if let Some(own) = self.meter.told(now) {
                update(&mut self.model, Msg::Own(own));
            }
            if self.dirty && drawn.is_none_or(|drawn| now.saturating_duration_since(drawn) >= FRAME) {
                draw(&mut self.terminal, &self.model)?;
                let frame = self.ink.take();
                self.meter.frame(frame.len());
                write_out(&frame)?;
                self.dirty = false;
                drawn = Some(now);
            }
        }
        self.left.detached = true;
        Ok(())
    }

    /// Does what is to be done; true where the screen is to be left.
    fn carry_out(&mut self, command: Cmd) -> io::Result<bool> {
        match command {
            Cmd::Draw => self.dirty = true,
            Cmd::Tell(what) => {
                if let Some(text) = (self.ask)(what) {
                    self.say(text);
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
                    Some(folder) => match shot::write(&self.model, folder) {
                        Ok([text, ..]) => {
                            format!("written: {}, and .ansi and .svg beside it", text.display())
                        }
                        Err(error) => format!("{} cannot be written to: {error}", folder.display()),
                    },
                };
                self.say(text);
            }
            Cmd::Suspend => {
                restore();
                signal_hook::low_level::emulate_default_handler(SIGTSTP)?;
                self.come_back()?;
            }
            Cmd::Leave(detached) => {
                self.left.detached = detached;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn say(&mut self, text: String) {
        update(&mut self.model, Msg::Said(text));
        self.dirty = true;
    }

    /// After a stop: the shell has had the terminal, and nothing of it is as it was left.
    fn come_back(&mut self) -> io::Result<()> {
        // Whoever stopped us without a word left raw mode on in our books.
        disable_raw_mode()?;
        take(!self.options.no_mouse)?;
        self.signals.woken.store(false, Ordering::SeqCst);
        let size = self.terminal.size()?;
        update(&mut self.model, Msg::Resized(size.width, size.height));
        self.terminal.clear()?;
        self.dirty = true;
        Ok(())
    }
}

/// What an event of the terminal means, if anything.
fn heard(event: Event, wheel: &mut Throttle) -> Option<Msg> {
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

/// Lets one through now and then.
#[derive(Default)]
struct Throttle(Option<Instant>);

impl Throttle {
    fn passes(&mut self, now: Instant) -> bool {
        let passes = self.0.is_none_or(|last| now.saturating_duration_since(last) >= WHEEL);
        if passes {
            self.0 = Some(now);
        }
        passes
    }
}

/// What this thread takes.
struct Meter {
    since: Instant,
    cpu_ns: u64,
    frames: u32,
    bytes: u64,
}

impl Meter {
    fn since(now: Instant) -> Self {
        Self { since: now, cpu_ns: runtime::clock::thread_cpu_ns(), frames: 0, bytes: 0 }
    }

    fn frame(&mut self, bytes: usize) {
        self.frames += 1;
        self.bytes += bytes as u64;
    }

    /// Once a second, what it was.
    fn told(&mut self, now: Instant) -> Option<Own> {
        let over = now.saturating_duration_since(self.since);
        if over < METERED {
            return None;
        }
        let before = std::mem::replace(self, Self::since(now));
        let cpu_ns = self.cpu_ns.saturating_sub(before.cpu_ns);
        Some(Own {
            cpu: Some(cpu_ns as f64 / over.as_nanos() as f64),
            frames: before.frames,
            bytes_per_frame: before.bytes.checked_div(before.frames.into()),
        })
    }
}

/// Stop and wake, as flags this thread looks at; where the screen is not held a stop signal stops, as everywhere.
struct Signals {
    stop: Arc<AtomicBool>,
    woken: Arc<AtomicBool>,
    ids: Vec<signal_hook::SigId>,
}

impl Signals {
    fn hear() -> io::Result<Self> {
        use signal_hook::flag;
        static DEFAULT: Mutex<bool> = Mutex::new(false);
        // The kernel's own default cannot be put back, so it is played from now on.
        let mut played = DEFAULT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !*played {
            flag::register_conditional_default(SIGTSTP, ASIDE.clone())?;
            *played = true;
        }
        let (stop, woken) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let ids = vec![flag::register(SIGTSTP, stop.clone())?, flag::register(SIGCONT, woken.clone())?];
        Ok(Self { stop, woken, ids })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

/// What a frame is drawn into, before it is written at once.
#[derive(Clone, Default)]
struct Ink(Rc<RefCell<Vec<u8>>>);

impl Ink {
    fn take(&self) -> Vec<u8> {
        self.0.take()
    }
}

impl Write for Ink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes to the terminal at once, if it is still ours.
fn write_out(bytes: &[u8]) -> io::Result<()> {
    let _writing = WRITING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !TAKEN.load(Ordering::SeqCst) {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
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

/// Enters the alternate screen on a writer and hides the cursor; asks for the mouse if it is wanted.
///
/// # Errors
/// What the writer says.
pub fn enter(out: &mut impl Write, mouse: bool) -> io::Result<()> {
    execute!(out, EnterAlternateScreen, cursor::Hide)?;
    out.write_all(if mouse { MOUSE_ON } else { b"" })?;
    out.flush()
}

/// Ends a frame that was cut short, gives back the mouse, leaves the alternate screen, shows the cursor.
///
/// # Errors
/// What the writer says.
pub fn leave(out: &mut impl Write) -> io::Result<()> {
    out.write_all(END)?;
    out.write_all(MOUSE_OFF)?;
    execute!(out, LeaveAlternateScreen, cursor::Show)
}

/// Leaves the alternate screen and raw mode if they are on; safe to call from
/// a panic hook or a signal thread, and more than once.
pub fn restore() {
    let _writing = patiently();
    if TAKEN.swap(false, Ordering::SeqCst) {
        ASIDE.store(true, Ordering::SeqCst);
        // Where the terminal is gone there is nothing to give back.
        let _ = leave(&mut io::stdout());
        let _ = disable_raw_mode();
    }
}

/// The lock of the writer; none where a frame is stuck on its way.
fn patiently() -> Option<MutexGuard<'static, ()>> {
    let until = runtime::clock::now() + PATIENCE;
    loop {
        match WRITING.try_lock() {
            Ok(guard) => return Some(guard),
            Err(std::sync::TryLockError::Poisoned(guard)) => return Some(guard.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) if runtime::clock::now() >= until => return None,
            Err(std::sync::TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

fn take(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    ASIDE.store(false, Ordering::SeqCst);
    enter(&mut io::stdout(), mouse)
}

/// Holds the terminal; gives it back when dropped or on a panic.
struct Guard;

impl Guard {
    fn take(mouse: bool) -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                before(panic);
            }));
        });
        let guard = Self;
        take(mouse)?;
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wheel_is_heard_every_twenty_milliseconds() {
        let start = runtime::clock::now();
        let mut wheel = Throttle::default();
        let passed = (0..100).filter(|ms| wheel.passes(start + Duration::from_millis(*ms))).count();
        assert_eq!(passed, 5, "at 0, 20, 40, 60 and 80 ms");
    }

    #[test]
    fn what_a_second_took_is_told_once_it_is_over() {
        let start = runtime::clock::now();
        let mut meter = Meter::since(start);
        meter.frame(1_000);
        meter.frame(3_000);
        assert_eq!(meter.told(start + Duration::from_millis(999)), None);
        let own = meter.told(start + METERED).expect("a second is over");
        assert_eq!((own.frames, own.bytes_per_frame), (2, Some(2_000)));
        let idle = meter.told(start + 2 * METERED).expect("another one");
        assert_eq!((idle.frames, idle.bytes_per_frame), (0, None), "no frame is not a frame of nothing");
    }
}
