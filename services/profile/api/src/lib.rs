//! Calls and events of `profile`: accounts and their unique handles.
//!
//! Start with [`ProfilesByIds`], the call that adds names to photos.

use contract::{Call, Event, Principal, Repeat};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A user. The same as the principal of a token.
pub type UserId = Principal;

/// Public data of an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    /// Who.
    pub id: UserId,
    /// Unique, lowercase, 3 to 30 of `a-z0-9_`.
    pub handle: String,
    /// Display name, 1 to 80 characters.
    pub name: String,
    /// At most 500 characters.
    pub bio: String,
    /// Rises with every edit, from 1.
    pub version: u64,
}

/// The profiles of these users, in no particular order; unknown ids are left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProfilesByIds {
    /// At most 100.
    pub ids: Vec<UserId>,
}

impl Call for ProfilesByIds {
    const NAME: &'static str = "profile.by_ids";
    const COMPONENT: &'static str = "profile";
    const REPEAT: Repeat = Repeat::Safe;
    type Reply = Vec<Profile>;

    fn one_by_one(&self) -> Vec<Self> {
        self.ids.iter().map(|id| Self { ids: vec![*id] }).collect()
    }

    fn joined(replies: Vec<Self::Reply>) -> Option<Self::Reply> {
        Some(replies.concat())
    }
}

/// An account was opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileCreated {
    /// The account.
    pub profile: Profile,
}

/// Name or bio changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileChanged {
    /// As it is now.
    pub profile: Profile,
}

/// An account is gone, and everything it owned should go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileDeleted {
    /// Whose.
    pub id: UserId,
}

impl Event for ProfileCreated {
    const TOPIC: &'static str = "ProfileCreated";
    const COMPONENT: &'static str = "profile";
    fn key(&self) -> u64 {
        self.profile.id.raw()
    }
}

impl Event for ProfileChanged {
    const TOPIC: &'static str = "ProfileChanged";
    const COMPONENT: &'static str = "profile";
    fn key(&self) -> u64 {
        self.profile.id.raw()
    }
}

impl Event for ProfileDeleted {
    const TOPIC: &'static str = "ProfileDeleted";
    const COMPONENT: &'static str = "profile";
    fn key(&self) -> u64 {
        self.id.raw()
    }
}
