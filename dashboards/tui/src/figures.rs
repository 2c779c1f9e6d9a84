//! Numbers for people: short, with their unit, and `-` where there is no data.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands where nothing was measured: never a zero.
pub(crate) const NO_DATA: &str = "-";

/// A latency in milliseconds without its unit: `0.42`, `9.4`, `187`.
pub(crate) fn ms(value: Option<f64>) -> String {
    match value {
        None => NO_DATA.into(),
        Some(v) if !v.is_finite() => NO_DATA.into(),
        Some(v) if v < 1.0 => format!("{v:.2}"),
        Some(v) if v < 100.0 => format!("{v:.1}"),
        Some(v) => format!("{v:.0}"),
    }
}

/// A share, 0 to 1, in percent: `9.8%`.
pub(crate) fn percent(share: Option<f64>) -> String {
    share.filter(|s| s.is_finite()).map_or_else(|| NO_DATA.into(), |s| format!("{:.1}%", s * 100.0))
}

/// A rate or a count: `0.4`, `43`, `12.3k`.
pub(crate) fn count(value: Option<f64>) -> String {
    match value {
        None => NO_DATA.into(),
        Some(v) if !v.is_finite() => NO_DATA.into(),
        Some(v) if v >= 100_000.0 => format!("{:.0}k", v / 1_000.0),
        Some(v) if v >= 10_000.0 => format!("{:.1}k", v / 1_000.0),
        Some(v) if v >= 10.0 || v.fract() == 0.0 => format!("{v:.0}"),
        Some(v) => format!("{v:.1}"),
    }
}

/// A value in one of the record's units: seconds, share, per second, bytes, bare.
pub(crate) fn value(value: Option<f64>, unit: &str) -> String {
    let Some(v) = value else { return NO_DATA.into() };
    if !v.is_finite() {
        return "never".into();
    }
    match unit {
        "s" if v.abs() >= 1.0 => format!("{v:.2}s"),
        "s" if v.abs() >= 1e-3 => format!("{:.1}ms", v * 1e3),
        "s" if v == 0.0 => "0s".into(),
        "s" => format!("{:.0}us", v * 1e6),
        "%" => format!("{:.1}%", v * 100.0),
        "/s" => format!("{v:.1}/s"),
        "B" => format!("{:.1}MiB", v / 1_048_576.0),
        _ if v.fract() == 0.0 => format!("{v:.0}{unit}"),
        _ => format!("{v:.2}{unit}"),
    }
}

/// B over A: `×2.5` above ten percent apart or so, `-3%` near one.
pub(crate) fn ratio(ratio: f64, ascii: bool) -> String {
    let times = if ascii { 'x' } else { '×' };
    match ratio {
        r if !r.is_finite() => NO_DATA.into(),
        r if (0.5..1.5).contains(&r) => format!("{:+.0}%", (r - 1.0) * 100.0),
        r if r >= 10.0 => format!("{times}{r:.0}"),
        r => format!("{times}{r:.1}"),
    }
}

/// Seconds as a clock: `02:31`; hours only when there are any.
pub(crate) fn clock(seconds: u64) -> String {
    match seconds / 3_600 {
        0 => format!("{:02}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

/// Nanoseconds as a clock with `digits` (at most 3) decimals: `02:22.380`.
pub(crate) fn clock_ns(ns: u64, digits: usize) -> String {
    let decimals = format!("{:03}", ns / 1_000_000 % 1_000);
    format!("{}.{}", clock(ns / 1_000_000_000), &decimals[..digits.clamp(1, 3)])
}

/// A moment of the run on the load's clock; before its start with a minus.
pub(crate) fn load_clock(t: u64, load_start: u64, digits: usize) -> String {
    let sign = if t < load_start { "-" } else { "" };
    format!("{sign}{}", clock_ns(t.abs_diff(load_start), digits))
}

/// A step's number as every view shows it: `①`, or `1` in brackets beyond twenty and in ASCII.
pub(crate) fn number(number: u32, ascii: bool) -> String {
    match number {
        1..=20 if !ascii => char::from_u32(0x245F + number).map(String::from).unwrap_or_default(),
        n => format!("[{n}]"),
    }
}

/// Cells a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text cut to `cells`, its last cell `…` (`~` in ASCII) where something is missing.
pub(crate) fn cut(text: &str, cells: usize, ascii: bool) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    if cells == 0 {
        return String::new();
    }
    let mut short = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > cells - 1 {
            break;
        }
        used += wide;
        short.push(c);
    }
    short.push(if ascii { '~' } else { '…' });
    short
}

/// Padded with blanks on the right to `cells`, cut if longer.
pub(crate) fn left(text: &str, cells: usize, ascii: bool) -> String {
    let text = cut(text, cells, ascii);
    let blank = cells.saturating_sub(width(&text));
    text + &" ".repeat(blank)
}

/// Padded with blanks on the left to `cells`, never cut: a number without its last digits lies.
pub(crate) fn right(text: &str, cells: usize) -> String {
    " ".repeat(cells.saturating_sub(width(text))) + text
}

/// Broken at blanks into lines of at most `cells`; a longer word is cut in pieces.
pub(crate) fn wrap(text: &str, cells: usize) -> Vec<String> {
    let cells = cells.max(1);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && width(&line) + 1 + width(word) > cells {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if width(&line) + c.width().unwrap_or(0) > cells {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_data_is_a_dash_and_zero_is_a_zero() {
        assert_eq!((ms(None).as_str(), ms(Some(0.0)).as_str()), ("-", "0.00"));
        assert_eq!((percent(None).as_str(), percent(Some(0.0)).as_str()), ("-", "0.0%"));
        assert_eq!((value(None, "s").as_str(), value(Some(0.0), "s").as_str()), ("-", "0s"));
    }

    #[test]
    fn values_keep_their_unit() {
        let shown: Vec<String> =
            [(0.0021, "s"), (1.5, "s"), (0.098, "%"), (431.0, "/s"), (64.0 * 1_048_576.0, "B"), (5.0, "")]
                .into_iter()
                .map(|(v, unit)| value(Some(v), unit))
                .collect();
        assert_eq!(shown, ["2.1ms", "1.50s", "9.8%", "431.0/s", "64.0MiB", "5"]);
        assert_eq!(value(Some(f64::INFINITY), "s"), "never");
    }

    #[test]
    fn text_fits_the_cells_it_is_given() {
        assert_eq!(cut("follower", 5, false), "foll…");
        assert_eq!(cut("follower", 0, false), "");
        assert_eq!(left("feed", 6, true), "feed  ");
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(clock_ns(142_380_000_000, 3), "02:22.380");
    }
}
