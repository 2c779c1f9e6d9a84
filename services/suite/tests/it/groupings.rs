//! One story in every grouping of the databases: the same state in the end, also where a follow comes between what a
//! subscriber asks and its turn to write.

use contract::Placement;
use serde_json::{Value, json};
use testkit::{Databases, eventually, get, post, put};

use crate::application::Application;
use crate::people::{Account, picture, sign_up};

/// The topologies by name, with how many databases each has.
fn topologies() -> [(&'static str, Value, usize); 5] {
    let whole = json!({ "app": ["gateway", "*"] });
    let pairs = json!({ "people": ["profile", "follower"], "feed": ["feed"], "media": ["search", "photo"] });
    [
        ("mono", json!({ "processes": whole }), 1),
        ("mono with stores", json!({ "processes": whole, "store_per_component": true }), 5),
        ("pairs", json!({ "processes": pairs }), 3),
        ("micro", json!({ "processes": { "each": ["*"] } }), 5),
        ("micro over HTTP/2", json!({ "processes": { "each": ["*"] }, "carrier": "http2+binary" }), 5),
    ]
}

/// Each topology on files and, with the feature `postgres` of testkit, on a server.
fn everywhere() -> Vec<(String, Value, usize, Databases)> {
    let mut everywhere = Vec::new();
    for (name, placement, count) in topologies() {
        if let Some(server) = Databases::on_server() {
            everywhere.push((format!("{name} on a server"), placement.clone(), count, server));
        }
        everywhere.push((name.to_owned(), placement, count, Databases::files()));
    }
    everywhere
}

async fn follow(rest: &axum::Router, who: &Account, whom: &str) {
    let key = format!("{}-{whom}", who.id);
    put(format!("/v1/users/{whom}/follow")).token(&who.token).key(key).send_to(rest).await.expect(200);
}

async fn home(application: &Application, reader: &Account) -> Vec<String> {
    let page = get("/v1/feed").token(&reader.token).send_to(&application.rest).await.expect(200);
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item["photo"]["caption"].as_str().expect("a caption").to_owned()).collect()
}

#[tokio::test]
async fn a_follow_between_the_question_and_the_turn_ends_in_one_state_everywhere() {
    let mut states = Vec::new();
    for (topology, placement, count, databases) in everywhere() {
        let placement: Placement = serde_json::from_value(placement).expect("a placement");
        let application = Application::open_on(&placement, databases).await;
        assert_eq!(application.databases(), count, "{topology}");
        let [ada, bob, cleo] = [
            sign_up(&application, "ada").await,
            sign_up(&application, "bob").await,
            sign_up(&application, "cleo").await,
        ];
        follow(&application.rest, &bob, &ada.id).await;

        // The followers of Ada are listed, and only then there is one more.
        let (rest, of_ada) = (application.rest.clone(), ada.id.clone());
        let (late, reader) = (Account { id: cleo.id.clone(), token: cleo.token.clone() }, cleo);
        application.interrupt(move || Box::pin(async move { follow(&rest, &late, &of_ada).await }));
        let upload = post("/v1/photos?caption=first&tags=cat").token(&ada.token).key("first");
        upload.body("image/png", picture()).send_to(&application.rest).await.expect(201);

        for reader in [&bob, &reader] {
            eventually(&format!("{topology}: the feed of {} shows it", reader.id), async || {
                (home(&application, reader).await == ["first"]).then_some(())
            })
            .await;
        }
        eventually("all events are applied", async || (application.waiting().await == 0).then_some(())).await;
        assert!(!application.is_interruption_left(), "{topology}: the follow came in between");
        states.push((topology, application.digests().await));
    }
    let (_, first) = &states[0];
    for (topology, state) in &states {
        assert_eq!(state, first, "{topology}");
    }
}
