//! Quantities as a scenario writes them: `"250ms"`, `"10%"`, `"280/s"`.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text that is no quantity, with the right form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitError(pub String);

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UnitError {}

/// The longest span that makes sense in a run: a day.
const MAX_DURATION: Duration = Duration::from_secs(86_400);

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
        Self(duration.min(MAX_DURATION))
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
        let wrong = || UnitError(format!("`{text}` is no length of time; write \"250ms\", \"2s\" or \"1m\""));
        let trimmed = text.trim();
        let split = trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or_else(wrong)?;
        let (number, unit) = trimmed.split_at(split);
        let scale = match unit {
            "us" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3_600.0,
            _ => return Err(wrong()),
        };
        let seconds = number.parse::<f64>().map_err(|_| wrong())? * scale;
        if seconds > MAX_DURATION.as_secs_f64() {
            return Err(UnitError(format!("`{text}` is longer than a day, the longest a run may last")));
        }
        // Nanoseconds are rounded: 0.1 s is not a binary fraction.
        Ok(Self(Duration::from_nanos((seconds * 1e9).round() as u64)))
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
        let wrong = || UnitError(format!("`{text}` is no share; write \"10%\" or 0.1, from 0 to 100 %"));
        let trimmed = text.trim();
        let share = match trimmed.strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f64>().map_err(|_| wrong())? / 100.0,
            None => trimmed.parse().map_err(|_| wrong())?,
        };
        if (0.0..=1.0).contains(&share) { Ok(Self(share)) } else { Err(wrong()) }
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

/// More than this is a slip of the finger on one machine.
const MAX_PER_SECOND: f64 = 1e6;

impl Rate {
    /// So many per second; negative and absurd rates are cut.
    pub const fn per_second(rate: f64) -> Self {
        Self(if rate.is_nan() { 0.0 } else { rate.clamp(0.0, MAX_PER_SECOND) })
    }

    /// Per second.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError(format!("`{text}` is no rate; write \"280/s\""));
        let (number, unit) = text.trim().split_once('/').ok_or_else(wrong)?;
        let seconds = match unit.trim() {
            "s" => 1.0,
            "m" | "min" => 60.0,
            _ => return Err(wrong()),
        };
        let rate = number.trim().parse::<f64>().map_err(|_| wrong())? / seconds;
        if !rate.is_finite() || rate < 0.0 {
            return Err(wrong());
        }
        if rate > MAX_PER_SECOND {
            return Err(UnitError(format!(
                "`{text}` is more than a million a second, which no machine here offers"
            )));
        }
        Ok(Self(rate))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

/// How many times: `"10x"`, `"1.5x"`, or a number.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Factor(f64);

impl Factor {
    /// So many times; below 1 is cut to 1, above a million to that.
    pub const fn new(times: f64) -> Self {
        Self(if times.is_nan() { 1.0 } else { times.clamp(1.0, MAX_PER_SECOND) })
    }

    /// At least 1.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Factor {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError(format!("`{text}` is no factor; write \"10x\", from 1x up"));
        let times: f64 = text.trim().trim_end_matches('x').trim().parse().map_err(|_| wrong())?;
        if (1.0..=MAX_PER_SECOND).contains(&times) { Ok(Self(times)) } else { Err(wrong()) }
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

const BYTE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError(format!("`{text}` is no size; write \"64KiB\", \"4MiB\" or \"1GiB\""));
        let trimmed = text.trim();
        let unit = BYTE_UNITS.into_iter().find_map(|(unit, size)| Some((trimmed.strip_suffix(unit)?, size)));
        let (number, size) = unit.ok_or_else(wrong)?;
        let bytes = number.trim().parse::<f64>().map_err(|_| wrong())? * size as f64;
        // A tebibyte is more than any machine this runs on has.
        if (0.0..=1e12).contains(&bytes) { Ok(Self(bytes as u64)) } else { Err(wrong()) }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = BYTE_UNITS.into_iter().find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size));
        let (unit, size) = whole.unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / size)
    }
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
        let text = match Share::deserialize(deserializer)? {
            Share::Number(number) => number.to_string(),
            Share::Text(text) => text,
        };
        text.parse().map_err(de::Error::custom)
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
