//! The topology as a mermaid diagram: an arm holds processes, a process components; dotted arrows are function calls.

use model::edges::EdgeRow;
use model::format::{count, printable, value};
use model::{Run, Window};
use record::{Arm, Instance};

use super::parts::Part;

/// A diagram of more arms than these cannot be read.
const MAX_ARMS: usize = 4;

/// The diagram.
pub(super) fn topology(run: &Run) -> Part {
    let mut part = Part::code("mermaid");
    let arms = &run.header.arms;
    if arms.is_empty() || arms.len() > MAX_ARMS {
        return part;
    }
    part.rows.push("flowchart LR\n".to_owned());
    // Cut as a whole or not at all: half a diagram is none.
    let drawn: String =
        arms.iter().map(|arm| drawn(arm, &run.edge_rows(arm.letter, &Window::Whole))).collect();
    part.rows[0].push_str(&drawn);
    part
}

fn drawn(arm: &Arm, rows: &[EdgeRow]) -> String {
    let mut text = format!("subgraph {}[\"{} {}\"]\n", arm.letter, arm.letter, label(&arm.name));
    for (process, copies) in processes(arm) {
        let count: u32 = copies.iter().map(|instance| instance.copies).sum();
        let times = if count > 1 { format!(" x{count}") } else { String::new() };
        text += &format!(
            "subgraph {}[\"{}{times}\"]\n",
            id(arm.letter, &format!("in {process}")),
            label(process)
        );
        for component in &copies[0].hosts {
            text += &format!("{}[\"{}\"]\n", id(arm.letter, component), label(component));
        }
        text += "end\n";
    }
    text += "end\n";
    let known =
        |name: &str| arm.instances.iter().any(|instance| instance.hosts.iter().any(|host| host == name));
    let edges =
        arm.local_edges.iter().map(|edge| (edge, true)).chain(arm.remote_edges.iter().map(|e| (e, false)));
    for (edge, is_local) in edges {
        let Some((caller, callee)) = edge.split_once("->").filter(|(a, b)| known(a) && known(b)) else {
            continue;
        };
        let (from, to) = (id(arm.letter, caller), id(arm.letter, callee));
        let row = rows.iter().find(|row| row.caller == caller && row.callee == callee);
        text += &match row {
            _ if is_local => format!("{from} -.-> {to}\n"),
            None => format!("{from} --> {to}\n"),
            Some(row) => format!(
                "{from} -->|\"{}/s, {} failed\"| {to}\n",
                count(row.rate()),
                value(row.error_ratio(), "%")
            ),
        };
    }
    text
}

/// Processes with their copies, in the order of the plan: `app#0` and `app#1` are copies of `app`.
fn processes(arm: &Arm) -> Vec<(&str, Vec<&Instance>)> {
    let mut processes: Vec<(&str, Vec<&Instance>)> = Vec::new();
    for instance in &arm.instances {
        let name = instance.process();
        match processes.iter_mut().find(|(process, _)| *process == name) {
            Some((_, copies)) => copies.push(instance),
            None => processes.push((name, vec![instance])),
        }
    }
    processes
}

/// A name mermaid takes for one.
fn id(letter: char, name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("{letter}_{}", name.chars().map(plain).collect::<String>())
}

/// Text that does not end its quotes nor the block of code, and does nothing to a terminal.
fn label(text: &str) -> String {
    printable(&text.replace(['"', '`'], "'").replace('\n', " ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_one_box_and_function_calls_are_dotted() {
        let instance = |name: &str, hosts: &[&str]| Instance {
            name: name.into(),
            copies: 1,
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            port: 1,
            public_port: None,
        };
        let arm = Arm {
            letter: 'B',
            name: "x3".into(),
            topology: "x3".into(),
            instances: vec![
                instance("gateway#0", &["gateway"]),
                instance("app#0", &["feed", "photo"]),
                instance("app#1", &["feed", "photo"]),
            ],
            local_edges: vec!["feed->photo".into()],
            remote_edges: vec!["gateway->feed".into(), "gateway->gone".into()],
            databases: 1,
            config_keys: 1,
            ready_ms: 1,
            ..Arm::default()
        };
        let text = drawn(&arm, &[]);
        assert!(
            text.contains("subgraph B_in_app[\"app x2\"]") && text.matches("B_feed[").count() == 1,
            "{text}"
        );
        assert!(text.contains("B_feed -.-> B_photo\n") && text.contains("B_gateway --> B_feed\n"), "{text}");
        assert!(!text.contains("gone"), "{text}");
    }
}
