//! The rendered objects of a release, kept with its record: in the record's own Secret where they are few, else in parts.
//! Values of Secrets are among them, so they are kept in Secrets and nowhere else.

use std::io::{Read as _, Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use futures::future::try_join_all;
use http::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{
    connect::Cluster,
    error::ClusterError,
    record::{KEY, OBJECTS_KEY, labels, record_id, secrets},
    request::{APPLY_PATCH, Call, object_path},
};
use crate::model::{KeptObjects, MANAGER, ObjectId, Record, RecordState, Rendered, hex};

pub(super) const TYPE: &str = "shipway.dev/objects";
/// What every LIST of the history may carry along for each record.
const MOST_BESIDE: usize = 16 << 10;
/// A Secret holds 1 MiB at most.
const PART: usize = 900 << 10;
/// Unpacked.
const LARGEST: u64 = 256 << 20;

/// The objects of a release, ready to be kept.
pub(crate) struct Packed {
    pub(crate) kept: KeptObjects,
    /// What goes into the record's own Secret.
    beside: Option<Vec<u8>>,
    /// What goes into Secrets of their own.
    parts: Vec<Vec<u8>>,
}

impl Packed {
    /// Packs the objects of a revision. An unchanged set that an earlier record keeps in parts is not kept again.
    ///
    /// # Errors
    /// None that a correct set of objects can bring about.
    pub(crate) fn new(objects: &[Rendered], revision: u64, records: &[Record]) -> Result<Self, ClusterError> {
        let hash = hash(objects);
        let finished = records.iter().rev().filter(|record| record.state != RecordState::Running);
        let earlier = finished.filter_map(|record| record.objects.as_ref());
        if let Some(kept) = { earlier }.find(|kept| kept.parts > 0 && kept.hash == hash) {
            return Ok(Self { kept: kept.clone(), beside: None, parts: Vec::new() });
        }
        let bytes = pack(objects)?;
        if bytes.len() <= MOST_BESIDE {
            return Ok(Self { kept: KeptObjects { revision, parts: 0, hash }, beside: Some(bytes), parts: Vec::new() });
        }
        let parts: Vec<Vec<u8>> = bytes.chunks(PART).map(<[u8]>::to_vec).collect();
        Ok(Self { kept: KeptObjects { revision, parts: parts.len(), hash }, beside: None, parts })
    }

    /// What the record's Secret holds of them.
    pub(super) fn beside(&self) -> Option<&[u8]> {
        self.beside.as_deref()
    }
}

impl Cluster {
    /// Writes the parts (one PATCH each); nothing where the objects are in the record's Secret, or kept already.
    pub(crate) async fn save_objects(
        &self,
        namespace: &str,
        record: &Record,
        objects: &Packed,
    ) -> Result<(), ClusterError> {
        for (position, part) in objects.parts.iter().enumerate() {
            let id = part_id(namespace, record, record.revision, position);
            let body = json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "type": TYPE,
                "metadata": {"name": id.name, "namespace": id.namespace, "labels": labels(record)},
                "data": {KEY: STANDARD.encode(part)},
            });
            let path = object_path(&secrets(), &id, &[("fieldManager", MANAGER), ("force", "true")]);
            self.ask(&Call::write(Method::PATCH, path, APPLY_PATCH, body.to_string()).about(&id)).await?;
        }
        Ok(())
    }

    /// The objects that a record was made with; none where they are not kept, or not as they were written.
    pub(crate) async fn kept_objects(
        &self,
        namespace: &str,
        record: &Record,
    ) -> Result<Option<Vec<Rendered>>, ClusterError> {
        let Some(kept) = &record.objects else { return Ok(None) };
        let wanted: Vec<(ObjectId, &str)> = match kept.parts {
            0 => vec![(record_id(namespace, record, kept.revision), OBJECTS_KEY)],
            parts => (0..parts).map(|part| (part_id(namespace, record, kept.revision, part), KEY)).collect(),
        };
        let found = try_join_all(wanted.iter().map(async |(id, key)| {
            // not by `get`, which would learn the whole text as a secret
            let call = Call::get(object_path(&secrets(), id, &[])).about(id);
            let secret = self.ask_if_there(&call).await?;
            Ok(secret.and_then(|secret| STANDARD.decode(secret["data"][key].as_str()?).ok()))
        }))
        .await?;
        let bytes: Option<Vec<Vec<u8>>> = found.into_iter().collect();
        Ok(bytes.and_then(|parts| unpack(&parts.concat())).filter(|objects| hash(objects) == kept.hash))
    }

    /// Deletes the parts that a record's objects are in.
    pub(super) async fn delete_objects(&self, namespace: &str, record: &Record) -> Result<(), ClusterError> {
        let Some(kept) = &record.objects else { return Ok(()) };
        for part in 0..kept.parts {
            self.delete(&secrets(), &part_id(namespace, record, kept.revision, part)).await?;
        }
        Ok(())
    }
}

/// `shipway.demo.qa.v7.p1`
fn part_id(namespace: &str, record: &Record, revision: u64, position: usize) -> ObjectId {
    let id = record_id(namespace, record, revision);
    ObjectId { name: format!("{}.p{}", id.name, position + 1), ..id }
}

/// What two releases with the same objects have in common.
fn hash(objects: &[Rendered]) -> String {
    let mut hasher = Sha256::new();
    for object in objects {
        hasher.update(format!("{:?} {:?} {}\n", object.id, object.stage, object.hash));
    }
    hex(&hasher.finalize())
}

fn pack(objects: &[Rendered]) -> Result<Vec<u8>, ClusterError> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let written = serde_json::to_writer(&mut encoder, objects).map_err(std::io::Error::other);
    written.and_then(|()| encoder.flush()).and_then(|()| encoder.finish()).map_err(|error| ClusterError::Nonsense {
        server: "the record".to_owned(),
        why: format!("the objects cannot be packed: {error}"),
    })
}

fn unpack(bytes: &[u8]) -> Option<Vec<Rendered>> {
    let mut text = Vec::new();
    GzDecoder::new(bytes).take(LARGEST).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
