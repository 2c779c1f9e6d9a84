//! Numbers for people, the same in every view: short, with their unit, and `-` where there is no data.

use std::borrow::Cow;

use record::{Contrast, Interval, Measured, Score};

/// What stands where nothing was measured: never a zero.
pub const NO_DATA: &str = "-";

/// Whether a character moves the cursor, hides text or turns its direction around, so that no terminal gets it as it is.
pub fn is_unprintable(c: char) -> bool {
    // Controls of both kinds (ISO 6429), and Unicode's marks of direction (UAX 9, section 2).
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// One line of text from a file, for a terminal: what is unprintable stands as `\u{1b}`.
pub fn printable(line: &str) -> Cow<'_, str> {
    escape(line, is_unprintable)
}

/// The same of several lines.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escape(text, |c| c != '\n' && is_unprintable(c))
}

fn escape(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_escaped(c) { safe.extend(c.escape_unicode()) } else { safe.push(c) }
    }
    safe.into()
}

/// A rate or a count: `0.4`, `43`, `12.3k`.
pub fn count(value: Option<f64>) -> String {
    match value {
        None => NO_DATA.into(),
        Some(v) if !v.is_finite() => NO_DATA.into(),
        Some(v) if v >= 100_000.0 => format!("{:.0}k", v / 1_000.0),
        Some(v) if v >= 10_000.0 => format!("{:.1}k", v / 1_000.0),
        Some(v) if v >= 10.0 || v.fract() == 0.0 => format!("{v:.0}"),
        Some(v) => format!("{v:.1}"),
    }
}

/// Digits behind the point that a bound near 0 has at most, in percent.
const MOST_DIGITS: usize = 9;

/// Unit of a row that is answered by yes, 1, or no, 0.
pub const YES_OR_NO: &str = "yes/no";

/// A value in one of the record's units: seconds, share, per second, bytes, yes or no, bare.
pub fn value(value: Option<f64>, unit: &str) -> String {
    let Some(v) = value else { return NO_DATA.into() };
    if !v.is_finite() {
        return "never".into();
    }
    match unit {
        "s" if v.abs() >= 1.0 => format!("{v:.2}s"),
        "s" if v.abs() >= 1e-3 => format!("{:.1}ms", v * 1e3),
        "s" if v == 0.0 => "0s".into(),
        "s" => format!("{:.0}µs", v * 1e6),
        "%" => format!("{:.1}%", v * 100.0),
        "/s" if v.abs() >= 100.0 => format!("{}/s", thousands(v)),
        "/s" => format!("{v:.1}/s"),
        YES_OR_NO => String::from(if v == 0.0 { "no" } else { "yes" }),
        "B" => format!("{:.1}MiB", v / 1_048_576.0),
        _ if v.fract() == 0.0 => format!("{v:.0}{unit}"),
        _ => format!("{v:.2}{unit}"),
    }
}

/// A number without decimals, its thousands set apart: `1,600`.
fn thousands(v: f64) -> String {
    let digits = format!("{:.0}", v.abs());
    let mut text = if v < 0.0 { "-".to_owned() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A latency in milliseconds without its unit, for columns whose head has it: `0.42`, `9.4`, `187`.
pub fn ms(value: Option<f64>) -> String {
    match value {
        None => NO_DATA.into(),
        Some(v) if !v.is_finite() => NO_DATA.into(),
        Some(v) if v < 1.0 => format!("{v:.2}"),
        Some(v) if v < 100.0 => format!("{v:.1}"),
        Some(v) => format!("{v:.0}"),
    }
}

/// A share, 0 to 1, in percent: `9.8%`.
pub fn percent(share: Option<f64>) -> String {
    share.filter(|share| share.is_finite()).map_or_else(|| NO_DATA.into(), |share| value(Some(share), "%"))
}

/// The same without decimals: `10%`.
pub fn whole_percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

/// CPU in cores: `0.12`, `1.5`.
pub fn cores(value: Option<f64>) -> String {
    match value.filter(|cores| cores.is_finite()) {
        None => NO_DATA.into(),
        Some(cores) if cores < 1.0 => format!("{cores:.2}"),
        Some(cores) => format!("{cores:.1}"),
    }
}

/// B over A in few cells: `×2.5`, and `-3%` near one.
pub fn short_ratio(ratio: f64) -> String {
    match ratio {
        r if !r.is_finite() => NO_DATA.into(),
        r if (0.5..1.5).contains(&r) => format!("{:+.0}%", (r - 1.0) * 100.0),
        r if r >= 10.0 => format!("×{r:.0}"),
        r => format!("×{r:.1}"),
    }
}

/// A ratio's figures: three digits are enough to compare, and one that is not 0 does not look like it.
pub fn times(ratio: f64) -> String {
    match ratio {
        r if r > 0.0 && r < 1e-3 => format!("{r:.4}"),
        r if r > 0.0 && r < 1e-2 => format!("{r:.3}"),
        r if r >= 100.0 => format!("{r:.0}"),
        r if r >= 10.0 => format!("{r:.1}"),
        r => format!("{r:.2}"),
    }
}

/// A figure with its unit: `41.2ms`; beyond what was looked at `> 2.00s`; without a value, what bounds it.
pub fn measured(of: &Measured, unit: &str) -> String {
    match (of.value, of.interval) {
        (None, Some(bounds)) => interval(bounds, unit),
        (shown, _) if of.is_censored => format!("> {}", value(shown, unit)),
        (shown, _) => value(shown, unit),
    }
}

/// An interval with its unit: `2.1ms to 2.6ms`, `at least 41.0ms`, from 0 of a share or a count `at most 0.3%`, of a rate
/// `below 200/s`.
pub fn interval(of: Interval, unit: &str) -> String {
    let low = value(Some(of.low), unit);
    match of.high {
        None => format!("at least {low}"),
        Some(high) if of.low == 0.0 && matches!(unit, "%" | "") => format!("at most {}", fine(high, unit)),
        // None at all is no bound of a rate.
        Some(high) if of.low == 0.0 && high > 0.0 && unit == "/s" => {
            format!("below {}", value(Some(high), unit))
        }
        Some(high) => format!("{low} to {}", value(Some(high), unit)),
    }
}

/// A bound near 0 with the digits that distinguish it from 0.
fn fine(bound: f64, unit: &str) -> String {
    if unit != "%" || bound >= 0.01 {
        return value(Some(bound), unit);
    }
    let mut texts = (2..=MOST_DIGITS).map(|digits| format!("{:.digits$}", bound * 100.0));
    let is_apart = |text: &String| text.bytes().any(|digit| (b'1'..=b'9').contains(&digit));
    texts.find(is_apart).unwrap_or_else(|| "0.00".to_owned()) + "%"
}

/// B against A with its interval: `×2.52 [2.41, 2.63]`, or `+2.0ms [1.9ms, 2.2ms]`; empty where there is none.
pub fn effect(score: &Score) -> String {
    let first = score.contrasts.values().next();
    let difference = first.and_then(|contrast| contrast.difference);
    match (score.ratio, difference) {
        (Some(ratio), _) => ratio_text(&ratio),
        (None, Some(difference)) => difference_text(&difference, &score.unit),
        (None, None) => String::new(),
    }
}

/// An arm against the base arm.
pub fn contrast(of: &Contrast, unit: &str) -> String {
    match (&of.ratio, &of.difference) {
        (Some(ratio), _) => ratio_text(ratio),
        (None, Some(difference)) => difference_text(difference, unit),
        (None, None) => String::new(),
    }
}

fn ratio_text(of: &Measured) -> String {
    // Brackets that are apart have a ratio's interval and no ratio.
    let sign = if of.value.is_none() && of.interval.is_some() { "×" } else { "" };
    sign.to_owned() + &bracketed(of, |ratio| format!("×{}", times(ratio)), times)
}

fn difference_text(of: &Measured, unit: &str) -> String {
    bracketed(of, |difference| signed(difference, unit), |end| signed(end, unit))
}

fn bracketed(of: &Measured, head: impl Fn(f64) -> String, end: impl Fn(f64) -> String) -> String {
    let bounds = of.interval.map(|interval| {
        format!("[{}, {}]", end(interval.low), interval.high.map_or_else(|| "..".into(), &end))
    });
    let parts = [of.value.map(head), bounds];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// A difference with its sign.
pub fn signed(difference: f64, unit: &str) -> String {
    let sign = if difference < 0.0 { "-" } else { "+" };
    format!("{sign}{}", value(Some(difference.abs()), unit))
}

/// The smallest effect that would have been found: `5.1%` of a ratio, else in the row's unit; empty where it is not known.
pub fn could_see(of: &Contrast, unit: &str) -> String {
    match of.could_see {
        None => String::new(),
        Some(share) if of.ratio.is_some() => format!("{:.1}%", share * 100.0),
        Some(difference) => value(Some(difference), unit),
    }
}

/// What is known of a figure's interval: `95 % interval 2.1ms to 2.6ms, nominal 95 %: the interval covers less`.
pub fn interval_words(of: &Measured, unit: &str) -> String {
    let bounds = of.interval.map(|bounds| format!("95 % interval {}", interval(bounds, unit)));
    let known = [bounds, of.note.map(|note| note.sentence().to_owned())];
    let known: Vec<String> = known.into_iter().flatten().collect();
    if known.is_empty() { "no interval".to_owned() } else { known.join(", ") }
}

/// What the remarks of some families of rows are about; those of all others say what their ratios sit on.
const REMARKS: [(&str, &str); 3] =
    [("culprit", "what grew most"), ("longest_wait", "the longest"), ("pareto_front", "the front")];

/// The remark below a row, or once below all rows of its window that have the same.
pub fn remark(score: &Score) -> Option<String> {
    let text = score.context.as_deref()?;
    let is_of =
        |id: &str| score.id.strip_prefix(id).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    let known = REMARKS.iter().find(|(id, _)| is_of(id));
    let about = known.map_or("beside these ratios", |(_, about)| about);
    Some(format!("{about} ({}): {text}", score.window))
}

/// Seconds as a clock: `02:31`; hours only when there are any.
pub fn clock(seconds: u64) -> String {
    match seconds / 3_600 {
        0 => format!("{:02}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

/// About how long: `48 s`, `3 min`, `1.5 h`.
pub fn about(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{:.1} h", seconds as f64 / 3_600.0),
    }
}

/// Nanoseconds as a clock with `digits` (at most 3) decimals: `02:22.380`.
pub fn clock_ns(ns: u64, digits: usize) -> String {
    let decimals = format!("{:03}", ns / 1_000_000 % 1_000);
    format!("{}.{}", clock(ns / 1_000_000_000), &decimals[..digits.clamp(1, 3)])
}

/// A moment of the run on the load's clock; before its start with a minus.
pub fn load_clock(t: u64, load_start: u64, digits: usize) -> String {
    let sign = if t < load_start { "-" } else { "" };
    format!("{sign}{}", clock_ns(t.abs_diff(load_start), digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_of_time_has_two_digits_or_so() {
        assert_eq!([48, 119, 150, 7_199, 7_200].map(about), ["48 s", "119 s", "3 min", "120 min", "2.0 h"]);
    }

    #[test]
    fn a_remark_is_about_ratios_only_where_there_are_some() {
        let of = |id: &str| {
            let score = Score {
                id: id.into(),
                claim: String::new(),
                measure: String::new(),
                unit: String::new(),
                better: record::Better::Lower,
                window: "steady".into(),
                part_of: None,
                arms: std::collections::BTreeMap::new(),
                margin: None,
                contrasts: std::collections::BTreeMap::new(),
                ratio: None,
                notes: Vec::new(),
                context: Some("words".into()),
                finding: String::new(),
            };
            remark(&score).unwrap_or_default()
        };
        assert_eq!(of("latency_p50"), "beside these ratios (steady): words");
        assert_eq!(of("longest_wait"), "the longest (steady): words");
        assert_eq!(of("longest_wait_slow-feed"), "the longest (steady): words");
        assert_eq!(of("pareto_front"), "the front (steady): words");
        assert_eq!(of("culprit_slow-feed"), "what grew most (steady): words");
    }

    #[test]
    fn a_bound_of_none_is_no_bound_of_nothing() {
        let at_most = |high: f64| interval(Interval::new(0.0, high), "%");
        assert_eq!([0.22, 0.002_7].map(at_most), ["at most 22.0%", "at most 0.27%"]);
        // None of 100,000: z^2 / n.
        assert_eq!(at_most(3.84e-5), "at most 0.004%");
        assert_eq!(at_most(0.0), "at most 0.00%");
        let rate = |high: f64| interval(Interval::new(0.0, high), "/s");
        assert_eq!([200.0, 0.0].map(rate), ["below 200/s", "0.0/s to 0.0/s"]);
    }

    #[test]
    fn values_keep_their_unit_and_no_data_is_a_dash() {
        let shown: Vec<String> = [
            (0.0021, "s"),
            (1.5, "s"),
            (0.0, "s"),
            (0.000_241, "s"),
            (0.098, "%"),
            (43.1, "/s"),
            (1_600.2, "/s"),
            (1.0, YES_OR_NO),
            (64.0 * 1_048_576.0, "B"),
            (5.0, ""),
        ]
        .into_iter()
        .map(|(v, unit)| value(Some(v), unit))
        .collect();
        assert_eq!(
            shown,
            ["2.1ms", "1.50s", "0s", "241µs", "9.8%", "43.1/s", "1,600/s", "yes", "64.0MiB", "5"]
        );
        assert_eq!(
            (ms(None).as_str(), ms(Some(0.0)).as_str(), ms(Some(186.9)).as_str()),
            ("-", "0.00", "187")
        );
        assert_eq!((percent(None).as_str(), percent(Some(0.0)).as_str()), ("-", "0.0%"));
        let ratios = [0.0, 0.000_4, 0.004, 0.05, 2.52, 19.9, 250.0].map(times);
        assert_eq!(ratios, ["0.00", "0.0004", "0.004", "0.05", "2.52", "19.9", "250"]);
        assert_eq!([0.97, 2.52, 19.9].map(short_ratio), ["-3%", "×2.5", "×20"]);
        assert_eq!((value(Some(f64::INFINITY), "s").as_str(), value(None, "s").as_str()), ("never", "-"));
        assert_eq!((clock_ns(142_380_000_000, 3).as_str(), clock(3_725).as_str()), ("02:22.380", "1:02:05"));
    }
}
