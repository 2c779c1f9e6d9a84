//! What only some machines let us do is done, or reported as left out.

use record::{Entry, EventKind};

use crate::cleave::{Cleave, is_starved, lints};

fn scenario(step: &str, symptom: &str) -> String {
    format!(
        r#"schema = 1
name   = "kernel"
title  = "The kernel does it"
why    = "Nothing in the process knows"
phases = [{{ name = "steady", for = "6s" }}]

[load]
rate = "60/s"
size = "tiny"
mix  = {{ home-feed = 1 }}

[topology.micro]
processes = {{ each = ["*"] }}

[policy."*->*"]
attempts = 1

[[step]]
id  = "fault"
in  = "steady"
at  = "+1s"
for = "4s"
{step}
symptom = "{symptom}"

[expect]
check = ["attempts(feed->photo) in steady <= 1.5"]
"#
    )
}

#[test]
fn packets_are_lost_and_processors_cut_where_the_machine_allows_it() {
    for (step, symptom) in [
        ("do = \"packet-loss\"\non = \"feed->photo\"\nloss = \"20%\"", "p95(home-feed) >= 150ms"),
        ("do = \"cpu-quota\"\non = \"feed\"\nquota = \"2%\"", "goodput(home-feed) <= 80%"),
    ] {
        let cleave = Cleave::wide();
        let file = cleave.folder().join("kernel.toml");
        std::fs::write(&file, scenario(step, symptom)).expect("a folder of ours");
        let (document, lines) = cleave.document(&[&file.to_string_lossy()]);
        let found = lints(&document);
        // Packet loss that cannot be had never begins, and is shown nowhere as in force.
        let is_fault = |entry: &Entry| matches!(entry, Entry::Event(event) if event.what == EventKind::Fault);
        let has_begun = lines.iter().any(|line| is_fault(&line.entry));
        let is_degraded = found.iter().any(|name| name == "degraded");
        assert!(has_begun != (is_degraded && step.contains("packet-loss")), "{step}: {}", document["lints"]);
        let verdict = if is_degraded { "inconclusive" } else { "pass" };
        let seen = !found.iter().any(|name| name == "no_symptom" || name == "fault_without_hits");
        assert!(seen, "{step}: {}", document["lints"]);
        assert!(document["verdict"] == verdict || is_starved(&document), "{step}: {}", document["lints"]);
    }
}
