//! The history of deploys: a Secret for each, in the target's namespace.

use std::io::{Read as _, Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use http::Method;
use serde_json::{Value, json};

use super::{
    connect::Cluster,
    error::ClusterError,
    request::{APPLY_PATCH, Call, built_in, object_path},
};
use crate::model::{MANAGER, Note, ObjectId, Record, RecordState, Resource, Selection};

/// What is known of earlier deploys.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// The oldest first.
    pub records: Vec<Record>,
    /// The next revision: above every record, also those that cannot be read.
    pub next: u64,
}

impl History {
    pub(crate) fn last_succeeded(&self) -> Option<&Record> {
        self.records.iter().rev().find(|record| record.state == RecordState::Succeeded)
    }
}

const TYPE: &str = "shipway.dev/record";
const KEY: &str = "record";
/// Unpacked; a Secret holds 1 MiB at most.
const LARGEST: u64 = 64 << 20;

impl Cluster {
    /// The records of an app in an environment (one LIST).
    pub(crate) async fn history(&self, namespace: &str, app: &str, environment: &str) -> Result<History, ClusterError> {
        let selection = Selection {
            resource: secrets(),
            namespace: Some(namespace.to_owned()),
            labels: Some(format!("shipway.dev/app={app},shipway.dev/env={environment}")),
            fields: Some(format!("type={TYPE}")),
        };
        let found = self.list_pages(&selection, usize::MAX).await?.objects;
        let last = found.iter().filter_map(revision_of).max().unwrap_or(0);
        let mut records = Vec::new();
        for secret in &found {
            match unpack(secret) {
                Some(record) => records.push(record),
                None => {
                    let name = secret.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
                    self.inner.listener.on(Note::attention(
                        "plan",
                        format!("secret/{name} holds no record that can be read"),
                    )
                    .into());
                }
            }
        }
        records.sort_by_key(|record: &Record| record.revision);
        Ok(History { records, next: last + 1 })
    }

    /// Writes a record, new or changed (one PATCH).
    pub(crate) async fn save_record(&self, namespace: &str, record: &Record) -> Result<(), ClusterError> {
        let id = record_id(namespace, record);
        let path = object_path(&secrets(), &id, &[("fieldManager", MANAGER), ("force", "true")]);
        let call = Call::write(Method::PATCH, path, APPLY_PATCH, pack(&id, record)?.to_string()).about(&id);
        self.ask(&call).await.map(drop)
    }

    /// Deletes the oldest records beyond `keep`, but never the last that succeeded.
    pub(crate) async fn trim_history(
        &self,
        namespace: &str,
        history: &History,
        keep: usize,
    ) -> Result<(), ClusterError> {
        let precious = history.last_succeeded().map(|record| record.revision);
        let surplus = history.records.len().saturating_sub(keep);
        for record in history.records.iter().take(surplus).filter(|record| Some(record.revision) != precious) {
            self.delete(&secrets(), &record_id(namespace, record)).await?;
        }
        Ok(())
    }
}

fn secrets() -> Resource {
    built_in("", "v1", "Secret", "secrets")
}

fn record_id(namespace: &str, record: &Record) -> ObjectId {
    ObjectId {
        group: String::new(),
        kind: "Secret".to_owned(),
        namespace: Some(namespace.to_owned()),
        name: format!("shipway.{}.{}.v{}", record.app, record.environment, record.revision),
    }
}

fn revision_of(secret: &Value) -> Option<u64> {
    secret["metadata"]["labels"]["shipway.dev/revision"].as_str()?.parse().ok()
}

fn pack(id: &ObjectId, record: &Record) -> Result<Value, ClusterError> {
    let packed = serde_json::to_vec(record).map_err(std::io::Error::other).and_then(|text| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&text)?;
        encoder.finish()
    });
    let packed = packed.map_err(|error| ClusterError::Nonsense {
        server: id.name.clone(),
        why: format!("the record cannot be written: {error}"),
    })?;
    let state = serde_json::to_value(record.state).unwrap_or_default();
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": TYPE,
        "metadata": {"name": id.name, "namespace": id.namespace, "labels": {
            "shipway.dev/app": record.app,
            "shipway.dev/env": record.environment,
            "shipway.dev/revision": record.revision.to_string(),
            "shipway.dev/state": state,
        }},
        "data": {KEY: STANDARD.encode(packed)},
    }))
}

fn unpack(secret: &Value) -> Option<Record> {
    let packed = STANDARD.decode(secret["data"][KEY].as_str()?).ok()?;
    let mut text = Vec::new();
    GzDecoder::new(packed.as_slice()).take(LARGEST).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            revision: 12,
            app: "demo".to_owned(),
            environment: "qa".to_owned(),
            state: RecordState::Succeeded,
            commit: None,
            branch: Some("feature/a".to_owned()),
            tag: "feature_a-0c2a77d1".to_owned(),
            images: Vec::new(),
            color: None,
            by: "alice".to_owned(),
            at: jiff::Timestamp::UNIX_EPOCH,
            applied: Vec::new(),
            jobs: Vec::new(),
            made_namespace: None,
        }
    }

    #[test]
    fn a_record_comes_back_as_it_was_packed() {
        let secret = pack(&record_id("demo-qa", &record()), &record()).unwrap();
        assert_eq!(secret["metadata"]["name"], "shipway.demo.qa.v12");
        assert_eq!(secret["metadata"]["labels"]["shipway.dev/state"], "succeeded");
        assert_eq!((revision_of(&secret), unpack(&secret)), (Some(12), Some(record())));
    }

    #[test]
    fn what_is_no_record_is_none() {
        for data in [json!({}), json!({"record": "!"}), json!({"record": STANDARD.encode("text")})] {
            assert_eq!(unpack(&json!({ "data": data })), None);
        }
    }
}
