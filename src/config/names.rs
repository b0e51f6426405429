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
}
