//! Documents of a report, and where each goes: `html`, `junit=results.xml`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

use super::Document;

/// A document of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportOutput {
    /// Its format.
    pub format: Document,
    /// The file to write; without one a page goes to the run's folder and everything else to standard output.
    pub to: Option<PathBuf>,
}

impl ReportOutput {
    /// A document of a format, where it goes by default.
    pub const fn of(format: Document) -> Self {
        Self { format, to: None }
    }

    /// Whether it goes to standard output.
    pub fn is_printed(&self) -> bool {
        self.to.is_none() && self.format != Document::Html
    }
}

impl FromStr for ReportOutput {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, to) = match text.split_once('=') {
            Some((_, "")) => {
                return Err(format!("`{text}` names no file; write for example `{text}results.xml`"));
            }
            Some((name, to)) => (name, Some(PathBuf::from(to))),
            None => (text, None),
        };
        let format = Document::from_str(name, false).map_err(|_| {
            let formats = Document::value_variants().iter().filter_map(ValueEnum::to_possible_value);
            let formats: Vec<String> = formats.map(|format| format.get_name().to_owned()).collect();
            scenario::source::unknown("format", name, formats.iter().map(String::as_str))
        })?;
        Ok(Self { format, to })
    }
}

impl fmt::Display for ReportOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(format) = self.format.to_possible_value() {
            f.write_str(format.get_name())?;
        }
        self.to.as_ref().map_or(Ok(()), |to| write!(f, "={}", to.display()))
    }
}

/// Checks that at most one document goes to standard output.
///
/// # Errors
/// A message where two of them would share standard output.
pub fn check(outputs: &[ReportOutput]) -> Result<(), String> {
    let mut printed = outputs.iter().filter(|output| output.is_printed());
    match (printed.next(), printed.next()) {
        (Some(first), Some(second)) => Err(format!(
            "{first} and {second} would both go to standard output; name a file for one: {second}=FILE"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_a_format_and_perhaps_a_file() {
        let read = |text: &str| text.parse::<ReportOutput>();
        assert_eq!(read("html"), Ok(ReportOutput::of(Document::Html)));
        let junit = read("junit=a=b.xml").expect("a format and a file");
        assert_eq!((junit.format, junit.to.as_deref()), (Document::Junit, Some("a=b.xml".as_ref())));
        assert_eq!(junit.to_string(), "junit=a=b.xml");
        assert!(read("junti").is_err_and(|text| text.contains("did you mean `junit`?")));
        assert!(read("junit=").is_err_and(|text| text.contains("names no file")));
    }

    #[test]
    fn standard_output_takes_one_document() {
        let outputs = |texts: &[&str]| {
            texts.iter().map(|text| text.parse().expect("an output")).collect::<Vec<ReportOutput>>()
        };
        assert_eq!(check(&outputs(&["html", "markdown", "junit=x.xml"])), Ok(()));
        let text = check(&outputs(&["markdown", "html", "json"])).expect_err("two");
        assert!(text.ends_with("name a file for one: json=FILE"), "{text}");
    }
}
