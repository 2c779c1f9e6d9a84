//! The follower component.
