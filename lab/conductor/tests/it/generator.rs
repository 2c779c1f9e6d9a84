//! The load generator as a child: its messages, its start and its end.

use conductor::arm::children::Spawner;
use conductor::run::generator::{Generator, GeneratorError};
use load_protocol::{LoadPlan, Message};

use crate::node::FakeNodes;

fn plan(nodes: &FakeNodes) -> LoadPlan {
    let load = toml::from_str("rate = \"1/s\"\nsize = \"tiny\"").expect("a load");
    LoadPlan {
        run_id: "r1".into(),
        seed: 1,
        round: 1,
        phases: Vec::new(),
        further_from_us: Vec::new(),
        load,
        arms: Vec::new(),
        secret: "identity".into(),
        log: nodes.folder.path().join("generator.log"),
        good_within_us: 1,
        timeout_us: 1,
        audit: false,
        sample: 0.0,
        workers: 1,
        cores: Vec::new(),
    }
}

async fn start(script: &str) -> (FakeNodes, Result<Generator, GeneratorError>) {
    let nodes = FakeNodes::with_program(script);
    let generator =
        Generator::start(&Spawner::new(), &nodes.program, &plan(&nodes), nodes.folder.path()).await;
    (nodes, generator)
}

#[tokio::test]
async fn a_generator_is_started_when_it_is_ready_and_followed_to_its_end() {
    let (_nodes, generator) = start(
        r#"echo '{"kind":"hello","schedule_digest":"abc","planned":12}'
echo 'no message'
echo '{"kind":"ready","warm_ms":3,"unready":["mono did not answer `like`"]}'
read -r command at
read -r further
read -r end
echo "{\"kind\":\"failed\",\"reason\":\"$command $at, $further, $end\"}""#,
    )
    .await;
    let mut generator = generator.expect("it gets ready");
    assert_eq!((generator.digest.as_str(), generator.planned), ("abc", 12));
    assert_eq!(generator.unready, ["mono did not answer `like`"]);
    generator.start_load(77);
    generator.offer_further();
    generator.end_load();
    let message = generator.next_message().await;
    assert!(
        matches!(&message, Some(Message::Failed { reason }) if reason == "start 77, further, end"),
        "{message:?}"
    );
    assert!(generator.next_message().await.is_none(), "it has ended");
    assert_eq!(generator.wait().await, "exit 0");
}

#[tokio::test]
async fn a_cancelled_generator_sees_the_end_of_its_input() {
    let (_nodes, generator) = start("echo '{\"kind\":\"ready\",\"warm_ms\":3}'\nexec cat > /dev/null").await;
    let mut generator = generator.expect("it gets ready");
    generator.cancel();
    assert!(generator.next_message().await.is_none());
    assert_eq!(generator.wait().await, "exit 0");
}

#[tokio::test]
async fn a_generator_that_fails_or_ends_is_an_error_with_its_reason() {
    for (script, reason) in [
        ("echo '{\"kind\":\"failed\",\"reason\":\"no connection\"}'\nexec cat > /dev/null", "no connection"),
        ("exit 4", "it ended with exit 4"),
    ] {
        let (_nodes, generator) = start(script).await;
        let error = generator.map(|_| ()).expect_err(reason);
        assert!(error.to_string().contains(reason), "{error}");
    }
}
