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
    let objects = || release.objects.iter().map(|object| (&object.id, &object.resource));
    let gone = || gone.iter().map(|live| (&live.id, &live.resource));
    let needed = plan::rights(namespace, objects());
    let wanted = [needed.clone(), plan::rights_to_delete(gone())].concat();
    let rules = match rules {
        Some(rules) => rules,
        None => cluster.rules(namespace).await,
    };
    // a server that does not say is asked by doing
    let Ok(rules) = rules else { return Ok(()) };
    let (kept, missing): (Vec<Right>, Vec<Right>) =
        rules.lack(&wanted).into_iter().partition(|right| right.verb == "delete");
    if !missing.is_empty() {
        return Err(told(cluster, &Role::to_deploy(&target.app, &needed), &missing).await.into());
    }
    if !kept.is_empty() {
        let told = in_short(&kept);
        let text = format!(
            "what is gone from the manifests stays: the login may not {told} in {namespace}; this role would do"
        );
        // what is deployed now is what will be gone one day
        let all = plan::rights_to_delete(objects().chain(gone()));
        let role = Role::to_delete(&target.app, &all).lines(&user(cluster).await, &kept);
        context.tell(Note::attention("plan", text).with(role));
    }
    Ok(())
}

/// Asks once what the login may delete: an environment is not destroyed by half.
pub(super) async fn foresee_destruction<'o>(
    cluster: &Cluster,
    (app, namespace): (&str, &str),
    gone: impl Iterator<Item = (&'o ObjectId, &'o Resource)>,
) -> Result<(), Failure> {
    let wanted = plan::rights_to_delete(gone);
    // a server that does not say is asked by doing
    let Ok(rules) = cluster.rules(namespace).await else { return Ok(()) };
    match rules.lack(&wanted) {
        missing if missing.is_empty() => Ok(()),
        missing => Err(told(cluster, &Role::to_delete(app, &wanted), &missing).await.into()),
    }
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
    let mut all = told(cluster, &Role::to_deploy(&target.app, &wanted), &missing).await;
    // what was written before it was met
    all.evidence.splice(0..0, written);
    let others = problems.into_iter().filter(|problem| problem.code != DENIED);
    Err(Failure(std::iter::once(all).chain(others).collect()))
}

const ROLE: &str = "role";

/// A role that holds all the rights for a purpose, also those that the login has: whoever applies it over an earlier one
/// of its name takes nothing away.
struct Role<'r> {
    name: String,
    rights: &'r [Right],
}

impl<'r> Role<'r> {
    fn to_deploy(app: &str, rights: &'r [Right]) -> Self {
        Self { name: format!("shipway-{app}"), rights }
    }

    fn to_delete(app: &str, rights: &'r [Right]) -> Self {
        Self { name: format!("shipway-{app}-delete"), rights }
    }

    /// As YAML, for the places where something is missing.
    fn lines(&self, user: &str, missing: &[Right]) -> Vec<String> {
        let is_of_place = |right: &&Right| missing.iter().any(|missing| missing.namespace == right.namespace);
        roles(&self.name, user, &self.rights.iter().filter(is_of_place).cloned().collect::<Vec<_>>())
    }
}

/// The name that the login goes by.
async fn user(cluster: &Cluster) -> String {
    cluster.whoami().await.unwrap_or_else(|| cluster.connection().user.clone().unwrap_or_default())
}

async fn told(cluster: &Cluster, role: &Role<'_>, missing: &[Right]) -> Problem {
    let user = user(cluster).await;
    let place = missing.iter().find_map(|right| right.namespace.as_deref());
    let place = place.map_or("in the cluster".to_owned(), |namespace| format!("in namespace `{namespace}`"));
    Problem::new(DENIED, Exit::Cluster, format!("`{user}` may not {} {place}", in_short(missing)))
        .with(Evidence::new(ROLE, role.lines(&user, missing)))
        .hint("an administrator gives these rights with `kubectl apply -f -` and the role above")
}
