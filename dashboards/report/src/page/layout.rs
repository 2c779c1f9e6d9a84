//! Sections, tables and cells. A table that does not fit its page becomes a list of rows by its style alone: the first
//! cell of a row, its head, takes a line of its own.

use super::Page;
use crate::escaped;
use scorecard::glossary;

/// Tables of so many columns become lists on a page of middle width already.
const MANY_COLUMNS: usize = 9;

/// The head of a column.
pub(super) struct Column<'a> {
    pub term: &'static str,
    /// Its words, where the term's own are not enough.
    pub name: &'a str,
    pub is_text: bool,
}

/// A column of numbers.
pub(super) const fn number(term: &'static str) -> Column<'static> {
    Column { term, name: "", is_text: false }
}

/// A column of words.
pub(super) const fn text(term: &'static str) -> Column<'static> {
    Column { term, name: "", is_text: true }
}

/// A column of numbers of one lane or moment.
pub(super) const fn named<'a>(term: &'static str, name: &'a str) -> Column<'a> {
    Column { term, name, is_text: false }
}

impl Page<'_> {
    /// Begins a section.
    pub(super) fn open(&mut self, name: &'static str) {
        self.sections.push(name);
        self.write(format_args!("<section id=\"{}\"><h2>{name}</h2>", anchor(name)));
    }

    pub(super) fn close(&mut self) {
        self.write(format_args!("</section>"));
    }

    /// Begins a section whose content is folded below its heading, with a few words on what it holds.
    pub(super) fn open_folded(&mut self, name: &'static str, holds: &str) {
        self.sections.push(name);
        self.write(format_args!(
            "<section id=\"{}\"><details><summary><h2>{name}</h2> <span class=\"quiet\">{}</span></summary>",
            anchor(name),
            escaped(holds)
        ));
    }

    pub(super) fn close_folded(&mut self) {
        self.write(format_args!("</details></section>"));
    }

    /// Begins a fold within a section.
    pub(super) fn fold(&mut self, summary: &str) {
        self.write(format_args!("<details><summary>{}</summary>", escaped(summary)));
    }

    pub(super) fn end_fold(&mut self) {
        self.write(format_args!("</details>"));
    }

    pub(super) fn quiet(&mut self, text: &str) {
        self.write(format_args!("<p class=\"quiet\">{}</p>", escaped(text)));
    }

    /// Begins a table. Each column is a term of the glossary, which defines it.
    pub(super) fn table(&mut self, columns: &[Column<'_>]) {
        let heads: String = columns.iter().map(|column| self.head_cell(column)).collect();
        // An arm against another takes the room of three numbers.
        let wide = columns.iter().filter(|column| column.term == "ratio" && column.is_text).count();
        let class = if columns.len() + 2 * wide >= MANY_COLUMNS { " class=\"many\"" } else { "" };
        self.write(format_args!("<table{class}><thead><tr>{heads}</tr></thead><tbody>"));
    }

    fn head_cell(&mut self, column: &Column<'_>) -> String {
        self.terms.insert(column.term);
        let term = glossary::term_by_id(column.term);
        let name =
            if column.name.is_empty() { term.map_or(column.term, |term| term.name) } else { column.name };
        let class = match (column.is_text, column.term) {
            (true, "ratio") => " class=\"text contrast\"",
            (true, _) => " class=\"text\"",
            (false, _) => "",
        };
        format!(
            "<th scope=\"col\" data-term=\"{}\" title=\"{}\"{class}>{}</th>",
            column.term,
            escaped(term.map_or("", |term| term.meaning)),
            escaped(name)
        )
    }

    /// A row: its head and its cells, both markup.
    pub(super) fn row(&mut self, head: &str, cells: &str) {
        self.write(format_args!("<tr><th scope=\"row\">{head}</th>{cells}</tr>"));
    }

    pub(super) fn end_table(&mut self) {
        self.write(format_args!("</tbody></table>"));
    }

    /// A row with what the rows below it have in common.
    pub(super) fn group(&mut self, name: &str, columns: usize) {
        self.write(format_args!(
            "<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"{columns}\">{}</th></tr>",
            escaped(name)
        ));
    }
}

/// A section's name as an id.
pub(super) fn anchor(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}

/// Cells of numbers.
pub(super) fn cells(values: &[String]) -> String {
    values.iter().map(|value| format!("<td>{}</td>", escaped(value))).collect()
}

/// Nanoseconds, as every view writes times.
pub(super) fn time(ns: f64) -> String {
    model::format::value(Some(ns / 1e9), "s")
}

/// A sign and a class for better and worse.
pub(super) const fn mark(is_better: Option<bool>) -> (&'static str, &'static str) {
    match is_better {
        Some(true) => ("▲ ", "better"),
        Some(false) => ("▼ ", "worse"),
        None => ("", "quiet"),
    }
}
