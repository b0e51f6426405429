//! Patterns of `.dockerignore`: a port of what moby/patternmatcher decides in `MatchesUsingParentResults`.
//!
//! They are not gitignore's: every pattern starts at the root, the last that matches wins, and an exception (`!x`)
//! brings back what lies under an excluded folder.

use regex::Regex;

/// A pattern that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid pattern")]
pub(super) struct PatternError(pub String);

/// Patterns in order.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    list: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    cleaned: String,
    exception: bool,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Exact,
    Prefix,
    Suffix,
    Expression(Regex),
}

/// Which patterns matched a folder: what its entries start from.
#[derive(Clone, Debug, Default)]
pub(super) struct Matched(Vec<bool>);

impl Patterns {
    /// # Errors
    /// The first pattern that is not valid.
    pub(super) fn new<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Result<Self, PatternError> {
        let mut list = Vec::new();
        for pattern in patterns {
            let trimmed = pattern.as_ref().trim();
            if !trimmed.is_empty() {
                list.push(Pattern::new(trimmed)?);
            }
        }
        Ok(Self { list })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether the path matches, given what its folder matched; the root's entries start from nothing.
    pub(super) fn matches(&self, path: &str, parent: Option<&Matched>) -> (bool, Matched) {
        let mut matched = false;
        let mut info = vec![false; self.list.len()];
        for (number, pattern) in self.list.iter().enumerate() {
            let inherited = parent.is_some_and(|parent| parent.0.get(number) == Some(&true));
            if !inherited && pattern.exception != matched {
                continue;
            }
            let hit = inherited || pattern.matches(path);
            info[number] = hit;
            if hit {
                matched = !pattern.exception;
            }
        }
        (matched, Matched(info))
    }

    /// False where no pattern could match anything inside this folder, which does not match itself.
    pub(super) fn may_match_inside(&self, folder: &str) -> bool {
        reaches_inside(self.list.iter().filter(|pattern| !pattern.exception), folder)
    }

    /// False where no exception could bring back anything inside this folder, which matches itself.
    pub(super) fn may_except_inside(&self, folder: &str) -> bool {
        reaches_inside(self.list.iter().filter(|pattern| pattern.exception), folder)
    }
}

fn reaches_inside<'a>(mut patterns: impl Iterator<Item = &'a Pattern>, folder: &str) -> bool {
    let inside = format!("{folder}/");
    patterns.any(|pattern| {
        let stem = pattern.cleaned.trim_end_matches("/**").trim_end_matches("/*");
        stem.contains(['*', '[', ']', '?', '^', '\\']) || format!("{stem}/").starts_with(&inside)
    })
}

impl Pattern {
    fn new(text: &str) -> Result<Self, PatternError> {
        let invalid = || PatternError(text.to_owned());
        let cleaned = clean(text);
        let (exception, cleaned) = match cleaned.strip_prefix('!') {
            Some("") => return Err(invalid()),
            Some(rest) => (true, rest.to_owned()),
            None => (false, cleaned),
        };
        if !is_valid(&cleaned) {
            return Err(invalid());
        }
        let test = compile(&cleaned).ok_or_else(invalid)?;
        Ok(Self { cleaned, exception, test })
    }

    fn matches(&self, path: &str) -> bool {
        match &self.test {
            Test::Exact => path == self.cleaned,
            Test::Prefix => path.starts_with(self.cleaned.trim_end_matches('*')),
            Test::Suffix => {
                let suffix = self.cleaned.get(2..).unwrap_or_default();
                path.ends_with(suffix) || suffix.strip_prefix('/') == Some(path)
            }
            Test::Expression(expression) => expression.is_match(path),
        }
    }
}

/// The pattern as a test; `None` where the expression is not valid.
fn compile(pattern: &str) -> Option<Test> {
    let mut expression = String::from("^");
    let mut characters = pattern.chars().peekable();
    let (mut plain, mut suffix, mut first, mut in_class) = (true, false, true, false);
    while let Some(c) = characters.next() {
        match c {
            ']' if in_class => {
                in_class = false;
                expression.push(']');
            }
            '\\' => push_literal(&mut expression, characters.next().unwrap_or('\\'), &mut plain),
            // set operations and nested classes are not known to Go's expressions
            '[' | '&' | '~' if in_class => expression.extend(['\\', c]),
            c if in_class => expression.push(c),
            '[' => {
                (in_class, plain, suffix) = (true, false, false);
                expression.push('[');
            }
            '*' if characters.next_if_eq(&'*').is_some() => {
                characters.next_if_eq(&'/');
                if characters.peek().is_none() {
                    if plain && !first {
                        return Some(Test::Prefix);
                    }
                    expression.push_str(".*");
                    suffix = false;
                } else {
                    expression.push_str("(.*/)?");
                    suffix = first;
                }
                plain = false;
            }
            '*' | '?' => {
                expression.push_str(if c == '*' { "[^/]*" } else { "[^/]" });
                (plain, suffix) = (false, false);
            }
            // upstream leaves it to the expression, where it matches nothing in the middle
            '^' => expression.push('^'),
            c => expression.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
        first = false;
    }
    if suffix {
        return Some(Test::Suffix);
    }
    if plain {
        return Some(Test::Exact);
    }
    expression.push('$');
    Regex::new(&expression).ok().map(Test::Expression)
}

fn push_literal(expression: &mut String, c: char, plain: &mut bool) {
    expression.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    *plain = false;
}

/// As Go's `filepath.Match` judges a pattern.
fn is_valid(pattern: &str) -> bool {
    let mut characters = pattern.chars().peekable();
    while let Some(c) = characters.next() {
        let valid = match c {
            '\\' => characters.next().is_some(),
            '[' => is_valid_class(&mut characters),
            _ => true,
        };
        if !valid {
            return false;
        }
    }
    true
}

fn is_valid_class(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    characters.next_if_eq(&'^');
    let mut ranges = 0;
    loop {
        if ranges > 0 && characters.next_if_eq(&']').is_some() {
            return true;
        }
        let bound = |characters: &mut std::iter::Peekable<std::str::Chars<'_>>| match characters.next() {
            None | Some('-' | ']') => false,
            Some('\\') => characters.next().is_some(),
            Some(_) => true,
        };
        if !bound(characters) || (characters.next_if_eq(&'-').is_some() && !bound(characters)) {
            return false;
        }
        ranges += 1;
    }
}

/// Go's `path.Clean`: no double slashes, no `.`, `..` resolved as far as it goes.
pub(super) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(patterns: &[&str], path: &str) -> bool {
        let patterns = Patterns::new(patterns).unwrap_or_else(|error| panic!("{patterns:?}: {error}"));
        // the way of the walk: from the root down, each from its folder's result
        let mut parent = None;
        let mut decided = false;
        for (end, _) in path.match_indices('/').chain([(path.len(), "")]) {
            let (matched, info) = patterns.matches(&path[..end], parent.as_ref());
            (decided, parent) = (matched, Some(info));
        }
        decided
    }

    #[test]
    fn single_patterns_match_as_upstream() {
        for (pattern, path, expected) in [
            ("**", "file", true),
            ("**", "dir/file", true),
            ("**/", "dir/file", true),
            ("**/**", "dir/file", true),
            ("dir/**", "dir/file", true),
            ("dir/**", "dir/dir2/file", true),
            ("dir/**", "dirx", false),
            ("**/dir", "dir", true),
            ("**/dir", "a/dir/file", true),
            ("**/dir2/*", "dir/dir2/file", true),
            ("**/dir2/*", "dir/dir2/dir2/file", true),
            ("**/dir2/**", "dir/dir2/dir2/file", true),
            ("**file", "file", true),
            ("**file", "dir/file", true),
            ("**file", "dir/filex", false),
            ("**/file*", "dir/dir/file.txt", true),
            ("**/**/*.txt", "dir/dir/file.txt", true),
            ("a**/*.txt", "a/dir/dir/file.txt", true),
            ("a/**/*.txt", "a/file.txt", true),
            ("a/**/*.txt", "b/file.txt", false),
            ("a**/", "abc", true),
            ("/**/*", "x", false),
            ("*", "dir/file", true),
            ("*.go", "a.go", true),
            ("*.go", "dir/a.go", false),
            ("f?le", "file", true),
            ("f?le", "f/le", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("a[b&&c]d", "a&d", true),
            ("a.|)$(}+{bc", "a.|)$(}+{bc", true),
            ("dir/../file", "file", true),
            ("./file/", "file", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "acb", false),
            ("abc.def", "abcZdef", false),
            ("abc/.*", "abc/.x", true),
            ("**/foo/bar", "foo/bar", true),
            ("**/foo/bar", "foo/bara", false),
            ("**/foo/bar", "x/foo/bar/y", true),
            ("**/.foo", "bar.foo", false),
            ("foo", "foobar", false),
            ("foo", "foo/bar/baz", true),
            ("/foo", "foo", false),
            ("ä*", "äx", true),
        ] {
            assert_eq!(decide(&[pattern], path), expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn the_last_match_wins() {
        for (patterns, path, expected) in [
            (&["**/*.md", "!README.md"][..], "README.md", false),
            (&["**/*.md", "!README.md"], "docs/README.md", true),
            (&["docs", "!docs/README.md"], "docs/README.md", false),
            (&["docs", "!docs/README.md"], "docs/x.md", true),
            (&["docs", "!docs", "docs/x"], "docs/x", true),
            (&["*", "!src/**"], "src/a/b.rs", false),
            (&["*", "!src"], "src/a/b.rs", false),
            (&["*", "!src"], "other", true),
            (&["a/b/c", "!a"], "a/b/c", true),
            (&["a/b", "!a", "a/b/c"], "a/b/c", true),
            (&["!x"], "x", false),
            (&["**", "!util/**"], "util/x/y", false),
            (&["**", "!*.x"], "d/a.x", true),
        ] {
            assert_eq!(decide(patterns, path), expected, "{patterns:?} on {path}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        for pattern in ["!", "[", "[]a]", "[a", "a[^", "[-]", "[x-]", "[a-b-c]", "a\\", "[z-a]"] {
            assert!(Patterns::new([pattern]).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_folder_is_entered_only_where_something_may_match() {
        let patterns = Patterns::new(["src/app/*.rs", "docs", "!docs/api"]).unwrap();
        assert!(patterns.may_match_inside("anything"), "a wildcard may reach anywhere");
        let patterns = Patterns::new(["src/app/**", "docs", "!docs/api"]).unwrap();
        for (folder, inside) in [("src", true), ("src/app", true), ("srcs", false), ("docs", true), ("lib", false)] {
            assert_eq!(patterns.may_match_inside(folder), inside, "{folder}");
        }
        assert!(patterns.may_except_inside("docs"));
        assert!(!patterns.may_except_inside("docs/apis"));
    }

    #[test]
    fn paths_are_cleaned_as_go_does() {
        for (path, expected) in
            [("", "."), ("a//b/./c/..", "a/b"), ("../a", "../a"), ("/../a", "/a"), ("a/../..", ".."), ("!./a", "!./a")]
        {
            assert_eq!(clean(path), expected, "{path}");
        }
    }
}
