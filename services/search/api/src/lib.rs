//! Calls, replies and events of search.
