//! When a changed behaviour is first served, and from when on nothing else is: asked at the public port while it is deployed.

use std::cell::Cell;
use std::time::Duration;

use record::EventKind;
use scenario::Probe;
use tokio::time::Instant;

use crate::process::control::ControlClient;
use crate::steps::context::ActiveStep;

/// How often the public port is asked, and so how exact the moments are.
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
    /// Carries a deploy out and marks the first answer of the new behaviour, and the first one after the deploy: no process of the
    /// old build is left then.
    pub(super) async fn during(self, active: &ActiveStep<'_>, deploy: impl Future<Output = ()>) {
        let is_over = Cell::new(false);
        let deploy = async {
            deploy.await;
            is_over.set(true);
        };
        tokio::join!(deploy, self.follow(active, &is_over));
    }

    async fn follow(self, active: &ActiveStep<'_>, is_over: &Cell<bool>) {
        let letter = active.letter();
        let (mut is_first, mut over_since) = (true, None);
        loop {
            // Before the question: what is answered later may be older.
            if is_over.get() && over_since.is_none() {
                over_since = Some(Instant::now());
            }
            if self.shows_change(active).await {
                if std::mem::take(&mut is_first) {
                    active.mark("first-served", format!("{letter} serves the new behaviour"));
                }
                if over_since.is_some() {
                    active.mark("fully-served", format!("{letter} serves nothing but the new behaviour"));
                    return;
                }
            }
            if over_since.is_some_and(|since| Instant::now() > since + SERVED_TIMEOUT) {
                let text = format!("{letter} did not serve the new behaviour within {SERVED_TIMEOUT:?}");
                return active.context.record.event(EventKind::Deploy, active.step.number, text);
            }
            tokio::time::sleep(PROBE_INTERVAL).await;
        }
    }

    /// Whether an answer has the new behaviour. No answer, as in the gap of a process that is replaced in place, has none.
    async fn shows_change(self, active: &ActiveStep<'_>) -> bool {
        let answer = self.control.get(active.arm.public, &self.probe.path, PROBE_TIMEOUT).await;
        answer.is_ok_and(|(_, body)| String::from_utf8_lossy(&body).contains(&self.probe.shows))
    }
}

#[cfg(test)]
mod tests {
    use runtime::clock;

    use super::*;
    use crate::fixture;
    use crate::steps::context::StepContext;
    use crate::steps::log::StepLog;

    #[tokio::test(start_paused = true)]
    async fn an_arm_that_never_serves_the_change_is_reported_and_the_step_ends() {
        let text = fixture::two_arms(
            "[change]\npatch = \"+++ b/x\\n\"\nprobe = { path = \"/v1\", shows = \"new\" }\n[[step]]\nid = \"new\"\nin = \"steady\"\ndo = \"deploy\"\non = \"feed\"\nbuild = \"changed\"\n",
        );
        let (record, folder) = fixture::record();
        record.append(record::Entry::Header(Box::default()));
        let (arms, environment) = fixture::prepared_arms(&text, folder.path(), record.clone());
        let (scenario, log) = (fixture::scenario(&text), StepLog::default());
        let context = StepContext { seed: 1, load_start: clock::now(), record: &record, log: &log };
        let active = ActiveStep { context, step: &scenario.steps[0], arm: &arms[0] };
        let probe = &scenario.change.as_ref().expect("an edit").probe;
        ServedWatch { control: &environment.control, probe }.during(&active, async {}).await;
        let events =
            record.query(|run| run.events().iter().map(|(_, event)| event.text.clone()).collect::<Vec<_>>());
        let events = events.expect("its header is written");
        assert!(events.iter().any(|text| text.contains("did not serve the new behaviour")), "{events:?}");
    }
}
