//! A document as a tree whose nodes know where they stand, built from the parser's events within a budget.

use std::{collections::HashMap, rc::Rc};

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use serde_json::Value;

use super::{YamlError, json, scalar};
use crate::model::SourceText;

/// A line and a column, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub line: u32,
    pub column: u32,
}

#[derive(Debug)]
pub(super) struct Node {
    pub at: Mark,
    /// How many levels stand below, aliases unfolded.
    height: u8,
    pub content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Scalar(Value),
    /// The plain key `<<`.
    Merge,
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
    /// An anchored node where it is defined.
    Anchored(Rc<Node>),
    Alias(Rc<Node>),
}

/// serde_json, and with it whoever reads what we write, stops at 128.
pub(super) const DEEPEST: usize = 120;
const LARGEST_MEGABYTES: usize = 10;
const MOST_VALUES: usize = 1_000_000;

impl Node {
    pub(super) fn scalar(at: Mark, value: Value) -> Self {
        Self { at, height: 0, content: Content::Scalar(value) }
    }

    pub(super) fn sequence(at: Mark, items: Vec<Node>) -> Self {
        let height = 1 + items.iter().map(|item| item.height).max().unwrap_or(0);
        Self { at, height, content: Content::Sequence(items) }
    }

    pub(super) fn mapping(at: Mark, entries: Vec<(Node, Node)>) -> Self {
        let height = 1 + entries.iter().map(|(key, value)| key.height.max(value.height)).max().unwrap_or(0);
        Self { at, height, content: Content::Mapping(entries) }
    }

    fn shared(at: Mark, height: u8, content: Content) -> Self {
        Self { at, height, content }
    }

    /// The node itself, whatever alias leads to it.
    pub(super) fn target(&self) -> &Node {
        match &self.content {
            Content::Anchored(node) | Content::Alias(node) => node.target(),
            _ => self,
        }
    }
}

/// Every document of the text in turn, the empty ones too (as null).
pub(super) fn each_document(
    text: &SourceText,
    mut take: impl FnMut(Node) -> Result<(), YamlError>,
) -> Result<(), YamlError> {
    if text.text.len() > LARGEST_MEGABYTES * 1_000_000 {
        let place = Mark { line: 1, column: 1 }.place(text);
        return Err(YamlError::TooLarge { limit: LARGEST_MEGABYTES, place });
    }
    if text.text.trim_start_matches('\u{feff}').trim_start().starts_with('{') {
        // `{a: b}` is YAML as well; what is neither is told as JSON
        match json::read(text) {
            Ok(nodes) => return nodes.into_iter().try_for_each(take),
            Err(error) => {
                let mut nodes = Vec::new();
                let collected = Composer::new(text).run(&mut |node| {
                    nodes.push(node);
                    Ok(())
                });
                return collected.map_err(|_| error).and_then(|()| nodes.into_iter().try_for_each(take));
            }
        }
    }
    Composer::new(text).run(&mut take)
}

/// A collection that is still open.
enum Open {
    Sequence { at: Mark, anchor: usize, items: Vec<Node> },
    Mapping { at: Mark, anchor: usize, entries: Vec<(Node, Node)>, key: Option<Node> },
}

struct Composer<'t> {
    text: &'t SourceText,
    parser: Parser<'t, StrInput<'t>>,
    open: Vec<Open>,
    /// By the parser's number; none while the anchored collection is still open.
    anchors: HashMap<usize, Rc<Node>>,
    values: usize,
}

impl<'t> Composer<'t> {
    fn new(text: &'t SourceText) -> Self {
        let mut options = Options::default();
        options.set_emit_comments(false);
        let parser = Parser::new_from_str_with_options(&text.text, options);
        Self { text, parser, open: Vec::new(), anchors: HashMap::new(), values: 0 }
    }

    fn run(mut self, take: &mut dyn FnMut(Node) -> Result<(), YamlError>) -> Result<(), YamlError> {
        while let Some(next) = self.parser.next_event() {
            let (event, span) = next.map_err(|error| self.syntax(&error))?;
            if let Some(root) = self.on(event, span)? {
                take(root)?;
                self.anchors.clear();
            }
        }
        Ok(())
    }

    /// Takes one event; answers with the document's root once it is complete.
    fn on(&mut self, event: Event<'_>, span: Span) -> Result<Option<Node>, YamlError> {
        let at = mark(&span);
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => (self.scalar(at, &text, style, tag.as_deref())?, anchor),
            Event::Alias(id) => (self.alias(at, id)?, 0),
            Event::SequenceStart(_, anchor, _) => {
                self.open.push(Open::Sequence { at, anchor, items: Vec::new() });
                return self.check_depth(at).map(|()| None);
            }
            Event::MappingStart(_, anchor, _) => {
                self.open.push(Open::Mapping { at, anchor, entries: Vec::new(), key: None });
                return self.check_depth(at).map(|()| None);
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::Sequence { at, anchor, items }) => (Node::sequence(at, items), anchor),
                Some(Open::Mapping { at, anchor, entries, .. }) => (Node::mapping(at, entries), anchor),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        self.check(&node)?;
        let node = self.anchored(node, anchor);
        Ok(self.place_in_parent(node))
    }

    fn place_in_parent(&mut self, node: Node) -> Option<Node> {
        match self.open.last_mut() {
            None => return Some(node),
            Some(Open::Sequence { items, .. }) => items.push(node),
            Some(Open::Mapping { entries, key, .. }) => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push((key, node)),
            },
        }
        None
    }

    fn anchored(&mut self, node: Node, anchor: usize) -> Node {
        if anchor == 0 {
            return node;
        }
        let (at, height, node) = (node.at, node.height, Rc::new(node));
        self.anchors.insert(anchor, Rc::clone(&node));
        Node::shared(at, height, Content::Anchored(node))
    }

    fn alias(&self, at: Mark, id: usize) -> Result<Node, YamlError> {
        let node = self.anchors.get(&id).ok_or_else(|| YamlError::Cycle { place: at.place(self.text) })?;
        Ok(Node::shared(at, node.height + 1, Content::Alias(Rc::clone(node))))
    }

    fn scalar(&self, at: Mark, text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Node, YamlError> {
        let plain = style == ScalarStyle::Plain;
        if text == "<<" && plain && tag.is_none() {
            return Ok(Node { at, height: 0, content: Content::Merge });
        }
        let value = scalar::resolve(text, plain, tag).map_err(|fault| fault.at(at.place(self.text)))?;
        Ok(Node::scalar(at, value))
    }

    fn check(&mut self, node: &Node) -> Result<(), YamlError> {
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(YamlError::TooMany { limit: MOST_VALUES, place: node.at.place(self.text) });
        }
        if usize::from(node.height) > DEEPEST {
            return Err(YamlError::TooDeep { limit: DEEPEST, place: node.at.place(self.text) });
        }
        Ok(())
    }

    fn check_depth(&self, at: Mark) -> Result<(), YamlError> {
        if self.open.len() > DEEPEST {
            return Err(YamlError::TooDeep { limit: DEEPEST, place: at.place(self.text) });
        }
        Ok(())
    }

    fn syntax(&self, error: &ScanError) -> YamlError {
        let marker = error.marker();
        let at = Mark { line: number(marker.line()), column: number(marker.col() + 1) };
        YamlError::Syntax { format: "YAML", reason: error.info(), place: at.place(self.text) }
    }
}

fn mark(span: &Span) -> Mark {
    Mark { line: number(span.start.line()), column: number(span.start.col() + 1) }
}

/// Files are far smaller than 4 GB.
fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
