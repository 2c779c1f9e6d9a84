//! How many runs go on at the same time. A run of a tiny suite mostly waits for its own clock, so that several fit on a
//! machine; one of which a figure is asserted has the machine to itself.

use std::sync::{Condvar, Mutex, PoisonError};

/// Places that are taken.
static TAKEN: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

/// Places of this machine: three for two cores, with which all of these tests pass.
fn all() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores + cores / 2
}

/// Some of the places until it is dropped. A test that holds one takes no other.
pub struct Place(usize);

impl Place {
    /// All of them.
    pub fn alone() -> Self {
        Self::take(all())
    }

    /// Two, for a run that takes more of the machine.
    pub fn wide() -> Self {
        Self::take(all().min(2))
    }

    /// One.
    pub fn shared() -> Self {
        Self::take(1)
    }

    fn take(places: usize) -> Self {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken =
            FREED.wait_while(taken, |taken| *taken + places > all()).unwrap_or_else(PoisonError::into_inner);
        *taken += places;
        Self(places)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        FREED.notify_all();
    }
}

/// Checks all cases, each on a thread of its own: those that begin with [`Place::shared`] go on side by side, as
/// many as there are places. A case that fails fails the test with its own message.
pub fn side_by_side<T: Send>(cases: impl IntoIterator<Item = T>, check: impl Fn(T) + Sync) {
    let check = &check;
    std::thread::scope(|scope| {
        let running: Vec<_> = cases.into_iter().map(|case| scope.spawn(move || check(case))).collect();
        for case in running {
            if let Err(failure) = case.join() {
                std::panic::resume_unwind(failure);
            }
        }
    });
}
