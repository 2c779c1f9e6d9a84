//! Starts an instance's process, changes what it will be when it starts again, and stops it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ChildStdout;
use std::sync::Arc;
use std::time::Duration;

use contract::ProcessPlan;
use contract::broker::CREDENTIALS_VARIABLE;
use contract::placement::Limits;
use hyper::Method;
use nix::sys::signal::Signal;
use node::NodeConfig;
use node::config::{POSTGRES_PASSWORD_VARIABLE, SECRET_VARIABLE, TOKEN_VARIABLE};
use serde::Deserialize;
use tokio::sync::oneshot;

use crate::arm::arm_plan::{ArmError, ArmPlan};
use crate::arm::children::{ChildSpec, describe_exit};
use crate::arm::config_file::{read_config, write_config};
use crate::arm::environment::RunEnvironment;
use crate::arm::instance::{Health, Instance};
use crate::arm::resources::malloc_environment;
use crate::process::bounded_line;
use crate::process::cgroup;
use crate::process::guardian::UndoAction;
use crate::process::host;

/// A process that has not announced its addresses by then does not start: on an idle machine a second is enough, and on a busy
/// one many start at once.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Niceness of every process of an arm: cores are shared 3 to 1 with a process of niceness 0 (sched(7)).
const ARM_NICENESS: u8 = 5;
/// The greatest niceness.
const MAX_NICENESS: u8 = 19;
/// The quota of the topology, in the place of a step's number.
const TOPOLOGY_STEP: u32 = 0;
/// How long a child that closed its output may take to end: on a busy machine it is not scheduled at once.
const EXIT_TIMEOUT: Duration = Duration::from_secs(10);
/// Stack of the thread that reads a child's output: it holds one line.
const READER_STACK_BYTES: usize = 64 * 1024;
/// Longest first line of a child: it has two addresses.
const MAX_FIRST_LINE_BYTES: u64 = 64 * 1024;
/// How much of the end of a log is read for its last lines.
const LOG_TAIL_BYTES: u64 = 64 * 1024;

/// The addresses of a node, as its first line announces them.
#[derive(Clone, Copy, Debug, Deserialize)]
struct ServingAddresses {
    listen: SocketAddr,
    public: Option<SocketAddr>,
}

/// Every arm has a lower priority than the generator, a still lower one where the topology says so: an arrival is
/// sent when it is due, however busy the arms keep the cores.
fn below_generator(limits: Limits) -> Limits {
    let nice = ARM_NICENESS + limits.nice.unwrap_or(0);
    Limits { nice: Some(nice.min(MAX_NICENESS)), ..limits }
}

/// Writes an instance's configuration; nothing runs yet. It is that of `like`, a copy whose build and policies steps may
/// have changed, or the plan's. `change` makes it differ from its peers: another build, another weight.
pub(super) fn prepare(
    plan: &ArmPlan,
    (process, copy): (&ProcessPlan, u32),
    registry: Option<SocketAddr>,
    like: Option<&Instance>,
    change: &dyn Fn(&mut NodeConfig),
) -> Result<Instance, ArmError> {
    let name = format!("{}#{copy}", process.name);
    let mut config = plan.config.clone();
    if let Some(like) = like {
        let NodeConfig { build, defects, schema, policies, .. } = read_config(&like.config)?;
        config = NodeConfig { build, defects, schema, policies, ..config };
    }
    let broker = plan.access.brokers.get(&process.name).or(config.broker.as_ref()).cloned();
    config = NodeConfig {
        instance: name.clone(),
        broker,
        process: process.clone(),
        processes: plan.processes.clone(),
        registry: registry.map(Into::into),
        registry_log: process.registry.then(|| config.data.join(format!("{name}.registry.log"))),
        limits: below_generator(plan.placement.limits_of(&process.name)),
        zone: plan.placement.zone_of(&process.name, copy).to_owned(),
        ..config
    };
    // Where data are kept from round to round: an arm knows nothing of the processes of an earlier one.
    if let Some(log) = &config.registry_log {
        remove_stale_log(log)?;
    }
    plan.allot(process, copy, &mut config);
    change(&mut config);
    let path = plan.folder.join(format!("{name}.json"));
    write_config(&path, &config)?;
    let log = plan.folder.join(format!("{name}.log"));
    let group = plan.group.as_deref().map(cgroup::members_of);
    Ok(Instance::new(name, process.clone(), (path, log), &config).in_group(group))
}

fn remove_stale_log(path: &Path) -> Result<(), ArmError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(ArmError::Config { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Starts the process and waits for its first line; its ports are then written to its configuration, so that a restart
/// serves where its callers expect it.
pub(super) async fn launch(
    environment: &RunEnvironment,
    plan: &ArmPlan,
    instance: Arc<Instance>,
) -> Result<(), ArmError> {
    let (program, verb) = match &environment.deployables {
        Some(deployables) => (deployables.path(&instance.process, &instance.build()).into(), None),
        None => (environment.program.clone(), Some("node".into())),
    };
    let spec = ChildSpec {
        name: format!("{}/{}", plan.name, instance.name),
        program,
        arguments: verb.into_iter().chain(["--config".into(), instance.config.clone().into()]).collect(),
        environment: child_environment(&plan.config),
        log: instance.log.clone(),
    };
    let (running, stdout) = environment.spawner.spawn(spec).await?;
    let running = Arc::new(running);
    {
        let mut state = instance.state();
        state.pid = running.pid;
        state.health = Health::Starting;
        state.running = Some(running.clone());
    }
    if let Some(cores) = plan.placement.limits_of(&instance.process.name).cpu {
        apply_topology_quota(environment, plan, &instance, cores);
    }
    let not_serving = |reason: String| ArmError::NotServing {
        instance: instance.name.clone(),
        reason,
        last_lines: last_log_lines(&instance.log),
        log: instance.log.clone(),
    };
    // A child that ends closes its output as well; how it ended says more.
    let serving = tokio::select! {
        line = read_first_line(stdout) => match line {
            Ok(serving) => serving,
            Err(why) => return Err(match tokio::time::timeout(EXIT_TIMEOUT, running.wait()).await {
                Ok(status) => not_serving(format!("it ended with {}", describe_exit(status))),
                Err(_) => not_serving(why.to_string()),
            }),
        },
        status = running.wait() => return Err(not_serving(format!("it ended with {}", describe_exit(status)))),
        () = tokio::time::sleep(START_TIMEOUT) => return Err(not_serving(format!("no first line within {START_TIMEOUT:?}"))),
    };
    let mut state = instance.state();
    if state.listen.is_none() {
        let mut config: NodeConfig = std::fs::read(&instance.config)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .ok_or_else(|| not_serving("its configuration has gone".into()))?;
        config.listen = serving.listen;
        config.public = serving.public.unwrap_or(config.public);
        write_config(&instance.config, &config)?;
    }
    state.listen = Some(serving.listen);
    state.public = serving.public;
    state.health = if state.paused > 0 { Health::Paused } else { Health::Up };
    drop(state);
    // A run goes on without Prometheus; that its list cannot be written was recorded when the run began.
    let _ = environment.scrape_targets.add(serving.listen, &plan.name);
    instance.reapply_limits();
    Ok(())
}

/// What an arm's processes are given besides their configuration: settings of the allocator, and the secrets.
fn child_environment(config: &NodeConfig) -> Vec<(String, String)> {
    let malloc = malloc_environment(host::cores());
    let secrets = [(SECRET_VARIABLE, config.secret.clone()), (TOKEN_VARIABLE, config.token.clone())];
    let broker = config.broker.is_some().then(|| (CREDENTIALS_VARIABLE, config.broker_credentials.clone()));
    let postgres =
        (!config.postgres.is_empty()).then(|| (POSTGRES_PASSWORD_VARIABLE, config.postgres_password.clone()));
    malloc
        .into_iter()
        .chain(secrets)
        .chain(broker)
        .chain(postgres)
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Applies the topology's quota of CPU; a machine without quotas makes the run inconclusive. A successor enters the
/// group of the first process.
fn apply_topology_quota(environment: &RunEnvironment, plan: &ArmPlan, instance: &Instance, cores: f64) {
    if instance.state().cgroups.iter().any(|(step, ..)| *step == TOPOLOGY_STEP) {
        return;
    }
    let arm = plan.name.replace('/', "-");
    let name = format!("cleave-{}-{arm}-{}", plan.config.run_id, instance.name.replace('#', "-"));
    let Some(group) = plan.group_for(&name) else { return };
    environment.guardian.record_undo(&UndoAction::Group(group.clone()));
    if cgroup::create(&group, cores).is_ok() {
        environment.cgroups.lock().expect("no panic while held").push(group.clone());
        // A process that has ended in this moment needs no quota.
        let _ = instance.enter_cgroup(TOPOLOGY_STEP, cores, group);
    }
}

/// Changes what an instance will be when it is launched again; its ports stay.
pub(super) fn change_config(instance: &Instance, change: &dyn Fn(&mut NodeConfig)) -> Result<(), ArmError> {
    let mut config = read_config(&instance.config)?;
    change(&mut config);
    write_config(&instance.config, &config)?;
    instance.state().build.clone_from(&config.build);
    Ok(())
}

/// The end of a log: the error and its cause.
fn last_log_lines(log: &Path) -> String {
    let bytes = last_bytes(log, LOG_TAIL_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<&str> = text.lines().rev().take(2).map(str::trim).filter(|l| !l.is_empty()).collect();
    lines.reverse();
    if lines.is_empty() { String::new() } else { format!("; it logged: {}", lines.join(", ")) }
}

/// The end of a file: at most so many bytes.
fn last_bytes(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(limit)))?;
    let mut bytes = Vec::new();
    // It may grow meanwhile.
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The child's first line, read on a thread of its own: a pipe from the
/// standard library, and the thread goes on to drain what else is printed.
async fn read_first_line(stdout: ChildStdout) -> io::Result<ServingAddresses> {
    let (sender, first_line) = oneshot::channel();
    std::thread::Builder::new().name("first-line".into()).stack_size(READER_STACK_BYTES).spawn(
        move || {
            let mut output = BufReader::new(stdout);
            let mut line = Vec::new();
            let first = match bounded_line::read(&mut output, MAX_FIRST_LINE_BYTES, &mut line) {
                Ok(true) => Ok(line),
                Ok(false) => Err(io::Error::other("it closed its output")),
                Err(error) => Err(io::Error::other(format!("its output: {error}"))),
            };
            // The launch may have given up.
            let _ = sender.send(first);
            // A pipe that breaks is at its end.
            let _ = io::copy(&mut output, &mut io::sink());
        },
    )?;
    let line = first_line.await.map_err(io::Error::other)??;
    serde_json::from_slice(&line).map_err(io::Error::other)
}

/// Ends an instance: asks it to drain, and kills it if it has not ended `within` that time.
pub(super) async fn stop(environment: &RunEnvironment, instance: &Instance, within: Duration) {
    let until = tokio::time::Instant::now() + within;
    let Some(running) = instance.running() else { return };
    if running.exit_status().is_some() {
        return;
    }
    // A paused process cannot drain.
    if instance.status().health == Health::Paused {
        let _ = running.signal(Signal::SIGCONT);
    }
    if let Some(listen) = instance.status().listen {
        // A run goes on without Prometheus.
        let _ = environment.scrape_targets.remove(listen);
        // A node that does not answer in all of its time is killed below. A request that is given up before may be one that
        // a busy node would still have read.
        let _ = environment.control.request(listen, Method::POST, "/control/drain", "", within).await;
    }
    if tokio::time::timeout_at(until, running.wait()).await.is_err() {
        let _ = running.signal(Signal::SIGKILL);
        running.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use node::databases::ServerDatabase;

    use super::*;
    use crate::arm::Arm;
    use crate::fixture;

    #[tokio::test]
    async fn the_registry_of_an_arm_keeps_a_log_among_its_data() {
        let (record, folder) = fixture::record();
        let (arms, environment) = fixture::prepared_arms(&fixture::two_arms(""), folder.path(), record);
        for arm in &arms {
            for instance in arm.instances() {
                let log = instance.read_config().expect("ours").registry_log;
                let expected = arm.plan.config.data.join("registry#0.registry.log");
                assert_eq!(log, instance.process.registry.then_some(expected), "{}", instance.name);
            }
        }
        assert_eq!(arms[0].instances().iter().filter(|instance| instance.process.registry).count(), 1);
        // Kept data have the log of an earlier arm.
        let has_registry = |arm: &&Arc<Arm>| arm.instances().iter().any(|one| one.process.registry);
        let plan = arms.iter().find(has_registry).expect("services have one").plan.clone();
        let log = plan.config.data.join("registry#0.registry.log");
        std::fs::create_dir_all(&plan.config.data).expect("a folder of ours");
        std::fs::write(&log, "an earlier arm's").expect("a file of ours");
        Arm::prepared(&environment, plan).expect("a folder of ours");
        assert!(!log.exists(), "its processes are not there any more");
        environment.tasks.finish(Duration::from_secs(1)).await;
    }

    #[test]
    fn the_last_lines_of_a_log_are_read_and_nothing_else_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("app#0.log");
        assert_eq!(last_log_lines(&log), "", "none yet");
        std::fs::write(&log, "started\nno port\n  the cause\n").expect("a folder of ours");
        assert_eq!(last_log_lines(&log), "; it logged: no port, the cause");
        // A log of 1 GiB, of which nothing but the end takes room on the disk.
        let mut long = File::options().write(true).open(&log).expect("ours");
        long.seek(SeekFrom::Start(1 << 30)).expect("a sparse file");
        long.write_all(b"x\nno memory\nthe cause\n").expect("a folder of ours");
        assert_eq!(last_log_lines(&log), "; it logged: no memory, the cause");
        assert_eq!(last_bytes(&log, 6).expect("readable"), b"cause\n");
    }

    #[test]
    fn the_password_of_databases_is_in_the_environment_of_a_process_and_in_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("app#0.json");
        let database = ServerDatabase { address: "host=db user=ada".into(), schema: None };
        let config = NodeConfig {
            postgres: [("app".to_owned(), database)].into(),
            postgres_password: "s3cret".into(),
            ..NodeConfig::default()
        };
        write_config(&path, &config).expect("ours");
        let written = std::fs::read_to_string(&path).expect("ours");
        assert!(written.contains("host=db user=ada") && !written.contains("s3cret"), "{written}");
        let password = |config: &NodeConfig| {
            let mut variables = child_environment(config).into_iter();
            variables.find(|(name, _)| name == POSTGRES_PASSWORD_VARIABLE).map(|(_, value)| value)
        };
        assert_eq!(password(&config).as_deref(), Some("s3cret"));
        assert_eq!(password(&NodeConfig::default()), None, "its data are files");
    }
}
