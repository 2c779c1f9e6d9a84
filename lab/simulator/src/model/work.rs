//! What an operation does: a tree as it is declared, and the steps that are carried out.
//!
//! The tree is flattened once, so that the loop follows program counters and no pointers.

use contract::hash::fnv1a64;

use crate::dist::Distribution;
use crate::engine::Draws;
use crate::engine::random::stream;

/// What an operation does.
#[derive(Clone, Debug)]
pub enum Work {
    /// Nothing.
    None,
    /// CPU on the thread that serves the call.
    Cpu(Distribution),
    /// CPU on a thread for blocking work.
    Blocking(Distribution),
    /// Time that costs no CPU.
    Wait(Distribution),
    /// A query: CPU on a thread for blocking work, while a connection is taken.
    Read(Distribution),
    /// A transaction: CPU while the writer's lock is held, and a sync.
    Write(Distribution),
    /// A call of an operation of a component: `("follower", "followers-of")`.
    Call(String, String),
    /// One after another.
    Seq(Vec<Self>),
    /// At the same time, until so many are done; all of them, where that is as many as there are.
    Par(usize, Vec<Self>),
    /// In a share of the cases.
    Sometimes(f64, Box<Self>),
    /// Again and again, each time with this probability once more.
    Repeat(f64, Box<Self>),
    /// Without waiting for it: what consumes an event.
    Spawn(Box<Self>),
}

impl Work {
    /// A call.
    pub fn call(component: &str, operation: &str) -> Self {
        Self::Call(component.to_owned(), operation.to_owned())
    }

    /// All at the same time, until all are done.
    pub fn all(parts: Vec<Self>) -> Self {
        Self::Par(parts.len(), parts)
    }
}

/// A step of an operation. Steps that begin something end with the frame waiting, and the next is taken when it is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Gets a slot of the component, and meets its faults.
    Enter,
    /// CPU is due: the sample of this number.
    Cpu(u16),
    /// A burst on a thread for blocking work.
    Blocking(u16),
    /// Time passes.
    Wait(u16),
    /// A query.
    Read(u16),
    /// A transaction.
    Write(u16),
    /// The CPU of sending the call of this number.
    Send(u16),
    /// The call.
    Call(u16),
    /// The branches from `first` on begin, `count` of them; the frame goes on when `need` are done.
    Fork {
        /// Index of the first branch.
        first: u16,
        /// How many.
        count: u16,
        /// How many must be done.
        need: u16,
    },
    /// A branch that nothing waits for begins.
    Spawn(u16),
    /// Goes on at `to` unless the dice of this sample fall within `share`.
    Unless {
        /// The sample that names the dice.
        sample: u16,
        /// Where to go on.
        to: u16,
    },
    /// Goes back to `to` if they do.
    Again {
        /// The sample that names the dice.
        sample: u16,
        /// Where to go on.
        to: u16,
    },
    /// Goes on at `to`.
    Jump(u16),
    /// The CPU of sending the answer.
    Reply,
    /// The operation, or the branch, is done.
    End,
}

/// A length that is drawn, or a share, with its dice.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What is drawn.
    pub distribution: Distribution,
    /// A share, where that is what is drawn.
    pub share: f64,
    /// The dice.
    pub draws: Draws,
}

/// A call that a program makes.
#[derive(Clone, Debug)]
pub struct CallSite {
    /// The component that is called.
    pub component: String,
    /// Its operation.
    pub operation: String,
    /// Stands for the place in the program, in keys of draws.
    pub path: u64,
}

/// The steps of an operation.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The steps; the first is where it begins.
    pub steps: Vec<Step>,
    /// What is drawn in them.
    pub samples: Vec<Sample>,
    /// The calls made in them.
    pub calls: Vec<CallSite>,
    /// Where branches begin.
    pub branches: Vec<u16>,
}

/// Steps of one operation: more is a mistake in what made it, and they are numbered with 16 bits.
const MAX_STEPS: usize = 10_000;

impl Program {
    /// The steps of an operation called `name`, behind what `declared` adds. `None` where there are too many.
    pub fn new(seed: u64, name: &str, declared: Option<&Work>, work: &Work) -> Option<Self> {
        let mut program = Self::default();
        let prefix = format!("service/{name}");
        program.steps.push(Step::Enter);
        if let Some(declared) = declared {
            program.add(seed, &format!("{prefix}/work"), declared);
        }
        program.add(seed, &prefix, work);
        program.steps.extend([Step::Reply, Step::End]);
        (program.steps.len() <= MAX_STEPS).then_some(program)
    }

    fn sample(&mut self, seed: u64, name: &str, distribution: Distribution, share: f64) -> u16 {
        self.samples.push(Sample { distribution, share, draws: Draws::new(seed, name) });
        (self.samples.len() - 1) as u16
    }

    /// Adds work; `name` stands for its place in the tree, and so for its dice.
    fn add(&mut self, seed: u64, name: &str, work: &Work) {
        if self.steps.len() > MAX_STEPS {
            return;
        }
        let timed = |make: fn(u16) -> Step, distribution: &Distribution, program: &mut Self| {
            let sample = program.sample(seed, name, distribution.clone(), 0.0);
            program.steps.push(make(sample));
        };
        match work {
            Work::None => {}
            Work::Cpu(distribution) => timed(Step::Cpu, distribution, self),
            Work::Blocking(distribution) => timed(Step::Blocking, distribution, self),
            Work::Wait(distribution) => timed(Step::Wait, distribution, self),
            Work::Read(distribution) => timed(Step::Read, distribution, self),
            Work::Write(distribution) => timed(Step::Write, distribution, self),
            Work::Call(component, operation) => {
                let path = fnv1a64(format!("{name}->{}/{operation}", stream(component)).as_bytes());
                let (component, operation) = (component.clone(), operation.clone());
                self.calls.push(CallSite { component, operation, path });
                let call = (self.calls.len() - 1) as u16;
                self.steps.extend([Step::Send(call), Step::Call(call)]);
            }
            Work::Seq(parts) => {
                for (part, n) in parts.iter().zip(0..) {
                    self.add(seed, &format!("{name}/{n}"), part);
                }
            }
            Work::Par(need, parts) => self.add_branches(seed, name, *need, parts),
            Work::Sometimes(share, work) => {
                let sample = self.sample(seed, &format!("{name}/sometimes"), Distribution::ZERO, *share);
                let at = self.steps.len();
                self.steps.push(Step::Unless { sample, to: 0 });
                self.add(seed, name, work);
                self.steps[at] = Step::Unless { sample, to: self.steps.len() as u16 };
            }
            Work::Repeat(share, work) => {
                let sample = self.sample(seed, &format!("{name}/again"), Distribution::ZERO, *share);
                let to = self.steps.len() as u16;
                self.add(seed, name, work);
                self.steps.push(Step::Again { sample, to });
            }
            Work::Spawn(work) => {
                let branch = self.branches.len() as u16;
                self.branches.push(0);
                self.steps.push(Step::Spawn(branch));
                let jump = self.steps.len();
                self.steps.push(Step::Jump(0));
                self.branches[branch as usize] = self.steps.len() as u16;
                self.add(seed, name, work);
                self.steps.push(Step::End);
                self.steps[jump] = Step::Jump(self.steps.len() as u16);
            }
        }
    }

    fn add_branches(&mut self, seed: u64, name: &str, need: usize, parts: &[Work]) {
        if parts.is_empty() {
            return;
        }
        let first = self.branches.len();
        self.branches.resize(first + parts.len(), 0);
        let need = need.min(parts.len()) as u16;
        self.steps.push(Step::Fork { first: first as u16, count: parts.len() as u16, need });
        let jump = self.steps.len();
        self.steps.push(Step::Jump(0));
        for (part, n) in parts.iter().zip(0..) {
            self.branches[first + n] = self.steps.len() as u16;
            self.add(seed, &format!("{name}/{n}"), part);
            self.steps.push(Step::End);
        }
        self.steps[jump] = Step::Jump(self.steps.len() as u16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_becomes_steps() {
        let cpu = || Work::Cpu(Distribution::Constant(1));
        let work = Work::Seq(vec![
            cpu(),
            Work::all(vec![Work::call("b", "get"), Work::Wait(Distribution::Constant(2))]),
            Work::Sometimes(0.5, Box::new(cpu())),
        ]);
        let program = Program::new(1, "a/list", None, &work).expect("few steps");
        assert_eq!(
            program.steps,
            [
                Step::Enter,
                Step::Cpu(0),
                Step::Fork { first: 0, count: 2, need: 2 },
                Step::Jump(9),
                Step::Send(0),
                Step::Call(0),
                Step::End,
                Step::Wait(1),
                Step::End,
                Step::Unless { sample: 2, to: 11 },
                Step::Cpu(3),
                Step::Reply,
                Step::End,
            ]
        );
        assert_eq!(program.branches, [4, 7]);
    }

    #[test]
    fn a_tree_of_too_many_steps_is_refused() {
        let work = Work::Seq(vec![Work::Cpu(Distribution::ZERO); MAX_STEPS + 1]);
        assert!(Program::new(1, "a/list", None, &work).is_none());
    }
}
