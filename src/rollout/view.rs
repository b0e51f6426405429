//! All that the watches have told, indexed by what belongs to what.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    kinds::{self, event_time, read},
    model::{ObjectId, Resource, Seen, Selection},
};

/// A list's number and a key in it.
type Slot = (usize, String);

/// One object with what the watch knows of it.
#[derive(Debug)]
struct Entry {
    object: Value,
    /// True where it came or changed after the first full list.
    late: bool,
}

#[derive(Debug)]
struct List {
    selection: Selection,
    /// None before the first full list.
    entries: Option<HashMap<String, Entry>>,
    /// Why the watch does not get through.
    interrupted: Option<String>,
}

#[derive(Debug, Default)]
struct Images {
    /// When the first was there.
    first_pulled: Option<Timestamp>,
    /// When anything was told of one.
    last: Option<Timestamp>,
}

#[derive(Debug, Default)]
pub(super) struct View {
    lists: Vec<List>,
    by_uid: HashMap<String, Slot>,
    owned: HashMap<String, HashSet<Slot>>,
    /// What is kept of the events about a pod's images, by its uid.
    images: HashMap<String, Images>,
    /// The uids of Jobs that were deleted before their end.
    cut_off: HashSet<String>,
    /// True where the end of a Job counts after it was deleted.
    keeps_ends: bool,
}

impl View {
    pub(super) fn new(selections: Vec<Selection>) -> Self {
        let lists = selections.into_iter().map(|selection| List { selection, entries: None, interrupted: None });
        Self { lists: lists.collect(), ..Self::default() }
    }

    /// A view in which the ends of Jobs stay.
    #[must_use]
    pub(super) fn keeping_ends(self) -> Self {
        Self { keeps_ends: true, ..self }
    }

    /// A view of objects as they were saved: all is seen, nothing comes late.
    pub(super) fn of(objects: &[&Value]) -> Self {
        let mut kinds: HashMap<(String, String), Vec<Value>> = HashMap::new();
        for object in objects {
            let id = read::id(object);
            kinds.entry((id.group, id.kind)).or_default().push((*object).clone());
        }
        let selection = |(group, kind): &(String, String)| Selection {
            resource: Resource {
                group: group.clone(),
                version: String::new(),
                kind: kind.clone(),
                plural: String::new(),
                namespaced: true,
            },
            namespace: None,
            labels: None,
            fields: None,
        };
        let mut view = Self::new(kinds.keys().map(selection).collect());
        for (kind, objects) in kinds {
            view.absorb(Seen::Listed { selection: selection(&kind), objects });
        }
        view
    }

    pub(super) fn selections(&self) -> impl Iterator<Item = &Selection> {
        self.lists.iter().map(|list| &list.selection)
    }

    /// True once each selection was listed in full.
    pub(super) fn is_complete(&self) -> bool {
        self.lists.iter().all(|list| list.entries.is_some())
    }

    /// The same, whatever is with the lists of one kind.
    pub(super) fn is_complete_but(&self, kind: &str) -> bool {
        self.lists.iter().all(|list| list.entries.is_some() || list.selection.resource.kind == kind)
    }

    /// True where an object of this identity would have been seen.
    pub(super) fn has_listed(&self, id: &ObjectId) -> bool {
        self.lists.iter().any(|list| list.entries.is_some() && list.selection.is_of(&id.group, &id.kind))
    }

    /// All that is there, in no order.
    pub(super) fn objects(&self) -> impl Iterator<Item = &Value> {
        self.lists.iter().filter_map(|list| list.entries.as_ref()).flat_map(HashMap::values).map(|entry| &entry.object)
    }

    /// What keeps the lists from coming: the selection's plural and the last error.
    pub(super) fn missing(&self) -> impl Iterator<Item = String> {
        self.lists.iter().filter(|list| list.entries.is_none()).map(|list| match &list.interrupted {
            Some(text) => format!("{}: {text}", list.selection.resource.plural),
            None => list.selection.resource.plural.clone(),
        })
    }

    /// Takes in what a watch told; the answer names the uids (and services) whose picture has changed.
    pub(super) fn absorb(&mut self, seen: Seen) -> Vec<String> {
        let (Seen::Listed { selection, .. }
        | Seen::Changed { selection, .. }
        | Seen::Deleted { selection, .. }
        | Seen::Interrupted { selection, .. }
        | Seen::Resumed { selection }) = &seen;
        let Some(list) = self.lists.iter().position(|list| list.selection == *selection) else {
            return Vec::new();
        };
        match seen {
            Seen::Interrupted { text, .. } => {
                self.lists[list].interrupted = Some(text);
                Vec::new()
            }
            Seen::Resumed { .. } => {
                self.lists[list].interrupted = None;
                Vec::new()
            }
            Seen::Listed { objects, .. } => self.relist(list, objects),
            Seen::Changed { object, .. } => {
                let mut touched = self.remove(list, &key(&object));
                touched.extend(self.insert(list, object, true));
                touched
            }
            // a pod went with its Job, whose end may be told later than that of the pod; how a Job ended still holds
            Seen::Deleted { object, .. } if self.keeps_ends && tells_of_an_end(&object) => Vec::new(),
            Seen::Deleted { object, .. } => {
                if read::is_kind(&object, "Job") {
                    self.cut_off.insert(read::uid(&object).to_owned());
                }
                self.remove(list, &key(&object))
            }
        }
    }

    /// True while a watch is cut: what it has told may have changed since.
    pub(super) fn is_blind(&self) -> bool {
        self.lists.iter().any(|list| list.entries.is_some() && list.interrupted.is_some())
    }

    fn relist(&mut self, list: usize, objects: Vec<Value>) -> Vec<String> {
        self.lists[list].interrupted = None;
        let before = self.lists[list].entries.take();
        let late: HashMap<String, bool> = before
            .iter()
            .flatten()
            .map(|(key, entry)| (format!("{key}@{}", version(&entry.object)), entry.late))
            .collect();
        let mut touched = Vec::new();
        for (key, entry) in before.iter().flatten() {
            touched.extend(self.unlink(list, key, &entry.object));
        }
        let first = before.is_none();
        self.lists[list].entries = Some(HashMap::with_capacity(objects.len()));
        for object in objects {
            let known = late.get(&format!("{}@{}", key(&object), version(&object)));
            touched.extend(self.insert(list, object, known.copied().unwrap_or(!first)));
        }
        touched
    }

    fn insert(&mut self, list: usize, object: Value, late: bool) -> Vec<String> {
        match read::text(&object, &["reason"]) {
            reason @ ("Pulling" | "Pulled") if read::is_kind(&object, "Event") => {
                return self.note_image(&object, reason == "Pulled");
            }
            _ if self.is_over(&object) => return Vec::new(),
            _ => {}
        }
        let key = key(&object);
        let slot = (list, key.clone());
        self.by_uid.insert(read::uid(&object).to_owned(), slot.clone());
        if let Some(owner) = owner(&object) {
            self.owned.entry(owner).or_default().insert(slot);
        }
        let touched = self.line_of(&object);
        // a change before the first list is in that list, too
        if let Some(entries) = &mut self.lists[list].entries {
            entries.insert(key, Entry { object, late });
        }
        touched
    }

    /// Takes in that an image is pulled, or is there: what was told before of the pod's volumes is over.
    fn note_image(&mut self, event: &Value, is_there: bool) -> Vec<String> {
        let pod = read::subject(event);
        let Some(time) = event_time::of(event) else { return Vec::new() };
        let images = self.images.entry(pod.to_owned()).or_default();
        images.last = images.last.max(Some(time));
        images.first_pulled = images.first_pulled.or(is_there.then_some(time));
        let told = self.owned.get(pod).into_iter().flatten();
        let over = told.filter(|slot| self.at(slot).is_some_and(|entry| self.is_over(&entry.object)));
        for (list, key) in over.cloned().collect::<Vec<_>>() {
            self.remove(list, &key);
        }
        self.line_of(event)
    }

    /// True for an event that tells what keeps an image from being pulled, where one was pulled since.
    fn is_over(&self, event: &Value) -> bool {
        let pod = read::subject(event);
        let is_before = |pulled: Timestamp| event_time::of(event).is_some_and(|told| told <= pulled);
        kinds::BEFORE_PULLING.contains(&read::text(event, &["reason"]))
            && self.images.get(pod).and_then(|images| images.last).is_some_and(is_before)
    }

    fn remove(&mut self, list: usize, key: &str) -> Vec<String> {
        let Some(entry) = self.lists[list].entries.as_mut().and_then(|entries| entries.remove(key)) else {
            return Vec::new();
        };
        self.unlink(list, key, &entry.object)
    }

    fn unlink(&mut self, list: usize, key: &str, object: &Value) -> Vec<String> {
        let touched = self.line_of(object);
        self.by_uid.remove(read::uid(object));
        if let Some(owner) = owner(object)
            && let Some(slots) = self.owned.get_mut(&owner)
        {
            slots.remove(&(list, key.to_owned()));
        }
        touched
    }

    /// The object's uid, its owner's, and so on upwards.
    fn line_of(&self, object: &Value) -> Vec<String> {
        const DEEPEST: usize = 4;
        let mut line = vec![read::uid(object).to_owned()];
        let mut next = owner(object);
        while let Some(owner_key) = next.take()
            && line.len() < DEEPEST
        {
            next = self.by_uid.get(&owner_key).and_then(|slot| self.at(slot)).and_then(|entry| owner(&entry.object));
            line.push(owner_key);
        }
        line
    }

    fn at(&self, (list, key): &Slot) -> Option<&Entry> {
        self.lists[*list].entries.as_ref()?.get(key)
    }

    /// The object of this identity.
    pub(super) fn find(&self, id: &ObjectId) -> Option<&Value> {
        let key = format!("{}/{}", id.namespace.as_deref().unwrap_or_default(), id.name);
        let of_kind = self.lists.iter().filter(|list| list.selection.is_of(&id.group, &id.kind));
        of_kind.filter_map(|list| list.entries.as_ref()?.get(&key)).map(|entry| &entry.object).next()
    }

    /// When the first image of this pod was there.
    pub(super) fn pulled_at(&self, uid: &str) -> Option<Timestamp> {
        self.images.get(uid)?.first_pulled
    }

    /// True where a Job was seen to be deleted before its end.
    pub(super) fn was_cut_off(&self, uid: &str) -> bool {
        self.cut_off.contains(uid)
    }

    pub(super) fn by_uid(&self, uid: &str) -> Option<&Value> {
        self.by_uid.get(uid).and_then(|slot| self.at(slot)).map(|entry| &entry.object)
    }

    /// What belongs to the owner, and what belongs to that; events apart.
    pub(super) fn family(&self, owner: &str) -> Vec<&Value> {
        let mut family = Vec::new();
        let mut owners = vec![owner.to_owned()];
        while let Some(owner) = owners.pop() {
            for entry in self.belonging(&owner).filter(|entry| !read::is_kind(&entry.object, "Event")) {
                family.push(&entry.object);
                if !read::is_kind(&entry.object, "Pod") {
                    owners.push(read::uid(&entry.object).to_owned());
                }
            }
        }
        family
    }

    /// The events about an object that `counts` (given the event and whether it came late) lets through.
    pub(super) fn events<'v>(&'v self, uid: &str, counts: &dyn Fn(&Value, bool) -> bool) -> Vec<&'v Value> {
        let entries = self.belonging(uid).filter(|entry| read::is_kind(&entry.object, "Event"));
        let entries = entries.filter(|entry| kinds::tells(&entry.object));
        entries.filter(|entry| counts(&entry.object, entry.late)).map(|entry| &entry.object).collect()
    }

    fn belonging(&self, owner: &str) -> impl Iterator<Item = &Entry> {
        self.owned.get(owner).into_iter().flatten().filter_map(|slot| self.at(slot))
    }
}

fn key(object: &Value) -> String {
    format!("{}/{}", read::text(object, &["metadata", "namespace"]), read::name(object))
}

fn version(object: &Value) -> &str {
    read::text(object, &["metadata", "resourceVersion"])
}

/// Under which key a Service's EndpointSlices are found: those that people write have no owner.
pub(super) fn service_key(namespace: &str, name: &str) -> String {
    format!("service:{namespace}/{name}")
}

/// What an object belongs to: its controller, the Service of an EndpointSlice, what an event is about.
fn owner(object: &Value) -> Option<String> {
    match read::text(object, &["kind"]) {
        "Event" => Some(read::subject(object).to_owned()),
        "EndpointSlice" => {
            let service = read::text(object, &["metadata", "labels", "kubernetes.io/service-name"]);
            Some(service_key(read::text(object, &["metadata", "namespace"]), service))
        }
        _ => read::controller(object).map(str::to_owned),
    }
}

/// True for a Job that has ended, and for a failed pod of one: the reason for that end.
fn tells_of_an_end(object: &Value) -> bool {
    let is_of_a_job = || read::at(object, &["metadata", "labels", "batch.kubernetes.io/job-name"]).is_some();
    match read::text(object, &["kind"]) {
        "Job" => kinds::has_ended(object),
        "Pod" => read::text(object, &["status", "phase"]) == "Failed" && is_of_a_job(),
        _ => false,
    }
}
