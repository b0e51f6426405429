//! Objects that are somebody else's: another app's, or a Helm release's.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Context, application::Application, failure::Failure};
use crate::model::{Exit, Live, Note, ObjectId, Problem, Rendered, managed_fields, short_age};

const HELM: &str = "helm";

/// Stops before objects that are not ours to write, all of them told; says what taking over a Helm release leaves behind.
pub(super) fn check(
    context: &Context,
    application: &Application,
    objects: &[Rendered],
    live: &[Live],
) -> Result<(), Failure> {
    let app = &application.target.app;
    let adopts_helm = application.checkout.settings.adopt.iter().any(|manager| manager == HELM);
    let mut problems = Vec::new();
    let mut releases = BTreeSet::new();
    for (object, live) in objects.iter().zip(live) {
        let Some(body) = &live.body else { continue };
        problems.extend(of_another_app(app, &object.id, body));
        match helm_release(body) {
            Some(release) if adopts_helm => drop(releases.insert(release)),
            Some(release) => problems.push(of_helm(&object.id, body, &release)),
            None => {}
        }
    }
    if !problems.is_empty() {
        return Err(Failure(problems));
    }
    for Release { name, namespace } in releases {
        let text = format!(
            "the Helm release {name} in {namespace} still lists what is taken over, and `helm uninstall {name}` would \
             delete it: `kubectl -n {namespace} delete secret -l owner=helm,name={name}` makes Helm forget the release"
        );
        context.tell(Note::attention("plan", text));
    }
    Ok(())
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Release {
    name: String,
    namespace: String,
}

fn of_another_app(app: &str, id: &ObjectId, body: &Value) -> Option<Problem> {
    let owner = body["metadata"]["labels"]["shipway.dev/app"].as_str().filter(|owner| *owner != app)?;
    let text = format!("it belongs to the app {owner}, and this is {app}");
    let hint = format!("rename {id} in one of the two apps");
    Some(Problem::new("foreign-object", Exit::Cluster, text).about(id.clone()).hint(hint))
}

/// By its annotations: the label alone also stands on what `helm template` printed.
fn helm_release(body: &Value) -> Option<Release> {
    let annotation = |key: &str| body["metadata"]["annotations"][key].as_str();
    let name = annotation("meta.helm.sh/release-name")?.to_owned();
    let namespace = annotation("meta.helm.sh/release-namespace").or_else(|| body["metadata"]["namespace"].as_str());
    Some(Release { name, namespace: namespace.unwrap_or_default().to_owned() })
}

fn of_helm(id: &ObjectId, body: &Value, release: &Release) -> Problem {
    let times = managed_fields(body).filter(|entry| entry["manager"] == HELM && entry.get("subresource").is_none());
    let newest = times.filter_map(|entry| entry["time"].as_str()?.parse::<jiff::Timestamp>().ok()).max();
    let age = newest.map(|at| format!(", {}", short_age(jiff::Timestamp::now().duration_since(at).as_secs())));
    let text = format!("it belongs to the Helm release {} ({HELM}{})", release.name, age.unwrap_or_default());
    Problem::new("foreign-object", Exit::Cluster, text)
        .about(id.clone())
        .hint("`shipway deploy --adopt helm` takes it over; `shipway plan --adopt helm` shows what that changes")
}
