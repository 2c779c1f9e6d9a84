//! What an expectation is: `side op side`, where a side is `[k *] measure` or a quantity. `parse` reads one from its
//! text; `brackets` reads what stands in the brackets of a measure.

mod brackets;
mod parse;
mod tokens;

use std::fmt;

use model::Run;
pub use model::Window;

pub use crate::argument::{Argument, Parameter};
use crate::measure::{Measure, Property, Unit};
use crate::selection::Selection;

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `<=`
    AtMost,
    /// `<`
    Below,
    /// `>=`
    AtLeast,
    /// `>`
    Above,
    /// `==`
    Equal,
}

/// What a few multiplications and divisions round by, as a share of their result.
const ROUNDING: f64 = 4.0 * f64::EPSILON;

impl Op {
    /// Whether it holds between two plain numbers. What differs by rounding alone is equal: 7,000 us in seconds are no
    /// hair less than 7 ms.
    pub fn holds(self, left: f64, right: f64) -> bool {
        let is_equal = left == right || (left - right).abs() <= ROUNDING * left.abs().min(right.abs());
        match self {
            Self::AtMost => left < right || is_equal,
            Self::Below => left < right && !is_equal,
            Self::AtLeast => left > right || is_equal,
            Self::Above => left > right && !is_equal,
            Self::Equal => is_equal,
        }
    }
}

/// A measure with its argument: of what, over which window, in which arms.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Which measure.
    pub measure: &'static Measure,
    /// What stands in its brackets.
    pub argument: Argument,
    /// Over which window.
    pub window: Window,
    /// Topologies and variants it is bound to; empty for the other side's, or all.
    pub axes: Vec<String>,
}

impl Query {
    /// The seconds of an arm it looks at.
    pub fn of<'a>(&'a self, run: &'a Run, arm: char) -> Selection<'a> {
        Selection::new(run, arm, &self.window, &self.argument)
    }

    /// Whether it is bound to an arm: every axis is the arm's topology, its variant or its name.
    pub fn fits(&self, name: &str, topology: &str, variant: &str) -> bool {
        self.axes.iter().all(|axis| [name, topology, variant].contains(&axis.as_str()))
    }

    /// The arms of a run that it is bound to; all where it has no axes.
    pub(crate) fn arms(&self, run: &Run) -> Vec<char> {
        let arms = run.header.arms.iter();
        arms.filter(|arm| self.fits(&arm.name, &arm.topology, &arm.variant)).map(|arm| arm.letter).collect()
    }
}

/// One side of an expectation.
#[derive(Clone, Debug, PartialEq)]
pub enum Side {
    /// `factor * measure`.
    Measure {
        /// 1 unless written.
        factor: f64,
        /// What is measured.
        query: Query,
    },
    /// A number with its unit, in base units.
    Quantity {
        /// In seconds, shares, bytes, per second.
        value: f64,
        /// A bare 0 fits any unit.
        unit: Unit,
    },
}

/// One assertion.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// As written.
    pub text: String,
    /// Left of the operator; always a measure.
    pub left: Side,
    /// The comparison.
    pub op: Op,
    /// Right of it.
    pub right: Side,
    /// How long it must hold, ns; only in stop conditions.
    pub held_ns: u64,
}

/// Why a text is not an expectation: where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectError {
    /// Byte offset in the text.
    pub at: usize,
    /// What is wrong and what to write.
    pub message: String,
}

impl fmt::Display for ExpectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ExpectError {}

impl Expectation {
    /// Whether the simulator knows what it is about.
    pub fn is_simulated(&self) -> bool {
        [&self.left, &self.right].into_iter().all(|side| match side {
            // Simulated memory neither grows nor leaks.
            Side::Measure { query, .. } => {
                ![Property::NotSimulated, Property::OfMemory].iter().any(|of| query.measure.has(*of))
            }
            Side::Quantity { .. } => true,
        })
    }

    /// The phases it looks at.
    pub fn phases(&self) -> Vec<&str> {
        let mut phases = Vec::new();
        for side in [&self.left, &self.right] {
            if let Side::Measure { query: Query { window: Window::Phase(name), .. }, .. } = side {
                phases.push(name.as_str());
            }
        }
        phases
    }

    /// The same over some seconds, where it names no window.
    #[must_use]
    pub fn over_seconds(&self, from: u32, to: u32) -> Self {
        let mut that = self.clone();
        for side in [&mut that.left, &mut that.right] {
            if let Side::Measure { query, .. } = side
                && query.window == Window::Whole
            {
                query.window = Window::Seconds(from, to);
            }
        }
        that
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_by_rounding_alone_is_equal() {
        let both = |left: f64, right: f64| (Op::AtMost.holds(left, right), Op::Below.holds(left, right));
        // Microseconds in seconds, and milliseconds: 0.006999999999999999 and 0.007.
        assert_eq!(both(7_000.0 * 1e-6, 7.0 * 1e-3), (true, false));
        assert_eq!(both(7.0 * 1e-3, 7_000.0 * 1e-6), (true, false));
        assert!(Op::Equal.holds(999.0 / 1_000.0, 99.9 * 0.01) && Op::AtLeast.holds(0.999, 99.9 * 0.01));
        assert!(!Op::Above.holds(99.9 * 0.01, 0.999));
        // One of so many is more than rounding, as is anything that is not 0.
        assert_eq!(both(1e15 - 1.0, 1e15), (true, true));
        assert!(!Op::Equal.holds(1e-300, 0.0) && !Op::Equal.holds(f64::INFINITY, 1e300));
        assert!(Op::AtMost.holds(f64::INFINITY, f64::INFINITY) && !Op::Equal.holds(f64::NAN, f64::NAN));
    }
}
