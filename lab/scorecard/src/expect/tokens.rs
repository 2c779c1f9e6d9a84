//! The tokens of an expectation: words, numbers, quantities with a unit.

use super::ExpectError;
use crate::measure::Unit;

/// Largest number of a limit: counts are exact up to here, and no digits make it infinite.
const MAX_NUMBER: f64 = 1e15;

/// Units a number may have: symbol, decimal exponent and factor to the base unit.
const UNITS: [(&str, i32, f64, Unit); 11] = [
    ("%", -2, 1.0, Unit::Share),
    ("/s", 0, 1.0, Unit::Rate),
    ("ms", -3, 1.0, Unit::Time),
    ("us", -6, 1.0, Unit::Time),
    ("min", 0, 60.0, Unit::Time),
    ("KiB", 0, 1024.0, Unit::Bytes),
    ("MiB", 0, 1_048_576.0, Unit::Bytes),
    ("GiB", 0, 1_073_741_824.0, Unit::Bytes),
    ("s", 0, 1.0, Unit::Time),
    ("m", 0, 60.0, Unit::Time),
    ("B", 0, 1.0, Unit::Bytes),
];

/// A text, and how far it has been read.
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Byte offset of what comes next.
    pub const fn position(&self) -> usize {
        self.at
    }

    pub fn error(&self, message: impl Into<String>) -> ExpectError {
        ExpectError { at: self.at.min(self.text.len()), message: message.into() }
    }

    /// What is left, blanks skipped.
    pub fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    /// Takes `token` if it comes next.
    pub fn eat(&mut self, token: &str) -> bool {
        let is_next = self.rest().starts_with(token);
        if is_next {
            self.at += token.len();
        }
        is_next
    }

    /// A word: letters, digits and what names hold.
    pub fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || "_-.#".contains(c))).unwrap_or(rest.len());
        // `a->b` is two words and an arrow: a hyphen before `>` is not part of the first.
        let end =
            rest[..end].strip_suffix('-').filter(|_| rest[end..].starts_with('>')).map_or(end, str::len);
        self.at += end;
        &rest[..end]
    }

    /// Takes `word` if it comes next.
    pub fn eat_word(&mut self, word: &str) -> bool {
        let before = self.at;
        if self.word() == word {
            return true;
        }
        self.at = before;
        false
    }

    pub fn number(&mut self) -> Option<f64> {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let value: f64 = rest[..end].parse().ok()?;
        self.at += end;
        Some(value)
    }

    /// A factor and its `*`; `None`, and nothing taken, where something else comes next.
    pub fn factor(&mut self) -> Option<f64> {
        let before = self.at;
        if let Some(factor) = self.number() {
            if self.eat("*") {
                return Some(factor);
            }
            self.at = before;
        }
        None
    }

    /// Whether a number comes next.
    pub fn is_number(&mut self) -> bool {
        let before = self.at;
        let is_number = self.number().is_some();
        self.at = before;
        is_number
    }

    /// A number in base units, and which unit it is of.
    pub fn quantity(&mut self) -> Result<(f64, Unit), ExpectError> {
        let start = self.position();
        let value = self.number().ok_or_else(|| self.error("expected a number"))?;
        if value > MAX_NUMBER {
            let message = format!("the number is out of range; write at most {MAX_NUMBER}");
            return Err(ExpectError { at: start, message });
        }
        let digits = self.text[start..self.at].trim();
        for (symbol, exponent, factor, unit) in UNITS {
            if self.text[self.at..].starts_with(symbol) {
                self.at += symbol.len();
                // Read as one decimal: 99.9 % is the number that 999 of 1,000 are, and 99.9 times 0.01 is a hair more.
                let number: Option<f64> = format!("{digits}e{exponent}").parse().ok();
                return Ok((number.unwrap_or(value) * factor, unit));
            }
        }
        Ok((value, Unit::Count))
    }

    /// A time, ns, and at least one.
    pub fn duration(&mut self) -> Result<u64, ExpectError> {
        let start = self.position();
        match self.quantity()? {
            // Rounded: 1,025 ms are no nanosecond less.
            (value, Unit::Time) => match (value * 1e9).round() as u64 {
                0 => Err(ExpectError {
                    at: start,
                    message: "expected a duration above 0s, such as 10s".into(),
                }),
                ns => Ok(ns),
            },
            _ => Err(self.error("expected a duration such as 10s")),
        }
    }

    /// What stands in brackets; `None` without brackets, or with nothing in them.
    pub fn brackets(&mut self) -> Result<Option<&'a str>, ExpectError> {
        if !self.eat("(") {
            return Ok(None);
        }
        let rest = self.rest();
        let end = rest.find(')').ok_or_else(|| self.error("the bracket is never closed"))?;
        self.at += end + 1;
        Ok(Some(rest[..end].trim()).filter(|inside| !inside.is_empty()))
    }

    /// Refuses what is left.
    pub fn end(&mut self) -> Result<(), ExpectError> {
        let rest = self.rest();
        if rest.is_empty() { Ok(()) } else { Err(self.error(format!("`{rest}` does not belong here"))) }
    }
}
