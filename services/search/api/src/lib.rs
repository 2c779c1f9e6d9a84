//! What others may ask `search`: photos by caption and tags, people by name.

use contract::{Call, Repeat};
use photo_api::PhotoId;
use profile_api::UserId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Photos whose caption or tags hold every term, best match first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FindPhotos {
    /// Words, separated by spaces.
    pub terms: String,
    /// Hits to skip.
    pub offset: u32,
    /// 1 to 100.
    pub limit: u32,
}

/// A photo found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhotoHit {
    /// Which.
    pub id: PhotoId,
    /// Who posted it.
    pub author: UserId,
    /// Its caption, as indexed.
    pub caption: String,
}

impl Call for FindPhotos {
    const NAME: &'static str = "search.photos";
    const COMPONENT: &'static str = "search";
    const REPEAT: Repeat = Repeat::Safe;
    type Reply = Vec<PhotoHit>;
}

/// People whose name or handle holds every term, best match first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FindPeople {
    /// Words, separated by spaces.
    pub terms: String,
    /// Hits to skip.
    pub offset: u32,
    /// 1 to 100.
    pub limit: u32,
}

/// A person found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PersonHit {
    /// Who.
    pub id: UserId,
    /// Their handle.
    pub handle: String,
    /// Their name, as indexed.
    pub name: String,
}

impl Call for FindPeople {
    const NAME: &'static str = "search.people";
    const COMPONENT: &'static str = "search";
    const REPEAT: Repeat = Repeat::Safe;
    type Reply = Vec<PersonHit>;
}
