//! `cleave up micro`, and every route of the table from outside.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::cleave::{Cleave, Started};
use crate::http::Client;
use crate::{prometheus, routes};

/// A suite that is up, and what it printed.
pub struct Suite {
    program: Started,
    output: BTreeMap<String, String>,
}

impl Suite {
    pub fn start_with(cleave: &Cleave, topology: &str, environment: &[(&str, &str)]) -> Self {
        let mut program = cleave.start_with(&["up", topology, "--size", "tiny"], environment);
        let mut output = BTreeMap::new();
        let mut lines = BufReader::new(program.0.stdout.take().expect("piped")).lines();
        while let Some(Ok(line)) = lines.next() {
            if line.starts_with("Ctrl-C") {
                return Self { program, output };
            }
            if let Some((name, value)) = line.split_once("  ") {
                output.insert(name.to_owned(), value.trim().to_owned());
            }
        }
        panic!("it ended before it was up: {output:?} {:?}", program.rest());
    }

    pub fn guest(&self) -> Client {
        let addr: SocketAddr =
            self.output["public URL"].trim_start_matches("http://").parse().expect("an address");
        Client { addr, token: None }
    }

    pub fn seeded(&self) -> Client {
        Client { token: Some(self.output["user token"].clone()), ..self.guest() }
    }

    /// Internal addresses of its instances.
    pub fn instances(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        let is_instance = |(name, _): &(&String, &String)| name.contains('#');
        self.output.iter().filter(is_instance).map(|(_, output)| {
            let url = output.split(' ').next().unwrap_or_default();
            url.trim_start_matches("http://").parse().expect("an address")
        })
    }

    /// Ctrl-C, and nothing is left.
    pub fn end(self) {
        self.program.signal(Signal::SIGINT);
        assert_eq!(self.program.rest().0, Some(0));
    }
}

#[test]
fn every_route_responds_as_declared() {
    let cleave = Cleave::shared();
    let suite = Suite::start_with(&cleave, "micro", &[]);
    let feed = suite.seeded().get("/v1/feed?limit=3").expect(200);
    assert!(feed["items"].as_array().is_some_and(|items| !items.is_empty()), "{feed}");
    let mut listed: Vec<SocketAddr> = suite.instances().collect();
    routes::all_answer(&suite.guest(), &listed);
    for addr in &listed {
        let exposition = Client { addr: *addr, token: None }.get("/metrics").body;
        prometheus::is_by_the_book(&String::from_utf8(exposition).expect("text"));
    }

    // A file for Prometheus names where they are, as long as they are.
    let targets = cleave.folder().join("runs/.targets");
    let target_files: Vec<_> =
        std::fs::read_dir(&targets).expect("a folder").flatten().map(|file| file.path()).collect();
    let [file] = &target_files[..] else { panic!("one file for one suite, not {target_files:?}") };
    let groups: Value = serde_json::from_slice(&std::fs::read(file).expect("readable")).expect("JSON");
    listed.sort();
    assert_eq!(groups[0]["targets"], json!(listed));
    assert_eq!(groups[0]["labels"]["arm"], "micro");

    suite.end();
    assert!(cleave.processes().is_empty(), "something is left running");
    assert_eq!(std::fs::read_dir(&targets).expect("a folder").count(), 0, "every process has ended");
}
