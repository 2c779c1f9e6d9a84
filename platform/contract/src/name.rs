//! The name of a component.

use std::collections::HashSet;
use std::fmt;
use std::sync::{LazyLock, RwLock};

use serde::{Deserialize, Deserializer, Serialize};

/// A component's name, interned: comparing and labelling cost a pointer. The
/// set of names is the catalogue's, so the table stays small.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ComponentName(&'static str);

/// Names known at once: a catalogue has a handful, a run's topologies some hundred.
const MAX_NAMES: usize = 4_096;

static NAMES: LazyLock<RwLock<HashSet<&'static str>>> = LazyLock::new(RwLock::default);

impl ComponentName {
    /// The public gateway.
    pub const GATEWAY: Self = Self("gateway");
    /// The service registry.
    pub const REGISTRY: Self = Self("registry");
    /// Clients outside the suite.
    pub const CLIENT: Self = Self("client");

    /// A name known when the program was written.
    pub const fn of(name: &'static str) -> Self {
        Self(name)
    }

    /// A name read at run time.
    pub fn intern(name: &str) -> Self {
        if let Some(known) = NAMES.read().expect("no panic while held").get(name) {
            return Self(known);
        }
        let mut names = NAMES.write().expect("no panic while held");
        if let Some(known) = names.get(name) {
            return Self(known);
        }
        if names.len() >= MAX_NAMES {
            // Made-up names share one: memory is for real ones.
            return Self("unnamed");
        }
        let leaked: &'static str = Box::leak(name.into());
        names.insert(leaked);
        Self(leaked)
    }

    /// The name as text, for labels.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for ComponentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl fmt::Debug for ComponentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl<'de> Deserialize<'de> for ComponentName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::intern(&name))
    }
}
