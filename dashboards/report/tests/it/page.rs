//! The page: valid HTML that needs nothing from outside, with every section, and words for every number.

use std::collections::BTreeSet;

use html5ever::tendril::TendrilSink;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use report::{Comparison, page};

use crate::fixture::{lines, other_lines, reported, run, scores};

/// Pages of one run and of two.
fn pages() -> Vec<String> {
    let other = reported(&other_lines());
    vec![page::page(&run()), page::comparison(&Comparison::of(&run(), &other))]
}

fn parsed(html: &str) -> RcDom {
    parse_document(RcDom::default(), ParseOpts::default()).one(html)
}

/// Every element with its attributes, in the order of the page.
fn elements(node: &Handle, found: &mut Vec<(String, Vec<(String, String)>)>) {
    if let NodeData::Element { name, attrs, .. } = &node.data {
        let attributes =
            attrs.borrow().iter().map(|one| (one.name.local.to_string(), one.value.to_string())).collect();
        found.push((name.local.to_string(), attributes));
    }
    node.children.borrow().iter().for_each(|child| elements(child, found));
}

fn all(html: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found = Vec::new();
    elements(&parsed(html).document, &mut found);
    found
}

#[test]
fn a_page_is_valid_html_with_unique_ids() {
    for html in pages() {
        let errors = parsed(&html).errors;
        assert!(errors.borrow().is_empty(), "{:?}", errors.borrow());
        let elements = all(&html);
        let ids: Vec<&str> = elements
            .iter()
            .flat_map(|(_, attributes)| attributes)
            .filter(|(name, _)| name == "id")
            .map(|(_, id)| id.as_str())
            .collect();
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "{ids:?}");
        for (element, attributes) in &elements {
            for (name, value) in
                attributes.iter().filter(|(name, _)| matches!(name.as_str(), "for" | "href" | "src"))
            {
                let target = value.trim_start_matches('#');
                assert!(name != "src" && unique.contains(target), "<{element} {name}={value}> leads nowhere");
            }
        }
    }
}

#[test]
fn a_page_needs_nothing_from_outside() {
    for html in pages() {
        for word in ["http://", "https://", "url(", "@import", "src="] {
            assert!(!html.contains(word), "{word}");
        }
        assert!(html.contains("default-src 'none'"));
        assert!(html.len() < 1_000_000, "{} bytes", html.len());
    }
    assert_eq!(pages(), pages(), "the same record gives the same bytes");
    let script = include_str!("../../src/page/page.js");
    assert!(script.len() <= 6 * 1024, "{} bytes of script", script.len());
}

#[test]
fn a_trace_leads_to_jaeger_where_its_spans_were_sent_on() {
    let mut lines = lines();
    for line in &mut lines {
        match &mut line.entry {
            record::Entry::Header(header) => header.collector = Some("127.0.0.1:4317".into()),
            record::Entry::End(end) => end.tracing.forwarded = 40,
            _ => {}
        }
    }
    let link = format!("<a href=\"http://127.0.0.1:16686/trace/{:032x}\"", u32::from('B'));
    assert!(page::page(&reported(&lines)).contains(&link), "{link}");
}

#[test]
fn a_long_run_of_many_arms_stays_below_its_limit() {
    let size = |seconds, arms| page::page(&reported(&crate::fixture::long(seconds, arms))).len();
    let (usual, largest) = (size(120, 2), size(400, 8));
    assert!(usual < 500_000, "two minutes of two arms: {usual} bytes");
    assert!(largest < 2_000_000, "seven minutes of eight: {largest} bytes");
    assert!(size(120, 4) < 1_000_000, "two minutes of four");
}

#[test]
fn pictures_are_well_formed() {
    for html in pages() {
        let mut pictures = 0;
        let mut rest = html.as_str();
        while let Some(start) = rest.find("<svg") {
            // Charts have a picture inside: the end is where as many have ended as begun.
            let ends = rest[start..].match_indices("</svg>").map(|(at, end)| start + at + end.len());
            let is_whole = |end: &usize| {
                let svg = &rest[start..*end];
                svg.matches("<svg").count() == svg.matches("</svg>").count()
            };
            let end = ends.into_iter().find(is_whole).expect("closed");
            let svg = &rest[start..end];
            roxmltree::Document::parse(svg).unwrap_or_else(|why| panic!("{why}: {svg}"));
            pictures += 1;
            rest = &rest[end..];
        }
        assert!(pictures > 10, "{pictures}");
    }
}

#[test]
fn a_page_holds_every_section_in_its_order() {
    let html = page::page(&run());
    let places: Vec<usize> = [
        "<nav",
        "href=\"#answer\"",
        "class=\"verdict fail\"",
        "<h2>Claims",
        "<h2>Timeline",
        "<h2>Scorecard",
        "<h2>Distribution",
        "<h2>Slowest traces",
        "<h2>What was wrong",
        "<h2>Journeys",
        "<h2>Edges",
        "<h2>Topology",
        "<h2>Events",
        "<h2>Reproduce",
        "<h2>Glossary",
        "id=\"run\"",
    ]
    .iter()
    .map(|part| html.find(part).unwrap_or_else(|| panic!("no {part}")))
    .collect();
    assert!(places.is_sorted(), "{places:?}");
    // Latency, journeys, CPU and memory of two arms. No sample was taken for staleness, no journey failed, and no call
    // waited: no chart has to show that.
    assert_eq!(html.matches("data-zoom=\"").count(), 8);
    for missing in
        ["No chart of staleness", "No chart of errors: no journey failed", "No chart of longest queue"]
    {
        assert!(html.contains(missing), "{missing}");
    }
    // B's charts of time are shaded, A's only outlined: the fault does not apply there.
    assert_eq!(
        (html.matches("class=\"fault\"").count(), html.matches("class=\"fault absent\"").count()),
        (4, 4)
    );
    assert!(html.contains("limit 150ms"), "the expectation's limit is drawn");
    assert!(
        html.contains("40 requests were put together from 90 spans, and 2 are kept in the record; 3 spans")
    );
    assert!(html.contains("injected delay 180.0ms"), "the fault is in the slow trace");
}

#[test]
fn a_search_for_capacity_comes_first_with_its_charts_and_what_each_rate_showed() {
    let mut lines = lines();
    if let record::Entry::Header(header) = &mut lines[0].entry {
        header.expectations[0].text = "capacity(all 100ms) >= 1/s".to_owned();
    }
    let html = page::page(&reported(&lines));
    assert!(parsed(&html).errors.borrow().is_empty());
    let place = |text: &str| html.find(text).unwrap_or_else(|| panic!("no {text}"));
    assert!(place("<h2>Claims") < place("<h2>Capacity") && place("<h2>Capacity") < place("<h2>Timeline"));
    assert!(html.contains("p99 limit 100ms"), "the limit is a line of the chart");
    assert!(html.contains("capacity at p99 &lt; 100 ms: p99 by rate") && html.contains(": goodput by rate"));
    let table = &html[place("100 ms, rate by rate")..];
    assert!(table.contains(">A mono late</th>") && table.contains(">B micro</th>"), "a column for each arm");
    assert!(!page::page(&run()).contains("<h2>Capacity"), "no claim is about it");
}

#[test]
fn failed_journeys_do_not_improve_the_percentiles_of_the_journeys() {
    let section = |lines: &[record::Line]| {
        let html = page::page(&reported(lines));
        let start = html.find("<section id=\"journeys\">").expect("a section");
        html[start..start + html[start..].find("</section>").expect("closed")].to_owned()
    };
    let mut failing = lines();
    for line in &mut failing {
        if let record::Entry::Window(window) = &mut line.entry
            && window.arm == 'A'
        {
            let window = std::sync::Arc::make_mut(window);
            // A quarter fails fast: the median was answered, the p99 was not.
            (window.ok, window.good) = (15, 15);
            window.intended = std::iter::repeat_n(9_400, 15).collect();
        }
    }
    let (before, after) = (section(&lines()), section(&failing));
    assert!(!before.contains("&gt; 2.00s"), "{before}");
    assert!(after.contains("(&gt; 2.00s)") && after.contains("9.4ms"), "{after}");
    assert_eq!(after.matches("&gt; 2.00s").count(), 2, "p99 and p99.9 of A: {after}");
}

#[test]
fn what_matters_is_open_and_the_rest_is_folded() {
    let html = page::page(&run());
    let section = |name: &str| {
        let start = html.find(&format!("<section id=\"{name}\">")).expect("a section");
        &html[start..start + html[start..].find("</section>").expect("closed")]
    };
    for name in ["claims", "timeline", "scorecard"] {
        assert!(section(name).contains("</h2>\n"), "{name} stands open");
    }
    for name in ["distribution", "journeys", "edges", "topology", "events", "reproduce", "glossary"] {
        assert!(section(name).contains("<details><summary><h2>"), "{name} is folded");
    }
    let claims = section("claims");
    let fold = claims.find("<details>").expect("what holds is folded");
    let place = |text: &str| claims.find(text).expect("a claim");
    assert!(place("p99(all) &lt; 150ms") < fold && fold < place("errors(all) &lt; 1%"), "{claims}");
}

#[test]
fn every_arm_stands_against_the_first() {
    let mut lines = lines();
    if let record::Entry::Header(header) = &mut lines[0].entry {
        header.arms.push(record::Arm { letter: 'C', name: "pairs".into(), ..header.arms[1].clone() });
    }
    let mut rows = scores(&mut lines);
    let score = &mut rows[0];
    let ratio = record::Measured { value: Some(3.0), ..record::Measured::default() };
    let contrast = record::Contrast {
        ratio: Some(ratio),
        finding: Some(record::Finding::Undecided),
        ..record::Contrast::default()
    };
    score.contrasts.insert('C', contrast);
    score.arms.insert('C', record::Measured { value: Some(0.03), ..record::Measured::default() });
    let html = page::page(&reported(&lines));
    assert!(html.contains(">B against A</th>") && html.contains(">C against A</th>"), "a column for each");
    assert!(html.contains("×3.00 <span class=\"quiet\">undecided</span>"), "with a finding of its own");
    assert!(html.contains("×19.9 [17.1, 23.0] <span class=\"worse\">▼ differs</span>"));
}

#[test]
fn what_is_warmed_up_is_no_trace_to_begin_with() {
    let mut lines = lines();
    if let record::Entry::Header(header) = &mut lines[0].entry {
        header.phases[1].measure = false;
    }
    let html = page::page(&reported(&lines));
    assert!(
        !html.contains("home-feed no. 217") && !html.contains("Where the time went"),
        "both are of that phase"
    );
    assert!(page::page(&run()).contains("home-feed no. 217"));
}

#[test]
fn every_row_and_every_column_has_its_words() {
    for html in pages() {
        let elements = all(&html);
        let of = |attributes: &[(String, String)], name: &str| {
            attributes
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
                .unwrap_or_default()
        };
        let is_head = |(name, attributes): &&(String, Vec<(String, String)>)| {
            name == "th" && of(attributes, "scope") == "col"
        };
        let heads: Vec<_> = elements.iter().filter(is_head).collect();
        assert!(heads.len() > 30, "{}", heads.len());
        for (_, attributes) in heads {
            let (term, title) = (of(attributes, "data-term"), of(attributes, "title"));
            assert!(!title.is_empty(), "the column {term} has no meaning");
            assert!(html.contains(&format!("id=\"term-{term}\"")), "{term} is not in the glossary");
        }
    }
    for score in run().scores() {
        assert!(scorecard::glossary::term_of(&score.id).is_some(), "{} has no term", score.id);
    }
}

#[test]
fn a_row_without_words_would_be_found() {
    let mut lines = lines();
    scores(&mut lines)[0].id = "luck".into();
    let html = page::page(&reported(&lines));
    assert!(
        html.contains("data-score=\"luck\"><th scope=\"row\" title=\"\">"),
        "such a row has an empty title"
    );
}

#[test]
fn rows_can_be_chosen_by_phase() {
    let mut lines = lines();
    let whole = record::Score { window: "whole".into(), ..scores(&mut lines)[0].clone() };
    lines.push(record::Line { t: 0, entry: record::Entry::Score(Box::new(whole)) });
    let html = page::page(&reported(&lines));
    assert!(html.contains("<label for=\"tab-1\">whole</label>") && html.contains("#tab-1:checked~table"));
    assert_eq!((html.matches("data-w=\"0\" ").count(), html.matches("data-w=\"1\" ").count()), (1, 1));
}

/// A total with two parts, which the record has further down, and one without its total.
fn lines_with_parts(mut lines: Vec<record::Line>) -> Vec<record::Line> {
    let row = |id: &str, part_of: Option<&str>, of: &record::Score| {
        let score = record::Score {
            id: id.into(),
            measure: format!("words of {id}"),
            part_of: part_of.map(str::to_owned),
            ..of.clone()
        };
        record::Line { t: 0, entry: record::Entry::Score(Box::new(score)) }
    };
    let first = scores(&mut lines)[0].clone();
    let rows = [
        row("cpu_per_journey", None, &first),
        row("memory", None, &first),
        row("cpu_encoding", Some("cpu_per_journey"), &first),
        row("cpu_business", Some("cpu_per_journey"), &first),
        row("cpu_orphan", Some("nothing"), &first),
    ];
    lines.extend(rows);
    lines
}

#[test]
fn parts_are_folded_below_their_total() {
    let (one, two) = (reported(&lines_with_parts(lines())), reported(&lines_with_parts(other_lines())));
    for html in [page::page(&one), page::comparison(&Comparison::of(&one, &two))] {
        assert!(parsed(&html).errors.borrow().is_empty(), "{:?}", parsed(&html).errors.borrow());
        // Above the fold stand the few that matter.
        let html = html.split("<summary>all ").nth(1).expect("all rows");
        let total = html.find("data-score=\"cpu_per_journey\"").expect("the total");
        let fold = html.find("<summary>words of cpu_per_journey: 2 parts</summary>").expect("its parts");
        let end = fold + html[fold..].find("</details>").expect("closed");
        let part = |id: &str| html.find(&format!("data-score=\"cpu_{id}\"")).expect("a part");
        assert!(total < fold && fold < part("encoding") && part("encoding") < part("business"));
        assert!(part("business") < end && end < html.find("data-score=\"memory\"").expect("the next row"));
        assert!(!(fold..end).contains(&part("orphan")), "a part without its total is a row like others");
        assert_eq!(html.matches("<tr class=\"parts\" data-w=\"0\">").count(), 1);
    }
    let markdown = report::markdown::markdown(&one);
    let lines: Vec<&str> = markdown.lines().filter(|line| line.contains("words of cpu")).collect();
    let parts = lines.iter().filter(|line| line.starts_with("| &emsp;words of cpu_")).count();
    assert_eq!(parts, 3, "parts are indented, and only below the fold: {lines:?}");
    let at = |id: &str| lines.iter().position(|line| line.contains(id)).expect("a row");
    assert!(at("cpu_encoding") > at("cpu_per_journey"));
}

#[test]
fn notes_stand_with_their_row_in_every_document() {
    let html = page::page(&run());
    assert!(html.contains("<br><span class=\"quiet\">B: bursts &lt; 5% of the seconds</span>"));
    let markdown = report::markdown::markdown(&run());
    assert!(markdown.contains("<br>B: bursts &lt; 5% of the seconds"), "{markdown}");
    let document = serde_json::to_value(report::document::document(&run(), None)).expect("JSON");
    assert_eq!(document["scorecard"][0]["notes"][0], "B: bursts < 5% of the seconds");
}

#[test]
fn markup_in_a_scenario_stays_text() {
    let html = page::page(&run());
    assert!(html.contains("&lt;script&gt;alert(1)") && !html.contains("<script>alert(1)"));
    let data =
        html.split("id=\"run\">").nth(1).and_then(|rest| rest.split("</script>").next()).expect("the data");
    let data: serde_json::Value = serde_json::from_str(data).expect("one JSON document");
    assert_eq!(data["document"]["verdict"], "fail");
    assert_eq!(data["document"]["checks"].as_array().map(Vec::len), Some(3));
    assert_eq!(data["series"][0]["B"]["latency_p50_ms"][12], 187.0);
}

/// Fourteen arms, of which the first is measured and worth having.
fn lines_of_sweep() -> Vec<record::Line> {
    let mut lines = crate::fixture::lines();
    if let record::Entry::Header(header) = &mut lines[0].entry {
        for letter in 'C'..='N' {
            let arm = record::Arm { letter, name: format!("arm {letter}"), ..header.arms[0].clone() };
            header.arms.push(arm);
        }
    }
    let scores: Vec<record::Score> = lines
        .iter()
        .filter_map(|line| match &line.entry {
            record::Entry::Score(score) => Some((**score).clone()),
            _ => None,
        })
        .collect();
    for (id, value) in [("pareto_front", 1.0), ("cpu_per_journey", 0.0041)] {
        let measured = record::Measured { value: Some(value), n: 1, ..record::Measured::default() };
        let arms = std::collections::BTreeMap::from([('A', measured)]);
        let score = record::Score { id: id.into(), arms, ..scores[0].clone() };
        lines.insert(1, record::Line { t: 0, entry: record::Entry::Score(Box::new(score)) });
    }
    lines
}

#[test]
fn a_sweep_of_many_arms_has_tables_and_no_charts() {
    let html = page::page(&reported(&lines_of_sweep()));
    assert!(!html.contains("<h2>Timeline") && !html.contains("href=\"#timeline\""));
    // A line for each of fourteen arms; those measured first, by what they cost.
    assert_eq!(html.matches("no other is better in everything").count(), 1);
    let lines: Vec<&str> =
        html.lines().filter(|line| line.starts_with("<tr><th") && line.contains("4.1ms")).collect();
    assert!(lines.len() == 1 && lines[0].contains("<th scope=\"row\">A mono</th>"), "{lines:?}");
    let markdown = report::markdown::markdown(&reported(&lines_of_sweep()));
    assert!(
        markdown.contains("| A mono | * |") && markdown.contains("| N arm N |  | - | - | - | - |"),
        "{markdown}"
    );
    assert!(html.contains("<h2>Topology") && parsed(&html).errors.borrow().is_empty());
}
