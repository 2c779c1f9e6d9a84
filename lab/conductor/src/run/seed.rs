//! The data a run begins with: made once per seed and layout, then copied.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use contract::{Id, ProcessPlan};
use follower_api::Followed;
use history::{History, PastPhoto};
use photo_api::{Photo, PhotoId};
use profile_api::{Profile, UserId};
use storage::{Blobs, StorageError};
use traffic::{Dataset, Load, Seed};

/// Version of everything that goes into a snapshot besides seed, layout
/// and tables.
const VERSION: u32 = 1;

/// Why there is no data set.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The folder of snapshots.
    #[error("{path} cannot be written")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The databases.
    #[error("the data set cannot be stored in {path}; make room, or choose another folder with --out")]
    Storage {
        /// The folder of snapshots.
        path: PathBuf,
        /// Why.
        #[source]
        source: StorageError,
    },
    /// The object store.
    #[error("the pictures cannot be stored in {path}; make room, or choose another folder with --out")]
    Pictures {
        /// The folder of snapshots.
        path: PathBuf,
        /// Why.
        #[source]
        source: contract::Refusal,
    },
}

/// A data set and the history it stands for.
pub struct SeededData {
    /// As the generator draws from it.
    pub data: Arc<Dataset>,
    history: History,
    pictures: Vec<(Bytes, Bytes)>,
}

impl SeededData {
    /// The data set of a seed.
    pub fn generate(seed: u64, load: &Load) -> Self {
        let data = Arc::new(Dataset::generate(Seed(seed), load.size, &load.graph));
        let shared = u64::from(traffic::images::SHARED);
        let pictures: Vec<(Bytes, Bytes)> = (0..shared)
            .map(|number| (loadgen::pictures::jpeg(number), loadgen::pictures::thumbnail(number)))
            .collect();
        let history = history(&data, load, &pictures);
        Self { data, history, pictures }
    }

    /// A folder with the databases of a layout, made if it is not there yet.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn snapshot(&self, snapshots: &Path, processes: &[ProcessPlan]) -> Result<PathBuf, SeedError> {
        let folder = snapshots.join(format!("{}-{}", self.key(), layout(processes)));
        if folder.is_dir() {
            return Ok(folder);
        }
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| SeedError::Folder { path, source }
        };
        // Made in another folder and then renamed: a snapshot is there as a whole or not at all.
        let partial = snapshots.join(format!(".making-{}-{}", std::process::id(), layout(processes)));
        std::fs::create_dir_all(&partial).map_err(failed(&partial))?;
        if let Err(error) = self.fill(&partial, processes).await {
            // A part of a snapshot only takes the room that may be lacking.
            let _ = std::fs::remove_dir_all(&partial);
            return Err(error);
        }
        match std::fs::rename(&partial, &folder) {
            Ok(()) => {}
            // Another run was faster: its snapshot is the same.
            Err(_) if folder.is_dir() => {
                std::fs::remove_dir_all(&partial).map_err(failed(&partial))?;
            }
            Err(source) => return Err(SeedError::Folder { path: folder, source }),
        }
        Ok(folder)
    }

    async fn fill(&self, folder: &Path, processes: &[ProcessPlan]) -> Result<(), SeedError> {
        let path = || folder.parent().unwrap_or(folder).to_owned();
        let rejected = |source| SeedError::Storage { path: path(), source };
        suite::load::load(folder, processes, &self.history).await.map_err(rejected)?;
        let blobs = Blobs::open(&folder.join("blobs")).map_err(rejected)?;
        for bytes in self.pictures.iter().flat_map(|(original, thumbnail)| [original, thumbnail]) {
            let put = blobs.put(bytes.clone()).await;
            put.map_err(|source| SeedError::Pictures { path: path(), source })?;
        }
        Ok(())
    }

    fn key(&self) -> String {
        let feed = (self.history.push_below, self.history.feed_depth);
        let schema = suite::load::schema_checksum();
        format!("v{VERSION}-{schema:08x}-{}-{}-{}", self.data.key(), feed.0, feed.1)
    }

    /// Requests that every component answers from seeded data.
    pub fn probes(&self) -> Vec<String> {
        let user = UserId::new(self.data.users[0].id);
        let photo = &self.data.photos[0];
        let word = photo.caption.split(' ').next().unwrap_or("a");
        vec![
            format!("/v1/users/{user}"),
            format!("/v1/users/{user}/followers"),
            format!("/v1/users/{}/photos", UserId::new(self.data.users[photo.author as usize].id)),
            format!("/v1/photos/{}", PhotoId::new(photo.id)),
            format!("/v1/search?in=photos&q={word}"),
        ]
    }
}

/// Which processes hold which components: one database each.
fn layout(processes: &[ProcessPlan]) -> String {
    let with_data = processes.iter().filter(|process| !process.hosts.is_empty());
    let text: Vec<String> = with_data
        .map(|process| {
            let hosts: Vec<&str> = process.hosts.iter().map(|host| host.as_str()).collect();
            format!("{}={}", process.name, hosts.join("+"))
        })
        .collect();
    let id = Id::<()>::derived("layout", &[text.join(",").as_bytes()]);
    id.to_string()
}

fn history(data: &Dataset, load: &Load, pictures: &[(Bytes, Bytes)]) -> History {
    let user = |index: u32| UserId::new(data.users[index as usize].id);
    let profiles = data.users.iter().map(|user| Profile {
        id: UserId::new(user.id),
        handle: user.handle.clone(),
        name: user.name.clone(),
        bio: user.bio.clone(),
        version: 1,
    });
    let follows = (0..data.users.len() as u32).flat_map(|follower| {
        let followees = data.following.of(follower).iter();
        followees.map(move |followee| Followed { follower: user(follower), followee: user(*followee) })
    });
    let keys: Vec<(String, String, u64)> = pictures
        .iter()
        .map(|(original, thumbnail)| (Blobs::key(original), Blobs::key(thumbnail), original.len() as u64))
        .collect();
    let photos = data.photos.iter().map(|photo| {
        let (original, thumbnail, bytes) = &keys[usize::from(photo.image)];
        PastPhoto {
            photo: Photo {
                id: PhotoId::new(photo.id),
                author: user(photo.author),
                caption: photo.caption.clone(),
                tags: photo.tags.clone(),
                width: loadgen::pictures::WIDTH,
                height: loadgen::pictures::HEIGHT,
                bytes: *bytes,
                likes: 0,
                posted_us: photo.posted_us,
            },
            original: original.clone(),
            thumbnail: thumbnail.clone(),
            media_type: "image/jpeg".to_owned(),
        }
    });
    History {
        profiles: profiles.collect(),
        password: loadgen::journeys::PASSWORD.to_owned(),
        follows: follows.collect(),
        photos: photos.collect(),
        push_below: load.feed.push_below,
        feed_depth: load.feed.depth,
    }
}
