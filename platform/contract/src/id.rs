//! Identifiers that cannot be mixed up.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::hash::{fnv1a64, fnv1a64_with, mix};

/// A 63-bit identifier of a `Kind`. In JSON and URLs it is 13 characters of
/// Crockford base32, because JavaScript's numbers end at 2^53; in databases a
/// BIGINT, in binary encodings a varint.
pub struct Id<Kind>(u64, PhantomData<fn() -> Kind>);

/// The kind of the user a token was issued to.
#[derive(Debug)]
pub enum PrincipalKind {}
/// The user a request acts for.
pub type Principal = Id<PrincipalKind>;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const ID_CHARS: usize = 13;
/// One bit stays free, so that an id fits a signed BIGINT.
const MASK: u64 = (1 << 63) - 1;

impl<Kind> Id<Kind> {
    /// An id from its number; the top bit is dropped.
    pub const fn new(raw: u64) -> Self {
        Self(raw & MASK, PhantomData)
    }

    /// An id that follows from what caused it: the same parts give the same id
    /// in every topology, so that final states can be compared.
    pub fn derived(label: &str, parts: &[&[u8]]) -> Self {
        let mut hash = fnv1a64(label.as_bytes());
        for part in parts {
            hash = fnv1a64_with(&(part.len() as u64).to_le_bytes(), hash);
            hash = fnv1a64_with(part, hash);
        }
        Self::new(mix(hash))
    }

    /// The number, for databases and hashes.
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// The number as SQL's BIGINT.
    pub const fn sql(self) -> i64 {
        self.0 as i64
    }

    /// The id of a BIGINT column.
    pub const fn from_sql(value: i64) -> Self {
        Self::new(value as u64)
    }
}

impl<Kind> Clone for Id<Kind> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<Kind> Copy for Id<Kind> {}
impl<Kind> PartialEq for Id<Kind> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<Kind> Eq for Id<Kind> {}
impl<Kind> PartialOrd for Id<Kind> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<Kind> Ord for Id<Kind> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<Kind> Hash for Id<Kind> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<Kind> fmt::Display for Id<Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'0'; ID_CHARS];
        for (i, slot) in text.iter_mut().enumerate() {
            *slot = ALPHABET[(self.0 >> (5 * (ID_CHARS - 1 - i))) as usize & 31];
        }
        f.pad(std::str::from_utf8(&text).expect("the alphabet is ASCII"))
    }
}

impl<Kind> fmt::Debug for Id<Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdParseError;

impl fmt::Display for IdParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid id: expected {ID_CHARS} characters of Crockford base32")
    }
}

impl std::error::Error for IdParseError {}

impl<Kind> FromStr for Id<Kind> {
    type Err = IdParseError;

    fn from_str(text: &str) -> Result<Self, IdParseError> {
        if text.len() != ID_CHARS {
            return Err(IdParseError);
        }
        let mut value: u128 = 0;
        for byte in text.bytes() {
            let digit = ALPHABET.iter().position(|&c| c == byte).ok_or(IdParseError)?;
            value = value << 5 | digit as u128;
        }
        if value > u128::from(MASK) {
            return Err(IdParseError);
        }
        Ok(Self::new(value as u64))
    }
}

impl<Kind> Serialize for Id<Kind> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de, Kind> Deserialize<'de> for Id<Kind> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = Cow::<'de, str>::deserialize(deserializer)?;
            text.parse().map_err(de::Error::custom)
        } else {
            u64::deserialize(deserializer).map(Self::new)
        }
    }
}

impl<Kind> JsonSchema for Id<Kind> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Id".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // 63 bits: of the first character's five, two are 0.
        json_schema!({ "type": "string", "pattern": "^[0-7][0-9a-hjkmnp-tv-z]{12}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_prints() {
        for raw in [0, 1, 31, 32, u64::MAX, 0x0123_4567_89ab_cdef] {
            let id = Principal::new(raw);
            assert_eq!(id.to_string().len(), ID_CHARS);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn text_that_is_no_id_is_refused() {
        for bad in ["", "short", "zzzzzzzzzzzzz", "000000000000I", "0000000000000000"] {
            assert_eq!(bad.parse::<Principal>(), Err(IdParseError), "{bad}");
        }
    }

    #[test]
    fn derived_ids_depend_on_every_part_and_its_bounds() {
        let id = |parts: &[&[u8]]| Principal::derived("photo", parts);
        assert_eq!(id(&[b"a", b"bc"]), id(&[b"a", b"bc"]));
        assert_ne!(id(&[b"a", b"bc"]), id(&[b"ab", b"c"]));
        assert_ne!(id(&[b"a"]), Principal::derived("user", &[b"a"]));
    }
}
