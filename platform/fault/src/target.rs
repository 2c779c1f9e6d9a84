//! What a fault acts on.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use contract::ComponentName;
use policy::units::schema::patterns::integers;
use policy::units::schema::text;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::call::{CallSite, Side};

/// A side of an edge, or the whole of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// `*`.
    Any,
    /// `feed`; `feed#*` means the same.
    Component(ComponentName),
    /// `feed#0`: one copy of a component, or of the process so called.
    Instance(ComponentName, u32),
    /// `zone:a`: every copy in the zone.
    Zone(ComponentName),
}

/// What a fault acts on: names, resolved again at every call, so that a restarted
/// process is hit as its predecessor was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// `feed->follower`: the calls of one to the other, on the caller's side and
    /// below its resilience policies. An edge that is a function call has none.
    Edge {
        /// The calling side.
        caller: Pattern,
        /// The called side.
        callee: Pattern,
    },
    /// `follower`, `photo#0`, `zone:a`: on the callee's side, whatever carries the call.
    Node(Pattern),
    /// `db:photo`: the database of a component.
    Store(ComponentName),
    /// `server:photo`: the database server that keeps a component's data, and whatever else it keeps. `server:events`: the
    /// broker that carries events.
    Server(ComponentName),
    /// `feed->server:feed`: the connections over which a component reaches the database server that keeps a component's data,
    /// mostly its own; `feed->server:events`: those to the broker.
    Connection {
        /// The side that connects.
        caller: Pattern,
        /// What the server keeps.
        server: ComponentName,
    },
    /// `cache:profile`: the cache a scenario gives a component.
    Cache(ComponentName),
    /// `host`: the machine, outside every process of the suite.
    Host,
}

/// The sorts of target a kind may act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// An edge.
    Edge,
    /// A component, a copy, a zone, the gateway.
    Node,
    /// The registry.
    Registry,
    /// The delivery of events.
    Broker,
    /// A database.
    Store,
    /// A database server, or the broker's.
    Server,
    /// Connections to such a server.
    Connection,
    /// A cache.
    Cache,
    /// The machine.
    Host,
}

/// Delivery of events, as a target: what a message broker would be elsewhere.
pub const BROKER: ComponentName = ComponentName::of("broker");

/// What the broker's server holds, as the target of `server:events`.
pub const EVENTS: ComponentName = ComponentName::of("events");

/// Text that names no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid target `{0}`: expected `feed->follower`, `*->photo`, `follower`, `photo#0`, `zone:a`, `db:photo`, \
     `server:photo`, `server:events`, `feed->server:feed`, `cache:profile`, `gateway`, `registry`, `broker` or `host`"
)]
pub struct TargetParseError(String);

impl Pattern {
    /// Whether calls of or to a component may be meant. Which *copy* is meant was
    /// decided by the sender of the lease.
    pub fn matches(self, name: ComponentName) -> bool {
        match self {
            Self::Any | Self::Zone(_) => true,
            Self::Component(one) | Self::Instance(one, _) => one == name,
        }
    }

    /// Whether it names the process that answers at `site`.
    fn names_process_at(self, site: &CallSite<'_>) -> bool {
        let Self::Instance(name, index) = self else { return false };
        let parts = site.copy.and_then(|copy| copy.split_once('#'));
        parts.is_some_and(|(process, n)| process == name.as_str() && n.parse() == Ok(index))
    }

    /// The component or process, where one is named.
    pub fn name(self) -> Option<ComponentName> {
        match self {
            Self::Any | Self::Zone(_) => None,
            Self::Component(name) | Self::Instance(name, _) => Some(name),
        }
    }

    /// The zone, where one is named.
    pub fn zone(self) -> Option<ComponentName> {
        if let Self::Zone(zone) = self { Some(zone) } else { None }
    }
}

impl Target {
    /// Its ends: one, or caller and callee. A server is none.
    pub fn patterns(self) -> impl Iterator<Item = Pattern> {
        let (first, second) = match self {
            Self::Edge { caller, callee } => (Some(caller), Some(callee)),
            Self::Node(pattern) | Self::Connection { caller: pattern, .. } => (Some(pattern), None),
            Self::Store(name) | Self::Server(name) | Self::Cache(name) => {
                (Some(Pattern::Component(name)), None)
            }
            Self::Host => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// What sort of target it is.
    pub fn kind(self) -> TargetKind {
        match self {
            Self::Edge { .. } => TargetKind::Edge,
            Self::Node(Pattern::Component(name) | Pattern::Instance(name, _))
                if name == ComponentName::REGISTRY =>
            {
                TargetKind::Registry
            }
            Self::Node(Pattern::Component(BROKER)) => TargetKind::Broker,
            Self::Node(_) => TargetKind::Node,
            Self::Store(_) => TargetKind::Store,
            Self::Server(_) => TargetKind::Server,
            Self::Connection { .. } => TargetKind::Connection,
            Self::Cache(_) => TargetKind::Cache,
            Self::Host => TargetKind::Host,
        }
    }

    /// The component on whose side it acts, where there is one.
    pub fn component(self) -> Option<ComponentName> {
        match self {
            Self::Edge { callee, .. } => callee.name(),
            Self::Node(pattern) => pattern.name(),
            Self::Connection { caller, server } => caller.name().or(Some(server)),
            Self::Store(name) | Self::Server(name) | Self::Cache(name) => Some(name),
            Self::Host => None,
        }
    }

    /// Whether a call at `site` is meant.
    pub(crate) fn covers(self, site: &CallSite<'_>) -> bool {
        match (self, site.side) {
            (Self::Edge { caller, callee }, Side::Caller) => {
                caller.matches(site.caller) && callee.matches(site.callee)
            }
            (Self::Node(pattern), Side::Callee) => {
                // A process may be called otherwise than what it holds; the lease came to it alone.
                pattern.names_process_at(site) || pattern.matches(site.callee)
            }
            _ => false,
        }
    }
}

impl FromStr for Pattern {
    type Err = TargetParseError;

    fn from_str(text: &str) -> Result<Self, TargetParseError> {
        let wrong = || TargetParseError(text.to_owned());
        let text = text.trim_matches(' ');
        if let Some(zone) = text.strip_prefix("zone:") {
            return if is_name(zone) { Ok(Self::Zone(ComponentName::intern(zone))) } else { Err(wrong()) };
        }
        match text.split_once('#') {
            None if text == "*" => Ok(Self::Any),
            None if is_name(text) => Ok(Self::Component(ComponentName::intern(text))),
            Some((name, "*")) if is_name(name) => Ok(Self::Component(ComponentName::intern(name))),
            Some((name, index)) if is_name(name) => {
                let index = index.bytes().all(|b| b.is_ascii_digit()).then(|| index.parse().ok()).flatten();
                Ok(Self::Instance(ComponentName::intern(name), index.ok_or_else(wrong)?))
            }
            _ => Err(wrong()),
        }
    }
}

impl FromStr for Target {
    type Err = TargetParseError;

    fn from_str(text: &str) -> Result<Self, TargetParseError> {
        let wrong = || TargetParseError(text.to_owned());
        let text = text.trim_matches(' ');
        let named = |name: &str| is_name(name).then(|| ComponentName::intern(name)).ok_or_else(wrong);
        if let Some((caller, callee)) = text.split_once("->") {
            let side = |part: &str| part.parse::<Pattern>().map_err(|_| wrong());
            if let Some(server) = callee.trim_matches(' ').strip_prefix("server:") {
                return Ok(Self::Connection { caller: side(caller)?, server: named(server)? });
            }
            return Ok(Self::Edge { caller: side(caller)?, callee: side(callee)? });
        }
        if let Some(name) = text.strip_prefix("db:") {
            return named(name).map(Self::Store);
        }
        if let Some(name) = text.strip_prefix("server:") {
            return named(name).map(Self::Server);
        }
        if let Some(name) = text.strip_prefix("cache:") {
            return named(name).map(Self::Cache);
        }
        if text == "host" {
            return Ok(Self::Host);
        }
        match text.parse()? {
            Pattern::Any => Err(wrong()),
            pattern => Ok(Self::Node(pattern)),
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Component(name) => f.write_str(name.as_str()),
            Self::Instance(name, index) => write!(f, "{name}#{index}"),
            Self::Zone(zone) => write!(f, "zone:{zone}"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edge { caller, callee } => write!(f, "{caller}->{callee}"),
            Self::Node(pattern) => write!(f, "{pattern}"),
            Self::Store(name) => write!(f, "db:{name}"),
            Self::Server(name) => write!(f, "server:{name}"),
            Self::Connection { caller, server } => write!(f, "{caller}->server:{server}"),
            Self::Cache(name) => write!(f, "cache:{name}"),
            Self::Host => f.write_str("host"),
        }
    }
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Edge => "an edge such as `feed->photo`",
            Self::Node => "a component or a copy such as `photo#0`",
            Self::Registry => "`registry`",
            Self::Broker => "`broker`",
            Self::Store => "a database such as `db:photo`",
            Self::Server => "a server such as `server:photo` or `server:events`",
            Self::Connection => "connections to a server such as `feed->server:feed`",
            Self::Cache => "a cache such as `cache:profile`",
            Self::Host => "`host`",
        })
    }
}

impl JsonSchema for Target {
    fn schema_name() -> Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let name = "[A-Za-z0-9_-]{1,64}";
        let index = format!("(?:\\*|0+|0*{})", integers(u32::MAX.into()));
        let pattern = format!("zone:{name}|{name}(?:#{index})?");
        let edge = format!("(?:\\*|{pattern}) *-> *(?:\\*|server:{name}|{pattern})");
        let target = format!("{edge}|(?:db|server|cache):{name}|{pattern}");
        text(
            &format!("(?:{target})"),
            "an edge, a component, a copy, a zone, a database, a server of databases or of events, connections to one, a cache, `gateway`, `registry`, `broker` or `host`",
            &["feed->photo", "photo#0", "zone:a", "db:photo", "cache:profile"],
        )
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_read_back_what_they_print() {
        for (text, printed, place) in [
            ("feed->follower", "feed->follower", TargetKind::Edge),
            ("feed#* -> follower", "feed->follower", TargetKind::Edge),
            ("feed#0->photo", "feed#0->photo", TargetKind::Edge),
            ("zone:a->zone:b", "zone:a->zone:b", TargetKind::Edge),
            ("*->photo", "*->photo", TargetKind::Edge),
            ("follower", "follower", TargetKind::Node),
            ("follower#*", "follower", TargetKind::Node),
            ("photo#0", "photo#0", TargetKind::Node),
            ("zone:a", "zone:a", TargetKind::Node),
            ("gateway", "gateway", TargetKind::Node),
            ("registry", "registry", TargetKind::Registry),
            ("broker", "broker", TargetKind::Broker),
            ("db:photo", "db:photo", TargetKind::Store),
            ("server:photo", "server:photo", TargetKind::Server),
            ("server:events", "server:events", TargetKind::Server),
            ("feed->server:feed", "feed->server:feed", TargetKind::Connection),
            ("* -> server:events", "*->server:events", TargetKind::Connection),
            ("cache:profile", "cache:profile", TargetKind::Cache),
            ("host", "host", TargetKind::Host),
        ] {
            let target: Target = text.parse().unwrap_or_else(|why| panic!("{why}"));
            assert_eq!((target.to_string().as_str(), target.kind()), (printed, place));
        }
    }

    #[test]
    fn text_without_a_name_is_refused() {
        for bad in [
            "",
            "*",
            "->",
            "feed->",
            "feed->fol lower",
            "photo#",
            "photo#one",
            "#0",
            "db:",
            "server:",
            "feed->server:",
            "server:feed->feed",
            "zone:",
            "a->b->c",
        ] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }
}
