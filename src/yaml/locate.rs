//! Where a field stands: the text is parsed again, since this is asked only when something is wrong.

use std::ops::ControlFlow;

use super::{
    document::key_text,
    node::{Content, Mark, Node, each_document},
};
use crate::model::{FieldPath, PathStep, Place, SourceText};

/// The place of the field: of its key, or of the item in a list. `document` counts as in
/// [`DocumentRef`](crate::model::DocumentRef). None where there is no such field.
pub(crate) fn locate(text: &SourceText, document: usize, path: &FieldPath) -> Option<Place> {
    let (mark, found) = find(text, document, path)?;
    (found == path.0.len()).then(|| mark.place(text))
}

/// The place of the field, or of what stands nearest above it.
pub(crate) fn nearest(text: &SourceText, document: usize, path: &FieldPath) -> Option<Place> {
    find(text, document, path).map(|(mark, _)| mark.place(text))
}

/// The place of the deepest step there is, and how many steps lead to it.
fn find(text: &SourceText, document: usize, path: &FieldPath) -> Option<(Mark, usize)> {
    let mut number = 0;
    let mut found = None;
    // what was read before a fault further down counts
    let _ = each_document(text, |root| {
        if number == document {
            found = Some(walk(&root, &path.0));
        }
        number += 1;
        Ok(())
    });
    found
}

fn walk(root: &Node, steps: &[PathStep]) -> (Mark, usize) {
    let walked = steps.iter().try_fold((root, root.at, 0), |(node, mark, depth), step| match child(node, step) {
        Some((mark, node)) => ControlFlow::Continue((node, mark, depth + 1)),
        None => ControlFlow::Break((mark, depth)),
    });
    match walked {
        ControlFlow::Continue((_, mark, depth)) => (mark, depth),
        ControlFlow::Break(end) => end,
    }
}

fn child<'n>(node: &'n Node, step: &PathStep) -> Option<(Mark, &'n Node)> {
    match (&node.target().content, step) {
        (Content::Sequence(items), PathStep::Index(index)) => items.get(*index).map(|item| (item.at, item)),
        (Content::Mapping(entries), PathStep::Key(key)) => entry(entries, key, 0),
        _ => None,
    }
}

/// The last entry wins, be it the mapping's own or a merged one.
fn entry<'n>(entries: &'n [(Node, Node)], wanted: &str, depth: usize) -> Option<(Mark, &'n Node)> {
    entries.iter().rev().find_map(|(key, value)| match &key.content {
        Content::Merge if depth < super::node::DEEPEST => merged(value, wanted, depth + 1),
        Content::Merge => None,
        _ => (key_text(key).as_deref() == Ok(wanted)).then_some((key.at, value)),
    })
}

fn merged<'n>(value: &'n Node, wanted: &str, depth: usize) -> Option<(Mark, &'n Node)> {
    match &value.target().content {
        Content::Mapping(entries) => entry(entries, wanted, depth),
        Content::Sequence(items) => items.iter().find_map(|item| match &item.target().content {
            Content::Mapping(entries) => entry(entries, wanted, depth),
            _ => None,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "kind: A
---
# a comment
kind: Deployment
base: &base
  memory: 1
spec:
  containers:
  - name: web
    image: x   # here
  - {name: side, <<: *base}
  twice: 1
  twice: 2
";

    fn text(content: &str) -> SourceText {
        SourceText { name: "a.yaml".into(), text: content.into() }
    }

    #[test]
    fn fields_are_found() {
        for (path, line, column) in [
            ("kind", 4, 1),
            ("spec", 7, 1),
            ("spec.containers[0]", 9, 5),
            ("spec.containers[0].image", 10, 5),
            ("spec.containers[1].name", 11, 6),
            ("spec.containers[1].memory", 6, 3),
            ("spec.twice", 13, 3),
            ("", 4, 1),
        ] {
            let place = locate(&text(YAML), 1, &FieldPath::parse(path)).unwrap_or_else(|| panic!("{path}"));
            assert_eq!((place.line, place.column), (line, column), "{path}");
        }
        let place = locate(&text("{\"a\":\n [1,\n  {\"b\": 2}]}"), 0, &FieldPath::parse("a[1].b")).unwrap();
        assert_eq!((place.line, place.column), (3, 4));
        assert_eq!(place.snippet.as_deref(), Some("  {\"b\": 2}]}"));
    }

    #[test]
    fn what_is_not_there_has_only_neighbours() {
        for (path, line) in [("spec.selector", 7), ("spec.containers[0].env[0].name", 9), ("status", 4)] {
            let path = FieldPath::parse(path);
            assert_eq!(locate(&text(YAML), 1, &path), None, "{path}");
            assert_eq!(nearest(&text(YAML), 1, &path).map(|place| place.line), Some(line), "{path}");
        }
        assert_eq!(nearest(&text(YAML), 2, &FieldPath::default()), None);
    }
}
