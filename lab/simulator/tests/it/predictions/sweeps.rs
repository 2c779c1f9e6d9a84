//! Predictions of many groupings from a calibration of two, and what stands beside them: the memory they hold, and how busy they
//! keep the cores.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use model::Run;
use model::sweep::FrontPlace;
use policy::units::{HumanDuration, Ratio};
use record::{Line, Validity, Verdict};
use scenario::{Application, Scenario};
use scorecard::{Expectation, judge};
use simulator::calibrate::{Calibration, MemoryUse};
use simulator::predict::{Predictor, Utilisation};
use simulator::validate::Agreement;
use traffic::load::{Model, Rates, Users};

use super::{CALLS, COMPONENTS, Made, calibration, scenario};

/// All groupings in turns, of home feeds and photos at 60 a second.
fn groupings() -> Scenario {
    let text = "schema = 1\nname = \"sweep\"\ntitle = \"Sweep\"\nwhy = \"For tests\"\nway = \"interleaved\"\n\
                phases = [{ name = \"warm\", for = \"1s\", measure = false }, { name = \"steady\", for = \"4s\" }]\n\
                [load]\nrate = \"60/s\"\nsize = \"tiny\"\nmix = { home-feed = 60, view-photo = 40 }\ntimeout = \"1s\"\n\
                [topology.every-grouping]\ncarrier = \"http+json\"\n";
    let application = Application { components: &COMPONENTS, calls: &CALLS, events: &[], tables: &[] };
    let read = scenario::read(Path::new("sweep.toml"), text.to_owned(), &application);
    read.unwrap_or_else(|errors| panic!("{errors}"))
}

/// What processes of the known machine hold: 9 MB each, and what their components need.
fn memory() -> MemoryUse {
    let components = [
        ("registry", 500.0),
        ("gateway", 3_000.0),
        ("profile", 2_000.0),
        ("follower", 1_000.0),
        ("feed", 4_000.0),
        ("search", 6_000.0),
        ("photo", 2_500.0),
    ];
    let components_kib = components.map(|(name, kib)| (name.to_owned(), kib)).into();
    MemoryUse { process_kib: 9_000.0, components_kib }
}

fn made(calibration: &Calibration, change: impl FnOnce(&mut Predictor<'_>)) -> Made {
    Made::with(calibration, &groupings(), |predictor| {
        predictor.rounds = 1;
        change(predictor);
    })
}

/// All groupings as they are, simulated once for the tests that look at them or compare others with them.
fn plain() -> &'static Made {
    static PLAIN: OnceLock<Made> = OnceLock::new();
    PLAIN.get_or_init(|| made(&calibration(), |_| {}))
}

/// The places on the front, by the arms' names.
fn front(run: &Run) -> BTreeMap<String, FrontPlace> {
    run.front_places().into_iter().map(|(arm, place)| (run.arm_name(arm), place)).collect()
}

/// Why the row of the front says what it does.
fn context(run: &Run) -> String {
    let scores = run.scores();
    let row = scores.iter().find(|score| score.id == "pareto_front").expect("a front");
    row.context.clone().unwrap_or_default()
}

#[test]
fn every_grouping_has_a_place_on_the_front_and_one_line_has_why_they_are_extrapolated() {
    let Made { predicted, run, .. } = plain();
    let (mono, micro) = ("profile-follower-feed-search-photo", "profile.follower.feed.search.photo");
    let places = front(run);
    assert_eq!((places.len(), places[mono]), (52, FrontPlace::On), "{places:?}");
    assert!(places.values().any(|place| *place == FrontPlace::Off), "{places:?}");
    assert!(context(run).starts_with("procs.pss is not simulated and no axis"), "{}", context(run));
    let because = &predicted.prediction.because;
    assert_eq!(
        because,
        &[format!("50 of 52 groupings, which no run of the calibration had; it had {mono}, {micro}")]
    );
    let limits = run.prediction_limits();
    assert!(
        limits.iter().any(|text| text.contains("every core is busy at ") && text.len() < 120),
        "{limits:?}"
    );
}

#[test]
fn a_sweep_is_the_same_to_the_byte_on_one_thread_and_on_two() {
    let text = |lines: &[Line]| {
        lines.iter().map(|line| serde_json::to_string(line).expect("plain data")).collect::<Vec<_>>()
    };
    // The others are made on two.
    let alone = made(&calibration(), |predictor| predictor.threads = 1);
    assert!(text(&alone.lines) == text(&plain().lines));
}

#[test]
fn two_seeds_put_groupings_in_one_order_and_another_machine_does_not() {
    let base = &plain().run;
    let other = made(&calibration(), |predictor| predictor.seed = 7).run;
    let agreement = Agreement::of(&other, base).expect("all are in common");
    assert_eq!(agreement.common, 52);
    for correlation in [agreement.p50, agreement.cpu] {
        assert!(correlation.is_some_and(|of| of > 0.9), "{agreement:?}");
    }
    assert!(agreement.members.iter().any(|(_, place)| *place == FrontPlace::On), "{agreement:?}");
    // Where messages cost nothing, only calls inside a process do: the order is another one.
    let mut free = calibration();
    for hop in free.hops.values_mut() {
        (hop.served_ns, hop.called_ns) = (0.0, 0.0);
    }
    free.idle_ns_per_s = 0.0;
    free.parameters.span_ns.value = 0.0;
    free.parameters.wake_cpu_ns.value = 0.0;
    free.parameters.wake_ns.value = 0.0;
    let agreement = Agreement::of(&made(&free, |_| {}).run, base).expect("all are in common");
    assert!(agreement.cpu.is_none_or(|of| of < 0.5), "{agreement:?}");
}

#[test]
fn memory_is_an_axis_of_the_front_where_the_calibration_knows_it() {
    let mut known = calibration();
    known.memory = Some(memory());
    let Made { run, .. } = made(&known, |_| {});
    assert!(!context(&run).contains("procs.pss"), "{}", context(&run));
    let scores = run.scores();
    let row = scores.iter().find(|score| score.id == "memory").expect("it is known");
    let of = |name: &str| {
        let arm = run.header.arms.iter().find(|arm| arm.name == name).expect("an arm").letter;
        row.arms[&arm].value.expect("a value") / 1024.0
    };
    // One process with all but a registry, and seven of which one is that.
    let components: f64 = memory().components_kib.values().sum::<f64>() - 500.0;
    assert_eq!(of("profile-follower-feed-search-photo"), 9_000.0 + components);
    assert_eq!(of("profile.follower.feed.search.photo"), 7.0 * 9_000.0 + components + 500.0);
}

#[test]
fn a_claim_about_memory_is_decided_where_it_is_known() {
    let mut known = calibration();
    known.memory = Some(memory());
    let claims = "[expect]\ncheck = [\"procs.pss for micro >= 2 * procs.pss for mono\", \"pss(feed) < 14MiB for micro\"]\n";
    let Made { run, .. } = Made::with(&known, &scenario(claims), |_| {});
    for check in run.checks() {
        assert_eq!(check.verdict, Verdict::Pass, "{check:?}");
    }
}

#[test]
fn work_whose_caller_has_gone_is_counted() {
    let slow = "[policy.\"feed->profile\"]\ntimeout = \"20ms\"\nattempts = 1\ndeadline = false\ncancel = \"detach\"\n\
                [[step]]\nin = \"steady\"\ndo = \"delay\"\non = \"profile\"\nby = \"80ms\"\nfor = \"6s\"\n\
                [expect]\ncheck = [\"wasted(profile) in steady >= 95% for micro\", \"wasted(photo) in steady < 1% for micro\"]\n";
    let Made { run, .. } = Made::of(&scenario(slow), |_| {});
    let found: Vec<Option<f64>> = run.checks().into_iter().map(|check| check.value).collect();
    let [Some(of_profile), Some(of_photo)] = found[..] else { panic!("both are known: {found:?}") };
    assert!(of_profile >= 0.95 && of_photo < 0.01, "{found:?}");
}

#[test]
fn arms_keep_the_cores_as_busy_as_the_law_has_it() {
    let of = |plan: &Scenario| {
        let mut found: Vec<Utilisation> = Vec::new();
        let Made { predicted, .. } = Made::of(plan, |predictor| {
            found = predictor.utilisation().unwrap_or_else(|error| panic!("{error}"));
        });
        (found, predicted.prediction)
    };
    let (arms, prediction) = of(&scenario(""));
    assert_eq!(arms.iter().map(|arm| arm.arm.as_str()).collect::<Vec<_>>(), ["micro", "mono"]);
    for arm in &arms {
        assert_eq!((arm.rate, arm.simulated_rate, arm.cores, arm.budget), (Some(60.0), 60.0, 2, None));
        let is_cpu = |row: &&record::Sensitivity| row.arm == arm.letter && row.measure == "cpu_per_journey";
        let cpu_s = prediction.band.iter().find(is_cpu).expect("a band").value;
        assert!((arm.cpu_s / cpu_s - 1.0).abs() < 0.1, "{arm:?}: {cpu_s} s are predicted");
        // 200 us of the load generator for the one request of a journey.
        let busy = 60.0 * (arm.cpu_s + 200e-6) / 2.0;
        assert!(arm.of_machine().is_some_and(|share| (share - busy).abs() < 1e-9), "{arm:?}");
        let full = prediction.saturation[&arm.letter];
        assert!((arm.rate_of_machine(1.0) / full - 1.0).abs() < 0.1, "{arm:?}: {full}/s are predicted");
    }
    assert!(arms[0].cpu_s > arms[1].cpu_s, "calls between processes take CPU");
    let arms_of = |plan: &Scenario| {
        let mut found: Vec<Utilisation> = Vec::new();
        Made::of(&scenario(""), |predictor| {
            let predictor =
                Predictor { scenario: plan, layouts: predictor.layouts.clone(), ..copy(predictor) };
            found = predictor.utilisation().unwrap_or_else(|error| panic!("{error}"));
        });
        found
    };
    // Beyond the calibrated rates a journey is taken for one of the highest of them.
    let mut plan = scenario("[budget]\ncores = 1\n");
    plan.load.rate = plan.load.rate.times(10.0);
    for arm in arms_of(&plan) {
        assert_eq!((arm.rate, arm.simulated_rate, arm.budget), (Some(600.0), 60.0, Some(1)));
        assert!(arm.of_budget().is_some_and(|share| (share - 600.0 * arm.cpu_s).abs() < 1e-9), "{arm:?}");
    }
    // What is only known when it runs has no rate, and the one at which 80 % are busy.
    plan.load.rate = Rates::OfSlowest(Ratio::new(0.5));
    let mut closed = scenario("");
    closed.load.model = Model::Closed;
    closed.load.users = Some(Users { count: 3, think: HumanDuration::default() });
    for plan in [plan, closed] {
        for arm in arms_of(&plan) {
            assert_eq!((arm.rate, arm.of_machine()), (None, None));
            assert!(arm.rate_of_machine(0.8) > 100.0, "{arm:?}");
        }
    }
}

/// At which services are the cheaper ones.
const CHEAPER: &str = "monthly_cost in steady for micro < monthly_cost in steady for mono";

/// The small application at prices, with so many changes a week.
fn priced(changes: u32) -> Scenario {
    scenario(&format!(
        "[prices]\ncurrency = \"EUR\"\ncore_hour = 0.04\ngib_hour = 0.005\nengineer_hour = 80\nutilisation = \"60%\"\n\
         teams = 5\nchanges_a_week = {changes}\ndeploy = \"30min\"\nretest = \"2h\"\ncoordination = \"15min\"\n\
         contract = \"20%\"\noperation = \"4h\"\n\
         [sweep]\nholds = \"{CHEAPER}\"\n\
         axes = [{{ name = \"changes\", key = \"prices.changes_a_week\", values = [0, 20] }}]\n"
    ))
}

#[test]
fn the_monolith_is_the_cheaper_one_without_changes_and_services_with_many() {
    let holds: Expectation = CHEAPER.parse().expect("a condition");
    let judged = |memory: Option<MemoryUse>, changes: u32| {
        let known = Calibration { memory, ..calibration() };
        let Made { predicted, run, .. } = Made::with(&known, &priced(changes), |_| {});
        let prediction = &predicted.prediction;
        assert_eq!(prediction.validity, Validity::Assumed);
        let mut because = prediction.because.iter();
        assert!(because.any(|why| why.starts_with("prices: a core-hour is 0.04 EUR")), "{prediction:?}");
        let checks = judge::premises(&run, 0, &holds);
        assert_eq!(checks.len(), 1, "one of both arms");
        checks[0].verdict
    };
    // Six more processes are operated for 4 h a month each; a change takes some 2.4 h less.
    assert_eq!(judged(Some(memory()), 0), Verdict::Fail);
    assert_eq!(judged(Some(memory()), 20), Verdict::Pass);
    assert_eq!(judged(None, 20), Verdict::Inconclusive, "what processes hold is not known");
}

/// The same predictor.
fn copy<'a>(of: &Predictor<'a>) -> Predictor<'a> {
    Predictor {
        calibration: of.calibration,
        scenario: of.scenario,
        layouts: of.layouts.clone(),
        data: of.data.clone(),
        interleaved: of.interleaved,
        rounds: of.rounds,
        seed: of.seed,
        hosts: of.hosts,
        cores: of.cores,
        replications: of.replications,
        threads: of.threads,
        here: of.here.clone(),
        progress: of.progress.clone(),
        header: of.header,
    }
}
