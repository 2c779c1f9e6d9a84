//! Which edges a policy is for: `feed->follower`, `*->photo`, `*->*`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The caller that forwards without reading bodies.
pub(crate) const GATEWAY: &str = "gateway";

/// `feed->follower`, `*->photo`, `*->*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EdgePattern {
    caller: Option<String>,
    callee: Option<String>,
}

/// Text that cannot be read as an edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeParseError(String);

impl fmt::Display for EdgeParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid edge `{}`: expected caller->callee; write \"feed->follower\", \"*->photo\" or \"*->*\"",
            self.0
        )
    }
}

impl std::error::Error for EdgeParseError {}

impl EdgePattern {
    /// Whether it names the gateway as the caller.
    pub fn is_from_gateway(&self) -> bool {
        self.caller.as_deref() == Some(GATEWAY)
    }

    /// Whether an edge is meant.
    pub fn matches(&self, caller: &str, callee: &str) -> bool {
        let side =
            |pattern: &Option<String>, name: &str| pattern.as_deref().is_none_or(|pattern| pattern == name);
        side(&self.caller, caller) && side(&self.callee, callee)
    }

    /// The more of it is named, the more specific; a named callee beats a named caller.
    pub const fn specificity(&self) -> u8 {
        self.caller.is_some() as u8 + 2 * self.callee.is_some() as u8
    }
}

impl FromStr for EdgePattern {
    type Err = EdgeParseError;

    fn from_str(text: &str) -> Result<Self, EdgeParseError> {
        let wrong = || EdgeParseError(text.to_owned());
        let (caller, callee) = text.split_once("->").ok_or_else(wrong)?;
        let side = |part: &str| match part.trim() {
            "*" => Ok(None),
            "" => Err(wrong()),
            name if name.contains("->") || name.contains(char::is_whitespace) => Err(wrong()),
            name => Ok(Some(name.to_owned())),
        };
        Ok(Self { caller: side(caller)?, callee: side(callee)? })
    }
}

impl fmt::Display for EdgePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}->{}", self.caller.as_deref().unwrap_or("*"), self.callee.as_deref().unwrap_or("*"))
    }
}

impl Serialize for EdgePattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EdgePattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_edge_is_refused() {
        for bad in ["", "feed", "feed->", "->feed", "a->b->c", "a b->c"] {
            assert!(bad.parse::<EdgePattern>().is_err(), "{bad}");
        }
    }
}
