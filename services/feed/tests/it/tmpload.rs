use super::*;
#[tokio::test]
async fn tmpload() {
    let mut s = runtime::chance::Stream::new(1, "x");
    let n = 2000u64;
    let uid = |i: u64| UserId::new(contract::id::mix(i + 7) >> 1);
    let mut follows = std::collections::BTreeSet::new();
    while follows.len() < 80_000 {
        let a = s.next_u64() % n;
        let b = (s.unit() * s.unit() * s.unit() * n as f64) as u64;
        if a != b { follows.insert((uid(a), uid(b))); }
    }
    let photos = (0..8000u64).map(|i| {
        let author = uid((s.unit() * s.unit() * n as f64) as u64);
        PastPhoto { photo: Photo { id: PhotoId::new(contract::id::mix(i + 99)), author, caption: "a caption of some words".into(), tags: vec!["one".into(), "two".into()], width: 640, height: 480, bytes: 50_000, likes: 0, posted_us: i as i64 },
          original: "0".repeat(64), thumbnail: "1".repeat(64), media_type: "image/jpeg".into() }
    }).collect();
    let h = History { follows: follows.into_iter().map(|(follower, followee)| Followed { follower, followee }).collect(), photos, push_below: 1000, feed_depth: 800, ..History::default() };
    let dir = tempfile::TempDir::new().unwrap();
    let db = storage::Database::open(&dir.path().join("d.db"), storage::Options::bulk()).await.unwrap();
    db.migrate(feed::NAME, feed::SERVICE.migrations).await.unwrap();
    let t = runtime::clock::now();
    let mut tx = db.write().await.unwrap();
    (feed::SERVICE.load)(&mut tx, &h).await.unwrap();
    eprintln!("loaded {:?}", t.elapsed());
    tx.commit().await.unwrap();
    eprintln!("committed {:?}", t.elapsed());
    let t = runtime::clock::now();
    let d = (feed::SERVICE.digest)(&db).await.unwrap();
    eprintln!("digest {d} {:?}", t.elapsed());
    eprintln!("{} bytes", std::fs::metadata(dir.path().join("d.db")).unwrap().len());
}
