//! Odd manifests by the thousand, the same ones each time: reading and merging never panics and never takes long.

use std::{sync::mpsc, time::Duration};

use serde_json::{Map, Value};

use super::{merge, read};
use crate::{
    model::{Layers, SourceText},
    yaml,
};

const SEEDS: &[&str] = &[
    include_str!("../../tests/fixtures/manifests/anchors.yaml"),
    include_str!("../../tests/fixtures/manifests/blocks.yaml"),
    include_str!("../../tests/fixtures/manifests/documents.yaml"),
    include_str!("../../tests/fixtures/manifests/flow.yaml"),
    include_str!("../../tests/fixtures/manifests/keys.yaml"),
    include_str!("../../tests/fixtures/manifests/lists.yaml"),
    include_str!("../../tests/fixtures/manifests/merges.yaml"),
    include_str!("../../tests/fixtures/manifests/numbers.yaml"),
    include_str!("../../tests/fixtures/manifests/repeated-variables.yaml"),
    include_str!("../../tests/fixtures/manifests/stream.json"),
    include_str!("../../tests/fixtures/manifests/string-data.yaml"),
    include_str!("../../tests/fixtures/manifests/tags.yaml"),
];

/// What YAML, JSON and the merge take for more than itself.
const PIECES: &[&str] = &[
    ":",
    ": ",
    "- ",
    "\n",
    "\n---\n",
    "\n...\n",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "&a ",
    "*a",
    "<<: *a",
    "!!str ",
    "!!binary ",
    "? ",
    "| ",
    "|2\n",
    ">-\n",
    "#",
    " #",
    "%YAML 1.2\n",
    "\t",
    "\r\n",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\\u12",
    "\\",
    "0x",
    "1e999",
    "-",
    ".inf",
    "~",
    "@",
    "`",
    "é",
    "😀",
    "\0",
    "$patch: delete",
    "$patch: replace\n",
    "$retainKeys: [a]",
    "items:",
    "kind: List",
    "metadata: {name: x}",
    ",",
    "  ",
    "spec:",
    "containers:",
    "env:",
    "name: ",
    "image: ",
    "${shipway.",
    "}",
];

/// xorshift64*
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }

    fn of<'s>(&mut self, items: &[&'s str]) -> &'s str {
        items[self.below(items.len())]
    }

    /// A seed after some edits: pieces put in, parts taken out, repeated, or moved.
    fn text(&mut self) -> String {
        let mut glyphs: Vec<char> = self.of(SEEDS).chars().collect();
        for _ in 0..=self.below(6) {
            let at = self.below(glyphs.len() + 1);
            let end = (at + self.below(40)).min(glyphs.len());
            match self.below(5) {
                0 | 1 => drop(glyphs.splice(at..at, self.of(PIECES).chars())),
                2 => drop(glyphs.drain(at..end)),
                3 => {
                    let part: Vec<char> = glyphs[at..end].repeat(1 + self.below(20));
                    let to = self.below(glyphs.len());
                    drop(glyphs.splice(to..to, part));
                }
                _ => glyphs.truncate(end.max(1)),
            }
        }
        glyphs.into_iter().collect()
    }

    /// A tree of the fields that the merge knows, with or without its directives.
    fn value(&mut self, depth: usize, directives: bool) -> Value {
        const KEYS: &[&str] = &[
            "spec",
            "containers",
            "env",
            "name",
            "ports",
            "port",
            "value",
            "valueFrom",
            "type",
            "volumes",
            "finalizers",
            "a",
        ];
        match self.below(if depth == 0 { 3 } else { 6 }) {
            0 => Value::from(self.of(&["a", "b", "RollingUpdate", ""])),
            1 => Value::from(self.below(3)),
            2 if directives => Value::Null,
            2 => Value::from(true),
            3 => (0..self.below(4)).map(|_| self.value(depth - 1, directives)).collect(),
            _ => {
                let mut fields = Map::new();
                for _ in 0..self.below(5) {
                    fields.insert(self.of(KEYS).to_owned(), self.value(depth - 1, directives));
                }
                if directives && self.below(4) == 0 {
                    let key =
                        self.of(&["$patch", "$retainKeys", "$deleteFromPrimitiveList/env", "$setElementOrder/env"]);
                    let value = if key == "$patch" {
                        self.of(&["delete", "replace", "merge", "x"]).into()
                    } else {
                        self.value(1, false)
                    };
                    fields.insert(key.to_owned(), value);
                }
                Value::Object(fields)
            }
        }
    }
}

fn text(name: &str, content: String) -> SourceText {
    SourceText { name: name.into(), text: content.into() }
}

/// Runs the work in a thread of its own; fails where it panics, or takes longer than a slow machine needs.
fn soon(work: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let worker = std::thread::spawn(move || {
        work();
        let _ = done.send(());
    });
    let in_time = ended.recv_timeout(Duration::from_secs(60));
    assert_ne!(in_time, Err(mpsc::RecvTimeoutError::Timeout), "it takes too long");
    worker.join().expect("no panic");
}

#[test]
fn odd_manifests_are_read_or_refused() {
    soon(|| {
        let mut random = Random(0x5eed);
        let mut readable = 0;
        for _ in 0..1_500 {
            let (one, other) = (random.text(), random.text());
            if let Ok(found) = yaml::documents(&text("one.yaml", one.clone())) {
                readable += 1;
                let values: Vec<Value> = found.documents.into_iter().map(|document| document.value).collect();
                let printed = yaml::print(&values);
                let again = yaml::documents(&text("printed.yaml", printed.clone()));
                let again = again.unwrap_or_else(|error| panic!("{error}\nof {one:?}\nprinted {printed}"));
                let again: Vec<Value> = again.documents.into_iter().map(|document| document.value).collect();
                // a document of nothing is none
                assert_eq!(again, values, "{one:?}");
            }
            let layers = Layers { base: vec![text("one.yaml", one)], overlay: vec![text("other.yaml", other)] };
            if let Ok(mut manifests) = read(&layers) {
                let _ = manifests.substitute(&[("env", Some("qa".to_owned()))]);
                assert!(manifests.objects().all(|object| object.body.is_object()));
            }
        }
        assert!(readable > 200, "only {readable} of the texts can be read: they prove little");
    });
}

#[test]
fn odd_overlays_merge_or_are_refused() {
    soon(|| {
        let mut random = Random(0x0ddba11);
        for _ in 0..5_000 {
            let (mut base, overlay) = (random.value(5, true), random.value(5, true));
            let _ = merge::merge(&mut base, &overlay, random.below(2) == 0);
        }
        for _ in 0..5_000 {
            let keyed = random.below(2) == 0;
            let (mut once, overlay) = (random.value(4, false), random.value(4, false));
            merge::merge(&mut once, &overlay, keyed).expect("no directive");
            let mut twice = once.clone();
            merge::merge(&mut twice, &overlay, keyed).expect("no directive");
            assert_eq!(once, twice, "laying {overlay} over it again changes it");
        }
    });
}
