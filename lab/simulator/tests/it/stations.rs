//! One station, first come first served.

use policy::service::ServiceOptions;
use simulator::analytic::general;
use simulator::analytic::markov::{self, Mmpp2};
use simulator::dist::Distribution;
use simulator::model::edge::Outcome;
use simulator::model::{Arrivals, CpuSharing, Plan, Work};

use super::fixture::{SERVICE, close, component, latency, replications, requests, station, system};

/// Mean wait for a core, in mean services.
fn wait(cores: u32, service: &Distribution, rho: f64) -> f64 {
    let rate = rho * f64::from(cores) * 1e9 / SERVICE;
    let reports = replications(|| station(cores, CpuSharing::Fcfs, service.clone(), rho), rate);
    latency(&reports, "users/ask").mean_ns() / SERVICE - 1.0
}

#[test]
fn waits_of_m_m_c() {
    // The standard error of a mean wait of 16 million in M/M/1 is 0.2 % at 0.7 and 0.5 % at 0.9, by the asymptotic variance
    // rho (2 + 5 rho - 4 rho^2 + rho^3) / (1 - rho)^4 (Whitt, Management Science 1989).
    for (cores, rho, gate) in
        [(1, 0.7, 0.008), (1, 0.9, 0.045), (2, 0.8, 0.01), (4, 0.9, 0.03), (16, 0.9, 0.03)]
    {
        let expected = markov::mmc_wait(rho * f64::from(cores), 1.0, cores);
        let seen = wait(cores, &Distribution::Exponential(SERVICE), rho);
        close(&format!("wait of M/M/{cores} at {rho}"), seen, expected, gate);
    }
}

#[test]
fn threads_that_read_what_they_serve_are_hardly_more_than_one() {
    // Half of one core of two is asked for.
    let wait = |workers| {
        let plan = || {
            let mut plan = station(2, CpuSharing::Fcfs, Distribution::Exponential(SERVICE), 0.25);
            let process = plan.processes.last_mut().expect("that of the station");
            (process.workers, process.has_driver) = (workers, true);
            plan
        };
        latency(&replications(plan, 0.5e9 / SERVICE), "users/ask").mean_ns() / SERVICE - 1.0
    };
    let (one, two) = (markov::mmc_wait(0.5, 1.0, 1), markov::mmc_wait(0.5, 1.0, 2));
    close("wait of one thread that reads", wait(1), one, 0.008);
    // Two threads have both cores, and wait mostly for each other to read: 0.43, where M/M/2 has 0.07 and M/M/1 has 1. More
    // threads than cores change nothing.
    let (few, many) = (wait(2), wait(7));
    println!(
        "waits of two threads and of seven: {few:.4}, {many:.4}; read at once {two:.4}, of one {one:.4}"
    );
    assert!(few > 4.0 * two && few < 0.6 * one, "{few}");
    assert!((many / few - 1.0).abs() < 0.1, "{many} of seven threads, {few} of two");
}

#[test]
fn waits_of_m_g_1() {
    let constant = Distribution::Constant(SERVICE as u64);
    close("wait of M/D/1", wait(1, &constant, 0.7), general::mg1_wait(0.7, 1.0, 0.0), 0.01);
    let lognormal = Distribution::lognormal(SERVICE, 2.0);
    close("wait of M/LN/1", wait(1, &lognormal, 0.7), general::mg1_wait(0.7, 1.0, 2.0), 0.02);
}

#[test]
fn waits_of_bursty_arrivals() {
    let bursts = Mmpp2 { rates: [1.1, 0.3], leave: [0.02, 0.02] };
    let per_second = |rate: f64| rate * 1e9 / SERVICE;
    let plan = || {
        let arrivals = Mmpp2 { rates: bursts.rates.map(per_second), leave: bursts.leave.map(per_second) };
        let mut plan = station(1, CpuSharing::Fcfs, Distribution::Exponential(SERVICE), 0.5);
        plan.sources[0].arrivals = Arrivals::Bursts(arrivals);
        plan
    };
    let reports = replications(plan, per_second(bursts.mean_rate()));
    let seen = latency(&reports, "users/ask").mean_ns() / SERVICE;
    close("time of MMPP/M/1", seen, markov::mmpp_time(bursts, 1.0), 0.03);
}

/// A station of slots and a bounded queue, at which calls wait as long as they are served.
fn bounded(slots: u32, queue: u32, rate: f64) -> Plan {
    let mut serve = component("station", vec![("serve", Work::Wait(Distribution::Exponential(SERVICE)))]);
    serve.options = ServiceOptions { slots: Some(slots), queue: Some(queue), ..ServiceOptions::default() };
    let call = Work::call("station", "serve");
    system(1, CpuSharing::Fcfs, vec![serve], call, Arrivals::Poisson(rate * 1e9 / SERVICE))
}

/// The share is within 0.2 points of what is expected, for 1 million requests; 1 point is what the handbook asks.
fn share_is(what: &str, seen: f64, expected: f64) {
    let gate = 0.002 * (1e6 / requests()).sqrt().max(0.25);
    println!("{what}: {seen:.5}, expected {expected:.5}");
    assert!((seen - expected).abs() < gate, "{what}: {seen} is not {expected}");
}

#[test]
fn a_full_queue_turns_away_as_many_as_m_m_c_k() {
    for (slots, queue, rate) in [(2, 3, 1.8), (8, 0, 6.0)] {
        let reports = replications(|| bounded(slots, queue, rate), rate * 1e9 / SERVICE);
        let (mut refused, mut all) = (0, 0);
        for requests in reports.iter().map(|report| &report.requests["users/ask"]) {
            refused += requests.all() - requests.ended(Outcome::Done);
            all += requests.all();
        }
        let expected = markov::loss(rate, 1.0, slots, slots + queue);
        share_is(&format!("loss of M/M/{slots}/{}", slots + queue), refused as f64 / all as f64, expected);
    }
}

#[test]
fn impatient_clients_leave_as_often_as_in_palms_model() {
    // Rates of leaving are half of those of service: some leave the queue, others the service.
    let (slots, rate, theta) = (4, 5.0, 0.5);
    let plan = || {
        let mut plan = bounded(slots, 50_000, rate);
        plan.sources[0].patience = Distribution::Exponential(SERVICE / theta);
        plan
    };
    let reports = replications(plan, rate * 1e9 / SERVICE);
    let (mut left, mut all) = (0, 0);
    for requests in reports.iter().map(|report| &report.requests["users/ask"]) {
        left += requests.ended(Outcome::TimedOut);
        all += requests.all();
    }
    let expected = markov::abandonment(rate, 1.0, slots, theta);
    share_is("abandonment", left as f64 / all as f64, expected);
}

#[test]
fn use_is_throughput_times_demand() {
    let reports =
        replications(|| station(2, CpuSharing::Fcfs, Distribution::Exponential(SERVICE), 0.8), 1_600.0);
    for report in reports {
        let served = &report.served["station/serve"];
        // U = X * D, each from another count: CPU over time, calls over time, and the mean of what is drawn.
        let used = report.cpu_ns["station#0"] as f64 / report.end_ns as f64;
        let throughput = served.count as f64 / report.end_ns as f64;
        assert!((used / (throughput * SERVICE) - 1.0).abs() < 0.01, "{used}, {throughput} a nanosecond");
        assert!((used / 2.0 - 0.8).abs() < 0.01, "at load 0.8 two cores are used to {used}");
    }
}
