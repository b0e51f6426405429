//! What a story measured, for whoever looks: `target/bench/NAME.json`, in the form of `script/bench`.

use std::{fs, path::Path};

use serde_json::{Value, json};

pub struct Figures {
    file: &'static str,
    found: Vec<Value>,
}

impl Figures {
    pub fn new(file: &'static str) -> Self {
        Self { file, found: Vec::new() }
    }

    pub fn add(&mut self, name: impl Into<String>, value: f64, unit: &str) {
        self.found
            .push(json!({"name": name.into(), "value": rounded(value), "unit": unit, "target": null, "ok": null}));
    }

    /// One with a figure that it is not to be above.
    pub fn at_most(&mut self, name: impl Into<String>, value: f64, unit: &str, most: f64) {
        let (name, target) = (name.into(), format!("<= {most}"));
        self.found
            .push(json!({"name": name, "value": rounded(value), "unit": unit, "target": target, "ok": value <= most}));
    }
}

impl Drop for Figures {
    fn drop(&mut self) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
        let lines: Vec<String> = self.found.iter().map(|figure| format!("  {figure}")).collect();
        // a story that failed says why by itself
        let _ = fs::create_dir_all(&folder);
        let _ = fs::write(folder.join(format!("{}.json", self.file)), format!("[\n{}\n]\n", lines.join(",\n")));
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
