//! No client loses a request because something ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::routing::any;
use gateway::Upstream;
use runtime::{ShutdownPolicy, Tasks};
use tokio::task::JoinHandle;

use crate::fixture::{Hits, TestGateway, bounded, cluster_of, copy, draining, echo, instances, until};
use crate::raw_client::{RawConnection, request};

/// Eight clients that read and write in turn.
pub struct Visitors {
    stop: Arc<AtomicBool>,
    /// Their requests that were served.
    pub served: Hits,
    visits: Vec<JoinHandle<Option<()>>>,
}

impl Visitors {
    pub fn start(tasks: &Tasks, addr: SocketAddr) -> Self {
        let (stop, served) = (Arc::new(AtomicBool::new(false)), Hits::default());
        let visit = |_| {
            let visiting = visitor(addr, stop.clone(), served.clone());
            tasks.spawn("test.visitor", ShutdownPolicy::Drain, visiting)
        };
        let visits = (0..8).map(visit).collect();
        Self { stop, served, visits }
    }

    /// Each leaves after its present request.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits until all have left, with every request served.
    pub async fn left(self) {
        for visit in self.visits {
            bounded("a visitor", visit).await.expect("not one failed request");
        }
    }
}

/// Asks over kept connections until the door asks it to leave or `stop` is set.
async fn visitor(addr: SocketAddr, stop: Arc<AtomicBool>, served: Hits) {
    let mut line = RawConnection::open(addr).await;
    let mut write = false;
    while !stop.load(Ordering::Relaxed) {
        write = !write;
        let raw = if write {
            request("POST", "/v1/echo", "", b"not to be repeated")
        } else {
            request("GET", "/v1/echo/7", "", b"")
        };
        line.send(raw).await;
        let answer = line.receive(false).await.expect("a request that was sent is answered");
        assert_eq!((answer.status, answer.whole), (200, true), "{answer:?}");
        served.hit();
        if answer.field("connection") == Some("close") {
            assert!(line.is_closed().await);
            return;
        }
    }
}

#[tokio::test]
async fn a_gateway_that_drains_under_load_fails_no_request() {
    let tasks = Tasks::new();
    let copy = copy(&tasks, echo(Hits::default())).await;
    let fixture = TestGateway::open(Upstream::Cluster(cluster_of(&[copy.addr()]))).await;
    let visitors = Visitors::start(&tasks, fixture.addr);
    until("load", || visitors.served.count() > 200).await;
    fixture.gateway.begin_drain();
    assert_eq!(crate::raw_client::get(fixture.admin, "/readyz").await.status, 503);
    assert_eq!(bounded("the drain", fixture.gateway.drain()).await, 0, "no request was cut off");
    visitors.left().await;
}

#[tokio::test]
async fn replicas_are_replaced_under_load_without_a_failed_request() {
    let tasks = Tasks::new();
    let old = [copy(&tasks, echo(Hits::default())).await, copy(&tasks, echo(Hits::default())).await];
    let cluster = cluster_of(&old.each_ref().map(|copy| copy.addr()));
    let fixture = TestGateway::open(Upstream::Cluster(cluster.clone())).await;
    let visitors = Visitors::start(&tasks, fixture.addr);
    let mut addrs = old.each_ref().map(|copy| copy.addr());
    for (n, leaving) in old.into_iter().enumerate() {
        let before = visitors.served.count();
        until("load", || visitors.served.count() > before + 100).await;
        // The registry says that it drains, its successor is there, and then it goes.
        let successor = copy(&tasks, echo(Hits::default())).await;
        let mut list = instances(&addrs);
        list[n] = draining(list[n].clone());
        list.push(transport::Instance::new(format!("photo#{}", n + 2), successor.addr()));
        cluster.update(list);
        assert_eq!(bounded("the drain", leaving.finish()).await, 0);
        addrs[n] = successor.addr();
        cluster.update(
            addrs
                .iter()
                .map(|addr| transport::Instance::new(format!("photo@{}", addr.port()), *addr))
                .collect(),
        );
    }
    let before = visitors.served.count();
    until("load", || visitors.served.count() > before + 100).await;
    visitors.stop();
    visitors.left().await;
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_along() {
    struct DropFlag(Arc<AtomicBool>);
    impl Drop for DropFlag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let (tasks, asked, dropped) = (Tasks::new(), Hits::default(), Arc::new(AtomicBool::new(false)));
    let (counted, flag) = (asked.clone(), dropped.clone());
    let endless = move || {
        counted.hit();
        let flag = DropFlag(flag.clone());
        async move {
            let _flag = flag;
            std::future::pending::<()>().await;
        }
    };
    let copy = copy(&tasks, Router::new().route("/v1/echo/{id}", any(endless))).await;
    let fixture = TestGateway::open(Upstream::Cluster(cluster_of(&[copy.addr()]))).await;
    let mut line = RawConnection::open(fixture.addr).await;
    line.send(request("GET", "/v1/echo/7", "", b"")).await;
    until("the request", || asked.count() == 1).await;
    drop(line);
    until("its end, two hops further", || dropped.load(Ordering::SeqCst)).await;
}
