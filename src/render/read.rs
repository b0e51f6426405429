//! From texts to objects: lists opened, identities checked, the overlay laid over the base.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{
    RenderError,
    check::{a_kind_of, untexts},
    configuration::make_room,
    merge,
    repeated::{self, LeftOut, Repeated},
};
use crate::{
    kinds,
    model::{Definition, DocumentRef, Exit, FieldPath, Layers, Object, ObjectId, Place, Problem, Resource, SourceText},
    yaml,
};

/// The objects of one environment, as the manifests have them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manifests {
    pub(super) entries: Vec<Entry>,
    texts: Vec<SourceText>,
    /// What was read in another way than it was perhaps meant: keys that stand twice.
    pub warnings: Vec<Problem>,
    /// What keeps them from being deployed. The objects are as if it were put right: the last of two counts, and what must
    /// be a text is one.
    pub(super) faults: Vec<RenderError>,
    /// Objects without a name, say, are not among the objects.
    lacks_some: bool,
    left_out: LeftOut,
    definitions: Vec<Definition>,
}

/// An object at rest: as a text it takes a twentieth of the memory.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    id: ObjectId,
    resource: Resource,
    pub(super) json: String,
    from: Vec<DocumentRef>,
}

impl Entry {
    pub(super) fn new(object: Object) -> Self {
        Self { json: object.text(), id: object.id, resource: object.resource, from: object.from }
    }

    /// Without what is nothing to the server, or is the server's own.
    fn clean(mut object: Object) -> Self {
        drop_what_the_server_owns(&mut object.body);
        if kinds::find(&object.id.group, &object.id.kind).is_some() {
            fill_texts(&mut object);
            drop_nulls(&mut object.body);
        }
        Self::new(object)
    }

    pub(super) fn object(&self) -> Object {
        Object {
            id: self.id.clone(),
            resource: self.resource.clone(),
            // it was written by us
            body: serde_json::from_str(&self.json).unwrap_or(Value::Null),
            from: self.from.clone(),
        }
    }
}

impl Manifests {
    /// The objects in the order of the files, one at a time. Their namespace is the one that is written, if any.
    pub(crate) fn objects(&self) -> impl Iterator<Item = Object> + '_ {
        self.entries.iter().map(Entry::object)
    }

    /// The kinds that are not built in, each once: their plural and scope are guesses, unless a definition is among the
    /// manifests.
    pub(crate) fn custom_kinds(&self) -> Vec<Resource> {
        let custom = self.entries.iter().filter(|entry| kinds::find(&entry.id.group, &entry.id.kind).is_none());
        let mut found: Vec<Resource> = Vec::new();
        for entry in custom {
            if !found.contains(&entry.resource) {
                found.push(entry.resource.clone());
            }
        }
        found
    }

    /// True where the manifests bring the definition of a kind.
    pub(crate) fn define(&self, resource: &Resource) -> bool {
        self.definitions.iter().any(|definition| definition.is_of(resource))
    }

    /// What the manifests define counts from the first deploy on, whatever the cluster knows of it.
    fn take_definitions(&mut self) {
        let found = self.entries.iter().filter_map(|entry| Definition::of(&entry.id, || entry.object().body));
        self.definitions = found.collect();
        for asked in self.custom_kinds() {
            let Some(definition) = self.definitions.iter().find(|definition| definition.is_of(&asked)) else {
                continue;
            };
            if !definition.serves(&asked) {
                let served = definition.api_versions();
                let users = self.entries.iter().filter(|entry| entry.resource == asked);
                let places = users.map(|entry| self.boxed_place(&entry.from, &FieldPath::parse("apiVersion")));
                let (api_version, kind) = (asked.api_version(), asked.kind.clone());
                self.faults.push(RenderError::NotDefined { api_version, kind, served, place: places.flatten().next() });
            }
            let Definition { plural, namespaced, .. } = definition.clone();
            self.correct(&Resource { plural, namespaced, ..asked });
        }
    }

    /// Takes the word of a definition or of the cluster for the plural and the scope of a kind.
    pub(crate) fn correct(&mut self, resource: &Resource) {
        let is_of = |entry: &&mut Entry| {
            (&entry.resource.group, &entry.resource.version, &entry.resource.kind)
                == (&resource.group, &resource.version, &resource.kind)
        };
        for entry in self.entries.iter_mut().filter(is_of) {
            entry.resource = resource.clone();
            entry.id.namespace = entry.id.namespace.take().filter(|_| resource.namespaced);
        }
    }

    /// Where a field of an object stands, else what stands nearest above it; none for texts that are not at hand.
    pub(crate) fn place(&self, from: &[DocumentRef], path: &FieldPath) -> Option<Place> {
        let find = |find: fn(&SourceText, usize, &FieldPath) -> Option<Place>, document: &DocumentRef| {
            let text = self.texts.iter().find(|text| text.name == document.file)?;
            find(text, document.document, &within(document, &self.left_out.as_written(document, path)))
        };
        let exact = from.iter().rev().find_map(|document| find(yaml::locate, document));
        exact.or_else(|| from.iter().find_map(|document| find(yaml::nearest, document)))
    }

    /// The same, as errors carry it.
    pub(super) fn boxed_place(&self, from: &[DocumentRef], path: &FieldPath) -> Option<Box<Place>> {
        self.place(from, path).map(Box::new)
    }

    /// A field as its file has it: what was left out of a list before it counts there. Over an overlay nothing is known
    /// of that.
    pub(crate) fn as_written(&self, from: &[DocumentRef], path: &FieldPath) -> FieldPath {
        match from {
            [document] => self.left_out.as_written(document, path),
            _ => path.clone(),
        }
    }

    /// What keeps them from being deployed, though each of the objects can be looked at.
    pub(crate) fn faults(&self) -> &[RenderError] {
        &self.faults
    }

    /// True where objects of the files are not among them: what is not there proves nothing then.
    pub(crate) fn lack_some(&self) -> bool {
        self.lacks_some
    }

    /// True where a text stands anywhere in the objects.
    pub(super) fn mention(&self, text: &str) -> bool {
        self.entries.iter().any(|entry| entry.json.contains(text))
    }
}

/// The path in the document: an object of a `List` stands below its items.
fn within(document: &DocumentRef, path: &FieldPath) -> FieldPath {
    let mut steps = FieldPath::default();
    if let Some(item) = document.item {
        steps = steps.key("items").index(item);
    }
    steps.0.extend(path.0.iter().cloned());
    steps
}

/// Reads all texts. Manifests with [`Manifests::faults`] can be rehearsed, but not released.
///
/// # Errors
/// A text is no YAML, or an overlay cannot be laid over its base; every fault of every object is told then.
pub(crate) fn read(layers: &Layers) -> Result<Manifests, Vec<RenderError>> {
    let texts = layers.base.iter().chain(&layers.overlay).cloned().collect();
    let mut reader = Reader { found: Manifests { texts, ..Manifests::default() }, errors: Vec::new() };
    let base = reader.layer(&layers.base, Entry::clean);
    // null takes away in an overlay
    let overlay = reader.layer(&layers.overlay, Entry::new);
    reader.found.entries = reader.laid_over(base, overlay);
    reader.found.take_definitions();
    if reader.errors.is_empty() && reader.found.faults.is_empty() && reader.found.entries.is_empty() {
        let names = reader.found.texts.iter().map(|text| text.name.to_string()).collect();
        reader.errors.push(RenderError::Nothing { names });
    }
    if reader.errors.is_empty() {
        return Ok(reader.found);
    }
    reader.errors.append(&mut reader.found.faults);
    Err(reader.errors)
}

struct Reader {
    found: Manifests,
    /// What leaves nothing to look at.
    errors: Vec<RenderError>,
}

/// Group, kind and name.
type Name = (String, String, String);

impl Reader {
    fn layer(&mut self, texts: &[SourceText], at_rest: fn(Object) -> Entry) -> Vec<Entry> {
        let mut entries = Vec::new();
        for text in texts {
            let read = yaml::for_each(text, |document| {
                for (value, at) in opened(document.value, document.at) {
                    entries.extend(self.object(value, at).map(at_rest));
                }
            });
            match read {
                Ok(warnings) => self.found.warnings.extend(warnings),
                Err(error) => self.errors.push(error.into()),
            }
        }
        let twins = self.twins(&entries);
        for first in twins.into_iter().rev() {
            entries.remove(first);
        }
        entries
    }

    /// Tells objects of one identity; the positions of all but the last, in ascending order.
    fn twins(&mut self, entries: &[Entry]) -> Vec<usize> {
        let mut seen: HashMap<&ObjectId, usize> = HashMap::new();
        let mut twins = Vec::new();
        for (position, entry) in entries.iter().enumerate() {
            if let Some(first) = seen.insert(&entry.id, position) {
                let start = FieldPath::default();
                let place = self.found.boxed_place(&entry.from, &start);
                let other = self.found.boxed_place(&entries[first].from, &start);
                self.found.faults.push(RenderError::Twice { object: entry.id.clone().into(), first: other, place });
                twins.push(first);
            }
        }
        twins.sort_unstable();
        twins
    }

    fn object(&mut self, body: Value, at: DocumentRef) -> Option<Object> {
        let from = vec![at];
        match self.checked(body, &from) {
            Ok(mut object) => {
                let repeated = repeated::settle(&mut object);
                let entries: Vec<FieldPath> = repeated.iter().map(|repeated| repeated.path.clone()).collect();
                repeated.into_iter().for_each(|repeated| self.tell_repeated(&object, repeated));
                // from here on a place is looked for by where it is now
                entries.into_iter().for_each(|entry| self.found.left_out.add(&object.from[0], entry));
                self.make_texts(&mut object);
                Some(object)
            }
            Err(error) => {
                self.found.faults.push(error);
                self.found.lacks_some = true;
                None
            }
        }
    }

    fn make_texts(&mut self, object: &mut Object) {
        for untext in untexts(object) {
            let place = self.found.boxed_place(&object.from, &untext.path);
            let path = untext.path.to_string();
            self.found.faults.push(RenderError::NotText { path, found: untext.found, place });
            if let Some(value) = untext.path.find_mut(&mut object.body) {
                *value = value.to_string().into();
            }
        }
    }

    /// Of two that differ the server, kubectl and a reader may each take another one: an error.
    fn tell_repeated(&mut self, object: &Object, Repeated { what, path, other, differs }: Repeated) {
        let (id, place, other) = (
            object.id.clone(),
            self.found.boxed_place(&object.from, &path),
            self.found.boxed_place(&object.from, &other),
        );
        if differs {
            self.found.faults.push(RenderError::Repeated { object: id.into(), what, first: place, place: other });
            return;
        }
        let text = format!("{what} stands twice: the last one wins");
        let warning = Problem::new("duplicate-key", Exit::Input, text).about(id);
        let warning = other.iter().fold(warning, |warning, other| warning.hint(format!("the other one is in {other}")));
        self.found.warnings.push(Problem { place: place.map(|place| *place), ..warning });
    }

    fn checked(&self, body: Value, from: &[DocumentRef]) -> Result<Object, RenderError> {
        let place = |path: &str| self.found.boxed_place(from, &FieldPath::parse(path));
        if !body.is_object() {
            return Err(RenderError::NotAnObject { found: a_kind_of(&body), place: place("") });
        }
        let text = |path: &'static str| match FieldPath::parse(path).find(&body) {
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            None | Some(Value::Null | Value::String(_)) => Ok(None),
            Some(other) => {
                Err(RenderError::NotText { path: path.to_owned(), found: a_kind_of(other), place: place(path) })
            }
        };
        let needed = |path| text(path)?.ok_or_else(|| RenderError::Missing { field: path, place: place(path) });
        let api_version = needed("apiVersion")?;
        let kind = needed("kind")?;
        if let Some(removed) = kinds::removed(&api_version, &kind) {
            let also = removed.also.iter().copied().filter(|text| still_to_do(text, &body)).collect();
            return Err(RenderError::Removed {
                api_version,
                kind,
                removed: removed.into(),
                also,
                place: place("apiVersion"),
            });
        }
        if text("metadata.name")?.is_none() && text("metadata.generateName")?.is_some() {
            return Err(RenderError::GenerateName { kind, place: place("metadata.generateName") });
        }
        let name = needed("metadata.name")?;
        let namespace = text("metadata.namespace")?;
        let resource = resource(&api_version, &kind)
            .ok_or_else(|| RenderError::ApiVersion { api_version: api_version.clone(), place: place("apiVersion") })?;
        let namespace = namespace.filter(|_| resource.namespaced);
        let id = ObjectId { group: resource.group.clone(), kind, namespace, name };
        Ok(Object { id, resource, body, from: from.to_vec() })
    }

    fn laid_over(&mut self, base: Vec<Entry>, overlay: Vec<Entry>) -> Vec<Entry> {
        let mut names: HashMap<Name, Vec<usize>> = HashMap::new();
        for (index, entry) in base.iter().enumerate() {
            names.entry(name(&entry.id)).or_default().push(index);
        }
        let mut entries: Vec<Option<Entry>> = base.into_iter().map(Some).collect();
        for over in overlay.iter().map(Entry::object) {
            let named = names.get(&name(&over.id)).into_iter().flatten().copied();
            let under = named
                .clone()
                .find(|index| entries[*index].as_ref().is_some_and(|entry| is_same_namespace(&entry.id, &over.id)));
            let base = under.and_then(|index| entries[index].take());
            match (base, merge::deletes(&over.body)) {
                (Some(_), true) => {}
                // its base may be what is lacking
                (None, _) if self.found.lacks_some => {}
                (None, true) => {
                    let place = self.found.boxed_place(&over.from, &FieldPath::default());
                    self.found.faults.push(RenderError::NothingToDelete { object: over.id.into(), place });
                }
                (Some(entry), false) => {
                    let merged = Entry::clean(self.merged(entry.object(), over));
                    entries[under.unwrap_or_default()] = Some(merged);
                }
                (None, false) => {
                    let empty = Object { body: Value::Object(Map::new()), from: Vec::new(), ..over.clone() };
                    entries.push(Some(Entry::clean(self.merged(empty, over))));
                }
            }
        }
        entries.into_iter().flatten().collect()
    }

    /// The overlay's version and namespace win.
    fn merged(&mut self, mut object: Object, over: Object) -> Object {
        let keyed = kinds::find(&over.id.group, &over.id.kind).is_some();
        make_room(&mut object, &over);
        if let Err(unknown) = merge::merge(&mut object.body, &over.body, keyed) {
            let place = self.found.boxed_place(&over.from, &unknown.path);
            self.errors.push(RenderError::Directive { directive: unknown.directive, place });
        }
        object.from.extend(over.from);
        object.resource = over.resource;
        if over.id.namespace.is_some() {
            object.id.namespace = over.id.namespace;
        }
        object
    }
}

fn name(id: &ObjectId) -> Name {
    (id.group.clone(), id.kind.clone(), id.name.clone())
}

fn is_same_namespace(base: &ObjectId, over: &ObjectId) -> bool {
    base.namespace == over.namespace || base.namespace.is_none() || over.namespace.is_none()
}

/// The items of a list, else the document itself.
fn opened(mut value: Value, at: DocumentRef) -> Vec<(Value, DocumentRef)> {
    let list_kind = value.get("kind").and_then(Value::as_str).and_then(|kind| kind.strip_suffix("List"));
    let (Some(kind), Some(Value::Array(_))) = (list_kind.map(str::to_owned), value.get("items")) else {
        return vec![(value, at)];
    };
    let api_version = value.get("apiVersion").cloned();
    let Some(Value::Array(items)) = value.get_mut("items").map(Value::take) else {
        return Vec::new();
    };
    let numbered = items.into_iter().enumerate().map(|(number, mut item)| {
        // the items of a typed list (`DeploymentList`) need not say what they are
        if let (Some(item), false) = (item.as_object_mut(), kind.is_empty()) {
            item.entry("kind").or_insert_with(|| kind.clone().into());
            item.entry("apiVersion").or_insert_with(|| api_version.clone().unwrap_or_default());
        }
        (item, DocumentRef { item: Some(number), ..at.clone() })
    });
    numbered.collect()
}

/// The resource of a kind; for a custom one a guess at the plural, which the cluster's own discovery overrides.
fn resource(api_version: &str, kind: &str) -> Option<Resource> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let well_formed = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
    if version.is_empty() || !well_formed(version) || !well_formed(group) {
        return None;
    }
    if let Some(known) = kinds::find(group, kind) {
        return Some(known.resource_in(version));
    }
    let lower = kind.to_lowercase();
    let plural = match lower.as_bytes() {
        [.., b's' | b'x' | b'z'] | [.., b'c' | b's', b'h'] => format!("{lower}es"),
        [.., before, b'y'] if !b"aeiou".contains(before) => format!("{}ies", &lower[..lower.len() - 1]),
        _ => format!("{lower}s"),
    };
    Some(Resource { group: group.into(), version: version.into(), kind: kind.into(), plural, namespaced: true })
}

/// False where a remedy names a field of the object that is already as it should be.
fn still_to_do(remedy: &str, body: &Value) -> bool {
    let mut words = remedy.split([' ', ',']);
    let (first, path) = match (words.next(), words.next()) {
        (Some("leave"), Some("out")) => ("leave out", words.next()),
        (Some(first), path) => (first, path),
        (None, _) => return true,
    };
    let is_there = |path: &str| path.starts_with("spec.") && FieldPath::parse(path).find(body).is_some();
    match (first, path) {
        ("write", Some(path)) => !is_there(path),
        ("leave out", Some(path)) => is_there(path),
        _ => true,
    }
}

/// What an object saved from a cluster carries: sent back, it is a conflict or a secret in the clear.
fn drop_what_the_server_owns(body: &mut Value) {
    let Some(fields) = body.as_object_mut() else { return };
    fields.shift_remove("status");
    let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    for field in ["managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"] {
        metadata.shift_remove(field);
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

/// In the data of a ConfigMap or a Secret the server takes null for an empty text: `DEBUG:` is a variable without a value.
fn fill_texts(object: &mut Object) {
    if !object.id.group.is_empty() || !matches!(object.id.kind.as_str(), "ConfigMap" | "Secret") {
        return;
    }
    for field in ["data", "binaryData", "stringData"] {
        let texts = object.body.get_mut(field).and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut);
        texts.filter(|text| text.is_null()).for_each(|text| *text = Value::from(""));
    }
}

/// Elsewhere in the built-in kinds null is nothing; left in, it would count as a field of ours.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Explain;

    fn texts(files: &[(&str, &str)]) -> Vec<SourceText> {
        files.iter().map(|(name, text)| SourceText { name: (*name).into(), text: (*text).into() }).collect()
    }

    fn base(text: &str) -> Layers {
        Layers { base: texts(&[("kubernetes/a.yaml", text)]), overlay: Vec::new() }
    }

    fn faults(layers: &Layers) -> Vec<RenderError> {
        read(layers).map_or_else(|errors| errors, |manifests| manifests.faults)
    }

    fn object(text: &str) -> Object {
        let manifests = read(&base(text)).unwrap_or_else(|errors| panic!("{errors:?}"));
        manifests.objects().next().unwrap()
    }

    #[test]
    fn null_is_an_empty_text_in_data_and_nothing_elsewhere() {
        let of = |kind: &str, more: &str| {
            object(&format!("apiVersion: v1\nkind: {kind}\nmetadata: {{name: a, labels: }}\n{more}\n")).body
        };
        let map = of("ConfigMap", "data: {DEBUG: , LEVEL: '1'}\nimmutable:");
        assert_eq!((&map["data"], map.get("immutable")), (&json!({"DEBUG": "", "LEVEL": "1"}), None));
        assert_eq!(map["metadata"], json!({"name": "a"}));
        assert_eq!(of("Secret", "stringData: {a: }")["stringData"], json!({"a": ""}));
        assert_eq!(of("Service", "spec: {selector: {app: }, type: ClusterIP}")["spec"]["type"], "ClusterIP");
        let layers = Layers {
            base: texts(&[(
                "kubernetes/a.yaml",
                "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {A: '1', B: '2'}}",
            )]),
            overlay: texts(&[(
                "kubernetes/qa/a.yaml",
                "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {A: null}}",
            )]),
        };
        let merged = read(&layers).unwrap().objects().next().unwrap();
        assert_eq!(merged.body["data"], json!({"B": "2"}), "an overlay takes away by null");
    }

    #[test]
    fn lists_are_opened() {
        for (text, expected) in [
            (
                "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: a}}\n\
                 - {apiVersion: apps/v1, kind: Deployment, metadata: {name: b}}\n",
                ["service/a", "deployment/b"],
            ),
            (
                "apiVersion: apps/v1\nkind: DeploymentList\nitems: [{metadata: {name: a}}, {metadata: {name: b}}]\n",
                ["deployment/a", "deployment/b"],
            ),
            (
                "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"a\"}}\n\
                 {\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"b\"}}",
                ["service/a", "pod/b"],
            ),
        ] {
            let manifests = read(&base(text)).unwrap();
            let names: Vec<_> = manifests.objects().map(|object| object.id.to_string()).collect();
            assert_eq!(names, expected);
        }
        let text = "kind: List\napiVersion: v1\nitems:\n- kind: Pod\n  apiVersion: v1\n  metadata:\n    name: 12\n";
        let errors = faults(&base(text));
        assert_eq!(errors[0].place().unwrap().line, 7);
    }

    #[test]
    fn faults_are_told_with_place_and_remedy() {
        for (text, line, said, hint) in [
            ("kind: Pod\nmetadata: {name: a}\n", 1, "no `apiVersion`", "if it is no manifest"),
            ("apiVersion: v1\nmetadata: {name: a}\n", 1, "no `kind`", ""),
            ("apiVersion: v1\nkind: Pod\nmetadata:\n  labels: {}\n", 3, "no `metadata.name`", ""),
            ("- a\n", 1, "not a list", ""),
            ("apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n", 3, "generateName", "write metadata.name"),
            ("apiVersion: a/b/c\nkind: Pod\nmetadata: {name: a}\n", 1, "`a/b/c` is not an apiVersion", "apps/v1"),
            (
                "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels:\n    commit: 12345e67\n",
                6,
                "`metadata.labels.commit` is a number",
                "quote it: `commit: \"12345e67\"`",
            ),
            ("apiVersion: v1\nkind: Pod\nmetadata:\n  name: 1\n", 4, "`metadata.name` is a number", "`name: \"1\"`"),
            (
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  PORT: 8080\n",
                5,
                "`data.PORT` is a number",
                "`PORT: \"8080\"`",
            ),
            (
                "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - env:\n    - name: A\n      value: yes\n",
                8,
                "`spec.containers[0].env[0].value` is a boolean",
                "`value: \"yes\"`",
            ),
            (
                "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: a}\n",
                1,
                "extensions/v1beta1 Deployment is gone since Kubernetes 1.16",
                "write `apiVersion: apps/v1`",
            ),
        ] {
            let errors = faults(&base(text));
            let [error] = &errors[..] else { panic!("{errors:?}") };
            let place = error.place().unwrap_or_else(|| panic!("{error}"));
            assert_eq!((place.file.as_str(), place.line), ("kubernetes/a.yaml", line), "{error}");
            assert!(error.to_string().contains(said), "{error}");
            assert!(error.hints().join("\n").contains(hint), "{:?}", error.hints());
        }
    }

    #[test]
    fn of_a_removed_version_only_what_is_left_to_do_is_told() {
        let hints = |spec: &str| {
            let text =
                format!("apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {{name: a}}\nspec: {spec}\n");
            faults(&base(&text))[0].hints().join("\n")
        };
        assert!(hints("{}").contains("write spec.selector"));
        assert!(!hints("{}").contains("rollbackTo"));
        assert!(!hints("{selector: {matchLabels: {}}}").contains("spec.selector"));
        assert!(hints("{rollbackTo: {revision: 1}}").contains("leave out spec.rollbackTo"));
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let layers = Layers {
            base: texts(&[
                ("a.yaml", "a: [1\n"),
                ("b.yaml", "kind: Pod\n---\nkind: Pod\n"),
                ("c.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: 1}\n"),
            ]),
            overlay: texts(&[("d.yaml", "x: *y\n")]),
        };
        let files: Vec<_> = read(&layers).unwrap_err().iter().map(|error| error.place().unwrap().file).collect();
        assert_eq!(files, ["a.yaml", "d.yaml", "b.yaml", "b.yaml", "c.yaml"]);
    }

    #[test]
    fn of_two_variables_that_are_alike_the_last_wins_and_is_told() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - env:\n\
                    \u{20}   - {name: A, value: '1'}\n    - {name: B}\n    - {name: A, value: '1'}\n";
        let manifests = read(&base(text)).unwrap();
        let env = manifests.objects().next().unwrap().body["spec"]["containers"][0]["env"].clone();
        assert_eq!(env, json!([{"name": "B"}, {"name": "A", "value": "1"}]));
        let [warning] = &manifests.warnings[..] else { panic!("{:?}", manifests.warnings) };
        assert_eq!(warning.text, "the variable `A` stands twice: the last one wins");
        assert_eq!(warning.place.as_ref().unwrap().line, 7);
        assert_eq!(warning.hints, ["the other one is in kubernetes/a.yaml:9:7"]);
    }

    #[test]
    fn two_variables_of_one_name_that_differ_are_told_with_all_other_faults() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - env:\n\
                    \u{20}   - name: A\n      value: '1'\n    - name: A\n      valueFrom: {}\n---\nkind: Pod\n";
        let errors = faults(&base(text));
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert_eq!(errors[0].to_string(), "the variable `A` stands twice in pod/a, and the two differ");
        let place = errors[0].place().unwrap();
        assert_eq!(
            (place.to_string().as_str(), place.snippet.as_deref()),
            ("kubernetes/a.yaml:9:7", Some("    - name: A"))
        );
        assert_eq!(errors[0].hints(), ["remove one of them; the other one is in kubernetes/a.yaml:7:7"]);
        assert_eq!((errors[0].code(), errors[0].exit()), ("duplicate-key", Exit::Input));
    }

    #[test]
    fn beside_an_object_that_cannot_be_told_no_overlay_is_taken_for_an_object() {
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {a: 1}\n";
        let lost = "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: web}\n";
        let over = |name: &str| format!("{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{b: 2}}}}\n");
        let gone = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, $patch: delete}\n";
        let layers = Layers {
            base: texts(&[("a.yaml", pod), ("b.yaml", lost)]),
            overlay: texts(&[("qa/a.yaml", &over("a")), ("qa/b.yaml", &over("b")), ("qa/c.yaml", gone)]),
        };
        let manifests = read(&layers).unwrap();
        assert!(manifests.lack_some());
        let specs: Vec<_> = manifests.objects().map(|object| object.body["spec"].clone()).collect();
        assert_eq!(specs, [json!({"a": 1, "b": 2})]);
        let codes: Vec<_> = manifests.faults().iter().map(Explain::code).collect();
        assert_eq!(codes, ["api-version"]);
    }

    #[test]
    fn objects_with_faults_are_as_if_these_were_put_right() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - env:\n\
                    \u{20}   - {name: A, value: '1'}\n    - {name: A, value: 2}\n    - {name: B, val: x}\n";
        let twin = text.replace("B, val", "C, val");
        let manifests = read(&base(&format!("{text}---\n{twin}"))).unwrap();
        let objects: Vec<_> = manifests.objects().collect();
        let [pod] = &objects[..] else { panic!("{objects:?}") };
        let env = &pod.body["spec"]["containers"][0]["env"];
        assert_eq!(env, &json!([{"name": "A", "value": "2"}, {"name": "C", "val": "x"}]));
        let place = |path: &str| manifests.place(&pod.from, &FieldPath::parse(path)).unwrap().to_string();
        assert_eq!(place("spec.containers[0].env[1].val"), "kubernetes/a.yaml:19:17");
        let written = |path: &str| manifests.as_written(&pod.from, &FieldPath::parse(path)).to_string();
        assert_eq!(written("spec.containers[0].env[1].val"), "spec.containers[0].env[2].val");
        let told: Vec<_> = manifests.faults().iter().map(|fault| (fault.code(), fault.place().unwrap().line)).collect();
        let expected =
            [("duplicate-key", 8), ("manifest", 8), ("duplicate-key", 18), ("manifest", 18), ("object-twice", 11)];
        assert_eq!(told, expected);
    }

    #[test]
    fn values_of_secrets_are_in_no_error() {
        let secret =
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: aHVudGVyMg==}\nstringData: {b: tiger7}\n";
        for broken in [secret.replace("tiger7", "123456"), secret.replace("tiger7}", "tiger7")] {
            let errors = faults(&base(&broken));
            let told: Vec<_> = errors.into_iter().map(Problem::from).map(|problem| format!("{problem:?}")).collect();
            assert!(!told[0].contains("tiger7") && !told[0].contains("123456"), "{told:?}");
        }
    }

    #[test]
    fn two_objects_of_one_identity_are_told_with_both_places() {
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";
        let layers =
            Layers { base: texts(&[("a.yaml", pod), ("b.yaml", &format!("---\n{pod}"))]), overlay: Vec::new() };
        let errors = faults(&layers);
        assert_eq!(errors[0].to_string(), "pod/a stands twice in the manifests");
        assert_eq!(errors[0].place().unwrap().to_string(), "b.yaml:2:1");
        assert_eq!(errors[0].hints(), ["remove one of them; the other one is in a.yaml:1:1"]);
    }

    #[test]
    fn the_overlay_is_laid_over_by_identity() {
        let web = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1, paused: false}\n";
        let layers = Layers {
            base: texts(&[("k/web.yaml", web), ("k/old.yaml", &web.replace("web", "old"))]),
            overlay: texts(&[
                (
                    "k/qa/web.yaml",
                    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 3\n",
                ),
                ("k/qa/old.yaml", "{apiVersion: apps/v1, kind: Deployment, metadata: {name: old}, $patch: delete}"),
                ("k/qa/new.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"),
            ]),
        };
        let manifests = read(&layers).unwrap();
        let objects: Vec<_> = manifests.objects().collect();
        let names: Vec<_> = objects.iter().map(|object| object.id.to_string()).collect();
        assert_eq!(names, ["deployment/web", "service/web"]);
        assert_eq!(objects[0].body["spec"], json!({"replicas": 3, "paused": false}));

        let place = |path: &str| manifests.place(&objects[0].from, &FieldPath::parse(path)).unwrap().to_string();
        assert_eq!(place("spec.replicas"), "k/qa/web.yaml:5:3");
        assert_eq!(place("spec.paused"), "k/web.yaml:4:21");
        assert_eq!(place("spec.selector"), "k/web.yaml:4:1");

        let orphan = "{apiVersion: v1, kind: Pod, metadata: {name: x}, $patch: delete}";
        let layers = Layers { overlay: texts(&[("k/qa/x.yaml", orphan)]), ..layers };
        assert!(matches!(faults(&layers)[..], [RenderError::NothingToDelete { .. }]));
    }

    #[test]
    fn what_the_server_owns_is_left_out() {
        let saved = object(
            "apiVersion: v1
kind: Pod
metadata:
  name: a
  creationTimestamp: null
  uid: 1-2-3
  resourceVersion: '7'
  managedFields: [{manager: kubectl}]
  annotations: {kubectl.kubernetes.io/last-applied-configuration: '{}', keep: 'yes'}
spec: {nodeName: null, volumes: [{name: v, emptyDir: }]}
status: {phase: Running}
",
        );
        let expected = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "annotations": {"keep": "yes"}},
            "spec": {"volumes": [{"name": "v"}]},
        });
        assert_eq!(saved.body, expected);
    }

    #[test]
    fn kinds_that_are_not_known_get_a_likely_resource() {
        for (api_version, kind, plural, namespaced) in [
            ("v1", "Service", "services", true),
            ("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", false),
            ("monitoring.coreos.com/v1", "ServiceMonitor", "servicemonitors", true),
            ("example.com/v1", "Policy", "policies", true),
            ("example.com/v1", "Gateway", "gateways", true),
            ("example.com/v1", "Proxy", "proxies", true),
            ("example.com/v1", "Mesh", "meshes", true),
        ] {
            let object = object(&format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a}}\n"));
            assert_eq!((object.resource.plural.as_str(), object.resource.namespaced), (plural, namespaced), "{kind}");
            assert_eq!(object.resource.api_version(), api_version);
        }
    }
    #[test]
    fn a_definition_among_the_manifests_says_how_its_kind_is_reached() {
        let definition = "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: mice.a.com}, \
                          spec: {group: a.com, scope: Cluster, names: {kind: Mouse, plural: mice}, \
                          versions: [{name: v1, served: true}]}}\n";
        let mouse = |version: &str| {
            format!("---\napiVersion: a.com/{version}\nkind: Mouse\nmetadata: {{name: jerry, namespace: somewhere}}\n")
        };
        let manifests = read(&base(&format!("{}---\n{definition}", mouse("v1")))).unwrap();
        let found = manifests.objects().next().unwrap();
        assert_eq!((found.resource.plural.as_str(), found.resource.namespaced), ("mice", false));
        assert_eq!(found.id.namespace, None);
        assert!(manifests.define(&found.resource) && manifests.faults().is_empty());

        let [error] = &faults(&base(&format!("{definition}{}", mouse("v2"))))[..] else { panic!("not one fault") };
        assert_eq!(error.to_string(), "a.com/v2 Mouse is not what its definition serves: a.com/v1");
        assert_eq!((error.code(), error.hints()), ("api-version", vec!["write `apiVersion: a.com/v1`".to_owned()]));
        assert_eq!(error.place().unwrap().line, 3);
    }
}
