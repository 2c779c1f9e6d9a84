//! The public door: routing, balancing, admission, retries, drain. Forwards; does not parse bodies.
