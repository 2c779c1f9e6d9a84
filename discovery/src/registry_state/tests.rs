//! The registry's guarantees, one test each, and a property test over random histories.

use proptest::prelude::*;

use super::*;
use crate::instance::InstanceId;

const S: u64 = 1_000_000_000;
const TICK: u64 = S / 10;

fn instance(service: &str, id: &str, epoch: u64) -> Instance {
    let port = 1 + id.bytes().map(u16::from).sum::<u16>();
    Instance::new(
        ServiceName::new(service).expect("plain"),
        InstanceId::new(id).expect("plain"),
        Epoch(epoch),
        ([127, 0, 0, 1], port).into(),
    )
}

/// A registry with a simulated clock that sweeps as time passes.
struct Fixture {
    store: RegistryState,
    now: u64,
}

impl Fixture {
    fn new() -> Self {
        Self { store: RegistryState::new(RegistryEpoch(1), Rules::default()), now: S }
    }

    /// The registry after its process has died and another has read what was registered; a clock that starts anew.
    fn restarted(&self) -> Self {
        let mut store = RegistryState::new(RegistryEpoch(2), Rules::default());
        store.restore(self.store.registered().instances, S);
        Self { store, now: S }
    }

    fn register(&mut self, instance: &Instance) -> Result<Vec<Event>, CommandError> {
        self.store.apply(Command::Register(instance.clone()), self.now)
    }

    fn renew(&mut self, instance: &Instance) -> Result<Vec<Event>, CommandError> {
        self.store.apply(Command::Renew(instance.key(), instance.epoch), self.now)
    }

    /// Advances the clock in sweeps; the `alive` instances renew at each.
    fn pass(&mut self, ns: u64, alive: &[Instance]) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..ns / TICK {
            self.now += TICK;
            for instance in alive {
                events.extend(self.renew(instance).expect("alive"));
            }
            events.extend(self.store.apply(Command::Sweep, self.now).expect("never refused"));
        }
        events
    }

    fn listed(&self) -> Vec<(String, State)> {
        let snapshot = self.store.snapshot(&WatchFilter::All);
        snapshot.instances.iter().map(|i| (i.key().to_string(), i.state)).collect()
    }
}

#[test]
fn silence_for_one_lease_is_death() {
    let (mut fixture, photo, feed) = (Fixture::new(), instance("photo", "p", 1), instance("feed", "f", 1));
    fixture.register(&photo).expect("new");
    fixture.register(&feed).expect("new");
    fixture.pass(3 * S - TICK, std::slice::from_ref(&feed));
    assert_eq!(fixture.listed().len(), 2, "2.9 s of a 3 s lease");
    let events = fixture.pass(TICK, std::slice::from_ref(&feed));
    assert!(events.contains(&Event::Evicted(photo.key())), "{events:?}");
    assert_eq!(fixture.listed(), [("feed/f".to_owned(), State::Ready)]);
    assert_eq!(fixture.renew(&photo), Err(CommandError::Unknown));
}

#[test]
fn registering_twice_is_registering_once() {
    let (mut fixture, photo) = (Fixture::new(), instance("photo", "p", 1));
    assert_eq!(fixture.register(&photo).expect("new").len(), 1);
    assert_eq!(fixture.register(&photo), Ok(Vec::new()));
    assert_eq!(fixture.store.at().rev, Revision(1));
}

#[test]
fn of_two_epochs_of_one_id_the_higher_lives() {
    let (mut fixture, old, new) = (Fixture::new(), instance("photo", "p", 1), instance("photo", "p", 2));
    fixture.register(&old).expect("first");
    fixture.register(&new).expect("supersedes");
    assert_eq!(fixture.renew(&old), Err(CommandError::Unknown), "the zombie must register again or stop");
    assert_eq!(fixture.register(&old), Err(CommandError::Superseded { current: Epoch(2) }));
    assert_eq!(
        fixture.store.apply(Command::Drain(old.key(), old.epoch), fixture.now),
        Err(CommandError::Unknown)
    );
    assert_eq!(
        fixture.store.apply(Command::Deregister(old.key(), Some(old.epoch)), fixture.now),
        Err(CommandError::Unknown)
    );
    assert_eq!(fixture.renew(&new), Ok(Vec::new()));
    assert_eq!(fixture.store.snapshot(&WatchFilter::All).instances, [new]);
}

#[test]
fn no_lease_ends_for_a_stalled_sweep() {
    let (mut fixture, photo) = (Fixture::new(), instance("photo", "p", 1));
    fixture.register(&photo).expect("new");
    fixture.pass(S, std::slice::from_ref(&photo));
    fixture.now += 60 * S;
    let events = fixture.store.apply(Command::Sweep, fixture.now).expect("never refused");
    assert_eq!(events, [Event::SweepStalled { stall_ns: 60 * S }]);
    fixture.pass(3 * S - TICK, &[]);
    assert_eq!(fixture.listed().len(), 1, "a whole new lease");
    fixture.pass(TICK, &[]);
    assert_eq!(fixture.listed().len(), 0, "which ends like any other");
}

#[test]
fn a_clock_that_runs_backwards_stands_still() {
    let (mut fixture, photo) = (Fixture::new(), instance("photo", "p", 1));
    fixture.register(&photo).expect("new");
    fixture.store.apply(Command::Sweep, 0).expect("never refused");
    fixture.store.apply(Command::Renew(photo.key(), photo.epoch), 0).expect("known");
    fixture.pass(3 * S - TICK, &[]);
    assert_eq!(fixture.listed().len(), 1);
    fixture.pass(TICK, &[]);
    assert_eq!(fixture.listed().len(), 0);
}

#[test]
fn two_lapses_at_once_are_deaths_and_three_are_doubted() {
    for (count, kept) in [(1, 0), (2, 0), (3, 3), (5, 5)] {
        let mut fixture = Fixture::new();
        for n in 0..count {
            fixture.register(&instance("photo", &format!("p{n}"), 1)).expect("new");
        }
        fixture.pass(3 * S, &[]);
        let suspects = fixture.listed().iter().filter(|(_, state)| *state == State::Suspect).count();
        assert_eq!(suspects, kept, "{count} lapses");
        assert_eq!(fixture.listed().len(), kept, "{count} lapses");
    }
}

#[test]
fn a_process_with_five_services_dies_once() {
    let mut fixture = Fixture::new();
    let services = ["profile", "follower", "feed", "search", "photo"];
    let of = |id: &str| services.map(|service| instance(service, id, 1));
    let (a, b, c) = (of("a"), of("b"), of("c"));
    for instance in a.iter().chain(&b).chain(&c) {
        fixture.register(instance).expect("new");
    }
    let alive: Vec<_> = a.into_iter().chain(b).collect();
    fixture.pass(3 * S, &alive);
    // Five leases of fifteen are 33 %, but one process of three.
    assert_eq!(fixture.listed().len(), 10);
}

#[test]
fn staggered_lapses_bring_back_the_first_ones_as_suspects() {
    let mut fixture = Fixture::new();
    for n in 0..3 {
        fixture.register(&instance("photo", &format!("p{n}"), 1)).expect("new");
        fixture.pass(S / 2, &[]);
    }
    // Registered at 0, 0.5 and 1.0 s: at 3.5 s two have lapsed and are taken for dead.
    fixture.pass(2 * S, &[]);
    assert_eq!(fixture.listed().len(), 1);
    let events = fixture.pass(S / 2, &[]);
    assert!(events.contains(&Event::Preserving(3)), "{events:?}");
    assert_eq!(fixture.listed().len(), 3);
}

#[test]
fn renewals_end_the_doubt_and_time_ends_the_suspects() {
    let mut fixture = Fixture::new();
    let all = [0, 1, 2].map(|n| instance("photo", &format!("p{n}"), 1));
    for instance in &all {
        fixture.register(instance).expect("new");
    }
    fixture.pass(3 * S, &[]);
    fixture.renew(&all[0]).expect("suspects may renew");
    assert_eq!(fixture.listed()[0].1, State::Ready);
    let events = fixture.pass(30 * S, &all[..1]);
    assert!(events.contains(&Event::Recovered), "{events:?}");
    assert_eq!(fixture.listed(), [("photo/p0".to_owned(), State::Ready)]);
}

#[test]
fn a_draining_instance_is_no_evidence() {
    let mut fixture = Fixture::new();
    for n in 0..3 {
        let instance = instance("photo", &format!("p{n}"), 1);
        fixture.register(&instance).expect("new");
        fixture.store.apply(Command::Drain(instance.key(), instance.epoch), fixture.now).expect("known");
    }
    fixture.pass(3 * S, &[]);
    assert_eq!(fixture.listed(), []);
}

#[test]
fn what_was_registered_before_is_listed_at_once_and_kept_for_its_renewal() {
    let (mut before, photo, feed) = (Fixture::new(), instance("photo", "p", 1), instance("feed", "f", 1));
    before.register(&photo).expect("new");
    before.register(&feed).expect("new");
    before.pass(2 * S, &[]);
    let mut fixture = before.restarted();
    assert_eq!(fixture.store.snapshot(&WatchFilter::All).instances, [feed.clone(), photo.clone()]);
    assert_eq!(fixture.renew(&photo), Ok(Vec::new()), "its lease goes on, and no watcher hears of it");
    // What was left of the old lease, 1 s, does not count.
    fixture.pass(3 * S - TICK, std::slice::from_ref(&photo));
    assert_eq!(fixture.listed().len(), 2, "2.9 s of a grace of 3 s");
    let events = fixture.pass(TICK, std::slice::from_ref(&photo));
    assert!(events.contains(&Event::Evicted(feed.key())), "{events:?}");
    assert_eq!(fixture.listed(), [("photo/p".to_owned(), State::Ready)]);
}

#[test]
fn an_absence_of_the_registry_removes_no_crowd() {
    let (mut before, all) = (Fixture::new(), [0, 1, 2, 3].map(|n| instance("photo", &format!("p{n}"), 1)));
    for instance in &all {
        before.register(instance).expect("new");
    }
    let mut fixture = before.restarted();
    // Something else keeps all from renewing, and no request would be better off without them.
    let events = fixture.pass(3 * S, &[]);
    assert!(events.contains(&Event::Preserving(4)), "{events:?}");
    assert!(fixture.listed().iter().all(|(_, state)| *state == State::Suspect), "{:?}", fixture.listed());
    fixture.pass(TICK, &all);
    assert_eq!(fixture.listed().iter().filter(|(_, state)| *state == State::Ready).count(), 4);
}

#[test]
fn a_restart_forgets_neither_epochs_nor_draining_nor_a_departure() {
    let mut before = Fixture::new();
    let (old, new, gone) = (instance("photo", "p", 1), instance("photo", "p", 2), instance("feed", "f", 1));
    for instance in [&old, &new, &gone] {
        before.register(instance).expect("each supersedes");
    }
    before.store.apply(Command::Drain(new.key(), new.epoch), before.now).expect("known");
    before.store.apply(Command::Deregister(gone.key(), Some(gone.epoch)), before.now).expect("known");
    let mut fixture = before.restarted();
    assert_eq!(fixture.listed(), [("photo/p".to_owned(), State::Draining)]);
    assert_eq!(fixture.register(&old), Err(CommandError::Superseded { current: Epoch(2) }));
    assert_eq!(fixture.renew(&old), Err(CommandError::Unknown));
    assert_eq!(fixture.renew(&gone), Err(CommandError::Unknown), "it registers again or stops");
}

#[test]
fn a_suspicion_ends_with_the_process_that_has_it() {
    let mut before = Fixture::new();
    for n in 0..3 {
        before.register(&instance("photo", &format!("p{n}"), 1)).expect("new");
    }
    before.pass(3 * S, &[]);
    assert!(before.listed().iter().all(|(_, state)| *state == State::Suspect), "{:?}", before.listed());
    let fixture = before.restarted();
    assert!(fixture.listed().iter().all(|(_, state)| *state == State::Ready), "{:?}", fixture.listed());
    assert!(!fixture.store.snapshot(&WatchFilter::All).preserving);
}

fn any_cmd() -> impl Strategy<Value = (Command, u64)> {
    let who = (0..3_usize, 0..4_u8, 1..4_u64, 0..3_u8).prop_map(|(service, id, epoch, state)| {
        let mut instance = instance(["feed", "photo", "search"][service], &format!("i{id}"), epoch);
        instance.state = [State::Starting, State::Ready, State::Draining][usize::from(state)];
        instance
    });
    let cmd = (who, 0..10_u8).prop_map(|(instance, what)| match what {
        0..=3 => Command::Register(instance),
        4 => Command::Renew(instance.key(), instance.epoch),
        5 => Command::Drain(instance.key(), instance.epoch),
        6 => Command::Deregister(instance.key(), Some(instance.epoch)),
        _ => Command::Sweep,
    });
    (cmd, 0..S)
}

fn replay(from: &Snapshot, deltas: &[Delta]) -> Snapshot {
    let mut instances: BTreeMap<Key, Instance> =
        from.instances.iter().map(|i| (i.key(), i.clone())).collect();
    let mut rev = from.rev;
    for delta in deltas {
        assert!(delta.rev > rev, "revisions only grow");
        rev = delta.rev;
        for key in &delta.del {
            assert!(instances.remove(key).is_some(), "{key} was deleted and not there");
        }
        instances.extend(delta.put.iter().map(|i| (i.key(), i.clone())));
    }
    Snapshot { rev, instances: instances.into_values().collect(), ..from.clone() }
}

proptest! {
    #[test]
    fn a_log_that_lags_behind_ends_with_what_is_registered(
        steps in prop::collection::vec((any_cmd(), any::<bool>()), 1..120),
        ring in 1..40_usize,
    ) {
        let mut store = RegistryState::new(RegistryEpoch(7), Rules { ring, ..Rules::default() });
        let (mut now, mut seen, mut log) = (0, None::<EventId>, BTreeMap::<Key, Instance>::new());
        let mut catch_up = |store: &RegistryState| {
            match store.registered_since(seen) {
                CatchUp::Snapshot(snapshot) => {
                    log = snapshot.instances.into_iter().map(|i| (i.key(), i)).collect();
                }
                CatchUp::Deltas(deltas) => for delta in deltas {
                    log.retain(|key, _| !delta.del.contains(key));
                    log.extend(delta.put.into_iter().map(|i| (i.key(), i)));
                }
            }
            seen = Some(store.at());
            log.values().cloned().collect::<Vec<Instance>>()
        };
        for ((cmd, wait), is_written) in steps {
            now += wait;
            // A refused command changes nothing.
            let _ = store.apply(cmd, now);
            if is_written {
                prop_assert_eq!(catch_up(&store), store.registered().instances);
            }
        }
        prop_assert_eq!(catch_up(&store), store.registered().instances);
    }

    #[test]
    fn replaying_deltas_from_any_revision_equals_the_snapshot(
        steps in prop::collection::vec(any_cmd(), 1..120),
        ring in 1..40_usize,
    ) {
        let watched = [WatchFilter::All, WatchFilter::Only(vec![ServiceName::new("photo").expect("plain")])];
        let mut store = RegistryState::new(RegistryEpoch(7), Rules { ring, ..Rules::default() });
        let mut now = 0;
        let mut past = vec![watched.each_ref().map(|w| store.snapshot(w))];
        for (cmd, wait) in steps {
            now += wait;
            let before = store.at();
            let result = store.apply(cmd, now);
            if result.is_err() {
                prop_assert_eq!(before, store.at(), "a refused command changes nothing");
            }
            past.push(watched.each_ref().map(|w| store.snapshot(w)));
            let suspects = store.entries.values().filter(|entry| entry.is_suspect()).count();
            prop_assert_eq!(store.suspects, suspects, "counted as they come and go");
        }
        for snapshots in &past {
            for (snapshot, watched) in snapshots.iter().zip(&watched) {
                let present = store.snapshot(watched);
                let seen = EventId { registry: snapshot.registry, rev: snapshot.rev };
                match store.since(Some(seen), watched) {
                    CatchUp::Deltas(deltas) => {
                        prop_assert!(store.at().rev.0 - seen.rev.0 <= ring as u64);
                        prop_assert_eq!(replay(snapshot, &deltas).instances, present.instances);
                    }
                    CatchUp::Snapshot(given) => {
                        prop_assert!(store.at().rev.0 - seen.rev.0 > ring as u64);
                        prop_assert_eq!(given, present);
                    }
                }
            }
        }
        let foreign = EventId { registry: RegistryEpoch(6), rev: store.at().rev };
        prop_assert!(matches!(store.since(Some(foreign), &watched[0]), CatchUp::Snapshot(_)));
    }
}
