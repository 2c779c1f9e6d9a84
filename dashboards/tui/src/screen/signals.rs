//! Stop and wake: a stopped dashboard gives the terminal back first, and takes it again when it is woken.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use signal_hook::consts::{SIGCONT, SIGTSTP};
use signal_hook::{flag, low_level};

use super::terminal::ASIDE;

/// Stops this process as the signal would have done; returns when it is woken.
pub(super) fn stop() -> io::Result<()> {
    low_level::emulate_default_handler(SIGTSTP)
}

/// Stop and wake, as flags this thread looks at; where the screen is not held a stop signal stops, as everywhere.
pub(super) struct Signals {
    pub stop: Arc<AtomicBool>,
    pub woken: Arc<AtomicBool>,
    ids: Vec<signal_hook::SigId>,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        static DEFAULT: Mutex<bool> = Mutex::new(false);
        // The kernel's own default cannot be put back, so it is played from now on.
        let mut played = DEFAULT.lock().unwrap_or_else(PoisonError::into_inner);
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
            low_level::unregister(id);
        }
    }
}
