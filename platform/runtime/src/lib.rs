//! Time, chance, tasks and shutdown: what a process gives its parts instead of ambient globals.
