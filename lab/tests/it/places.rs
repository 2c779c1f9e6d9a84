//! How many runs go on at the same time. A run of a tiny suite mostly waits for its own clock, so that several fit on a
//! machine; one of which a figure is asserted has the machine to itself.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

struct Occupancy {
    /// Places that are taken.
    taken: usize,
    /// Tests that wait for all of them.
    waiting_for_all: usize,
}

static OCCUPANCY: Mutex<Occupancy> = Mutex::new(Occupancy { taken: 0, waiting_for_all: 0 });
static CHANGED: Condvar = Condvar::new();

fn occupancy() -> MutexGuard<'static, Occupancy> {
    OCCUPANCY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The occupancy, once there is room.
fn until(has_room: impl Fn(&Occupancy) -> bool) -> MutexGuard<'static, Occupancy> {
    CHANGED.wait_while(occupancy(), |now| !has_room(now)).unwrap_or_else(PoisonError::into_inner)
}

/// Places of a run of one process: one program, its generator and the lab.
const SMALL: usize = 2;
/// Places of a run of two arms.
const SHARED: usize = 3;
/// Places of a run that takes more of the machine.
const WIDE: usize = 2 * SHARED;

/// Places of this machine: three runs of two arms for two cores, with which all of these tests pass, or four of one process.
fn all() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores * SHARED * 3 / 2
}

/// Some of the places until it is dropped. A test that holds one takes no other.
pub struct Place(usize);

impl Place {
    /// All of them. While a test waits for that, none begins: its thread could run others, and would stand still until all that
    /// take fewer have had their turn.
    pub fn alone() -> Self {
        occupancy().waiting_for_all += 1;
        let mut now = until(|now| now.taken == 0);
        now.waiting_for_all -= 1;
        now.taken = all();
        Self(all())
    }

    /// Those of a run that takes more of the machine.
    pub fn wide() -> Self {
        Self::take(WIDE)
    }

    /// Those of a run of two arms.
    pub fn shared() -> Self {
        Self::take(SHARED)
    }

    /// Those of a run of one process.
    pub fn small() -> Self {
        Self::take(SMALL)
    }

    fn take(places: usize) -> Self {
        let places = places.min(all());
        let mut now = until(|now| now.waiting_for_all == 0 && now.taken + places <= all());
        now.taken += places;
        Self(places)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        occupancy().taken -= self.0;
        CHANGED.notify_all();
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
