//! Calls to other processes: tries, timeouts, retries and hedging, as an edge's policies decide.

use policy::Cancellation;
use policy::deadline::{MAX_DEADLINE_MS, left_ns, try_ns};
use policy::retry::Idempotency;
use policy::units::HumanDuration;

use super::super::connections::Checkout;
use super::super::edge::Outcome;
use super::super::frame::{Call, Frame, Parent, Try, TryConnection, Waits};
use super::super::system::{Route, System, TimerKind};
use super::faults::EdgeFault;
use super::{Simulation, kind};
use crate::engine::{Draws, Event, EventQueue, Handle, Slab};

/// What a call has that brings no deadline, ns.
const MAX_DEADLINE_NS: u64 = MAX_DEADLINE_MS * 1_000_000;
/// Added to the number of a second try next to a slow first: its dice are its own.
const HEDGED_ATTEMPT: u8 = 0x40;
/// Steps of a try's key for its message and its answer on the network.
const MESSAGE_DRAW: u64 = 0x3000;
const ANSWER_DRAW: u64 = 0x3001;

impl<Q: EventQueue> Simulation<Q> {
    /// A frame calls.
    pub(super) fn call(&mut self, handle: Handle, call: u16) {
        let now_ns = self.events.now_ns();
        let Some(frame) = self.frames.get_mut(handle) else { return };
        let site = self.system.operations[frame.program as usize].sites[call as usize];
        let first = self.system.instances[frame.instance as usize].first_route;
        let key = Draws::derive(frame.key, site.path);
        let edge = match self.system.routes[(first + site.route) as usize] {
            Route::Local(instance) => {
                let mut callee = Frame::new(Parent::Caller(handle), site.program, instance, key, now_ns);
                (callee.deadline_ns, callee.attempt) = (frame.deadline_ns, frame.attempt);
                callee.is_detached = frame.is_detached;
                let component = &mut self.system.instances[instance as usize];
                let since_ns = component.called(now_ns);
                callee.cold_cpu = self.system.processes[component.process as usize].cold_cpu(since_ns);
                let callee = self.frames.insert(callee);
                if let Some(frame) = self.frames.get_mut(handle) {
                    frame.waits = Waits::Callee(callee);
                }
                return self.advance(callee);
            }
            Route::Remote(edge) => edge,
        };
        let connection = &mut self.system.connections[edge as usize];
        let has_deadline = connection.edge.policy.deadline;
        if has_deadline && frame.deadline_ns <= now_ns {
            return self.returned(handle, Outcome::TimedOut);
        }
        // Switched off, no callee learns how long its caller waits.
        let known_ns = if has_deadline { frame.deadline_ns } else { u64::MAX };
        let deadline_ns = known_ns.min(now_ns.saturating_add(MAX_DEADLINE_NS));
        let is_retried = frame.attempt > 0;
        let hedge = connection.hedge.filter(|_| self.system.operations[site.program as usize].is_idempotent);
        if is_retried {
            connection.edge.counts.calls += 1;
        } else {
            connection.edge.begin(now_ns, hedge.is_some());
        }
        let call = self.calls.insert(Call {
            frame: handle,
            edge,
            program: site.program,
            key,
            deadline_ns,
            armed: 0,
            hedge_ns: u64::MAX,
            tries: [Handle::NONE; 2],
            avoid: None,
            attempt: 0,
            is_retried,
            is_detached: frame.is_detached,
        });
        frame.waits = Waits::Call(call);
        self.send(call, hedge);
    }

    /// Sends the next try of a call, and arms the hedge next to it.
    fn send(&mut self, call: Handle, hedge: Option<u32>) {
        self.send_try(call, 0);
        let now_ns = self.events.now_ns();
        let Some(class) = hedge else { return };
        if let Some(waiting) = self.calls.get_mut(call).filter(|call| !call.tries[0].is_none()) {
            waiting.hedge_ns = now_ns + self.system.timers[class as usize].1.length_ns();
            self.start_timer(class, call);
        }
    }

    fn send_try(&mut self, handle: Handle, place: usize) {
        let now_ns = self.events.now_ns();
        let Some(call) = self.calls.get(handle) else { return };
        let (edge, program, caller_attempt) = (call.edge, call.program, u8::from(call.is_retried));
        let attempt = if place == 0 { call.attempt } else { call.attempt | HEDGED_ATTEMPT };
        let (key, avoid, deadline_ns) = (call.key, call.avoid, call.deadline_ns);
        let caller_is_detached = call.is_detached;
        let key = if attempt == 0 { key } else { Draws::derive(key, u64::from(attempt)) };
        let Some(left) = left_ns(deadline_ns, now_ns) else {
            return self.try_ended(handle, Handle::NONE, None, Outcome::TimedOut);
        };
        let connection = &mut self.system.connections[edge as usize];
        let Some(pass) = connection.edge.admit(now_ns) else {
            return self.try_ended(handle, Handle::NONE, None, Outcome::HeldBack);
        };
        if attempt > 0 {
            connection.edge.counts.retries += 1;
        }
        let (timeout, policy) = (connection.timeout, &connection.edge.policy);
        let limit = policy.timeout.map(HumanDuration::nanos);
        let is_detached = caller_is_detached || policy.cancel == Cancellation::Detach;
        let until_ns = now_ns + try_ns(left, limit);
        let fault = self.meet_edge_faults(edge, key);
        let System { connections, instances, .. } = &mut self.system;
        let connection = &mut connections[edge as usize];
        // A fault ends a try before a copy is asked.
        let is_sent = fault.end.is_none() && !fault.is_lost;
        self.registries.update(&mut connection.edge, instances, now_ns);
        let endpoint = if is_sent { connection.edge.pick(now_ns, avoid) } else { None };
        let instance = endpoint.map(|at| connection.edge.endpoints[usize::from(at)].instance());
        let attempt = attempt.max(caller_attempt);
        let record = Try {
            call: handle,
            edge,
            program,
            endpoint,
            instance,
            caller: connection.process,
            pass: Some(pass),
            sent_ns: now_ns,
            until_ns,
            armed: 0,
            callee: Handle::NONE,
            outcome: fault.end.unwrap_or(Outcome::Refused),
            key,
            attempt,
            has_deadline: connection.edge.policy.deadline,
            is_answer_lost: fault.is_answer_lost,
            is_detached,
            is_answered: false,
            connection: TryConnection::None,
        };
        let sent = self.tries.insert(record);
        if let Some(call) = self.calls.get_mut(handle) {
            call.tries[place] = sent;
        }
        self.dispatch(sent, &fault);
        // A class of timers has one length. A try that ends with its caller's deadline is called off by what ends there, and
        // needs none, unless nothing calls it off.
        let is_class =
            timeout.filter(|class| self.system.timers[*class as usize].1.length_ns() == until_ns - now_ns);
        if let Some(class) = is_class {
            self.start_timer(class, sent);
        } else if fault.is_lost || fault.is_answer_lost || is_detached {
            self.events.at(until_ns, kind::TRY_TIMEOUT, sent.index);
        }
    }

    /// Puts a message on its way.
    fn dispatch(&mut self, sent: Handle, fault: &EdgeFault) {
        let Some(record) = self.tries.get(sent) else { return };
        match record.instance {
            Some(_) if fault.delay_ns == 0 => self.connect(sent),
            Some(_) => self.arm(sent, fault.delay_ns, kind::CONNECT),
            None if fault.is_lost => {}
            None => self.arm(sent, fault.delay_ns, kind::ANSWER),
        }
    }

    /// The next event of a try.
    fn arm(&mut self, sent: Handle, delay_ns: u64, kind: u8) {
        let seq = self.events.after(delay_ns, kind, sent.index);
        if let Some(record) = self.tries.get_mut(sent) {
            record.armed = seq;
        }
    }

    pub(super) fn on_connect(&mut self, event: Event) {
        if let Some(handle) = self.tried(event) {
            self.connect(handle);
        }
    }

    /// A try takes a connection, or waits for one.
    fn connect(&mut self, sent: Handle) {
        let Some(record) = self.tries.get(sent) else { return };
        let connection = &mut self.system.connections[record.edge as usize];
        // Given up by its caller, it has none to wait for.
        let limits = connection.limits.filter(|_| record.pass.is_some());
        let (Some(limits), Some(at)) = (limits, record.endpoint) else { return self.transmit(sent) };
        let tries = &self.tries;
        let waits = |queued| tries.get(queued).is_some_and(Try::awaits_connection);
        let found = connection.edge.checkout(at, limits, sent, waits);
        let Some(record) = self.tries.get_mut(sent) else { return };
        match found {
            Checkout::Connected => {
                record.connection = TryConnection::InUse;
                self.transmit(sent);
            }
            Checkout::Waits => record.connection = TryConnection::Awaited,
            Checkout::Full => {
                record.outcome = Outcome::NoConnection;
                self.arm(sent, 0, kind::ANSWER);
            }
        }
    }

    /// A message is on its way.
    fn transmit(&mut self, sent: Handle) {
        let Some(record) = self.tries.get(sent) else { return };
        let Some(instance) = record.instance else { return };
        let (from, to) = (record.caller, self.process_of(instance));
        let delay_ns = self.delay_ns(from, to, Draws::derive(record.key, MESSAGE_DRAW));
        self.arm(sent, delay_ns, kind::ARRIVE);
    }

    /// A try needs its connection no longer: the next that waits for it gets it.
    pub(super) fn give_connection_back(&mut self, handle: Handle) {
        let Some(record) = self.tries.get_mut(handle) else { return };
        if std::mem::take(&mut record.connection) != TryConnection::InUse {
            return;
        }
        let (edge, Some(at)) = (record.edge, record.endpoint) else { return };
        let tries = &self.tries;
        let waits = |queued| tries.get(queued).is_some_and(Try::awaits_connection);
        let edge = &mut self.system.connections[edge as usize].edge;
        let Some(next) = edge.give_connection_back(at, waits) else { return };
        if let Some(record) = self.tries.get_mut(next) {
            record.connection = TryConnection::InUse;
        }
        self.transmit(next);
    }

    fn delay_ns(&self, from: u32, to: u32, key: u64) -> u64 {
        let (link, draws) = &self.links[self.system.distance(from, to) as usize];
        link.delay_ns(*draws, key)
    }

    /// The try that an event is about, unless it is about an earlier one in its place.
    fn tried(&self, event: Event) -> Option<Handle> {
        let is_meant = self.tries.at(event.index).is_some_and(|record| record.armed == event.seq);
        self.tries.handle_at(event.index).filter(|_| is_meant)
    }

    pub(super) fn on_arrive(&mut self, event: Event) {
        let Some(handle) = self.tried(event) else { return };
        let Some(record) = self.tries.get(handle) else { return };
        let Some(instance) = record.instance else { return };
        let process = self.process_of(instance);
        let callee = &self.system.processes[process as usize];
        if !callee.is_up || callee.is_closed {
            return self.answer(handle, Outcome::Refused);
        }
        let since_ns = self.system.instances[instance as usize].called(event.time_ns);
        let callee = &mut self.system.processes[process as usize];
        let (wake_ns, wake_cpu_ns) = callee.woken(event.time_ns, Draws::derive(record.key, ANSWER_DRAW + 1));
        let (costs, cold_cpu) = (callee.costs, callee.cold_cpu(since_ns));
        let receive_ns = callee.due(costs.receive, cold_cpu);
        let mut frame = Frame::new(Parent::Try(handle), record.program, instance, record.key, event.time_ns);
        (frame.deadline_ns, frame.attempt) =
            (if record.has_deadline { record.until_ns } else { u64::MAX }, record.attempt);
        (frame.is_detached, frame.cold_cpu, frame.is_message) = (record.is_detached, cold_cpu, true);
        frame.debt_ns = receive_ns + costs.span + wake_cpu_ns;
        let callee = self.frames.insert(frame);
        if let Some(record) = self.tries.get_mut(handle) {
            record.callee = callee;
        }
        if wake_ns > 0 { self.resume_after(callee, wake_ns) } else { self.advance(callee) }
    }

    /// A callee has answered, or its process has refused or broken the connection.
    pub(super) fn answer(&mut self, handle: Handle, outcome: Outcome) {
        let Some(record) = self.tries.get_mut(handle) else { return };
        (record.callee, record.outcome) = (Handle::NONE, outcome);
        let (instance, caller, key) = (record.instance, record.caller, record.key);
        if record.is_answer_lost {
            record.is_answered = true;
            if record.pass.is_none() {
                self.tries.remove(handle);
            }
            return;
        }
        let from = instance.map_or(caller, |instance| self.process_of(instance));
        let delay_ns = self.delay_ns(from, caller, Draws::derive(key, ANSWER_DRAW));
        let seq = self.events.after(delay_ns, kind::ANSWER, handle.index);
        if let Some(record) = self.tries.get_mut(handle) {
            record.armed = seq;
        }
    }

    pub(super) fn on_answer(&mut self, event: Event) {
        let Some(handle) = self.tried(event) else { return };
        let Some(record) = self.tries.get(handle) else { return };
        if record.pass.is_none() {
            // Its caller has long given it up.
            self.tries.remove(handle);
            return;
        }
        let outcome = record.outcome;
        self.end_try(handle, outcome);
    }

    /// A try that its caller still waits for has ended.
    fn end_try(&mut self, handle: Handle, outcome: Outcome) {
        let now_ns = self.events.now_ns();
        let Some(record) = self.tries.get_mut(handle) else { return };
        let Some(pass) = record.pass.take() else { return };
        // What has waited for a connection to the end was never sent.
        let is_unsent = outcome == Outcome::TimedOut && record.awaits_connection();
        let outcome = if is_unsent { Outcome::NoConnection } else { outcome };
        let (call, edge, endpoint) = (record.call, record.edge, record.endpoint);
        let took_ns = now_ns - record.sent_ns;
        self.give_connection_back(handle);
        self.system.connections[edge as usize].edge.end(pass, endpoint, outcome, now_ns, took_ns);
        if outcome == Outcome::TimedOut {
            self.abandon(handle);
        } else {
            self.tries.remove(handle);
        }
        self.try_ended(call, handle, endpoint, outcome);
    }

    /// A try of a call is over: the call is, too, or waits for its other try, or is tried again.
    fn try_ended(&mut self, call: Handle, handle: Handle, endpoint: Option<u16>, outcome: Outcome) {
        let now_ns = self.events.now_ns();
        let Some(record) = self.calls.get_mut(call) else { return };
        for place in &mut record.tries {
            if *place == handle {
                *place = Handle::NONE;
            }
        }
        if outcome == Outcome::Done {
            return self.finish_call(call, outcome);
        }
        if record.tries.iter().any(|place| !place.is_none()) {
            return;
        }
        let (edge, tries, deadline_ns) = (record.edge, u32::from(record.attempt) + 1, record.deadline_ns);
        let is_idempotent = self.system.operations[record.program as usize].is_idempotent;
        let idempotency = if is_idempotent { Idempotency::Idempotent } else { Idempotency::NotIdempotent };
        let may_retry = !record.is_retried;
        let edge = &mut self.system.connections[edge as usize].edge;
        let wait_ns = left_ns(deadline_ns, now_ns)
            .filter(|_| may_retry)
            .and_then(|left| edge.retry_after(outcome, idempotency, tries, now_ns, left));
        let Some(wait_ns) = wait_ns else { return self.finish_call(call, outcome) };
        let seq = self.events.after(wait_ns, kind::BACKOFF, call.index);
        if let Some(record) = self.calls.get_mut(call) {
            record.attempt += 1;
            (record.armed, record.avoid, record.hedge_ns) = (seq, endpoint, u64::MAX);
        }
    }

    pub(super) fn on_backoff(&mut self, event: Event) {
        let is_meant = self.calls.at(event.index).is_some_and(|call| call.armed == event.seq);
        let Some(handle) = self.calls.handle_at(event.index).filter(|_| is_meant) else { return };
        let Some(call) = self.calls.get(handle) else { return };
        let is_idempotent = self.system.operations[call.program as usize].is_idempotent;
        let hedge = self.system.connections[call.edge as usize].hedge.filter(|_| is_idempotent);
        self.send(handle, hedge);
    }

    fn finish_call(&mut self, handle: Handle, outcome: Outcome) {
        let Some(call) = self.calls.remove(handle) else { return };
        for attempt in call.tries.into_iter().filter(|attempt| !attempt.is_none()) {
            self.give_up(attempt);
        }
        let connection = &self.system.connections[call.edge as usize];
        let (has_fallback, process) = (connection.edge.policy.fallback, connection.process);
        let now_ns = self.events.now_ns();
        let caller = &mut self.system.processes[process as usize];
        let (wake_ns, wake_cpu_ns) = caller.woken(now_ns, Draws::derive(call.key, ANSWER_DRAW + 2));
        let receive_ns = caller.costs.receive_reply;
        if let Some(frame) = self.frames.get_mut(call.frame) {
            frame.debt_ns += caller.due(receive_ns, frame.cold_cpu) + wake_cpu_ns;
            frame.is_message = true;
        }
        let outcome = if has_fallback { Outcome::Done } else { outcome };
        // An answer finds its caller as idle as a call its callee.
        self.returned_after(call.frame, outcome, wake_ns);
    }

    /// Starts a timer of a class.
    pub(super) fn start_timer(&mut self, class: u32, handle: Handle) {
        let now_ns = self.events.now_ns();
        let (tries, calls, frames) = (&self.tries, &self.calls, &self.frames);
        let (of, timers) = &mut self.system.timers[class as usize];
        if let Some(due_ns) = timers.start(now_ns, handle, is_stale(*of, tries, calls, frames)) {
            self.events.at(due_ns, kind::TIMER, class);
        }
    }

    pub(super) fn on_timer(&mut self, class: u32) {
        let now_ns = self.events.now_ns();
        loop {
            let (tries, calls, frames) = (&self.tries, &self.calls, &self.frames);
            let (of, timers) = &mut self.system.timers[class as usize];
            let of = *of;
            let due = timers.due(now_ns, is_stale(of, tries, calls, frames));
            let Some(handle) = due else { break };
            match of {
                TimerKind::Try => self.end_try(handle, Outcome::TimedOut),
                TimerKind::Hedge => self.hedge(handle),
                TimerKind::Patience => self.client_leaves(handle),
            }
        }
        if let Some(due_ns) = self.system.timers[class as usize].1.rearm() {
            self.events.at(due_ns, kind::TIMER, class);
        }
    }

    pub(super) fn on_try_timeout(&mut self, index: u32) {
        let now_ns = self.events.now_ns();
        let is_due = self.tries.at(index).is_some_and(|record| record.until_ns <= now_ns);
        if let Some(handle) = self.tries.handle_at(index).filter(|_| is_due) {
            self.end_try(handle, Outcome::TimedOut);
        }
    }

    /// A first try is slow: a second is sent, if the edge pays for it.
    fn hedge(&mut self, handle: Handle) {
        let now_ns = self.events.now_ns();
        let Some(call) = self.calls.get(handle) else { return };
        // It may be a later attempt of the call than the one whose timer this is.
        if call.hedge_ns > now_ns || call.tries[0].is_none() || !call.tries[1].is_none() {
            return;
        }
        if self.system.connections[call.edge as usize].edge.may_hedge(now_ns) {
            self.send_try(handle, 1);
        }
    }
}

/// Whether a timer of a kind has nothing to end any longer.
fn is_stale<'a>(
    of: TimerKind,
    tries: &'a Slab<Try>,
    calls: &'a Slab<Call>,
    frames: &'a Slab<Frame>,
) -> impl Fn(Handle) -> bool + 'a {
    move |handle| match of {
        TimerKind::Try => tries.get(handle).is_none_or(|record| record.pass.is_none()),
        TimerKind::Hedge => calls.get(handle).is_none(),
        TimerKind::Patience => frames.get(handle).is_none(),
    }
}
