//! A request as a waterfall: a bar for each operation, solid where the request waited for it. The colour of a bar shows
//! what its time is spent on, and so does a letter beside it.

use std::fmt::Write;

use model::format::value;
use record::{Class, Span, Trace};

use super::WIDTH;
use super::labels::LETTER;
use crate::escaped;

/// Room for names on the left.
const NAMES: f64 = 158.0;
/// Room for lengths on the right.
const LENGTHS: f64 = 62.0;
/// Height of a row, of a bar in it, and of the lines above the first.
const ROW: f64 = 15.0;
const BAR: f64 = 9.0;
const ABOVE: f64 = 36.0;
/// More operations than this are not shown: the longest and those of the critical path are.
const MAX_ROWS: usize = 24;
/// Nor what takes less than this part of the request, unless it was waited for.
const LEAST: u64 = 200;
/// Levels of indentation that still leave room for a name.
const MAX_LEVELS: usize = 8;

/// The letter of a class, the same in the legend.
pub const fn letter(class: Class) -> char {
    match class {
        Class::Network => 'n',
        Class::Queue => 'q',
        Class::Work => 'w',
        Class::Database => 'd',
        Class::Injected => 'i',
        Class::Unanswered => 'u',
        Class::Client => 'c',
    }
}

/// The waterfall of a trace; `longest` nanoseconds fill its width, so that traces beside each other have one scale.
pub fn draw(title: &str, trace: &Trace, longest: u64) -> String {
    let shown = shown(trace);
    let left_out = trace.spans.len() - shown.len();
    let rows = shown.len() + usize::from(left_out > 0);
    let height = ABOVE + ROW * rows as f64 + 6.0;
    let drawing = Drawing { trace, longest: longest.max(1) as f64 };
    let label = escaped(&format!("{title}: {}", description(trace)));
    // Writing to a string does not fail.
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{label}\">\
         <text class=\"title\" x=\"4\" y=\"14\">{}</text>",
        escaped(title)
    );
    drawing.axis(&mut svg, height);
    for (row, index) in shown.iter().enumerate() {
        drawing.span(&mut svg, *index, ABOVE + ROW * row as f64);
    }
    if left_out > 0 {
        let y = ABOVE + ROW * shown.len() as f64 + BAR;
        let _ = write!(svg, "<text class=\"tick\" x=\"4\" y=\"{y:.1}\">and {left_out} shorter ones</text>");
    }
    svg.push_str("</svg>");
    svg
}

/// A trace in a sentence: for those who do not see it, and below it for those who do.
pub fn description(trace: &Trace) -> String {
    let parts = trace.by_class();
    let parts: Vec<String> = Class::ALL
        .into_iter()
        .filter_map(|class| Some(format!("{} {}", class.words(), time(*parts.get(&class)?))))
        .collect();
    format!("{} in {} operations: {}", time(trace.length()), trace.spans.len(), parts.join(", "))
}

fn time(ns: u64) -> String {
    value(Some(ns as f64 / 1e9), "s")
}

/// Operations worth a row, in their order: the root, the critical path, then the longest.
fn shown(trace: &Trace) -> Vec<usize> {
    let on_path = |index: usize| trace.path.iter().any(|segment| segment.span as usize == index);
    let is_long = |index: &usize| trace.spans[*index].length * LEAST >= trace.length();
    let mut order: Vec<usize> =
        (0..trace.spans.len()).filter(|index| on_path(*index) || is_long(index)).collect();
    order.sort_by_key(|index| {
        let span = &trace.spans[*index];
        (span.parent.is_some(), !on_path(*index), std::cmp::Reverse(span.length), *index)
    });
    order.truncate(MAX_ROWS);
    order.sort_unstable();
    order
}

struct Drawing<'a> {
    trace: &'a Trace,
    longest: f64,
}

impl Drawing<'_> {
    fn x(&self, ns: u64) -> f64 {
        NAMES + (WIDTH - NAMES - LENGTHS) * (ns as f64 / self.longest).clamp(0.0, 1.0)
    }

    fn wide(&self, from: u64, length: u64) -> f64 {
        (self.x(from + length) - self.x(from)).max(0.8)
    }

    fn axis(&self, svg: &mut String, height: f64) {
        for half in 0..=2_u32 {
            let ns = (self.longest * f64::from(half) / 2.0) as u64;
            let x = self.x(ns);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>\
                 <text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                ABOVE - 4.0,
                height - 4.0,
                ABOVE - 8.0,
                time(ns)
            );
        }
    }

    fn span(&self, svg: &mut String, index: usize, y: f64) {
        let span = &self.trace.spans[index];
        let level = self.level(index);
        let indent = 4.0 + 7.0 * level as f64;
        let room = ((NAMES - indent - 4.0) / LETTER) as usize;
        let sign = if span.error.is_empty() { "" } else { "✗ " };
        let name = shortened(&format!("{sign}{} {}", span.of, span.name), room);
        let style = span.class.name();
        let failed = if span.error.is_empty() { "" } else { " failed" };
        let _ = write!(
            svg,
            "<g class=\"span{failed}\"><title>{}</title><text class=\"tick\" x=\"{indent:.1}\" y=\"{:.1}\">{}</text>\
             <rect class=\"whole {style}\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\"/>",
            escaped(&title_of(span)),
            y + BAR - 1.0,
            escaped(&name),
            self.x(span.start),
            self.wide(span.start, span.length)
        );
        for segment in self.trace.path.iter().filter(|segment| segment.span as usize == index) {
            let _ = write!(
                svg,
                "<rect class=\"{style}\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\"/>",
                self.x(segment.start),
                self.wide(segment.start, segment.length)
            );
        }
        let _ = write!(
            svg,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{} {}</text></g>",
            WIDTH - 3.0,
            y + BAR - 1.0,
            time(span.length),
            letter(span.class)
        );
    }

    /// How many operations it lies in; parents come before their children, so this ends.
    fn level(&self, index: usize) -> usize {
        let mut level = 0;
        let mut at = index;
        while let Some(parent) = self.trace.spans[at].parent.map(|parent| parent as usize) {
            if parent >= at || level == MAX_LEVELS {
                break;
            }
            at = parent;
            level += 1;
        }
        level
    }
}

fn title_of(span: &Span) -> String {
    let at = if span.at.is_empty() { String::new() } else { format!(" in {}", span.at) };
    let error = if span.error.is_empty() { String::new() } else { format!("; failed: {}", span.error) };
    format!(
        "{} {}{at}: {} from {}, {} at {}{error}",
        span.of,
        span.name,
        time(span.length),
        time(span.start),
        span.class.words(),
        span.place
    )
}

fn shortened(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    text.chars().take(letters.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use record::{KeepReason, Segment};

    use super::*;

    fn span(parent: Option<u32>, name: &str, start: u64, length: u64, class: Class) -> Span {
        Span {
            parent,
            of: "feed".into(),
            at: "feed#0".into(),
            name: name.into(),
            place: "feed".into(),
            start,
            length,
            class,
            error: String::new(),
        }
    }

    fn trace(spans: Vec<Span>, path: Vec<Segment>) -> Trace {
        Trace {
            arm: 'A',
            round: 1,
            phase: 0,
            journey: "home-feed".into(),
            request: 1,
            trace_id: "00".into(),
            kept: KeepReason::Slow,
            error: String::new(),
            due: 0,
            user_latency: 0,
            start: 0,
            spans,
            path,
            clipped: 0,
            orphans: 0,
        }
    }

    #[test]
    fn a_bar_is_solid_where_the_request_waited() {
        let spans = vec![
            span(None, "GET /v1/feed", 0, 4_000_000, Class::Work),
            span(Some(0), "SELECT <x>", 1_000_000, 2_000_000, Class::Database),
        ];
        let path = vec![
            Segment { span: 0, start: 0, length: 1_000_000 },
            Segment { span: 1, start: 1_000_000, length: 2_000_000 },
            Segment { span: 0, start: 3_000_000, length: 1_000_000 },
        ];
        let svg = draw("A mono", &trace(spans, path), 8_000_000);
        assert_eq!(
            (svg.matches("<rect class=\"work\"").count(), svg.matches("class=\"whole work\"").count()),
            (2, 1)
        );
        assert!(svg.contains("4.0ms in 2 operations: business work 2.0ms, database 2.0ms"), "{svg}");
        assert!(svg.contains("feed SELECT &lt;x&gt;") && !svg.contains('✗'), "{svg}");
        // 180 wide; a trace of half the longest fills half of it.
        assert!(svg.contains("width=\"90.0\""), "{svg}");
    }

    #[test]
    fn what_failed_has_a_sign() {
        let mut spans = vec![span(None, "GET /v1/feed", 0, 4, Class::Unanswered)];
        spans[0].error = "timeout".into();
        let svg = draw("B micro", &trace(spans, Vec::new()), 4);
        assert!(svg.contains("✗ feed GET") && svg.contains("failed: timeout"), "{svg}");
    }

    #[test]
    fn of_many_operations_the_critical_path_and_the_longest_are_shown() {
        let mut spans = vec![span(None, "root", 0, 1_000, Class::Work)];
        spans.extend((1..=99).map(|i| span(Some(0), "call", 0, i, Class::Network)));
        let trace = trace(spans, vec![Segment { span: 1, start: 0, length: 1 }]);
        let shown = shown(&trace);
        assert_eq!(
            (shown.len(), &shown[..2]),
            (MAX_ROWS, &[0, 1][..]),
            "the root and the path, however short"
        );
        assert!(shown.contains(&99) && !shown.contains(&2));
        assert!(draw("A", &trace, 1_000).contains("and 76 shorter ones"));
    }
}
