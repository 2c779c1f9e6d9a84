//! What is shown while a run is in progress.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, mpsc};

use model::startup::Startup;
use record::Line;
use tokio::sync::watch;

use crate::cli::{self, Output};
use crate::recorded_source::RecordedSource;
use crate::run_files::RECORD_FILE;
use crate::{output, report_command};

/// How a run is shown while it is in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Not at all.
    Silent,
    /// The dashboard; it stays when the run has ended, until the user leaves it.
    Screen,
    /// The dashboard, which closes with the run.
    ClosingScreen,
    /// One plain line a second on standard output.
    Lines,
    /// The same on standard error: standard output is reserved for the document.
    Progress,
}

impl View {
    /// The view that `cleave run` has by its flags and its terminal.
    pub fn choose(args: &cli::Run) -> Self {
        Self::on(args, std::io::stdout().is_terminal() && std::io::stdin().is_terminal())
    }

    /// The same; `is_terminal`: standard input and output both are one.
    fn on(args: &cli::Run, is_terminal: bool) -> Self {
        match args.output {
            Output::Json => Self::Progress,
            Output::Human if args.no_tui || !is_terminal => Self::Lines,
            Output::Human if args.close => Self::ClosingScreen,
            Output::Human => Self::Screen,
        }
    }

    /// Shows the run on threads of its own: a view must not be able to slow down or alter a run.
    pub fn watch(
        self,
        run: &conductor::Run,
        interrupts: watch::Sender<u32>,
        options: tui::Options,
    ) -> ViewThreads {
        let (mut lines, startup) = (run.record().subscribe(), run.startup());
        let options = tui::Options { closes: self == Self::ClosingScreen, ..options };
        let (sender, receiver) = mpsc::sync_channel::<Arc<Line>>(8_192);
        let forwarding = spawn("view-lines", move || {
            while let Some(line) = lines.blocking_next() {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let viewing = spawn("view", move || match self {
            Self::Screen | Self::ClosingScreen => screen(receiver, startup, &interrupts, options),
            Self::Silent => receiver.into_iter().for_each(drop),
            Self::Lines => plain(receiver, output::stdout()),
            Self::Progress => plain(receiver, std::io::stderr()),
        });
        ViewThreads { forwarding, viewing }
    }
}

/// Starts a thread with a name, beside which `top -H` shows the CPU that it takes.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::thread::JoinHandle<()> {
    std::thread::Builder::new().name(name.into()).spawn(work).expect("the system gives a thread")
}

/// The threads of a view.
pub struct ViewThreads {
    forwarding: std::thread::JoinHandle<()>,
    viewing: std::thread::JoinHandle<()>,
}

impl ViewThreads {
    /// Waits until the view ends, as it does when the lines end.
    pub fn join(self) {
        // A view that panicked has restored the terminal and printed why; the run continues without it.
        let _ = self.forwarding.join();
        let _ = self.viewing.join();
    }
}

fn plain(mut lines: mpsc::Receiver<Arc<Line>>, out: impl Write) {
    // A closed pipe or a full disk ends the lines, not the run.
    let _ = tui::plain::print(&mut lines, out);
    lines.into_iter().for_each(drop);
}

/// The dashboard, and plain lines after the user has detached from it.
fn screen(
    lines: mpsc::Receiver<Arc<Line>>,
    startup: watch::Receiver<Startup>,
    interrupts: &watch::Sender<u32>,
    options: tui::Options,
) {
    let folder = options.folder.clone().unwrap_or_default();
    let mut request = |request| match request {
        tui::Request::Quit(quit) => {
            let by = match quit {
                tui::Quit::InOrder | tui::Quit::Interrupt => 1,
                tui::Quit::AtOnce => 2,
            };
            interrupts.send_modify(|count| *count += by);
            None
        }
        tui::Request::Report => Some(report_command::page_status(&folder)),
        // A live run has no pace to change.
        tui::Request::Pace(_) => None,
    };
    let mut source = RecordedSource::new(lines, folder.join(RECORD_FILE)).with_startup(startup);
    match tui::run(options, &mut source, &mut request) {
        Ok(exit) if exit.detached => {
            // A closed pipe ends the lines, not the run.
            let _ = tui::plain::resume(exit.run, &mut source, output::stdout());
            source.drain();
        }
        Ok(_) => {}
        Err(error) => {
            tui::restore();
            output::note(format_args!("the dashboard failed: {error}; the run continues"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dashboard_is_for_terminals_and_stays_unless_it_is_to_close() {
        let view = |no_tui, close, output, is_terminal| {
            View::on(&cli::Run { no_tui, close, output, ..cli::Run::default() }, is_terminal)
        };
        assert_eq!(view(false, false, Output::Human, true), View::Screen);
        assert_eq!(view(false, true, Output::Human, true), View::ClosingScreen);
        assert_eq!(view(true, false, Output::Human, true), View::Lines);
        assert_eq!(view(false, false, Output::Human, false), View::Lines, "in a pipe nothing waits for q");
        assert_eq!(view(false, false, Output::Json, true), View::Progress);
    }
}
