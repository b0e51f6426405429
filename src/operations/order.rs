//! Deploys of one branch in the order of its commits: an older run gives way to a newer one.

use super::{Context, application::Application, failure::Failure, record};
use crate::{
    cluster::{Cluster, Lease, LeaseRequest, SeenLease},
    config::GivingWay,
    model::{Claim, Exit, Head, Problem},
    plan, source,
};

/// The code of a run that gave way.
pub(super) const CODE: &str = "superseded";

/// Takes the lock for a deploy of the target's commit. Runs that wait for it, and a holder that only watches its rollout,
/// give way to a newer commit of their branch; so does this one.
///
/// Meanwhile `read` reads what stands under it; `seen` is the Lease as it was a moment ago.
pub(super) async fn take_turn<T>(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
    seen: SeenLease,
    read: impl AsyncFn() -> T,
) -> Result<(Lease, T), Failure> {
    let head = head(application);
    let request = LeaseRequest { seen: Some(seen), ..record::lease_request(application, head.clone()) };
    let Some(head) = head else { return Ok(cluster.take_lease(&request, &|_, _| false, &context.stop, read).await?) };
    let root = &application.checkout.facts.root;
    let is_newer = |other: &Claim, came_before: bool| {
        let theirs = other.head.as_ref().filter(|_| plan::of_one_branch(&head, other));
        theirs.is_some_and(|theirs| plan::is_newer(source::ancestry(root, &theirs.commit, &head.commit), came_before))
    };
    let taken = cluster.take_lease(&request, &is_newer, &context.stop, read).await;
    ended(application, taken.map_err(Failure::from))
}

/// What is deployed of which branch. None where an older commit is wanted, or there is no branch: nothing is older than
/// that, or newer.
fn head(application: &Application) -> Option<Head> {
    let target = &application.target;
    let (branch, commit) = (target.branch.as_ref()?, target.commit.as_ref()?);
    (!application.checkout.settings.allow_older)
        .then(|| Head { branch: branch.value.clone(), commit: commit.sha.clone() })
}

/// To give way is a good end, unless `deploy.superseded` says otherwise.
pub(super) fn ended<T>(application: &Application, ended: Result<T, Failure>) -> Result<T, Failure> {
    let is_fine = application.checkout.settings.deploy.superseded.value == GivingWay::Fine;
    ended.map_err(|Failure(problems)| {
        let told = |problem: Problem| match problem.code {
            CODE if is_fine => Problem { exit: Exit::Done, ..problem },
            _ => problem,
        };
        Failure(problems.into_iter().map(told).collect())
    })
}
