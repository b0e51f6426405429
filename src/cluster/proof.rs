//! That an object is as it was written: by what the server itself keeps of each write, without reading the object.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::owners;
use crate::model::{Applied, Rendered, hex, our_template};

/// True where nobody has touched, since it was recorded, what is rendered now: the same object, with the same fields owned
/// by the same apply. Kinds that count no generations must be at the same version.
pub(super) fn is_untouched(recorded: &Applied, object: &Rendered, live: &Value) -> bool {
    let now = applied(object, live);
    let same_content = match now.generation {
        0 => now.resource_version == recorded.resource_version,
        generation => generation == recorded.generation,
    };
    now.ours.is_some()
        && (&now.id, &now.resource, &now.uid, &now.hash, &now.ours, &now.at)
            == (&recorded.id, &recorded.resource, &recorded.uid, &recorded.hash, &recorded.ours, &recorded.at)
        && same_content
}

/// True where an apply would make shipway the owner of no more than it owns now.
pub(crate) fn owns_all(live: &Value, rehearsed: &Value) -> bool {
    let fields = |body| owners::our_entry(body).map(|entry| &entry["fieldsV1"]);
    fields(live).is_some() && fields(live) == fields(rehearsed)
}

/// What an apply answered, or would have for an object that equals it.
pub(crate) fn applied(object: &Rendered, body: &Value) -> Applied {
    let entry = owners::our_entry(body);
    Applied {
        ours: entry.map(|entry| hex(&Sha256::digest(entry["fieldsV1"].to_string()))),
        template: our_template(body),
        at: entry.and_then(|entry| entry["time"].as_str()).map(str::to_owned),
        ..Applied::of(object, body)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        cluster::request::built_in,
        model::{HookRules, MANAGER, ObjectId, Stage},
    };

    fn id() -> ObjectId {
        ObjectId { group: "apps".to_owned(), kind: "Deployment".to_owned(), namespace: None, name: "web".to_owned() }
    }

    #[test]
    fn only_what_nobody_touched_is_proven() {
        let rendered = Rendered {
            id: id(),
            resource: built_in("apps", "v1", "Deployment", "deployments"),
            stage: Stage::Workload,
            hook: HookRules::default(),
            hash: "a".to_owned(),
            json: String::new(),
            from: Vec::new(),
        };
        let live = json!({"metadata": {"uid": "1", "generation": 1, "resourceVersion": "7", "managedFields": [
            {"manager": MANAGER, "operation": "Apply", "time": "t", "fieldsV1": {"f:spec": {"f:paused": {}}}}]}});
        let recorded = applied(&rendered, &live);
        let with = |pointer: &str, value: Value| {
            let mut body = live.clone();
            *body.pointer_mut(pointer).unwrap() = value;
            body
        };
        assert!(is_untouched(&recorded, &rendered, &with("/metadata/resourceVersion", json!("8"))));
        for (pointer, value) in [
            ("/metadata/uid", json!("2")),
            ("/metadata/generation", json!(2)),
            ("/metadata/managedFields/0/time", json!("u")),
            ("/metadata/managedFields/0/fieldsV1", json!({"f:spec": {}})),
            ("/metadata/managedFields/0/manager", json!("kubectl")),
        ] {
            assert!(!is_untouched(&recorded, &rendered, &with(pointer, value)), "{pointer}");
        }
        assert!(!is_untouched(&recorded, &Rendered { hash: "b".to_owned(), ..rendered.clone() }, &live));
        let uncounted = with("/metadata/generation", Value::Null);
        let recorded = applied(&rendered, &uncounted);
        let mut next = uncounted.clone();
        assert!(is_untouched(&recorded, &rendered, &next));
        next["metadata"]["resourceVersion"] = json!("8");
        assert!(!is_untouched(&recorded, &rendered, &next));
    }
}
