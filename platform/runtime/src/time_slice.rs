//! A short time slice: a thread that is due runs soon, also where others keep every core busy.

use std::io;
use std::time::Duration;

use nix::libc;

/// Asks the kernel to let this thread, and those that it starts, run for `slice` at a time. With the scheduler's own
/// slice, some 3 ms, a thread that becomes due while all cores are busy waits for up to so long. One with a shorter slice
/// comes before them, and gets no more of the cores in all (EEVDF: Stoica and Abdel-Wahab 1995; Linux 6.12, which takes
/// 0.1 to 100 ms). Older kernels ignore it.
///
/// # Errors
/// When the kernel refuses.
#[expect(unsafe_code, reason = "nix and rustix have no function for this system call")]
pub fn shorten(slice: Duration) -> io::Result<()> {
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_OTHER.cast_unsigned(),
        sched_flags: 0,
        // Set along with the slice: as it is.
        sched_nice: rustix::process::getpriority_process(None)?,
        sched_priority: 0,
        sched_runtime: u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX),
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel reads `size` bytes of a value that lives until it returns (sched_setattr(2)).
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_slice_leaves_the_niceness_as_it_is() {
        let nice = || rustix::process::getpriority_process(None).expect("of this process");
        let before = nice();
        // Of a thread that ends with it: others are not concerned.
        let shortened = std::thread::spawn(|| shorten(Duration::from_micros(100))).join();
        shortened.expect("no panic").expect("any thread may");
        assert_eq!(nice(), before);
    }
}
