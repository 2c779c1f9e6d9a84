//! Items as lines of an answer: all of them, or as many as there is room for.

use record::Arm;

use super::items::Item;

/// Items a section of a full line has at most: it is to be read.
const MAX_ITEMS: usize = 6;

/// A line of an answer.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// What it begins with, the arm it is of: `C micro`; empty where there is one arm.
    head: String,
    sections: Vec<Section>,
    /// Words of a line that is no list, in full and in short.
    fixed: Option<[String; 2]>,
}

/// What an arm costs, or buys, or leaves as it is.
#[derive(Clone, Debug)]
pub(super) struct Section {
    full: String,
    short: String,
    items: Vec<Item>,
    /// Items that left for want of room.
    left_out: usize,
}

impl Section {
    pub fn new(full: &str, short: &str, items: Vec<Item>) -> Self {
        Self { full: full.to_owned(), short: short.to_owned(), items, left_out: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether it has what the run was made to find.
    pub fn is_asked(&self) -> bool {
        self.items.iter().any(|item| item.is_asked)
    }

    pub fn extend(&mut self, items: impl IntoIterator<Item = Item>) {
        self.items.extend(items);
    }

    fn in_full(&self) -> String {
        let texts = self.items.iter().take(MAX_ITEMS).map(|item| item.full.clone());
        let more = self.items.len().saturating_sub(MAX_ITEMS);
        let more = (more > 0).then(|| format!("{more} more in the scorecard"));
        format!("{}: {}", self.full, texts.chain(more).collect::<Vec<_>>().join("; "))
    }

    /// Items of one finding stand together, and it stands behind them once; of what is open the arms stand together.
    fn in_short(&self) -> String {
        let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
        for item in &self.items {
            let text = if item.arm.is_some() { self.with_arms(&item.short) } else { item.short.clone() };
            match groups.iter_mut().find(|(finding, _)| *finding == item.finding) {
                Some((_, texts)) if texts.contains(&text) => {}
                Some((_, texts)) => texts.push(text),
                None => groups.push((&item.finding, vec![text])),
            }
        }
        let text = |(finding, texts): &(&str, Vec<String>)| match *finding {
            "" => texts.join(", "),
            finding => format!("{} ({finding})", texts.join(", ")),
        };
        let mut texts: Vec<String> = groups.iter().map(text).collect();
        texts.extend((self.left_out > 0).then(|| format!("{} more", self.left_out)));
        format!("{}: {}", self.short, texts.join("; "))
    }

    /// `p99 (B C)`: a row with the arms in which it is open.
    fn with_arms(&self, short: &str) -> String {
        let its = self.items.iter().filter(|item| item.short == short);
        let arms: Vec<String> = its.filter_map(|item| item.arm).map(|arm| arm.to_string()).collect();
        format!("{short} ({})", arms.join(" "))
    }
}

impl Line {
    pub fn of(head: &str, sections: Vec<Section>) -> Self {
        Self { head: head.to_owned(), sections, fixed: None }
    }

    /// What one of several arms costs and buys; `None` where it does neither.
    pub fn of_arm(arm: &Arm, sections: Vec<Section>) -> Option<Self> {
        let head = format!("{} {}", arm.letter, arm.name);
        (!sections.is_empty()).then(|| Self::of(&head, sections))
    }

    pub fn fixed(full: String, short: String) -> Self {
        Self { head: String::new(), sections: Vec::new(), fixed: Some([full, short]) }
    }

    pub fn in_full(&self) -> String {
        self.fixed.as_ref().map_or_else(|| self.listed(Section::in_full), |[full, _]| full.clone())
    }

    fn in_short(&self) -> String {
        self.fixed.as_ref().map_or_else(|| self.listed(Section::in_short), |[_, short]| short.clone())
    }

    fn listed(&self, of: fn(&Section) -> String) -> String {
        let sections: Vec<String> = self.sections.iter().map(of).collect();
        let text = sections.join("; ");
        if self.head.is_empty() { text } else { format!("{} {text}", self.head) }
    }

    /// Items of its longest section.
    fn items(&self) -> usize {
        self.sections.iter().map(|section| section.items.len()).max().unwrap_or(0)
    }

    /// Loses the lightest item of its longest section.
    fn shrink(&mut self) {
        let Some(longest) = self.sections.iter_mut().rev().max_by_key(|section| section.items.len()) else {
            return;
        };
        longest.items.pop();
        longest.left_out += 1;
    }

    /// Keeps of several sections the one with the weightiest item; whether there were several.
    fn keep_weightiest(&mut self) -> bool {
        let rank = |section: &Section| section.items.iter().map(|item| item.rank).min().unwrap_or(usize::MAX);
        if self.sections.len() < 2 {
            return false;
        }
        let left_out: usize =
            self.sections.iter().map(|section| section.items.len() + section.left_out).sum();
        self.sections.sort_by_key(rank);
        self.sections.truncate(1);
        let kept = &mut self.sections[0];
        kept.left_out = left_out - kept.items.len();
        true
    }

    /// Leaves what does not change out; whether there was any beside what does.
    fn leave_same_out(&mut self) -> bool {
        let before = self.sections.len();
        if self.sections.iter().any(|section| section.short != SAME) {
            self.sections.retain(|section| section.short != SAME);
        }
        self.sections.len() < before
    }

    fn is_same_alone(&self) -> bool {
        self.fixed.is_none()
            && self.head.is_empty()
            && self.sections.iter().all(|section| section.short == SAME)
    }
}

/// The section of what does not change.
const SAME: &str = "same";

/// The lines in short, in at most so many rows: first what does not change leaves, then item by item what weighs least in
/// the longest line, then of each arm what it costs or what it buys, whichever weighs less, then whole arms. `how` ends the line of what is open.
pub(super) fn fitted(
    mut lines: Vec<Line>,
    how: Option<&str>,
    most: usize,
    rows: &dyn Fn(&str) -> usize,
) -> Vec<String> {
    let mut left_out_arms = 0;
    loop {
        let mut texts: Vec<String> = lines.iter().map(Line::in_short).collect();
        if let (Some(how), Some(last)) = (how, texts.last_mut()) {
            last.push_str(&format!("; try {how}"));
        }
        if left_out_arms > 0
            && let Some(last) = texts.last_mut()
        {
            let arms = if left_out_arms == 1 { "arm" } else { "arms" };
            last.push_str(&format!("; {left_out_arms} more {arms} below"));
        }
        let heights: Vec<usize> = texts.iter().map(|text| rows(text)).collect();
        if heights.iter().sum::<usize>() <= most {
            return texts;
        }
        if lines.len() > 1
            && let Some(same) = lines.iter().rposition(Line::is_same_alone)
        {
            lines.remove(same);
            continue;
        }
        if lines.iter_mut().any(Line::leave_same_out) {
            continue;
        }
        let longest = (0..lines.len()).filter(|at| lines[*at].items() > 1);
        match longest.max_by_key(|at| (heights[*at], lines[*at].items())) {
            Some(longest) => lines[longest].shrink(),
            None if keep_weightiest(&mut lines, &heights) => {}
            // The last line is that of what is open.
            None if lines.len() > 2 => {
                lines.remove(lines.len() - 2);
                left_out_arms += 1;
            }
            None => return texts,
        }
    }
}

/// Of the tallest line of several sections keeps one; whether there was such a line.
fn keep_weightiest(lines: &mut [Line], heights: &[usize]) -> bool {
    let several = (0..lines.len()).filter(|at| lines[*at].sections.len() > 1);
    several.max_by_key(|at| heights[*at]).is_some_and(|tallest| lines[tallest].keep_weightiest())
}

#[cfg(test)]
mod tests {
    use super::super::items::SplitOutcome;
    use super::*;

    fn item(short: &str, finding: &str) -> Item {
        Item {
            full: format!("{short} ({finding})"),
            short: short.to_owned(),
            finding: finding.to_owned(),
            outcome: SplitOutcome::Worse,
            is_asked: false,
            arm: None,
            rank: 0,
        }
    }

    fn lines() -> Vec<Line> {
        let section =
            |short: &str, items: &[Item]| Line::of("", vec![Section::new(short, short, items.to_vec())]);
        vec![
            section(
                "costs",
                &[item("p50 ×2", "differs"), item("memory ×3", "once a run"), item("CPU ×2", "differs")],
            ),
            section("same", &[item("p99", "equivalent")]),
            section("undecided", &[item("recovery", "")]),
        ]
    }

    #[test]
    fn a_finding_stands_once_behind_its_items() {
        let short = fitted(lines(), Some("cleave run x --rounds 6"), 9, &|_| 1);
        assert_eq!(
            short,
            [
                "costs: p50 ×2, CPU ×2 (differs); memory ×3 (once a run)",
                "same: p99 (equivalent)",
                "undecided: recovery; try cleave run x --rounds 6",
            ]
        );
    }

    #[test]
    fn a_full_line_ends_with_how_many_items_have_no_room() {
        let line = |items: usize| {
            let items = (1..=items).map(|n| item(&format!("row {n}"), "differs")).collect();
            Line::of("", vec![Section::new("it costs", "costs", items)]).in_full()
        };
        assert!(line(6).ends_with("; row 6 (differs)"), "{}", line(6));
        assert!(line(8).ends_with("; row 6 (differs); 2 more in the scorecard"), "{}", line(8));
    }

    #[test]
    fn what_is_open_in_several_arms_is_named_once() {
        let open = |name: &str, arm: char| Item { outcome: SplitOutcome::Open, ..item(name, "").of_arm(arm) };
        let items = vec![open("p99", 'B'), open("CPU", 'B'), open("p99", 'C')];
        let line = Line::of("", vec![Section::new("not decided by this run", "undecided", items)]);
        assert_eq!(fitted(vec![line], None, 9, &|_| 1), ["undecided: p99 (B C), CPU (B)"]);
    }

    #[test]
    fn where_room_is_short_each_arm_keeps_what_weighs_most() {
        let of_arm = |letter: char| {
            let costs = Section::new("costs", "costs", vec![Item { rank: 5, ..item("CPU ×2", "differs") }]);
            let buys = Section::new("buys", "buys", vec![Item { rank: 1, ..item("recovery 2s", "event") }]);
            Line { head: format!("{letter} arm"), ..Line::of("", vec![costs, buys]) }
        };
        let open = Line::of("", vec![Section::new("undecided", "undecided", vec![item("p50", "")])]);
        let lines = vec![of_arm('B'), of_arm('C'), open];
        // Both sections of an arm take two rows of 42 characters.
        let short = fitted(lines, None, 3, &|text| text.chars().count().div_ceil(42));
        assert_eq!(
            short,
            [
                "B arm buys: recovery 2s (event); 1 more",
                "C arm buys: recovery 2s (event); 1 more",
                "undecided: p50",
            ]
        );
    }

    #[test]
    fn what_does_not_change_leaves_first_and_then_what_weighs_least() {
        assert_eq!(fitted(lines(), None, 2, &|_| 1).len(), 2);
        // Twenty characters a row: the costs take three, and have room in two.
        let short = fitted(lines(), None, 3, &|text| text.chars().count().div_ceil(24));
        assert_eq!(short[0], "costs: p50 ×2 (differs); 2 more");
        assert_eq!(short.len(), 2, "{short:?}");
    }
}
