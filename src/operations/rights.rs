//! Rights that are missing are told together, before the first write, with the Role that gives them.

use super::{Context, application::Application, failure::Failure};
use crate::{
    cluster::{Cluster, ClusterError, Rules},
    model::{
        Change, Evidence, Exit, Live, Note, ObjectChange, ObjectId, Problem, Release, Resource, Right, in_short, roles,
    },
    plan,
};

const DENIED: &str = "cluster-denied";

/// What the login may do, where something is to be written: a rollout that cannot be followed is not begun. It is asked
/// once, unless the answer is there already.
pub(super) async fn foresee(
    context: &Context,
    cluster: &Cluster,
    release: &Release,
    rules: Option<Result<Rules, ClusterError>>,
    (changes, gone): (&[ObjectChange], &[Live]),
) -> Result<(), Failure> {
    if changes.iter().all(|change| matches!(change.change, Change::Unchanged | Change::Skipped)) {
        return Ok(());
    }
    let target = &release.target;
    let namespace = &target.namespace.value;
    let needed = plan::rights(namespace, release.objects.iter().map(|object| (&object.id, &object.resource)));
    let to_delete = plan::rights_to_delete(gone.iter().map(|live| (&live.id, &live.resource)));
    let wanted = [needed.as_slice(), &to_delete].concat();
    let rules = match rules {
        Some(rules) => rules,
        None => cluster.rules(namespace).await,
    };
    // a server that does not say is asked by doing
    let Ok(rules) = rules else { return Ok(()) };
    let (kept, missing): (Vec<Right>, Vec<Right>) =
        rules.lack(&wanted).into_iter().partition(|right| right.verb == "delete");
    if !missing.is_empty() {
        return Err(told(cluster, &target.app, &missing).await.into());
    }
    if !kept.is_empty() {
        let text =
            format!("what is gone from the manifests stays: the login may not {} in {namespace}", in_short(&kept));
        context.tell(Note::attention("plan", text));
    }
    Ok(())
}

/// Where a run ended for want of a right: all that are missing, in the place of the first that was met.
pub(super) async fn explain<T>(
    application: &Application,
    cluster: &Cluster,
    ended: Result<T, Failure>,
) -> Result<T, Failure> {
    let problems = match ended {
        Err(Failure(problems)) if problems.iter().any(|problem| problem.code == DENIED) => problems,
        ended => return ended,
    };
    let target = &application.target;
    let objects: Vec<(ObjectId, Resource)> =
        application.manifests.objects().map(|object| (object.id, object.resource)).collect();
    let wanted = plan::rights(&target.namespace.value, objects.iter().map(|(id, resource)| (id, resource)));
    let missing = cluster.lacks(&wanted).await.unwrap_or_default();
    if missing.is_empty() || problems.iter().any(|problem| problem.evidence.iter().any(|found| found.label == ROLE)) {
        return Err(Failure(problems));
    }
    let first = problems.iter().find(|problem| problem.code == DENIED);
    let written = first.map(|problem| problem.evidence.clone()).unwrap_or_default();
    let mut all = told(cluster, &target.app, &missing).await;
    // what was written before it was met
    all.evidence.splice(0..0, written);
    let others = problems.into_iter().filter(|problem| problem.code != DENIED);
    Err(Failure(std::iter::once(all).chain(others).collect()))
}

const ROLE: &str = "role";

async fn told(cluster: &Cluster, app: &str, missing: &[Right]) -> Problem {
    let user = cluster.whoami().await.unwrap_or_else(|| cluster.connection().user.clone().unwrap_or_default());
    let place = missing.iter().find_map(|right| right.namespace.as_deref());
    let place = place.map_or("in the cluster".to_owned(), |namespace| format!("in namespace `{namespace}`"));
    Problem::new(DENIED, Exit::Cluster, format!("`{user}` may not {} {place}", in_short(missing)))
        .with(Evidence::new(ROLE, roles(&format!("shipway-{app}"), &user, missing)))
        .hint("an administrator gives these rights with `kubectl apply -f -` and the role above")
}
