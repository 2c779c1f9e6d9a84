//! Shares of two arms, and counts as shares of their exposure: their difference, and what it says.

use record::{Contrast, Interval, Measured};

use super::conditions::{Conditions, Margin};
use super::evidence::Evidence;
use super::figure::{Content, Figure};
use super::shares::{LEVEL, ShareDifference, correlation};
use super::statistic::Body;
use super::student;
use super::units::deviations;

/// Kind 6: shares, and counts among their exposure. `None` without trials.
pub(super) fn compared(
    base: &Figure,
    other: &Figure,
    conditions: &Conditions<'_>,
) -> Option<(Contrast, Evidence)> {
    let difference = share_difference(base, other, 1.0)?;
    // A count is shown by what it would be among the base arm's exposure.
    let scale = match base.statistic.body {
        Body::Count(_) => difference.base.trials,
        _ => base.statistic.scale,
    };
    let (low, high) = difference.interval(LEVEL);
    let nu = difference.base.nu;
    let margin = match conditions.margin {
        // Of a count it is a share of the exposure already.
        Margin::Absolute(margin) if matches!(base.statistic.body, Body::Count(_)) => margin,
        Margin::Absolute(margin) => margin / scale,
        Margin::Ratio(ratio) => (ratio - 1.0) * difference.base.value(),
    };
    let measured = Measured {
        value: Some(difference.value() * scale),
        interval: Some(Interval::new(low * scale, high * scale)),
        ..Measured::default()
    };
    let evidence = Evidence {
        p: difference.p_differs(),
        p_equivalent: Some(difference.p_equivalent(margin)),
        is_within: -margin <= low && high <= margin,
        error: (high - low) / 2.0 / student::critical(LEVEL, nu) * scale,
        nu,
        is_ratio: false,
        threshold: 0.0,
    };
    Some((Contrast { difference: Some(measured), ..Contrast::default() }, evidence))
}

/// `other - factor * base`, with what hit both; over rounds correlation is not estimated.
pub(super) fn share_difference(base: &Figure, other: &Figure, factor: f64) -> Option<ShareDifference> {
    if let (Some(base), Some(other)) = (base.count_as_share(), other.count_as_share()) {
        return Some(ShareDifference { base, other, factor, correlation: 0.0 });
    }
    let (Content::Share { events: y_a, trials: n_a }, Content::Share { events: y_b, trials: n_b }) =
        (&base.content, &other.content)
    else {
        return None;
    };
    let (one, two) = (base.share()?, other.share()?);
    let is_paired = !base.resampling.is_by_rounds() && base.resampling.frame() == other.resampling.frame();
    let correlation = if is_paired { correlation(&deviations(y_a, n_a), &deviations(y_b, n_b)) } else { 0.0 };
    Some(ShareDifference { base: one, other: two, factor, correlation })
}

/// Whether two arms fail differently: the interval of the difference of their failed shares, alone, excludes 0. Latencies
/// of such arms have no ratio.
pub fn fail_differently(base: &Figure, other: &Figure) -> bool {
    share_difference(base, other, 1.0).is_some_and(|difference| {
        let (low, high) = difference.interval(LEVEL);
        low > 0.0 || high < 0.0
    })
}
