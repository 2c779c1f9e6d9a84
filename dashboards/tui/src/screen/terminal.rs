//! The terminal: taken, written to, given back whatever happens.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Once, PoisonError, TryLockError};
use std::time::Duration;

use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};

/// How long giving the terminal back waits for a frame on its way: a terminal that takes longer is gone.
const PATIENCE: Duration = Duration::from_millis(200);

/// Whether the alternate screen and raw mode are on.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Whether they are not: then a stop signal stops, as everywhere.
pub(super) static ASIDE: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(true)));
/// Held while writing to the terminal: no frame may follow after it was restored.
static WRITING: Mutex<()> = Mutex::new(());

/// Begin and end of a synchronized update (DEC private mode 2026): the
/// terminal shows a frame whole or not at all.
pub(super) const BEGIN: &[u8] = b"\x1b[?2026h";
pub(super) const END: &[u8] = b"\x1b[?2026l";
/// Presses and the wheel, with coordinates as decimal numbers (xterm modes 1000 and 1006). Moves are not requested.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";

/// Whether it is ours.
pub(super) fn is_taken() -> bool {
    TAKEN.load(Ordering::SeqCst)
}

/// What a frame is drawn into, before it is written at once.
#[derive(Clone, Default)]
pub(super) struct Ink(Rc<RefCell<Vec<u8>>>);

impl Ink {
    pub(super) fn take(&self) -> Vec<u8> {
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
pub(super) fn write_out(bytes: &[u8]) -> io::Result<()> {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    if !is_taken() {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Enters the alternate screen on a writer and hides the cursor; requests mouse events if wanted.
///
/// # Errors
/// When the writer fails.
pub fn enter(out: &mut impl Write, mouse: bool) -> io::Result<()> {
    execute!(out, EnterAlternateScreen, cursor::Hide)?;
    out.write_all(if mouse { MOUSE_ON } else { b"" })?;
    out.flush()
}

/// Ends a frame that was cut short, gives back the mouse, leaves the alternate screen, shows the cursor.
///
/// # Errors
/// When the writer fails.
pub fn leave(out: &mut impl Write) -> io::Result<()> {
    out.write_all(END)?;
    out.write_all(MOUSE_OFF)?;
    execute!(out, LeaveAlternateScreen, cursor::Show)
}

/// Leaves the alternate screen and raw mode if they are on; safe to call from
/// a panic hook or a signal thread, and more than once.
pub fn restore() {
    let writing = patiently();
    if TAKEN.swap(false, Ordering::SeqCst) {
        ASIDE.store(true, Ordering::SeqCst);
        // A terminal that is gone needs no restoring, and a thread that waits for it holds standard output.
        if writing.is_some() {
            let _ = leave(&mut io::stdout());
        }
        let _ = disable_raw_mode();
    }
}

/// The lock of the writer; none where a frame is stuck on its way.
fn patiently() -> Option<MutexGuard<'static, ()>> {
    let until = runtime::clock::now() + PATIENCE;
    loop {
        match WRITING.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(guard)) => return Some(guard.into_inner()),
            Err(TryLockError::WouldBlock) if runtime::clock::now() >= until => return None,
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

fn take(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    ASIDE.store(false, Ordering::SeqCst);
    enter(&mut io::stdout(), mouse)
}

/// After a stop.
pub(super) fn take_again(mouse: bool) -> io::Result<()> {
    // After SIGSTOP raw mode is on as far as crossterm knows, and off on the terminal.
    disable_raw_mode()?;
    take(mouse)
}

/// Holds the terminal; gives it back when dropped or on a panic.
pub(super) struct Guard;

impl Guard {
    pub(super) fn take(mouse: bool) -> io::Result<Self> {
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
