//! Starts the arms, plays the timeline, samples, and leaves nothing behind.
