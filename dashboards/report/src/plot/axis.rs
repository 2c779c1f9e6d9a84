//! The axis of values and the axis of time: which numbers stand at them, and how they are written.

/// A logarithmic axis spans at least so many decades.
const DECADES: f64 = 2.0;
/// Steps between the times at an axis, seconds.
const CLOCK_STEPS: [f64; 13] =
    [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0];
/// At most so many times stand at an axis.
const MAX_TIMES: f64 = 6.0;

/// An axis of values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub is_logarithmic: bool,
    /// The least positive and the greatest value of everything on it.
    pub range: (f64, f64),
}

impl Axis {
    /// The lower end; a power of ten where it is logarithmic.
    fn bottom(self) -> f64 {
        if !self.is_logarithmic {
            return 0.0;
        }
        self.range.0.max(1e-3).log10().floor().min(self.top() - DECADES)
    }

    /// The upper end; a power of ten where it is logarithmic.
    fn top(self) -> f64 {
        if self.is_logarithmic { self.range.1.max(1e-3).log10().ceil() } else { even_top(self.range.1) }
    }

    /// How far up a value stands, 0 to 1.
    pub fn share(self, value: f64) -> f64 {
        let value = if self.is_logarithmic { value.max(1e-9).log10() } else { value };
        let (low, high) = (self.bottom(), self.top());
        ((value - low) / (high - low).max(1e-9)).clamp(0.0, 1.0)
    }

    /// The values that have a line and a number.
    pub fn ticks(self) -> Vec<f64> {
        let (low, high) = (self.bottom(), self.top());
        if self.is_logarithmic {
            (low as i32..=high as i32).map(|power| 10_f64.powi(power)).collect()
        } else {
            // Tops are 1, 2 or 5 times a power of ten: fifths of the first and last, quarters of the second are round.
            let steps = if (high / 10_f64.powf(high.log10().floor()) - 2.0).abs() < 0.5 { 4 } else { 5 };
            (0..=steps).map(|step| high * f64::from(step) / f64::from(steps)).collect()
        }
    }
}

/// The upper end of an even axis: 1, 2 or 5 times a power of ten.
fn even_top(top: f64) -> f64 {
    if top <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(top.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|end| *end >= top).unwrap_or(10.0 * power)
}

/// The seconds at an axis of so many.
pub(super) fn times(length: f64) -> impl Iterator<Item = f64> {
    let step = CLOCK_STEPS.into_iter().find(|step| length / step <= MAX_TIMES);
    let step = step.unwrap_or_else(|| (length / MAX_TIMES / 3_600.0).ceil() * 3_600.0);
    (0_u32..).map(move |index| step * f64::from(index)).take_while(move |second| *second < length.max(1.0))
}

/// A value on a chart, with its unit; milliseconds in the unit that suits them: `250µs`, `41ms`, `1.5s`.
pub(super) fn shown(value: f64, unit: &str) -> String {
    if unit != "ms" {
        return format!("{}{unit}", short(value));
    }
    match value {
        0.0 => "0".into(),
        ms if ms >= 1_000.0 => format!("{}s", short(ms / 1_000.0)),
        ms if ms < 1.0 => format!("{}µs", short(ms * 1_000.0)),
        ms => format!("{}ms", short(ms)),
    }
}

/// Three digits are enough on an axis.
fn short(value: f64) -> String {
    match value {
        0.0 => "0".into(),
        v if v.abs() >= 100.0 => format!("{v:.0}"),
        v if v.abs() >= 10.0 => format!("{v:.1}").trim_end_matches(".0").to_owned(),
        v => format!("{v:.2}").trim_end_matches('0').trim_end_matches('.').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        assert_eq!([0.0, 0.3, 7.0, 61.0, 100.0].map(even_top), [1.0, 0.5, 10.0, 100.0, 100.0]);
        let axis = Axis { is_logarithmic: true, range: (1.0, 200.0) };
        assert_eq!(axis.ticks(), [1.0, 10.0, 100.0, 1_000.0]);
    }

    #[test]
    fn times_are_written_in_the_unit_that_suits_them() {
        assert_eq!(
            [0.0, 0.5, 12.0, 480.4].map(|value| shown(value, "/s")),
            ["0/s", "0.5/s", "12/s", "480/s"]
        );
        let ticks = [0.01, 0.1, 1.0, 10.0, 1_000.0, 10_000.0].map(|ms| shown(ms, "ms"));
        assert_eq!(ticks, ["10µs", "100µs", "1ms", "10ms", "1s", "10s"], "and none has five digits");
    }

    #[test]
    fn a_few_round_times_stand_at_an_axis() {
        assert_eq!(times(48.0).collect::<Vec<_>>(), [0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(times(4.0).collect::<Vec<_>>(), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(times(100_000.0).count(), 6, "a day and more in whole hours");
    }
}
