//! What generator Q makes of latencies in the long run, by window, load and setting: made by [`make_truths`] from 400
//! windows of 60 s of both arms.

use super::coverage::SETTINGS;
use super::queue::Queue;
use super::random::Random;

/// Of all latencies, microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Truth {
    pub(super) p50_us: f64,
    pub(super) p90_us: f64,
    /// What goodput is counted within.
    pub(super) p98_us: u64,
    pub(super) p99_us: f64,
    pub(super) mean_us: f64,
}

/// By window's seconds, load in %, setting: p50, p90, p98, p99 and mean.
const TRUTHS: &[(u32, u32, usize, [u64; 5])] = &[
    (8, 10, 0, [1846, 5997, 11985, 15262, 2801]),
    (8, 10, 1, [1882, 6417, 15632, 24377, 3214]),
    (8, 10, 2, [3471, 11256, 25397, 35135, 5473]),
    (8, 50, 0, [15940, 60509, 116882, 145372, 26115]),
    (8, 50, 1, [16530, 64237, 122858, 150570, 27341]),
    (8, 50, 2, [21607, 75671, 157989, 204065, 34608]),
    (8, 80, 0, [67461, 254195, 452690, 539850, 106675]),
    (8, 80, 1, [73615, 271931, 474219, 560576, 114322]),
    (8, 80, 2, [62641, 269295, 621750, 826119, 117338]),
    (12, 10, 0, [923, 2996, 5990, 7622, 1400]),
    (12, 10, 1, [938, 3218, 8406, 17305, 1794]),
    (12, 10, 2, [1735, 5665, 13692, 22260, 2923]),
    (12, 50, 0, [7952, 30194, 58264, 71984, 13015]),
    (12, 50, 1, [8279, 33015, 65736, 81620, 14049]),
    (12, 50, 2, [10837, 38834, 83816, 108403, 17731]),
    (12, 80, 0, [33857, 126527, 225764, 271198, 53262]),
    (12, 80, 1, [37313, 139322, 246130, 292273, 58525]),
    (12, 80, 2, [31975, 140629, 327455, 436978, 60982]),
    (20, 10, 0, [615, 1995, 3981, 5053, 932]),
    (20, 10, 1, [626, 2152, 5761, 15425, 1318]),
    (20, 10, 2, [1157, 3780, 9457, 17759, 2070]),
    (20, 50, 0, [5304, 20092, 38732, 47875, 8681]),
    (20, 50, 1, [5525, 22435, 46954, 59539, 9614]),
    (20, 50, 2, [7222, 26142, 58826, 77344, 12025]),
    (20, 80, 0, [22599, 84219, 149203, 178071, 35457]),
    (20, 80, 1, [25126, 95206, 166737, 197440, 39643]),
    (20, 80, 2, [21242, 94647, 221169, 294666, 40913]),
    (60, 10, 0, [369, 1197, 2394, 3042, 559]),
    (60, 10, 1, [375, 1288, 3552, 14317, 940]),
    (60, 10, 2, [694, 2270, 5889, 14670, 1391]),
    (60, 50, 0, [3184, 12085, 23302, 28796, 5212]),
    (60, 50, 1, [3307, 13591, 31726, 43079, 6024]),
    (60, 50, 2, [4335, 15873, 38543, 53359, 7478]),
    (60, 80, 0, [13558, 51025, 91019, 108913, 21409]),
    (60, 80, 1, [15059, 59617, 106790, 126375, 24521]),
    (60, 80, 2, [12818, 58713, 139346, 185945, 25247]),
];

/// That of a window, a load and a setting.
pub(super) fn truth(seconds: u32, load: f64, setting: usize) -> Truth {
    let load = (load * 100.0).round() as u32;
    let known = TRUTHS.iter().find(|known| (known.0, known.1, known.2) == (seconds, load, setting));
    let [p50, p90, p98, p99, mean] = known.expect("a setting of the table").3;
    Truth { p50_us: p50 as f64, p90_us: p90 as f64, p98_us: p98, p99_us: p99 as f64, mean_us: mean as f64 }
}

/// p50, p90, p98, p99 and mean over a number of windows of a minute, both arms together.
pub(super) fn long_run(queue: &Queue, windows: u32, seed: u64) -> [u64; 5] {
    let queue = Queue { seconds: 60, ..*queue };
    let mut random = Random::new(seed);
    let mut all: Vec<u64> = Vec::new();
    for _ in 0..windows {
        for round in queue.round(&mut random) {
            all.extend(round.latencies_us.iter().flatten());
        }
    }
    all.sort_unstable();
    let at = |q: f64| all[(q * all.len() as f64).ceil() as usize - 1];
    [at(0.5), at(0.9), at(0.98), at(0.99), all.iter().sum::<u64>() / all.len() as u64]
}

#[test]
#[ignore = "makes the constants above"]
fn make_truths() {
    for (seconds, rate) in [(8, 40.0), (12, 80.0), (20, 120.0), (60, 200.0)] {
        for load in [0.1, 0.5, 0.8] {
            for (setting, (is_shared, has_stalls)) in SETTINGS.into_iter().enumerate() {
                let queue = Queue::plain(rate, seconds, load, is_shared, has_stalls);
                let truth = long_run(&queue, 400, 20_000 + u64::from(seconds) + setting as u64);
                println!("    ({seconds}, {:.0}, {setting}, {truth:?}),", load * 100.0);
            }
        }
    }
    let plain = Queue::plain(120.0, 20, 0.3, true, true);
    println!("load 0.3, 120/s: {:?}", long_run(&plain, 400, 1));
    println!("with drift and starts: {:?}", long_run(&super::rounds::QUEUE, 400, 2));
}
