//! Clients come, wait, and go.

use super::super::edge::Outcome;
use super::super::frame::{Frame, Parent, Waits};
use super::super::plan::Plan;
use super::super::report::{Divergence, RequestRecorder, Requests};
use super::super::source::{Request, Source};
use super::super::system::{PlanError, TimerKind};
use super::{MAX_FRAMES, Simulation, kind};
use crate::dist::Distribution;
use crate::engine::{Draws, Event, EventQueue, Handle};

/// Step of a request's key for its patience.
const PATIENCE_DRAW: u64 = 0x70;

/// The clients of a source.
#[derive(Debug)]
pub(super) struct Clients {
    source: Source,
    /// The request that is due next, in an open loop.
    next: Option<Request>,
    /// Copies of the component that stands for them, which take turns.
    instances: Vec<u32>,
    turn: usize,
    /// Programs of the operations, and their names.
    programs: Vec<u32>,
    names: Vec<String>,
    recorders: Vec<RequestRecorder>,
    patience: Distribution,
    /// The class of timers of a patience that is always the same.
    class: Option<u32>,
    warm_up_ns: u64,
}

impl Clients {
    /// What became of their requests.
    pub fn finish(&mut self) -> Vec<(String, Requests)> {
        let requests = self.recorders.iter_mut().map(RequestRecorder::finish);
        self.names.iter().cloned().zip(requests).collect()
    }

    /// What became of those that have ended so far.
    pub fn so_far(&self) -> impl Iterator<Item = (String, Requests)> {
        self.names.iter().cloned().zip(self.recorders.iter().map(RequestRecorder::so_far))
    }

    fn recorder(&mut self, program: u32) -> &mut RequestRecorder {
        let at = self.programs.iter().position(|of| *of == program);
        &mut self.recorders[at.expect("a client's program is one of the source's")]
    }
}

impl<Q: EventQueue> Simulation<Q> {
    /// Adds the sources of a plan, in the order of their names.
    pub(super) fn add_sources(&mut self, plan: &Plan, seed: u64) -> Vec<PlanError> {
        let mut errors = Vec::new();
        let mut sources: Vec<_> = plan.sources.iter().collect();
        sources.sort_by(|a, b| a.name.cmp(&b.name));
        for (source, number) in sources.into_iter().zip(0..) {
            let mut operations = source.operations.clone();
            operations.sort_by(|a, b| a.0.cmp(&b.0));
            let mut programs = Vec::new();
            for (operation, _) in &operations {
                match self.system.program(&format!("{}/{operation}", source.client)) {
                    Some(program) => programs.push(program),
                    None => errors.push(PlanError(format!(
                        "source `{}` asks for `{operation}`, which `{}` does not do",
                        source.name, source.client
                    ))),
                }
            }
            if operations.iter().map(|(_, weight)| weight).sum::<f64>() <= 0.0 {
                errors.push(PlanError(format!("source `{}` asks for nothing", source.name)));
            }
            if !errors.is_empty() {
                continue;
            }
            let component = self.system.operations[programs[0] as usize].component;
            let class = match source.patience {
                Distribution::Constant(length_ns) if length_ns > 0 => {
                    Some(self.system.timer(TimerKind::Patience, length_ns))
                }
                _ => None,
            };
            let recorder = || match plan.good_within_ns {
                // No user waits for an answer that might be good.
                Some(_) if source.patience.is_zero() => RequestRecorder::counting(),
                good_within_ns => RequestRecorder::new(good_within_ns),
            };
            self.clients.push(Clients {
                source: Source::new(
                    seed,
                    &source.name,
                    source.arrivals.clone(),
                    &operations,
                    source.until_ns,
                ),
                next: None,
                instances: self.system.components[component as usize].instances.clone(),
                turn: 0,
                names: operations.iter().map(|(name, _)| format!("{}/{name}", source.name)).collect(),
                recorders: programs.iter().map(|_| recorder()).collect(),
                programs,
                patience: source.patience.clone(),
                class,
                warm_up_ns: source.warm_up_ns,
            });
            self.start_source(number);
        }
        errors
    }

    fn start_source(&mut self, number: u32) {
        let clients = &mut self.clients[number as usize];
        if let Some((users, think)) = clients.source.users() {
            let think = think.clone();
            for _ in 0..users {
                let delay_ns = think.sample(clients.source.bits());
                self.events.after(delay_ns, kind::ARRIVAL, number);
            }
            return;
        }
        clients.next = clients.source.next();
        if let Some(request) = clients.next {
            self.events.at(request.due_ns, kind::ARRIVAL, number);
        }
    }

    pub(super) fn on_arrival(&mut self, number: u32) {
        let now_ns = self.events.now_ns();
        let clients = &mut self.clients[number as usize];
        if clients.source.users().is_some() {
            if let Some(request) = clients.source.next_of_user(now_ns) {
                self.begin(number, request);
            }
            return;
        }
        let Some(request) = clients.next.take() else { return };
        clients.next = clients.source.next();
        if let Some(next) = clients.next {
            self.events.at(next.due_ns, kind::ARRIVAL, number);
        }
        self.begin(number, request);
    }

    fn begin(&mut self, number: u32, request: Request) {
        let now_ns = self.events.now_ns();
        if self.frames.len() >= MAX_FRAMES {
            self.diverged = Some(Divergence { at_ns: now_ns, station: self.fullest() });
            return;
        }
        let clients = &mut self.clients[number as usize];
        let instance = clients.instances[clients.turn % clients.instances.len()];
        clients.turn += 1;
        // What a process does by itself, one that is not there does not.
        let process = self.system.instances[instance as usize].process;
        if self.system.processes[process as usize].is_gone {
            return;
        }
        let program = clients.programs[request.operation];
        clients.recorders[request.operation].due(request.due_ns);
        let patience_ns = clients.patience.sample(Draws::derive(request.key, PATIENCE_DRAW));
        let class = clients.class;
        let deadline_ns = if patience_ns == 0 { u64::MAX } else { now_ns + patience_ns };
        let parent = Parent::Client(number, request.due_ns);
        let mut frame = Frame::new(parent, program, instance, request.key, now_ns);
        (frame.deadline_ns, frame.is_message) = (deadline_ns, true);
        let handle = self.frames.insert(frame);
        if let Some(class) = class {
            self.start_timer(class, handle);
        } else if patience_ns > 0 {
            let seq = self.events.after(patience_ns, kind::PATIENCE, handle.index);
            if let Some(frame) = self.frames.get_mut(handle) {
                frame.patience = seq;
            }
        }
        self.advance(handle);
    }

    /// The component at which most is under way.
    fn fullest(&self) -> String {
        let mut counts = vec![0_u64; self.system.components.len()];
        for (_, frame) in self.frames.iter() {
            counts[self.system.instances[frame.instance as usize].component as usize] += 1;
        }
        let fullest = self.system.components.iter().zip(counts).max_by_key(|(_, count)| *count);
        fullest.map_or_else(String::new, |(component, _)| component.name.clone())
    }

    /// A request has ended.
    pub(super) fn request_ended(&mut self, number: u32, due_ns: u64, program: u32, outcome: Outcome) {
        let now_ns = self.events.now_ns();
        let clients = &mut self.clients[number as usize];
        let warm_up_ns = clients.warm_up_ns;
        clients.recorder(program).ended(due_ns, now_ns, outcome, warm_up_ns);
        if let Some((_, think)) = clients.source.users() {
            let think = think.clone();
            let delay_ns = think.sample(clients.source.bits());
            self.events.after(delay_ns, kind::ARRIVAL, number);
        }
    }

    pub(super) fn on_patience(&mut self, event: Event) {
        let is_meant = self.frames.at(event.index).is_some_and(|frame| frame.patience == event.seq);
        if let Some(handle) = self.frames.handle_at(event.index).filter(|_| is_meant) {
            self.client_leaves(handle);
        }
    }

    /// A client gives up.
    pub(super) fn client_leaves(&mut self, handle: Handle) {
        let Some(frame) = self.frames.get(handle) else { return };
        let (parent, program) = (frame.parent, frame.program);
        self.cancel_frame(handle);
        if let Parent::Client(number, due_ns) = parent {
            self.request_ended(number, due_ns, program, Outcome::TimedOut);
        }
    }
}

impl Frame {
    /// A frame at the first step of a program.
    pub(super) fn new(parent: Parent, program: u32, instance: u32, key: u64, now_ns: u64) -> Self {
        Self {
            key,
            deadline_ns: u64::MAX,
            debt_ns: 0,
            since_ns: now_ns,
            parent,
            waits: Waits::Work,
            instance,
            program,
            armed: 0,
            patience: 0,
            slow: 1.0,
            cold_cpu: 0.0,
            pc: 0,
            branches: 0,
            needed: 0,
            outcome: Outcome::Done,
            attempt: 0,
            has_slot: false,
            is_entered: false,
            is_detached: false,
            is_message: false,
        }
    }
}
