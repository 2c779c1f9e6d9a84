//! Metrics, traces and cost figures, with every name in one place.
