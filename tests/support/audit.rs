//! What the API server wrote down of each request: who asked, and for what.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
};

use serde_json::Value;

use super::Bench;

/// One request as it was answered.
#[derive(Clone, Debug)]
pub struct Request {
    pub verb: String,
    pub uri: String,
}

impl Request {
    /// True where an object may have changed by it: everything but reading, rehearsing, the lock and the record.
    pub fn writes_an_object(&self) -> bool {
        let reads = ["get", "list", "watch"].contains(&self.verb.as_str());
        !(reads
            || self.uri.contains("dryRun=All")
            || self.uri.contains("/leases")
            || self.uri.contains("/secrets/shipway."))
    }
}

/// The audit log from a moment on.
pub struct Audit {
    file: String,
    from: u64,
}

impl Audit {
    pub fn begin(bench: &Bench) -> Self {
        let file = bench.variable("SHIPWAY_BENCH_AUDIT_LOG");
        let from = std::fs::metadata(&file).expect("an audit log").len();
        Self { file, from }
    }

    /// The requests of shipway since then that name the namespace. A watch stands in the log when it begins and when it
    /// ends: it is one request.
    pub fn requests(&self, namespace: &str) -> Vec<Request> {
        let mut log = File::open(&self.file).expect("an audit log");
        log.seek(SeekFrom::Start(self.from)).expect("a log that only grows");
        let mut text = String::new();
        log.read_to_string(&mut text).expect("an audit log");
        let mut known = BTreeSet::new();
        text.lines()
            .filter(|line| line.contains(namespace))
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|entry| entry["userAgent"].as_str().is_some_and(|agent| agent.starts_with("shipway/")))
            .filter(|entry| known.insert(entry["auditID"].as_str().unwrap_or_default().to_owned()))
            .map(|entry| Request {
                verb: entry["verb"].as_str().unwrap_or_default().to_owned(),
                uri: entry["requestURI"].as_str().unwrap_or_default().to_owned(),
            })
            .collect()
    }
}
