//! The terminal dashboard: pure views of the run record.
