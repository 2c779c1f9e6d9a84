//! The groups *technology* and *delivery* of the scorecard in all views: of the record of `views`, to which servers and builds are
//! added, and of runs that had servers.

use std::sync::Arc;

use model::Run;
use model::format::value;
use record::{Build, BuiltProgram, Entry, Line, Proc};
use report::{document, markdown, page};
use scorecard::scorecard;
use serde_json::{Value, json};

use crate::cleave::Cleave;
use crate::views;

/// How the scorecard calls the two groups.
const TECHNOLOGY: &str = "technology per service";
const DELIVERY: &str = "independent deployment and delivery";

/// The rows of servers, but for CPU, which takes longer phases than the record has: runs with servers have it.
const OF_SERVERS: [&str; 3] = ["servers", "server_memory", "server_start_up"];
/// Their parts by product.
const OF_PRODUCTS: [&str; 2] = ["server_memory_postgres", "server_memory_nats"];
/// The rows of builds.
const OF_BUILDS: [&str; 6] =
    ["build_time", "rebuilt_crates", "rebuilt_bytes", "shipped_bytes", "selected_tests", "test_time"];

/// A row of a page with all its arms and its markup is shorter than that.
const ROW_CHARS: usize = 2_000;

/// A build in which `crates` were compiled again.
fn build(seconds: f64, crates: &[&str]) -> Build {
    let crates: Vec<String> = crates.iter().map(|&name| name.to_owned()).collect();
    Build {
        seconds,
        bytes: (3 << 20) * crates.len() as u64,
        programs: vec![BuiltProgram { name: "photo".to_owned(), bytes: 5 << 20 }],
        tests: crates.clone(),
        test_seconds: Some(seconds / 2.0),
        crates,
    }
}

/// A second of a server.
fn server(arm: char, instance: &str, second: u64) -> Proc {
    Proc {
        arm,
        pid: u32::from(arm) + u32::from(instance.starts_with("nats")) * 100,
        instance: instance.to_owned(),
        components: vec!["feed".to_owned()],
        state: "up".to_owned(),
        is_server: true,
        cpu_ns: (second + 1) * 40_000_000,
        pss_kib: 30_000,
        ..Proc::default()
    }
}

/// The record of `views` as it would be where both arms had a database server, the second one a broker as well, and a change
/// had been built for each five times.
fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    let mut seconds = [0, 0];
    for mut line in views::lines() {
        if let Entry::Header(header) = &mut line.entry {
            let times = [20.0, 21.0, 20.5, 21.5, 20.0];
            for (arm, servers, share, crates) in
                [(0, 1, 1.0, &["photo", "suite"] as &[&str]), (1, 2, 0.25, &["photo"])]
            {
                let arm = &mut header.arms[arm];
                arm.servers = servers;
                arm.server_ready_ms = 180 * u64::from(servers);
                arm.builds = times.iter().map(|seconds| build(seconds * share, crates)).collect();
            }
        }
        let t = line.t;
        let sampled = match &line.entry {
            Entry::Proc(proc) if proc.instance == "app#0" => Some(('A', 0)),
            Entry::Proc(proc) if proc.instance == "registry#0" => Some(('B', 1)),
            _ => None,
        };
        lines.push(line);
        if let Some((arm, at)) = sampled {
            let names = ["postgres#0", "nats#0"];
            let servers = names[..=at].iter().map(|name| server(arm, name, seconds[at]));
            lines.extend(servers.map(|proc| Line { t, entry: Entry::Proc(Arc::new(proc)) }));
            seconds[at] += 1;
        }
    }
    concluded(lines)
}

/// The same with the rows that the scorecard has of the two groups.
fn concluded(mut lines: Vec<Line>) -> Vec<Line> {
    let is_of_groups = |claim: &str| [TECHNOLOGY, DELIVERY].contains(&claim);
    lines.retain(|line| !matches!(&line.entry, Entry::Score(score) if is_of_groups(&score.claim)));
    let rows = scorecard(&Run::of(&lines).expect("a header"));
    let end = lines.pop().expect("its last line");
    let rows = rows.into_iter().filter(|score| is_of_groups(&score.claim));
    lines.extend(rows.map(|score| Line { t: end.t, entry: Entry::Score(Box::new(score)) }));
    lines.push(end);
    lines
}

#[test]
fn technology_and_delivery_are_groups_of_every_view_with_the_same_figures() {
    let lines = lines();
    views::agree_to_the_digit(&lines);
    let run = Run::of(&lines).expect("a header");
    let document = json!(document::document(&run, None));
    let card = views::card(&run);
    let (page, markdown) = (page::page(&run), markdown::markdown(&run));
    let groups = [(TECHNOLOGY, &OF_SERVERS as &[&str]), (TECHNOLOGY, &OF_PRODUCTS), (DELIVERY, &OF_BUILDS)];
    for (claim, ids) in groups {
        assert!(page.contains(&format!(">{claim}</th>")), "the page has `{claim}`");
        assert!(card.contains(&format!("\n{claim}\n")), "the terminal has `{claim}`: {card}");
        assert!(markdown.contains(&format!("\n| **{claim}** |")), "Markdown has `{claim}`: {markdown}");
        for id in ids {
            let row = row_of(&document, id);
            assert_eq!(row["claim"], claim, "{row:#}");
            assert!(["A", "B"].iter().all(|arm| row["arms"][arm]["value"].is_number()), "{row:#}");
            let measure = row["measure"].as_str().expect("a text");
            let indent = if row["part_of"].is_string() { "&emsp;" } else { "" };
            let begin = format!("| {indent}{measure} (");
            assert!(markdown.contains(&begin), "Markdown has `{id}`: {markdown}");
        }
    }
    let values = |id: &str| ["A", "B"].map(|arm| row_of(&document, id)["arms"][arm]["value"].as_f64());
    assert_eq!(values("servers"), [1.0, 2.0].map(Some));
    assert_eq!(values("server_start_up"), [0.18, 0.36].map(Some));
    assert_eq!(values("rebuilt_crates"), [2.0, 1.0].map(Some));
    assert_eq!(values("server_memory_nats"), [Some(0.0), values("server_memory_postgres")[1]]);
    let [mono, micro] = values("server_memory");
    assert_eq!(mono.map(|bytes| bytes * 2.0), micro, "two servers of the same size");
}

fn row_of<'d>(document: &'d Value, id: &str) -> &'d Value {
    let rows = document["scorecard"].as_array().expect("rows");
    rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("no row {id}"))
}

/// Asserts that the last run, whose document this is, shows what its servers take in text, on its page, in Markdown and in JSON, with
/// the figures of an arm that has servers.
#[track_caller]
pub fn technology_is_shown(cleave: &Cleave, document: &Value, arm: &str) {
    let (_, text) = cleave.printed(&["report", "last", "--output", "text", "--full"]);
    let (_, markdown) = cleave.printed(&["report", "last", "--output", "markdown"]);
    assert!(cleave.run(&["report", "last", "--to", "page.html"]).status.success());
    let page = std::fs::read_to_string(cleave.folder().join("page.html")).expect("it was written");
    assert!(text.contains(&format!("\n{TECHNOLOGY}\n")), "{text}");
    assert!(page.contains(&format!(">{TECHNOLOGY}</th>")), "the page");
    assert!(markdown.contains(&format!("\n| **{TECHNOLOGY}** |")), "{markdown}");
    for id in OF_SERVERS.into_iter().chain(["server_cpu"]) {
        let row = row_of(document, id);
        assert_eq!(row["claim"], TECHNOLOGY, "{row:#}");
        let (measure, unit) = (row["measure"].as_str().expect("a text"), row["unit"].as_str());
        let figure = value(row["arms"][arm]["value"].as_f64(), unit.expect("a text"));
        for (view, text, begin) in [
            ("text", &text, format!("\n  {measure}")),
            ("Markdown", &markdown, format!("\n| {measure} (")),
            ("the page", &page, format!("data-score=\"{id}\"")),
        ] {
            // The last time it is named is in the table that has every row.
            let (_, rest) = text.rsplit_once(&begin).unwrap_or_else(|| panic!("{view} has no `{measure}`"));
            let row: String = rest.chars().take(ROW_CHARS).collect();
            assert!(row.contains(&figure), "{view}: no {figure} after `{measure}` in {row}");
        }
    }
}
