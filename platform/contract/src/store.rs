//! What keeps a topology's data: embedded files, or a server.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{Error, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

/// A database product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StoreProduct {
    /// Files within the process (<https://www.sqlite.org>).
    #[default]
    Sqlite,
    /// A server of its own (<https://www.postgresql.org>).
    Postgres,
}

impl StoreProduct {
    const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// Its name in a scenario.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    fn read<E: Error>(name: &str) -> Result<Self, E> {
        let known = Self::ALL.into_iter().find(|product| product.name() == name);
        known.ok_or_else(|| E::custom(format!("unknown store `{name}`; stores: sqlite, postgres")))
    }
}

impl<'de> Deserialize<'de> for StoreProduct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&String::deserialize(deserializer)?)
    }
}

/// Servers for what PostgreSQL keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ServerCount {
    /// One, with a database for each store: the usual way.
    #[default]
    One,
    /// One for each store.
    Each,
}

/// What keeps the data of which component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum StoreChoice {
    /// One product for all.
    All(StoreProduct),
    /// By component; `*` for those not named, which SQLite keeps otherwise.
    Each(BTreeMap<String, StoreProduct>),
}

impl Default for StoreChoice {
    fn default() -> Self {
        Self::All(StoreProduct::Sqlite)
    }
}

impl StoreChoice {
    /// Whether it is what a topology has that says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What keeps the data of a component.
    pub fn of(&self, component: &str) -> StoreProduct {
        match self {
            Self::All(product) => *product,
            Self::Each(products) => {
                products.get(component).or_else(|| products.get("*")).copied().unwrap_or_default()
            }
        }
    }

    /// Whether a product keeps any of them.
    pub fn has(&self, product: StoreProduct) -> bool {
        match self {
            Self::All(all) => *all == product,
            Self::Each(products) => products.values().any(|each| *each == product),
        }
    }

    /// The components that are named.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let named = match self {
            Self::All(_) => None,
            Self::Each(products) => Some(products.keys().map(String::as_str)),
        };
        named.into_iter().flatten()
    }
}

/// As it is written: `postgres`, or `feed = postgres, * = sqlite`.
impl fmt::Display for StoreChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(product) => f.write_str(product.name()),
            Self::Each(products) => {
                let each: Vec<String> = products
                    .iter()
                    .map(|(component, product)| format!("{component} = {}", product.name()))
                    .collect();
                f.write_str(&each.join(", "))
            }
        }
    }
}

impl<'de> Deserialize<'de> for StoreChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Choice;

        impl<'de> Visitor<'de> for Choice {
            type Value = StoreChoice;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"sqlite\", \"postgres\", or a table such as { feed = \"postgres\", \"*\" = \"sqlite\" }")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<StoreChoice, E> {
                StoreProduct::read(name).map(StoreChoice::All)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<StoreChoice, A::Error> {
                BTreeMap::deserialize(MapAccessDeserializer::new(map)).map(StoreChoice::Each)
            }
        }

        deserializer.deserialize_any(Choice)
    }
}
