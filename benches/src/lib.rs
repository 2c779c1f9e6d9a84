//! Criterion benchmarks of the hot paths; each file beside this one is one bench.
