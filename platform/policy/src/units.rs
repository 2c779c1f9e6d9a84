//! Quantities as a scenario writes them: `"250ms"`, `"10%"`, `"280/s"`.

mod decimal;
pub mod schema;

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use self::decimal::Decimal;

/// Text that is no quantity, with the right form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitError(pub String);

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UnitError {}

/// The longest duration that makes sense in a run, seconds: a day.
const MAX_SECONDS: u64 = 86_400;
/// What a call, a wait between tries or a work may take: no client waits longer.
pub const MAX_WAIT: HumanDuration = HumanDuration::from_millis(60_000);
/// How far back a policy looks, or how long it holds: a third of the longest run.
pub const MAX_LENGTH: HumanDuration = HumanDuration::from_millis(600_000);
/// Units of a duration, with their nanoseconds; `ms` before `m`, or its `s` would be left over.
const DURATION_UNITS: [(&str, u64); 6] = [
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// A length of time: `"250us"`, `"250ms"`, `"2s"`, `"1.5m"`, `"1h"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HumanDuration(Duration);

impl HumanDuration {
    /// A span of whole milliseconds.
    pub const fn from_millis(ms: u64) -> Self {
        Self(Duration::from_millis(ms))
    }

    /// As the standard library has it.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Nanoseconds, what policies count in.
    pub const fn nanos(self) -> u64 {
        self.0.as_nanos() as u64
    }
}

impl From<Duration> for HumanDuration {
    fn from(duration: Duration) -> Self {
        Self(duration.min(Duration::from_secs(MAX_SECONDS)))
    }
}

impl From<HumanDuration> for Duration {
    fn from(span: HumanDuration) -> Self {
        span.0
    }
}

impl FromStr for HumanDuration {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || {
            UnitError(format!(
                "invalid duration `{text}`: expected a number with a unit, e.g. \"250ms\", \"2s\" or \"1m\""
            ))
        };
        let trimmed = trim(text);
        let split = trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or_else(wrong)?;
        let (number, unit) = trimmed.split_at(split);
        let (_, unit_ns) = DURATION_UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let number = Decimal::parse(number).ok_or_else(wrong)?;
        if !number.is_at_most((u128::from(MAX_SECONDS) * 1_000_000_000 / u128::from(unit_ns)) as u64) {
            return Err(UnitError(format!(
                "invalid duration `{text}`: expected at most a day, e.g. \"24h\""
            )));
        }
        // Nanoseconds are rounded: 0.1 s is not a binary fraction. Only 0 is no time at all.
        let ns = (number.value() * unit_ns as f64).round() as u64;
        Ok(Self(Duration::from_nanos(ns.max(u64::from(!number.is_zero())))))
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.as_nanos();
        let (value, unit) = match ns {
            0 => (0.0, "s"),
            ns if ns % 60_000_000_000 == 0 => (ns as f64 / 6e10, "m"),
            ns if ns >= 1_000_000_000 => (ns as f64 / 1e9, "s"),
            ns if ns >= 1_000_000 => (ns as f64 / 1e6, "ms"),
            ns => (ns as f64 / 1e3, "us"),
        };
        write!(f, "{value}{unit}")
    }
}

/// A share: `"10%"`, or a number from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Ratio(f64);

impl Ratio {
    /// A share from 0 to 1; anything else is cut to it.
    pub const fn new(share: f64) -> Self {
        Self(if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) })
    }

    /// From 0 to 1.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Ratio {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || {
            UnitError(format!(
                "invalid share `{text}`: expected 0% to 100%, or a number from 0 to 1, e.g. \"10%\" or 0.1"
            ))
        };
        let trimmed = trim(text);
        let (number, limit) = trimmed.strip_suffix('%').map_or((trimmed, 1), |percent| (trim(percent), 100));
        let number = Decimal::parse(number).filter(|number| number.is_at_most(limit)).ok_or_else(wrong)?;
        Ok(Self(number.value() / limit as f64))
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 0.07 is 7.000000000000001 % otherwise; one in a million must not become none.
        write!(f, "{}%", (self.0 * 1e11).round() / 1e9)
    }
}

/// Events per second: `"280/s"`, `"12/m"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Rate(f64);

/// Highest rate, per second: more than this is a slip of the finger on one machine.
const MAX_PER_SECOND: u64 = 1_000_000;
/// Units of a rate, with their seconds.
const RATE_UNITS: [(&str, u64); 3] = [("s", 1), ("m", 60), ("min", 60)];

impl Rate {
    /// So many per second; negative and absurd rates are cut.
    pub const fn per_second(rate: f64) -> Self {
        Self(if rate.is_nan() { 0.0 } else { rate.clamp(0.0, MAX_PER_SECOND as f64) })
    }

    /// Per second.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || {
            let hint = match Decimal::parse(trim(text)) {
                Some(_) => format!("; did you mean \"{}/s\"?", trim(text)),
                None => ", e.g. \"280/s\"".to_owned(),
            };
            UnitError(format!("invalid rate `{text}`: expected a number with a unit{hint}"))
        };
        let (number, unit) = text.split_once('/').ok_or_else(wrong)?;
        let (_, seconds) = RATE_UNITS.into_iter().find(|(name, _)| *name == trim(unit)).ok_or_else(wrong)?;
        let number = Decimal::parse(trim(number)).ok_or_else(wrong)?;
        if !number.is_at_most(MAX_PER_SECOND * seconds) {
            return Err(UnitError(format!(
                "invalid rate `{text}`: expected at most a million a second, more than one machine offers"
            )));
        }
        Ok(Self(number.value() / seconds as f64))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

/// Highest factor.
const MAX_TIMES: u64 = 1_000_000;

/// How many times: `"10x"`, `"1.5x"`, or a number.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Factor(f64);

impl Factor {
    /// So many times; below 1 is cut to 1, above a million to that.
    pub const fn new(times: f64) -> Self {
        Self(if times.is_nan() { 1.0 } else { times.clamp(1.0, MAX_TIMES as f64) })
    }

    /// At least 1.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Factor {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong =
            || UnitError(format!("invalid factor `{text}`: expected a number from 1 up, e.g. \"10x\""));
        let trimmed = trim(text);
        let times = Decimal::parse(trim(trimmed.strip_suffix('x').unwrap_or(trimmed))).ok_or_else(wrong)?;
        if times.is_at_least_one() && times.is_at_most(MAX_TIMES) {
            Ok(Self(times.value()))
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x", self.0)
    }
}

/// An amount of memory or of data: `"512B"`, `"64KiB"`, `"4MiB"`, `"1GiB"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

impl ByteSize {
    /// So many bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Largest size: a tebibyte is more than any machine this runs on has.
const MAX_BYTES: u64 = 1 << 40;
/// Units of a size, with their bytes; `B` last, because all end in it.
const BYTE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || {
            UnitError(format!(
                "invalid size `{text}`: expected a number with a unit, e.g. \"64KiB\", \"4MiB\" or \"1GiB\""
            ))
        };
        let trimmed = trim(text);
        let unit = BYTE_UNITS.into_iter().find_map(|(unit, size)| Some((trimmed.strip_suffix(unit)?, size)));
        let (number, size) = unit.ok_or_else(wrong)?;
        let number = Decimal::parse(trim(number)).ok_or_else(wrong)?;
        if number.is_at_most(MAX_BYTES / size) {
            Ok(Self((number.value() * size as f64) as u64))
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = BYTE_UNITS.into_iter().find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size));
        let (unit, size) = whole.unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / size)
    }
}

/// The text without the spaces around it.
fn trim(text: &str) -> &str {
    text.trim_matches(' ')
}

/// Reads a whole number of at most `limit`, as digits; other rooms' texts have such counts in them.
pub fn count(text: &str, limit: u32) -> Option<u32> {
    decimal::count(trim(text), limit)
}

/// Reads a quantity from text; anything else is refused with the right form.
struct QuantityVisitor<T>(&'static str, PhantomData<T>);

impl<T: FromStr<Err = UnitError>> Visitor<'_> for QuantityVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(QuantityVisitor("a length of time such as \"250ms\"", PhantomData))
    }
}

impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Share {
            Number(f64),
            Text(String),
        }
        match Share::deserialize(deserializer)? {
            Share::Number(number) if (0.0..=1.0).contains(&number) => Ok(Self(number)),
            Share::Number(number) => number.to_string().parse().map_err(de::Error::custom),
            Share::Text(text) => text.parse().map_err(de::Error::custom),
        }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(QuantityVisitor("a rate such as \"280/s\"", PhantomData))
    }
}

impl Serialize for Factor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Factor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(QuantityVisitor("a factor such as \"10x\"", PhantomData))
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(QuantityVisitor("a size such as \"4MiB\"", PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_and_sizes_read_and_print() {
        assert_eq!("10x".parse::<Factor>().expect("a factor").to_string(), "10x");
        assert_eq!("4MiB".parse::<ByteSize>().expect("a size"), ByteSize::new(4 << 20));
        for (text, shown) in [("64KiB", "64KiB"), ("1.5KiB", "1536B"), ("2048MiB", "2GiB"), ("0B", "0B")] {
            assert_eq!(text.parse::<ByteSize>().expect(text).to_string(), shown);
        }
        for bad in ["0.5x", "x", "", "-2x", "1e9x"] {
            assert!(bad.parse::<Factor>().is_err(), "{bad}");
        }
        for bad in ["4", "4MB", "-1KiB", "9000000GiB", "é"] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
        }
    }

    #[test]
    fn spans_read_and_print() {
        for (text, ms, shown) in [
            ("250ms", 250, "250ms"),
            ("2s", 2_000, "2s"),
            ("1.5s", 1_500, "1.5s"),
            ("1m", 60_000, "1m"),
            ("90s", 90_000, "90s"),
        ] {
            let span: HumanDuration = text.parse().expect(text);
            assert_eq!((span, span.to_string().as_str()), (HumanDuration::from_millis(ms), shown));
        }
        for bad in ["", "5", "ms", "-1s", "1 fortnight", "1e400s", "999999h", "é"] {
            assert!(bad.parse::<HumanDuration>().is_err(), "{bad}");
        }
    }

    #[test]
    fn shares_read_and_print() {
        assert_eq!("7%".parse::<Ratio>().expect("a share").to_string(), "7%");
        assert_eq!("0.25".parse::<Ratio>().expect("a share").get(), 0.25);
        for bad in ["101%", "-1%", "1.5", "ten", "NaN"] {
            assert!(bad.parse::<Ratio>().is_err(), "{bad}");
        }
    }

    #[test]
    fn rates_read_and_print() {
        assert_eq!("280/s".parse::<Rate>().expect("a rate").to_string(), "280/s");
        assert_eq!("120/m".parse::<Rate>().expect("a rate").get(), 2.0);
        for bad in ["280", "280/h", "-1/s", "x/s", "inf/s", "2000000/s"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }
}
