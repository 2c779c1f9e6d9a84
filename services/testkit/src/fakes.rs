//! Answers of components that are not there.

use contract::{Answer, CallContext, Pending};
use profile_api::{Profile, ProfilesByIds, UserId};

/// A `profile` that knows users 1 to 999 only.
pub struct Roster;

impl Roster {
    /// The profile of a user by number.
    pub fn profile(id: UserId) -> Profile {
        let raw = id.raw();
        let (handle, name) = (format!("user{raw}"), format!("User {raw}"));
        Profile { id, handle, name, bio: String::new(), version: 1 }
    }
}

impl Answer<ProfilesByIds> for Roster {
    fn answer<'a>(&'a self, _: &'a CallContext, call: ProfilesByIds) -> Pending<'a, Vec<Profile>> {
        let known = call.ids.into_iter().filter(|id| (1..1_000).contains(&id.raw()));
        Box::pin(std::future::ready(Ok(known.map(Self::profile).collect())))
    }
}
