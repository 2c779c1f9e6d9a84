//! Calls, replies and events of profile.
