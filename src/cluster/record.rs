//! The history of deploys: a Secret for each, in the target's namespace.

use std::{
    collections::HashSet,
    io::{Read as _, Write as _},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use http::Method;
use serde_json::{Value, json};

use super::{
    connect::Cluster,
    error::ClusterError,
    objects::Packed,
    request::{APPLY_PATCH, Call, built_in, object_path},
};
use crate::model::{Applied, MANAGER, Note, ObjectId, Record, RecordState, Resource, Selection};

/// What is known of earlier deploys.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// The oldest first.
    pub records: Vec<Record>,
    /// The next revision: above every record, also those that cannot be read.
    pub next: u64,
}

impl History {
    /// As before the first deploy.
    pub(crate) const fn none() -> Self {
        Self { records: Vec::new(), next: 1 }
    }

    pub(crate) fn is_none(&self) -> bool {
        self.next == 1
    }

    pub(crate) fn last_succeeded(&self) -> Option<&Record> {
        self.records.iter().rev().find(|record| record.state == RecordState::Succeeded)
    }
}

const TYPE: &str = "shipway.dev/record";
pub(super) const KEY: &str = "record";
/// The objects of a release, where they are few.
pub(super) const OBJECTS_KEY: &str = "objects";
/// Unpacked; a Secret holds 1 MiB at most.
const LARGEST: u64 = 64 << 20;

impl Cluster {
    /// The records of an app in an environment (one LIST).
    pub(crate) async fn history(&self, namespace: &str, app: &str, environment: &str) -> Result<History, ClusterError> {
        let selection = records_of(namespace, app, environment);
        let found = self.list_pages(&selection, usize::MAX).await?.objects;
        let last = found.iter().filter_map(revision_of).max().unwrap_or(0);
        let (mut records, mut known) = (Vec::new(), HashSet::new());
        for secret in &found {
            match unpack(secret) {
                Some(mut record) => {
                    share(&mut record, &mut known);
                    records.push(record);
                }
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

    /// Writes a record, new or changed, with the objects that are kept beside it (one PATCH). What was written before and
    /// is not written again would go, so both are written each time.
    pub(crate) async fn save_record(
        &self,
        namespace: &str,
        record: &Record,
        objects: &Packed,
    ) -> Result<(), ClusterError> {
        let id = record_id(namespace, record, record.revision);
        let path = object_path(&secrets(), &id, &[("fieldManager", MANAGER), ("force", "true")]);
        let call = Call::write(Method::PATCH, path, APPLY_PATCH, pack(&id, record, objects)?.to_string()).about(&id);
        self.ask(&call).await.map(drop)
    }

    /// Deletes records, with their objects unless one of those that stay refers to them.
    pub(crate) async fn delete_records(
        &self,
        namespace: &str,
        records: &[&Record],
        stay: &[&Record],
    ) -> Result<(), ClusterError> {
        for record in records {
            let of = |record: &Record| record.objects.as_ref().map(|kept| kept.revision);
            if !stay.iter().any(|other| of(other) == of(record)) {
                self.delete_objects(namespace, record).await?;
            }
            self.delete(&secrets(), &record_id(namespace, record, record.revision)).await?;
        }
        Ok(())
    }
}

/// Most objects stay as they are from one record to the next: what is alike is held once.
fn share(record: &mut Record, known: &mut HashSet<Arc<Applied>>) {
    for applied in &mut record.applied {
        match known.get(applied) {
            Some(alike) => *applied = Arc::clone(alike),
            None => _ = known.insert(Arc::clone(applied)),
        }
    }
}

/// The records of an app in an environment.
pub(crate) fn records_of(namespace: &str, app: &str, environment: &str) -> Selection {
    Selection {
        resource: secrets(),
        namespace: Some(namespace.to_owned()),
        labels: Some(format!("shipway.dev/app={app},shipway.dev/env={environment}")),
        fields: Some(format!("type={TYPE}")),
    }
}

/// The record in a Secret; none where it holds none that can be read.
pub(crate) fn read_record(secret: &Value) -> Option<Record> {
    unpack(secret)
}

/// The field selector that leaves records and their objects, which are large, out of a list of Secrets.
pub(crate) fn without_records(resource: &Resource) -> Option<String> {
    let is_secret = (resource.group.as_str(), resource.plural.as_str()) == ("", "secrets");
    is_secret.then(|| format!("type!={TYPE},type!={}", super::objects::TYPE))
}

pub(super) fn secrets() -> Resource {
    built_in("", "v1", "Secret", "secrets")
}

/// `shipway.demo.qa.v7`, of the app and environment of a record.
pub(super) fn record_id(namespace: &str, record: &Record, revision: u64) -> ObjectId {
    ObjectId {
        group: String::new(),
        kind: "Secret".to_owned(),
        namespace: Some(namespace.to_owned()),
        name: format!("shipway.{}.{}.v{revision}", record.app, record.environment),
    }
}

/// What all that belongs to a record is found by.
pub(super) fn labels(record: &Record) -> Value {
    json!({
        "shipway.dev/app": record.app,
        "shipway.dev/env": record.environment,
        "shipway.dev/revision": record.revision.to_string(),
    })
}

fn revision_of(secret: &Value) -> Option<u64> {
    secret["metadata"]["labels"]["shipway.dev/revision"].as_str()?.parse().ok()
}

fn pack(id: &ObjectId, record: &Record, objects: &Packed) -> Result<Value, ClusterError> {
    let packed = serde_json::to_vec(record).map_err(std::io::Error::other).and_then(|text| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&text)?;
        encoder.finish()
    });
    let packed = packed.map_err(|error| ClusterError::Nonsense {
        server: id.name.clone(),
        why: format!("the record cannot be written: {error}"),
    })?;
    let mut labels = labels(record);
    labels["shipway.dev/state"] = serde_json::to_value(record.state).unwrap_or_default();
    let mut data = json!({KEY: STANDARD.encode(packed)});
    if let Some(objects) = objects.beside() {
        data[OBJECTS_KEY] = STANDARD.encode(objects).into();
    }
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": TYPE,
        "metadata": {"name": id.name, "namespace": id.namespace, "labels": labels},
        "data": data,
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
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::model::{HookRules, Rendered, Stage, hex};

    /// As a version wrote it that kept no objects.
    const OLD: &str = include_str!("../../tests/fixtures/record-without-objects.json");

    fn packed(record: &Record, size: usize) -> (Record, Packed) {
        let objects = [Rendered {
            id: record_id("demo-qa", record, 1),
            resource: secrets(),
            stage: Stage::Configuration,
            hook: HookRules::default(),
            hash: String::new(),
            // what gzip makes nothing of
            json: (0..size).map(|number| hex(&Sha256::digest(number.to_string()))).collect(),
            from: Vec::new(),
        }];
        let packed = Packed::new(&objects, record.revision, &[]).unwrap();
        (Record { objects: Some(packed.kept.clone()), ..record.clone() }, packed)
    }

    #[test]
    fn a_record_comes_back_as_it_was_packed() {
        let (record, objects) = packed(&Record::sample(12, RecordState::Succeeded), 1);
        let id = record_id("demo-qa", &record, 12);
        let secret = pack(&id, &record, &objects).unwrap();
        assert_eq!(secret["metadata"]["name"], "shipway.demo.qa.v12");
        assert_eq!(secret["metadata"]["labels"]["shipway.dev/state"], "succeeded");
        assert!(secret["data"]["objects"].is_string(), "{secret}");
        assert_eq!((revision_of(&secret), unpack(&secret)), (Some(12), Some(record)));
    }

    #[test]
    fn a_record_of_before_is_read() {
        let record: Record = serde_json::from_str(OLD).unwrap();
        assert_eq!((record.revision, record.source, record.objects), (3, None, None));
        assert_eq!(record.applied.len(), 2);
    }

    #[test]
    fn many_objects_are_kept_in_parts_and_once() {
        let (record, objects) = packed(&Record::sample(12, RecordState::Succeeded), 50_000);
        let secret = pack(&record_id("demo-qa", &record, 12), &record, &objects).unwrap();
        assert!(secret["data"]["objects"].is_null());
        assert_eq!(record.objects.as_ref().unwrap().parts, 2);
    }

    #[test]
    fn what_is_no_record_is_none() {
        for data in [json!({}), json!({"record": "!"}), json!({"record": STANDARD.encode("text")})] {
            assert_eq!(unpack(&json!({ "data": data })), None);
        }
    }
}
