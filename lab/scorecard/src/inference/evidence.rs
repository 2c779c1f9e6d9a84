//! What it takes to call two arms different or equivalent in one row: levels, the standard error, the margin.

use record::{Contrast, Interval, Measured};

use super::conditions::Margin;
use super::noise::StoredStart;
use super::shares::LEVEL;
use super::student;

/// What a finding is made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Level at which the arms differ, this row alone.
    pub p: f64,
    /// Level at which they are equivalent; `None` where that is never concluded.
    pub p_equivalent: Option<f64>,
    /// Whether the printed interval lies within the margin.
    pub is_within: bool,
    /// Standard error: of the logarithm of a ratio, else of the difference in the row's unit.
    pub error: f64,
    /// Its degrees of freedom.
    pub nu: f64,
    /// Whether it is of a ratio.
    pub is_ratio: bool,
    /// What an effect has to exceed before it counts, on the scale of `error`.
    pub threshold: f64,
}

/// Logarithm of a ratio with its standard error and degrees of freedom, or a difference in the row's unit.
pub(super) struct Drawn {
    pub(super) value: f64,
    pub(super) error: f64,
    pub(super) nu: f64,
}

/// Adds what starts differ by (Satterthwaite 1946).
pub(super) fn with_start(drawn: &Drawn, start: &StoredStart) -> Drawn {
    let (own, between) = (drawn.error * drawn.error, start.variance());
    let known_by = if between > 0.0 { start.spread().powi(2) / start.degrees_of_freedom() } else { 0.0 };
    let variance = own + between;
    let below = own * own / drawn.nu + known_by;
    let nu = if below > 0.0 { (variance * variance / below).max(1.0) } else { drawn.nu };
    Drawn { value: drawn.value, error: variance.sqrt(), nu }
}

/// The row and its evidence. `is_beyond`: only what exceeds the margin counts as different, and nothing as equivalent.
pub(super) fn concluded(drawn: &Drawn, is_ratio: bool, margin: f64, is_beyond: bool) -> (Contrast, Evidence) {
    let &Drawn { value, error, nu } = drawn;
    let threshold = if is_beyond { margin } else { 0.0 };
    let half = student::critical(LEVEL, nu) * error;
    let (low, high) = (value - half, value + half);
    let shown = |x: f64| if is_ratio { x.exp() } else { x };
    let measured = Measured {
        value: Some(shown(value)),
        interval: Some(Interval::new(shown(low), shown(high))),
        ..Measured::default()
    };
    let evidence = Evidence {
        p: (2.0 * beyond(value.abs() - threshold, error, nu)).min(1.0),
        p_equivalent: (!is_beyond).then(|| {
            // Without any spread, two figures are within a margin or not: 0 and 0 are, even of none.
            if error == 0.0 && value.abs() <= margin { 0.0 } else { beyond(margin - value.abs(), error, nu) }
        }),
        is_within: -margin <= low && high <= margin,
        error,
        nu,
        is_ratio,
        threshold,
    };
    let (ratio, difference) = if is_ratio { (Some(measured), None) } else { (None, Some(measured)) };
    (Contrast { ratio, difference, ..Contrast::default() }, evidence)
}

/// The row of logarithms of ratios that are drawn one by one, such as recoveries over rounds.
pub(super) fn of_logarithms(mean: f64, error: f64, nu: f64, margin: Margin) -> (Contrast, Evidence) {
    let margin = match margin {
        Margin::Ratio(ratio) => ratio.ln(),
        Margin::Absolute(difference) => difference.ln_1p(),
    };
    concluded(&Drawn { value: mean, error, nu }, true, margin, false)
}

/// Probability of a distance as large by chance; without any spread it is certain.
fn beyond(distance: f64, error: f64, nu: f64) -> f64 {
    if error > 0.0 {
        student::tail(distance / error, nu)
    } else if distance > 0.0 {
        0.0
    } else {
        1.0
    }
}
