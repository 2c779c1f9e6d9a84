//! Calls, replies and events of feed.
