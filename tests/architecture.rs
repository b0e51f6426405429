//! Keeps the table of `docs/house.md`: which room may import which, which outside crate belongs to which room,
//! and how large a file may grow.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{punctuated::Punctuated, visit::Visit};

/// Room, and the rooms that it may import.
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("yaml", &["model"]),
    ("config", &["model", "yaml"]),
    ("kinds", &["model"]),
    ("render", &["model", "yaml", "kinds"]),
    ("plan", &["model", "config", "kinds"]),
    ("rollout", &["model", "kinds"]),
    ("files", &["model"]),
    ("source", &["model"]),
    ("docker", &["model"]),
    ("registry", &["model"]),
    ("cluster", &["model"]),
    (
        "operations",
        &[
            "model", "yaml", "config", "kinds", "render", "plan", "rollout", "files", "source", "docker", "registry",
            "cluster",
        ],
    ),
    ("report", &["model"]),
    ("cli", &["model", "config", "operations", "report"]),
];

/// Outside crate, and the rooms that alone may name it.
const CRATES: &[(&str, &[&str])] = &[
    ("granit_parser", &["yaml"]),
    ("git2", &["source"]),
    ("tonic", &["docker"]),
    ("tonic_prost", &["docker"]),
    ("prost", &["docker"]),
    ("prost_types", &["docker"]),
    ("hyper", &["docker"]),
    ("hyper_util", &["docker"]),
    ("http_body_util", &["docker"]),
    ("tokio_rustls", &["docker"]),
    ("libc", &["docker"]),
    ("regex", &["docker"]),
    ("oci_client", &["registry"]),
    ("kube", &["cluster"]),
    ("secrecy", &["cluster"]),
    ("flate2", &["cluster"]),
    ("http", &["docker", "cluster"]),
    ("rustls", &["docker", "cluster", "cli"]),
    ("zeroize", &["model"]),
    ("jsonpath_rust", &["model"]),
    ("anstream", &["report"]),
    ("anstyle", &["report"]),
    ("rustix", &["report", "cli"]),
    ("unicode_width", &["report"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("anyhow", &["cli"]),
    ("tokio", &["model", "docker", "registry", "cluster", "operations", "cli"]),
    ("tokio_stream", &["docker", "cluster"]),
];

/// Dependencies that no source names, each with its reason.
const UNNAMED: &[(&str, &str)] = &[("k8s_openapi", "chooses the version of the interface for kube")];

/// Rooms without input or output: what they may not name.
const PURE: &[&str] = &["model", "yaml", "config", "kinds", "render", "plan", "rollout"];
const IMPURE_PATHS: &[&str] = &["std::fs", "std::env", "std::net", "std::process", "std::io"];

const LONGEST_FILE: usize = 400;
/// Files over the limit, each with its reason.
const LONG_FILES: &[(&str, &str)] = &[];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The module path of a file below `src`: `render/images.rs` is `[render, images]`.
fn module_of(file: &Path) -> Vec<String> {
    let relative = file.strip_prefix(source()).expect("a file below src").with_extension("");
    let mut parts: Vec<String> = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

/// Every path a file names, resolved: `crate::..` without `crate`, `super::..` against the module.
#[derive(Default)]
struct Paths {
    module: Vec<String>,
    depth: usize,
    rooms: Vec<Vec<String>>,
    outside: Vec<Vec<String>>,
    exported: Vec<Vec<String>>,
}

impl Paths {
    fn add(&mut self, segments: &[String], exported: bool) {
        let Some(first) = segments.first() else { return };
        let inside = match first.as_str() {
            "crate" | "shipway" => Some(segments[1..].to_vec()),
            "self" if segments.len() > 1 => Some([&self.module[..], &segments[1..]].concat()),
            "super" => {
                let ups = segments.iter().take_while(|segment| *segment == "super").count();
                let base = self.module.len().saturating_sub(ups.saturating_sub(self.depth));
                Some([&self.module[..base], &segments[ups..]].concat())
            }
            _ => None,
        };
        match inside {
            Some(path) if exported => self.exported.push(path),
            Some(path) => self.rooms.push(path),
            None => self.outside.push(segments.to_vec()),
        }
    }

    fn add_tree(&mut self, before: &[String], tree: &syn::UseTree, exported: bool) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&with(&path.ident), &path.tree, exported),
            syn::UseTree::Name(name) => self.add(&with(&name.ident), exported),
            syn::UseTree::Rename(rename) => {
                assert!(
                    !(before.is_empty() && rename.ident == "crate"),
                    "`use crate as ..` would hide what is imported"
                );
                self.add(&with(&rename.ident), exported);
            }
            syn::UseTree::Glob(_) => self.add(before, exported),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.add_tree(before, item, exported)),
        }
    }
}

impl<'a> Visit<'a> for Paths {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        let is_test = item.attrs.iter().any(|a| a.path().is_ident("cfg") && is_test_only(a));
        if !is_test {
            self.depth += 1;
            syn::visit::visit_item_mod(self, item);
            self.depth -= 1;
        }
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        let exported = !matches!(item.vis, syn::Visibility::Inherited);
        self.add_tree(&[], &item.tree, exported);
    }

    // what a derive names stands in it as bare tokens
    fn visit_attribute(&mut self, attribute: &'a syn::Attribute) {
        if attribute.path().is_ident("derive") {
            let derived = attribute.parse_args_with(Punctuated::<syn::Path, syn::Token![,]>::parse_terminated);
            derived.expect("a list of paths").iter().for_each(|path| self.visit_path(path));
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            self.add(&segments, false);
        }
        syn::visit::visit_path(self, path);
    }
}

fn is_test_only(attribute: &syn::Attribute) -> bool {
    attribute.parse_args::<syn::Ident>().is_ok_and(|what| what == "test")
}

fn paths_of(text: &str, module: Vec<String>) -> Paths {
    let file = syn::parse_file(text).expect("source that parses");
    let mut paths = Paths { module, ..Paths::default() };
    paths.visit_file(&file);
    paths
}

/// What of a text breaks the table, as sentences.
fn faults(text: &str, module: Vec<String>) -> BTreeSet<String> {
    let Some(room) = module.first().cloned() else { return BTreeSet::new() };
    let paths = paths_of(text, module);
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        return BTreeSet::from([format!("{room} is no room of the house")]);
    };
    let rooms: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let mut faults = BTreeSet::new();
    for path in paths.rooms.iter().chain(&paths.exported) {
        let Some(other) = path.first() else { continue };
        if *other != room && rooms.contains_key(other.as_str()) && !allowed.contains(&other.as_str()) {
            faults.insert(format!("{room} may not import {other}"));
        }
    }
    for path in &paths.exported {
        if path.first().is_some_and(|other| *other != room && rooms.contains_key(other.as_str())) {
            faults.insert(format!("{room} re-exports {}", path.join("::")));
        }
    }
    for path in &paths.outside {
        faults.extend(outside_fault(&room, path));
    }
    faults
}

fn outside_fault(room: &str, path: &[String]) -> Option<String> {
    let name = path.first()?;
    if let Some((_, owners)) = CRATES.iter().find(|(owned, _)| owned == name)
        && !owners.contains(&room)
    {
        return Some(format!("{room} may not use {name}: it belongs to {}", owners.join(", ")));
    }
    let joined = path.join("::");
    let impure = IMPURE_PATHS.iter().find(|impure| joined == **impure || joined.starts_with(&format!("{impure}::")))?;
    PURE.contains(&room).then(|| format!("{room} is pure and may not use {impure}"))
}

#[test]
fn imports_match_the_table() {
    let mut broken = Vec::new();
    for file in rust_files(&source()) {
        let text = fs::read_to_string(&file).expect("a readable file");
        for fault in faults(&text, module_of(&file)) {
            broken.push(format!("{}: {fault}", file.display()));
        }
    }
    assert!(broken.is_empty(), "against docs/house.md:\n{}", broken.join("\n"));
}

/// The names below `[dependencies]` or `[dev-dependencies]`, as sources write them.
fn dependencies(manifest: &str, section: &str) -> BTreeSet<String> {
    let heading = format!("[{section}]");
    let lines = manifest.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !line.starts_with('['));
    lines
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.split_once('=')?.0.trim().replace('-', "_")))
        .collect()
}

fn manifest() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).expect("a readable Cargo.toml")
}

#[test]
fn the_table_names_dependencies_only() {
    let known = dependencies(&manifest(), "dependencies");
    let gone: Vec<_> = CRATES.iter().map(|(name, _)| *name).filter(|name| !known.contains(*name)).collect();
    assert!(gone.is_empty(), "in the table, but not in Cargo.toml: {gone:?}");
}

#[test]
fn every_dependency_is_named_by_a_source() {
    let mut named = BTreeSet::new();
    for file in rust_files(&source()) {
        let text = fs::read_to_string(&file).expect("a readable file");
        let outside = paths_of(&text, module_of(&file)).outside;
        named.extend(outside.into_iter().filter_map(|path| path.into_iter().next()));
    }
    named.extend(UNNAMED.iter().map(|(name, _)| (*name).to_owned()));
    let unused: Vec<_> = dependencies(&manifest(), "dependencies").difference(&named).cloned().collect();
    assert!(unused.is_empty(), "in Cargo.toml, but in no source: {unused:?}");
}

#[test]
fn every_dependency_of_tests_is_named_by_one() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let files = [rust_files(&source()), rust_files(&tests)].concat();
    let texts: Vec<String> = files.iter().map(|file| fs::read_to_string(file).expect("a readable file")).collect();
    let mut unused = dependencies(&manifest(), "dev-dependencies");
    unused.retain(|name| !texts.iter().any(|text| text.contains(&format!("{name}::"))));
    assert!(unused.is_empty(), "in Cargo.toml, but in no test: {unused:?}");
}

#[test]
fn dependencies_are_read_by_section() {
    let manifest =
        "[dependencies]\n# a word = on it\nh2-like = \"1\"\nb = { version = \"1\" }\n\n[dev-dependencies]\nc = \"1\"\n";
    assert_eq!(dependencies(manifest, "dependencies"), BTreeSet::from(["b".to_owned(), "h2_like".to_owned()]));
    assert_eq!(dependencies(manifest, "dev-dependencies"), BTreeSet::from(["c".to_owned()]));
}

/// Lines that are neither blank nor a comment, up to the tests at the end.
fn lines_of_code(text: &str) -> usize {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

#[test]
fn only_tests_at_the_end_do_not_count() {
    assert_eq!(lines_of_code("// a\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n"), 1);
    assert_eq!(lines_of_code("#[cfg(test)]\nmod tests;\nfn a() {}\n"), 3);
}

#[test]
fn files_stay_readable() {
    let mut broken = Vec::new();
    for file in rust_files(&source()) {
        let text = fs::read_to_string(&file).expect("a readable file");
        let code = lines_of_code(&text);
        let relative = file.strip_prefix(source()).expect("a file below src").display().to_string();
        if code > LONGEST_FILE && !LONG_FILES.iter().any(|(name, _)| *name == relative) {
            broken.push(format!("{relative}: {code} lines of code"));
        }
    }
    assert!(broken.is_empty(), "over {LONGEST_FILE} lines of code:\n{}", broken.join("\n"));
}

#[test]
fn planted_faults_are_found() {
    for (module, text, fault) in [
        (&["plan"][..], "use crate::cluster::Cluster;", "plan may not import cluster"),
        (&["plan", "diff"], "use super::super::{report, config};", "plan may not import report"),
        (&["render"], "fn x() { crate::docker::build() }", "render may not import docker"),
        (&["cluster"], "pub(crate) use crate::model::Object;", "cluster re-exports model::Object"),
        (&["operations"], "use kube::Client;", "operations may not use kube: it belongs to cluster"),
        (&["rollout"], "fn x() { std::env::var(\"X\"); }", "rollout is pure and may not use std::env"),
        (&["plan"], "#[derive(clap::Args)] struct X;", "plan may not use clap: it belongs to cli"),
        (&["config"], "use std::{fs, fmt};", "config is pure and may not use std::fs"),
        (&["cellar"], "fn x() {}", "cellar is no room of the house"),
    ] {
        let module = module.iter().map(|part| (*part).to_owned()).collect();
        assert!(faults(text, module).contains(fault), "not found in {text}");
    }
}

#[test]
fn fair_imports_pass() {
    for (module, text) in [
        (&["render", "images"][..], "use super::overlay; use crate::{model::Object, yaml, kinds};"),
        (&["rollout"], "#[cfg(test)] mod tests { use std::fs; use crate::cluster; }"),
        (&["cluster"], "mod inner { use super::super::model::Object; } use kube::Client;"),
    ] {
        let module = module.iter().map(|part| (*part).to_owned()).collect();
        let found = faults(text, module);
        assert!(found.is_empty(), "{text}: {found:?}");
    }
}
