//! What a client sees of photos, whatever lies between: function calls, encoded calls, another process.

mod pictures;
mod sweep;

use contract::Id;
use history::{History, PastPhoto};
use photo_api::{Photo, PhotoDeleted, PhotoId, PhotoPosted, PhotosByIds};
use pictures::{bomb, jpeg, png, webp};
use profile_api::{ProfileDeleted, UserId};
use serde_json::Value;
use testkit::{
    Carrier, ChildProcess, Client, InProcess, Request, Subject, delete, eventually, get, post, put,
};

static SUBJECT: Subject = Subject {
    service: &photo::SERVICE,
    fakes: |_| (),
    history: one_old_photo,
    program: env!("CARGO_BIN_EXE_photo"),
};

const ADA: UserId = UserId::new(1);
const BOB: UserId = UserId::new(2);
const OLD: PhotoId = PhotoId::new(77);

fn one_old_photo() -> History {
    let photo = Photo {
        id: OLD,
        author: BOB,
        caption: "before the run".into(),
        tags: vec!["old".into()],
        width: 640,
        height: 480,
        bytes: 9,
        likes: 5,
        posted_us: 1_000_000,
    };
    let (original, thumbnail) = ("0".repeat(64), "1".repeat(64));
    let media_type = "image/jpeg".into();
    History { photos: vec![PastPhoto { photo, original, thumbnail, media_type }], ..History::default() }
}

testkit::on_every_carrier!(SUBJECT =>
    an_upload_is_developed_and_read_back,
    every_format_is_taken,
    a_repeat_makes_no_second_photo,
    what_is_no_picture_is_refused,
    words_are_checked,
    a_like_counts_once,
    only_its_author_deletes_a_photo,
    an_account_takes_its_photos_and_likes_along,
    metadata_comes_in_bulk,
    writes_need_a_token,
);

fn upload(client: &impl Client, who: UserId, key: &str, media_type: &str, bytes: Vec<u8>) -> Request {
    post("/v1/photos?caption=A%20cat&tags=cat,Sofa").token(client.token(who)).key(key).body(media_type, bytes)
}

/// Posts a small picture; its id.
async fn posted(client: &impl Client, who: UserId, key: &str) -> PhotoId {
    let reply = client.send(upload(client, who, key, "image/png", png(8, 8))).await.expect(201);
    id(&reply)
}

fn id<Kind>(reply: &Value) -> Id<Kind> {
    reply["id"].as_str().expect("an id").parse().expect("well-formed")
}

async fn an_upload_is_developed_and_read_back(client: impl Client) {
    let bytes = png(1000, 500);
    let reply = client.send(upload(&client, ADA, "k", "image/png", bytes.clone())).await;
    let photo = reply.expect(201);
    let path = format!("/v1/photos/{}", photo["id"].as_str().expect("an id"));
    assert_eq!(reply.headers["location"], path.as_str());

    let seen = client.send(get(&path)).await.expect(200);
    assert_eq!((&seen["width"], &seen["height"], &seen["likes"]), (&1000.into(), &500.into(), &0.into()));
    assert_eq!((&seen["caption"], &seen["tags"]), (&"A cat".into(), &serde_json::json!(["cat", "sofa"])));
    assert_eq!(seen["bytes"], bytes.len());
    assert_eq!(seen["author"], ADA.to_string());
    assert_eq!(seen.get("liked"), None, "without a request");

    let original = client.send(get(format!("{path}/original"))).await;
    assert_eq!((original.status, &original.body[..]), (200, &bytes[..]));
    assert_eq!(original.headers["content-type"], "image/png");
    let thumbnail = client.send(get(format!("{path}/thumbnail"))).await;
    assert_eq!(
        (thumbnail.status, &thumbnail.headers["content-type"]),
        (200, &"image/jpeg".parse().expect("ASCII"))
    );
    // 1000 x 500 fits a square of 320 as 320 x 160.
    let small = image::load_from_memory(&thumbnail.body).expect("a real JPEG");
    assert_eq!((small.width(), small.height()), (320, 160));

    for file in [&original, &thumbnail] {
        assert!(file.headers["cache-control"].to_str().expect("ASCII").contains("immutable"));
        // Bytes that are a picture and a page at once are shown as a picture.
        assert_eq!(file.headers["x-content-type-options"], "nosniff");
        assert_eq!(file.headers["content-security-policy"], "default-src 'none'; sandbox");
    }
    assert!(bytes.len() > 32 * 1024, "{} bytes: read in pieces, and of a known length", bytes.len());
    assert_eq!(original.headers["content-length"], bytes.len().to_string().as_str());
    let etag = original.headers["etag"].to_str().expect("ASCII");
    for known in [etag.to_owned(), format!("\"another\", W/{etag}"), "*".to_owned()] {
        let known = client.send(get(format!("{path}/original")).header("if-none-match", known)).await;
        assert_eq!((known.status, known.body.len()), (304, 0));
    }

    let events = client.published::<PhotoPosted>().await;
    assert_eq!(events.len(), 1);
    assert_eq!(serde_json::to_value(&events[0].photo).expect("plain data"), photo);
}

async fn every_format_is_taken(client: impl Client) {
    for (key, media_type, bytes) in [
        ("j", "image/jpeg", jpeg(40, 30)),
        ("p", "image/png", png(40, 30)),
        ("w", "image/webp", webp(40, 30)),
    ] {
        let photo = client.send(upload(&client, ADA, key, media_type, bytes)).await.expect(201);
        let original =
            client.send(get(format!("/v1/photos/{}/original", photo["id"].as_str().expect("an id")))).await;
        assert_eq!(original.status, 200);
        assert_eq!(original.headers["content-type"], media_type);
    }
}

async fn a_repeat_makes_no_second_photo(client: impl Client) {
    let send = || client.send(upload(&client, ADA, "once", "image/png", png(8, 8)));
    // Two at the same time, and one long after.
    let (first, second) = tokio::join!(send(), send());
    let (first, second, third) = (first.expect(201), second.expect(201), send().await.expect(201));
    assert_eq!((&first, &first), (&second, &third));
    assert_eq!(client.published::<PhotoPosted>().await.len(), 1);
    client.send(upload(&client, ADA, "once", "image/png", png(9, 9))).await.refused(422, "key_reused");
    // Another user's key is another key.
    assert_ne!(posted(&client, BOB, "once").await, id(&first));
}

async fn what_is_no_picture_is_refused(client: impl Client) {
    let whole = jpeg(200, 200);
    let cut = whole[..whole.len() / 2].to_vec();
    for (media_type, bytes, status, code) in [
        ("image/gif", b"GIF89a".to_vec(), 415, "media_type_unsupported"),
        ("text/plain", b"hello".to_vec(), 415, "media_type_unsupported"),
        ("image/png", b"hello".to_vec(), 415, "media_type_mismatch"),
        ("image/png", whole, 415, "media_type_mismatch"),
        ("image/png", Vec::new(), 415, "media_type_mismatch"),
        ("image/jpeg", cut, 422, "image_broken"),
        ("image/png", bomb(60_000), 422, "image_too_large"),
        ("image/png", vec![0; (16 << 20) + 1], 413, "photo_too_large"),
    ] {
        client.send(upload(&client, ADA, code, media_type, bytes)).await.refused(status, code);
    }
    assert!(client.published::<PhotoPosted>().await.is_empty());
}

async fn words_are_checked(client: impl Client) {
    let long = "x".repeat(501);
    for (query, code) in [
        (format!("caption={long}"), "caption_too_long"),
        ("tags=two%20words".into(), "tag_invalid"),
        ("tags=a,b,c,d,e,f,g,h,i,j,k".into(), "tags_too_many"),
    ] {
        let request =
            post(format!("/v1/photos?{query}")).token(client.token(ADA)).body("image/png", png(8, 8));
        client.send(request).await.refused(422, code);
    }
}

async fn a_like_counts_once(client: impl Client) {
    let photo = posted(&client, ADA, "k").await;
    let path = format!("/v1/photos/{photo}/like");
    let like = |who| client.send(put(&path).token(client.token(who)));
    let unlike = |who| client.send(delete(&path).token(client.token(who)));
    let now = |likes: u64, version: u64, liked: bool| serde_json::json!({ "likes": likes, "version": version, "liked": liked });

    assert_eq!(like(ADA).await.expect(200), now(1, 2, true));
    assert_eq!(like(ADA).await.expect(200), now(1, 2, true), "twice is once");
    assert_eq!(like(BOB).await.expect(200), now(2, 3, true));
    assert_eq!(unlike(ADA).await.expect(200), now(1, 4, false));
    assert_eq!(unlike(ADA).await.expect(200), now(1, 4, false));

    let view = |who| client.send(get(format!("/v1/photos/{photo}")).token(client.token(who)));
    assert_eq!(view(ADA).await.expect(200)["liked"], false);
    let seen = view(BOB).await.expect(200);
    assert_eq!((&seen["liked"], &seen["likes"], &seen["version"]), (&true.into(), &1.into(), &4.into()));

    // A key gives the first answer again, whatever happened since.
    let keyed =
        |verb: fn(String) -> Request| client.send(verb(path.clone()).token(client.token(ADA)).key("one"));
    let first = keyed(put).await.expect(200);
    unlike(BOB).await.expect(200);
    assert_eq!(keyed(put).await.expect(200), first);
    keyed(delete).await.refused(422, "key_reused");

    let nowhere = put(format!("/v1/photos/{}/like", PhotoId::new(404))).token(client.token(ADA));
    client.send(nowhere).await.refused(404, "photo_not_found");
}

async fn only_its_author_deletes_a_photo(client: impl Client) {
    let photo = posted(&client, ADA, "k").await;
    let path = format!("/v1/photos/{photo}");
    client.send(put(format!("{path}/like")).token(client.token(BOB))).await.expect(200);
    client.send(delete(&path).token(client.token(BOB))).await.refused(403, "photo_foreign");
    let own = || client.send(delete(&path).token(client.token(ADA)).key("gone"));
    own().await.expect(204);
    own().await.expect(204);
    client.send(delete(&path).token(client.token(ADA))).await.refused(404, "photo_not_found");
    for part in ["", "/thumbnail", "/original"] {
        client.send(get(format!("{path}{part}"))).await.refused(404, "photo_not_found");
    }
    assert_eq!(client.published::<PhotoDeleted>().await, [PhotoDeleted { id: photo, author: ADA }]);
    // The upload's key still belongs to the upload, and the photo stays gone.
    assert_eq!(posted(&client, ADA, "k").await, photo);
    client.send(get(&path)).await.refused(404, "photo_not_found");
}

async fn an_account_takes_its_photos_and_likes_along(client: impl Client) {
    let (hers, his) = (posted(&client, ADA, "k").await, posted(&client, BOB, "k").await);
    for photo in [hers, his] {
        client.send(put(format!("/v1/photos/{photo}/like")).token(client.token(ADA))).await.expect(200);
        client.send(put(format!("/v1/photos/{photo}/like")).token(client.token(BOB))).await.expect(200);
    }
    client.publish("bye", ProfileDeleted { id: ADA }).await;
    eventually("her photo goes", async || {
        (client.send(get(format!("/v1/photos/{hers}"))).await.status == 404).then_some(())
    })
    .await;
    assert_eq!(client.published::<PhotoDeleted>().await, [PhotoDeleted { id: hers, author: ADA }]);
    assert_eq!(
        client.send(get(format!("/v1/photos/{his}"))).await.expect(200)["likes"],
        1,
        "his own like is left"
    );

    // Her token has hours to live.
    client.send(upload(&client, ADA, "late", "image/png", png(8, 8))).await.refused(401, "account_gone");
    client
        .send(put(format!("/v1/photos/{his}/like")).token(client.token(ADA)))
        .await
        .refused(401, "account_gone");
    let seen = get(format!("/v1/photos/{his}")).token(client.token(ADA));
    client.send(seen).await.refused(401, "account_gone");
}

async fn metadata_comes_in_bulk(client: impl Client) {
    let new = posted(&client, ADA, "k").await;
    let ids = vec![new, PhotoId::new(404), OLD];
    let mut found = client.ask(PhotosByIds { ids }).await.expect("answers");
    found.sort_by_key(|photo| photo.author);
    assert_eq!(found.iter().map(|photo| photo.id).collect::<Vec<_>>(), [new, OLD]);
    assert_eq!(found[1], one_old_photo().photos[0].photo);
    assert_eq!(client.ask(PhotosByIds { ids: Vec::new() }).await.expect("answers"), []);
    let refusal = client.ask(PhotosByIds { ids: vec![OLD; 101] }).await.expect_err("too many");
    assert_eq!((refusal.kind.status(), refusal.code.as_ref()), (400, "too_many_ids"));
}

async fn writes_need_a_token(client: impl Client) {
    let writes = || {
        [
            post("/v1/photos").body("image/png", png(8, 8)),
            put(format!("/v1/photos/{OLD}/like")),
            delete(format!("/v1/photos/{OLD}/like")),
            delete(format!("/v1/photos/{OLD}")),
        ]
    };
    for request in writes() {
        client.send(request.clone()).await.refused(401, "token_required");
        client.send(request.token("forged")).await.refused(401, "token_invalid");
    }
    client.send(get("/v1/photos/not-an-id")).await.refused(400, "id_invalid");
    let key = "k".repeat(129);
    let long = put(format!("/v1/photos/{OLD}/like")).token(client.token(ADA)).key(key);
    client.send(long).await.refused(400, "key_invalid");
}

#[tokio::test]
async fn a_photo_without_a_key_has_an_id_that_no_other_process_gives() {
    let mut ids = std::collections::BTreeSet::new();
    // Two lives of one configuration: the same seed, as after a restart or in a copy.
    for _ in 0..2 {
        let client = ChildProcess::start(&SUBJECT, Carrier::Json).await;
        for _ in 0..8 {
            let request = post("/v1/photos").token(client.token(ADA)).body("image/png", png(8, 8));
            let reply = client.send(request).await.expect(201);
            assert!(ids.insert(id::<()>(&reply)), "{reply} was there before");
        }
    }
}

#[tokio::test]
async fn the_same_writes_end_in_the_same_digest() {
    let local = InProcess::local(&SUBJECT).await;
    let wire = InProcess::wire(&SUBJECT).await;
    let empty = local.digest(&SUBJECT).await;
    // Different moments, likes that come and go: none of it is part of the state.
    for client in [&local, &wire] {
        let photo = posted(client, ADA, "k").await;
        client.send(put(format!("/v1/photos/{photo}/like")).token(client.token(BOB))).await.expect(200);
    }
    let photo = posted(&wire, ADA, "k").await;
    for verb in [put, delete] {
        wire.send(verb(format!("/v1/photos/{photo}/like")).token(wire.token(ADA))).await.expect(200);
    }
    assert_ne!(local.digest(&SUBJECT).await, empty);
    assert_eq!(local.digest(&SUBJECT).await, wire.digest(&SUBJECT).await);
    posted(&wire, ADA, "another").await;
    assert_ne!(local.digest(&SUBJECT).await, wire.digest(&SUBJECT).await);
}
