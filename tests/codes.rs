//! Keeps the codes of `docs/json.md`: each that a source gives is listed there, each that is listed is given, and each of
//! a rollout or of manifests is shown by a fixture of a judge or by a story.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

/// A code as it stands in a source.
const CODE: &str = "\"([a-z]+(?:-[a-z]+)*)\"";
/// Calls whose first text is a code, and a field that holds one.
const GIVERS: &str =
    r"(?:(?:Problem::new|Finding::new|\.problem|\bwarning|\bended_badly|\btold)\(\s*(?:o, |self\.o, )?|\bcode: )";
/// What the functions that answer an error's code look like.
const ANSWERERS: &str = r"(?s)fn code\(&self\)[^{]*\{(.*?)\n    \}";
/// Given by the run itself, and listed in a sentence.
const OF_THE_RUN: [&str; 2] = ["interrupted", "bug"];

fn files_below(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a readable folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                files.push(path);
            }
        }
    }
    files
}

fn text_of(path: &Path) -> String {
    fs::read_to_string(path).expect("a readable file")
}

/// The sources without their tests and samples.
fn sources(folder: &str) -> String {
    let is_test = |path: &PathBuf| ["tests", "samples"].iter().any(|part| path.to_string_lossy().contains(part));
    let files = files_below(folder, "rs").into_iter().filter(|path| !is_test(path));
    files.map(|path| text_of(&path).split("#[cfg(test)]").next().unwrap_or_default().to_owned()).collect()
}

/// The codes that sources give.
fn given(sources: &str) -> BTreeSet<String> {
    let code = Regex::new(CODE).expect("an expression");
    let given = Regex::new(&format!("{GIVERS}{CODE}")).expect("an expression");
    let answerers = Regex::new(ANSWERERS).expect("an expression");
    let of_errors = answerers.captures_iter(sources).flat_map(|body| {
        let body = body.get(1).map_or("", |body| body.as_str()).to_owned();
        code.captures_iter(&body).map(|found| found[1].to_owned()).collect::<Vec<_>>()
    });
    given.captures_iter(sources).map(|found| found[1].to_owned()).chain(of_errors).collect()
}

/// The codes of `docs/json.md`, each with the heading that it stands below.
fn listed() -> BTreeMap<String, String> {
    let text = text_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md"));
    let (_, text) = text.split_once("## Codes of errors").expect("a section about codes");
    let mut heading = "";
    let mut codes = BTreeMap::new();
    for line in text.lines() {
        heading = line.strip_prefix("### ").unwrap_or(heading);
        let Some(row) = line.strip_prefix("| `") else { continue };
        let first = row.split('|').next().unwrap_or_default();
        let named = first.split('`').step_by(2).filter(|code| !code.trim().is_empty());
        codes.extend(named.map(|code| (code.to_owned(), heading.to_owned())));
    }
    codes
}

/// What fixtures of judges say at their heads: `# code: crash-loop`, `# warning: partition`.
fn of_fixtures() -> BTreeSet<String> {
    let files = files_below("tests/fixtures/kinds", "yaml");
    let heads = files.iter().flat_map(|path| {
        let text = text_of(path);
        let head = text.lines().map_while(|line| line.strip_prefix("# ")).map(str::to_owned);
        head.collect::<Vec<_>>()
    });
    heads.filter_map(|line| Some(line.strip_prefix("code: ").or(line.strip_prefix("warning: "))?.to_owned())).collect()
}

#[test]
fn every_code_of_the_sources_is_listed() {
    let listed = listed();
    assert!(listed.len() > 120, "only {} codes are read", listed.len());
    let given = given(&sources("src"));
    assert!(given.len() > 100, "only {} codes are found", given.len());
    let missing: Vec<&String> =
        given.iter().filter(|code| !listed.contains_key(*code) && !OF_THE_RUN.contains(&code.as_str())).collect();
    assert!(missing.is_empty(), "docs/json.md does not list {missing:?}");
}

#[test]
fn every_code_that_is_listed_is_given() {
    let sources = sources("src");
    let unknown: Vec<String> = listed().into_keys().filter(|code| !sources.contains(&format!("\"{code}\""))).collect();
    assert!(unknown.is_empty(), "docs/json.md lists what no source gives: {unknown:?}");
}

#[test]
fn every_code_of_a_rollout_and_of_manifests_is_shown() {
    let of_fixtures = of_fixtures();
    // what only a rollout through time shows, and what only a server does
    let mut stories = text_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rollout/mod.rs"));
    stories.extend(
        ["tests/stories", "tests/cmd"].iter().flat_map(|folder| files_below(folder, "rs")).map(|path| text_of(&path)),
    );
    let told = |code: &str| {
        // a bare word may be anything
        let quoted = code.contains('-') || ["overwritten", "read", "manifest", "yaml", "color"].contains(&code);
        stories.contains(&format!("[{code}]")) || quoted && stories.contains(&format!("\"{code}\""))
    };
    let listed = listed()
        .into_iter()
        .filter(|(_, heading)| heading.starts_with("The rollout") || heading.starts_with("Manifests"));
    let hidden: Vec<String> =
        listed.map(|(code, _)| code).filter(|code| !of_fixtures.contains(code) && !told(code)).collect();
    assert!(hidden.is_empty(), "neither a fixture nor a story shows {hidden:?}");
}
