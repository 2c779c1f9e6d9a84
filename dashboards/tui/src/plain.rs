//! The run as plain lines: one row a second, and events as they come.

use std::collections::BTreeMap;
use std::io::{self, Write};

use record::{Entry, Event, Header, Latencies, Line, Window};

use crate::figures::{NO_DATA, clock, count, load_clock, ms, right};
use crate::run::believable;

/// A second is printed once it is final, or when this many later ones are known:
/// an arm that answers nobody must not silence the others.
const PATIENCE: u32 = 5;
/// Seconds a tail percentile is taken over: one second has too few samples.
const TAIL_SECONDS: u32 = 5;
/// Rows between two repetitions of the column heads.
const HEADS_EVERY: u32 = 20;

/// Prints lines of the record as plain text.
pub struct Printer<W> {
    out: W,
    /// The arms under load: all, or whose turn it is.
    arms: Vec<char>,
    phases: Vec<record::PhasePlan>,
    load_start_ns: u64,
    /// Windows of the current block, by second and arm and journey; the last one said counts.
    windows: BTreeMap<(u32, char, String), Window>,
    printed: Option<u32>,
    rows: u32,
}

impl<W: Write> Printer<W> {
    /// Prints to `out`, which is flushed after every row.
    pub fn new(out: W) -> Self {
        Self {
            out,
            arms: Vec::new(),
            phases: Vec::new(),
            load_start_ns: 0,
            windows: BTreeMap::new(),
            printed: None,
            rows: 0,
        }
    }

    /// Takes a line in, prints what has become known by it.
    ///
    /// # Errors
    /// What writing says; a closed pipe, for one.
    pub fn line(&mut self, line: &Line) -> io::Result<()> {
        match &line.entry {
            Entry::Header(header) => self.header(header)?,
            Entry::Phase(phase) => {
                if phase.index == 0 {
                    self.flush_seconds()?;
                    self.windows.clear();
                    self.printed = None;
                    if !phase.arms.is_empty() && !phase.arms.chars().eq(self.arms.iter().copied()) {
                        self.arms = phase.arms.chars().collect();
                        self.rows = 0;
                    }
                }
                let round = if phase.round > 1 { format!(" round {}", phase.round) } else { String::new() };
                let arms =
                    if phase.arms.is_empty() { String::new() } else { format!(" (arms {})", phase.arms) };
                writeln!(
                    self.out,
                    "{} PHASE  {}{round}{arms}",
                    load_clock(line.t, self.load_start_ns, 1),
                    phase.name
                )?;
            }
            Entry::Window(window) => {
                let key = (window.second, window.arm, window.journey.clone());
                self.windows.insert(key, (**window).clone());
                self.print_known()?;
            }
            Entry::Event(event) => {
                writeln!(self.out, "{} {}", load_clock(line.t, self.load_start_ns, 1), sentence(event))?
            }
            Entry::End(_) => self.flush_seconds()?,
            Entry::Edge(_) | Entry::Proc(_) | Entry::Host(_) | Entry::Check(_) => return Ok(()),
            Entry::Score(_) | Entry::Cost(_) | Entry::Trace(_) | Entry::Split(_) | Entry::Audit(_) => {
                return Ok(());
            }
        }
        self.out.flush()
    }

    fn header(&mut self, header: &Header) -> io::Result<()> {
        self.arms = header.arms.iter().map(|arm| arm.letter).collect();
        self.phases.clone_from(&header.phases);
        self.load_start_ns = header.load_start_ns;
        writeln!(
            self.out,
            "{}  seed {}  run {}  {}",
            header.scenario, header.seed, header.run_id, header.way
        )?;
        for arm in &header.arms {
            let processes = if arm.instances.len() == 1 { "process" } else { "processes" };
            writeln!(self.out, "{} is {}, {} {processes}", arm.letter, arm.name, arm.instances.len())?;
        }
        writeln!(self.out, "a second is printed once late answers can no longer change it")?;
        writeln!(
            self.out,
            "latencies in ms from the intended start; p99 over {TAIL_SECONDS}s; ~ few samples; - no data"
        )
    }

    /// Prints the seconds that cannot change any more, in order.
    fn print_known(&mut self) -> io::Result<()> {
        let Some(newest) = self.windows.keys().next_back().map(|(second, ..)| *second) else { return Ok(()) };
        let mut second = self.next();
        while second < newest {
            if self.of(second).any(|window| !window.closed) && newest - second < PATIENCE {
                break;
            }
            self.row(second)?;
            second += 1;
        }
        Ok(())
    }

    fn flush_seconds(&mut self) -> io::Result<()> {
        let Some(newest) = self.windows.keys().next_back().map(|(second, ..)| *second) else { return Ok(()) };
        for second in self.next()..=newest {
            self.row(second)?;
        }
        Ok(())
    }

    /// The second after the last one printed.
    fn next(&self) -> u32 {
        let first = self.windows.keys().next().map_or(0, |(second, ..)| *second);
        self.printed.map_or(first, |printed| printed + 1)
    }

    fn of(&self, second: u32) -> impl Iterator<Item = &Window> {
        self.windows
            .range((second, '\0', String::new())..(second + 1, '\0', String::new()))
            .map(|(_, window)| window)
    }

    fn row(&mut self, second: u32) -> io::Result<()> {
        self.printed = Some(second);
        // Only what the tail still looks back at is kept.
        self.windows = self.windows.split_off(&(second.saturating_sub(TAIL_SECONDS), '\0', String::new()));
        if self.of(second).next().is_none() {
            return Ok(());
        }
        if self.rows.is_multiple_of(HEADS_EVERY) {
            let heads: String =
                self.arms.iter().map(|arm| format!(" | {arm} off good    p50    p99  err")).collect();
            writeln!(self.out, "  load phase   {heads}")?;
        }
        self.rows += 1;
        let at = u64::from(second) * 1_000_000_000;
        let inside =
            |plan: &&record::PhasePlan| (plan.start_ns..plan.start_ns + plan.length_ns).contains(&at);
        let phase = self.phases.iter().find(inside).map_or("", |plan| plan.name.as_str());
        let mut text = format!("{:>6} {:<8.8}", clock(second.into()), phase);
        for arm in &self.arms {
            text += " | ";
            text += &self.cells(second, *arm);
        }
        writeln!(self.out, "{}", text.trim_end())
    }

    fn cells(&self, second: u32, arm: char) -> String {
        let windows: Vec<&Window> = self.of(second).filter(|window| window.arm == arm).collect();
        if windows.is_empty() {
            return right(NO_DATA, 29);
        }
        let sum = |of: fn(&Window) -> u64| Some(windows.iter().map(|window| of(window)).sum::<u64>() as f64);
        let median = Latencies::merged(windows.iter().map(|window| &window.intended));
        let tail_from = second.saturating_sub(TAIL_SECONDS - 1);
        let tail = Latencies::merged(
            (tail_from..=second).flat_map(|s| self.of(s)).filter(|w| w.arm == arm).map(|w| &w.intended),
        );
        let latency = |of: &Latencies, q: f64| {
            let few = if of.is_empty() || believable(of.len(), q) { "" } else { "~" };
            format!("{few}{}", ms(of.quantile(q).map(|us| us as f64 / 1e3)))
        };
        format!(
            "{:>5} {:>4} {:>6} {:>6} {}",
            count(sum(|w| w.offered)),
            count(sum(|w| w.good)),
            latency(&median, 0.5),
            // Nothing answered in this second: its neighbours' tail is not its own.
            if median.is_empty() { NO_DATA.into() } else { latency(&tail, 0.99) },
            right(&count(sum(|w| w.errors.values().sum())), 4),
        )
    }
}

/// An event as one sentence, with what it hit in each arm.
pub(crate) fn sentence(event: &Event) -> String {
    let number = if event.number > 0 { format!("[{}] ", event.number) } else { String::new() };
    let targets: String = event.targets.iter().map(|(arm, target)| format!("  {arm}: {target}")).collect();
    format!("{:<6} {number}{}{targets}", kind(event.what), event.text)
}

/// An event's kind as every view writes it.
pub(crate) fn kind(what: record::EventKind) -> &'static str {
    use record::EventKind::{Break, Check, Deploy, Fault, Health, Log, Scale};
    match what {
        Fault => "FAULT",
        Health => "HEALTH",
        Break => "BREAK",
        Scale => "SCALE",
        Deploy => "DEPLOY",
        Check => "CHECK",
        Log => "LOG",
    }
}
