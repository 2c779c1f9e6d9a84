//! The generator's life: read the plan, warm up, wait for the word, offer the load, audit, report.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

use record::Latencies;
use traffic::Schedule;

use crate::attack;
use crate::journeys::People;
use crate::pacer::{self, Monotonic, Waiting};
use crate::plan::{ArmTotals, Message, Plan, Summary};
use crate::recorder::Recorder;
use crate::slot::{Closed, Lane};

/// Interrupted, as the shell has it.
const EXIT_CANCELLED: u8 = 130;
/// Something is wrong with the plan or the machine.
const EXIT_FAILED: u8 = 2;
/// All slots must be warm by then.
const WARM_LIMIT: Duration = Duration::from_secs(15);
/// A late answer may change a second until the timeout has passed, and a little more.
const SLACK_S: u32 = 1;

/// Runs a plan. Called before any async runtime exists; takes over standard output.
pub fn main(plan: &Path) -> ExitCode {
    let voice = match Voice::take_stdout() {
        Ok(voice) => voice,
        Err(error) => {
            eprintln!("standard output cannot be duplicated: {error}");
            return ExitCode::from(EXIT_FAILED);
        }
    };
    let failed = |reason: String| {
        voice.say(&Message::Failed { reason });
        ExitCode::from(EXIT_FAILED)
    };
    let text = match std::fs::read(plan) {
        Ok(text) => text,
        Err(error) => return failed(format!("{} cannot be read: {error}", plan.display())),
    };
    let plan: Plan = match serde_json::from_slice(&text) {
        Ok(plan) => plan,
        Err(error) => return failed(format!("{} is no plan: {error}", plan.display())),
    };
    if let Err(error) = voice.send_stdout_to(&plan.log) {
        return failed(format!("{} cannot be written: {error}", plan.log.display()));
    }
    runtime::lifeline::die_with_parent();
    // goose installs a handler of its own, which would end the process at the
    // second Ctrl-C; ours is first, and leaves the end to the lab.
    if let Err(error) = ctrlc::set_handler(|| {}) {
        return failed(format!("signals cannot be handled: {error}"));
    }
    if !plan.cores.is_empty()
        && let Err(error) = runtime::limits::set_affinity(&plan.cores)
    {
        return failed(format!("the generator cannot keep to cores {:?}: {error}", plan.cores));
    }
    let workers = plan.workers.max(1);
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    match built {
        Ok(runtime) => runtime.block_on(run(plan, voice)),
        Err(error) => failed(format!("no async runtime: {error}")),
    }
}

/// The private line to the lab: goose prints on standard output, so messages
/// travel on a duplicate of it and standard output itself becomes the log.
#[derive(Clone)]
struct Voice(Arc<Mutex<File>>);

impl Voice {
    fn take_stdout() -> std::io::Result<Self> {
        let copy: OwnedFd = nix::unistd::dup(std::io::stdout())?;
        Ok(Self(Arc::new(Mutex::new(File::from(copy)))))
    }

    fn send_stdout_to(&self, log: &Path) -> std::io::Result<()> {
        let log = File::options().create(true).append(true).open(log)?;
        nix::unistd::dup2_stdout(log)?;
        Ok(())
    }

    fn say(&self, message: &Message) {
        let mut line = serde_json::to_vec(message).expect("messages are plain data");
        line.push(b'\n');
        // The lab is gone when it cannot be told; the lifeline ends us.
        let _ = self.0.lock().expect("no panic while held").write_all(&line);
    }
}

/// Everything a run shares.
struct Stage {
    plan: Plan,
    voice: Voice,
    recorders: Vec<Arc<Recorder>>,
    cancel: Arc<AtomicBool>,
    start: Arc<OnceLock<Instant>>,
}

async fn run(plan: Plan, voice: Voice) -> ExitCode {
    let pool = plan.load.slots();
    let people = Arc::new(People::new(&plan));
    let schedule = Schedule::new(plan.seed, &plan.phases, &plan.load, people.dataset());
    voice.say(&Message::Hello {
        schedule_digest: schedule.digest(),
        // How many come in a closed loop, the arms decide.
        planned: if plan.load.users.is_some() { 0 } else { schedule.clone().count() as u64 },
    });

    let cancel = Arc::new(AtomicBool::new(false));
    let ready = Arc::new(AtomicUsize::new(0));
    let start = Arc::new(OnceLock::new());
    let waiting = Waiting::of(&plan.load);
    let mut lanes = Vec::new();
    let mut paced = Vec::new();
    for target in &plan.arms {
        let (queue, arrivals) = flume::bounded(waiting.limit);
        let idle = Arc::new(AtomicUsize::new(0));
        let recorder = Arc::new(Recorder::new(target.letter, plan.round, plan.good_within_us));
        let client = match client(&plan, pool) {
            Ok(client) => client,
            Err(error) => {
                voice.say(&Message::Failed { reason: format!("no HTTP client: {error}") });
                return ExitCode::from(EXIT_FAILED);
            }
        };
        paced.push(pacer::Lane { queue, idle: idle.clone(), recorder: recorder.clone() });
        lanes.push(Arc::new(Lane {
            name: target.name.clone(),
            url: target.url.clone(),
            client,
            queue: arrivals,
            idle,
            ready: ready.clone(),
            cancel: cancel.clone(),
            recorder,
            people: people.for_arm(target.letter),
            start: start.clone(),
            paired: plan.arms.len() > 1,
            closed: plan.load.users.map(|users| Closed {
                schedule: Mutex::new(schedule.clone()),
                think: users.think.duration(),
                end_us: plan.phases.last().map_or(0, |last| (last.start_ns + last.length_ns) / 1_000),
            }),
            waiting,
            attempts: plan.load.attempts,
        }));
    }
    let recorders: Vec<_> = lanes.iter().map(|lane| lane.recorder.clone()).collect();
    let stage = Arc::new(Stage { plan, voice, recorders, cancel, start });

    let commands = listen(stage.cancel.clone());
    let slots = pool * lanes.len();
    let timeout_s = stage.plan.timeout_us.div_ceil(1_000_000).max(1);
    let attack = attack::run(lanes.clone(), pool, timeout_s);
    let conducting = {
        let stage = stage.clone();
        std::thread::spawn(move || conduct(&stage, schedule, paced, &commands, &ready, slots))
    };
    let metrics = attack.await;
    // The thread ends with the schedule; a panic in it is a defect worth its message.
    let mut faults = conducting.join().unwrap_or_else(|_| vec!["the pacer panicked".to_owned()]);
    let cancelled = stage.cancel.load(Ordering::Relaxed);
    tell_windows(&stage, u32::MAX, u32::MAX);
    if stage.plan.audit && !cancelled {
        for lane in &lanes {
            stage.voice.say(&Message::Audit(crate::audit::audit(lane, stage.plan.round).await));
        }
    }
    let goose = metrics.map_err(|error| faults.push(error.to_string())).ok();
    stage.voice.say(&Message::Summary(Box::new(summary(&stage, &lanes, goose.as_ref(), cancelled, faults))));
    if cancelled { ExitCode::from(EXIT_CANCELLED) } else { ExitCode::SUCCESS }
}

fn client(plan: &Plan, pool: usize) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .timeout(Duration::from_micros(plan.timeout_us))
        .connect_timeout(Duration::from_secs(1))
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .http1_only()
        .tcp_nodelay(true)
        // Shorter than the door's, so that we close idle connections and never race it.
        .pool_idle_timeout(Duration::from_secs(10))
        .pool_max_idle_per_host(pool)
        .build()
}

/// Reads the lab's words. End of file means stop.
fn listen(cancel: Arc<AtomicBool>) -> mpsc::Receiver<u64> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if let Some(at) = line.strip_prefix("start ").and_then(|text| text.trim().parse().ok()) {
                // Told twice, the second is nobody's.
                let _ = tell.send(at);
            }
        }
        cancel.store(true, Ordering::Relaxed);
    });
    told
}

/// Waits for warm slots and the word, paces the load, and tells windows once a second.
fn conduct(
    stage: &Arc<Stage>,
    schedule: Schedule,
    lanes: Vec<pacer::Lane>,
    commands: &mpsc::Receiver<u64>,
    ready: &AtomicUsize,
    slots: usize,
) -> Vec<String> {
    let began = runtime::clock::now();
    while ready.load(Ordering::Acquire) < slots {
        if runtime::clock::now().saturating_duration_since(began) > WARM_LIMIT {
            return vec![format!("only {} of {slots} slots got ready", ready.load(Ordering::Relaxed))];
        }
        if stage.cancel.load(Ordering::Relaxed) {
            return Vec::new();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let warm_ms =
        u64::try_from(runtime::clock::now().saturating_duration_since(began).as_millis()).unwrap_or(0);
    stage.voice.say(&Message::Ready { warm_ms });
    let Some(at) = wait_for_word(commands, &stage.cancel) else { return Vec::new() };
    let mut faults = Vec::new();
    let now = runtime::clock::mono_ns();
    if at < now {
        faults.push(format!("the word to start came {} us late", (now - at) / 1_000));
    }
    let start = runtime::clock::now() + Duration::from_nanos(at.saturating_sub(now));
    stage.start.get_or_init(|| start);
    stage.voice.say(&Message::Started);
    let finished = Arc::new(AtomicBool::new(false));
    let teller = {
        let (stage, finished) = (stage.clone(), finished.clone());
        std::thread::spawn(move || tell_every_second(&stage, start, &finished))
    };
    shorten_timer_slack();
    if stage.plan.load.users.is_some() {
        wait_for_users(stage, start);
    } else {
        pacer::pace(schedule, &lanes, &stage.cancel, &mut Monotonic { start });
    }
    drop(lanes);
    finished.store(true, Ordering::Relaxed);
    if teller.join().is_err() {
        faults.push("the teller panicked".to_owned());
    }
    faults
}

/// Users of a closed loop come by themselves: there is nothing to hand out.
fn wait_for_users(stage: &Stage, start: Instant) {
    let length = stage.plan.phases.last().map_or(0, |last| last.start_ns + last.length_ns);
    let end = start + Duration::from_nanos(length);
    while runtime::clock::now() < end && !stage.cancel.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn wait_for_word(commands: &mpsc::Receiver<u64>, cancel: &AtomicBool) -> Option<u64> {
    loop {
        match commands.recv_timeout(Duration::from_millis(20)) {
            Ok(at) => return Some(at),
            Err(mpsc::RecvTimeoutError::Timeout) if !cancel.load(Ordering::Relaxed) => {}
            Err(_) => return None,
        }
    }
}

/// Sleeps end within a microsecond of their time instead of fifty (prctl(2), PR_SET_TIMERSLACK).
fn shorten_timer_slack() {
    // Where the kernel refuses, the pacer is a little late, and measured to be.
    let _ = nix::sys::prctl::set_timerslack(1_000);
}

fn tell_every_second(stage: &Stage, start: Instant, finished: &AtomicBool) {
    let timeout_s = u32::try_from(stage.plan.timeout_us.div_ceil(1_000_000)).unwrap_or(u32::MAX);
    let mut second = 0;
    while !finished.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
        let elapsed = runtime::clock::now().saturating_duration_since(start).as_secs();
        let now = u32::try_from(elapsed).unwrap_or(u32::MAX);
        if now > second {
            second = now;
            tell_windows(stage, now.saturating_sub(timeout_s + SLACK_S), now);
        }
    }
}

fn tell_windows(stage: &Stage, open_from: u32, now: u32) {
    for recorder in &stage.recorders {
        for window in recorder.windows(open_from, now) {
            stage.voice.say(&Message::Window(Box::new(window)));
        }
        let journeys = recorder.take_traced();
        if !journeys.is_empty() {
            stage.voice.say(&Message::Traced { journeys });
        }
    }
}

fn summary(
    stage: &Stage,
    lanes: &[Arc<Lane>],
    goose: Option<&goose::prelude::GooseMetrics>,
    cancelled: bool,
    faults: Vec<String>,
) -> Summary {
    let mut arms = BTreeMap::new();
    for (recorder, lane) in stage.recorders.iter().zip(lanes) {
        let totals = recorder.totals();
        arms.insert(
            recorder.arm(),
            ArmTotals {
                offered: totals.offered,
                sent: totals.sent,
                ok: totals.ok,
                errors: totals.errors.clone(),
                dropped: totals.dropped,
                abandoned: totals.abandoned,
                intended: Latencies::of(&totals.intended),
                goose: goose.map_or((0, 0), |metrics| crate::cross_check::count_and_p99(metrics, lane)),
            },
        );
    }
    Summary { arms, cpu_ns: runtime::clock::process_cpu_ns(), cancelled, faults }
}
