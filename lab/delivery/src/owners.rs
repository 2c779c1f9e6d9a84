//! A CODEOWNERS file, and who owns a path: the last line that matches it decides.
//!
//! Patterns are those of GitHub ("About code owners"): as in `.gitignore`, without `!` and `[ ]`, and `folder/*` matches
//! the files of a folder and none below.

/// The lines of an owners file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    rules: Vec<Rule>,
    /// Lines that are skipped, as GitHub skips them, each with its number and the reason.
    pub skipped: Vec<(usize, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    pattern: Pattern,
    owners: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    /// Names between slashes; `**` stands for any number of folders.
    segments: Vec<String>,
    scope: Scope,
}

/// What a pattern has to do with paths below what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// It matches these as well: `/docs`.
    SelfAndBelow,
    /// It matches only these: `/docs/`.
    Below,
    /// It matches none of them: `/docs/*`.
    Exact,
}

impl Owners {
    /// Reads an owners file.
    pub fn read(text: &str) -> Self {
        let mut owners = Self::default();
        for (at, line) in text.lines().enumerate() {
            let words = words(line);
            let Some((pattern, rest)) = words.split_first() else { continue };
            match rule(pattern, rest) {
                Ok(rule) => owners.rules.push(rule),
                Err(reason) => owners.skipped.push((at + 1, reason)),
            }
        }
        owners
    }

    /// Who owns a path, which is relative to the root of the repository; no name where none is given.
    pub fn of(&self, path: &str) -> &[String] {
        let path: Vec<&str> = path.split('/').collect();
        let last = self.rules.iter().rev().find(|rule| rule.pattern.matches(&path));
        last.map_or(&[], |rule| &rule.owners)
    }
}

/// The words of a line, up to its comment. A backslash keeps a space in a word.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut characters) = (Vec::new(), String::new(), line.chars().peekable());
    while let Some(c) = characters.next() {
        match c {
            '\\' if characters.peek().is_some_and(|next| next.is_whitespace()) => {
                word.extend(characters.next());
            }
            '#' if word.is_empty() => break,
            c if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

fn rule(pattern: &str, owners: &[String]) -> Result<Rule, String> {
    if pattern.starts_with('!') || pattern.contains('[') || pattern.contains(']') {
        return Err(format!("pattern `{pattern}` has `!` or `[ ]`, which owners files do not know"));
    }
    if let Some(owner) = owners.iter().find(|owner| !owner.contains('@')) {
        return Err(format!("invalid owner `{owner}`: expected @user, @organisation/team or an address"));
    }
    Ok(Rule { pattern: Pattern::of(pattern), owners: owners.to_vec() })
}

impl Pattern {
    fn of(text: &str) -> Self {
        let (text, is_folder) = text.strip_suffix('/').map_or((text, false), |folder| (folder, true));
        // A slash before the last name ties the pattern to the root.
        let is_anchored = text.contains('/');
        let names = text.split('/').filter(|name| !name.is_empty()).map(str::to_owned);
        let segments: Vec<String> = if is_anchored {
            names.collect()
        } else {
            std::iter::once("**".to_owned()).chain(names).collect()
        };
        let scope = match segments.last().map(String::as_str) {
            _ if is_folder => Scope::Below,
            Some("*") if is_anchored => Scope::Exact,
            _ => Scope::SelfAndBelow,
        };
        Self { segments, scope }
    }

    fn matches(&self, path: &[&str]) -> bool {
        self.matches_from(&self.segments, path)
    }

    fn matches_from(&self, segments: &[String], path: &[&str]) -> bool {
        let Some((segment, rest)) = segments.split_first() else {
            return match self.scope {
                Scope::SelfAndBelow => true,
                Scope::Below => !path.is_empty(),
                Scope::Exact => path.is_empty(),
            };
        };
        if segment == "**" {
            return (0..=path.len()).any(|skipped| self.matches_from(rest, &path[skipped..]));
        }
        path.split_first().is_some_and(|(name, below)| {
            let (pattern, name): (Vec<char>, Vec<char>) = (segment.chars().collect(), name.chars().collect());
            matches_name(&pattern, &name) && self.matches_from(rest, below)
        })
    }
}

/// Whether a name fits a pattern in which `*` stands for any characters and `?` for one.
fn matches_name(pattern: &[char], name: &[char]) -> bool {
    // Where the last star stood, and how much of the name it has taken.
    let (mut at, mut read, mut star) = (0, 0, None);
    while read < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(c) if *c == '?' || *c == name[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                read = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}
