//! A plan in a file: what a deploy would do, and what of the cluster that stands on.
//!
//! The first line is a header with the hash of the rest, so that a file that was changed or cut off is refused. Values of
//! Secrets are not in it: a keyed hash tells whether they are the same when it is carried out.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::owner::last_writer;
use crate::model::{
    Commit, Exit, Explain, Image, JobRun, Live, ObjectChange, ObjectId, PullRequestRef, Record, RecordState, Rendered,
    Traffic, hex, hmac_sha256,
};

/// Counts up when an older shipway could misread a plan.
const VERSION: u32 = 2;

/// What is planned for one cluster; a file has a part for each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Planned {
    pub at: Timestamp,
    pub by: String,
    pub server: String,
    /// The context that it was reached by, if any.
    pub context: Option<String>,
    pub app: String,
    pub environment: String,
    pub namespace: String,
    pub branch: Option<String>,
    pub git_tag: Option<String>,
    pub commit: Option<Commit>,
    pub pull_request: Option<PullRequestRef>,
    /// The image tag.
    pub tag: String,
    pub images: Vec<Image>,
    /// The colour that is deployed to, and the one that serves.
    pub color: Option<String>,
    pub live_color: Option<String>,
    /// The number that the release gets.
    pub revision: u64,
    /// The newest record before it.
    pub last: Option<(u64, RecordState)>,
    pub order: Option<String>,
    /// True where the manifests come from another renderer.
    pub given: bool,
    /// `--prune`, `--prune-all`, `--yes-prune`
    pub prune: [bool; 3],
    pub objects: Vec<PlannedObject>,
    pub jobs: Vec<JobRun>,
    pub skipped: Vec<ObjectChange>,
    /// What is deleted once all is healthy, with its uid.
    pub gone: Vec<(ObjectId, String)>,
    /// Of the keyed hashes.
    pub key: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlannedObject {
    pub id: ObjectId,
    pub content: Content,
    /// As the cluster had it; none where it was not there.
    pub live: Option<State>,
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Content {
    Rendered(Box<Rendered>),
    /// The keyed hash of what holds secret values.
    Keyed(String),
}

/// An object in the cluster, but for its status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub uid: String,
    /// Keyed.
    pub hash: String,
}

/// Why a file is not a plan that can be carried out.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum SavedError {
    #[error("{name} is no plan of shipway")]
    NoPlan { name: String },
    #[error("{name} is a plan of version {found}, and this shipway knows version {VERSION}")]
    Version { name: String, found: u32 },
    #[error("{name} was changed or cut off since it was written")]
    Broken { name: String },
}

impl Explain for SavedError {
    fn code(&self) -> &'static str {
        "plan-file"
    }

    fn exit(&self) -> Exit {
        Exit::Input
    }

    fn hints(&self) -> Vec<String> {
        vec!["`shipway plan --out FILE` makes a new one".to_owned()]
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    shipway_plan: u32,
    sha256: String,
}

/// The text of the file.
pub(crate) fn encode(parts: &[Planned]) -> Result<String, serde_json::Error> {
    let body = serde_json::to_string(parts)?;
    let header = Header { shipway_plan: VERSION, sha256: hex(&Sha256::digest(body.as_bytes())) };
    Ok(format!("{}\n{body}\n", serde_json::to_string(&header)?))
}

/// Reads such a text: at least one part. `name` is what messages call the file.
pub(crate) fn decode(text: &str, name: &str) -> Result<Vec<Planned>, SavedError> {
    let no_plan = || SavedError::NoPlan { name: name.to_owned() };
    let (header, body) = text.split_once('\n').ok_or_else(no_plan)?;
    let header: Header = serde_json::from_str(header).map_err(|_| no_plan())?;
    if header.shipway_plan != VERSION {
        return Err(SavedError::Version { name: name.to_owned(), found: header.shipway_plan });
    }
    let body = body.strip_suffix('\n').unwrap_or(body);
    if header.sha256 != hex(&Sha256::digest(body.as_bytes())) {
        return Err(SavedError::Broken { name: name.to_owned() });
    }
    let parts: Vec<Planned> = serde_json::from_str(body).map_err(|_| no_plan())?;
    if parts.is_empty() { Err(no_plan()) } else { Ok(parts) }
}

/// The keyed hash of a text.
pub(crate) fn keyed(key: &str, text: &str) -> String {
    hex(&hmac_sha256(key.as_bytes(), text.as_bytes()))
}

/// What of a live object a plan stands on: all but what changes by itself.
pub(crate) fn state(live: &Live, sent: &Rendered, key: &str) -> Option<State> {
    let mut body = live.body.clone()?;
    let uid = uid_of(live);
    let fields = body.as_object_mut()?;
    fields.shift_remove("status");
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["resourceVersion", "managedFields", "generation"] {
            metadata.shift_remove(field);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.shift_remove("deployment.kubernetes.io/revision");
        }
        if metadata.get("annotations").and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
            metadata.shift_remove("annotations");
        }
    }
    // what an autoscaler sets is none of the plan's
    if sent.body().pointer("/spec/replicas").is_none()
        && let Some(spec) = fields.get_mut("spec").and_then(Value::as_object_mut)
    {
        spec.shift_remove("replicas");
    }
    body.sort_all_objects();
    Some(State { uid, hash: keyed(key, &body.to_string()) })
}

fn uid_of(live: &Live) -> String {
    let uid = live.body.as_ref().and_then(|body| body.pointer("/metadata/uid")?.as_str());
    uid.unwrap_or_default().to_owned()
}

/// Each with its uid.
pub(crate) fn uids(live: &[Live]) -> Vec<(ObjectId, String)> {
    live.iter().map(|live| (live.id.clone(), uid_of(live))).collect()
}

/// Who was deployed, and who serves, since the plan was made: a line each.
pub(crate) fn moved_on(planned: &Planned, next: u64, last: Option<&Record>, traffic: Option<&Traffic>) -> Vec<String> {
    let mut lines = Vec::new();
    let state = last.map(|record| (record.revision, record.state));
    match last.filter(|_| state != planned.last) {
        Some(record) => {
            let is_known = planned.last.is_some_and(|(revision, _)| revision == record.revision);
            let what = if is_known { "ended" } else { "was deployed" };
            lines.push(format!("revision {} ({}) {what}, by {}", record.revision, record.tag, record.by));
        }
        None if state != planned.last || next != planned.revision => {
            lines.push("the records of earlier deploys are not those of then".to_owned());
        }
        None => {}
    }
    let serves = traffic.and_then(|traffic| traffic.color.clone());
    if serves != planned.live_color {
        let named = |color: &Option<String>| color.clone().unwrap_or_else(|| "nothing".to_owned());
        lines.push(format!("{} serves, and {} did", named(&serves), named(&planned.live_color)));
    }
    lines
}

/// What is not as it was when the plan was made, a line each. `there` is what the cluster has of the plan's objects, in
/// their order, with what is sent; `gone` is what would be deleted now.
pub(crate) fn differences(
    planned: &Planned,
    there: &[(&Live, &Rendered)],
    gone: &[Live],
    now: Timestamp,
) -> Vec<String> {
    let mut lines = Vec::new();
    for (object, (live, sent)) in planned.objects.iter().zip(there) {
        let what = match (&object.live, state(live, sent, &planned.key)) {
            (before, after) if *before == after => continue,
            (None, _) => "was created",
            (Some(_), None) => "was deleted",
            (Some(before), Some(after)) if before.uid != after.uid => "was deleted and created again",
            (Some(_), Some(_)) => "was changed",
        };
        let who = live.body.as_ref().and_then(|body| last_writer(body, now));
        let who = who.map_or_else(String::new, |who| format!(" ({who})"));
        lines.push(format!("{} {what}{who}", object.id));
    }
    let gone = uids(gone);
    let missing = planned.gone.iter().filter(|then| !gone.contains(then));
    lines.extend(missing.map(|(id, _)| format!("{id} was to be deleted, and is not any more")));
    let added = gone.iter().filter(|now| !planned.gone.contains(now));
    lines.extend(added.map(|(id, _)| format!("{id} would be deleted, too")));
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{HookRules, Resource, Stage};

    fn id(name: &str) -> ObjectId {
        ObjectId { group: "apps".into(), kind: "Deployment".into(), namespace: None, name: name.into() }
    }

    fn resource() -> Resource {
        Resource {
            group: "apps".into(),
            version: "v1".into(),
            kind: "Deployment".into(),
            plural: "deployments".into(),
            namespaced: true,
        }
    }

    fn live(body: Option<Value>) -> Live {
        Live { id: id("web"), resource: resource(), body }
    }

    fn sent(json: &str) -> Rendered {
        Rendered {
            id: id("web"),
            resource: resource(),
            stage: Stage::Workload,
            hook: HookRules::default(),
            hash: String::new(),
            json: json.into(),
            from: Vec::new(),
        }
    }

    fn body(uid: &str, image: &str) -> Value {
        json!({
            "metadata": {"uid": uid, "resourceVersion": "7", "generation": 1, "managedFields": [
                {"manager": "kubectl-edit", "time": "2026-11-20T11:58:00Z"},
                {"manager": "shipway", "time": "2026-11-20T11:00:00Z"},
            ]},
            "spec": {"replicas": 2, "image": image},
            "status": {"ready": 1},
        })
    }

    fn planned(state: Option<State>) -> Planned {
        let content = Content::Rendered(Box::new(sent("{}")));
        let object = PlannedObject { id: id("web"), content, live: state };
        Planned {
            at: Timestamp::UNIX_EPOCH,
            by: "alice".into(),
            server: "https://203.0.113.1".into(),
            context: None,
            app: "demo".into(),
            environment: "qa".into(),
            namespace: "demo-qa".into(),
            branch: Some("cart".into()),
            git_tag: None,
            commit: None,
            pull_request: None,
            tag: "t".into(),
            images: Vec::new(),
            color: None,
            live_color: None,
            revision: 1,
            last: None,
            order: None,
            given: false,
            prune: [false; 3],
            objects: vec![object],
            jobs: Vec::new(),
            skipped: Vec::new(),
            gone: vec![(id("old"), "9".into())],
            key: "k".into(),
        }
    }

    #[test]
    fn a_plan_comes_back_as_it_was_written_or_not_at_all() {
        let parts = vec![planned(None), Planned { context: Some("west".into()), ..planned(None) }];
        let text = encode(&parts).unwrap();
        assert_eq!(decode(&text, "f"), Ok(parts));
        assert_eq!(decode(&encode(&[]).unwrap(), "f"), Err(SavedError::NoPlan { name: "f".into() }));
        let broken = Err(SavedError::Broken { name: "f".into() });
        assert_eq!(decode(&text.replace("demo-qa", "demo"), "f"), broken);
        assert_eq!(decode(&text[..text.len() - 9], "f"), broken);
        let other = text.replace("\"shipway_plan\":2", "\"shipway_plan\":3");
        assert_eq!(decode(&other, "f"), Err(SavedError::Version { name: "f".into(), found: 3 }));
        for text in ["", "{}", "kind: Deployment\n", "{}\n{}\n"] {
            assert_eq!(decode(text, "f"), Err(SavedError::NoPlan { name: "f".into() }), "{text}");
        }
    }

    #[test]
    fn what_changes_by_itself_is_no_change() {
        let before = state(&live(Some(body("1", "a"))), &sent("{}"), "k");
        let mut after = body("1", "a");
        after["status"]["ready"] = 2.into();
        after["metadata"]["resourceVersion"] = "8".into();
        after["spec"]["replicas"] = 5.into();
        let mut annotated = body("1", "a");
        annotated["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": "1"});
        let annotated = state(&live(Some(annotated)), &sent("{}"), "k");
        assert_eq!(annotated, state(&live(Some(after.clone())), &sent("{}"), "k"));
        // a count that is sent is a count of the plan
        let sends = sent(r#"{"spec": {"replicas": 2}}"#);
        assert_ne!(state(&live(Some(after)), &sends, "k"), state(&live(Some(body("1", "a"))), &sends, "k"));
        assert_ne!(before, state(&live(Some(body("1", "a"))), &sent("{}"), "other"));
    }

    #[test]
    fn each_difference_is_named() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let objects = [sent("{}")];
        let then = state(&live(Some(body("1", "a"))), &objects[0], "k");
        let told = |before: &Option<State>, now_there: Option<Value>, gone: &[Live]| {
            let live = live(now_there);
            differences(&planned(before.clone()), &[(&live, &objects[0])], gone, now)
        };
        let old = [Live { id: id("old"), resource: resource(), body: Some(json!({"metadata": {"uid": "9"}})) }];
        assert_eq!(told(&then, Some(body("1", "a")), &old), Vec::<String>::new());
        assert_eq!(told(&then, Some(body("1", "b")), &old), ["deployment/web was changed (kubectl-edit, 2 min ago)"]);
        assert_eq!(told(&then, None, &old), ["deployment/web was deleted"]);
        assert!(told(&then, Some(body("2", "a")), &old)[0].contains("deleted and created again"));
        assert!(told(&None, Some(body("1", "a")), &old)[0].contains("was created"));
        let again = [Live { body: Some(json!({"metadata": {"uid": "10"}})), ..old[0].clone() }];
        assert_eq!(
            told(&then, Some(body("1", "a")), &again),
            ["deployment/old was to be deleted, and is not any more", "deployment/old would be deleted, too"]
        );
    }
    #[test]
    fn a_deploy_in_between_and_a_switch_are_named() {
        let record =
            |revision, state| Record { tag: "cart-1".into(), by: "bob".into(), ..Record::sample(revision, state) };
        let first = planned(None);
        assert_eq!(moved_on(&first, 1, None, None), Vec::<String>::new());
        let by_bob = record(1, RecordState::Succeeded);
        assert_eq!(moved_on(&first, 2, Some(&by_bob), None), ["revision 1 (cart-1) was deployed, by bob"]);
        let then =
            Planned { last: Some((1, RecordState::Running)), revision: 2, live_color: Some("blue".into()), ..first };
        assert_eq!(
            moved_on(&then, 2, Some(&by_bob), None),
            ["revision 1 (cart-1) ended, by bob", "nothing serves, and blue did"]
        );
        assert_eq!(moved_on(&then, 2, None, None).len(), 2);
    }
}
