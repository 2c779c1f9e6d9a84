//! Calls, replies and events of photo.
