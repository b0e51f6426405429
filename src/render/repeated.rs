//! Lists whose entries are known by a key, as variables by their name: the server refuses to apply an entry twice.

use serde_json::Value;

use super::{merge, template};
use crate::{
    kinds,
    model::{DocumentRef, FieldPath, Object, PathStep},
};

/// An entry that a later one of the same key stands for.
#[derive(Debug, PartialEq)]
pub(super) struct Repeated {
    /// ``the variable `MODE` ``
    pub what: String,
    pub path: FieldPath,
    /// The later one.
    pub other: FieldPath,
    /// Where they are not alike, nobody can tell which one is meant.
    pub differs: bool,
}

/// Which entries of lists the objects do not have any more, by the document and as they stand in it: what comes after
/// them has another index there.
#[derive(Clone, Debug, Default)]
pub(super) struct LeftOut(Vec<(DocumentRef, FieldPath)>);

impl LeftOut {
    pub(super) fn add(&mut self, document: &DocumentRef, entry: FieldPath) {
        self.0.push((document.clone(), entry));
    }

    /// Where a field of the object stands in the document.
    pub(super) fn as_written(&self, document: &DocumentRef, path: &FieldPath) -> FieldPath {
        let mut written = FieldPath::default();
        for step in &path.0 {
            match step {
                PathStep::Index(index) => {
                    let index = self.of_list(document, &written).fold(*index, |at, gone| at + usize::from(gone <= at));
                    written = written.index(index);
                }
                PathStep::Key(key) => written = written.key(key),
            }
        }
        written
    }

    /// The indexes that are left out of a list, in ascending order.
    fn of_list(&self, document: &DocumentRef, list: &FieldPath) -> impl Iterator<Item = usize> {
        self.0.iter().filter(move |(of, _)| of == document).filter_map(move |(_, entry)| match entry.0.split_last() {
            Some((PathStep::Index(index), above)) if *above == list.0 => Some(*index),
            _ => None,
        })
    }
}

/// Finds what stands twice; the last one stays.
pub(super) fn settle(object: &mut Object) -> Vec<Repeated> {
    let mut found = Vec::new();
    for (path, list) in lists(object) {
        if let Some(Value::Array(items)) = path.find_mut(&mut object.body) {
            settle_list(items, list, &path, &mut found);
        }
    }
    found
}

fn settle_list(items: &mut Vec<Value>, list: &str, path: &FieldPath, found: &mut Vec<Repeated>) {
    let keys: Vec<_> = items.iter().map(|item| key(list, item)).collect();
    let mut earlier = Vec::new();
    for (index, key) in keys.iter().enumerate().filter(|(_, key)| key.is_some()) {
        let Some(last) = keys.iter().rposition(|other| other == key).filter(|last| *last > index) else { continue };
        let differs = with_protocol(&items[index]) != with_protocol(&items[last]);
        earlier.push(index);
        let what = named(list, &items[index]);
        found.push(Repeated { what, path: path.index(index), other: path.index(last), differs });
    }
    for index in earlier.into_iter().rev() {
        items.remove(index);
    }
}

/// None for what has no key, and for a directive of an overlay.
fn key(list: &str, item: &Value) -> Option<Vec<Value>> {
    if item.get(merge::DIRECTIVE).is_some() { None } else { merge::identity(list, item) }
}

/// A protocol that is left out is TCP.
fn with_protocol(item: &Value) -> Value {
    let mut item = item.clone();
    if let Some(fields) =
        item.as_object_mut().filter(|fields| fields.contains_key("containerPort") || fields.contains_key("port"))
    {
        fields.entry("protocol").or_insert_with(|| "TCP".into());
    }
    item
}

const OF_A_POD: [&str; 9] = [
    "containers",
    "initContainers",
    "ephemeralContainers",
    "volumes",
    "imagePullSecrets",
    "hostAliases",
    "topologySpreadConstraints",
    "resourceClaims",
    "schedulingGates",
];
const OF_A_CONTAINER: [&str; 4] = ["env", "ports", "volumeMounts", "volumeDevices"];

/// The lists with their names, those within containers first: what is taken out of a list moves what comes after it.
fn lists(object: &Object) -> Vec<(FieldPath, &'static str)> {
    let is_known = kinds::find(&object.id.group, &object.id.kind).is_some();
    // what the server makes of other lists of a custom resource, its definition says
    let of_a_container = if is_known { &OF_A_CONTAINER[..] } else { &OF_A_CONTAINER[..1] };
    let of_a_pod = if is_known { &OF_A_POD[..] } else { &[] };
    let mut found = Vec::new();
    for template in template::templates(object) {
        for (container, _) in template::containers(&object.body, &template) {
            found.extend(of_a_container.iter().map(|list| (container.key(*list), *list)));
        }
        found.extend(of_a_pod.iter().map(|list| (template.key("spec").key(*list), *list)));
    }
    if object.id.group.is_empty() && object.id.kind == "Service" {
        found.push((FieldPath::parse("spec.ports"), "ports"));
    }
    found
}

fn named(list: &str, item: &Value) -> String {
    let text = |field: &str| match &item[field] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match list {
        "env" => format!("the variable `{}`", text("name")),
        "containers" | "initContainers" | "ephemeralContainers" => format!("the container `{}`", text("name")),
        "volumes" => format!("the volume `{}`", text("name")),
        "volumeMounts" => format!("the mount at `{}`", text("mountPath")),
        "volumeDevices" => format!("the device at `{}`", text("devicePath")),
        "ports" => {
            let number = if item.get("containerPort").is_some() { "containerPort" } else { "port" };
            let protocol = item["protocol"].as_str().unwrap_or("TCP");
            format!("the port {}/{protocol}", text(number))
        }
        "hostAliases" => format!("the alias of `{}`", text("ip")),
        "topologySpreadConstraints" => format!("the constraint over `{}`", text("topologyKey")),
        _ => format!("`{}` in {list}", text("name")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{ObjectId, Resource};

    fn object(group: &str, kind: &str, body: Value) -> Object {
        let id = ObjectId { group: group.into(), kind: kind.into(), namespace: None, name: "a".into() };
        let resource = Resource {
            group: group.into(),
            version: "v1".into(),
            kind: kind.into(),
            plural: String::new(),
            namespaced: true,
        };
        Object { id, resource, body, from: Vec::new() }
    }

    fn told(object: &mut Object) -> Vec<(String, String, String, bool)> {
        let told = |of: Repeated| (of.what, of.path.to_string(), of.other.to_string(), of.differs);
        settle(object).into_iter().map(told).collect()
    }

    #[test]
    fn entries_that_are_alike_are_one_and_others_are_told_apart() {
        let container = json!({
            "name": "web",
            "env": [
                {"name": "A", "value": "1"}, {"name": "B", "value": "1"}, {"name": "A", "value": "1"},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}, {"name": "C"},
            ],
            "ports": [{"containerPort": 53}, {"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}],
            "volumeMounts": [{"name": "a", "mountPath": "/x"}, {"name": "b", "mountPath": "/x"}],
        });
        let spec = json!({"containers": [container], "volumes": [{"name": "a", "emptyDir": {}}, {"name": "a"}]});
        let mut pod = object("", "Pod", json!({"spec": spec}));
        let of = |what: &str, path: &str, other: &str, differs| {
            let at = |path: &str| format!("spec.{path}");
            (what.to_owned(), at(path), at(other), differs)
        };
        assert_eq!(
            told(&mut pod),
            [
                of("the variable `A`", "containers[0].env[0]", "containers[0].env[2]", false),
                of("the variable `B`", "containers[0].env[1]", "containers[0].env[3]", true),
                of("the port 53/TCP", "containers[0].ports[0]", "containers[0].ports[2]", false),
                of("the mount at `/x`", "containers[0].volumeMounts[0]", "containers[0].volumeMounts[1]", true),
                of("the volume `a`", "volumes[0]", "volumes[1]", true),
            ]
        );
        let web = &pod.body["spec"]["containers"][0];
        let names: Vec<_> = web["env"].as_array().unwrap().iter().map(|entry| &entry["name"]).collect();
        assert_eq!(names, ["A", "B", "C"]);
        assert_eq!(web["ports"].as_array().unwrap().len(), 2);
        assert_eq!(web["volumeMounts"], json!([{"name": "b", "mountPath": "/x"}]));
    }

    #[test]
    fn what_comes_after_an_entry_that_is_left_out_is_found_where_it_was_written() {
        let document = |number| DocumentRef { file: "a.yaml".into(), document: number, line: 1, item: None };
        let mut left_out = LeftOut::default();
        for entry in ["c[0]", "c[1].env[0]", "c[1].env[1]", "c[1].env[4]"] {
            left_out.add(&document(0), FieldPath::parse(entry));
        }
        for (path, written) in [
            ("c[0].env[0].value", "c[1].env[2].value"),
            ("c[0].env[1]", "c[1].env[3]"),
            ("c[0].env[2]", "c[1].env[5]"),
            ("c[0].ports[0]", "c[1].ports[0]"),
            ("c[1].env[0]", "c[2].env[0]"),
            ("d[0]", "d[0]"),
        ] {
            let path = FieldPath::parse(path);
            assert_eq!(left_out.as_written(&document(0), &path), FieldPath::parse(written));
            assert_eq!(left_out.as_written(&document(1), &path), path);
        }
    }

    #[test]
    fn ports_of_a_service_and_lists_of_custom_resources() {
        let ports = json!([{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]);
        let mut service = object("", "Service", json!({"spec": {"ports": ports}}));
        let [(what, .., differs)] = &told(&mut service)[..] else { panic!() };
        assert_eq!((what.as_str(), *differs), ("the port 80/TCP", true));

        let env = json!([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]);
        let containers = json!([{"name": "web", "env": env, "ports": [{"containerPort": 1}, {"containerPort": 1}]}]);
        let body = json!({"spec": {"template": {"spec": {"containers": containers}}, "ports": ports}});
        let mut custom = object("example.com", "Rollout", body);
        let [(what, .., differs)] = &told(&mut custom)[..] else { panic!() };
        assert_eq!((what.as_str(), *differs), ("the variable `A`", true));
    }

    #[test]
    fn a_directive_of_an_overlay_is_no_entry() {
        let env = json!([{"name": "A", "$patch": "delete"}, {"name": "A", "value": "1"}]);
        let mut pod = object("", "Pod", json!({"spec": {"containers": [{"name": "web", "env": env}]}}));
        assert_eq!(settle(&mut pod), []);
    }
}
