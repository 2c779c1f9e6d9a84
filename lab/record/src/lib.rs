//! The run record: every line kind, its reader and its writer. All views are drawn from it.
