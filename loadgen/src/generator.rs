//! The generator's process: reads the plan, warms up, waits for the start time, offers the load, audits, reports.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

use load_protocol::{END_COMMAND, FURTHER_COMMAND, LoadPlan, LoadTotals, Message, SECRET_VARIABLE, Summary};
use traffic::Schedule;

use crate::arm_context::{ArmContext, ClosedLoop};
use crate::arrival_queue::ArrivalQueue;
use crate::attack;
use crate::gate::Gate;
use crate::lead::Lead;
use crate::pacer::{self, MonotonicClock, OverloadPolicy};
use crate::recorder::Recorder;
use crate::trial;
use crate::users::UserPool;

/// Exit code after an interrupt: 128 + SIGINT, as in shells.
const EXIT_CANCELLED: u8 = 130;
/// Exit code if the plan or the machine is unsuitable.
const EXIT_FAILED: u8 = 2;
/// Time limit of the warm-up, on a busy machine as well: half of what the conductor waits for a generator that is ready.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(30);
/// How long its threads run at a time where cores are short: the least that the kernel takes. A journey's request takes
/// some 50 us of CPU.
const TIME_SLICE: Duration = Duration::from_micros(100);
/// Seconds after the timeout during which a late response may still change a window.
const STRAGGLER_SECONDS: u32 = 1;

/// Runs a plan. Called before any async runtime exists; takes over standard output.
pub fn main(plan: &Path) -> ExitCode {
    let channel = match StdoutChannel::duplicate_stdout() {
        Ok(channel) => channel,
        Err(error) => {
            eprintln!("cannot duplicate standard output: {error}");
            return ExitCode::from(EXIT_FAILED);
        }
    };
    let failed = |reason: String| {
        channel.send(&Message::Failed { reason });
        ExitCode::from(EXIT_FAILED)
    };
    let text = match std::fs::read(plan) {
        Ok(text) => text,
        Err(error) => return failed(format!("cannot read {}: {error}", plan.display())),
    };
    let mut plan: LoadPlan = match serde_json::from_slice(&text) {
        Ok(plan) => plan,
        Err(error) => return failed(format!("invalid plan {}: {error}", plan.display())),
    };
    if plan.secret.is_empty() {
        plan.secret = std::env::var(SECRET_VARIABLE).unwrap_or_default();
    }
    if plan.secret.is_empty() {
        return failed(format!(
            "no secret for users' tokens: neither the plan nor {SECRET_VARIABLE} has one"
        ));
    }
    if let Err(error) = channel.redirect_stdout(&plan.log) {
        return failed(format!("cannot write {}: {error}", plan.log.display()));
    }
    runtime::lifeline::die_with_parent();
    // goose installs a handler that ends the process at the second Ctrl-C; this one is installed
    // first, and leaves the shutdown to the lab.
    if let Err(error) = ctrlc::set_handler(|| {}) {
        return failed(format!("cannot handle signals: {error}"));
    }
    if !plan.cores.is_empty()
        && let Err(error) = runtime::limits::set_affinity(&plan.cores)
    {
        return failed(format!("cannot pin the generator to cores {:?}: {error}", plan.cores));
    }
    // If the kernel refuses, threads that are due wait for those that run, and the lag is measured.
    let _ = runtime::time_slice::shorten(TIME_SLICE);
    let workers = plan.workers.max(1);
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    match built {
        Ok(runtime) => runtime.block_on(run(plan, channel)),
        Err(error) => failed(format!("cannot start the async runtime: {error}")),
    }
}

/// The channel to the lab: goose prints on standard output, so messages use a duplicate of it and
/// standard output itself is redirected to the log.
#[derive(Clone)]
struct StdoutChannel(Arc<Mutex<File>>);

impl StdoutChannel {
    fn duplicate_stdout() -> std::io::Result<Self> {
        let copy: OwnedFd = nix::unistd::dup(std::io::stdout())?;
        Ok(Self(Arc::new(Mutex::new(File::from(copy)))))
    }

    fn redirect_stdout(&self, log: &Path) -> std::io::Result<()> {
        let log = File::options().create(true).append(true).open(log)?;
        nix::unistd::dup2_stdout(log)?;
        Ok(())
    }

    fn send(&self, message: &Message) {
        let mut line = serde_json::to_vec(message).expect("messages are plain data");
        line.push(b'\n');
        // A write fails only if the lab is gone; the lifeline then ends this process.
        let _ = self.0.lock().expect("no panic while held").write_all(&line);
    }
}

/// State shared by the parts of a run.
struct RunContext {
    plan: LoadPlan,
    channel: StdoutChannel,
    recorders: Vec<Arc<Recorder>>,
    cancel: Arc<AtomicBool>,
    gate: Arc<Gate>,
    lead: Arc<Lead>,
    start: Arc<OnceLock<Instant>>,
    arms: Vec<Arc<ArmContext>>,
    /// Where journeys are performed.
    runtime: tokio::runtime::Handle,
}

async fn run(plan: LoadPlan, channel: StdoutChannel) -> ExitCode {
    let pool = plan.load.slots();
    let users = Arc::new(UserPool::new(&plan));
    let schedule = Schedule::new(plan.seed, plan.round, &plan.phases, &plan.load, users.dataset());
    channel.send(&Message::Hello {
        schedule_digest: schedule.digest(),
        // In a closed loop the arms determine the number of arrivals.
        planned: if plan.load.users.is_some() { 0 } else { schedule.clone().count() as u64 },
    });

    let cancel = Arc::new(AtomicBool::new(false));
    let ready = Arc::new(AtomicUsize::new(0));
    let start = Arc::new(OnceLock::new());
    let lead = Arc::new(Lead::default());
    let overload = OverloadPolicy::of(&plan.load);
    let mut arms = Vec::new();
    let mut queues = Vec::new();
    for target in &plan.arms {
        let queue = ArrivalQueue::new(overload.queue_limit);
        let recorder =
            Arc::new(Recorder::new(target.letter, plan.round, plan.good_within_us, plan.seconds()));
        let client = match client(&plan, pool) {
            Ok(client) => client,
            Err(error) => {
                channel.send(&Message::Failed { reason: format!("cannot build the HTTP client: {error}") });
                return ExitCode::from(EXIT_FAILED);
            }
        };
        queues.push(pacer::ArmQueue { arrivals: queue.clone(), recorder: recorder.clone() });
        arms.push(Arc::new(ArmContext {
            name: target.name.clone(),
            url: target.url.clone(),
            client,
            queue,
            ready: ready.clone(),
            cancel: cancel.clone(),
            recorder,
            users: users.for_arm(target.letter),
            lead: lead.clone(),
            start: start.clone(),
            paired: plan.arms.len() > 1,
            closed_loop: plan.load.users.map(|users| ClosedLoop {
                schedule: Mutex::new(schedule.clone()),
                think: users.think.duration(),
                end_us: plan.length_ns() / 1_000,
            }),
            overload,
            attempts: plan.load.attempts,
        }));
    }
    let recorders: Vec<_> = arms.iter().map(|arm| arm.recorder.clone()).collect();
    let runtime = tokio::runtime::Handle::current();
    let gate = Arc::new(Gate::new(plan.further_from_us.clone()));
    let arms_of_run = arms.clone();
    let context = Arc::new(RunContext {
        plan,
        channel,
        recorders,
        cancel,
        gate,
        lead,
        start,
        arms: arms_of_run,
        runtime,
    });

    let commands = read_commands(context.cancel.clone(), context.gate.clone());
    let slots = pool * arms.len();
    let timeout_s = context.plan.timeout_us.div_ceil(1_000_000).max(1);
    let attack = attack::run(arms.clone(), pool, timeout_s);
    let offering = {
        let context = context.clone();
        std::thread::spawn(move || offer_load(&context, schedule, queues, &commands, &ready, slots))
    };
    let metrics = attack.await;
    // The thread ends with the schedule; a panic in it is reported as a problem.
    let mut problems = offering.join().unwrap_or_else(|_| vec!["the pacer panicked".to_owned()]);
    let cancelled = context.cancel.load(Ordering::Relaxed);
    report_windows(&context, u32::MAX, u32::MAX);
    if context.plan.audit && !cancelled {
        // No arm waits for the events of another.
        let audits = arms.iter().map(|arm| crate::audit::audit(arm, context.plan.round));
        for audit in futures_util::future::join_all(audits).await {
            context.channel.send(&Message::Audit(audit));
        }
    }
    let goose = metrics.map_err(|error| problems.push(error.to_string())).ok();
    context.channel.send(&Message::Summary(Box::new(summary(
        &context,
        &arms,
        goose.as_ref(),
        cancelled,
        problems,
    ))));
    if cancelled { ExitCode::from(EXIT_CANCELLED) } else { ExitCode::SUCCESS }
}

fn client(plan: &LoadPlan, pool: usize) -> reqwest::Result<reqwest::Client> {
    reqwest::plain::Client::builder()
        .timeout(Duration::from_micros(plan.timeout_us))
        .connect_timeout(Duration::from_secs(1))
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .http1_only()
        .tcp_nodelay(true)
        // Shorter than the gateway's, so that this side closes idle connections and never races it.
        .pool_idle_timeout(Duration::from_secs(10))
        .pool_max_idle_per_host(pool)
        .build()
        .map(reqwest::Client::from)
}

/// Reads commands of the lab from standard input: when the load starts, and whether it goes on to further rates. End of
/// file cancels the load.
fn read_commands(cancel: Arc<AtomicBool>, gate: Arc<Gate>) -> mpsc::Receiver<u64> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if let Some(at) = line.strip_prefix("start ").and_then(|text| text.trim().parse().ok()) {
                // A second start time is ignored.
                let _ = sender.send(at);
            }
            match line.as_str() {
                FURTHER_COMMAND => gate.request(),
                END_COMMAND => gate.end(),
                _ => {}
            }
        }
        cancel.store(true, Ordering::Relaxed);
    });
    receiver
}

/// Waits for warm slots and the start time, paces the load, and reports windows once a second.
fn offer_load(
    context: &Arc<RunContext>,
    schedule: Schedule,
    queues: Vec<pacer::ArmQueue>,
    commands: &mpsc::Receiver<u64>,
    ready: &AtomicUsize,
    slots: usize,
) -> Vec<String> {
    let began = runtime::clock::now();
    while ready.load(Ordering::Acquire) < slots {
        if runtime::clock::now().saturating_duration_since(began) > WARM_UP_TIMEOUT {
            return vec![format!("only {} of {slots} slots became ready", ready.load(Ordering::Relaxed))];
        }
        if context.cancel.load(Ordering::Relaxed) {
            return Vec::new();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let warm_ms =
        u64::try_from(runtime::clock::now().saturating_duration_since(began).as_millis()).unwrap_or(0);
    let unready = context.runtime.block_on(trial::run(&context.plan, &context.arms, &context.cancel));
    context.channel.send(&Message::Ready { warm_ms, unready });
    let Some(at) = wait_for_start(commands, &context.cancel) else { return Vec::new() };
    let mut problems = Vec::new();
    let now = runtime::clock::mono_ns();
    if at < now {
        problems.push(format!("the start time arrived {} us late", (now - at) / 1_000));
    }
    let start = runtime::clock::now() + Duration::from_nanos(at.saturating_sub(now));
    context.start.get_or_init(|| start);
    context.channel.send(&Message::Started);
    let finished = Arc::new(AtomicBool::new(false));
    let reporter = {
        let (context, finished) = (context.clone(), finished.clone());
        std::thread::spawn(move || report_every_second(&context, start, &finished))
    };
    shorten_timer_slack();
    if context.plan.load.users.is_some() {
        wait_for_users(context, start);
    } else {
        let clock = &mut MonotonicClock { start };
        pacer::pace(schedule, &queues, &context.cancel, &context.gate, &context.lead, clock);
    }
    drop(queues);
    finished.store(true, Ordering::Relaxed);
    if reporter.join().is_err() {
        problems.push("the reporter panicked".to_owned());
    }
    problems
}

/// Waits for the end of a closed loop, whose users need no dispatching.
fn wait_for_users(context: &RunContext, start: Instant) {
    let end = start + Duration::from_nanos(context.plan.length_ns());
    while runtime::clock::now() < end && !context.cancel.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn wait_for_start(commands: &mpsc::Receiver<u64>, cancel: &AtomicBool) -> Option<u64> {
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
    // If the kernel refuses, the pacer is slightly late, and its lag is measured.
    let _ = nix::sys::prctl::set_timerslack(1_000);
}

fn report_every_second(context: &RunContext, start: Instant, finished: &AtomicBool) {
    let timeout_s = u32::try_from(context.plan.timeout_us.div_ceil(1_000_000)).unwrap_or(u32::MAX);
    let mut second = 0;
    while !finished.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
        let elapsed = runtime::clock::now().saturating_duration_since(start).as_secs();
        let now = u32::try_from(elapsed).unwrap_or(u32::MAX);
        if now > second {
            second = now;
            report_windows(context, now.saturating_sub(timeout_s + STRAGGLER_SECONDS), now);
        }
    }
}

fn report_windows(context: &RunContext, open_from: u32, now: u32) {
    for recorder in &context.recorders {
        for window in recorder.windows(open_from, now) {
            context.channel.send(&Message::Window(Box::new(window)));
        }
        let journeys = recorder.take_traced_journeys();
        if !journeys.is_empty() {
            context.channel.send(&Message::Traced { journeys });
        }
    }
}

fn summary(
    context: &RunContext,
    arms: &[Arc<ArmContext>],
    goose: Option<&goose::prelude::GooseMetrics>,
    cancelled: bool,
    problems: Vec<String>,
) -> Summary {
    let mut totals_by_arm = BTreeMap::new();
    for (recorder, arm) in context.recorders.iter().zip(arms) {
        let goose = goose.map_or((0, 0), |metrics| crate::cross_check::count_and_p99(metrics, arm));
        totals_by_arm.insert(recorder.arm(), LoadTotals { goose, ..recorder.totals() });
    }
    Summary { arms: totals_by_arm, cpu_ns: runtime::clock::process_cpu_ns(), cancelled, problems }
}
