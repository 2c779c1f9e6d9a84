//! Bytes that no photo names go, and those of an upload under way stay.

use std::sync::Arc;
use std::time::Duration;

use component::service_context::Settings;
use component::{Identity, ServiceContext};
use contract::{CallContext, Carrier, ComponentName, Deadline};
use photo::album::Upload;
use photo::picture::Format;
use photo::store::Files;
use photo::{Album, store};
use photo_api::PhotoId;
use profile_api::{ProfileDeleted, UserId};
use runtime::{Tasks, clock};
use storage::{Blobs, Bus, Database, Subscriber};
use tempfile::TempDir;
use transport::{CallRouter, CallRouterOptions};

use crate::pictures::png;

const ADA: UserId = UserId::new(1);

struct World {
    album: Album,
    blobs: Blobs,
    db: Database,
    _tasks: Tasks,
    _folder: TempDir,
}

impl World {
    async fn open() -> Self {
        let folder = TempDir::new().expect("a folder");
        let db = Database::open(&folder.path().join("photo.db"), storage::Options::default()).await;
        let db = db.expect("opens");
        db.migrate(photo::NAME, photo::SERVICE.migrations).await.expect("migrates");
        let blobs = Blobs::open(&folder.path().join("blobs")).expect("opens");
        let tasks = Tasks::new();
        let context = ServiceContext {
            name: photo::NAME,
            bus: Bus::new(db.clone(), storage::OutboundTopics::default()),
            db: db.clone(),
            blobs: blobs.clone(),
            tasks: tasks.clone(),
            identity: Arc::new(Identity::new(b"of this test").expect("a secret")),
            settings: Settings::default(),
            calls: CallRouter::new(CallRouterOptions {
                carrier: Carrier::Local,
                clusters: transport::Clusters::new(),
                services: Default::default(),
                copy: "test#0".into(),
                schema: 1,
                policies: Vec::new(),
                faults: Arc::default(),
                token: "of this test".into(),
                hosts: vec![photo::NAME],
                seed: 1,
            }),
        };
        Self { album: Album::open(&context).expect("threads"), blobs, db, _tasks: tasks, _folder: folder }
    }

    async fn post(&self, side: u32) -> photo_api::Photo {
        let bytes = png(side, side).into();
        let upload = Upload { format: Format::Png, bytes, caption: String::new(), tags: String::new() };
        self.album.post(&context(), ADA, upload).await.expect("a photo")
    }

    async fn sweep(&self) -> usize {
        self.album.sweep(Duration::ZERO).await.expect("sweeps")
    }
}

fn context() -> CallContext {
    let deadline = Deadline::after(clock::now(), Duration::from_secs(20));
    CallContext::background(ComponentName::CLIENT, deadline)
}

#[tokio::test]
async fn bytes_of_deleted_photos_and_failed_uploads_go() {
    let world = World::open().await;
    let (kept, gone, twin) = (world.post(8).await, world.post(9).await, world.post(8).await);
    assert_eq!(world.sweep().await, 0, "every photo has its bytes");
    // An upload that was kept on disk and never became a row.
    let orphan = world.blobs.put("half an upload".into()).await.expect("kept");
    assert_eq!(world.album.sweep(Duration::from_secs(60)).await.expect("sweeps"), 0, "it may be under way");

    world.album.delete(&context(), ADA, gone.id).await.expect("deleted");
    world.album.delete(&context(), ADA, twin.id).await.expect("deleted");
    assert_eq!(world.sweep().await, 3, "an original, its thumbnail, and the orphan");
    assert!(!world.blobs.has(&orphan));
    let files = world.album.files(kept.id).await.expect("a row");
    for key in [files.original, files.thumbnail] {
        world.album.bytes(&key).await.expect("what a twin shared stays");
    }
    assert_eq!(world.sweep().await, 0);
    // And the same bytes may come again.
    let again = world.post(9).await;
    let files = world.album.files(again.id).await.expect("a row");
    world.album.bytes(&files.original).await.expect("its bytes");
}

#[tokio::test]
async fn what_is_named_is_kept_among_more_than_are_looked_up_at_once() {
    let world = World::open().await;
    let photo = world.post(8).await;
    for number in 0..300 {
        world.blobs.put(format!("orphan {number}").into()).await.expect("kept");
    }
    assert_eq!(world.sweep().await, 300);
    let files = world.album.files(photo.id).await.expect("a row");
    assert!(world.blobs.has(&files.original) && world.blobs.has(&files.thumbnail));
}

#[tokio::test]
async fn a_sweep_during_uploads_takes_no_photo_its_bytes() {
    let world = World::open().await;
    for round in 0..20 {
        // The same picture each time, deleted each time: whatever the order, a row has its bytes.
        let (photo, _swept) = tokio::join!(world.post(8), world.sweep());
        let files = world.album.files(photo.id).await.expect("a row");
        assert!(world.blobs.has(&files.original) && world.blobs.has(&files.thumbnail), "round {round}");
        world.album.delete(&context(), ADA, photo.id).await.expect("deleted");
    }
}

impl World {
    /// Photos of a user, without bytes.
    async fn add_photos(&self, author: UserId, ids: std::ops::Range<u64>) {
        let mut tx = self.db.write().await.expect("the writer");
        let files = Files { original: "o".into(), thumbnail: "t".into(), media_type: "image/png".into() };
        for id in ids {
            let photo = photo_api::Photo {
                id: PhotoId::new(id),
                author,
                caption: String::new(),
                tags: Vec::new(),
                width: 1,
                height: 1,
                bytes: 1,
                likes: 0,
                posted_us: 0,
            };
            store::insert(tx.conn(), &photo, &files).await.expect("a row");
        }
        tx.commit().await.expect("committed");
    }

    async fn count(&self, statement: &'static str) -> i64 {
        let mut read = self.db.read().await.expect("a reader");
        storage::query("SELECT", "photo_photos", statement).one(&mut read).await.expect("a number")
    }
}

#[tokio::test]
async fn an_account_with_many_photos_is_forgotten_in_turns() {
    let (world, bob) = (World::open().await, UserId::new(2));
    world.add_photos(ADA, 1..451).await;
    world.add_photos(bob, 1_000..1_001).await;
    world.album.like(&context(), ADA, PhotoId::new(1_000), true).await.expect("a like");
    let left = async || world.count("SELECT COUNT(*) FROM photo_photos WHERE author = 1").await;

    let mut tx = world.db.write().await.expect("the writer");
    let event = ProfileDeleted { id: ADA };
    Subscriber::apply(&world.album, &context(), &mut tx, &event).await.expect("applied");
    tx.commit().await.expect("committed");
    assert_eq!(left().await, 250, "two hundred in the turn of the news");
    let refused = world.album.like(&context(), ADA, PhotoId::new(1_000), true).await.expect_err("gone");
    assert_eq!(refused.code, "account_gone");
    assert_eq!(world.count("SELECT likes FROM photo_photos WHERE id = 1000").await, 0);

    assert!(world.album.forget_more().await.expect("a turn"));
    assert_eq!(left().await, 50);
    assert!(world.album.forget_more().await.expect("a turn"));
    assert_eq!(left().await, 0);
    assert!(!world.album.forget_more().await.expect("nothing is left"));
    assert_eq!(world.count("SELECT COUNT(*) FROM photo_photos").await, 1, "of another");
}
