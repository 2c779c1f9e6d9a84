//! Calls under way: what is worked on, what is waited for.

use super::edge::{Outcome, Pass};
use crate::engine::Handle;

/// What is resumed when a frame is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parent {
    /// None: work that nothing waits for.
    Detached,
    /// A client of a source, who asked at this time, ns.
    Client(u32, u64),
    /// A try of a call, from another process.
    Try(Handle),
    /// A frame of the same process that has called.
    Caller(Handle),
    /// A frame of which this one is a branch.
    Fork(Handle),
}

/// What a frame waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waits {
    /// CPU, time or a database: there is nothing to be called off.
    Work,
    /// A slot, since this time, ns.
    Slot(u64),
    /// A call to another process.
    Call(Handle),
    /// A frame of the same process.
    Callee(Handle),
    /// Branches.
    Branches(Box<[Handle]>),
}

/// An operation that is carried out, or a branch of one.
#[derive(Debug)]
pub struct Frame {
    /// Key of its draws: request, path and try.
    pub key: u64,
    /// When its caller stops waiting, ns.
    pub deadline_ns: u64,
    /// CPU that is due before it can wait for anything, ns.
    pub debt_ns: u64,
    /// When it began, ns.
    pub since_ns: u64,
    /// What is resumed when it is done.
    pub parent: Parent,
    /// What it waits for.
    pub waits: Waits,
    /// The instance whose work it is.
    pub instance: u32,
    /// Its program.
    pub program: u32,
    /// The event that it waits for.
    pub armed: u32,
    /// The event at which its client gives up.
    pub patience: u32,
    /// How many times as long its work takes.
    pub slow: f32,
    /// By what share its CPU is more than in a warm process.
    pub cold_cpu: f32,
    /// Its next step.
    pub pc: u16,
    /// Branches that are not done.
    pub branches: u16,
    /// How many of them must be done before it goes on.
    pub needed: u16,
    /// How it will end.
    pub outcome: Outcome,
    /// Number of the try that it serves; 0 for the first.
    pub attempt: u8,
    /// Whether it has passed the entry's queue.
    pub has_slot: bool,
    /// Whether the faults of its component have been asked.
    pub is_entered: bool,
    /// Whether it goes on when its caller, or a caller of that, gives up.
    pub is_detached: bool,
    /// Whether a message or a timer makes it go on: a thread of its process has to read that first.
    pub is_message: bool,
}

/// A call to another process.
#[derive(Debug)]
pub struct Call {
    /// The frame that waits for it.
    pub frame: Handle,
    /// The edge.
    pub edge: u32,
    /// The program that is called.
    pub program: u32,
    /// Key of its draws.
    pub key: u64,
    /// When its caller stops waiting, ns.
    pub deadline_ns: u64,
    /// The event or timer that it waits for.
    pub armed: u32,
    /// When a second try is due, ns.
    pub hedge_ns: u64,
    /// Tries that are out.
    pub tries: [Handle; 2],
    /// The copy that was asked last.
    pub avoid: Option<u16>,
    /// Number of the next try.
    pub attempt: u8,
    /// Whether the frame serves a retry: retries multiply, so it makes none.
    pub is_retried: bool,
    /// Whether the frame is detached.
    pub is_detached: bool,
}

/// A message and its answer.
#[derive(Debug)]
pub struct Try {
    /// Its call; stale once the call is over.
    pub call: Handle,
    /// The edge.
    pub edge: u32,
    /// The program that is called.
    pub program: u32,
    /// The copy that is asked, as the edge numbers it.
    pub endpoint: Option<u16>,
    /// Its instance.
    pub instance: Option<u32>,
    /// The process that asks.
    pub caller: u32,
    /// What it holds of the edge; none once it has been given up.
    pub pass: Option<Pass>,
    /// When it was sent, ns.
    pub sent_ns: u64,
    /// Its time ends then, ns.
    pub until_ns: u64,
    /// The message's next event.
    pub armed: u32,
    /// The frame that serves it.
    pub callee: Handle,
    /// Its answer, on the way.
    pub outcome: Outcome,
    /// Key of its draws.
    pub key: u64,
    /// Number of the try.
    pub attempt: u8,
    /// Whether the copy learns when its time ends.
    pub has_deadline: bool,
    /// Whether its answer is lost.
    pub is_answer_lost: bool,
    /// Whether what serves it is detached.
    pub is_detached: bool,
    /// Whether the answer has left, lost or not.
    pub is_answered: bool,
    /// What it has of the connections to the copy.
    pub connection: TryConnection,
}

impl Try {
    /// Whether it waits for a connection.
    pub fn awaits_connection(&self) -> bool {
        self.connection == TryConnection::Awaited
    }
}

/// What a try has of the connections to a copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TryConnection {
    /// It needs none, or none any longer.
    #[default]
    None,
    /// One of them.
    InUse,
    /// A place among those that wait for one.
    Awaited,
}
