//! The heap: how many arenas glibc keeps, and what it gives back.

#[cfg(target_env = "gnu")]
use nix::libc;

/// Has threads share so many arenas of the heap; by default each has its own, up to eight for each core, and what one of them has
/// freed is of no use to the others (mallopt(3)). To be called before there are threads. Other C libraries than glibc are left
/// as they are.
///
/// Returns whether that is so from now on.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "nix and rustix have no function for this")]
pub fn limit_arenas(most: usize) -> bool {
    let most = libc::c_int::try_from(most.max(1)).unwrap_or(libc::c_int::MAX);
    // SAFETY: it sets a number of the allocator's, under the allocator's own lock.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, most) == 1 }
}

/// The same.
#[cfg(not(target_env = "gnu"))]
pub fn limit_arenas(_most: usize) -> bool {
    false
}

/// Gives pages back to the machine that hold nothing any more, also such as lie between what is held: by itself glibc gives back
/// only what is free at the end of the heap (malloc_trim(3)). It takes milliseconds for tens of MiB, during which threads that
/// allocate wait. Other C libraries than glibc are left as they are.
///
/// Returns whether anything was given back.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "nix and rustix have no function for this")]
pub fn give_back() -> bool {
    // SAFETY: it takes nothing that is held, under the allocator's own locks.
    unsafe { libc::malloc_trim(0) == 1 }
}

/// The same.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() -> bool {
    false
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    #[test]
    fn glibc_takes_it() {
        assert!(super::limit_arenas(2));
    }

    #[test]
    fn pages_between_what_is_held_are_given_back() {
        let blocks: Vec<Vec<u8>> = (0..4_096).map(|_| vec![1; 8_192]).collect();
        let held: Vec<_> = blocks.into_iter().step_by(16).collect();
        assert!(super::give_back());
        assert!(held.iter().flatten().all(|byte| *byte == 1));
    }
}
