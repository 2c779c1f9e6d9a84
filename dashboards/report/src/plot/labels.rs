//! Words on a chart, placed so that none covers another. Widths are estimates for the widest of the usual fonts: what
//! fits here fits in a browser, and a check in one (`.ci/browser`) measures it.

/// About what a letter takes at the size of small text.
pub(super) const LETTER: f64 = 6.2;
/// Height of a line of small text.
pub(super) const LINE: f64 = 11.5;
/// Least distance of two words on a line.
const GAP: f64 = 5.0;

/// Where a word stands: its left end, and its row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PlacedLabel {
    pub x: f64,
    pub row: usize,
}

/// The width of a text, about.
pub(super) fn width(text: &str) -> f64 {
    LETTER * text.chars().count() as f64
}

/// Texts that belong to places along an axis, from left to right: each in the first row with room for it, and none
/// beyond `right`.
pub(super) fn in_rows<'t>(texts: impl Iterator<Item = (f64, &'t str)>, right: f64) -> Vec<PlacedLabel> {
    let mut ends: Vec<f64> = Vec::new();
    texts
        .map(|(at, text)| {
            let x = at.min(right - width(text)).max(0.0);
            let row = ends.iter().position(|end| *end <= x).unwrap_or(ends.len());
            ends.resize(ends.len().max(row + 1), 0.0);
            ends[row] = x + width(text) + GAP;
            PlacedLabel { x, row }
        })
        .collect()
}

/// Texts that follow each other in reading order, in as many rows as it takes between `left` and `right`. `before` is
/// the room for a sign in front of each.
pub(super) fn wrapped<'t>(
    texts: impl Iterator<Item = &'t str>,
    before: f64,
    left: f64,
    right: f64,
) -> Vec<PlacedLabel> {
    let (mut x, mut row) = (left, 0);
    texts
        .map(|text| {
            let wide = before + width(text);
            if x > left && x + wide > right {
                (x, row) = (left, row + 1);
            }
            let placed = PlacedLabel { x, row };
            x += wide + 2.0 * GAP;
            placed
        })
        .collect()
}

/// The same on one line: a text without room moves to the right, and all of them stay left of `right`. The places are in
/// order.
pub(super) fn on_a_line(texts: &[(f64, &str)], right: f64) -> Vec<f64> {
    let mut from = f64::NEG_INFINITY;
    let mut places: Vec<f64> = Vec::new();
    for (at, text) in texts {
        let x = at.max(from);
        from = x + width(text) + GAP;
        places.push(x);
    }
    let mut end = right;
    for (x, (_, text)) in places.iter_mut().zip(texts).rev() {
        *x = x.min(end - width(text));
        end = *x - GAP;
    }
    places
}

/// Heights for texts that belong to other heights: a line apart at least, above `bottom`, and below `top` where there is
/// room for all.
pub(super) fn stacked(wanted: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let mut heights = wanted.to_vec();
    let mut next = top;
    for index in &order {
        heights[*index] = heights[*index].max(next);
        next = heights[*index] + LINE;
    }
    let mut next = bottom;
    for index in order.iter().rev() {
        heights[*index] = heights[*index].min(next);
        next = heights[*index] - LINE;
    }
    heights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_without_room_takes_the_next_row() {
        // `steady` takes 37, so `warm` at 30 does not fit behind it, and `crash` at 60 does.
        let texts = [(0.0, "steady"), (30.0, "warm"), (60.0, "crash"), (99.0, "end")];
        let placed = in_rows(texts.into_iter(), 100.0);
        assert_eq!(placed.iter().map(|one| one.row).collect::<Vec<_>>(), [0, 1, 0, 1]);
        assert_eq!(placed[3].x, 100.0 - width("end"), "the last one stays on the chart");
    }

    #[test]
    fn words_on_a_line_make_room_for_each_other() {
        let places = on_a_line(&[(10.0, "1"), (12.0, "2"), (99.0, "3")], 100.0);
        assert_eq!(places[0], 10.0);
        assert!(places[1] >= 10.0 + width("1") + GAP, "{places:?}");
        assert!(places[2] + width("3") <= 100.0, "{places:?}");
        let crowded = on_a_line(&[(98.0, "1"), (98.0, "2"), (99.0, "3")], 100.0);
        assert!(
            crowded[2] + width("3") <= 100.0 && crowded[1] + width("2") + GAP <= crowded[2],
            "{crowded:?}"
        );
        assert!(crowded[0] + width("1") + GAP <= crowded[1], "{crowded:?}");
    }

    #[test]
    fn a_legend_goes_on_below_where_the_line_is_full() {
        let rows: Vec<usize> = wrapped(["one", "two", "three"].into_iter(), 20.0, 0.0, 100.0)
            .iter()
            .map(|one| one.row)
            .collect();
        // 20 and 18.6 and a gap of 10, twice, are 97; the third has no room.
        assert_eq!(rows, [0, 0, 1]);
    }

    #[test]
    fn limits_of_one_height_are_written_below_each_other() {
        let heights = stacked(&[50.0, 50.0, 99.0, 20.0], 0.0, 100.0);
        assert_eq!((heights[0], heights[1], heights[3]), (50.0, 50.0 + LINE, 20.0));
        let low = stacked(&[99.0, 100.0], 0.0, 100.0);
        assert_eq!(low, [100.0 - LINE, 100.0], "none leaves the chart");
    }
}
