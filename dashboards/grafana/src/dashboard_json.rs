//! A dashboard as Grafana's classic JSON: schema version 41, panels on a grid of 24 columns.
//!
//! Grafana also reads a newer schema (v2); files for provisioning stay with this one, which every
//! release since version 11 loads.

use serde_json::{Value, json};
use telemetry::names::{self, run};

use crate::board::{Board, CHOSEN, PROMETHEUS, Panel, Row, Shape};
use crate::links::traces_links;

/// Version of the JSON model.
const SCHEMA: u32 = 41;
/// Columns of the grid.
const COLUMNS: u32 = 24;

impl Board {
    /// As Grafana reads it.
    pub fn json(&self) -> Value {
        let mut panels = Vec::new();
        let (mut id, mut y) = (0, 0);
        let mut next = || {
            id += 1;
            id
        };
        for row in &self.rows {
            let mut heading = json!({
                "id": next(),
                "type": "row",
                "title": row.title,
                "collapsed": false,
                "gridPos": { "h": 1, "w": COLUMNS, "x": 0, "y": y },
                "panels": [],
            });
            if let Some(variable) = row.repeat {
                heading["repeat"] = variable.into();
            }
            panels.push(heading);
            y += 1;
            let in_line = COLUMNS / row.width;
            for (index, panel) in (0..).zip(&row.panels) {
                let place = (index % in_line * row.width, y + index / in_line * row.height);
                panels.push(panel.json(next(), place, row));
            }
            let lines = u32::try_from(row.panels.len()).unwrap_or(u32::MAX).div_ceil(in_line);
            y += lines * row.height;
        }
        json!({
            "id": null,
            "uid": self.uid(),
            "title": format!("Cleave: {}", self.title),
            "description": self.description,
            "tags": ["cleave"],
            "schemaVersion": SCHEMA,
            "version": 1,
            "editable": true,
            // All panels show the same moment below the pointer.
            "graphTooltip": 1,
            "refresh": "5s",
            "time": { "from": "now-5m", "to": "now" },
            "timepicker": { "refresh_intervals": ["1s", "5s", "10s", "1m"] },
            "links": [{
                "type": "dashboards",
                "title": "Cleave",
                "tags": ["cleave"],
                "asDropdown": false,
                "includeVars": true,
                "keepTime": true,
            }],
            "templating": { "list": self.variables() },
            "annotations": { "list": [acting("fault", "Faults", "red"), acting("action", "Actions", "blue")] },
            "panels": panels,
        })
    }

    fn variables(&self) -> Vec<Value> {
        let run = format!("{}=~\"$run_id\"", names::RUN_ID);
        let mut all = vec![
            // Ids begin with their moment: the latest is the first.
            variable(names::RUN_ID, "run", format!("label_values({})", names::RUN_ID), false),
            variable(names::ARM, "arm", format!("label_values({{{run}}}, {})", names::ARM), true),
        ];
        if self.rows.iter().any(|row| row.repeat == Some("component")) {
            let served = format!("{}_count{{{run}}}", names::HTTP_SERVER_REQUEST_DURATION);
            let query = format!("label_values({served}, {})", names::SERVICE);
            all.push(variable("component", "component", query, true));
        }
        all
    }
}

impl Panel {
    fn json(&self, id: u32, (x, y): (u32, u32), row: &Row) -> Value {
        let latency = self.unit == "s" && self.shape == Shape::Lines;
        let target = |(index, (legend, query)): (usize, &(&str, String))| {
            // Exemplars of one query are enough: Grafana draws those of all on top of each other.
            let exemplar = index == 0 && query.contains(run::DURATION) && self.shape == Shape::Lines;
            let mut target = json!({
                "refId": char::from(b'A' + u8::try_from(index).unwrap_or(25)).to_string(),
                "datasource": { "type": "prometheus", "uid": PROMETHEUS },
                "editorMode": "code",
                "expr": query,
                "legendFormat": legend,
                "range": true,
                "exemplar": exemplar,
            });
            if self.shape == Shape::Heat {
                target["format"] = "heatmap".into();
            }
            target
        };
        let mut defaults = json!({ "unit": self.unit });
        if latency {
            defaults["links"] =
                traces_links(self.queries.iter().any(|(_, query)| query.contains(names::SERVICE)));
        }
        match self.shape {
            Shape::Lines => {
                defaults["custom"] = json!({
                    "lineWidth": 1,
                    "fillOpacity": 0,
                    "showPoints": "never",
                    // A dead process is a gap, not a bridge.
                    "spanNulls": false,
                    "axisSoftMin": 0,
                });
                if latency {
                    defaults["custom"]["scaleDistribution"] = json!({ "type": "log", "log": 10 });
                }
            }
            Shape::States => {
                defaults["custom"] = json!({ "lineWidth": 0, "fillOpacity": 70 });
                defaults["color"] = json!({ "mode": "thresholds" });
                defaults["thresholds"] = json!({ "mode": "absolute", "steps": [
                    { "color": "transparent", "value": null },
                    { "color": "orange", "value": 1 },
                    { "color": "red", "value": 2 },
                ]});
            }
            Shape::Numbers | Shape::Heat => {}
        }
        let overrides: Vec<Value> = self
            .second_unit
            .iter()
            .map(|unit| {
                json!({
                    "matcher": { "id": "byFrameRefID", "options": "B" },
                    "properties": [{ "id": "unit", "value": unit }],
                })
            })
            .collect();
        json!({
            "id": id,
            "type": self.kind(),
            "title": self.title,
            "description": self.description(),
            "datasource": { "type": "prometheus", "uid": PROMETHEUS },
            "gridPos": { "h": row.height, "w": row.width, "x": x, "y": y },
            "fieldConfig": { "defaults": defaults, "overrides": overrides },
            "options": self.options(),
            "targets": self.queries.iter().enumerate().map(target).collect::<Vec<_>>(),
        })
    }

    fn kind(&self) -> &'static str {
        match self.shape {
            Shape::Lines => "timeseries",
            Shape::Numbers => "stat",
            Shape::Heat => "heatmap",
            Shape::States => "state-timeline",
        }
    }

    fn options(&self) -> Value {
        let legend = json!({ "displayMode": "list", "placement": "bottom", "showLegend": true });
        match self.shape {
            Shape::Lines => {
                json!({ "legend": legend, "tooltip": { "mode": "multi", "sort": "desc" } })
            }
            Shape::Numbers => json!({
                "colorMode": "none",
                "graphMode": "area",
                "textMode": "value_and_name",
                "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
            }),
            Shape::Heat => json!({
                "calculate": false,
                "color": { "mode": "scheme", "scheme": "Oranges", "steps": 64 },
                "yAxis": { "unit": self.unit },
                "tooltip": { "mode": "single", "yHistogram": true },
            }),
            Shape::States => json!({
                "mergeValues": true,
                "showValue": "never",
                "rowHeight": 0.8,
                "legend": legend,
            }),
        }
    }
}

fn variable(name: &str, label: &str, query: String, many: bool) -> Value {
    let mut variable = json!({
        "type": "query",
        "name": name,
        "label": label,
        "datasource": { "type": "prometheus", "uid": PROMETHEUS },
        "definition": query,
        "query": { "query": query, "refId": name },
        // Asked again when the time range changes.
        "refresh": 2,
        "sort": if many { 1 } else { 2 },
        "multi": many,
        "includeAll": many,
    });
    if many {
        variable["allValue"] = ".*".into();
        variable["current"] = json!({ "selected": true, "text": ["All"], "value": ["$__all"] });
    }
    variable
}

/// Regions over every panel while a step acts.
fn acting(kind: &str, title: &str, colour: &str) -> Value {
    json!({
        "name": title,
        "datasource": { "type": "prometheus", "uid": PROMETHEUS },
        "enable": true,
        "iconColor": colour,
        "expr": format!("{}{{{CHOSEN},{}=\"{kind}\"}} == 1", run::STEP_ACTIVE, names::KIND),
        "step": "1s",
        "titleFormat": format!("{{{{{}}}}}", names::STEP),
        "textFormat": format!("{{{{{}}}}}", names::ARM),
        "tagKeys": names::ARM,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_that_do_not_fit_go_to_the_next_line() {
        let panel = || Panel::lines("t", "s", "d", vec![("", "up".to_owned())]);
        let row =
            Row { title: "r", repeat: None, width: 12, height: 8, panels: vec![panel(), panel(), panel()] };
        let board = Board { name: "n", title: "t", description: "s", rows: vec![row] };
        let json = board.json();
        let places: Vec<_> = json["panels"]
            .as_array()
            .expect("panels")
            .iter()
            .map(|panel| (panel["gridPos"]["x"].as_u64(), panel["gridPos"]["y"].as_u64()))
            .collect();
        let at = |x, y| (Some(x), Some(y));
        assert_eq!(places, [at(0, 0), at(0, 1), at(12, 1), at(0, 9)]);
    }
}
