//! An image that a node cannot get: the registry is asked, since the node's message alone does not tell "never" from
//! "not yet".

use serde_json::Value;

use super::{
    Observation, command,
    container::Container,
    find,
    finding::{Finding, Weight},
    read,
};
use crate::model::{Question, Reference, Reply};

/// Seconds that an image which was seen in the registry may be missing there: replication between its parts.
const REPLICATION: f64 = 30.0;
/// Seconds for the login of a node to come right: the Secret may be on its way.
const LOGIN: f64 = 10.0;
/// Seconds for the trouble of a node or a registry.
const TROUBLE: f64 = 120.0;

/// What follows from a container that waits for its image, and what the node says of it.
pub(super) fn finding(o: &Observation<'_>, container: &Container<'_>, message: &str) -> Finding {
    let (image, said) = (container.image(), short_message(message));
    let Ok(reference) = image.parse::<Reference>() else {
        return invalid(image, &said);
    };
    if said.contains("pull policy of Never") {
        return never_pulled(&reference).with("image", image).with("events", said);
    }
    if is_wrong_platform(&said) {
        // whatever the registry tells us: the node has read the index
        return wrong_platform(o, &reference).with("image", image).with("events", said);
    }
    let question = Question::ImageExists(reference.clone());
    let reply = o.replies.get(&question);
    let found = match reply {
        Some(Reply::ImageMissing) => missing(o, &reference),
        Some(Reply::ImageFound | Reply::ImageDenied) if is_denied(&said) => denied(o, container, &reference),
        Some(Reply::ImageDenied | Reply::ImageUnknown(_)) if is_absent(&said) => {
            Finding { weight: Weight::Grace(REPLICATION), ..missing(o, &reference) }
        }
        None => failing(container, &reference, (Weight::Wait, reply)),
        Some(_) => failing(container, &reference, (Weight::Grace(TROUBLE), reply)),
    };
    Finding { question: reply.is_none().then_some(question), ..found.with("image", image).with("events", said) }
}

/// A name that is no image reference.
pub(super) fn invalid(image: &str, said: &str) -> Finding {
    Finding::new("image-invalid", Weight::Now, format!("`{image}` is not an image reference"))
        .with("events", said)
        .hint("correct `image` in the manifest")
}

/// Only somebody who loads it onto the node can help.
fn never_pulled(reference: &Reference) -> Finding {
    let text = format!("image {} is not on the node, and imagePullPolicy is Never", reference.short());
    Finding::new("image-never-pulled", Weight::Grace(LOGIN), text).hint("write `imagePullPolicy: IfNotPresent`")
}

fn missing(o: &Observation<'_>, reference: &Reference) -> Finding {
    let seen = o.images.iter().any(|image| {
        image.reference.repository == reference.repository
            && image.reference.digest.is_some()
            && (reference.digest == image.reference.digest || reference.tag == image.reference.tag)
    });
    let weight = if seen { Weight::Grace(REPLICATION) } else { Weight::Now };
    let text = format!("image {} is not in the registry", reference.short());
    Finding::new("image-not-found", weight, text)
        .hint(format!("push {reference}, or correct `image` in the manifest"))
        .hint("`shipway release` builds, pushes and deploys this commit")
}

fn denied(o: &Observation<'_>, container: &Container<'_>, reference: &Reference) -> Finding {
    let text = format!("the registry does not let the node read {} ({})", reference.short(), logins(o, container));
    Finding::new("image-pull-denied", Weight::Grace(LOGIN), text).hint(format!(
        "write a Secret of type kubernetes.io/dockerconfigjson for {}, and name it in imagePullSecrets",
        reference.repository.registry
    ))
}

/// Where the node took its logins from: the pod, or the ServiceAccount, whose names are copied into the pod; and which of
/// them it did not find.
fn logins(o: &Observation<'_>, container: &Container<'_>) -> String {
    let account = read::text(container.pod, &["spec", "serviceAccountName"]);
    let secrets = secrets(container.pod);
    if secrets.is_empty() {
        return format!("no imagePullSecrets stand in the pod or its ServiceAccount `{account}`");
    }
    let id = &o.applied.id;
    let template = find(&id.group, &id.kind).and_then(|kind| read::at(o.body, kind.template?));
    let whose = if template.is_some_and(|template| self::secrets(template).is_empty()) {
        format!(" of ServiceAccount `{account}`")
    } else {
        String::new()
    };
    let missing = unread(container.events).filter(|name| secrets.contains(name));
    let missing: Vec<String> = missing.map(|name| format!("; Secret `{name}` is not there")).collect();
    format!("imagePullSecrets{whose}: {}{}", secrets.join(", "), missing.concat())
}

fn secrets(pod: &Value) -> Vec<&str> {
    read::list(pod, &["spec", "imagePullSecrets"]).iter().map(|secret| read::text(secret, &["name"])).collect()
}

/// The Secrets that the kubelet could not read, as its last event about them names them in brackets.
fn unread<'e>(events: &[&'e Value]) -> impl Iterator<Item = &'e str> {
    let event = events.iter().rev().find(|event| read::text(event, &["reason"]) == "FailedToRetrieveImagePullSecret");
    let message = event.map_or("", |event| read::text(event, &["message"]));
    let names = message.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(names, _)| names);
    names.split(", ").filter(|name| !name.is_empty())
}

fn wrong_platform(o: &Observation<'_>, reference: &Reference) -> Finding {
    let text = format!("image {} is {}", reference.short(), for_which(o, reference));
    Finding::new("image-platform", Weight::Now, text).hint(PLATFORM_HINT)
}

/// What remedies an image that the node's processor cannot run.
pub(super) const PLATFORM_HINT: &str = "write the node's platform as `images[].platform`";

/// `for linux/arm64, not for the node's platform`, as far as the registry has told.
pub(super) fn for_which(o: &Observation<'_>, reference: &Reference) -> String {
    let ours = o.images.iter().find(|image| image.reference.repository == reference.repository);
    let platforms: Vec<&str> =
        ours.iter().flat_map(|image| &image.platforms).map(|platform| platform.platform.0.as_str()).collect();
    match platforms.is_empty() {
        true => "not built for the node's platform".to_owned(),
        false => format!("for {}, not for the node's platform", platforms.join(", ")),
    }
}

fn failing(container: &Container<'_>, reference: &Reference, (weight, reply): (Weight, Option<&Reply>)) -> Finding {
    let finding = Finding::new("image-pull-failing", weight, format!("image {} cannot be pulled", reference.short()));
    match reply {
        Some(Reply::ImageFound) => {
            finding.hint(format!("the image is in the registry: {}", command::node(container.pod)))
        }
        _ => finding.hint(format!("`docker pull {reference}` tells whether it can be pulled from elsewhere")),
    }
}

/// The kubelet's message without what repeats: of nested errors the innermost, most telling part stays.
fn short_message(message: &str) -> String {
    let message = message.rsplit_once("desc = ").map_or(message, |(_, rest)| rest);
    message.trim_end_matches(": ").to_owned()
}

/// containerd and CRI-O pass on what the registry answered: status text or code.
fn is_denied(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    ["unauthorized", "denied", "forbidden", "no basic auth", "authorization failed", "authentication required"]
        .iter()
        .any(|word| said.contains(word))
}

fn is_absent(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    ["not found", "manifest unknown", "name unknown"].iter().any(|word| said.contains(word))
}

fn is_wrong_platform(said: &str) -> bool {
    said.contains("no match for platform") || said.contains("no matching manifest")
}
