//! Circles of files inside a crate: files that use each other, directly or around a corner, can only be understood
//! together. Uses are read from paths that begin with `crate::` or `super::`; what a crate's root hands on counts for
//! the file that defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Crates with circles: how many, and the files of the largest. Fewer are welcome, more are not; a crate that is not
/// listed has none.
const KNOWN: &[(&str, usize, usize)] = &[("platform/transport", 1, 2)];

pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// A crate's modules by path, `index::file`, with their code: without comments, and up to their tests.
pub fn modules_below(folder: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            modules_below(&path, &format!("{prefix}{name}::"), found);
        } else if let Some(stem) = name.strip_suffix(".rs") {
            let module = format!("{prefix}{stem}");
            let module = module.strip_suffix("::mod").unwrap_or(&module).to_owned();
            let text = std::fs::read_to_string(&path).expect("a readable source");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let is_code = |line: &&str| !line.trim_start().starts_with("//");
            found.insert(module, code.lines().filter(is_code).collect::<Vec<_>>().join("\n"));
        }
    }
}

/// Public names and the modules that define them; a name of two modules is left out.
fn definitions(modules: &BTreeMap<String, String>) -> BTreeMap<&str, Option<&str>> {
    const KINDS: [&str; 7] = ["struct", "enum", "trait", "type", "const", "fn", "static"];
    let mut found = BTreeMap::new();
    for (module, code) in modules {
        for line in code.lines().filter(|line| line.starts_with("pub")) {
            let mut words =
                line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
            // `pub const fn`, `pub async fn`: the last kind counts.
            if words.any(|word| KINDS.contains(&word))
                && let Some(name) = words.find(|word| !KINDS.contains(word))
            {
                found.entry(name).and_modify(|known| *known = None).or_insert(Some(module.as_str()));
            }
        }
    }
    found
}

/// The paths of a use that begins here: `a::{b, c::d}` are `a::b` and `a::c::d`. Returns what follows.
fn paths<'t>(text: &'t str, prefix: &str, found: &mut Vec<String>) -> &'t str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(text.len());
    let path = format!("{prefix}{}", &text[..end]);
    let Some(mut rest) = text[end..].strip_prefix('{') else {
        found.push(path);
        return &text[end..];
    };
    loop {
        rest = paths(rest.trim_start(), &path, found);
        // An alias, up to the next path or the end of the group.
        rest = &rest[rest.find([',', '}']).unwrap_or(rest.len())..];
        match rest.strip_prefix(',') {
            Some(more) if !more.trim_start().starts_with('}') => rest = more,
            _ => return rest.find('}').map_or("", |end| &rest[end + 1..]),
        }
    }
}

/// The files that each file uses.
pub fn graph(modules: &BTreeMap<String, String>) -> Graph {
    let definitions = definitions(modules);
    let mut graph = Graph::new();
    for (module, code) in modules {
        let uses = graph.entry(module.clone()).or_default();
        for (start, parent) in
            [("crate::", None), ("super::", module.rsplit_once("::").map(|(parent, _)| parent))]
        {
            let prefix = parent.map_or_else(String::new, |parent| format!("{parent}::"));
            for (at, _) in code.match_indices(start) {
                let mut found = Vec::new();
                paths(&code[at + start.len()..], &prefix, &mut found);
                for path in found {
                    let parts: Vec<&str> = path.split("::").filter(|part| !part.is_empty()).collect();
                    let mut prefixes = (1..=parts.len()).rev().map(|length| parts[..length].join("::"));
                    let file = prefixes.find(|prefix| modules.contains_key(prefix));
                    let defined = || definitions.get(*parts.first()?).copied().flatten().map(str::to_owned);
                    uses.extend(file.or_else(defined).filter(|used| used != module));
                }
            }
        }
    }
    graph
}

/// Files that a file uses, directly or around a corner.
fn reachable<'g>(graph: &'g Graph, from: &'g str) -> BTreeSet<&'g str> {
    let (mut open, mut seen) = (vec![from], BTreeSet::new());
    while let Some(module) = open.pop() {
        for used in graph.get(module).into_iter().flatten() {
            if seen.insert(used.as_str()) {
                open.push(used);
            }
        }
    }
    seen
}

/// The circles of a crate, each with its files.
fn circles(modules: &BTreeMap<String, String>) -> BTreeSet<BTreeSet<String>> {
    let graph = graph(modules);
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        graph.keys().map(|module| (module.as_str(), reachable(&graph, module))).collect();
    let in_circles = reach.iter().filter(|(module, reached)| reached.contains(*module));
    in_circles
        .map(|(module, reached)| {
            let circle = reached.iter().filter(|other| reach[*other].contains(module));
            circle.map(|other| (*other).to_owned()).collect()
        })
        .collect()
}

fn crates_below(root: &Path, folder: &Path, found: &mut BTreeMap<String, BTreeMap<String, String>>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let is_skipped = ["target", "runs", "src", "tests"].iter().any(|skip| name == *skip);
        if path.is_dir() && !is_skipped && !name.to_string_lossy().starts_with('.') {
            let src = path.join("src");
            if path.join("Cargo.toml").is_file() && src.is_dir() {
                let mut modules = BTreeMap::new();
                modules_below(&src, "", &mut modules);
                // A library's root hands names on; a program's is the top.
                modules.remove("lib");
                let name = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
                found.insert(name, modules);
            }
            crates_below(root, &path, found);
        }
    }
}

#[test]
fn no_crate_gets_a_circle_of_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("lab lies in the workspace");
    let mut crates = BTreeMap::new();
    crates_below(root, root, &mut crates);
    assert!(crates.len() >= 25, "only {} crates found", crates.len());
    let mut found = Vec::new();
    for (name, modules) in &crates {
        let circles = circles(modules);
        let (_, count, largest) = KNOWN.iter().find(|(known, ..)| known == name).unwrap_or(&("", 0, 0));
        if circles.len() > *count || circles.iter().any(|circle| circle.len() > *largest) {
            found.push(format!("{name} has circles of files: {circles:?}"));
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn a_planted_circle_is_found() {
    let modules = |sources: &[(&str, &str)]| -> BTreeMap<String, String> {
        sources.iter().map(|(module, code)| ((*module).to_owned(), (*code).to_owned())).collect()
    };
    let line = ("line", "use crate::{Score, index::Place};\npub struct Line;");
    let score = ("score", "pub struct Score;");
    let index = ("index", "pub struct Place;");
    assert!(circles(&modules(&[line, score, index])).is_empty());
    let back = ("index::file", "use super::{Index, super::line};\nfn f() { crate::Line; }");
    let index = ("index", "use self::file;\npub struct Place;\nfn g() { crate::index::file::f() }");
    let found = circles(&modules(&[line, score, index, back]));
    let names: Vec<Vec<&str>> =
        found.iter().map(|circle| circle.iter().map(String::as_str).collect()).collect();
    assert_eq!(names, [["index", "index::file", "line"]]);
}
