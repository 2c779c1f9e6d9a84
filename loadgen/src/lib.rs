//! Open-loop load on goose: pacer, slots, histograms, and the journeys with their checks.
