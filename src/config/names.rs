//! Names made out of other names.

const LONGEST_LABEL: usize = 63;

/// A DNS label (RFC 1123) made of any text: lower case, what it may not hold becomes `-`, at most 63 characters. None where
/// nothing is left.
pub(super) fn dns_label(text: &str) -> Option<String> {
    let mapped: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(LONGEST_LABEL)
        .collect();
    let label = mapped.trim_matches('-');
    if label.is_empty() { None } else { Some(label.to_owned()) }
}

/// True for what Kubernetes takes as a namespace and as an app's label.
pub(super) fn is_dns_label(text: &str) -> bool {
    dns_label(text).is_some_and(|label| label == text)
}

/// The last part of a remote's URL, without `.git`.
pub(super) fn of_remote(url: &str) -> Option<String> {
    let last = url.trim_end_matches('/').rsplit(['/', ':']).next()?;
    dns_label(last.strip_suffix(".git").unwrap_or(last))
}

/// The known name that `typed` is most likely a slip of: at most two edits away, or one in three letters.
pub(super) fn nearest<'k>(typed: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let limit = (typed.chars().count() / 3).clamp(1, 3);
    known.map(|name| (distance(typed, name), name)).filter(|(edits, _)| *edits <= limit).min().map(|(_, name)| name)
}

/// Edits (insert, delete, replace, swap of neighbours) from one text to the other.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows = vec![(0..=other.len()).collect::<Vec<usize>>()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(a != b);
            let mut best = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_labels() {
        for (text, label) in [
            ("Demo", Some("demo")),
            ("my_app.js", Some("my-app-js")),
            ("--x--", Some("x")),
            ("ünder", Some("nder")),
            ("___", None),
            ("", None),
        ] {
            assert_eq!(dns_label(text).as_deref(), label, "{text}");
        }
        assert_eq!(dns_label(&"a".repeat(80)).map(|label| label.len()), Some(63));
    }

    #[test]
    fn an_app_is_named_after_its_remote() {
        for (url, name) in [
            ("https://git.example.com/team/demo.git", "demo"),
            ("git@github.com:team/My_App.git", "my-app"),
            ("git@host:demo", "demo"),
            ("/srv/git/demo/", "demo"),
        ] {
            assert_eq!(of_remote(url).as_deref(), Some(name), "{url}");
        }
    }

    #[test]
    fn slips_are_told_from_other_words() {
        let known = ["app", "images", "manifests", "environments", "blue_green"];
        for (typed, meant) in [
            ("image", Some("images")),
            ("enviroments", Some("environments")), // typos: ignore
            ("bluegreen", Some("blue_green")),
            ("blue-green", Some("blue_green")),
            ("apps", Some("app")),
            ("manifets", Some("manifests")),
            ("replicas", None),
        ] {
            assert_eq!(nearest(typed, known.into_iter()), meant, "{typed}");
        }
    }
}
