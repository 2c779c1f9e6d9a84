//! Several stations.

use simulator::analytic::networks;
use simulator::dist::Distribution;
use simulator::model::{Arrivals, ComponentPlan, CpuSharing, Work};

use super::fixture::{SERVICE, close, component, latency, replications, system};

fn serve(name: &str, mean: f64) -> ComponentPlan {
    component(name, vec![("serve", Work::Cpu(Distribution::Exponential(mean)))])
}

fn call(name: &str) -> Work {
    Work::call(name, "serve")
}

#[test]
fn an_open_network_is_jacksons() {
    // All pass a; then half of them b; then all c, again and again with probability 0.4, so 1/0.6 times.
    let work = || {
        Work::Seq(vec![
            call("a"),
            Work::Sometimes(0.5, Box::new(call("b"))),
            Work::Repeat(0.4, Box::new(call("c"))),
        ])
    };
    let (rate, means) = (0.5, [1.4, 2.4, 0.9]);
    let plan = || {
        let stations = ["a", "b", "c"].into_iter().zip(means).map(|(name, mean)| serve(name, mean * SERVICE));
        system(1, CpuSharing::Fcfs, stations.collect(), work(), Arrivals::Poisson(rate * 1e9 / SERVICE))
    };
    let reports = replications(plan, rate * 1e9 / SERVICE);
    let seen = latency(&reports, "users/ask").mean_ns() / SERVICE;
    let arrivals = [rate, rate / 2.0, rate / 0.6];
    let stations: Vec<(f64, f64)> = arrivals.into_iter().zip(means.map(|mean| 1.0 / mean)).collect();
    close("time in a Jackson network", seen, networks::jackson_time(rate, &stations), 0.02);
}

#[test]
fn what_leaves_a_station_comes_to_the_next_as_poisson() {
    // Burke: in tandem each station is an M/M/1 by itself.
    let plan = || {
        let work = Work::Seq(vec![call("a"), call("b")]);
        system(
            1,
            CpuSharing::Fcfs,
            vec![serve("a", SERVICE), serve("b", 0.8 * SERVICE)],
            work,
            Arrivals::Poisson(700.0),
        )
    };
    let reports = replications(plan, 700.0);
    let seen = latency(&reports, "users/ask").mean_ns() / SERVICE;
    let expected = networks::jackson_time(0.7, &[(0.7, 1.0), (0.7, 1.25)]);
    close("time in tandem", seen, expected, 0.01);
}

#[test]
fn a_closed_network_is_that_of_mean_value_analysis() {
    let (users, think) = (12, 4.0);
    let plan = || {
        let work = Work::Seq(vec![call("a"), call("b")]);
        let think = Distribution::Exponential(think * SERVICE);
        let arrivals = Arrivals::Closed { users, think };
        system(1, CpuSharing::Fcfs, vec![serve("a", SERVICE), serve("b", 0.6 * SERVICE)], work, arrivals)
    };
    let (throughput, time) = networks::closed_network(users, think, &[1.0, 0.6]);
    let reports = replications(plan, throughput * 1e9 / SERVICE);
    let all = latency(&reports, "users/ask");
    close("time in a closed network", all.mean_ns() / SERVICE, time, 0.01);
    let length: u64 = reports.iter().map(|report| report.end_ns).sum();
    // The first tenth is not counted.
    let seen = all.count as f64 / (0.9 * length as f64) * SERVICE;
    close("throughput of a closed network", seen, throughput, 0.01);
}

/// Mean time of five calls at once, each of an exponential time, until so many are done; in mean times of one.
fn time_of_five_until(done: usize) -> f64 {
    let plan = || {
        let wait = Work::Wait(Distribution::Exponential(SERVICE));
        let branches = (0..5).map(|_| call("a")).collect();
        system(
            1,
            CpuSharing::Fcfs,
            vec![component("a", vec![("serve", wait)])],
            Work::Par(done, branches),
            Arrivals::Poisson(1e3),
        )
    };
    latency(&replications(plan, 5e3), "users/ask").mean_ns() / SERVICE
}

#[test]
fn the_longest_of_parallel_calls() {
    close("longest of five", time_of_five_until(5), networks::longest_of(5, 1.0), 0.01);
}

#[test]
fn two_of_five_are_enough() {
    let seen = time_of_five_until(2);
    // The second of five exponential times: 1/5 + 1/4.
    close("second of five", seen, 0.45, 0.01);
}

#[test]
fn fork_and_join_at_two_queues() {
    for (rho, gate) in [(0.5, 0.02), (0.8, 0.02)] {
        let plan = || {
            let work = Work::all(vec![call("a"), call("b")]);
            let rate = rho * 1e9 / SERVICE;
            system(
                1,
                CpuSharing::Fcfs,
                vec![serve("a", SERVICE), serve("b", SERVICE)],
                work,
                Arrivals::Poisson(rate),
            )
        };
        let seen = latency(&replications(plan, 2.0 * rho * 1e9 / SERVICE), "users/ask").mean_ns() / SERVICE;
        close(&format!("fork-join at {rho}"), seen, networks::fork_join_of_two(rho, 1.0), gate);
    }
}
