//! A check's value beside its limit: the limit as it was written, and the value in digits enough to differ from it.

use record::Check;

use crate::format;

/// Digits that a value gets at most beyond those of its limit.
const MORE_DIGITS: usize = 6;
/// Units of limits and of figures, with what one of them is in the record's unit.
const UNITS: [(&str, f64); 13] = [
    ("", 1.0),
    ("%", 0.01),
    ("/s", 1.0),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("ms", 1e-3),
    ("KiB", 1_024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("s", 1.0),
    ("min", 60.0),
    ("m", 60.0),
    ("B", 1.0),
];

/// The limit that an expectation has, as it was written: `0.04%`; none where it compares two measures, or is a
/// condition by itself.
pub fn written(expectation: &str) -> Option<&str> {
    let mut at = 0;
    let limit = loop {
        let rest = expectation.get(at..)?;
        if let Some(rest) = rest.strip_prefix("->") {
            at = expectation.len() - rest.len();
            continue;
        }
        let signs = rest.chars().take_while(|c| "<>=".contains(*c)).count();
        if signs > 0 {
            break rest[signs..].trim_start();
        }
        at += rest.chars().next()?.len_utf8();
    };
    let (quantity, rest) = limit.split_at(limit.find(char::is_whitespace).unwrap_or(limit.len()));
    let is_quantity = quantity.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let is_factor = quantity.contains('*') || rest.trim_start().starts_with('*');
    (is_quantity && !is_factor).then_some(quantity)
}

/// A check's value and its limit, for people. Where both would look the same, the value has the unit of the limit and
/// digits enough to differ: `0.031%` beside `0.04%`. A limit that is a figure as well has as many.
pub fn value_and_limit(check: &Check) -> (String, String) {
    let value = format::measured(&check.measured(), &check.unit);
    let limit = format::value(check.limit, &check.unit);
    // `3.00` is no other number than `3`, nor `100.0/s` another rate than `100/s`.
    let is_one_number =
        || quantity(&value).zip(quantity(&limit)).is_some_and(|(one, other)| is_same(one, other));
    let is_alike = check.value != check.limit && (value == limit || is_one_number());
    let numbers = check.value.zip(check.limit).filter(|_| is_alike);
    match written(&check.text).filter(|_| check.limit.is_some()) {
        Some(written) => {
            let finer = numbers.and_then(|(number, _)| finer(number, written));
            (finer.unwrap_or(value), written.to_owned())
        }
        None => numbers.and_then(|numbers| apart(numbers, &limit)).unwrap_or((value, limit)),
    }
}

/// Digits behind the point of a quantity, and its unit with what one of it is in the record's unit.
fn precision(quantity: &str) -> Option<(usize, &str, f64)> {
    let end = quantity.find(|c: char| !(c.is_ascii_digit() || ".,".contains(c))).unwrap_or(quantity.len());
    let (number, symbol) = quantity.split_at(end);
    let (_, scale) = UNITS.iter().find(|(unit, _)| *unit == symbol)?;
    let digits = number.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    Some((digits, symbol, *scale))
}

/// What a quantity that is shown stands for, in the record's unit; none of what is no plain quantity, such as a bound.
fn quantity(shown: &str) -> Option<f64> {
    let (_, symbol, scale) = precision(shown)?;
    let number: f64 = shown.strip_suffix(symbol)?.replace(',', "").parse().ok()?;
    Some(number * scale)
}

/// Whether two numbers differ by no more than a multiplication rounds by.
fn is_same(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-12 * one.abs()
}

/// Two figures that look alike, as `shown`, with as many more digits as it takes to differ.
fn apart((value, limit): (f64, f64), shown: &str) -> Option<(String, String)> {
    let (digits, symbol, scale) = precision(shown)?;
    let mut texts = (digits + 1..=digits + MORE_DIGITS)
        .map(|digits| [value, limit].map(|number| format!("{:.digits$}{symbol}", number / scale)));
    texts.find(|[value, limit]| value != limit).map(Into::into)
}

/// A number in the unit of a limit, with as many more digits as it takes to differ from it.
fn finer(number: f64, written: &str) -> Option<String> {
    let (digits, symbol, scale) = precision(written)?;
    let limit: f64 = written.strip_suffix(symbol)?.parse().ok()?;
    let mut texts = (digits + 1..=digits + MORE_DIGITS).map(|digits| format!("{:.digits$}", number / scale));
    let differs = |text: &String| text.parse::<f64>().is_ok_and(|shown| shown != limit);
    texts.find(differs).map(|text| text + symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_from_the_text_of_its_expectation() {
        for (text, limit) in [
            ("errors(all) < 0.04%", Some("0.04%")),
            ("availability(all) in leak >= 99.96% for micro", Some("99.96%")),
            ("attempts(feed->follower) in after>=3.5 held 2s", Some("3.5")),
            ("0.5 * p50(all) <= 2ms", Some("2ms")),
            ("lost_writes() == 0", Some("0")),
            ("p50(all) for micro <= 2 * p50(all) for mono", None),
            ("p50(all) for micro <= 2* p50(all) for mono", None),
            ("p50(all) for micro < p50(all) for mono", None),
            ("breaker_open(feed->photo)", None),
            ("", None),
        ] {
            assert_eq!(written(text), limit, "{text}");
        }
    }

    #[test]
    fn a_limit_is_shown_as_written_and_a_value_differs_from_it() {
        let shown = |text: &str, unit: &str, value: f64, limit: f64| {
            let check = Check {
                id: 0,
                text: text.into(),
                arm: 'A',
                value: Some(value),
                limit: Some(limit),
                unit: unit.into(),
                margin: None,
                n: 1,
                verdict: record::Verdict::Pass,
                reason: String::new(),
                interval: None,
                is_censored: false,
                note: None,
                since_ns: None,
            };
            let (value, limit) = value_and_limit(&check);
            format!("{value} {limit}")
        };
        assert_eq!(shown("errors(all) < 0.04%", "%", 0.000_31, 0.000_4), "0.031% 0.04%");
        assert_eq!(shown("errors(all) < 0.04%", "%", 0.000_399_9, 0.000_4), "0.03999% 0.04%");
        assert_eq!(shown("availability(all) >= 99.96%", "%", 0.999_9, 0.999_6), "99.990% 99.96%");
        assert_eq!(shown("procs.pss < 50KiB", "B", 42_000.0, 51_200.0), "41.0KiB 50KiB");
        assert_eq!(shown("cpu < 0.004", "", 0.003, 0.004), "0.0030 0.004");
        assert_eq!(shown("recovery(all) <= 1m", "s", 60.004, 60.0), "1.0001m 1m");
        assert_eq!(shown("staleness_p99() <= 2min", "s", 119.998, 120.0), "1.99997min 2min");
        assert_eq!(shown("p99(all) <= 150ms", "s", 0.187, 0.15), "187.0ms 150ms", "they differ as they are");
        assert_eq!(shown("p50(all) <= 2s", "s", 2.0, 2.0), "2.00s 2s", "they are the same");
        assert_eq!(shown("p50(all) for a <= 2 * p50(all) for b", "s", 0.001, 0.002), "1.0ms 2.0ms");
        assert_eq!(shown("hops <= 3", "", 3.004, 3.0), "3.004 3", "it is more than 3");
        assert_eq!(shown("attempts(feed->photo) >= 3", "", 2.998, 3.0), "2.998 3");
        assert_eq!(shown("rate(all) >= 100/s", "/s", 99.96, 100.0), "99.96/s 100/s");
        assert_eq!(shown("rate(all) >= 1000/s", "/s", 999.96, 1_000.0), "999.96/s 1000/s");
        assert_eq!(shown("p99(all) < 1s", "s", 0.999_96, 1.0), "0.99996s 1s");
        assert_eq!(shown("p50(all) < 1ms", "s", 0.000_999_6, 0.001), "0.9996ms 1ms");
        assert_eq!(shown("hops == 3", "", 3.0, 3.0), "3 3");
        let compared = "p50(all) for a <= p50(all) for b";
        assert_eq!(shown(compared, "/s", 99.96, 100.2), "100.0/s 100.2/s");
        assert_eq!(shown(compared, "s", 0.001_004, 0.001_001), "1.004ms 1.001ms", "both are figures");
        assert_eq!(shown(compared, "s", 0.000_241_2, 0.000_241_4), "241.2µs 241.4µs");
        assert_eq!(shown(compared, "", 0.123, 0.123_4), "0.1230 0.1234");
        assert_eq!(shown(compared, "/s", 1_600.2, 1_600.4), "1600.2/s 1600.4/s");
        assert_eq!(shown(compared, "s", 0.001, 0.001), "1.0ms 1.0ms", "they are the same");
    }
}
