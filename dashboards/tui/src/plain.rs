//! The run as plain lines: one row a second, and events as they come.

use std::io::{self, Write};

use model::events::kind_name;
use model::format::printable;
use model::source::{Progress, Source};
use model::{Quantile, Run, SECOND, SIMULATED};
use record::{Event, Phase};

use crate::text::{NO_DATA, about, clock, count, load_clock, ms, right};

/// A second is printed once it is closed, or when so many later ones are known: an arm without answers must not hold
/// back the others.
const MAX_OPEN_SECONDS: u32 = 5;
/// Rows between two repetitions of the column heads.
const HEADS_EVERY: u32 = 20;
/// Cells of an arm's figures in a row.
const ARM_CELLS: usize = 29;

/// Prints the run of a source until it ends.
///
/// # Errors
/// When `out` cannot be written; a closed pipe, for one.
pub fn print(source: &mut dyn Source, out: impl Write) -> io::Result<()> {
    let mut printer = Printer::new(out);
    let mut run = Run::default().live();
    while source.step(&mut run) != Progress::Ended {
        printer.show(&mut run)?;
    }
    Ok(())
}

/// Goes on with a run that another view has shown so far: prints what it is and the phases begun, then what is new.
///
/// # Errors
/// When `out` cannot be written.
pub fn resume(mut run: Run, source: &mut dyn Source, out: impl Write) -> io::Result<()> {
    let mut printer = Printer::new(out);
    printer.skip(&run)?;
    while source.step(&mut run) != Progress::Ended {
        printer.show(&mut run)?;
    }
    Ok(())
}

/// Prints what has become known of a run since the last call.
pub struct Printer<W> {
    out: W,
    has_header: bool,
    /// Phases and events printed.
    phases: usize,
    events: usize,
    /// The arms under load: all, or the one whose turn it is.
    arms: Vec<char>,
    round: u32,
    /// The first second not printed; `None` before the first of a block.
    next: Option<u32>,
    rows: u32,
}

impl<W: Write> Printer<W> {
    /// Prints to `out`, which is flushed after every line of the record that added something.
    pub fn new(out: W) -> Self {
        Self { out, has_header: false, phases: 0, events: 0, arms: Vec::new(), round: 1, next: None, rows: 0 }
    }

    /// Prints what is new.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn show(&mut self, run: &mut Run) -> io::Result<()> {
        if !run.has_begun() {
            return Ok(());
        }
        if !self.has_header {
            self.header(run)?;
        }
        while self.happening(run)? {}
        self.seconds(run, run.end.is_some())?;
        self.out.flush()
    }

    /// Takes all that is known as printed, but for the header and the phases.
    fn skip(&mut self, run: &Run) -> io::Result<()> {
        if !run.has_begun() {
            return Ok(());
        }
        self.header(run)?;
        for (t, phase) in run.phases_begun() {
            self.begin(run, phase);
            self.phase(run, *t, phase)?;
        }
        self.phases = run.phases_begun().len();
        self.events = run.event_count();
        let closed = self.arms.iter().filter_map(|arm| run.newest_closed_at(*arm, run.now));
        self.next = closed.map(|(second, _)| second + 1).max();
        self.out.flush()
    }

    /// Prints the next phase or event, whichever came first; false where there is none.
    fn happening(&mut self, run: &mut Run) -> io::Result<bool> {
        let phase = run.phases_begun().get(self.phases).cloned();
        let event = run.event_after(self.events).cloned();
        match (phase, event) {
            (Some((t, phase)), event) if event.as_ref().is_none_or(|(at, _)| t <= *at) => {
                self.phases += 1;
                if phase.index == 0 {
                    self.seconds(run, true)?;
                    self.begin(run, &phase);
                }
                self.phase(run, t, &phase)?;
            }
            (_, Some((t, event))) => {
                self.events += 1;
                let clock = load_clock(t, run.load_start(), 1);
                self.line(&format!("{clock} {}", sentence(&event)))?;
            }
            (_, None) => return Ok(false),
        }
        Ok(true)
    }

    /// A block begins with a phase: its arms and round are those of the rows that follow.
    fn begin(&mut self, run: &Run, phase: &Phase) {
        let arms: Vec<char> =
            if phase.arms.is_empty() { run.letters() } else { phase.arms.chars().collect() };
        if arms != self.arms {
            self.arms = arms;
            self.rows = 0;
        }
        self.round = phase.round;
        self.next = None;
    }

    /// Prints one line, whatever names in it are made of.
    fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", printable(text))
    }

    fn phase(&mut self, run: &Run, t: u64, phase: &Phase) -> io::Result<()> {
        let round = if phase.round > 1 { format!(" round {}", phase.round) } else { String::new() };
        let arms = if phase.arms.is_empty() { String::new() } else { format!(" (arms {})", phase.arms) };
        let clock = load_clock(t, run.load_start(), 1);
        let turn = run.turn_at(t).map(|turn| format!("arm {} of {}", turn.number, turn.of));
        let left = run.time_left_at(t).map(|ns| format!("{} left", about(ns.div_ceil(SECOND))));
        let rest: String = turn.into_iter().chain(left).map(|part| format!(", {part}")).collect();
        self.line(&format!("{clock} PHASE  {}{round}{arms}{rest}", phase.name))
    }

    fn header(&mut self, run: &Run) -> io::Result<()> {
        let header = &run.header;
        self.has_header = true;
        self.arms = run.letters();
        let first =
            format!("{}  seed {}  run {}  {}", header.scenario, header.seed, header.run_id, header.way);
        self.line(&first)?;
        if let Some(mark) = run.mark() {
            self.line(&mark)?;
        }
        for arm in &header.arms {
            let processes = if arm.processes() == 1 { "process" } else { "processes" };
            self.line(&format!("{} is {}, {} {processes}", arm.letter, arm.name, arm.processes()))?;
        }
        writeln!(self.out, "a second is printed once late answers can no longer change it")?;
        writeln!(
            self.out,
            "latencies in ms, counted from when a request was due; p99 over {} s",
            model::latency::P99_SECONDS
        )?;
        writeln!(self.out, "~ few samples; - no data")
    }

    /// Prints the seconds that cannot change any more, in order; all there are where no more will come.
    fn seconds(&mut self, run: &mut Run, is_over: bool) -> io::Result<()> {
        let (arms, round) = (self.arms.clone(), self.round);
        let known = |run: &Run, arm: &char| {
            let mut seconds = run.seconds_between(*arm, round, 0, u32::MAX).map(|(second, _)| second);
            let first = seconds.next()?;
            Some((first, seconds.next_back().unwrap_or(first)))
        };
        let ends: Vec<(u32, u32)> = arms.iter().filter_map(|arm| known(run, arm)).collect();
        let Some(newest) = ends.iter().map(|(_, last)| *last).max() else { return Ok(()) };
        let first = ends.iter().map(|(first, _)| *first).min().unwrap_or(newest);
        let mut second = self.next.unwrap_or(first);
        while second < newest || (is_over && second == newest) {
            let is_open = |arm: &char| run.second(*arm, round, second).is_some_and(|second| !second.closed);
            if !is_over && newest - second < MAX_OPEN_SECONDS && arms.iter().any(is_open) {
                break;
            }
            // Percentiles of what has come since the last row.
            run.settle();
            self.row(run, second)?;
            second += 1;
            self.next = Some(second);
        }
        Ok(())
    }

    fn row(&mut self, run: &Run, second: u32) -> io::Result<()> {
        if self.arms.iter().all(|arm| run.second(*arm, self.round, second).is_none()) {
            return Ok(());
        }
        // Between two phases and after the last nothing is due: what ends there was due before.
        let Some(phase) = run.phase_of(second) else { return Ok(()) };
        if self.rows.is_multiple_of(HEADS_EVERY) {
            let heads: String =
                self.arms.iter().map(|arm| format!(" | {arm} off good    p50    p99  err")).collect();
            writeln!(self.out, "  load phase    {heads}")?;
        }
        self.rows += 1;
        let mut text = format!("{:>6} {:<9.9}", clock(second.into()), phase.name);
        // A row that is found alone must not pass for measured.
        let mark = if run.is_simulated() { format!(" | {SIMULATED}") } else { String::new() };
        for arm in &self.arms {
            text += " | ";
            text += &cells(run, *arm, self.round, second);
        }
        self.line((text + &mark).trim_end())
    }
}

fn cells(run: &Run, arm: char, round: u32, second: u32) -> String {
    let Some(second) = run.second(arm, round, second) else { return right(NO_DATA, ARM_CELLS) };
    let latency = |of: Quantile| {
        let few = if of.ms.is_none() || of.is_believable() { "" } else { "~" };
        format!("{few}{}", ms(of.ms))
    };
    format!(
        "{:>5} {:>4} {:>6} {:>6} {}",
        count(Some(second.offered as f64)),
        count(Some(second.good as f64)),
        latency(second.p50()),
        latency(second.p99()),
        right(&count(Some(second.failed as f64)), 4),
    )
}

/// An event as one sentence, with what it hit in each arm.
fn sentence(event: &Event) -> String {
    let number = if event.number > 0 { format!("[{}] ", event.number) } else { String::new() };
    let targets: String = event.targets.iter().map(|(arm, target)| format!("  {arm}: {target}")).collect();
    format!("{:<6} {number}{}{targets}", kind_name(event.what), event.text)
}
