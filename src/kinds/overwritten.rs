//! A pod template that somebody changed after it was applied: what rolls out then is not this release.

use serde_json::Value;

use super::{Judgement, Observation, find, read};
use crate::model::{Evidence, is_ours, managed_fields};

/// A failure at once: waiting brings nothing back. Only what is seen to be written by another since the apply counts; what
/// a webhook makes of our own apply is ours.
pub(super) fn overwritten(o: &Observation<'_>, live: &Value) -> Option<Judgement> {
    if read::number(live, &["metadata", "generation"])? <= o.applied.generation {
        return None;
    }
    let path = find(&o.applied.id.group, &o.applied.id.kind)?.template?;
    let (sent, now) = (read::at(o.body, path)?, read::at(live, path)?);
    let what = ["initContainers", "containers"].iter().find_map(|list| changed(sent, now, list))?;
    let (manager, time) = writer(o, live)?;
    let text = format!("was changed by {manager} after this deploy: {what}");
    let problem = o.problem("overwritten", text).with(Evidence::new("changed", [format!("{time}, by {manager}")]));
    Some(Judgement::failed(problem.hint("`shipway deploy` brings this version back")))
}

/// What of the containers that were sent is another now.
fn changed(sent: &Value, now: &Value, list: &str) -> Option<String> {
    read::list(sent, &["spec", list]).iter().find_map(|sent| {
        let name = read::text(sent, &["name"]);
        let same = |container: &&Value| read::text(container, &["name"]) == name;
        let Some(now) = read::list(now, &["spec", list]).iter().find(same) else {
            return Some(format!("container `{name}` is not there any more"));
        };
        let image = read::text(now, &["image"]);
        if image != read::text(sent, &["image"]) {
            return Some(format!("it runs {image} now"));
        }
        let field = ["command", "args"]
            .into_iter()
            .find(|field| sent.get(field).is_some_and(|sent| now.get(field) != Some(sent)));
        let field = field.map(|field| format!("container `{name}` has another `{field}`"));
        field.or_else(|| Some(format!("container `{name}` has another value of `{}`", variable(sent, now)?)))
    })
}

/// A variable that has another value; its values may be secrets.
fn variable<'s>(sent: &'s Value, now: &Value) -> Option<&'s str> {
    let name = |variable: &'s Value| read::text(variable, &["name"]);
    let differs = |sent: &&Value| {
        let now = read::list(now, &["env"]).iter().find(|now| now["name"] == sent["name"]);
        sent.get("value").is_some_and(|value| now.is_none_or(|now| now.get("value") != Some(value)))
    };
    read::list(sent, &["env"]).iter().find(differs).map(name)
}

/// Who wrote into the template since, and when, by the server's clock.
fn writer<'v>(o: &Observation<'_>, live: &'v Value) -> Option<(&'v str, &'v str)> {
    let since = o.applied.at.as_deref().unwrap_or_default();
    let others = managed_fields(live).filter(|entry| {
        let manager = read::text(entry, &["manager"]);
        let is_later = read::text(entry, &["time"]) >= since;
        is_later && !is_ours(manager) && entry.pointer("/fieldsV1/f:spec/f:template").is_some()
    });
    let last = others.max_by_key(|entry| read::text(entry, &["time"]))?;
    Some((read::text(last, &["manager"]), read::text(last, &["time"])))
}
