//! Fake nodes: a shell script as the process, and a server in this test as its endpoints.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use conductor::arm::arm_plan::{ArmPlan, ServerAccess};
use conductor::arm::environment::{RunEnvironment, RunPaths};
use conductor::observe::record_writer::RecordWriter;
use conductor::process::program::Program;
use contract::{ComponentName, Placement, ProcessPlan};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use node::NodeConfig;
use runtime::{ShutdownPolicy, Tasks, clock};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// The program in its folder.
const SCRIPT: &str = "node.sh";

/// A folder, a program that behaves like a node, and the endpoints of two copies.
pub struct FakeNodes {
    pub folder: TempDir,
    pub tasks: Tasks,
    pub program: Program,
    /// Requests to drain, by the name of the instance.
    pub drained: Arc<Mutex<Vec<String>>>,
}

impl FakeNodes {
    /// Nodes that announce an address each and run until they are drained or their input ends.
    pub async fn start() -> Self {
        let nodes = Self::with_program("exit 1");
        let mut cases = String::new();
        for copy in 0..2 {
            let instance = format!("app#{copy}");
            let addr = nodes.serve(&instance).await;
            cases.push_str(&format!(
                "*{instance}.json) echo '{{\"listen\":\"{addr}\",\"public\":\"{addr}\"}}';;\n"
            ));
        }
        // `cat` keeps the id of the shell, and ends with its input: the lifeline. A guardian waits in the same way.
        let script = format!(
            "[ \"$1\" = guard ] && exec cat\necho $$ > \"$3.pid\"\ncase \"$3\" in\n{cases}esac\nexec cat > /dev/null"
        );
        nodes.replace_program(&script);
        nodes
    }

    /// Nodes that run a script.
    pub fn with_program(script: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(SCRIPT);
        write_program(&path, script);
        Self { folder, tasks: Tasks::new(), program: path.into(), drained: Arc::default() }
    }

    /// Makes nodes that are started from now on run another script.
    pub fn replace_program(&self, script: &str) {
        write_program(&self.folder.path().join(SCRIPT), script);
    }

    async fn serve(&self, instance: &str) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let addr = listener.local_addr().expect("bound");
        let state = Endpoint {
            folder: self.folder.path().to_owned(),
            instance: instance.to_owned(),
            drained: self.drained.clone(),
        };
        let router = Router::new()
            .route("/ready", get(|| async { "ready" }))
            .route("/control/drain", post(drain))
            .fallback(get(|| async { "found" }))
            .with_state(state);
        self.tasks.spawn("test.node", ShutdownPolicy::Cancel, async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        addr
    }

    /// The environment of a run of these nodes, and its record.
    pub fn environment(&self) -> RunEnvironment {
        let folder = self.folder.path();
        let writer = record::Writer::create(&folder.join("run.jsonl")).expect("a record");
        let record = RecordWriter::new(clock::now(), writer);
        let paths = RunPaths { out: folder, folder, program: &self.program };
        RunEnvironment::new(self.tasks.clone(), &paths, "r1", "token", record)
    }

    /// An arm of one process that holds everything, with what a topology says besides.
    pub fn plan(&self, topology: &str) -> ArmPlan {
        let placement: Placement =
            toml::from_str(&format!("processes = {{ app = [\"gateway\", \"*\"] }}\n{topology}"))
                .expect("a placement");
        let process = ProcessPlan {
            name: "app".into(),
            gateway: true,
            ..ProcessPlan::holding(ComponentName::of("feed"))
        };
        ArmPlan {
            letter: 'A',
            name: "mono".into(),
            processes: vec![process],
            placement,
            config: NodeConfig::default(),
            folder: self.folder.path().to_owned(),
            probes: vec!["/ready".into()],
            workers: 2,
            resources: record::Resources::default(),
            group: None,
            access: ServerAccess::default(),
            is_kept_up: false,
        }
    }
}

#[derive(Clone)]
struct Endpoint {
    folder: PathBuf,
    instance: String,
    drained: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    /// What the script wrote beside its configuration: in the folder, or in that of a suite in it.
    fn pid_file(&self) -> Option<String> {
        let suites = std::fs::read_dir(&self.folder).ok()?.flatten().map(|entry| entry.path());
        let mut folders = suites.chain([self.folder.clone()]);
        folders.find_map(|folder| {
            std::fs::read_to_string(folder.join(format!("{}.json.pid", self.instance))).ok()
        })
    }
}

/// Ends the process, as a node that has drained does.
async fn drain(State(endpoint): State<Endpoint>) -> StatusCode {
    endpoint.drained.lock().expect("no panic while held").push(endpoint.instance.clone());
    let pid = endpoint.pid_file().expect("it has started");
    let pid = Pid::from_raw(pid.trim().parse().expect("a number"));
    kill(pid, Signal::SIGTERM).expect("a process of this test");
    StatusCode::OK
}

/// By another process: a file that this one had open could not be started while a child of another test has it, too
/// (ETXTBSY of execve(2)).
fn write_program(path: &Path, script: &str) {
    let text = format!("#!/bin/sh\n{script}\n");
    let write = ["-c", "printf %s \"$1\" > \"$0\" && chmod 755 \"$0\""];
    let written = std::process::Command::new("sh").args(write).arg(path).arg(text).status();
    assert!(written.expect("a shell is everywhere").success(), "a folder of ours");
}
