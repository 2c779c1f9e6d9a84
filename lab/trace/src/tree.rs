//! The spans of one journey as a tree: children clipped to their parents, each span with its class and place.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use record::{CLIENT, Class, Span};

use crate::observed::{Journey, Kind, ReceivedSpan};

/// Whom the client calls.
const DOOR: &str = "gateway";

/// A span may seem to begin so long before its request was sent, ns: two clocks are some microseconds apart.
const CLOCKS_APART_NS: u64 = 20_000;

/// A journey's spans in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// The root first, parents before children, siblings by begin.
    pub spans: Vec<Span>,
    /// What reached beyond parents and was cut off, ns.
    pub clipped: u64,
    /// Spans whose parent is not here; they hang from the root.
    pub orphans: u64,
}

/// Builds the tree. The order in which spans arrived makes no difference; one that arrived twice counts once.
pub fn grow(journey: &Journey, mut observed: Vec<ReceivedSpan>) -> Tree {
    let exchanges = exchanges(journey);
    observed.extend(exchanges.iter().cloned());
    observed.sort_by_key(|span| (span.start, span.end, span.id));
    let mut seen = BTreeSet::from([journey.span]);
    observed.retain(|span| seen.insert(span.id));
    let at: HashMap<u64, usize> = observed.iter().enumerate().map(|(i, span)| (span.id, i)).collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); observed.len()];
    let mut top = Vec::new();
    let mut orphans = 0;
    for (i, span) in observed.iter().enumerate() {
        match at.get(&span.parent) {
            Some(parent) => children[*parent].push(i),
            None => {
                orphans += u64::from(span.parent != journey.span);
                let is_exchange = exchanges.iter().any(|exchange| exchange.id == span.id);
                match exchange_of(span, &exchanges).filter(|_| !is_exchange).and_then(|id| at.get(&id)) {
                    Some(exchange) => children[*exchange].push(i),
                    None => top.push(i),
                }
            }
        }
    }
    let length = journey.done.saturating_sub(journey.sent);
    let mut tree = Tree { spans: vec![root(journey, length)], clipped: 0, orphans };
    // Depth first; what only points at itself in a circle is never reached and stays out.
    let mut open: Vec<(usize, u32)> = top.iter().rev().map(|i| (*i, 0)).collect();
    while let Some((i, parent)) = open.pop() {
        let index = u32::try_from(tree.spans.len()).unwrap_or(u32::MAX);
        let span = &observed[i];
        let relation = Relation {
            answered: children[i].iter().any(|child| observed[*child].kind == Kind::Server),
            tries: children[i].iter().filter(|child| observed[**child].kind == Kind::Client).count(),
        };
        let within = &tree.spans[parent as usize];
        let (start, end) = (relative(span.start, journey.sent_wall), relative(span.end, journey.sent_wall));
        let (from, to) = (within.start, within.start + within.length);
        let clipped_start = start.clamp(from as i128, to as i128);
        let clipped_end = end.clamp(clipped_start, to as i128);
        let kept = u64::try_from(clipped_end - clipped_start).unwrap_or(0);
        tree.clipped += u64::try_from(end - start).unwrap_or(0).saturating_sub(kept);
        let (class, place) = nature(span, &relation, within);
        let grown = Span {
            parent: Some(parent),
            of: span.service.to_string(),
            at: span.instance.to_string(),
            name: span.name.clone(),
            place,
            start: u64::try_from(clipped_start).unwrap_or(0),
            length: kept,
            class,
            error: span.error.clone(),
        };
        tree.spans.push(grown);
        open.extend(children[i].iter().rev().map(|child| (*child, index)));
    }
    tree
}

/// The requests of a journey, as spans of the client: what of them is not the door's is on the way there and back.
fn exchanges(journey: &Journey) -> Vec<ReceivedSpan> {
    let exchange = |(index, within): (usize, &Range<u64>)| ReceivedSpan {
        trace: journey.trace,
        // No span has it: ids are drawn at random, and the journey's is one of them.
        id: (!journey.span).wrapping_sub(index as u64),
        parent: journey.span,
        service: CLIENT.into(),
        instance: "".into(),
        name: "request".into(),
        kind: Kind::Client,
        start: journey.sent_wall + within.start,
        end: journey.sent_wall + within.end,
        error: String::new(),
        peer: DOOR.into(),
        edge: String::new(),
        local: false,
        database: false,
    };
    journey.exchanges.iter().enumerate().map(exchange).collect()
}

/// The request that a span of the door belongs to. All of a journey's have the same parent, so it is the one that the span lies
/// in, else the one in which it begins: work that runs on after its caller gave up reaches into the requests after it, and is
/// none of theirs. Where it begins in none, the nearest.
fn exchange_of(span: &ReceivedSpan, exchanges: &[ReceivedSpan]) -> Option<u64> {
    let holds = |of: &&ReceivedSpan| of.start <= span.start && span.end <= of.end;
    let begin = span.start.saturating_add(CLOCKS_APART_NS);
    let gap = |of: &&ReceivedSpan| of.start.saturating_sub(begin).max((begin + 1).saturating_sub(of.end));
    exchanges.iter().find(holds).or_else(|| exchanges.iter().min_by_key(gap)).map(|of| of.id)
}

/// The user's own span: what is in none of its requests is the client's own time.
fn root(journey: &Journey, length: u64) -> Span {
    Span {
        parent: None,
        of: CLIENT.into(),
        at: String::new(),
        name: journey.name.clone(),
        place: CLIENT.into(),
        start: 0,
        length,
        class: Class::Client,
        error: journey.error.clone(),
    }
}

fn relative(wall: u64, begin: u64) -> i128 {
    i128::from(wall) - i128::from(begin)
}

/// What a span's children show about it.
struct Relation {
    /// A server answered it.
    answered: bool,
    /// Tries below it.
    tries: usize,
}

/// What a span's own time is spent on, and where.
fn nature(span: &ReceivedSpan, relation: &Relation, parent: &Span) -> (Class, String) {
    let component = || span.service.to_string();
    // A wait or a fault below a call belongs to the call's edge, else to the component.
    let below = || {
        if parent.place.contains("->") && parent.parent.is_some() {
            parent.place.clone()
        } else {
            component()
        }
    };
    match (span.name.as_str(), span.kind) {
        ("fault.inject", _) => (Class::Injected, below()),
        ("queue.wait" | "pool.acquire" | "tx.wait", _) => (Class::Queue, below()),
        _ if span.database => (Class::Database, component()),
        (_, Kind::Client) => {
            let class = if relation.answered { Class::Network } else { Class::Unanswered };
            (class, format!("{}->{}", span.service, span.peer))
        }
        // A function call: what it takes is its callee's work.
        _ if span.local => (Class::Work, span.edge.rsplit("->").next().unwrap_or(&span.service).to_owned()),
        // Around the tries of a call: one try is its encoding, several are the waits between them,
        // and none was refused before it left.
        _ if !span.edge.is_empty() => {
            (if relation.tries == 1 { Class::Network } else { Class::Queue }, span.edge.clone())
        }
        _ => (Class::Work, component()),
    }
}
