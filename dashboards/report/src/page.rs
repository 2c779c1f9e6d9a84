//! The report: one HTML file that needs no network and no script. Its charts are drawn in [`crate::plot`], its styles
//! and its few lines of script lie beside the modules. A page shows one run, or two: before and after.
//!
//! First what it comes to, then claims, the timeline and the rows of the scorecard that matter; everything else is folded.
//!
//! - `answer`, `claims`: how it turned out. `scores`: the scorecard of a run; `changes`: of two.
//! - `charts`: second by second, and latency by percentile.
//! - `search`: p99 and goodput over the offered rate, where a run searched for capacity.
//! - `topology`, `traces`, `tables`: where it happened.
//! - `reproduce`: events, how to run it again, the data, the glossary.
//! - `layout`: sections, tables, cells.

mod answer;
mod changes;
mod charts;
mod claims;
mod layout;
mod reproduce;
mod scores;
mod search;
mod tables;
mod topology;
mod traces;

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::compare::{Comparison, NAMES};
use crate::escaped;
use layout::{Column, cells, mark, named, number, text, time};
use model::Run;
use model::sweep::MAX_SIDE_BY_SIDE;

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// The page of a run. The same record gives the same bytes.
pub fn page(run: &Run) -> String {
    Page::of(vec![run], None).render()
}

/// The page of two runs: the same, before and after.
pub fn comparison(comparison: &Comparison<'_>) -> String {
    Page::of(comparison.runs.to_vec(), Some(comparison)).render()
}

/// An arm of a run: a column of tables, a chart among its likes.
struct Lane<'a> {
    run: &'a Run,
    letter: char,
    /// `A mono`, with `before` or `after` where there are two runs.
    name: String,
    /// Lanes of one number stand beside each other: all of a run, or an arm's two runs.
    lane_index: usize,
}

struct Page<'a> {
    runs: Vec<&'a Run>,
    comparison: Option<&'a Comparison<'a>>,
    lanes: Vec<Lane<'a>>,
    /// What the glossary has to explain.
    terms: BTreeSet<&'static str>,
    /// Sections so far, and where in the page the links to them go.
    sections: Vec<&'static str>,
    links_at: usize,
    html: String,
}

impl<'a> Page<'a> {
    fn of(runs: Vec<&'a Run>, comparison: Option<&'a Comparison<'a>>) -> Self {
        let lane = |run: &'a Run, letter: char, index: usize, lane_index: usize| {
            let name = format!("{letter} {}", run.arm_name(letter));
            let name = if comparison.is_some() { format!("{name}, {}", NAMES[index]) } else { name };
            Lane { run, letter, lane_index, name }
        };
        let lanes = match comparison {
            None => runs[0].header.arms.iter().map(|arm| lane(runs[0], arm.letter, 0, 0)).collect(),
            // An arm's runs stand beside each other.
            Some(comparison) => {
                let arms = comparison.arms.iter().enumerate();
                arms.flat_map(|(lane_index, arm)| {
                    let runs = arm.letters.into_iter().enumerate();
                    runs.filter_map(move |(index, letter)| {
                        Some(lane(comparison.runs[index], letter?, index, lane_index))
                    })
                })
                .collect()
            }
        };
        Self {
            runs,
            comparison,
            lanes,
            terms: BTreeSet::new(),
            sections: Vec::new(),
            links_at: 0,
            html: String::new(),
        }
    }

    fn render(mut self) -> String {
        let has_charts = self.lanes.len() <= MAX_SIDE_BY_SIDE;
        self.head();
        self.answer();
        self.claims();
        if has_charts {
            self.searches();
            self.charts();
        }
        self.scorecard();
        if has_charts {
            self.distribution();
            self.traces();
            self.symptoms();
            self.routes();
            self.edges();
        }
        self.topology();
        self.events();
        self.reproduce_section();
        self.glossary();
        self.foot();
        self.links();
        self.html
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.html.write_fmt(text);
        self.html.push('\n');
    }

    fn head(&mut self) {
        let name = |(run, name): (&&Run, &str)| {
            let when = if self.runs.len() > 1 { format!(" {name}") } else { String::new() };
            format!("{} {}{when}", run.header.scenario, run.verdict_words())
        };
        let names: Vec<String> = self.runs.iter().zip(NAMES).map(name).collect();
        let title = escaped(&names.join(" and "));
        let tabs = scores::tab_styles(scores::windows(&self.runs).len());
        self.write(format_args!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
             script-src 'unsafe-inline'; img-src data:\"><title>{title}</title>\n<style>\n{STYLE}{tabs}</style></head>\n<body>\n\
             <a class=\"skip\" href=\"#main\">skip the contents</a>"
        ));
        self.links_at = self.html.len();
        self.write(format_args!("<main id=\"main\">"));
    }

    /// Links to the sections there are; they stay in sight.
    fn links(&mut self) {
        let link = |name: &&str| format!("<li><a href=\"#{}\">{name}</a></li>", layout::anchor(name));
        let links: String = self.sections.iter().map(link).collect();
        self.html.insert_str(
            self.links_at,
            &format!("<nav aria-label=\"contents\" tabindex=\"0\"><ul>{links}</ul></nav>\n"),
        );
    }

    /// `before: `, where there are two runs.
    fn run_prefix(&self, index: usize) -> String {
        if self.runs.len() > 1 { format!("{}: ", NAMES[index]) } else { String::new() }
    }
}
