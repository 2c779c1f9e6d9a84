//! The registry's data: service names, instances, epochs, revisions, snapshots and deltas.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest service name or instance id, bytes: both become labels and URL segments.
const MAX_NAME_BYTES: usize = 64;

/// A name is empty, too long, or has a character that labels or URLs do not support.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid {1} `{0}`: expected 1 to {MAX_NAME_BYTES} of a-z A-Z 0-9 . _ : # -")]
pub struct NameParseError(String, &'static str);

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Box<str>);

        impl $type {
            /// Parses a name.
            ///
            /// # Errors
            /// If it is empty, too long, or has characters that labels or URLs do not support.
            pub fn new(text: &str) -> Result<Self, NameParseError> {
                let fits = |b: u8| b.is_ascii_alphanumeric() || b"._:#-".contains(&b);
                if text.is_empty() || text.len() > MAX_NAME_BYTES || !text.bytes().all(fits) {
                    return Err(NameParseError(text.chars().take(MAX_NAME_BYTES).collect(), $what));
                }
                Ok(Self(text.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameParseError;
            fn try_from(text: String) -> Result<Self, NameParseError> {
                Self::new(&text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0.into()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name!(
    /// Name of a service: a component's.
    ServiceName,
    "service name"
);
name!(
    /// Id of an instance. A process uses one id for all services it hosts, so that its death
    /// counts once.
    InstanceId,
    "instance id"
);

impl From<contract::ComponentName> for ServiceName {
    /// # Panics
    /// If the component's name is invalid; the catalogue has none.
    fn from(component: contract::ComponentName) -> Self {
        Self::new(component.as_str()).expect("components have plain names")
    }
}

/// Start time of a process, microseconds since the Unix epoch. Of two registrations of one instance
/// the higher epoch is current.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// Revision of the registry; grows by one with every change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl Revision {
    /// The next revision.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Epoch of the registry: new whenever it starts, also with what its log holds, which may lack changes that watchers have
/// seen. Revisions count within an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RegistryEpoch(pub u64);

/// `Last-Event-ID` of the watch: `{registry epoch}-{rev}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    /// Epoch of the registry.
    pub registry: RegistryEpoch,
    /// Revision within the epoch.
    pub rev: Revision,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.registry.0, self.rev.0)
    }
}

impl FromStr for EventId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (registry, rev) = text.split_once('-').ok_or(())?;
        Ok(Self {
            registry: RegistryEpoch(registry.parse().map_err(|_| ())?),
            rev: Revision(rev.parse().map_err(|_| ())?),
        })
    }
}

/// State of an instance: whether it may be picked for requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Registered, not serving yet.
    Starting,
    /// Serving.
    #[default]
    Ready,
    /// Finishes its requests; not picked for new ones.
    Draining,
    /// Its lease lapsed together with too many others. Picked only if no instance is ready.
    Suspect,
}

/// One registered instance of one service. Unknown fields are ignored: a watcher may be older than the
/// registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its service.
    pub service: ServiceName,
    /// Its id.
    pub id: InstanceId,
    /// Its epoch.
    pub epoch: Epoch,
    /// Its address.
    pub addr: SocketAddr,
    /// Failure zone; empty if there are none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub zone: String,
    /// Version of the program, for canaries.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Share of traffic relative to its peers.
    #[serde(default = "default_weight")]
    pub weight: u32,
    /// Other properties, interpreted by their readers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Whether it may be picked.
    #[serde(default)]
    pub state: State,
}

fn default_weight() -> u32 {
    1
}

impl Instance {
    /// A ready instance without zone, version or tags.
    pub fn new(service: ServiceName, id: InstanceId, epoch: Epoch, addr: SocketAddr) -> Self {
        Self {
            service,
            id,
            epoch,
            addr,
            zone: String::new(),
            version: String::new(),
            weight: 1,
            tags: BTreeMap::new(),
            state: State::Ready,
        }
    }

    /// The body of this instance's registration.
    pub fn announcement(&self) -> Announcement {
        let Self { epoch, addr, zone, version, weight, tags, state, .. } = self.clone();
        Announcement { epoch, addr, zone, version, weight, tags, state }
    }

    /// Its key.
    pub fn key(&self) -> Key {
        Key { service: self.service.clone(), id: self.id.clone() }
    }
}

/// The body of a registration: an [`Instance`] whose service and id are in the URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is described at `Instance`")]
pub struct Announcement {
    pub epoch: Epoch,
    pub addr: SocketAddr,
    #[serde(default)]
    pub zone: String,
    #[serde(default)]
    pub version: String,
    #[serde(default = "default_weight")]
    pub weight: u32,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    #[serde(default)]
    pub state: State,
}

impl Announcement {
    /// The instance it announces.
    pub fn of(self, service: ServiceName, id: InstanceId) -> Instance {
        let Self { epoch, addr, zone, version, weight, tags, state } = self;
        Instance { service, id, epoch, addr, zone, version, weight, tags, state }
    }
}

/// Key of an instance: its service and id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Its service.
    pub service: ServiceName,
    /// Its id.
    pub id: InstanceId,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.id)
    }
}

/// One change of the registry. Deltas, applied in order of `rev`, lead from any snapshot to any later one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The revision it leads to.
    pub rev: Revision,
    /// New or changed instances.
    pub put: Vec<Instance>,
    /// Removed instances.
    pub del: Vec<Key>,
}

impl Delta {
    /// The part about the watched services; `None` if there is none.
    pub fn filtered(&self, watched: &WatchFilter) -> Option<Self> {
        let put: Vec<_> = self.put.iter().filter(|i| watched.includes(&i.service)).cloned().collect();
        let del: Vec<_> = self.del.iter().filter(|k| watched.includes(&k.service)).cloned().collect();
        (!put.is_empty() || !del.is_empty()).then_some(Self { rev: self.rev, put, del })
    }
}

/// All instances at one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Epoch of the registry.
    pub registry: RegistryEpoch,
    /// Revision within the epoch.
    pub rev: Revision,
    /// How long a lease lasts, milliseconds.
    pub lease_ms: u64,
    /// Whether lapsed instances are kept because too many lapsed at once.
    pub preserving: bool,
    /// Instances, in order of service and id.
    pub instances: Vec<Instance>,
}

/// The services that a watch covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchFilter {
    /// All services.
    All,
    /// These services only.
    Only(Vec<ServiceName>),
}

impl WatchFilter {
    /// Whether the watch covers `service`.
    pub fn includes(&self, service: &ServiceName) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(service),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_labels_and_urls_carry() {
        for good in ["feed", "photo#0", "app-1.local:80"] {
            assert_eq!(ServiceName::new(good).expect(good).as_str(), good);
        }
        for bad in ["", "a b", "a/b", "é", &"x".repeat(65)] {
            assert!(InstanceId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_event_id_reads_back_what_it_prints() {
        let id = EventId { registry: RegistryEpoch(1_700_000_000_000_000), rev: Revision(42) };
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "42", "-", "1-", "-1", "1-2-3", "a-b"] {
            assert!(bad.parse::<EventId>().is_err(), "{bad}");
        }
    }
}
