//! The critical path: the pieces of a request that would have made it shorter, had they been shorter.

use record::{Segment, Span};

/// Walks back from the root's end: among the children that begin before the cursor the one that ends last
/// was waited for; the gap after it is the parent's own; inside it the walk goes on; then from its begin.
/// The segments come in order of time, are disjoint, and their lengths add up to the root's.
///
/// Ties are broken by the later begin, then by the place in `spans`, so that the order of equal spans does
/// not matter. `spans` is a tree as [`crate::tree::grow`] makes it: the root first, children within parents.
pub fn critical(spans: &[Span]) -> Vec<Segment> {
    let Some(root) = spans.first() else { return Vec::new() };
    let mut children: Vec<Vec<u32>> = vec![Vec::new(); spans.len()];
    for (i, span) in spans.iter().enumerate().skip(1) {
        if let Some(parent) = span.parent {
            children[parent as usize].push(u32::try_from(i).unwrap_or(u32::MAX));
        }
    }
    for siblings in &mut children {
        // The one to be waited for stands last.
        let key = |i: &u32| {
            let span = &spans[*i as usize];
            (span.start + span.length, span.start, std::cmp::Reverse(*i))
        };
        siblings.sort_by_key(key);
    }
    let mut path = Walk { spans, children, path: Vec::new() };
    // Levels of the walk that are not finished: a span, where its piece begins, the cursor in it.
    let mut open = vec![Level { span: 0, from: root.start, cursor: root.start + root.length }];
    while let Some(level) = open.last_mut() {
        match path.waited_for(level.span, level.from, level.cursor) {
            Some(child) => {
                let of = &spans[child as usize];
                let end = (of.start + of.length).min(level.cursor);
                let from = of.start.max(level.from);
                path.push(level.span, end, level.cursor);
                level.cursor = from;
                open.push(Level { span: child, from, cursor: end });
            }
            None => {
                path.push(level.span, level.from, level.cursor);
                open.pop();
            }
        }
    }
    path.path.reverse();
    path.path
}

struct Level {
    span: u32,
    from: u64,
    cursor: u64,
}

struct Walk<'a> {
    spans: &'a [Span],
    /// Of each span, those not yet walked past, the latest end last.
    children: Vec<Vec<u32>>,
    path: Vec<Segment>,
}

impl Walk<'_> {
    /// The child with the latest end, clipped to the cursor, among those that begin before it.
    fn waited_for(&mut self, span: u32, from: u64, cursor: u64) -> Option<u32> {
        let spans = self.spans;
        let mut best: Option<(usize, (u64, u64))> = None;
        for (at, child) in self.children[span as usize].iter().enumerate() {
            let of = &spans[*child as usize];
            if of.length == 0 || of.start >= cursor || of.start + of.length <= from {
                continue;
            }
            let key = ((of.start + of.length).min(cursor), of.start);
            // Later in the list means a later end, and a smaller index where all is equal.
            if best.is_none_or(|(_, known)| key >= known) {
                best = Some((at, key));
            }
        }
        let (at, _) = best?;
        Some(self.children[span as usize].remove(at))
    }

    fn push(&mut self, span: u32, from: u64, to: u64) {
        if to > from {
            self.path.push(Segment { span, start: from, length: to - from });
        }
    }
}
