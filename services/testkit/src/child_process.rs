//! The service as a program of its own, found through a registry, with a database and an outbox on either side.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use contract::{Call, Carrier, ComponentName, Event, Principal, ProcessPlan, Refusal};
use discovery::{Epoch, InstanceId, Registrar, Registration, Registry, ServiceName};
use node::{NodeConfig, database_path};
use runtime::ShutdownPolicy;
use storage::{Database, Position, Source};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use transport::cluster::Instance;

use crate::client::context;
use crate::subject::{Process, RUN_TOKEN, SECRET, settings};
use crate::{Client, Databases, Reply, Request, Subject};

/// The service on one side; its fakes, the registry and the story on the other.
pub struct ChildProcess {
    process: Process,
    service: ComponentName,
    addr: SocketAddr,
    // Dropped in this order: the program goes before its folder.
    _program: Child,
    _folder: TempDir,
}

impl ChildProcess {
    /// Starts the program as a child and registers both sides with each other. Calls travel by `carrier`, both ways.
    pub async fn start(subject: &Subject, carrier: Carrier) -> Self {
        let service = subject.service;
        let publishers = service.consumes.iter().map(|topic| topic.publisher);
        let faked: BTreeSet<ComponentName> = subject.absent().into_iter().chain(publishers).collect();
        let hosts = faked.iter().copied().collect();
        let process = Process::start(carrier, hosts, service.consumes, Databases::files()).await;
        (subject.fakes)(&process.calls);
        let registry = serve_fakes(&process, &faked, carrier).await;

        let folder = TempDir::new().expect("a temporary folder");
        let file = database_path(folder.path(), service.name.as_str());
        let db = Database::open(&file, storage::Options::bulk()).await.expect("a fresh database opens");
        subject.load(&db).await;
        db.checkpoint_and_close().await.expect("closes");
        let (program, addr) = launch(subject, &folder, registry, carrier).await;
        process.clusters.get(service.name).update(vec![Instance::new(format!("{}#0", service.name), addr)]);
        Self { process, service: service.name, addr, _program: program, _folder: folder }
    }
}

/// Serves the fakes, their outbox and a registry that knows them; returns where.
async fn serve_fakes(process: &Process, faked: &BTreeSet<ComponentName>, carrier: Carrier) -> SocketAddr {
    let registry = Registry::open(discovery::Options::new(RUN_TOKEN.into())).expect("it keeps no log");
    registry.start(&process.tasks);
    let router = process
        .calls
        .router()
        .merge(node::outbox::router(vec![process.bus.clone()], RUN_TOKEN.into()))
        .merge(registry.router());
    let listener =
        transport::serve::bind(([127, 0, 0, 1], 0).into()).await.expect("loopback has a free port");
    let http2 = (carrier == Carrier::Http2Binary).then(transport::serve::StreamLimits::default);
    let options = transport::serve::Options { http2, ..transport::serve::Options::default() };
    let addr = transport::serve::serve(&process.tasks, listener, router, options).addr();
    if !faked.is_empty() {
        let services = faked.iter().map(|name| ServiceName::from(*name));
        let id = InstanceId::new("fakes#0").expect("a name and a number");
        let registration = Registration::new(addr, RUN_TOKEN.into(), services, id, Epoch(1), addr);
        let registrar = Registrar::start(&process.tasks, registration);
        registrar.registered().await;
    }
    addr
}

/// Starts the program and reads where it listens.
async fn launch(
    subject: &Subject,
    folder: &TempDir,
    registry: SocketAddr,
    carrier: Carrier,
) -> (Child, SocketAddr) {
    let process = ProcessPlan::holding(subject.service.name);
    let config = NodeConfig {
        instance: format!("{}#0", process.name),
        processes: vec![process.clone()],
        process,
        carrier,
        registry: Some(registry.into()),
        data: folder.path().to_owned(),
        secret: SECRET.to_owned(),
        token: RUN_TOKEN.to_owned(),
        settings: settings(),
        ..NodeConfig::default()
    };
    let file = folder.path().join("node.json");
    std::fs::write(&file, serde_json::to_vec(&config).expect("plain data")).expect("the folder is ours");
    let mut program = Command::new(subject.program)
        .arg("--config")
        .arg(&file)
        // Its lifeline: it ends when we do.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the service is a program");
    let stdout = program.stdout.take().expect("piped");
    let line = BufReader::new(stdout).lines().next_line().await.expect("readable");
    let line = line.expect("it prints its address, or an error on standard error");
    let serving: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let addr = serving["listen"].as_str().and_then(|text| text.parse().ok()).expect("an address");
    (program, addr)
}

impl Client for ChildProcess {
    async fn send(&self, request: Request) -> Reply {
        let stream = tokio::net::TcpStream::connect(self.addr).await.expect("the service listens");
        let stream = hyper_util::rt::TokioIo::new(stream);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(stream).await.expect("it speaks HTTP/1.1");
        self.process.tasks.spawn("testkit.connection", ShutdownPolicy::Cancel, async move {
            // An error here shows as an error of the request itself.
            let _ = connection.await;
        });
        let mut request = request.into_http();
        let host = self.addr.to_string().parse().expect("an address is a header value");
        request.headers_mut().insert(http::header::HOST, host);
        Reply::read(sender.send_request(request).await.expect("it answers")).await
    }

    async fn ask<C: Call>(&self, call: C) -> Result<C::Reply, Refusal> {
        self.process.calls.ask::<C>(ComponentName::CLIENT).answer(&context(), call).await
    }

    async fn publish<E: Event>(&self, id: &str, event: E) {
        self.process.publish(id, &event).await;
    }

    async fn published<E: Event>(&self) -> Vec<E> {
        let outbox = node::outbox::HttpSource {
            publisher: self.service,
            consumer: ComponentName::CLIENT,
            clusters: self.process.clusters.clone(),
            token: RUN_TOKEN.into(),
        };
        let from_start = Position::default();
        let batch = outbox.pull(E::TOPIC, &from_start, 256, Duration::ZERO).await.expect("the outbox reads");
        batch.rows.iter().map(|row| row.open().expect("its own events read back")).collect()
    }

    fn token(&self, user: Principal) -> String {
        self.process.token(user)
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        self.process.tasks.close();
    }
}
