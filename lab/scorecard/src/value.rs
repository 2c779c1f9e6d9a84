//! The sorts of values measures have: a quantile, a share, an exact count, a figure seen once.

use record::{Latencies, Measured};

use crate::stats;

/// Microseconds in a second.
const MICROS: f64 = 1e6;

/// A quantile of latencies, seconds, with its order-statistics interval.
pub(crate) fn quantile(latencies: &Latencies, q: f64) -> Measured {
    Measured {
        value: latencies.quantile(q).map(|us| us as f64 / MICROS),
        n: latencies.len(),
        interval: stats::quantile(latencies, q).map(|(low, high)| (low / MICROS, high / MICROS)),
    }
}

/// A share with Wilson's interval.
pub(crate) fn proportion(part: u64, n: u64) -> Measured {
    Measured { value: (n > 0).then(|| part as f64 / n as f64), n, interval: stats::proportion(part, n) }
}

/// A count is exact: its interval is itself.
pub(crate) fn exact(count: u64, n: u64) -> Measured {
    let value = (n > 0).then_some(count as f64);
    Measured { value, n, interval: value.map(|v| (v, v)) }
}

/// A figure without an interval.
pub(crate) const fn plain(value: Option<f64>, n: u64) -> Measured {
    Measured { value, n, interval: None }
}

/// A figure seen once a run: another run may show another.
pub(crate) fn once(value: Option<f64>) -> Measured {
    plain(value, u64::from(value.is_some()))
}

/// The same in another unit.
pub(crate) fn scaled(measured: Measured, by: f64) -> Measured {
    Measured {
        value: measured.value.map(|v| v * by),
        interval: measured.interval.map(|(low, high)| (low * by, high * by)),
        ..measured
    }
}
