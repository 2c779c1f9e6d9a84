//! How many connections and requests there may be, and which of them have to go.

use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));
/// As many connections and requests as no test has.
const MANY: usize = 1_000;

fn limited(per_address: usize, idle_per_address: usize, idle: usize) -> Arc<Connections> {
    let (per_address, idle_per_address) = (Some(per_address), Some(idle_per_address));
    Arc::new(Connections::new(ConnectionLimits { per_address, idle_per_address, idle }, MANY))
}

fn eviction(entry: &ConnectionEntry) -> Option<Eviction> {
    entry.evicted().now_or_never()
}

fn is_evicted(entry: &ConnectionEntry) -> bool {
    eviction(entry).is_some()
}

#[test]
fn an_address_has_so_many_and_another_has_its_own() {
    let connections = limited(2, 9, 9);
    let (one, _two) = (connections.enter(HERE), connections.enter(HERE));
    assert!(connections.enter(HERE).is_none() && connections.enter(THERE).is_some());
    drop(one);
    assert!(connections.enter(HERE).is_some());
}

#[test]
fn a_client_has_no_more_for_choosing_its_own_ipv6_addresses() {
    let connections = limited(4, 2, 9);
    let at = |text: &str| text.parse::<IpAddr>().expect("an address");
    let entries: Vec<_> = (1..=4).map(|host| connections.enter(at(&format!("2001:db8::{host}")))).collect();
    let evicted: Vec<_> = entries.iter().flatten().map(is_evicted).collect();
    assert_eq!(evicted, [true, true, false, false], "two of one network may be idle");
    assert!(connections.enter(at("2001:db8::5")).is_none(), "and four may be open");
    assert!(connections.enter(at("2001:db8:0:1::1")).is_some(), "another network");
    drop(entries);
    assert!(connections.enter(at("2001:db8::5")).is_some());
}

#[test]
fn the_oldest_that_asked_for_nothing_goes() {
    let connections = limited(9, 2, 9);
    let enter = |address| connections.enter(address).expect("room");
    let (there, oldest) = (enter(THERE), enter(HERE));
    let asking = enter(HERE);
    let _request = asking.begin_request();
    let (second, third) = (enter(HERE), enter(HERE));
    let evicted = eviction(&oldest);
    assert_eq!(evicted, Some(Eviction::OfAddress), "two of one address may keep their headers to themselves");
    assert!([&there, &asking, &second, &third].into_iter().all(|entry| !is_evicted(entry)));
}

#[test]
fn in_all_as_well() {
    let connections = limited(9, 9, 2);
    let entries: Vec<_> = [HERE, THERE, HERE, THERE].map(|address| connections.enter(address)).into();
    let evicted: Vec<_> = entries.iter().flatten().map(is_evicted).collect();
    assert_eq!(evicted, [true, true, false, false]);
    connections.make_room();
    assert_eq!(eviction(entries[2].as_ref().expect("it was let in")), Some(Eviction::OfAll));
}

#[test]
fn one_that_has_asked_is_idle_again_from_the_end_of_its_answer_on() {
    let connections = limited(9, 9, 9);
    let [first, second, third] = [HERE; 3].map(|address| connections.enter(address).expect("room"));
    let (answered, other) = (first.begin_request(), first.begin_request());
    drop(answered);
    // The first has another request at work, as over HTTP/2, and the third has had one since the second has been idle.
    drop(third.begin_request());
    connections.make_room();
    assert!(is_evicted(&second) && !is_evicted(&first) && !is_evicted(&third));
    drop(other);
    connections.make_room();
    assert!(is_evicted(&third) && !is_evicted(&first), "the first is idle for less time");
    connections.make_room();
    assert!(is_evicted(&first));
    assert_eq!(connections.idle.load(Ordering::Relaxed), 0);
}

#[test]
fn where_all_are_at_work_none_goes() {
    let connections = limited(9, 1, 1);
    let [one, other] = [HERE; 2].map(|address| {
        let entry = connections.enter(address).expect("room");
        let request = entry.begin_request();
        (entry, request)
    });
    connections.make_room();
    assert!(!is_evicted(&one.0) && !is_evicted(&other.0));
    assert!(one.0.is_at_work());
}

#[test]
fn an_address_has_as_many_requests_at_work_as_connections() {
    let connections = limited(3, 9, 9);
    let [one, other] = [HERE; 2].map(|address| connections.enter(address).expect("room"));
    let elsewhere = connections.enter(THERE).expect("room");
    let mut requests: Vec<_> = [&one, &other, &one].map(ConnectionEntry::begin_request).into();
    assert!(!one.has_room() && !other.has_room() && elsewhere.has_room());
    requests.pop();
    assert!(one.has_room() && other.has_room());
    let shared = Arc::new(Connections::new(ConnectionLimits::SHARED, MANY));
    let entry = shared.enter(HERE).expect("room");
    let _many: Vec<_> = (0..9).map(|_| entry.begin_request()).collect();
    assert!(entry.has_room(), "where all clients share an address");
}

#[test]
fn all_addresses_have_as_many_requests_at_work_as_there_may_be_connections() {
    let connections = Arc::new(Connections::new(ConnectionLimits::SHARED, 3));
    let [here, there] = [HERE, THERE].map(|address| connections.enter(address).expect("room"));
    let mut requests: Vec<_> = [&here, &there, &here].map(ConnectionEntry::begin_request).into();
    assert!(!here.has_room() && !there.has_room());
    requests.pop();
    assert!(here.has_room() && there.has_room());
    drop((here, requests));
    let _of_one: Vec<_> = (0..3).map(|_| there.begin_request()).collect();
    assert!(!there.has_room(), "what others had is free");
}

#[test]
fn nothing_is_left_of_those_that_left() {
    let connections = limited(9, 2, 2);
    let entries: Vec<_> = (0..9).filter_map(|_| connections.enter(HERE)).collect();
    let requests: Vec<_> = entries.iter().map(ConnectionEntry::begin_request).collect();
    drop(entries);
    drop(requests);
    let state = connections.state();
    assert!(state.addresses.is_empty() && state.order.is_empty());
    assert_eq!(connections.idle.load(Ordering::Relaxed), 0);
}

/// What happens next; numbers are of connections that are open.
#[derive(Clone, Copy, Debug)]
enum Step {
    Enter(IpAddr),
    Begin(usize),
    End(usize),
    Leave(usize),
    MakeRoom,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<bool>().prop_map(|is_here| Step::Enter(if is_here { HERE } else { THERE })),
        4 => any::<usize>().prop_map(Step::Begin),
        3 => any::<usize>().prop_map(Step::End),
        2 => any::<usize>().prop_map(Step::Leave),
        1 => Just(Step::MakeRoom),
    ]
}

/// A connection that is open, and those of its requests that are at work: they outlive it.
struct Open {
    entry: ConnectionEntry,
    requests: Vec<ActiveRequest>,
    is_evicted: bool,
}

proptest! {
    #[test]
    fn those_without_a_request_are_counted_exactly_and_no_other_is_asked_to_go(
        steps in proptest::collection::vec(any_step(), 0..200),
    ) {
        let connections = limited(6, 3, 5);
        let mut open: Vec<Open> = Vec::new();
        for step in steps {
            let size = open.len().max(1);
            match step {
                Step::Enter(address) => {
                    let is_of_it = |one: &&Open| one.entry.connection.address == address;
                    let has_room = open.iter().filter(is_of_it).count() < 6;
                    let entry = connections.enter(address);
                    prop_assert_eq!(entry.is_some(), has_room);
                    open.extend(entry.map(|entry| Open { entry, requests: Vec::new(), is_evicted: false }));
                }
                Step::Begin(at) => {
                    if let Some(one) = open.get_mut(at % size) {
                        one.requests.push(one.entry.begin_request());
                    }
                }
                Step::End(at) => {
                    if let Some(one) = open.get_mut(at % size) {
                        drop(one.requests.pop());
                    }
                }
                Step::Leave(at) => {
                    if !open.is_empty() {
                        drop(open.swap_remove(at % size));
                    }
                }
                Step::MakeRoom => connections.make_room(),
            }
            for one in &mut open {
                let has_to_go = is_evicted(&one.entry);
                prop_assert!(!has_to_go || (one.requests.is_empty() && !one.is_evicted));
                one.is_evicted |= has_to_go;
            }
            let idle = |address: IpAddr| {
                let of_it = open.iter().filter(|one| one.entry.connection.address == address);
                of_it.filter(|one| one.requests.is_empty() && !one.is_evicted).count()
            };
            prop_assert_eq!(connections.idle.load(Ordering::Relaxed), idle(HERE) + idle(THERE));
            for address in [HERE, THERE] {
                let state = connections.state();
                let counted = state.addresses.get(&address).map(|known| known.counts.idle.load(Ordering::Relaxed));
                prop_assert_eq!(counted.unwrap_or(0), idle(address));
            }
        }
        drop(open);
        prop_assert_eq!(connections.idle.load(Ordering::Relaxed), 0);
        let state = connections.state();
        prop_assert!(state.addresses.is_empty() && state.order.is_empty());
    }
}
