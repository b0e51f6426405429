//! Pod templates, wherever a kind has them.

use serde_json::Value;

use crate::{
    kinds,
    model::{FieldPath, Object},
};

pub(super) const CONTAINER_LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// The paths of an object's pod templates, each with the pods' `metadata` and `spec` below it. The known kinds say where
/// theirs is; of others every mapping named `..emplate` whose spec has containers counts.
pub(super) fn templates(object: &Object) -> Vec<FieldPath> {
    match kinds::find(&object.id.group, &object.id.kind) {
        Some(kind) => {
            let path = kind.template.map(|steps| steps.iter().fold(FieldPath::default(), |path, step| path.key(*step)));
            path.into_iter().filter(|path| path.find(&object.body).is_some()).collect()
        }
        None => {
            let mut found = Vec::new();
            search(&object.body, &FieldPath::default(), &mut found);
            found
        }
    }
}

fn search(value: &Value, path: &FieldPath, found: &mut Vec<FieldPath>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = path.key(key);
                if is_template_name(key) && value.pointer("/spec/containers").is_some_and(Value::is_array) {
                    found.push(path);
                } else if value.is_object() || value.is_array() {
                    search(value, &path, found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate().filter(|(_, item)| item.is_object()) {
                search(item, &path.index(index), found);
            }
        }
        _ => {}
    }
}

/// `template`, `podTemplate`
pub(super) fn is_template_name(key: &str) -> bool {
    key.ends_with("emplate")
}

/// All containers of a template, with their paths from the object's root.
pub(super) fn containers<'b>(body: &'b Value, template: &FieldPath) -> Vec<(FieldPath, &'b Value)> {
    let spec = template.key("spec");
    let mut found = Vec::new();
    for list in CONTAINER_LISTS {
        let path = spec.key(list);
        let items = path.find(body).and_then(Value::as_array).into_iter().flatten();
        found.extend(items.enumerate().map(|(index, item)| (path.index(index), item)));
    }
    found
}

/// All volumes of a template, with their paths from the object's root.
pub(super) fn volumes<'b>(body: &'b Value, template: &FieldPath) -> Vec<(FieldPath, &'b Value)> {
    let path = template.key("spec").key("volumes");
    let items = path.find(body).and_then(Value::as_array).into_iter().flatten();
    items.enumerate().map(|(index, item)| (path.index(index), item)).collect()
}
