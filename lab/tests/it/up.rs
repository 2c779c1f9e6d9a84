//! `cleave up micro`, and every route of the table from outside.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::cleave::{Cleave, Started, wait_for};
use crate::http::Client;

/// A suite that is up, and what it said of itself.
pub struct Suite {
    program: Started,
    said: BTreeMap<String, String>,
}

impl Suite {
    pub fn start_with(cleave: &Cleave, topology: &str, environment: &[(&str, &str)]) -> Self {
        let mut program = cleave.start_with(&["up", topology, "--size", "tiny"], environment);
        let mut said = BTreeMap::new();
        let mut lines = BufReader::new(program.0.stdout.take().expect("piped")).lines();
        while let Some(Ok(line)) = lines.next() {
            if line.starts_with("Ctrl-C") {
                return Self { program, said };
            }
            if let Some((name, value)) = line.split_once("  ") {
                said.insert(name.to_owned(), value.trim().to_owned());
            }
        }
        panic!("it ended before it was up: {said:?} {:?}", program.rest());
    }

    pub fn guest(&self) -> Client {
        let addr: SocketAddr =
            self.said["public door"].trim_start_matches("http://").parse().expect("an address");
        Client { addr, token: None }
    }

    pub fn seeded(&self) -> Client {
        Client { token: Some(self.said["user token"].clone()), ..self.guest() }
    }

    /// Internal addresses of its instances.
    pub fn instances(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        let is_instance = |(name, _): &(&String, &String)| name.contains('#');
        self.said.iter().filter(is_instance).map(|(_, said)| {
            let url = said.split(' ').next().unwrap_or_default();
            url.trim_start_matches("http://").parse().expect("an address")
        })
    }

    /// Ctrl-C, and nothing is left.
    pub fn end(self) {
        self.program.signal(Signal::SIGINT);
        assert_eq!(self.program.rest().0, Some(0));
    }
}

/// A new account: its client and its id.
fn sign_up(guest: &Client, handle: &str) -> (Client, String) {
    let account = json!({ "handle": handle, "password": "correct horse battery", "name": handle });
    let made = guest.json("POST", "/v1/users", &format!("key-of-{handle}"), &account).expect(201);
    let id = made["user"]["id"].as_str().or(made["id"].as_str()).expect("an id").to_owned();
    let credentials = json!({ "handle": handle, "password": "correct horse battery" });
    let session = guest.json("POST", "/v1/sessions", "login", &credentials);
    assert!((200..300).contains(&session.status), "{session:?}");
    let token = session.json()["token"].as_str().expect("a token").to_owned();
    (Client { token: Some(token), ..guest.clone() }, id)
}

fn upload(client: &Client, key: &str, media_type: &str, bytes: &[u8]) -> crate::http::Reply {
    let headers = [("content-type", media_type), ("idempotency-key", key)];
    client.send("POST", "/v1/photos?caption=A+heron+at+dawn&tags=heron,dawn", &headers, bytes)
}

/// A PNG whose header promises 30,000 pixels each way.
fn bomb() -> Vec<u8> {
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

#[test]
fn every_route_answers_as_its_row_says() {
    let cleave = Cleave::new();
    let suite = Suite::start_with(&cleave, "micro", &[]);
    let (guest, seeded) = (suite.guest(), suite.seeded());

    // Profile: the life of an account.
    let (ada, ada_id) = sign_up(&guest, "ada_of_up");
    let (bob, bob_id) = sign_up(&guest, "bob_of_up");
    assert_eq!(ada.get(&format!("/v1/users/{bob_id}")).expect(200)["handle"], "bob_of_up");
    assert_eq!(ada.get("/v1/users/by-handle/bob_of_up").expect(200)["id"], bob_id.as_str());
    let edited = ada.json("PATCH", "/v1/users/me", "edit", &json!({ "bio": "counts things" }));
    assert_eq!(edited.expect(200)["bio"], "counts things");
    assert!(seeded.get("/v1/feed?limit=3").expect(200)["items"].as_array().is_some_and(|i| !i.is_empty()));

    // Follower: an edge, seen from both ends.
    ada.write("PUT", &format!("/v1/users/{bob_id}/follow"), "follow").expect(200);
    let followers = ada.get(&format!("/v1/users/{bob_id}/followers")).expect(200);
    assert!(followers.to_string().contains(&ada_id), "{followers}");
    assert!(ada.get(&format!("/v1/users/{ada_id}/following")).expect(200).to_string().contains(&bob_id));

    // Photo: real bytes, one effect for one key even when two ask at once.
    let jpeg = loadgen::pictures::jpeg(3);
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
    for instance in suite.instances() {
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

    // Prometheus is told where they are, as long as they are.
    let targets = cleave.folder().join("runs/.targets");
    let told: Vec<_> =
        std::fs::read_dir(&targets).expect("a folder").flatten().map(|file| file.path()).collect();
    let [file] = &told[..] else { panic!("one file for one suite, not {told:?}") };
    let groups: Value = serde_json::from_slice(&std::fs::read(file).expect("readable")).expect("JSON");
    let mut listed: Vec<SocketAddr> = suite.instances().collect();
    listed.sort();
    assert_eq!(groups[0]["targets"], json!(listed));
    assert_eq!(groups[0]["labels"]["arm"], "micro");

    suite.end();
    assert!(cleave.processes().is_empty(), "something is left running");
    assert_eq!(std::fs::read_dir(&targets).expect("a folder").count(), 0, "nobody is there any more");
}
