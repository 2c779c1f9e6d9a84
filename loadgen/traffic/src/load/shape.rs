//! Shape of the rate within a phase: level, ramp, steps, sine, flash crowd.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use policy::units::schema::{patterns, text};
use policy::units::{Factor, HumanDuration, Rate, Ratio, UnitError};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, de};

/// The rate over a phase, as a scenario writes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// `"150/s"`, or `"150/s -> 300/s"`: linear from one to the other.
    Ramp {
        /// At the phase's start.
        from: Rate,
        /// At its end.
        to: Rate,
    },
    /// `"100/s, 125/s, 156/s"`: steps of equal length.
    Steps(Vec<Rate>),
    /// `"100/s diurnal 60% per 60s"`: a sine wave around `base`, starting at `base`.
    Diurnal {
        /// Mean.
        base: Rate,
        /// Amplitude of the wave, as a share of the mean.
        amplitude: Ratio,
        /// Length of a period.
        period: HumanDuration,
    },
    /// `"50/s flash-crowd 5x rise 2s hold 20s decay 10s"`, from the phase's start on.
    FlashCrowd {
        /// Rate before and after.
        base: Rate,
        /// Factor at the top.
        by: Factor,
        /// Time to rise.
        rise: HumanDuration,
        /// Time at the top.
        hold: HumanDuration,
        /// Time to decay.
        decay: HumanDuration,
    },
}

const EXAMPLES: [&str; 5] = [
    "100/s",
    "100/s -> 300/s",
    "100/s, 125/s, 156/s",
    "100/s diurnal 60% per 60s",
    "50/s flash-crowd 5x rise 2s hold 20s decay 10s",
];
const DEFAULT_AMPLITUDE: f64 = 0.6;
const DEFAULT_PERIOD: HumanDuration = HumanDuration::from_millis(60_000);
const DEFAULT_RISE: HumanDuration = HumanDuration::from_millis(2_000);
const DEFAULT_HOLD: HumanDuration = HumanDuration::from_millis(20_000);
const DEFAULT_DECAY: HumanDuration = HumanDuration::from_millis(10_000);

impl Default for Shape {
    fn default() -> Self {
        Self::level(Rate::default())
    }
}

impl Shape {
    /// The same rate throughout.
    pub const fn level(rate: Rate) -> Self {
        Self::Ramp { from: rate, to: rate }
    }

    /// The same, so many times as high.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        let times = |rate: Rate| Rate::per_second(rate.get() * factor);
        match self.clone() {
            Self::Ramp { from, to } => Self::Ramp { from: times(from), to: times(to) },
            Self::Steps(levels) => Self::Steps(levels.into_iter().map(times).collect()),
            Self::Diurnal { base, amplitude, period } => {
                Self::Diurnal { base: times(base), amplitude, period }
            }
            Self::FlashCrowd { base, by, rise, hold, decay } => {
                Self::FlashCrowd { base: times(base), by, rise, hold, decay }
            }
        }
    }

    /// The rate it begins with.
    pub fn first(&self) -> Rate {
        match self {
            Self::Ramp { from, .. } => *from,
            Self::Steps(levels) => levels.first().copied().unwrap_or_default(),
            Self::Diurnal { base, .. } | Self::FlashCrowd { base, .. } => *base,
        }
    }

    /// The rate a following phase continues with.
    pub fn last(&self) -> Rate {
        match self {
            Self::Ramp { to, .. } => *to,
            Self::Steps(levels) => levels.last().copied().unwrap_or_default(),
            Self::Diurnal { base, .. } | Self::FlashCrowd { base, .. } => *base,
        }
    }

    /// All rates that occur in its text.
    pub fn levels(&self) -> Vec<Rate> {
        match self {
            Self::Steps(levels) => levels.clone(),
            _ => vec![self.first(), self.last()],
        }
    }

    /// The highest rate, per second.
    pub fn peak(&self) -> f64 {
        let highest = self.levels().into_iter().map(Rate::get).fold(0.0, f64::max);
        match self {
            Self::Diurnal { amplitude, .. } => highest * (1.0 + amplitude.get()),
            Self::FlashCrowd { by, .. } => highest * by.get(),
            Self::Ramp { .. } | Self::Steps(_) => highest,
        }
    }

    /// Per second, `into_ns` after the start of a phase of `length_ns`.
    pub fn at(&self, into_ns: u64, length_ns: u64) -> f64 {
        let share = into_ns as f64 / length_ns.max(1) as f64;
        match self {
            Self::Ramp { from, to } => from.get() + (to.get() - from.get()) * share,
            Self::Steps(levels) => {
                let index = (share * levels.len() as f64) as usize;
                levels[index.min(levels.len() - 1)].get()
            }
            Self::Diurnal { base, amplitude, period } => {
                let turn = into_ns as f64 / ns(*period);
                base.get() * (1.0 + amplitude.get() * (std::f64::consts::TAU * turn).sin())
            }
            Self::FlashCrowd { base, by, rise, hold, decay } => {
                let (rise, hold, decay) = (ns(*rise), ns(*hold), ns(*decay));
                let into = into_ns as f64;
                let risen = if into < rise {
                    into / rise
                } else if into < rise + hold {
                    1.0
                } else {
                    (1.0 - (into - rise - hold) / decay.max(1.0)).max(0.0)
                };
                base.get() * (1.0 + (by.get() - 1.0) * risen)
            }
        }
    }
}

fn ns(span: HumanDuration) -> f64 {
    span.duration().as_nanos() as f64
}

impl FromStr for Shape {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        if let Some((from, to)) = text.split_once("->") {
            return Ok(Self::Ramp { from: from.parse()?, to: to.parse()? });
        }
        if text.contains(',') {
            let levels: Result<_, _> = text.split(',').map(str::parse).collect();
            return levels.map(Self::Steps);
        }
        let mut words = text.split(' ').filter(|word| !word.is_empty());
        let Some((base, kind)) = words.next().zip(words.next()) else { return text.parse().map(Self::level) };
        let base = base.parse()?;
        match kind {
            "diurnal" => {
                let amplitude = words.clone().next().filter(|word| *word != "per");
                if amplitude.is_some() {
                    words.next();
                }
                Ok(Self::Diurnal {
                    base,
                    amplitude: amplitude.map_or(Ok(Ratio::new(DEFAULT_AMPLITUDE)), str::parse)?,
                    period: durations_after(text, words, [("per", DEFAULT_PERIOD)])?[0],
                })
            }
            "flash-crowd" => {
                let by = words.next().unwrap_or("5x").parse()?;
                let [rise, hold, decay] = durations_after(
                    text,
                    words,
                    [("rise", DEFAULT_RISE), ("hold", DEFAULT_HOLD), ("decay", DEFAULT_DECAY)],
                )?;
                Ok(Self::FlashCrowd { base, by, rise, hold, decay })
            }
            _ => Err(invalid_rate(text)),
        }
    }
}

/// Durations after their keywords, in the order of `defaults`, which fill in missing ones.
fn durations_after<'t, const N: usize>(
    text: &str,
    mut words: impl Iterator<Item = &'t str>,
    defaults: [(&str, HumanDuration); N],
) -> Result<[HumanDuration; N], UnitError> {
    let mut spans = defaults.map(|(_, span)| span);
    while let Some(word) = words.next() {
        let index = defaults.iter().position(|(name, _)| *name == word).ok_or_else(|| invalid_rate(text))?;
        let span: HumanDuration = words.next().ok_or_else(|| invalid_rate(text))?.parse()?;
        if span == HumanDuration::default() {
            return Err(invalid_rate(text));
        }
        spans[index] = span;
    }
    Ok(spans)
}

fn invalid_rate(text: &str) -> UnitError {
    UnitError(format!(
        "invalid rate `{text}`: expected \"{}\" or \"30% of slowest\"",
        EXAMPLES.join("\", \"")
    ))
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ramp { from, to } if from == to => write!(f, "{from}"),
            Self::Ramp { from, to } => write!(f, "{from} -> {to}"),
            Self::Steps(levels) => {
                let levels: Vec<String> = levels.iter().map(ToString::to_string).collect();
                f.write_str(&levels.join(", "))
            }
            Self::Diurnal { base, amplitude, period } => write!(f, "{base} diurnal {amplitude} per {period}"),
            Self::FlashCrowd { base, by, rise, hold, decay } => {
                write!(f, "{base} flash-crowd {by} rise {rise} hold {hold} decay {decay}")
            }
        }
    }
}

/// A pattern of the texts that [`Shape`] reads.
pub(super) fn pattern() -> String {
    let (rate, base, length) = (patterns::rate(" *"), patterns::rate(""), patterns::positive_duration());
    let ratio = patterns::ratio().replace(" *%", "%");
    let factor = patterns::factor("");
    format!(
        "(?:{base}|{rate} *-> *{rate}|{rate}(?: *, *{rate})+|{base} +diurnal(?: +{ratio})?(?: +per +{length})*|\
         {base} +flash-crowd(?: +{factor}(?: +(?:rise|hold|decay) +{length})*)?)"
    )
}

impl JsonSchema for Shape {
    fn schema_name() -> Cow<'static, str> {
        "Shape".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        text(&pattern(), "a rate, and how it changes while a phase lasts", &EXAMPLES)
    }
}

impl Serialize for Shape {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn shape(text: &str) -> Shape {
        text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn a_shape_reads_back_what_it_prints() {
        for text in [
            "150/s",
            "0.5/s",
            "150/s -> 300/s",
            "300/s -> 20/s",
            "100/s, 125/s, 156/s",
            "100/s diurnal 60% per 20s",
            "50/s flash-crowd 5x rise 2s hold 20s decay 10s",
        ] {
            assert_eq!(shape(text).to_string(), text);
        }
        assert_eq!(shape("100/s diurnal").to_string(), "100/s diurnal 60% per 1m");
        assert_eq!(shape("50/s flash-crowd").to_string(), "50/s flash-crowd 5x rise 2s hold 20s decay 10s");
        for bad in [
            "",
            "->",
            "1/s ->",
            "-> 1/s",
            "1/s -> 2/s -> 3/s",
            "1/s,",
            "1/s diurnal 200%",
            "1/s diurnal per",
            "1/s diurnal per 0s",
            "1/s flash-crowd 5x fall 2s",
            "1/s crowd",
            "30% of slowest",
        ] {
            assert!(bad.parse::<Shape>().is_err(), "{bad}");
        }
    }

    #[test]
    fn levels_share_a_phase_equally() {
        let steps = shape("100/s, 200/s, 50/s");
        let at = |s: u64| steps.at(s * S, 9 * S);
        assert_eq!([0, 2, 3, 5, 6, 9].map(at), [100.0, 100.0, 200.0, 200.0, 50.0, 50.0]);
        assert_eq!((steps.peak(), steps.first().get(), steps.last().get()), (200.0, 100.0, 50.0));
    }

    #[test]
    fn a_day_swings_about_its_mean() {
        let day = shape("100/s diurnal 60% per 20s");
        let at = |s: u64| day.at(s * S, 60 * S).round();
        assert_eq!([0, 5, 10, 15, 20, 25].map(at), [100.0, 160.0, 100.0, 40.0, 100.0, 160.0]);
        assert_eq!(day.peak(), 160.0);
    }

    #[test]
    fn a_flash_crowd_rises_holds_and_decays() {
        let crowd = shape("50/s flash-crowd 5x rise 2s hold 10s decay 4s");
        let at = |s: u64| crowd.at(s * S, 30 * S).round();
        assert_eq!(
            [0, 1, 2, 11, 12, 14, 16, 29].map(at),
            [50.0, 150.0, 250.0, 250.0, 250.0, 150.0, 50.0, 50.0]
        );
        assert_eq!((crowd.peak(), crowd.last().get()), (250.0, 50.0));
    }
}
