//! Threads for work that takes long and that gives way to all other work.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::sync::oneshot;

use crate::limits;
use crate::tasks::carried;

/// How much lower their priority is than that of the process: next to one busy thread of it they have a tenth of a core
/// (weights 110 and 1,024 of the kernel's scheduler), and all of it where that thread sleeps.
const NICE: u8 = 10;

/// What the names of these threads begin with. Their work is that of tasks: it is accounted with the workers'.
pub const THREAD_PREFIX: &str = "background-";

type Job = Box<dyn FnOnce() + Send>;

/// So many threads; they end when this is dropped.
#[derive(Debug)]
pub struct BackgroundThreads {
    jobs: Sender<Job>,
}

impl BackgroundThreads {
    /// Starts them; `name` is what they do.
    ///
    /// # Errors
    /// When the kernel gives no thread.
    pub fn start(name: &str, count: usize) -> io::Result<Self> {
        let (jobs, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..count.max(1) {
            let receiver = receiver.clone();
            thread::Builder::new()
                .name(format!("{THREAD_PREFIX}{name}"))
                .spawn(move || work_off(&receiver))?;
        }
        Ok(Self { jobs })
    }

    /// Does work there, in its turn, with the caller's component, span and accounting. It is done to its end, also for a
    /// caller that has left.
    ///
    /// # Panics
    /// As `work` does: its panic goes on here.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let work = carried(work);
        let (sender, done) = oneshot::channel();
        let job = move || {
            let _left = sender.send(catch_unwind(AssertUnwindSafe(work)));
        };
        self.jobs.send(Box::new(job)).expect("the threads live as long as this");
        match done.await.expect("a job sends what comes of it") {
            Ok(value) => value,
            Err(panic) => resume_unwind(panic),
        }
    }
}

fn work_off(jobs: &Mutex<Receiver<Job>>) {
    // Where the kernel refuses, the work is done all the same.
    let _refused = limits::lower_thread_priority(NICE);
    loop {
        let job = jobs.lock().expect("no panic while held").recv();
        let Ok(job) = job else { return };
        job();
    }
}

#[cfg(test)]
mod tests {
    use contract::ComponentName;

    use super::*;
    use crate::{ShutdownPolicy, Tasks, scope};

    #[tokio::test]
    async fn work_is_done_at_a_lower_priority_and_for_its_component() {
        let photo = ComponentName::of("photo");
        let threads = BackgroundThreads::start("test", 2).expect("two threads");
        let here = limits::thread_priority().expect("Linux");
        let name = || std::thread::current().name().map(str::to_owned);
        let seen = scope::within(
            photo,
            threads.run(move || (limits::thread_priority(), scope::component(), name())),
        );
        let (there, component, name) = seen.await;
        assert_eq!(name.as_deref(), Some("background-test"), "as the kernel accounts it");
        assert_eq!(there.expect("Linux"), (here + i32::from(NICE)).min(19));
        assert_eq!(component, photo);
    }

    #[tokio::test]
    async fn a_panic_goes_on_at_the_caller_and_ends_no_thread() {
        let threads = Arc::new(BackgroundThreads::start("test", 1).expect("a thread"));
        let (tasks, panicking) = (Tasks::new(), threads.clone());
        let caller = tasks.spawn("test.panic", ShutdownPolicy::Drain, async move {
            panicking.run(|| panic!("as a decoder may")).await
        });
        assert!(caller.await.is_err());
        assert_eq!(threads.run(|| 7).await, 7);
    }
}
