//! The service behind real sockets, with a database and an outbox on either side.

use std::net::SocketAddr;
use std::sync::Arc;

use contract::{Call, Carrier, ComponentName, Event, Principal, Refusal};
use runtime::Fate;
use storage::{Consumer, Source};
use transport::cluster::Instance;

use crate::client::context;
use crate::ground::Process;
use crate::{Client, Reply, Request, Subject};

/// The service on one side, its fakes and the story on the other.
pub struct There {
    theirs: Process,
    ours: Process,
    addr: SocketAddr,
}

impl There {
    /// Starts both sides and introduces them to each other.
    pub async fn open(subject: &Subject) -> Self {
        let service = subject.service;
        let theirs = Process::start(Carrier::Json, vec![service.name], service.publishes).await;
        let ours = Process::start(Carrier::Json, subject.absent(), service.consumes).await;
        (subject.fakes)(&ours.calls);
        let router = theirs.open(subject).await;

        let addr = serve(&theirs, router.merge(theirs.calls.router())).await;
        let fakes = serve(&ours, ours.calls.router()).await;
        ours.clusters.get(service.name).update(vec![instance(service.name, addr)]);
        for name in subject.absent() {
            theirs.clusters.get(name).update(vec![instance(name, fakes)]);
        }
        let elsewhere = ComponentName::of("elsewhere");
        let source: Arc<dyn Source> = Arc::new(ours.bus.clone());
        let consumer = Consumer {
            db: theirs.db.clone(),
            component: service.name,
            publisher: elsewhere,
            source,
            topics: service.consumes.to_vec(),
            turn: Arc::default(),
        };
        consumer.start(&theirs.bus, &theirs.tasks);
        Self { theirs, ours, addr }
    }
}

async fn serve(process: &Process, router: axum::Router) -> SocketAddr {
    let listener =
        transport::serve::bind(([127, 0, 0, 1], 0).into()).await.expect("loopback has a free port");
    transport::serve::serve(&process.tasks, listener, router, transport::serve::Options::default()).addr()
}

fn instance(name: ComponentName, addr: SocketAddr) -> Instance {
    Instance::new(format!("{name}#0"), addr)
}

impl Client for There {
    async fn send(&self, request: Request) -> Reply {
        let stream = tokio::net::TcpStream::connect(self.addr).await.expect("the service listens");
        let stream = hyper_util::rt::TokioIo::new(stream);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(stream).await.expect("it speaks HTTP/1.1");
        self.ours.tasks.spawn("testkit.connection", Fate::ShutDown, async move {
            // An error here shows as an error of the request itself.
            let _ = connection.await;
        });
        let mut request = request.into_http();
        let host = self.addr.to_string().parse().expect("an address is a header value");
        request.headers_mut().insert(http::header::HOST, host);
        Reply::read(sender.send_request(request).await.expect("it answers")).await
    }

    async fn ask<C: Call>(&self, call: C) -> Result<C::Reply, Refusal> {
        self.ours.calls.ask::<C>(ComponentName::CLIENT).answer(&context(), call).await
    }

    async fn publish<E: Event>(&self, id: &str, event: E) {
        self.ours.publish(id, &event).await;
    }

    async fn published<E: Event>(&self) -> Vec<E> {
        self.theirs.published().await
    }

    fn token(&self, user: Principal) -> String {
        self.theirs.token(user)
    }
}

impl Drop for There {
    fn drop(&mut self) {
        self.theirs.tasks.close();
        self.ours.tasks.close();
    }
}
