//! Searches for capacity: p99 and goodput over the rate that was offered, all arms in one chart, and what each rate showed.

use model::format::{measured, value};
use record::Measured;
use scorecard::ladder::{Ladder, LadderFigures, ladders};

use super::charts::CLASSES;
use super::{Page, cells, named, text};
use crate::plot::rates::{RateLine, draw};

/// What a lane did in one search.
struct LaneSearch {
    name: String,
    letter: char,
    class: &'static str,
    search: Ladder,
}

impl LaneSearch {
    /// A figure by rate.
    fn figures(&self, figure: impl Fn(&LadderFigures) -> Measured) -> Vec<(f64, Option<f64>)> {
        let rungs = self.search.rungs.iter();
        let of_lane = rungs.filter_map(|rung| Some((rung.rate, figure(rung.arms.get(&self.letter)?).value)));
        of_lane.collect()
    }

    fn line(&self, figure: impl Fn(&LadderFigures) -> Measured) -> RateLine<'_> {
        RateLine { name: &self.name, class: self.class, figures: self.figures(figure) }
    }
}

impl Page<'_> {
    /// A part for each limit that some run searched; nothing where none did.
    pub(super) fn searches(&mut self) {
        let searches: Vec<Vec<Ladder>> = self.runs.iter().map(|run| ladders(run)).collect();
        let mut titles: Vec<String> = Vec::new();
        for search in searches.iter().flatten() {
            if !titles.contains(&search.title) {
                titles.push(search.title.clone());
            }
        }
        if titles.is_empty() {
            return;
        }
        self.open("Capacity");
        for title in titles {
            let of_lanes: Vec<LaneSearch> = self
                .lanes
                .iter()
                .zip(CLASSES)
                .filter_map(|(lane, class)| {
                    let index = self.runs.iter().position(|run| std::ptr::eq(*run, lane.run))?;
                    let search = searches[index].iter().find(|search| search.title == title)?.clone();
                    Some(LaneSearch { name: lane.name.clone(), letter: lane.letter, class, search })
                })
                .collect();
            self.search(&title, &of_lanes);
        }
        self.quiet(
            "Each rate is offered for some seconds, to all arms that run at the time. Capacity lies above the highest rate that \
             held and below the lowest that failed, and nothing says where between them. After the highest declared rate \
             the search goes on while an arm has failed none.",
        );
        self.close();
    }

    fn search(&mut self, title: &str, lanes: &[LaneSearch]) {
        let Some(first) = lanes.first() else { return };
        let milliseconds = |of: &LadderFigures| Measured { value: of.p99.value.map(|s| s * 1e3), ..of.p99 };
        let limit =
            [(first.search.limit_s * 1e3, format!("p99 < {}", value(Some(first.search.limit_s), "s")))];
        let p99: Vec<RateLine<'_>> = lanes.iter().map(|lane| lane.line(milliseconds)).collect();
        let goodput: Vec<RateLine<'_>> = lanes.iter().map(|lane| lane.line(|of| of.goodput)).collect();
        self.figures(&[
            draw(&format!("{title}: p99 by rate"), "ms", &p99, &limit),
            draw(&format!("{title}: goodput by rate"), "/s", &goodput, &[]),
        ]);
        self.terms.extend(["latency_p99", "goodput"]);
        self.fold(&format!("{title}, rate by rate"));
        let heads: Vec<[String; 3]> = lanes
            .iter()
            .map(|lane| ["late", "p99", ""].map(|what| format!("{} {what}", lane.name).trim().to_owned()))
            .collect();
        let mut columns = vec![text("rung"), text("phase")];
        for [late, p99, standing] in &heads {
            columns.extend([named("late", late), named("latency_p99", p99), named("standing", standing)]);
        }
        self.table(&columns);
        let mut rates: Vec<(f64, &str)> = Vec::new();
        for rung in lanes.iter().flat_map(|lane| &lane.search.rungs) {
            if rates.iter().all(|(_, phase)| *phase != rung.phase) {
                rates.push((rung.rate, &rung.phase));
            }
        }
        for (rate, phase) in rates {
            let mut row = vec![phase.to_owned()];
            for lane in lanes {
                let rung = lane.search.rungs.iter().find(|rung| rung.phase == phase);
                let of = rung.and_then(|rung| rung.arms.get(&lane.letter));
                row.extend(match of {
                    Some(of) => {
                        [measured(&of.late, "%"), measured(&of.p99, "s"), of.standing.word().to_owned()]
                    }
                    None => ["-", "-", "not offered"].map(str::to_owned),
                });
            }
            self.row(&value(Some(rate), "/s"), &cells(&row));
        }
        self.end_table();
        self.end_fold();
    }
}
