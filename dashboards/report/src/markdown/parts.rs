//! Parts of a document that can lose rows: what is too long is cut where most of it is, with a note.

/// A table, a list or a block of code.
pub(super) struct Part {
    before: String,
    /// Each a whole line, or several that belong together.
    pub rows: Vec<String>,
    after: String,
    /// Rows it has lost.
    cut: usize,
}

impl Part {
    /// A list.
    pub fn lines() -> Self {
        Self { before: String::new(), rows: Vec::new(), after: "\n".into(), cut: 0 }
    }

    /// A table.
    pub fn table(head: &[&str], rows: Vec<String>) -> Self {
        let before = format!("\n| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
        Self { before, rows, after: "\n".into(), cut: 0 }
    }

    /// A block of code.
    pub fn code(language: &str) -> Self {
        Self { before: format!("\n```{language}\n"), rows: Vec::new(), after: "```\n".into(), cut: 0 }
    }

    /// The same, folded.
    pub fn folded(self, summary: &str) -> Self {
        Self {
            before: format!("\n<details><summary>{summary}</summary>\n{}", self.before),
            after: format!("{}\n</details>\n", self.after),
            ..self
        }
    }

    fn length(&self) -> usize {
        self.rows.iter().map(String::len).sum()
    }

    /// Loses its last quarter.
    fn shorten(&mut self) {
        let left_out = self.rows.len().div_ceil(4);
        self.cut += left_out;
        self.rows.truncate(self.rows.len() - left_out);
    }

    fn text(&self) -> String {
        match (self.rows.len(), self.cut) {
            (0, 0) => String::new(),
            (0, cut) => format!("\n{cut} rows are left out here; `cleave report` has them.\n"),
            (_, 0) => format!("{}{}{}", self.before, self.rows.concat(), self.after),
            (_, cut) => format!(
                "{}{}{}\n{cut} more rows are left out here; `cleave report` has them.\n",
                self.before,
                self.rows.concat(),
                self.after
            ),
        }
    }
}

/// The document: its first lines, its parts, its last line, in at most so many bytes. The largest part is cut first.
pub(super) fn fitted(first: &str, mut parts: Vec<Part>, last: &str, most: usize) -> String {
    loop {
        let text: String = parts.iter().map(Part::text).collect();
        if first.len() + text.len() + last.len() <= most {
            return format!("{first}{text}{last}");
        }
        match parts.iter_mut().filter(|part| !part.rows.is_empty()).max_by_key(|part| part.length()) {
            Some(largest) => largest.shorten(),
            // The verdict is never cut.
            None => return format!("{first}{text}{last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_part_is_cut_first_and_marked() {
        let part = |rows: usize| Part::table(&["a"], vec!["| 12345 |\n".to_owned(); rows]);
        let text = fitted("first\n", vec![part(3), part(100)], "last\n", 600);
        assert!(text.len() <= 600 && text.starts_with("first") && text.ends_with("last\n"), "{text}");
        let tables: Vec<&str> = text.split("| a |").skip(1).collect();
        let [small, large] = tables[..] else { panic!("two tables: {text}") };
        assert_eq!(small.matches("12345").count(), 3, "the small one is whole");
        assert!(large.contains("more rows are left out here"), "{large}");
    }

    #[test]
    fn a_part_without_rows_is_not_there() {
        assert_eq!(fitted("a", vec![Part::table(&["x"], Vec::new()).folded("y")], "b", 10), "ab");
        assert!(fitted("verdict", vec![Part::code("text")], "", 3).starts_with("verdict"), "never cut");
    }
}
