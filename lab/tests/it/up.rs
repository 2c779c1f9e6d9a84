//! `cleave up micro`, and every route of the table from outside.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::process::ChildStderr;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::cleave::{Cleave, Started, wait_for};
use crate::http::Client;
use crate::places::side_by_side;
use crate::{prometheus, routes};

/// A suite that is up, and what it printed.
pub struct Suite {
    program: Started,
    output: BTreeMap<String, String>,
}

impl Suite {
    pub fn start_with(cleave: &Cleave, topology: &str, environment: &[(&str, &str)]) -> Self {
        Self::of(cleave.start_with(&["up", topology, "--size", "tiny"], environment))
    }

    /// `cleave up` with these arguments, on little data.
    pub fn start(cleave: &Cleave, arguments: &[&str]) -> Self {
        Self::of(cleave.start(&[&["up", "--size", "tiny"], arguments].concat()))
    }

    /// A program that has been started, when it is up.
    fn of(mut program: Started) -> Self {
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
            self.output["public door"].trim_start_matches("http://").parse().expect("an address");
        Client { addr, token: None }
    }

    pub fn seeded(&self) -> Client {
        Client { token: Some(self.output["user token"].clone()), ..self.guest() }
    }

    /// Internal addresses of its instances.
    pub fn instances(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.output.keys().filter(|name| name.contains('#')).map(move |name| self.instance(name))
    }

    /// Internal address of an instance.
    pub fn instance(&self, name: &str) -> SocketAddr {
        let url = self.output[name].split(' ').next().unwrap_or_default();
        url.trim_start_matches("http://").parse().expect("an address")
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        self.program.signal(signal);
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

/// Waits for a line of progress that contains a text.
fn wait_for_line(lines: &mut Lines<BufReader<ChildStderr>>, text: &str) -> String {
    let found = lines.map_while(Result::ok).find(|line| line.contains(text));
    found.unwrap_or_else(|| panic!("it ended without printing `{text}`"))
}

/// Sends a signal to the nodes in this folder whose configuration is named so; returns how many there are.
pub fn signal_nodes(cleave: &Cleave, config: &str, signal: Signal) -> usize {
    let is_node = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&line).into_owned();
        words.contains("\0node\0") && words.trim_end_matches('\0').ends_with(config)
    };
    let nodes: Vec<u32> = cleave.processes().into_iter().filter(is_node).collect();
    for pid in &nodes {
        let pid = Pid::from_raw(i32::try_from(*pid).expect("a pid"));
        nix::sys::signal::kill(pid, signal).expect("it is ours");
    }
    nodes.len()
}

#[test]
fn a_suite_restarts_what_dies_and_ends_with_an_error_when_nothing_is_left() {
    let cleave = Cleave::shared();
    let mut program = cleave.start_with_progress(&["up", "micro", "--size", "tiny"]);
    let mut progress = BufReader::new(program.0.stderr.take().expect("piped")).lines();
    let suite = Suite::of(program);
    let is_served = || suite.seeded().get("/v1/feed?limit=3").status == 200;
    assert!(is_served());

    assert_eq!(signal_nodes(&cleave, "/feed#0.json", Signal::SIGKILL), 1);
    let line = wait_for_line(&mut progress, "feed#0");
    assert_eq!(line, "feed#0 went down: signal 9; restart in 1s");
    let line = wait_for_line(&mut progress, "feed#0");
    assert!(line.starts_with("feed#0 serves again after "), "{line}");
    wait_for("the feed to be served again", || is_served().then_some(()));

    // Gateway, registry and five services.
    assert_eq!(signal_nodes(&cleave, ".json", Signal::SIGKILL), 7);
    let loss = wait_for_line(&mut progress, "all processes of the suite are dead, 7 of 7");
    assert!(loss.contains("runs/up-micro-"), "it names the folder of their logs: {loss}");
    assert_eq!(suite.program.rest().0, Some(1));
    wait_for("the end of every child", || cleave.processes().is_empty().then_some(()));
}

#[test]
fn a_suite_of_one_process_is_restarted_unless_it_is_to_stay_dead() {
    let cases: [(&[&str], &str); 2] =
        [(&[], "app#0 serves again"), (&["--no-restart"], "all processes of the suite are dead, 1 of 1")];
    side_by_side(cases, |(arguments, expected)| {
        let cleave = Cleave::shared();
        let arguments = [&["up", "mono", "--size", "tiny"], arguments].concat();
        let mut program = cleave.start_with_progress(&arguments);
        let mut progress = BufReader::new(program.0.stderr.take().expect("piped")).lines();
        let suite = Suite::of(program);
        assert_eq!(signal_nodes(&cleave, "/app#0.json", Signal::SIGKILL), 1);
        wait_for_line(&mut progress, expected);
        suite.program.signal(Signal::SIGINT);
        suite.program.rest();
    });
}
