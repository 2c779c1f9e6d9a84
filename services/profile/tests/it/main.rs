//! Accounts: the same stories by function call, encoded, and across sockets.

use std::time::Instant;

use contract::RefusalKind;
use history::History;
use profile_api::{Profile, ProfileChanged, ProfileCreated, ProfileDeleted, ProfilesByIds, UserId};
use serde_json::{Value, json};
use testkit::{Client, InProcess, Request, Subject, delete, get, patch, post};

static EMPTY: Subject = Subject {
    service: &profile::SERVICE,
    fakes: |_| {},
    history: History::default,
    program: env!("CARGO_BIN_EXE_profile"),
};

testkit::on_every_carrier!(EMPTY =>
    an_account_lives_from_sign_up_to_deletion,
    one_key_has_one_effect,
    a_repeated_sign_up_proves_the_password,
    log_in_does_not_reveal_what_was_wrong,
    guesses_are_limited_and_no_user_is_locked_out,
    what_breaks_a_rule_is_refused_by_code,
    profiles_by_ids_leaves_strangers_out,
);

fn ada() -> Value {
    json!({"handle": "ada", "name": "Ada Lovelace", "password": "note G, 1843", "bio": "First of all"})
}

fn sign_up(handle: &str) -> Request {
    post("/v1/users").json(json!({"handle": handle, "name": handle, "password": "twelve words"}))
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

async fn an_account_lives_from_sign_up_to_deletion(client: impl Client) {
    let session = client.send(post("/v1/users").json(ada())).await.expect(201);
    let (id, token) = (text(&session["user"]["id"]), text(&session["token"]));
    let first =
        json!({"id": id, "handle": "ada", "name": "Ada Lovelace", "bio": "First of all", "version": 1});
    assert_eq!(session["user"], first);
    assert_eq!(client.send(get(format!("/v1/users/{id}"))).await.expect(200), first);
    assert_eq!(client.send(get("/v1/users/by-handle/ada")).await.expect(200), first);

    let second =
        client.send(patch("/v1/users/me").token(token).json(json!({"name": "Countess"}))).await.expect(200);
    assert_eq!(
        (&second["name"], &second["bio"], &second["version"]),
        (&json!("Countess"), &first["bio"], &json!(2))
    );

    let user: UserId = id.parse().expect("an id");
    assert_eq!(client.send(delete("/v1/users/me").token(token)).await.expect(204), Value::Null);
    client.send(get(format!("/v1/users/{id}"))).await.refused(404, "user_not_found");
    client.send(get("/v1/users/by-handle/ada")).await.refused(404, "user_not_found");
    client.send(delete("/v1/users/me").token(token)).await.refused(401, "account_gone");
    client
        .send(patch("/v1/users/me").token(token).json(json!({"bio": ""})))
        .await
        .refused(401, "account_gone");
    client.send(post("/v1/users").json(ada())).await.refused(409, "handle_taken");

    let created: Vec<ProfileCreated> = client.published().await;
    let changed: Vec<ProfileChanged> = client.published().await;
    assert_eq!(created.iter().map(|e| (e.profile.id, e.profile.version)).collect::<Vec<_>>(), [(user, 1)]);
    assert_eq!(changed.iter().map(|e| (e.profile.id, e.profile.version)).collect::<Vec<_>>(), [(user, 2)]);
    assert_eq!(client.published::<ProfileDeleted>().await, [ProfileDeleted { id: user }]);
}

async fn one_key_has_one_effect(client: impl Client) {
    // Two clients at the same moment: one opens the account, the other hears of it.
    let request = post("/v1/users").json(ada()).key("open");
    let (one, other) = tokio::join!(client.send(request.clone()), client.send(request));
    let (one, other) = (one.expect(201), other.expect(201));
    assert_eq!(one["user"], other["user"]);
    assert_eq!(client.published::<ProfileCreated>().await.len(), 1);

    let token = text(&other["token"]);
    let edit = patch("/v1/users/me").token(token).json(json!({"bio": "Countess"})).key("edit");
    let (one, other) = tokio::join!(client.send(edit.clone()), client.send(edit));
    assert_eq!(one.expect(200), other.expect(200));
    let third =
        client.send(patch("/v1/users/me").token(token).json(json!({"bio": "Countess"}))).await.expect(200);
    assert_eq!(third["version"], 3, "without a key the same edit happens again");
    assert_eq!(client.published::<ProfileChanged>().await.len(), 2);
    let reused = patch("/v1/users/me").token(token).json(json!({"bio": "another"})).key("edit");
    client.send(reused).await.refused(422, "key_reused");

    let farewell = delete("/v1/users/me").token(token).key("farewell");
    client.send(farewell.clone()).await.expect(204);
    client.send(farewell).await.expect(204);
    assert_eq!(client.published::<ProfileDeleted>().await.len(), 1);
}

/// Wrong guesses of one address for one account: ten at once, and one more for each six seconds that a busy machine takes.
struct Guesses {
    began: Instant,
    answered: u64,
}

impl Guesses {
    /// None so far; before the first one is sent.
    fn none() -> Self {
        Self { began: runtime::clock::now(), answered: 0 }
    }

    /// How many the time that has passed makes room for, beyond the ten.
    fn more(&self) -> u64 {
        self.began.elapsed().as_secs() / 6
    }

    /// Counts one that was looked at.
    fn count(&mut self) {
        self.answered += 1;
        assert!(self.answered <= 10 + self.more(), "{} guesses were looked at", self.answered);
    }
}

async fn a_repeated_sign_up_proves_the_password(client: impl Client) {
    client.send(post("/v1/users").json(ada()).key("open")).await.expect(201);
    let mut thief = ada();
    thief["password"] = json!("a lucky guess");
    let guess = post("/v1/users").json(thief).key("open").header("x-forwarded-for", "127.0.0.2");
    let mut guesses = Guesses::none();
    let limited = loop {
        let reply = client.send(guess.clone()).await;
        if reply.status == 429 {
            break reply;
        }
        reply.refused(422, "key_reused");
        guesses.count();
    };
    limited.refused(429, "log_ins_limited");
    assert!(guesses.answered >= 10, "{} guesses were looked at", guesses.answered);
    // She is somewhere else.
    client.send(post("/v1/users").json(ada()).key("open")).await.expect(201);
    client.send(post("/v1/users").json(ada()).key("another")).await.refused(409, "handle_taken");
    client.send(post("/v1/users").json(ada()).key("")).await.refused(400, "key_invalid");
}

async fn log_in_does_not_reveal_what_was_wrong(client: impl Client) {
    let user = client.send(post("/v1/users").json(ada())).await.expect(201)["user"].clone();
    let log_in = |handle: &str, password: &str| {
        client.send(post("/v1/sessions").json(json!({"handle": handle, "password": password})))
    };
    let session = log_in("ada", "note G, 1843").await.expect(200);
    assert_eq!(session["user"], user);
    let me = patch("/v1/users/me").token(text(&session["token"])).json(json!({"bio": "back again"}));
    assert_eq!(client.send(me).await.expect(200)["id"], user["id"]);

    let guessed = log_in("ada", "note H, 1843").await;
    guessed.refused(401, "credentials_wrong");
    let unknown = log_in("adah", "note G, 1843").await;
    assert_eq!(guessed.body, unknown.body);
    log_in("ada", &"x".repeat(300)).await.refused(401, "credentials_wrong");
    // PostgreSQL has no zero byte in a text.
    assert_eq!(guessed.body, log_in("ada\0", "note G, 1843").await.body);
    client.send(get("/v1/users/by-handle/ada%00")).await.refused(404, "user_not_found");

    let forged = format!("{}x", text(&session["token"]));
    client.send(delete("/v1/users/me").token(&forged)).await.refused(401, "token_invalid");
    client.send(get("/v1/users/by-handle/ada").token(&forged)).await.refused(401, "token_invalid");
    client.send(delete("/v1/users/me")).await.refused(401, "token_required");
}

async fn guesses_are_limited_and_no_user_is_locked_out(client: impl Client) {
    let session = client.send(post("/v1/users").json(ada())).await.expect(201);
    let log_in = |password: &'static str, address: &'static str| {
        let credentials = json!({"handle": "ada", "password": password});
        client.send(post("/v1/sessions").json(credentials).header("x-forwarded-for", address))
    };
    let (mut guesses, mut let_in) = (Guesses::none(), 0);
    let limited = loop {
        let reply = log_in("a guess", "127.0.0.2").await;
        if reply.status != 429 {
            reply.refused(401, "credentials_wrong");
            guesses.count();
            continue;
        }
        // The right password is refused there as well, unless there has come to be room for one more meanwhile.
        let right = log_in("note G, 1843", "127.0.0.2").await;
        if right.status != 200 {
            break right;
        }
        let_in += 1;
        assert!(let_in <= guesses.more(), "let in {let_in} times after ten wrong guesses");
    };
    limited.refused(429, "log_ins_limited");
    assert!(guesses.answered >= 10, "{} guesses were looked at", guesses.answered);
    let wait = limited.headers["retry-after"].to_str().ok().and_then(|text| text.parse::<u64>().ok());
    assert!(wait.is_some_and(|seconds| (1..=6).contains(&seconds)), "one guess each six seconds: {wait:?}");
    // She is somewhere else, and her token is good everywhere.
    log_in("note G, 1843", "127.0.0.1").await.expect(200);
    let me = patch("/v1/users/me").token(text(&session["token"])).json(json!({"bio": "still here"}));
    client.send(me.header("x-forwarded-for", "127.0.0.2")).await.expect(200);
}

async fn what_breaks_a_rule_is_refused_by_code(client: impl Client) {
    for (field, value, code) in [
        ("handle", "Ada", "handle_invalid"),
        ("name", " ", "name_invalid"),
        ("password", "short", "password_invalid"),
        ("bio", "\u{0}", "bio_invalid"),
        ("role", "admin", "body_invalid"),
    ] {
        let mut account = ada();
        account[field] = json!(value);
        client.send(post("/v1/users").json(account)).await.refused(422, code);
    }
    client.send(post("/v1/users").body("application/json", "{")).await.refused(400, "json_malformed");
    client.send(post("/v1/users").body("text/plain", "ada")).await.refused(415, "json_required");
    let long = format!("{{\"bio\":\"{}\"}}", "x".repeat(70_000));
    client.send(post("/v1/users").body("application/json", long)).await.refused(413, "body_too_large");
    client.send(get("/v1/users/unknown")).await.refused(400, "id_invalid");
    client.send(get("/v1/users/%ff")).await.refused(400, "path_invalid");

    let token = text(&client.send(sign_up("bob")).await.expect(201)["token"]).to_owned();
    let edit = |body: Value| client.send(patch("/v1/users/me").token(&token).json(body));
    edit(json!({})).await.refused(422, "nothing_to_change");
    edit(json!({"name": "x".repeat(81)})).await.refused(422, "name_invalid");
    edit(json!({"handle": "robert"})).await.refused(422, "body_invalid");
}

async fn profiles_by_ids_leaves_strangers_out(client: impl Client) {
    let mut ids = Vec::new();
    for handle in ["ada", "bob", "eve"] {
        let session = client.send(sign_up(handle)).await.expect(201);
        ids.push(text(&session["user"]["id"]).parse::<UserId>().expect("an id"));
    }
    let asked = vec![ids[2], UserId::new(1), ids[0], ids[0]];
    let mut handles: Vec<String> = client
        .ask(ProfilesByIds { ids: asked })
        .await
        .expect("answers")
        .into_iter()
        .map(|p| p.handle)
        .collect();
    handles.sort();
    assert_eq!(handles, ["ada", "eve"]);
    assert_eq!(client.ask(ProfilesByIds { ids: Vec::new() }).await.expect("answers"), []);
    let many = ProfilesByIds { ids: vec![ids[0]; 101] };
    assert_eq!(client.ask(many).await.expect_err("101 are too many").kind, RefusalKind::BadRequest);
}

static SEEDED: Subject = Subject {
    service: &profile::SERVICE,
    fakes: |_| {},
    history: three_accounts,
    program: env!("CARGO_BIN_EXE_profile"),
};

/// What three sign-ups would have left, in no order.
fn three_accounts() -> History {
    let profiles = ["eve", "ada", "bob"].map(|handle| Profile {
        id: UserId::derived("user", &[handle.as_bytes()]),
        handle: handle.to_owned(),
        name: handle.to_owned(),
        bio: String::new(),
        version: 1,
    });
    History { profiles: profiles.into(), password: "twelve words".to_owned(), ..History::default() }
}

#[tokio::test]
async fn a_loaded_history_is_as_good_as_a_lived_one() {
    let loaded = InProcess::local(&SEEDED).await;
    let lived = InProcess::local(&EMPTY).await;
    for handle in ["ada", "bob", "eve"] {
        lived.send(sign_up(handle)).await.expect(201);
    }
    assert_eq!(loaded.digest(&SEEDED).await, lived.digest(&EMPTY).await);

    let credentials = json!({"handle": "bob", "password": "twelve words"});
    let session = loaded.send(post("/v1/sessions").json(credentials)).await.expect(200);
    loaded.send(delete("/v1/users/me").token(text(&session["token"]))).await.expect(204);
    assert_ne!(loaded.digest(&SEEDED).await, lived.digest(&EMPTY).await);
}

#[test]
fn a_service_among_others_does_not_start_without_a_secret() {
    let folder = std::env::current_exe().expect("a test is a program");
    let program = std::process::Command::new(SEEDED.program)
        .args(["--registry", "127.0.0.1:1", "--data"])
        .arg(folder.with_extension("nothing-is-written-here"))
        .env_remove("CLEAVE_SECRET")
        .output()
        .expect("it is built");
    let text = String::from_utf8_lossy(&program.stderr).into_owned();
    assert!(program.status.code() == Some(2) && text.contains("CLEAVE_SECRET"), "{text}");
}
