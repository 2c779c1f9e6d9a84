//! The profile component.
