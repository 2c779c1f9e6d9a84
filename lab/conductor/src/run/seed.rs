//! The data a run begins with: made once per seed and layout, then copied.

mod partial;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use contract::placement::StorePlan;
use contract::store::StoreProduct;
use contract::{Id, ProcessPlan};
use follower_api::Followed;
use history::{History, PastPhoto};
use photo_api::{Photo, PhotoId};
use profile_api::{Profile, UserId};
use storage::{Blobs, Location, StorageError};
use traffic::trial::TrialData;
use traffic::{Dataset, Load, Seed};

use self::partial::PartialSnapshot;
pub use self::partial::remove_abandoned;

/// The folder of snapshots, below the one that runs go to.
pub const SNAPSHOTS: &str = ".snapshots";

/// Version of everything that goes into a snapshot besides seed, layout
/// and tables.
const VERSION: u32 = 2;

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
    /// A server.
    #[error("the data set cannot be stored on the database server of arm `{arm}`")]
    Server {
        /// Whose.
        arm: String,
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
        let picture = |number| (pictures::jpeg(number), pictures::thumbnail(number));
        Self::with_pictures(seed, load, (0..u64::from(traffic::images::SHARED)).map(picture).collect())
    }

    /// The same with other pictures: each with its thumbnail.
    fn with_pictures(seed: u64, load: &Load, pictures: Vec<(Bytes, Bytes)>) -> Self {
        let data = Arc::new(Dataset::generate(Seed(seed), load.size, &load.graph));
        let history = history(&data, load, &pictures);
        Self { data, history, pictures }
    }

    /// A folder with the databases of a layout, made if it is not there yet.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn snapshot(&self, snapshots: &Path, processes: &[ProcessPlan]) -> Result<PathBuf, SeedError> {
        let name = format!("{}-{}", self.key(), layout(processes));
        let folder = snapshots.join(&name);
        // They take the room of a data set each.
        remove_abandoned(snapshots);
        if folder.is_dir() {
            return Ok(folder);
        }
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| SeedError::Folder { path, source }
        };
        // Made in another folder and then renamed: a snapshot is there as a whole or not at all.
        let partial = PartialSnapshot::begin(snapshots, &name).map_err(failed(snapshots))?;
        if let Err(error) = self.fill(partial.folder(), processes).await {
            partial.discard();
            return Err(error);
        }
        partial.keep_as(&folder).map_err(failed(&folder))?;
        Ok(folder)
    }

    /// Fills the databases of servers.
    ///
    /// # Errors
    /// When one refuses.
    pub async fn fill_servers(
        &self,
        arm: &str,
        databases: Vec<(StorePlan, Location)>,
    ) -> Result<(), SeedError> {
        let filled = suite::load::load(databases, &self.history).await;
        filled.map_err(|source| SeedError::Server { arm: arm.to_owned(), source })
    }

    async fn fill(&self, folder: &Path, processes: &[ProcessPlan]) -> Result<(), SeedError> {
        let path = || folder.parent().unwrap_or(folder).to_owned();
        let rejected = |source| SeedError::Storage { path: path(), source };
        let files = files(processes).map(|store| {
            let file = node::database_path(folder, &store.name);
            (store, file.into())
        });
        suite::load::load(files, &self.history).await.map_err(rejected)?;
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

/// Databases that are files: what a server keeps is filled when it runs.
fn files(processes: &[ProcessPlan]) -> impl Iterator<Item = StorePlan> {
    let stores = processes.iter().flat_map(ProcessPlan::stores);
    stores.filter(|store| store.product == StoreProduct::Sqlite)
}

/// Which databases hold the data of which components.
fn layout(processes: &[ProcessPlan]) -> String {
    let text: Vec<String> = files(processes)
        .map(|store| {
            let hosts: Vec<&str> = store.hosts.iter().map(|host| host.as_str()).collect();
            format!("{}={}", store.name, hosts.join("+"))
        })
        .collect();
    let id = Id::<()>::derived("layout", &[text.join(",").as_bytes()]);
    id.to_string()
}

fn history(data: &Dataset, load: &Load, pictures: &[(Bytes, Bytes)]) -> History {
    let trial = TrialData::of(data);
    let user = |index: u32| UserId::new(trial.user(data, index).id);
    let profiles = data.users.iter().chain([&trial.author, &trial.reader]).map(|user| Profile {
        id: UserId::new(user.id),
        handle: user.handle.clone(),
        name: user.name.clone(),
        bio: user.bio.clone(),
        version: 1,
    });
    let follows = (0..data.users.len() as u32).flat_map(|follower| {
        let followees = data.following.of(follower).iter();
        followees.map(move |followee| (follower, *followee))
    });
    let of_trial = (TrialData::reader_index(data), TrialData::author_index(data));
    let follows = follows
        .chain([of_trial])
        .map(|(follower, followee)| Followed { follower: user(follower), followee: user(followee) });
    let keys: Vec<(String, String, u64)> = pictures
        .iter()
        .map(|(original, thumbnail)| (Blobs::key(original), Blobs::key(thumbnail), original.len() as u64))
        .collect();
    let photos = data.photos.iter().chain([&trial.photo]).map(|photo| {
        let (original, thumbnail, bytes) = &keys[usize::from(photo.image)];
        PastPhoto {
            photo: Photo {
                id: PhotoId::new(photo.id),
                author: user(photo.author),
                caption: photo.caption.clone(),
                tags: photo.tags.clone(),
                width: pictures::WIDTH,
                height: pictures::HEIGHT,
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
        password: load_protocol::PASSWORD.to_owned(),
        follows: follows.collect(),
        photos: photos.collect(),
        push_below: load.feed.push_below,
        feed_depth: load.feed.depth,
    }
}

#[cfg(test)]
mod tests {
    use contract::ComponentName;

    use super::*;

    /// The data of a seed, with pictures that take no time to draw.
    fn of_seed(seed: u64) -> SeededData {
        let load = toml::from_str("rate = \"1/s\"\nsize = \"tiny\"").expect("a load");
        let picture = |number: u8| (vec![number].into(), vec![number, number].into());
        SeededData::with_pictures(seed, &load, (0..traffic::images::SHARED).map(picture).collect())
    }

    fn process(name: &str, hosts: &[&'static str]) -> ProcessPlan {
        let hosts = hosts.iter().copied().map(ComponentName::of).collect();
        ProcessPlan { name: name.into(), hosts, ..ProcessPlan::holding(ComponentName::of("feed")) }
    }

    #[test]
    fn a_seed_gives_the_same_data_and_another_seed_other_data() {
        let [one, same, other] = [1, 1, 2].map(of_seed);
        assert_eq!((one.key(), one.data.digest()), (same.key(), same.data.digest()));
        assert_eq!(one.probes(), same.probes());
        assert_ne!(one.key(), other.key(), "a snapshot of one seed is not taken for another's");
        assert_ne!(one.probes(), other.probes());
        let settings = format!("{}-{}", one.history.push_below, one.history.feed_depth);
        assert!(one.key().ends_with(&settings), "the feeds are laid out by it: {}", one.key());
    }

    #[test]
    fn every_component_is_probed() {
        let probes = of_seed(1).probes();
        for path in ["/followers", "/photos/", "/photos", "/search?in=photos&q="] {
            assert!(probes.iter().any(|probe| probe.contains(path)), "{path}: {probes:?}");
        }
        assert!(probes.iter().all(|probe| probe.starts_with("/v1/")));
    }

    #[test]
    fn a_layout_is_which_databases_hold_what() {
        let gateway = process("gateway", &[]);
        let together = [process("app", &["feed", "photo"])];
        let apart = [process("feed", &["feed"]), process("photo", &["photo"])];
        assert_ne!(layout(&together), layout(&apart));
        let with_gateway = [gateway, together[0].clone()];
        assert_eq!(layout(&together), layout(&with_gateway), "a process without components has no database");
        let copies = [ProcessPlan { replicas: 3, ..together[0].clone() }];
        assert_eq!(layout(&together), layout(&copies), "copies share a database");
    }

    #[tokio::test]
    async fn a_snapshot_is_made_once_and_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let processes = [process("people", &["profile"])];
        let seeded = of_seed(1);
        let snapshot = seeded.snapshot(folder.path(), &processes).await.expect("made");
        assert!(node::database_path(&snapshot, "people").exists() && snapshot.join("blobs").is_dir());
        let marker = snapshot.join("marker");
        std::fs::write(&marker, "").expect("a folder of ours");
        assert_eq!(seeded.snapshot(folder.path(), &processes).await.expect("found"), snapshot);
        assert!(marker.exists(), "it is there already, and left as it is");
        let found = std::fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(found, 1, "nothing half made is left");
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("a folder of ours");
        let error = of_seed(1).snapshot(&file, &[process("people", &["profile"])]).await.expect_err("a file");
        assert!(matches!(&error, SeedError::Folder { path, .. } if path.starts_with(&file)), "{error}");
    }
}
