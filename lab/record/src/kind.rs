//! The kinds of line, and how to recognise one without reading the rest of the line.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use crate::{Entry, Line, Proc, Trace, Window};

/// The kind of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// [`crate::Header`].
    Header,
    /// [`crate::Start`].
    Start,
    /// [`crate::Phase`].
    Phase,
    /// [`crate::Window`].
    Window,
    /// [`crate::Edge`].
    Edge,
    /// [`crate::Proc`].
    Proc,
    /// [`crate::Host`].
    Host,
    /// [`crate::Event`].
    Event,
    /// [`crate::Check`].
    Check,
    /// [`crate::Score`].
    Score,
    /// [`crate::Cost`].
    Cost,
    /// [`crate::Trace`].
    Trace,
    /// [`crate::Split`].
    Split,
    /// [`crate::TraceSecond`].
    TraceSecond,
    /// [`crate::Delay`].
    Delay,
    /// [`crate::Audit`].
    Audit,
    /// [`crate::End`].
    End,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Header,
        Self::Start,
        Self::Phase,
        Self::Window,
        Self::Edge,
        Self::Proc,
        Self::Host,
        Self::Event,
        Self::Check,
        Self::Score,
        Self::Cost,
        Self::Trace,
        Self::Split,
        Self::TraceSecond,
        Self::Delay,
        Self::Audit,
        Self::End,
    ];

    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Start => "start",
            Self::Phase => "phase",
            Self::Window => "window",
            Self::Edge => "edge",
            Self::Proc => "proc",
            Self::Host => "host",
            Self::Event => "event",
            Self::Check => "check",
            Self::Score => "score",
            Self::Cost => "cost",
            Self::Trace => "trace",
            Self::Split => "split",
            Self::TraceSecond => "trace_second",
            Self::Delay => "delay",
            Self::Audit => "audit",
            Self::End => "end",
        }
    }

    /// The kind of a name; `None` for one of a later version.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether each second has lines of it: they are nearly all of a record.
    pub const fn is_periodic(self) -> bool {
        matches!(self, Self::Window | Self::Edge | Self::Proc | Self::Host)
    }

    /// The rest of a line of this kind. Read as what it is, rather than as any kind: that reads every field twice.
    fn entry(self, line: &[u8]) -> serde_json::Result<Entry> {
        use serde_json::from_slice as read;
        Ok(match self {
            Self::Header => Entry::Header(read(line)?),
            Self::Start => Entry::Start(read(line)?),
            Self::Phase => Entry::Phase(read(line)?),
            Self::Window => Entry::Window(read(line)?),
            Self::Edge => Entry::Edge(read(line)?),
            Self::Proc => Entry::Proc(read(line)?),
            Self::Host => Entry::Host(read(line)?),
            Self::Event => Entry::Event(read(line)?),
            Self::Check => Entry::Check(read(line)?),
            Self::Score => Entry::Score(read(line)?),
            Self::Cost => Entry::Cost(read(line)?),
            Self::Trace => Entry::Trace(read(line)?),
            Self::Split => Entry::Split(read(line)?),
            Self::TraceSecond => Entry::TraceSecond(read(line)?),
            Self::Delay => Entry::Delay(read(line)?),
            Self::Audit => Entry::Audit(read(line)?),
            Self::End => Entry::End(read(line)?),
        })
    }
}

impl Entry {
    /// The kind's name, as in the file.
    pub fn kind(&self) -> &'static str {
        let kind = match self {
            Self::Header(_) => Kind::Header,
            Self::Start(_) => Kind::Start,
            Self::Phase(_) => Kind::Phase,
            Self::Window(_) => Kind::Window,
            Self::Edge(_) => Kind::Edge,
            Self::Proc(_) => Kind::Proc,
            Self::Host(_) => Kind::Host,
            Self::Event(_) => Kind::Event,
            Self::Check(_) => Kind::Check,
            Self::Score(_) => Kind::Score,
            Self::Cost(_) => Kind::Cost,
            Self::Trace(_) => Kind::Trace,
            Self::Split(_) => Kind::Split,
            Self::TraceSecond(_) => Kind::TraceSecond,
            Self::Delay(_) => Kind::Delay,
            Self::Audit(_) => Kind::Audit,
            Self::End(_) => Kind::End,
        };
        kind.name()
    }
}

impl From<Window> for Entry {
    fn from(window: Window) -> Self {
        Self::Window(Arc::new(window))
    }
}

impl From<Proc> for Entry {
    fn from(proc: Proc) -> Self {
        Self::Proc(Arc::new(proc))
    }
}

impl From<Trace> for Entry {
    fn from(trace: Trace) -> Self {
        Self::Trace(Arc::new(trace))
    }
}

/// What a line begins with.
#[derive(Debug, PartialEq)]
pub(crate) struct Head {
    pub t: u64,
    /// `None` for a kind of a later version.
    pub kind: Option<Kind>,
}

impl Head {
    /// The head of a whole line. Ours begins with time and kind; another writer's order is read, too.
    pub(crate) fn of(line: &[u8]) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Fields<'a> {
            t: u64,
            #[serde(borrow)]
            kind: Cow<'a, str>,
        }

        if let Some(head) = Self::leading(line) {
            return Ok(head);
        }
        let Fields { t, kind } = serde_json::from_slice(line)?;
        Ok(Self { t, kind: Kind::named(&kind) })
    }

    fn leading(line: &[u8]) -> Option<Self> {
        let rest = line.strip_prefix(br#"{"t":"#)?;
        let (digits, rest) = rest.split_at(rest.iter().position(|byte| !byte.is_ascii_digit())?);
        let rest = rest.strip_prefix(br#","kind":""#)?;
        let name = rest.split(|byte| *byte == b'"').next()?;
        let kind = Kind::named(std::str::from_utf8(name).ok()?)?;
        Some(Self { t: std::str::from_utf8(digits).ok()?.parse().ok()?, kind: Some(kind) })
    }

    /// The whole line; `None` where its kind is unknown.
    pub(crate) fn line(&self, text: &[u8]) -> serde_json::Result<Option<Line>> {
        self.kind.map(|kind| Ok(Line { t: self.t, entry: kind.entry(text)? })).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_in_any_order_of_fields() {
        let head = |text: &str| Head::of(text.as_bytes()).expect("a line");
        let host = Head { t: 7, kind: Some(Kind::Host) };
        assert_eq!(head(r#"{"t":7,"kind":"host","steal":0}"#), host);
        assert_eq!(head(r#"{"steal":0, "kind": "host", "t": 7}"#), host);
        assert_eq!(head(r#"{"t":7,"kind":"hologram"}"#), Head { t: 7, kind: None });
        assert!(Head::of(b"{\"t\":7,\"kind\":").is_err() && Head::of(b"hello").is_err());
    }
}
