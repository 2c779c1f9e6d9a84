//! Predictions at a size of their own: many copies in zones, and what a record has of them.

use model::Window;
use record::Entry;
use scenario::Scenario;

use super::{Made, scenario};

/// Sixty copies in three zones, fifty times the load, and what is added.
fn at_scale(more: &str) -> Scenario {
    let scale = "[scale]\nrate = \"3000/s\"\ncores = 2\nzones = [\"a\", \"b\", \"c\"]\n\
                 copies = { gateway = 15, feed = 15, photo = 20, \"*\" = 3 }\n";
    let mut scaled = scenario(&format!("{scale}{more}")).at_scale();
    scaled.phases.last_mut().expect("two phases").length = policy::units::HumanDuration::from_millis(4_000);
    scaled
}

fn made(more: &str) -> Made {
    Made::of(&at_scale(more), |predictor| {
        (predictor.rounds, predictor.replications) = (1, 1);
        predictor.layouts.truncate(1);
    })
}

#[test]
fn the_load_grows_and_a_record_has_the_copies_of_a_zone_together() {
    let Made { lines, predicted, .. } = made("");
    let offered: u64 = lines
        .iter()
        .filter_map(|line| match &line.entry {
            Entry::Window(window) => Some(window.offered),
            _ => None,
        })
        .sum();
    // 3,000/s over 5 s, give or take five times the root.
    assert!(offered.abs_diff(15_000) < 5 * 123, "{offered}");
    let mut names: Vec<&str> = lines
        .iter()
        .filter_map(|line| match &line.entry {
            Entry::Proc(proc) => Some(proc.instance.as_str()),
            _ => None,
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    // Six processes in three zones, and the registry, which is never copied.
    assert_eq!(names.len(), 6 * 3 + 1, "{names:?}");
    assert!(names.contains(&"photo@b") && names.contains(&"registry@a"), "{names:?}");
    let prediction = predicted.prediction;
    assert_eq!(prediction.band_copies, None, "the band is of as many copies");
    let because = prediction.because.join("; ");
    assert!(because.contains("a part of the data with each copy"), "{because}");
}

#[test]
fn a_lost_zone_is_down_and_back_and_the_others_serve_on() {
    let kill = "[[step]]\nid = \"lost\"\nin = \"steady\"\nat = \"+1s\"\ndo = \"kill\"\non = \"zone:b\"\n\
                restart = { after = \"1s\" }\n";
    let Made { lines, run, predicted } = made(kill);
    assert_eq!(predicted.prediction.not_simulated, Vec::<String>::new());
    let load = run.unit_time('A', 1, 0).expect("in the load").start;
    let is_up = |instance: &str, second: u64| {
        lines.iter().any(|line| {
            matches!(&line.entry, Entry::Proc(proc)
                if line.t == load + second * 1_000_000_000 && proc.instance == instance && proc.state == "up")
        })
    };
    // Killed at 2 s, back after 1 s and 0.2 s of start-up.
    assert_eq!([1, 2, 3, 4].map(|second| is_up("photo@b", second)), [true, false, false, true]);
    assert!((1..=4).all(|second| is_up("photo@a", second)));
    let of = |from, to| {
        let range = run.whole(&Window::Seconds(from, to));
        let failed = run.sum('A', &range, "all", |window| window.errors.values().sum());
        (failed, run.sum('A', &range, "all", |window| window.sent))
    };
    let ((before, _), (failed, sent)) = (of(0, 1), of(2, 3));
    assert_eq!(before, 0);
    // A third of the gateways is gone: fewer fail, since users soon go elsewhere, but not none.
    assert!(failed > 0 && failed < sent / 3, "{failed} of {sent}");
}

#[test]
fn a_lost_zone_is_left_alone_once_its_leases_have_lapsed() {
    let mut plan = at_scale(
        "[[step]]\nid = \"lost\"\nin = \"steady\"\nat = \"+1s\"\ndo = \"kill\"\non = \"zone:b\"\n\
         restart = { after = \"5s\" }\n",
    );
    plan.phases.last_mut().expect("two phases").length = policy::units::HumanDuration::from_millis(9_000);
    let Made { run, .. } = Made::of(&plan, |predictor| {
        (predictor.rounds, predictor.replications) = (1, 1);
        predictor.layouts.truncate(1);
    });
    let failed = |from, to| {
        let range = run.whole(&Window::Seconds(from, to));
        run.sum('A', &range, "all", |window| window.errors.values().sum())
    };
    // Killed at 2 s. Users find each gateway dead for themselves, and those that were taken out for it are asked again 3 s later:
    // by then, at 5.1 s, the registry has taken all of them off its list.
    let (lost, later) = (failed(2, 3), failed(5, 7));
    assert!(lost > 50 && later < lost / 4, "{lost} and {later}");
    // Back at 7.2 s.
    assert_eq!(failed(8, 10), 0);
}

#[test]
fn what_lies_between_zones_slows_what_crosses_them() {
    let p50 = |links: &str| made(links).run.latencies('A', &Window::Whole).quantile(0.5).expect("answers");
    let (near, far) = (p50(""), p50("[scale.links]\nzones = { rtt = \"10ms\" }\n"));
    // A photo is one call behind the gateway, in two of three cases in another zone.
    assert!(far > near + 9_000, "{near} and {far} us");
    // Users are no further from a zone than its own hosts are.
    let hosts = p50("[scale.links]\nhosts = { rtt = \"10ms\" }\n");
    assert!(hosts > far, "{hosts} and {far} us");
}

#[test]
fn the_band_of_many_copies_is_that_of_a_smaller_system_and_labelled() {
    let mut plan = at_scale("");
    let scale = plan.scale.as_mut().expect("a size");
    scale.copies.insert("photo".into(), 1_500);
    let Made { run, predicted, .. } = Made::of(&plan, |predictor| {
        (predictor.rounds, predictor.replications) = (1, 2);
        predictor.layouts.truncate(1);
    });
    let copies = predicted.prediction.band_copies.expect("a smaller system");
    // Each process has two thirds as many, rounded.
    assert!(copies.abs_diff(1_000) < 10, "{copies}");
    let mark = run.mark().expect("simulated");
    assert!(mark.contains(&format!("of a model of {copies} instances")), "{mark}");
    assert!(!predicted.prediction.band.is_empty());
}
