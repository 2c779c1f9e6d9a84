//! Puts requests together from spans that come late and out of order, and decides which of them are kept.
//!
//! A request is whole when its journey is over and its spans have had time to arrive. Of those every one that
//! failed is kept, the slowest few of each journey, arm and phase so far, and the same request in the other
//! arms. All of them, kept or not, are added up, and those that are whole in all arms by second as well.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use record::{Entry, KeepReason, Trace, Tracing};

use crate::observed::{Journey, ReceivedSpan};
use crate::pairs::Pairs;
use crate::split::Sum;
use crate::{path, tree};

/// From a journey's end until its spans are looked at, ns: nodes export twice a second, a busy one later.
pub const SETTLE_NS: u64 = 2_000_000_000;
/// Of each journey, arm, round and phase so many of the slowest are kept. What was among them when it came and no
/// longer is stays in the record, but those below cannot be called the next slowest.
pub const SLOWEST_KEPT: usize = 3;
/// Failed ones kept in each arm and phase: a storm has thousands that look alike.
const ERRORS: u32 = 50;
/// Spans held that have no journey yet: a second of a fully traced run at 1,000 journeys a second, 20 MiB.
const OPEN_SPANS: usize = 65_536;
/// Spans whose journey has not ended by then have none, ns: a user waits a minute at most.
const STRAY_NS: u64 = 120_000_000_000;
/// Memory of requests held until they are whole in the other arms, bytes: a second of a fully traced run at 1,000 journeys a
/// second, half a minute of one that traces a tenth of 360. Arms side by side need little of it.
const PAIRABLE_BYTES: usize = 8 << 20;
/// What was taken out of a queue's middle stays in it until there is so much of it, and more than half.
const MAX_TAKEN: usize = 1_024;
/// Memory of a span and its texts, about, bytes.
const SPAN_BYTES: usize = 256;

/// Where all arms run at once, seconds of the load are written so long after they ended, ns: until then a request of theirs
/// may still become whole in the other arms, and a long run holds no more than that.
const DECIDED_NS: u64 = 120_000_000_000;

/// A journey in an arm and phase: what is compared with its like.
type Cell = (char, u32, u32, String);

/// Everything that is known of requests.
#[derive(Debug, Default)]
pub struct Gatherer {
    spans: HashMap<u128, Vec<ReceivedSpan>>,
    /// Traces in the order in which their first span came, with the moment, for when there are too many or they are too old.
    arrival: VecDeque<(u64, u128)>,
    /// When it was last looked what is whole, ns since the run's start.
    now: u64,
    held: usize,
    journeys: VecDeque<Journey>,
    sums: BTreeMap<Cell, Sum>,
    /// User latencies of the slowest kept so far, fastest first.
    slowest: BTreeMap<Cell, Vec<u64>>,
    errors: BTreeMap<(char, u32, u32), u32>,
    /// Requests that were not kept, in case the other arm's is, and until that is known.
    others: HashMap<(u32, u64), Vec<Trace>>,
    /// These in the order in which they were looked at, with the moment; some are gone by now.
    order: VecDeque<(u64, (u32, u64))>,
    other_bytes: usize,
    wanted: HashSet<(u32, u64)>,
    pairs: Pairs,
    /// The round of a load that all arms get at once, and when it began, ns of the run.
    common: Option<(u32, u64)>,
    counts: Tracing,
}

impl Gatherer {
    /// The arms that trace: requests are paired where they are whole in all of them.
    pub fn set_arms(&mut self, arms: impl IntoIterator<Item = char>) {
        self.pairs.set_arms(arms);
    }

    /// A load on some arms begins at `start`, ns of the run.
    pub fn begin(&mut self, round: u32, arms: &[char], start: u64) {
        self.common = self.pairs.are_all(arms).then_some((round, start));
    }

    /// Spans as they came from a node.
    pub fn spans(&mut self, spans: Vec<ReceivedSpan>) {
        self.counts.spans += spans.len() as u64;
        for span in spans {
            self.held += 1;
            let of = self.spans.entry(span.trace).or_insert_with(|| {
                self.arrival.push_back((self.now, span.trace));
                Vec::new()
            });
            of.push(span);
        }
        while self.held > OPEN_SPANS {
            let Some((_, oldest)) = self.arrival.pop_front() else { break };
            self.counts.overflow += self.drop_spans(oldest);
        }
    }

    /// Forgets the spans of a trace; returns how many there were.
    fn drop_spans(&mut self, trace: u128) -> u64 {
        let dropped = self.spans.remove(&trace).map_or(0, |spans| spans.len());
        self.held -= dropped;
        dropped as u64
    }

    /// A journey is over.
    pub fn journey(&mut self, journey: Journey) {
        self.journeys.push_back(journey);
    }

    /// Looks at what is whole by now, ns since the run's start; returns lines for the record.
    pub fn settle(&mut self, now: u64) -> Vec<Entry> {
        self.now = now;
        let entries = self.settle_until(now);
        while self.arrival.front().is_some_and(|(came, _)| now.saturating_sub(*came) > STRAY_NS) {
            let Some((_, oldest)) = self.arrival.pop_front() else { break };
            self.counts.strays += self.drop_spans(oldest);
        }
        entries
    }

    fn settle_until(&mut self, now: u64) -> Vec<Entry> {
        let mut entries = Vec::new();
        let waiting = self.journeys.len();
        for _ in 0..waiting {
            let Some(journey) = self.journeys.pop_front() else { break };
            if journey.done + SETTLE_NS > now {
                self.journeys.push_back(journey);
            } else if let Some(trace) = self.whole(&journey) {
                self.pairs.add(&trace, journey.second);
                self.weigh(trace, &mut entries);
            }
        }
        if let Some((round, start)) = self.common {
            let is_decided = |since: u64| now.saturating_sub(since) > DECIDED_NS;
            while self.order.front().is_some_and(|(since, _)| is_decided(*since)) {
                let Some((_, oldest)) = self.order.pop_front() else { break };
                self.take_others(oldest);
            }
            let decided = now.saturating_sub(start).saturating_sub(DECIDED_NS) / 1_000_000_000;
            entries.extend(self.pairs.until(round, u32::try_from(decided).unwrap_or(u32::MAX)));
        }
        entries
    }

    /// Arms have ended in a round, and so has everything that had a part in it: looks at the rest, and adds up.
    pub fn conclude(&mut self, round: u32, arms: &[char]) -> Vec<Entry> {
        self.common = None;
        let mut entries = self.settle_until(u64::MAX);
        entries.extend(self.pairs.end(round, arms));
        let sums = std::mem::take(&mut self.sums);
        for (cell, sum) in sums {
            let (arm, of, phase, journey) = &cell;
            if *of == round {
                entries.push(Entry::Split(Box::new(sum.split(*arm, *of, *phase, journey))));
            } else {
                self.sums.insert(cell, sum);
            }
        }
        self.counts.strays += self.held as u64;
        self.spans.clear();
        self.arrival.clear();
        self.held = 0;
        entries
    }

    /// Spans, journeys and requests that are held.
    pub fn held(&self) -> usize {
        self.arrival.len()
            + self.held
            + self.journeys.len()
            + self.others.len()
            + self.wanted.len()
            + self.pairs.held()
    }

    /// What became of everything that came in.
    pub fn counts(&self) -> Tracing {
        self.counts
    }

    /// A journey with its spans; `None` where it was not traced.
    fn whole(&mut self, journey: &Journey) -> Option<Trace> {
        let spans = self.spans.remove(&journey.trace)?;
        self.held -= spans.len();
        if self.arrival.len() > 2 * self.spans.len() + MAX_TAKEN {
            let spans = &self.spans;
            self.arrival.retain(|(_, trace)| spans.contains_key(trace));
        }
        self.counts.requests += 1;
        let mut tree = tree::grow(journey, spans);
        let mut path = path::critical(&tree.spans);
        // It may be held for minutes.
        tree.spans.shrink_to_fit();
        path.shrink_to_fit();
        Some(Trace {
            arm: journey.arm,
            round: journey.round,
            phase: journey.phase,
            journey: journey.name.clone(),
            request: journey.request,
            trace_id: format!("{:032x}", journey.trace),
            kept: KeepReason::Pair,
            error: journey.error.clone(),
            due: journey.due,
            user_latency: journey.done.saturating_sub(journey.due),
            start: journey.sent,
            spans: tree.spans,
            path,
            clipped: tree.clipped,
            orphans: tree.orphans,
        })
    }

    /// Adds a request up, and keeps it where it should be kept.
    fn weigh(&mut self, trace: Trace, entries: &mut Vec<Entry>) {
        let cell = (trace.arm, trace.round, trace.phase, trace.journey.clone());
        self.sums.entry(cell.clone()).or_default().add(&trace);
        let request = (trace.round, trace.request);
        match self.reason(&trace, cell) {
            Some(kept) => {
                self.wanted.insert(request);
                self.keep(Trace { kept, ..trace }, entries);
                for other in self.take_others(request) {
                    self.keep(other, entries);
                }
            }
            None if self.wanted.contains(&request) => self.keep(trace, entries),
            None => {
                self.other_bytes += bytes_of(&trace);
                let of = self.others.entry(request).or_default();
                of.push(trace);
                if self.pairs.is_in_all(of.len()) {
                    self.take_others(request);
                    return;
                }
                self.order.push_back((self.now, request));
                if self.order.len() > 2 * self.others.len() + MAX_TAKEN {
                    let others = &self.others;
                    self.order.retain(|(_, request)| others.contains_key(request));
                }
                while self.other_bytes > PAIRABLE_BYTES {
                    let Some((_, oldest)) = self.order.pop_front() else { break };
                    self.take_others(oldest);
                }
            }
        }
    }

    /// What is held of a request that was not kept.
    fn take_others(&mut self, request: (u32, u64)) -> Vec<Trace> {
        let others = self.others.remove(&request).unwrap_or_default();
        self.other_bytes -= others.iter().map(bytes_of).sum::<usize>();
        others
    }

    fn keep(&mut self, trace: Trace, entries: &mut Vec<Entry>) {
        self.counts.kept += 1;
        entries.push(Entry::from(trace));
    }

    /// Why a request is kept for its own sake.
    fn reason(&mut self, trace: &Trace, cell: Cell) -> Option<KeepReason> {
        if !trace.error.is_empty() {
            let known = self.errors.entry((trace.arm, trace.round, trace.phase)).or_default();
            *known += 1;
            if *known > ERRORS {
                self.counts.errors_beyond += 1;
                return None;
            }
            return Some(KeepReason::Error);
        }
        let slowest = self.slowest.entry(cell).or_default();
        let at = slowest.partition_point(|latency| *latency < trace.user_latency);
        if slowest.len() >= SLOWEST_KEPT {
            if at == 0 {
                return None;
            }
            slowest.insert(at, trace.user_latency);
            slowest.remove(0);
        } else {
            slowest.insert(at, trace.user_latency);
        }
        Some(KeepReason::Slow)
    }
}

/// Memory that a trace takes, about.
fn bytes_of(trace: &Trace) -> usize {
    size_of::<Trace>() + SPAN_BYTES * trace.spans.len()
}
