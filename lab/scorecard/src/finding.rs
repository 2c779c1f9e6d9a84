//! Whether a figure of one run and the same of another run differ.

use record::Measured;

/// Finding of two figures whose intervals stand apart.
pub const DIFFERS: &str = "differs";

/// `differs` where the 95 % intervals of the two do not overlap; `undecided` where they do, `no interval` where one has
/// none. Two runs share no seconds, so nothing cancels between them.
pub fn apart(one: &Measured, two: &Measured) -> &'static str {
    match (one.interval, two.interval) {
        (Some(one), Some(two)) if one.upper() < two.low || two.upper() < one.low => DIFFERS,
        (Some(_), Some(_)) => "undecided",
        _ => "no interval",
    }
}
