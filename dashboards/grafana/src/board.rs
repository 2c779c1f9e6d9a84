//! A dashboard as data: rows of panels, each with its unit, a sentence and its queries.

/// The data source for metrics, as `provisioning/datasources/cleave.yaml` names it.
pub const PROMETHEUS: &str = "cleave-prom";
/// The data source for traces.
pub const JAEGER: &str = "cleave-jaeger";
/// What every query of a run is narrowed to.
pub const CHOSEN: &str = "run_id=~\"$run_id\",arm=~\"$arm\"";

/// A page of panels.
pub struct Board {
    /// Its file's name, and the end of its uid.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it is for, in a sentence.
    pub description: &'static str,
    /// Its panels, in rows with a heading.
    pub rows: Vec<Row>,
}

/// Panels below a heading.
pub struct Row {
    /// The heading.
    pub title: &'static str,
    /// A variable the row is repeated for.
    pub repeat: Option<&'static str>,
    /// Columns each panel takes, of 24.
    pub width: u32,
    /// Rows of the grid each panel takes.
    pub height: u32,
    /// Its panels, from left to right.
    pub panels: Vec<Panel>,
}

/// How figures are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Lines over time.
    Lines,
    /// The last values as numbers.
    Numbers,
    /// Counts by bucket over time, as colours.
    Heat,
    /// What holds when, as bars.
    States,
}

/// Who exposes a panel's metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricSource {
    /// The lab, from the lines of the record: live, and in an exported run.
    Run,
    /// The processes themselves: only while they are scraped.
    Nodes,
}

/// One panel.
pub struct Panel {
    /// Its title.
    pub title: &'static str,
    /// Grafana's name of its unit.
    pub unit: &'static str,
    /// How it is drawn.
    pub shape: Shape,
    /// Who exposes what it shows.
    pub from: MetricSource,
    /// What it shows, in a sentence.
    pub description: &'static str,
    /// Legend and query of each of its series.
    pub queries: Vec<(&'static str, String)>,
    /// Empty where nothing of the kind happened.
    pub seldom: bool,
    /// The unit of the second query, where it has one of its own.
    pub second_unit: Option<&'static str>,
}

impl Panel {
    /// Lines over time, of figures that the lab exposes.
    pub fn lines(
        title: &'static str,
        unit: &'static str,
        description: &'static str,
        queries: Vec<(&'static str, String)>,
    ) -> Self {
        let (shape, from) = (Shape::Lines, MetricSource::Run);
        Self { title, unit, shape, from, description, queries, seldom: false, second_unit: None }
    }

    /// Drawn otherwise.
    pub fn as_a(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    /// Of figures that the processes themselves expose.
    pub fn of_nodes(self) -> Self {
        Self { from: MetricSource::Nodes, ..self }
    }

    /// Of something that need not happen.
    pub fn seldom(self) -> Self {
        Self { seldom: true, ..self }
    }

    /// Its second query has a unit of its own.
    pub fn then_in(self, unit: &'static str) -> Self {
        Self { second_unit: Some(unit), ..self }
    }

    /// The description, with where the numbers come from.
    pub(crate) fn description(&self) -> String {
        let mut text = self.description.to_owned();
        if self.queries.iter().any(|(_, query)| query.starts_with("histogram_quantile")) {
            text.push_str(
                " Estimated from buckets: near the scorecard's figure, which is exact, not equal to it.",
            );
        }
        if self.from == MetricSource::Nodes {
            text.push_str(" From the processes' own metrics: empty for a run that was exported afterwards.");
        }
        if self.seldom {
            text.push_str(" Empty where it did not happen.");
        }
        text
    }
}

impl Board {
    /// The uid it is known by, wherever it is imported.
    pub fn uid(&self) -> String {
        format!("cleave-{}", self.name)
    }
}
