//! The heap: how many arenas glibc keeps.

#[cfg(target_env = "gnu")]
use nix::libc;

/// Arenas of a program whose threads wait most of the time.
#[cfg(target_env = "gnu")]
const FEW: libc::c_int = 2;

/// Has threads share two arenas of the heap; by default each has its own, up to eight for each core, and what one of them has
/// freed is of no use to the others (mallopt(3)). To be called before there are threads. Other C libraries than glibc are left
/// as they are.
///
/// Returns whether that is so from now on.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "nix and rustix have no function for this")]
pub fn share_arenas() -> bool {
    // SAFETY: it sets a number of the allocator's, under the allocator's own lock.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, FEW) == 1 }
}

/// The same.
#[cfg(not(target_env = "gnu"))]
pub fn share_arenas() -> bool {
    false
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    #[test]
    fn glibc_takes_it() {
        assert!(super::share_arenas());
    }
}
