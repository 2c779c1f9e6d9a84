//! Whether a series drifts within its window, and by how much: Mann and Kendall's test, summed over rounds (Hirsch, Slack &
//! Smith 1982; Georges, Buytaert & Eeckhout 2007), and Sen's slope (1968), the median of all slopes between two points.

/// Two-sided 1 % of the normal distribution.
const CRITICAL: f64 = 2.575_829;

/// Whether it does, by a series of each round.
pub fn has_trend(rounds: &[Vec<f64>]) -> bool {
    let (mut sum, mut variance) = (0.0, 0.0);
    for series in rounds {
        for (index, earlier) in series.iter().enumerate() {
            for later in &series[index + 1..] {
                sum += f64::from(i8::from(later > earlier) - i8::from(later < earlier));
            }
        }
        let n = series.len() as f64;
        variance += n * (n - 1.0) * (2.0 * n + 5.0) / 18.0;
    }
    variance > 0.0 && (f64::abs(sum) - 1.0) / variance.sqrt() > CRITICAL
}

/// By how much it drifts from the first to the last point of a round; `None` where no round has two.
pub fn change(rounds: &[Vec<f64>]) -> Option<f64> {
    let slopes = rounds.iter().flat_map(|series| {
        series.iter().enumerate().flat_map(move |(index, earlier)| {
            let later = series[index + 1..].iter().enumerate();
            later.map(move |(gap, later)| (later - earlier) / (gap + 1) as f64)
        })
    });
    let mut slopes: Vec<f64> = slopes.collect();
    slopes.sort_by(f64::total_cmp);
    let longest = rounds.iter().map(Vec::len).max()?;
    let median = slopes.get(slopes.len() / 2)?;
    Some(median * (longest - 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rises_in_each_round_has_a_trend_and_what_swings_has_none() {
        let rising: Vec<f64> = (0..6).map(f64::from).collect();
        // S = 15 of variance 28.3: z = 2.63.
        assert!(has_trend(std::slice::from_ref(&rising)));
        // Five rounds of four: S = 30 of variance 43.3: z = 4.4; one of them: 6 of 8.7, z = 1.7.
        assert!(has_trend(&vec![rising[..4].to_vec(); 5]) && !has_trend(&[rising[..4].to_vec()]));
        assert_eq!(change(&vec![rising[..4].to_vec(); 5]), Some(3.0));
        assert_eq!(change(&[vec![1.0]]), None);
        let swinging: Vec<f64> = (0..60).map(|i| f64::from(i % 2)).collect();
        assert!(!has_trend(&[swinging]) && !has_trend(&[]));
    }
}
