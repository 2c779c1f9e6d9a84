//! Decimal numbers as quantities write them, and regular expressions that accept the same text.
//!
//! A number has digits and perhaps a fraction: no sign, no exponent. Its limits are compared digit
//! by digit, so that the reader and a schema agree on every text, however many digits it has.

/// A number of a quantity, with its limits checked on the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal<'t> {
    text: &'t str,
    /// The digits before the point, without leading zeros.
    whole: &'t str,
    has_fraction: bool,
}

impl<'t> Decimal<'t> {
    /// Reads a number; `None` where the text is anything else.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        (is_digits(whole) && is_digits(fraction)).then(|| Self {
            text,
            whole: whole.trim_start_matches('0'),
            has_fraction: fraction.bytes().any(|b| b != b'0'),
        })
    }

    /// The nearest number of double precision.
    pub(super) fn value(self) -> f64 {
        self.text.parse().unwrap_or(f64::INFINITY)
    }

    /// Whether it is 0.
    pub(super) fn is_zero(self) -> bool {
        self.whole.is_empty() && !self.has_fraction
    }

    /// Whether it is at least 1.
    pub(super) fn is_at_least_one(self) -> bool {
        !self.whole.is_empty()
    }

    /// Whether it is at most `limit`.
    pub(super) fn is_at_most(self, limit: u64) -> bool {
        let whole = if self.whole.is_empty() { Some(0) } else { self.whole.parse::<u64>().ok() };
        whole.is_some_and(|whole| whole < limit || (whole == limit && !self.has_fraction))
    }
}

/// Digits without a point, at most `limit`, as readers of counts take them.
pub(super) fn count(text: &str, limit: u32) -> Option<u32> {
    let is_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|count| is_digits && *count <= limit)
}

/// Numbers from 0 to `limit`.
pub(super) fn at_most(limit: u64) -> String {
    format!("(?:(?:0+|0*{})(?:\\.[0-9]+)?|0*{limit}(?:\\.0+)?)", integers(limit - 1))
}

/// Numbers from 1 to `limit`.
pub(super) fn from_one_to(limit: u64) -> String {
    format!("(?:0*{}(?:\\.[0-9]+)?|0*{limit}(?:\\.0+)?)", integers(limit - 1))
}

/// Whole numbers from 1 to `limit`, without leading zeros.
pub fn integers(limit: u64) -> String {
    let digits = limit.to_string();
    let any = |count: usize| match count {
        0 => String::new(),
        1 => "[0-9]".to_owned(),
        count => format!("[0-9]{{{count}}}"),
    };
    let mut choices = Vec::new();
    if digits.len() > 1 {
        choices.push(format!("[1-9][0-9]{{0,{}}}", digits.len() - 2));
    }
    for (place, digit) in digits.bytes().enumerate() {
        // Equal to the limit so far, smaller here, anything after.
        let lowest = if place == 0 { b'1' } else { b'0' };
        if digit > lowest {
            let (prefix, rest) = (&digits[..place], any(digits.len() - place - 1));
            choices.push(format!("{prefix}[{}-{}]{rest}", char::from(lowest), char::from(digit - 1)));
        }
    }
    choices.push(digits);
    format!("(?:{})", choices.join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_digits_and_perhaps_a_fraction() {
        for (text, value) in [("0", 0.0), ("007", 7.0), ("1.5", 1.5), ("0.250", 0.25)] {
            assert_eq!(Decimal::parse(text).map(Decimal::value), Some(value), "{text}");
        }
        for bad in ["", ".", ".5", "5.", "-1", "+1", "1e3", "1_000", "inf", "1.2.3", " 1"] {
            assert!(Decimal::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn limits_hold_beyond_the_precision_of_a_double() {
        let number = |text| Decimal::parse(text).expect("a number");
        assert!(number("24").is_at_most(24) && number("24.000").is_at_most(24));
        assert!(!number("24.00000000000000000001").is_at_most(24));
        assert!(!number("99999999999999999999999").is_at_most(u64::MAX));
        assert!(number("0.0").is_zero() && !number("0.0000000000000000000001").is_zero());
    }
}
