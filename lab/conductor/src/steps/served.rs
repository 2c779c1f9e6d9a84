//! When a changed behaviour is first served, and from when on nothing else is: asked at the public port while it is deployed.

use std::cell::Cell;
use std::time::Duration;

use record::EventKind;
use scenario::Probe;
use scenario::action::Build;
use tokio::time::Instant;

use crate::process::control::ControlClient;
use crate::steps::context::ActiveStep;

/// How long the public port is left alone after each answer: the moments are as exact as that and one answer together.
const PROBE_INTERVAL: Duration = Duration::from_millis(20);
/// A user would not wait longer for an answer; what comes later shows nothing of this moment.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// After the deploy the new behaviour is waited for so long.
const SERVED_TIMEOUT: Duration = Duration::from_secs(10);

/// Watches which behaviour is served.
#[derive(Clone, Copy)]
pub(super) struct ServedWatch<'a> {
    pub control: &'a ControlClient,
    pub probe: &'a Probe,
}

impl ServedWatch<'_> {
    /// Carries a deploy out. Marks that its behaviour is asked for, the first answer that has it, and the first one after the
    /// deploy in an arm that runs nothing but the change.
    pub(super) async fn during(self, active: &ActiveStep<'_>, deploy: impl Future<Output = ()>) {
        active.mark("watched", format!("{} is asked for the new behaviour", active.letter()));
        let is_over = Cell::new(false);
        let deploy = async {
            deploy.await;
            is_over.set(true);
        };
        tokio::join!(deploy, follow(active, &is_over, async || self.shows_change(active).await));
    }

    /// Whether an answer has the new behaviour. No answer, as in the gap of a process that is replaced in place, has none.
    async fn shows_change(self, active: &ActiveStep<'_>) -> bool {
        let answer = self.control.get(active.arm.public, &self.probe.path, PROBE_TIMEOUT).await;
        answer.is_ok_and(|(_, body)| String::from_utf8_lossy(&body).contains(&self.probe.shows))
    }
}

/// Marks what `shows_change` answers, until nothing but the change is served or is to be expected.
async fn follow(active: &ActiveStep<'_>, is_over: &Cell<bool>, shows_change: impl AsyncFn() -> bool) {
    let letter = active.letter();
    let (mut is_first, mut over_since) = (true, None);
    loop {
        // Before the question: what is answered later may be older.
        if is_over.get() && over_since.is_none() {
            over_since = Some(Instant::now());
        }
        let runs_everywhere = over_since.is_some() && runs_everywhere(active);
        if shows_change().await {
            if std::mem::take(&mut is_first) {
                active.mark("first-served", format!("{letter} serves the new behaviour"));
            }
            if runs_everywhere {
                active.mark("fully-served", format!("{letter} serves nothing but the new behaviour"));
                return;
            }
        }
        if over_since.is_some_and(|since| Instant::now() > since + SERVED_TIMEOUT) {
            let text = format!("{letter} did not serve the new behaviour alone within {SERVED_TIMEOUT:?}");
            return active.context.record.event(EventKind::Deploy, active.step.number, text);
        }
        tokio::time::sleep(PROBE_INTERVAL).await;
    }
}

/// Whether every copy that holds the component runs the change. A deploy that failed and a canary that was not promoted leave
/// copies of the old build, whose answers the probe need not meet.
fn runs_everywhere(active: &ActiveStep<'_>) -> bool {
    let Some(component) = active.step.target.and_then(fault::Target::component) else { return false };
    let copies = active.arm.instances();
    let mut holding = copies.iter().filter(|copy| copy.process.hosts.contains(&component));
    holding.all(|copy| copy.build() == Build::Changed.name())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use runtime::clock;

    use super::*;
    use crate::arm::Arm;
    use crate::fixture;
    use crate::steps::context::StepContext;
    use crate::steps::log::StepLog;

    const DEPLOY: &str = "[change]\npatch = \"+++ b/x\\n\"\nprobe = { path = \"/v1\", shows = \"new\" }\n[[step]]\nid = \"new\"\nin = \"steady\"\ndo = \"deploy\"\non = \"feed\"\nbuild = \"changed\"\n";

    /// Follows a deploy that is over in the arm `micro`, whose copies run a build. Returns the marks, and the other events.
    async fn followed(build: Build, shows_change: bool) -> (Vec<String>, Vec<String>) {
        let text = fixture::two_arms(DEPLOY);
        let (record, folder) = fixture::record();
        record.append(record::Entry::Header(Box::default()));
        let (arms, environment) = fixture::prepared_arms(&text, folder.path(), record.clone());
        let mut plan = arms[0].plan.clone();
        plan.config.build = build.name().to_owned();
        let arm = Arc::new(Arm::prepared(&environment, plan).expect("a folder of ours"));
        let (scenario, log) = (fixture::scenario(&text), StepLog::default());
        let context = StepContext { seed: 1, load_start: clock::now(), record: &record, log: &log };
        let active = ActiveStep { context, step: &scenario.steps[0], arm: &arm };
        follow(&active, &Cell::new(true), async || shows_change).await;
        let events =
            record.query(|run| run.events().iter().map(|(_, event)| event.clone()).collect::<Vec<_>>());
        let events = events.expect("its header is written");
        let marks = events.iter().filter_map(|event| Some(event.mark.as_ref()?.1.clone())).collect();
        let others = events.iter().filter(|event| event.mark.is_none());
        (marks, others.map(|event| event.text.clone()).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn an_arm_of_new_copies_serves_the_change_fully() {
        let (marks, events) = followed(Build::Changed, true).await;
        assert_eq!(marks, ["first-served", "fully-served"]);
        assert!(events.is_empty(), "{events:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_arm_with_old_copies_does_not_serve_the_change_fully_whatever_an_answer_shows() {
        let (marks, events) = followed(Build::Good, true).await;
        assert_eq!(marks, ["first-served"]);
        assert!(
            events.iter().any(|text| text.contains("did not serve the new behaviour alone")),
            "{events:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_arm_that_never_serves_the_change_is_reported_and_the_step_ends() {
        let (marks, events) = followed(Build::Changed, false).await;
        assert!(marks.is_empty(), "{marks:?}");
        assert!(
            events.iter().any(|text| text.contains("did not serve the new behaviour alone")),
            "{events:?}"
        );
    }
}
