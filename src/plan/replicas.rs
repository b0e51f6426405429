//! How many pods: whose word counts, the manifest's, an autoscaler's or a person's.

use serde_json::Value;

use super::owner::set_by;
use crate::model::{Live, ObjectId, Rendered, is_of_a_manifest, is_our_apply, is_ours, is_person, managed_fields};

/// A HorizontalPodAutoscaler, as far as it matters here.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Autoscaler {
    pub(crate) target: ObjectId,
    /// `minReplicas`
    pub(crate) least: i64,
}

impl Autoscaler {
    /// None for an object that names no target.
    pub(crate) fn read(namespace: Option<&str>, body: &Value) -> Option<Self> {
        let reference = body.pointer("/spec/scaleTargetRef")?;
        let text = |key: &str| reference[key].as_str();
        let target = ObjectId {
            group: text("apiVersion")?.rsplit_once('/').map_or("", |(group, _)| group).to_owned(),
            kind: text("kind")?.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: text("name")?.to_owned(),
        };
        Some(Self { target, least: body.pointer("/spec/minReplicas").and_then(Value::as_i64).unwrap_or(1) })
    }

    /// Those among the objects of a release.
    pub(crate) fn among(objects: &[Rendered]) -> Vec<Self> {
        let is_one =
            |object: &&Rendered| object.id.group == "autoscaling" && object.id.kind == "HorizontalPodAutoscaler";
        objects
            .iter()
            .filter(is_one)
            .filter_map(|object| Self::read(object.id.namespace.as_deref(), &object.body()))
            .collect()
    }
}

/// How an object is sent whose count is not simply the manifest's. The hash of each form is that of what was rendered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Replicas {
    /// What is rehearsed, and what creates an object that is not there yet.
    pub(crate) first: Rendered,
    /// The count that is handed over before `sent` no longer names one: as the only owner of a count, an apply without it
    /// would set it to 1.
    pub(crate) handed_over: Option<i64>,
    pub(crate) sent: Rendered,
    /// True where owners change, so that it is written even if nothing differs.
    pub(crate) moves: bool,
}

/// What is to be done about an object's count, and what is to be told of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counted {
    /// None: as rendered.
    pub(crate) replicas: Option<Replicas>,
    /// `kept 20 replicas, the manifest says 3: set by hand (kubectl, 3 days ago)`, with what to type.
    pub(crate) told: Option<String>,
}

/// True where an autoscaler, if there is one, would matter: the object has a count, or is to have one.
pub(crate) fn has_count(object: &Rendered, live: &Live) -> bool {
    is_scaled(&object.id, live.body.as_ref())
        && (live.body.as_ref().is_none_or(|live| our_owner(live).is_some()) || wanted(object).is_some())
}

/// Decides over one object; `autoscaler` is the one that targets it.
pub(crate) fn replicas(
    object: &Rendered,
    live: Option<&Value>,
    autoscaler: Option<&Autoscaler>,
    now: jiff::Timestamp,
) -> Counted {
    if autoscaler.is_none() && !is_scaled(&object.id, live) {
        return Counted::default();
    }
    let asked = wanted(object);
    let Some(live) = live else {
        return autoscaler.map_or_else(Counted::default, |autoscaler| {
            let count = asked.unwrap_or(1).max(autoscaler.least);
            Counted { replicas: Some(left(object, Some(count))), told: None }
        });
    };
    let Some(count) = live.pointer("/spec/replicas").and_then(Value::as_i64) else { return Counted::default() };
    let ours = our_owner(live).is_some();
    match (autoscaler, asked) {
        (_, None) if !ours => Counted::default(),
        (Some(_), _) | (_, None) => Counted { replicas: Some(left(object, ours.then_some(count))), told: None },
        (None, Some(asked)) if asked == count => {
            // who set it has come round to the manifest: from here on it counts again
            let moves = !ours && managed_fields(live).any(is_our_apply);
            let again = || Replicas { first: object.clone(), handed_over: None, sent: object.clone(), moves: true };
            Counted { replicas: moves.then(again), told: None }
        }
        (None, Some(asked)) => match set_by_others(live, count).filter(|_| !ours) {
            Some(other) => {
                Counted { replicas: Some(left(object, None)), told: Some(kept(&object.id, count, asked, other, now)) }
            }
            None => Counted::default(),
        },
    }
}

/// What is told of an object that is not written because nobody touched it: a count that a person set stays told.
pub(crate) fn kept_by_hand(object: &Rendered, live: &Value, now: jiff::Timestamp) -> Option<String> {
    let count = live.pointer("/spec/replicas").and_then(Value::as_i64)?;
    let is_by_hand = |other: &Other<'_>| match other {
        Other::Entry(entry) => entry["manager"].as_str().is_some_and(is_person),
        Other::Unnamed => true,
    };
    let other = set_by_others(live, count).filter(is_by_hand)?;
    let asked = wanted(object).filter(|asked| *asked != count)?;
    Some(kept(&object.id, count, asked, other, now))
}

fn kept(id: &ObjectId, count: i64, asked: i64, other: Other<'_>, now: jiff::Timestamp) -> String {
    let by = match other {
        Other::Unnamed if count == 0 => "somebody scaled it to nothing".to_owned(),
        Other::Unnamed => "somebody scaled it to nothing, and up again".to_owned(),
        Other::Entry(entry) => match entry["manager"].as_str() {
            Some(manager) if !is_person(manager) && !is_ours(manager) => "set by an autoscaler that is gone".to_owned(),
            _ => set_by(entry, now),
        },
    };
    format!(
        "{id}: kept {count} replicas, the manifest says {asked}: {by} \
         (`kubectl scale {id} --replicas={asked}` lets the manifest count again)"
    )
}

/// Not sent; where a count is named, it is handed over first.
fn left(object: &Rendered, count: Option<i64>) -> Replicas {
    let sent = with(object, None);
    let first = count.map_or_else(|| sent.clone(), |count| with(object, Some(count)));
    Replicas { first, handed_over: count, sent, moves: count.is_some() }
}

fn with(object: &Rendered, count: Option<i64>) -> Rendered {
    let mut body = object.body();
    if let Some(spec) = body.get_mut("spec").and_then(Value::as_object_mut) {
        spec.shift_remove("replicas");
        spec.extend(count.map(|count| ("replicas".to_owned(), count.into())));
    }
    body.sort_all_objects();
    Rendered { json: body.to_string(), ..object.clone() }
}

fn wanted(object: &Rendered) -> Option<i64> {
    // most objects have none, and reading one is not free
    object.json.contains("\"replicas\":").then(|| object.body())?.pointer("/spec/replicas")?.as_i64()
}

/// The built-in kinds that have a count, and whatever was scaled as such.
fn is_scaled(id: &ObjectId, live: Option<&Value>) -> bool {
    match (id.group.as_str(), id.kind.as_str()) {
        ("apps", "Deployment" | "StatefulSet" | "ReplicaSet") | ("", "ReplicationController") => true,
        _ => live.is_some_and(|live| owners(live).any(|entry| entry["subresource"] == "scale")),
    }
}

fn owners(live: &Value) -> impl Iterator<Item = &Value> {
    managed_fields(live).filter(|entry| entry.pointer("/fieldsV1/f:spec/f:replicas").is_some())
}

fn our_owner(live: &Value) -> Option<&Value> {
    owners(live).find(|entry| is_our_apply(entry))
}

/// Who set a count, rather than a manifest.
#[derive(Clone, Copy)]
enum Other<'l> {
    /// The entry of a person or controller.
    Entry(&'l Value),
    /// Somebody who scaled to nothing: from then on no manager owns the count, whatever it is scaled to.
    Unnamed,
}

/// The person or controller that set the count; the newest. What nobody owns is the default of 1, or was scaled to nothing.
fn set_by_others(live: &Value, count: i64) -> Option<Other<'_>> {
    if owners(live).next().is_none() {
        return (count != 1).then_some(Other::Unnamed);
    }
    let is_other = |entry: &&Value| {
        let manager = entry["manager"].as_str().unwrap_or_default();
        let scaled = entry["subresource"] == "scale";
        scaled || (is_person(manager) && !is_of_a_manifest(entry) && !is_ours(manager))
    };
    owners(live).filter(is_other).max_by_key(|entry| entry["time"].as_str()).map(Other::Entry)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{HookRules, Stage};

    fn web(replicas: Option<i64>) -> Rendered {
        let resource = crate::kinds::find("apps", "Deployment").unwrap().resource();
        let id = ObjectId { group: "apps".into(), kind: "Deployment".into(), namespace: None, name: "web".into() };
        let spec = replicas.map_or_else(|| json!({}), |replicas| json!({"replicas": replicas}));
        let json = json!({"metadata": {"name": "web"}, "spec": spec}).to_string();
        Rendered {
            id,
            resource,
            stage: Stage::Workload,
            hash: "h".into(),
            json,
            from: Vec::new(),
            hook: HookRules::default(),
        }
    }

    fn live(replicas: i64, owners: &[(&str, &str, Option<&str>)]) -> Value {
        let entries: Vec<Value> = owners
            .iter()
            .map(|(manager, operation, subresource)| {
                let mut entry = json!({"manager": manager, "operation": operation, "time": "2026-11-17T00:00:00Z",
                    "fieldsV1": {"f:spec": {"f:replicas": {}}}});
                if let Some(subresource) = subresource {
                    entry["subresource"] = (*subresource).into();
                }
                entry
            })
            .chain([json!({"manager": "shipway", "operation": "Apply", "fieldsV1": {"f:spec": {"f:paused": {}}}})])
            .collect();
        json!({"metadata": {"managedFields": entries}, "spec": {"replicas": replicas}})
    }

    const OURS: (&str, &str, Option<&str>) = ("shipway", "Apply", None);
    const HAND: (&str, &str, Option<&str>) = ("kubectl", "Update", Some("scale"));
    const SCALER: (&str, &str, Option<&str>) = ("kube-controller-manager", "Update", Some("scale"));

    /// First form, handed over, sent, whether owners move.
    fn decided(asked: Option<i64>, live: Option<&Value>, least: Option<i64>) -> (String, bool) {
        let object = web(asked);
        let autoscaler = least.map(|least| Autoscaler { target: object.id.clone(), least });
        let now = "2026-11-20T00:00:00Z".parse().unwrap();
        let Counted { replicas, told } = super::replicas(&object, live, autoscaler.as_ref(), now);
        let shown = |object: &Rendered| wanted(object).map_or("-".to_owned(), |count| count.to_string());
        let text = match replicas {
            None => "as rendered".to_owned(),
            Some(Replicas { first, handed_over, sent, moves }) => {
                assert_eq!((first.hash.as_str(), sent.hash.as_str()), ("h", "h"));
                let over = handed_over.map_or("-".to_owned(), |count| count.to_string());
                format!("{} {over} {} {moves}", shown(&first), shown(&sent))
            }
        };
        (text, told.is_some())
    }

    #[test]
    fn whose_count_it_is() {
        let rows = [
            // nothing there yet: at least what the autoscaler wants, then it is the autoscaler's
            (Some(2), None, Some(3), "3 3 - true", false),
            (Some(5), None, Some(3), "5 5 - true", false),
            (None, None, Some(3), "3 3 - true", false),
            (Some(2), None, None, "as rendered", false),
            // an autoscaler comes: ours is handed over; one that has acted owns it already
            (Some(2), Some(live(2, &[OURS])), Some(3), "2 2 - true", false),
            (Some(2), Some(live(4, &[SCALER])), Some(3), "- - - false", false),
            (None, Some(live(4, &[SCALER])), Some(3), "as rendered", false),
            // it left the manifest
            (None, Some(live(4, &[OURS])), None, "4 4 - true", false),
            // a person or a former autoscaler set it
            (Some(3), Some(live(20, &[HAND])), None, "- - - false", true),
            (Some(3), Some(live(20, &[("kubectl-edit", "Update", None)])), None, "- - - false", true),
            (Some(3), Some(live(20, &[SCALER])), None, "- - - false", true),
            // scaled to nothing, and up again: nobody's; so is the default
            (Some(3), Some(live(0, &[])), None, "- - - false", true),
            (Some(3), Some(live(5, &[])), None, "- - - false", true),
            (Some(3), Some(live(1, &[])), None, "as rendered", false),
            // and came round to the manifest
            (Some(3), Some(live(3, &[HAND])), None, "3 - 3 true", false),
            (Some(3), Some(live(3, &[OURS, HAND])), None, "as rendered", false),
            // the manifest changes
            (Some(4), Some(live(3, &[OURS, HAND])), None, "as rendered", false),
            (Some(4), Some(live(3, &[OURS])), None, "as rendered", false),
            (Some(4), Some(live(3, &[("shipway-handover", "Apply", None)])), None, "as rendered", false),
            (Some(4), Some(live(3, &[("kubectl-client-side-apply", "Update", None)])), None, "as rendered", false),
            (Some(4), Some(live(3, &[("argocd-controller", "Apply", None)])), None, "as rendered", false),
        ];
        for (asked, live, least, expected, is_told) in rows {
            assert_eq!(decided(asked, live.as_ref(), least), (expected.to_owned(), is_told), "{asked:?} {live:?}");
        }
    }

    #[test]
    fn what_was_kept_is_told_with_the_way_back() {
        let now = "2026-11-20T00:00:00Z".parse().unwrap();
        let text = "deployment/web: kept 20 replicas, the manifest says 3: set by hand (kubectl, 3 days ago) \
                    (`kubectl scale deployment/web --replicas=3` lets the manifest count again)";
        assert_eq!(kept_by_hand(&web(Some(3)), &live(20, &[HAND]), now).as_deref(), Some(text));
        assert_eq!(kept_by_hand(&web(Some(3)), &live(20, &[SCALER]), now), None);
        assert_eq!(kept_by_hand(&web(Some(20)), &live(20, &[HAND]), now), None);
        let nothing = kept_by_hand(&web(Some(3)), &live(0, &[]), now).expect("a word");
        assert!(nothing.contains("kept 0 replicas, the manifest says 3: somebody scaled it to nothing ("), "{nothing}");
    }

    #[test]
    fn the_target_of_an_autoscaler() {
        let body = json!({"spec": {"minReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}});
        let found = Autoscaler::read(None, &body).unwrap();
        assert_eq!((found.target, found.least), (web(None).id, 3));
        assert_eq!(Autoscaler::read(None, &json!({})), None);
    }
}
