//! Calls and events of `photo`: pictures, their metadata and likes.
//!
//! Start with [`PhotosByIds`], the call that fills a feed page.

use contract::{Call, Event, Id, Repeat};
use profile_api::UserId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Marks ids of photos.
#[derive(Debug)]
pub enum PhotoKind {}
/// A photo.
pub type PhotoId = Id<PhotoKind>;

/// Public metadata of a photo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Photo {
    /// Which.
    pub id: PhotoId,
    /// Who posted it.
    pub author: UserId,
    /// At most 500 characters.
    pub caption: String,
    /// At most 10 words.
    pub tags: Vec<String>,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Size of the original, bytes.
    pub bytes: u64,
    /// How many like it.
    pub likes: u64,
    /// When it was posted, microseconds since the Unix epoch.
    pub posted_us: i64,
}

/// The metadata of these photos, in no particular order; unknown ids are left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PhotosByIds {
    /// At most 100.
    pub ids: Vec<PhotoId>,
}

impl Call for PhotosByIds {
    const NAME: &'static str = "photo.by_ids";
    const COMPONENT: &'static str = "photo";
    const REPEAT: Repeat = Repeat::Safe;
    type Reply = Vec<Photo>;

    fn one_by_one(&self) -> Vec<Self> {
        self.ids.iter().map(|id| Self { ids: vec![*id] }).collect()
    }

    fn joined(replies: Vec<Self::Reply>) -> Option<Self::Reply> {
        Some(replies.concat())
    }
}

/// A photo was posted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhotoPosted {
    /// Its metadata.
    pub photo: Photo,
}

/// A photo is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhotoDeleted {
    /// Which.
    pub id: PhotoId,
    /// Whose it was.
    pub author: UserId,
}

impl Event for PhotoPosted {
    const TOPIC: &'static str = "PhotoPosted";
    const COMPONENT: &'static str = "photo";
    fn key(&self) -> u64 {
        self.photo.author.raw()
    }
}

impl Event for PhotoDeleted {
    const TOPIC: &'static str = "PhotoDeleted";
    const COMPONENT: &'static str = "photo";
    fn key(&self) -> u64 {
        self.author.raw()
    }
}
