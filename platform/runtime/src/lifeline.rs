//! A child does not outlive its parent.

use std::io::Read;

use nix::sys::prctl;
use nix::sys::signal::Signal;

/// Asks the kernel for SIGKILL when the thread that started us ends, which
/// reaches a stopped process as well. A parent that is gone already is noticed
/// by the end of standard input.
pub fn die_with_parent() {
    // Without it the lifeline alone remains, which every child also watches.
    let _ = prctl::set_pdeathsig(Signal::SIGKILL);
}

/// Blocks until standard input ends: the parent is gone, or lets this process go.
pub fn wait_for_end() {
    let mut buffer = [0; 256];
    let mut stdin = std::io::stdin().lock();
    while matches!(stdin.read(&mut buffer), Ok(read) if read > 0) {}
}
