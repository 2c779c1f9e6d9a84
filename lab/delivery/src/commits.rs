//! What `git log --name-only` prints, read.

/// The format that [`read`] takes, for `git log --format`: no path has a zero byte.
pub const FORMAT: &str = "%x00%H";

/// A commit and the files it touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: String,
    /// Paths relative to the root of the repository.
    pub files: Vec<String>,
}

/// The commits of a log in [`FORMAT`] with `--name-only`, in its order.
pub fn read(log: &str) -> Vec<Commit> {
    let mut commits: Vec<Commit> = Vec::new();
    for line in log.lines() {
        if let Some(id) = line.strip_prefix('\0') {
            commits.push(Commit { id: id.to_owned(), files: Vec::new() });
        } else if let Some(commit) = commits.last_mut().filter(|_| !line.is_empty()) {
            commit.files.push(unquoted(line));
        }
    }
    commits
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
