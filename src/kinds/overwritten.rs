//! A pod template that somebody changed after it was applied: what rolls out then is not this release.

use serde_json::Value;

use super::{Judgement, Observation, find, read};
use crate::model::{Evidence, is_ours, managed_fields, our_template};

/// A failure at once: waiting brings nothing back. Only what another has written since the apply counts, by what the server
/// says of the fields' owners; what a webhook makes of our own apply is ours, and so is what others add to it.
pub(super) fn overwritten(o: &Observation<'_>, live: &Value) -> Option<Judgement> {
    if read::number(live, &["metadata", "generation"])? <= o.applied.generation {
        return None;
    }
    let path = find(&o.applied.id.group, &o.applied.id.kind)?.template?;
    let (sent, now) = (read::at(o.body, path)?, read::at(live, path)?);
    let writer = writer(o, live);
    let what =
        match writer.and_then(|_| ["initContainers", "containers"].iter().find_map(|list| changed(sent, now, list))) {
            Some(what) => what,
            None if has_lost_fields(o, live) => "its pod template is another now".to_owned(),
            None => return None,
        };
    // who has only taken something away owns nothing that would name him
    let (manager, time) = writer.unwrap_or(("another", ""));
    let problem = o.problem("overwritten", format!("was changed by {manager} after this deploy: {what}"));
    let problem = problem.with(Evidence::new("changed", writer.map(|_| format!("{time}, by {manager}"))));
    let problem = problem.hint("`shipway plan` shows what differs");
    Some(Judgement::failed(problem.hint("`shipway deploy` brings this version back")))
}

/// Another has changed, or taken away, what we own of the template.
fn has_lost_fields(o: &Observation<'_>, live: &Value) -> bool {
    o.applied.template.is_some() && o.applied.template != our_template(live)
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
        (image != read::text(sent, &["image"])).then(|| format!("it runs {image} now"))
    })
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
