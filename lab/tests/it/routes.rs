//! Every route of the public table, asked from outside, whatever carries the parts behind the door.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::cleave::wait_for;
use crate::http::{Client, Reply};

/// Of every account that is opened here.
pub const PASSWORD: &str = "correct horse battery";

/// A new account: its client and its id.
pub fn sign_up(guest: &Client, handle: &str) -> (Client, String) {
    let account = json!({ "handle": handle, "password": PASSWORD, "name": handle });
    let made = guest.json("POST", "/v1/users", &format!("key-of-{handle}"), &account).expect(201);
    let id = made["user"]["id"].as_str().or(made["id"].as_str()).expect("an id").to_owned();
    let credentials = json!({ "handle": handle, "password": PASSWORD });
    let session = guest.json("POST", "/v1/sessions", "login", &credentials);
    assert!((200..300).contains(&session.status), "{session:?}");
    let token = session.json()["token"].as_str().expect("a token").to_owned();
    (Client { token: Some(token), ..guest.clone() }, id)
}

fn upload(client: &Client, key: &str, media_type: &str, bytes: &[u8]) -> Reply {
    let headers = [("content-type", media_type), ("idempotency-key", key)];
    client.send("POST", "/v1/photos?caption=A+heron+at+dawn&tags=heron,dawn", &headers, bytes)
}

/// A PNG whose header promises 30,000 pixels each way.
pub fn bomb() -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend_from_slice(&30_000_u32.to_be_bytes());
    bytes.extend_from_slice(&30_000_u32.to_be_bytes());
    bytes.extend_from_slice(&[8, 2, 0, 0, 0]);
    let crc = crc32(&bytes[12..]);
    bytes.extend_from_slice(&crc.to_be_bytes());
    bytes.extend_from_slice(b"\0\0\0\0IEND\xae\x42\x60\x82");
    bytes
}

/// CRC-32 as PNG chunks carry it (RFC 1952, section 8), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// Each answers as its row says, and refuses as its row says. `guest` stands at the door; `instances` are the
/// internal addresses of the parts.
pub fn all_answer(guest: &Client, instances: &[SocketAddr]) {
    // Profile: the life of an account.
    let (ada, ada_id) = sign_up(guest, "ada_of_up");
    let (bob, bob_id) = sign_up(guest, "bob_of_up");
    assert_eq!(ada.get(&format!("/v1/users/{bob_id}")).expect(200)["handle"], "bob_of_up");
    assert_eq!(ada.get("/v1/users/by-handle/bob_of_up").expect(200)["id"], bob_id.as_str());
    let edited = ada.json("PATCH", "/v1/users/me", "edit", &json!({ "bio": "counts things" }));
    assert_eq!(edited.expect(200)["bio"], "counts things");

    // Follower: an edge, seen from both ends.
    ada.write("PUT", &format!("/v1/users/{bob_id}/follow"), "follow").expect(200);
    let followers = ada.get(&format!("/v1/users/{bob_id}/followers")).expect(200);
    assert!(followers.to_string().contains(&ada_id), "{followers}");
    assert!(ada.get(&format!("/v1/users/{ada_id}/following")).expect(200).to_string().contains(&bob_id));

    // Photo: real bytes, one effect for one key even when two ask at once.
    let jpeg = pictures::jpeg(3);
    let twice: Vec<Value> = std::thread::scope(|scope| {
        let both = [0, 1].map(|_| scope.spawn(|| upload(&bob, "one-photo", "image/jpeg", &jpeg).expect(201)));
        both.map(|one| one.join().expect("no panic")).into()
    });
    assert_eq!(twice[0]["id"], twice[1]["id"], "one key has one effect");
    let photo = twice[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(ada.get(&format!("/v1/photos/{photo}")).expect(200)["caption"], "A heron at dawn");
    assert_eq!(&ada.get(&format!("/v1/photos/{photo}/thumbnail")).body[..2], b"\xff\xd8", "a JPEG");
    assert_eq!(ada.get(&format!("/v1/photos/{photo}/original")).body, &jpeg[..], "byte for byte");
    ada.write("PUT", &format!("/v1/photos/{photo}/like"), "like").expect(200);
    assert_eq!(ada.get(&format!("/v1/photos/{photo}")).expect(200)["likes"], 1);
    ada.write("DELETE", &format!("/v1/photos/{photo}/like"), "unlike").expect(200);

    // Feed and search hear of it.
    let by_bob = ada.get(&format!("/v1/users/{bob_id}/photos"));
    let heard = |client: &Client, path: &str| {
        wait_for(path, || client.get(path).expect(200).to_string().contains(&photo).then_some(()));
    };
    by_bob.expect(200);
    heard(&ada, &format!("/v1/users/{bob_id}/photos"));
    heard(&ada, "/v1/feed");
    heard(&ada, "/v1/search?q=heron&in=photos");
    let path = "/v1/search?q=bob_of_up&in=people";
    wait_for(path, || ada.get(path).expect(200).to_string().contains(&bob_id).then_some(()));

    // All of it is described where it is served.
    let contract = guest.get("/v1/openapi.json").expect(200);
    assert_eq!(contract["openapi"], "3.1.0");
    assert!(contract["paths"]["/v1/photos/{id}/like"]["put"].is_object(), "{contract}");

    // What is refused, and how.
    let wrong = Client { token: Some("not.a.token".into()), ..guest.clone() };
    wrong.get("/v1/feed").refused(401, "token_invalid");
    guest.get("/v1/feed").refused(401, "token_required");
    ada.write("DELETE", &format!("/v1/photos/{photo}"), "theft").refused(403, "photo_foreign");
    ada.get("/v1/feed?cursor=@@@").expect(400);
    ada.get("/v1/nothing").expect(404);
    ada.write("DELETE", "/v1/feed", "no").expect(405);
    upload(&ada, "large", "image/jpeg", &vec![0; 20 << 20]).expect(413);
    upload(&ada, "bomb", "image/png", &bomb()).expect(422);
    upload(&ada, "text", "image/png", b"no picture").refused(415, "media_type_mismatch");
    for reply in [ada.get("/v1/nothing"), ada.get("/v1/feed?cursor=@@@")] {
        let error = &reply.json()["error"];
        assert!(error["code"].is_string() && error["message"].is_string(), "{error}");
    }
    guest.get("/call/profile.by_ids").expect(404);
    guest.get("/control/digest").expect(404);

    // An internal port speaks JSON as well.
    for &instance in instances {
        let inside = Client { addr: instance, token: None };
        inside.get("/v1/nothing").refused(404, "no_such_route");
        inside.write("DELETE", "/metrics", "no").refused(405, "method_not_allowed");
        inside.get("/control/digest").refused(401, "token_required");
    }

    // The end of a life.
    bob.write("DELETE", &format!("/v1/photos/{photo}"), "delete").expect(204);
    ada.get(&format!("/v1/photos/{photo}")).expect(404);
    ada.write("DELETE", &format!("/v1/users/{bob_id}/follow"), "unfollow").expect(200);
    ada.write("DELETE", "/v1/users/me", "goodbye").expect(204);
    bob.get(&format!("/v1/users/{ada_id}")).expect(404);
}
