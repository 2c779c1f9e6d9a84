//! The JSON Schemas of quantities: each accepts the text its reader accepts, and no other.
//!
//! Spaces are allowed where the readers strip them. Other rooms build the schemas of texts that
//! contain quantities from [`patterns`].

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{ByteSize, Factor, HumanDuration, Rate, Ratio};

/// Regular expressions of quantities, without anchors and without the spaces around them.
pub mod patterns {
    pub use super::super::decimal::integers;
    use super::super::decimal::{at_most, from_one_to};
    use super::super::{
        BYTE_UNITS, DURATION_UNITS, MAX_BYTES, MAX_PER_SECOND, MAX_SECONDS, MAX_TIMES, RATE_UNITS,
    };

    /// A [`super::HumanDuration`].
    pub fn duration() -> String {
        let units = DURATION_UNITS.map(|(unit, ns)| {
            let limit = MAX_SECONDS as u128 * 1_000_000_000 / u128::from(ns);
            format!("{}{unit}", at_most(u64::try_from(limit).unwrap_or(u64::MAX)))
        });
        format!("(?:{})", units.join("|"))
    }

    /// A [`super::HumanDuration`] longer than nothing.
    pub fn positive_duration() -> String {
        format!("(?![0.]+[a-z]){}", duration())
    }

    /// A [`super::Ratio`] as text.
    pub fn ratio() -> String {
        format!("(?:{} *%|{})", at_most(100), at_most(1))
    }

    /// A [`super::Rate`]; `space` is what may stand around its slash.
    pub fn rate(space: &str) -> String {
        let units = RATE_UNITS
            .map(|(unit, seconds)| format!("{}{space}/{space}{unit}", at_most(MAX_PER_SECOND * seconds)));
        format!("(?:{})", units.join("|"))
    }

    /// A [`super::Factor`]; `space` is what may stand before its `x`.
    pub fn factor(space: &str) -> String {
        format!("{}(?:{space}x)?", from_one_to(MAX_TIMES))
    }

    /// A [`super::ByteSize`].
    pub fn byte_size() -> String {
        let units = BYTE_UNITS.map(|(unit, size)| format!("{} *{unit}", at_most(MAX_BYTES / size)));
        format!("(?:{})", units.join("|"))
    }
}

/// A schema of text that matches a pattern, with spaces around it.
pub fn text(pattern: &str, description: &str, examples: &[&str]) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": format!("^ *{pattern} *$"),
        "description": description,
        "examples": examples,
    })
}

macro_rules! quantity {
    ($type:ident, $schema:expr) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

quantity!(
    HumanDuration,
    text(&patterns::duration(), "a length of time, at most a day", &["250ms", "2s", "1m"])
);
quantity!(Rate, text(&patterns::rate(" *"), "events per second or minute", &["280/s", "12/m"]));
quantity!(Factor, text(&patterns::factor(" *"), "how many times, from 1 up", &["10x", "1.5x"]));
quantity!(ByteSize, text(&patterns::byte_size(), "an amount of memory or data", &["64KiB", "4MiB", "1GiB"]));
quantity!(
    Ratio,
    json_schema!({
        "description": "a share of the whole",
        "examples": ["10%", 0.1],
        "anyOf": [
            { "type": "number", "minimum": 0, "maximum": 1 },
            { "type": "string", "pattern": format!("^ *{} *$", patterns::ratio()) },
        ],
    })
);
