//! Signals that ask the program to end: counted, so that the first ends a run in order.

use nix::sys::signal::{SigSet, Signal};
use tokio::sync::watch;

use crate::output::EXIT_INTERRUPTED;

/// Leaves SIGHUP alone where it is ignored from the start, as nohup(1) has it: the terminal may close then. A handler
/// would take the place of ignoring, so that the signal is kept from every thread instead; this comes before the first.
pub fn keep_hangup_ignored() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if is_ignored(&status, Signal::SIGHUP) {
        let mut hangup = SigSet::empty();
        hangup.add(Signal::SIGHUP);
        // A thread's own mask can always be set (pthread_sigmask(3)).
        let _ = hangup.thread_block();
    }
}

/// Whether a process ignores a signal, by the mask `SigIgn` of its status (proc(5)).
fn is_ignored(status: &str, signal: Signal) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal as i32 - 1) & 1 == 1
}

/// The count of Ctrl-C, SIGTERM and SIGHUP from here on; each restores the terminal first.
///
/// # Errors
/// When there is a handler already.
pub fn count_interrupts() -> Result<watch::Sender<u32>, ctrlc::Error> {
    let interrupts = watch::Sender::new(0);
    let counted = interrupts.clone();
    ctrlc::set_handler(move || {
        tui::restore();
        counted.send_modify(|count| *count += 1);
        if *counted.borrow() > 2 {
            std::process::exit(i32::from(EXIT_INTERRUPTED));
        }
    })?;
    Ok(interrupts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_mask() {
        let status = |mask: &str| format!("Name:\tcleave\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        assert!(
            is_ignored(&status("0000000000001001"), Signal::SIGHUP),
            "nohup, and SIGPIPE as every Rust program"
        );
        assert!(!is_ignored(&status("0000000000001000"), Signal::SIGHUP));
        assert!(is_ignored(&status("0000000000000003"), Signal::SIGINT));
        assert!(!is_ignored("", Signal::SIGHUP));
    }
}
