//! What `git log --name-status` prints, read.

use std::collections::BTreeMap;

/// The format that [`read`] takes, for `git log --format`: no path has a zero byte.
pub const FORMAT: &str = "%x00%H";

/// A commit and the files it touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: String,
    /// Paths relative to the root of the repository, as the newest commit has them; of a file that this commit moved, the path it
    /// had before as well.
    pub files: Vec<String>,
}

/// The commits of a log in [`FORMAT`] with `--name-status`, the newest first, as git prints it. A file that was moved is followed
/// into the commits before, where the log shows the move (`--find-renames`).
pub fn read(log: &str) -> Vec<Commit> {
    let mut commits: Vec<Commit> = Vec::new();
    let mut moves = Moves::default();
    for line in log.lines() {
        if let Some(id) = line.strip_prefix('\0') {
            moves.end_commit();
            commits.push(Commit { id: id.to_owned(), files: Vec::new() });
        } else if let (Some(commit), Some((status, paths))) = (commits.last_mut(), line.split_once('\t')) {
            moves.add(status, paths, &mut commit.files);
        }
    }
    commits
}

/// Where files of the commits that come next, which are older, are by now.
#[derive(Default)]
struct Moves {
    /// By the path they had.
    paths: BTreeMap<String, String>,
    /// Paths that the commit has made: an older file of that path is another one.
    made: Vec<String>,
    /// What the commit has moved: the path before, and the one by now.
    moved: Vec<(String, String)>,
}

impl Moves {
    /// Adds the paths of a line: a status, and one path; of a move or a copy, two.
    fn add(&mut self, status: &str, paths: &str, files: &mut Vec<String>) {
        // A tab in a path is quoted.
        let (before, path) = match paths.split_once('\t') {
            Some((before, path)) => (Some(unquoted(before)), unquoted(path)),
            None => (None, unquoted(paths)),
        };
        let now = self.paths.get(&path).unwrap_or(&path).clone();
        match before {
            Some(before) if status.starts_with('R') => {
                files.push(before.clone());
                self.moved.push((before, now.clone()));
                self.made.push(path);
            }
            Some(_) => self.made.push(path),
            None if status == "A" => self.made.push(path),
            None => {}
        }
        files.push(now);
    }

    /// What a commit has moved counts for the ones before it.
    fn end_commit(&mut self) {
        for path in self.made.drain(..) {
            self.paths.remove(&path);
        }
        self.paths.extend(self.moved.drain(..));
    }
}

/// A path as git writes it: one with quotes, backslashes or control characters is in quotes (git-config(1), core.quotePath).
fn unquoted(path: &str) -> String {
    let Some(inner) = path.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return path.to_owned();
    };
    let (mut bytes, mut rest) = (Vec::new(), inner.bytes().peekable());
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(digit @ b'0'..=b'7') => {
                let mut value = u32::from(digit - b'0');
                for _ in 0..2 {
                    let Some(digit) = rest.next_if(|next| (b'0'..=b'7').contains(next)) else { break };
                    value = value * 8 + u32::from(digit - b'0');
                }
                bytes.push(u8::try_from(value).unwrap_or(b'?'));
            }
            Some(letter) => bytes.push(match letter {
                b'a' => 7,
                b'b' => 8,
                b't' => b'\t',
                b'n' => b'\n',
                b'v' => 11,
                b'f' => 12,
                b'r' => b'\r',
                other => other,
            }),
            None => bytes.push(b'\\'),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
