//! How much a process records, and the labels it records with.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How much is recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Level {
    /// Nothing.
    Off,
    /// Metrics.
    Metrics,
    /// Metrics, and spans of this share of the requests that bring no decision of their own.
    Sampled(f64),
    /// Metrics and all spans.
    Full,
}

impl Default for Level {
    /// One request in ten: traces to look at, and half of their cost gone.
    fn default() -> Self {
        Self::Sampled(0.1)
    }
}

impl Level {
    /// Whether spans are made at all. A ratio of 0 is not off: half of a span's
    /// cost is the layer, not the export.
    pub const fn traces(self) -> bool {
        matches!(self, Self::Sampled(_) | Self::Full)
    }

    /// Share of root requests that are sampled.
    pub const fn ratio(self) -> f64 {
        match self {
            Self::Off | Self::Metrics => 0.0,
            Self::Sampled(ratio) => ratio,
            Self::Full => 1.0,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Metrics => f.write_str("metrics"),
            Self::Sampled(ratio) => write!(f, "sampled({ratio})"),
            Self::Full => f.write_str("full"),
        }
    }
}

/// Text that is not a level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid telemetry level `{0}`: expected off, metrics, sampled(0.1) or full")]
pub struct LevelParseError(String);

impl FromStr for Level {
    type Err = LevelParseError;

    fn from_str(text: &str) -> Result<Self, LevelParseError> {
        let ratio = |text: &str| text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        match text {
            "off" => Ok(Self::Off),
            "metrics" => Ok(Self::Metrics),
            "full" => Ok(Self::Full),
            "sampled" => Ok(Self::default()),
            _ => text
                .strip_prefix("sampled(")
                .and_then(|rest| rest.strip_suffix(')'))
                .and_then(ratio)
                .map(Self::Sampled)
                .ok_or_else(|| LevelParseError(text.to_owned())),
        }
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The labels of a process in a run.
#[derive(Clone, Debug, Default)]
pub struct ProcessLabels {
    /// The run.
    pub run_id: String,
    /// The scenario.
    pub scenario: String,
    /// The arm.
    pub arm: String,
    /// The topology.
    pub topology: String,
    /// The copy: `feed#0`.
    pub instance: String,
}

/// Where log lines go.
#[derive(Clone, Debug, Default)]
pub enum LogTarget {
    /// Standard error, which the lab keeps as a file.
    #[default]
    Stderr,
    /// A file of its own.
    File(PathBuf),
    /// Nowhere.
    Nowhere,
}

/// Options of [`crate::install`].
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How much is recorded.
    pub level: Level,
    /// The labels of the process.
    pub labels: ProcessLabels,
    /// Collector for OTLP over gRPC, `http://127.0.0.1:4317`; spans are not exported without one.
    pub otlp_endpoint: Option<String>,
    /// Where log lines go.
    pub log: LogTarget,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_read_back() {
        for level in [Level::Off, Level::Metrics, Level::Sampled(0.25), Level::Full] {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        for bad in ["", "on", "sampled(2)", "sampled(x)", "sampled(0.1"] {
            assert!(bad.parse::<Level>().is_err(), "{bad}");
        }
    }
}
