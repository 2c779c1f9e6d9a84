//! The suite as `docker compose --profile suite up` starts it: images built and started by a real engine.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use crate::cleave::wait_for;
use crate::http::Client;
use crate::routes;

const PARTS: [&str; 7] = ["registry", "gateway", "profile", "follower", "feed", "search", "photo"];

/// The largest an image may be.
const IMAGE_BYTES: u64 = 60_000_000;

/// The suite under a name of its own, on ports that are free; gone with its data at the end of the test.
struct Containers {
    folder: TempDir,
    project: String,
}

impl Containers {
    fn up() -> Self {
        let folder = TempDir::new().expect("a folder");
        let text = fs::read_to_string(root().join("compose.yaml")).expect("it is ours");
        fs::write(folder.path().join("compose.yaml"), with_free_ports(&text)).expect("writable");
        let containers = Self { folder, project: format!("cleave-test-{}", std::process::id()) };
        containers.compose(&[&["up", "--detach", "--build"], &PARTS[..]].concat());
        containers
    }

    /// What `docker compose` says, in the words of the plugin or of the program before it.
    fn compose(&self, arguments: &[&str]) -> String {
        let has_plugin = Command::new("docker")
            .args(["compose", "version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        let mut command = Command::new(if has_plugin { "docker" } else { "docker-compose" });
        command.args(has_plugin.then_some("compose"));
        command.arg("--file").arg(self.folder.path().join("compose.yaml"));
        command.arg("--project-directory").arg(root());
        command.args(["--project-name", &self.project, "--profile", "suite"]);
        output(command.args(arguments).env("DOCKER_BUILDKIT", "1").env("COMPOSE_DOCKER_CLI_BUILD", "1"))
    }

    /// One word of what the engine knows of the container of a part.
    fn inspect(&self, part: &str, format: &str) -> String {
        let id = self.compose(&["ps", "--quiet", "--all", part]);
        output(Command::new("docker").args(["inspect", "--format", format, &id]))
    }

    /// Where a port of a container is found on this machine.
    fn port(&self, part: &str, port: &str) -> SocketAddr {
        self.compose(&["port", part, port]).parse().expect("an address")
    }

    fn guest(&self) -> Client {
        Client { addr: self.port("gateway", "8080"), token: None }
    }

    fn wait_until_healthy(&self) {
        for part in PARTS {
            wait_for(&format!("{part} to be healthy"), || {
                (self.inspect(part, "{{.State.Health.Status}}") == "healthy").then_some(())
            });
        }
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        self.compose(&["down", "--volumes"]);
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("it is there")
}

/// What a program printed, which must have ended well.
fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("it is installed");
    let stderr_text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr_text}");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// `127.0.0.1:8080:8080` asks for a port by its number; `127.0.0.1::8080` for one that is free.
fn with_free_ports(compose: &str) -> String {
    let mut pieces = compose.split("127.0.0.1:");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| {
        let after = piece.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_published =
            after.strip_prefix(':').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        text + "127.0.0.1:" + if is_published { after } else { piece }
    })
}

#[test]
#[ignore = "builds images for minutes, and needs a container engine that can fetch their bases"]
fn the_suite_runs_in_containers_of_its_own() {
    let containers = Containers::up();
    containers.wait_until_healthy();
    for part in PARTS {
        let bytes = output(
            Command::new("docker")
                .args(["image", "inspect", "--format", "{{.Size}}"])
                .arg(format!("cleave/{part}:local")),
        );
        let bytes: u64 = bytes.parse().expect("a number");
        println!("{part}: {:.1} MB", bytes as f64 / 1e6);
        assert!(bytes < IMAGE_BYTES, "the image of {part} has {bytes} bytes");
        assert_eq!(
            containers.inspect(part, "{{.HostConfig.ReadonlyRootfs}} {{.Config.User}}"),
            "true 65532:65532"
        );
    }

    let instances = PARTS.map(|part| containers.port(part, "7100"));
    routes::all_answer(&containers.guest(), &instances);

    // A container that is asked to stop, stops well, and its data is there when it comes back.
    let account = json!({ "handle": "grace", "password": "correct horse battery", "name": "Grace" });
    containers.guest().json("POST", "/v1/users", "grace", &account).expect(201);
    containers.compose(&["stop"]);
    for part in PARTS {
        assert_eq!(containers.inspect(part, "{{.State.ExitCode}}"), "0", "{part}");
    }
    containers.compose(&["start"]);
    containers.wait_until_healthy();
    let credentials = json!({ "handle": "grace", "password": "correct horse battery" });
    wait_for("the door to find the profiles again", || {
        let session = containers.guest().json("POST", "/v1/sessions", "grace", &credentials);
        (200..300).contains(&session.status).then_some(())
    });
}
