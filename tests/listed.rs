//! A test file that no `mod` names would never run.

use std::{fs, path::Path};

/// Folders below `tests/` that hold no Rust modules.
const NOT_MODULES: [&str; 3] = ["cluster", "fixtures", "snapshots"];

#[test]
fn every_test_file_is_listed() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let missing = unlisted(&tests, "main.rs");
    assert!(missing.is_empty(), "not named by any `mod`, so never run: {missing:?}");
}

/// The modules in a folder that its root file (`main.rs`, `mod.rs`) does not name, and so on below.
fn unlisted(folder: &Path, root: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.join(root)).unwrap_or_default();
    let mut missing = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder").flatten() {
        let path = entry.path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        let is_module = path.is_dir() || path.extension().is_some_and(|extension| extension == "rs");
        let is_root = path.file_name().is_some_and(|file| file == root);
        if !is_module || is_root || NOT_MODULES.contains(&name.as_str()) {
            continue;
        }
        if !text.lines().any(|line| line.trim_start_matches("pub ").trim() == format!("mod {name};")) {
            missing.push(path.display().to_string());
        } else if path.is_dir() {
            missing.extend(unlisted(&path, "mod.rs"));
        }
    }
    missing
}
