//! Calls, replies and events of follower.
