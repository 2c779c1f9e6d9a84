//! Whom a fault hits.

use std::fmt;
use std::str::FromStr;

use contract::ComponentName;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::verdict::{Side, Site};

/// A component, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// `*`.
    Any,
    /// `feed`; `feed#*` says the same.
    One(ComponentName),
}

/// Whom a fault hits: names, resolved again at every call, so that a restarted
/// process suffers what its predecessor did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// `feed->follower`: the calls of one to the other, on the caller's side and
    /// below its resilience policies. An edge that is a function call has none.
    Edge {
        /// Who asks.
        caller: Pattern,
        /// Who answers.
        callee: Pattern,
    },
    /// `follower`: every copy, on the callee's side, whatever carries the call.
    Component(ComponentName),
    /// `photo#0`: one copy of a component, or of the process so called.
    Instance {
        /// Component or process.
        name: ComponentName,
        /// Which copy, from 0.
        index: u32,
    },
}

/// What was read names no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no target; write `feed->follower`, `*->photo`, `follower` or `photo#0`")]
pub struct NotATarget(String);

impl Pattern {
    /// Whether it means `name`.
    pub fn matches(self, name: ComponentName) -> bool {
        match self {
            Self::Any => true,
            Self::One(one) => one == name,
        }
    }

    /// The component, where it is one.
    pub fn name(self) -> Option<ComponentName> {
        match self {
            Self::Any => None,
            Self::One(name) => Some(name),
        }
    }
}

impl Target {
    /// The names in it, `*` among them, for checking against a catalogue.
    pub fn components(self) -> impl Iterator<Item = &'static str> {
        let text = |pattern: Pattern| pattern.name().map_or("*", ComponentName::as_str);
        let (first, second) = match self {
            Self::Edge { caller, callee } => (text(caller), Some(text(callee))),
            Self::Component(name) | Self::Instance { name, .. } => (name.as_str(), None),
        };
        std::iter::once(first).chain(second)
    }

    /// Whether a call at `site` is meant. Which *copy* is meant was decided by
    /// whoever sent the lease to this process.
    pub(crate) fn covers(self, site: &Site<'_>) -> bool {
        match (self, site.side) {
            (Self::Edge { caller, callee }, Side::Caller) => {
                caller.matches(site.caller) && callee.matches(site.callee)
            }
            (Self::Component(name) | Self::Instance { name, .. }, Side::Callee) => name == site.callee,
            _ => false,
        }
    }
}

impl FromStr for Pattern {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Self, NotATarget> {
        let name = text.strip_suffix("#*").unwrap_or(text);
        match name {
            "*" => Ok(Self::Any),
            name if is_name(name) => Ok(Self::One(ComponentName::intern(name))),
            _ => Err(NotATarget(text.to_owned())),
        }
    }
}

impl FromStr for Target {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Self, NotATarget> {
        let wrong = || NotATarget(text.to_owned());
        let text = text.trim();
        if let Some((caller, callee)) = text.split_once("->") {
            let side = |part: &str| part.trim().parse::<Pattern>().map_err(|_| wrong());
            return Ok(Self::Edge { caller: side(caller)?, callee: side(callee)? });
        }
        match text.parse() {
            Ok(Pattern::One(name)) => return Ok(Self::Component(name)),
            Ok(Pattern::Any) => return Err(wrong()),
            Err(_) => {}
        }
        let (name, index) = text.split_once('#').ok_or_else(wrong)?;
        if !is_name(name) {
            return Err(wrong());
        }
        Ok(Self::Instance { name: ComponentName::intern(name), index: index.parse().map_err(|_| wrong())? })
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name().map_or("*", ComponentName::as_str))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edge { caller, callee } => write!(f, "{caller}->{callee}"),
            Self::Component(name) => write!(f, "{name}"),
            Self::Instance { name, index } => write!(f, "{name}#{index}"),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_read_back_what_they_print() {
        for (text, printed) in [
            ("feed->follower", "feed->follower"),
            ("feed#* -> follower", "feed->follower"),
            ("*->photo", "*->photo"),
            ("follower", "follower"),
            ("follower#*", "follower"),
            ("photo#0", "photo#0"),
        ] {
            let target: Target = text.parse().unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(target.to_string(), printed);
        }
    }

    #[test]
    fn text_that_names_nobody_is_refused() {
        for bad in ["", "*", "->", "feed->", "feed->fol lower", "photo#", "photo#one", "#0", "feed#0->photo"]
        {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }
}
