//! The heap of a test, in bytes: what a fold holds is asked of the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Allocated minus freed on this thread.
    static HELD: Cell<i64> = const { Cell::new(0) };
}

/// The system's allocator, which counts.
struct CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Bytes that this thread has allocated and not freed.
pub fn held_bytes() -> i64 {
    HELD.get()
}

fn count(bytes: usize, sign: i64) {
    // A thread that ends has no count any more.
    let _ = HELD.try_with(|held| held.set(held.get() + sign * i64::try_from(bytes).unwrap_or(0)));
}

#[expect(unsafe_code, reason = "an allocator is not safe by nature; each call is the system's own")]
// SAFETY: every call is passed on unchanged, and counting allocates nothing.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(layout.size(), -1);
        count(size, 1);
        // SAFETY: as promised by the caller.
        unsafe { System.realloc(at, layout, size) }
    }
}
