//! The feed component.
