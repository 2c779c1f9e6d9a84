//! The report: one HTML file that needs no network and no script. Its charts are drawn in [`crate::plot`], its styles
//! and its few lines of script lie beside the modules. A page shows one run, or two side by side.
//!
//! - `verdict`, `scores`: how it turned out; the scorecard and the expectations.
//! - `charts`: second by second, and latency by percentile.
//! - `topology`, `traces`, `tables`: where it happened.
//! - `reproduce`: events, how to run it again, the data, the glossary.

mod charts;
mod reproduce;
mod scores;
mod tables;
mod topology;
mod traces;
mod verdict;

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::compare::Comparison;
use crate::escaped;
use model::Run;
use model::sweep::MAX_SIDE_BY_SIDE;
use scorecard::glossary;

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// The page of a run. The same record gives the same bytes.
pub fn page(run: &Run) -> String {
    Page::of(vec![run], None).render()
}

/// The page of two runs: the same, with a run axis.
pub fn comparison(comparison: &Comparison<'_>) -> String {
    Page::of(comparison.runs.to_vec(), Some(comparison)).render()
}

/// An arm of a run: a column of tables, a chart among its likes.
struct Lane<'a> {
    run: &'a Run,
    letter: char,
    /// `A mono`, with its run where there are two.
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

/// The head of a column.
struct Column<'a> {
    term: &'static str,
    /// Its words, where the term's own are not enough.
    name: &'a str,
    is_text: bool,
}

/// A column of numbers.
const fn number(term: &'static str) -> Column<'static> {
    Column { term, name: "", is_text: false }
}

/// A column of words.
const fn text(term: &'static str) -> Column<'static> {
    Column { term, name: "", is_text: true }
}

/// A column of numbers of one lane or moment.
const fn named<'a>(term: &'static str, name: &'a str) -> Column<'a> {
    Column { term, name, is_text: false }
}

impl<'a> Page<'a> {
    fn of(runs: Vec<&'a Run>, comparison: Option<&'a Comparison<'a>>) -> Self {
        let lane = |run: &'a Run, letter: char, index: usize, lane_index: usize| {
            let name = format!("{letter} {}", run.arm_name(letter));
            Lane {
                run,
                letter,
                lane_index,
                name: if comparison.is_some() { format!("{name}, run {}", index + 1) } else { name },
            }
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
        self.head();
        self.verdict();
        self.scorecard();
        self.expectations();
        if self.lanes.len() <= MAX_SIDE_BY_SIDE {
            self.charts();
            self.distribution();
        }
        self.topology();
        if self.lanes.len() <= MAX_SIDE_BY_SIDE {
            self.traces();
            self.routes();
            self.edges();
            self.symptoms();
        }
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
        let names: Vec<String> =
            self.runs.iter().map(|run| format!("{} {}", run.header.scenario, run.verdict())).collect();
        let title = escaped(&names.join(" and "));
        let tabs = scores::tab_styles(scores::windows(&self.runs).len());
        self.write(format_args!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
             script-src 'unsafe-inline'; img-src data:\"><title>{title}</title>\n<style>\n{STYLE}{tabs}</style></head>\n<body>"
        ));
    }

    /// Begins a section.
    fn open(&mut self, name: &'static str) {
        self.sections.push(name);
        self.write(format_args!("<section id=\"{}\"><h2>{name}</h2>", anchor(name)));
    }

    /// Links to the sections there are, below the verdict.
    fn links(&mut self) {
        let link = |name: &&str| format!("<a href=\"#{}\">{name}</a>", anchor(name));
        let links: Vec<String> = self.sections.iter().map(link).collect();
        self.html.insert_str(self.links_at, &format!("<nav>{}</nav>\n", links.join(" ")));
    }

    fn close(&mut self) {
        self.write(format_args!("</section>"));
    }

    fn quiet(&mut self, text: &str) {
        self.write(format_args!("<p class=\"quiet\">{}</p>", escaped(text)));
    }

    /// Begins a table. Each column is a term of the glossary, which defines it.
    fn table(&mut self, columns: &[Column<'_>]) {
        self.table_in_bands(&[], columns);
    }

    /// The same, with a line above the heads with what so many of them have in common.
    fn table_in_bands(&mut self, bands: &[(Column<'_>, usize)], columns: &[Column<'_>]) {
        let mut rows = String::from("<tr>");
        for (band, columns) in bands {
            rows += &self.cell_of_head(band, &format!(" colspan=\"{columns}\""), "band");
        }
        if !bands.is_empty() {
            rows += "</tr><tr>";
        }
        for column in columns {
            rows += &self.cell_of_head(column, "", "");
        }
        self.write(format_args!("<table><thead>{rows}</tr></thead><tbody>"));
    }

    fn cell_of_head(&mut self, column: &Column<'_>, more: &str, class: &str) -> String {
        self.terms.insert(column.term);
        let term = glossary::term_by_id(column.term);
        let name =
            if column.name.is_empty() { term.map_or(column.term, |term| term.name) } else { column.name };
        let class = match (column.is_text, class) {
            (true, _) => " class=\"text\"".to_owned(),
            (false, "") => String::new(),
            (false, class) => format!(" class=\"{class}\""),
        };
        format!(
            "<th data-term=\"{}\" title=\"{}\"{class}{more}>{}</th>",
            column.term,
            escaped(term.map_or("", |term| term.meaning)),
            escaped(name)
        )
    }

    fn end_table(&mut self) {
        self.write(format_args!("</tbody></table>"));
    }

    /// A row with what the rows below it have in common.
    fn group(&mut self, name: &str, columns: usize) {
        self.write(format_args!("<tr class=\"claim\"><td colspan=\"{columns}\">{}</td></tr>", escaped(name)));
    }

    /// `run 1`, where there are two.
    fn run_name(&self, index: usize) -> String {
        if self.runs.len() > 1 { format!("run {}", index + 1) } else { String::new() }
    }
}

/// A section's name as an id.
fn anchor(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}

/// Cells of numbers.
fn cells(values: &[String]) -> String {
    values.iter().map(|value| format!("<td>{}</td>", escaped(value))).collect()
}

/// Nanoseconds, as every view writes times.
fn time(ns: f64) -> String {
    model::format::value(Some(ns / 1e9), "s")
}
