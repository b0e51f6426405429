//! The lock and the record around a deploy.

use futures::future::join;
use tokio::time::Duration;

use super::{Context, application::Application, delivery::Delivery, failure::Failure, prepare::Prepared};
use crate::{
    cluster::{Cluster, ClusterError, Lease, LeaseRequest, Packed, SeenLease},
    model::{Exit, Head, Note, ObjectId, Problem, Progress, Record, RecordState, Target, Verdict},
    plan, source,
};

/// Takes the lock of the app and environment, waiting for another holder at most as long as a rollout may stand still.
/// The run takes no part in the order of commits: a deploy does, see `order`.
pub(super) async fn take_lease(
    context: &Context,
    application: &Application,
    cluster: &Cluster,
) -> Result<Lease, Failure> {
    let nothing = async || ();
    let taken = cluster.take_lease(&lease_request(application, None), &|_, _| false, &context.stop, nothing).await;
    Ok(taken?.0)
}

/// The Lease as it is before it is asked for.
pub(super) async fn see_lease(application: &Application, cluster: &Cluster) -> Result<SeenLease, Failure> {
    let target = &application.target;
    Ok(cluster.see_lease(&target.namespace.value, &target.app, &target.environment.value).await?)
}

pub(super) fn lease_request(application: &Application, head: Option<Head>) -> LeaseRequest {
    let (target, settings) = (&application.target, &application.checkout.settings.deploy);
    LeaseRequest {
        namespace: target.namespace.value.clone(),
        app: target.app.clone(),
        environment: target.environment.value.clone(),
        holder: holder(target),
        head,
        wait: Duration::from_secs_f64(settings.timeout.value),
        expiry: Duration::from_secs_f64(settings.lock_expiry.value),
        seen: None,
    }
}

/// Lets the lock go. A lost lock, and a newer run that this one gave way to, stop the run as a signal does: told is what
/// it was.
pub(super) async fn let_go(lease: Lease, ended: Result<(), Failure>) -> Result<(), Failure> {
    let (is_lost, newer) = (lease.is_lost(), lease.given_way_to());
    lease.release().await;
    match (ended, newer) {
        (Err(failure), _) if is_lost => Err(lost(failure)),
        // what had failed before stays a failure
        (Err(Failure(problems)), Some(newer)) if problems.iter().all(|problem| problem.exit == Exit::Interrupted) => {
            Err(ClusterError::Superseded { newer: Box::new(newer) }.into())
        }
        (ended, _) => ended,
    }
}

fn lost(Failure(problems): Failure) -> Failure {
    let told = |problem: Problem| match problem.exit {
        Exit::Interrupted => Problem {
            code: "lock-lost",
            exit: Exit::Locked,
            text: format!("the lock was lost, another run may hold it: {}", problem.text),
            ..problem.hint("`shipway status` shows what runs; the same command again does the rest")
        },
        _ => problem,
    };
    Failure(problems.into_iter().map(told).collect())
}

/// Who deploys, for the next one who waits.
pub(super) fn holder(target: &Target) -> String {
    match (&target.run_url, &target.user) {
        (Some(url), _) => format!("ci run {url}"),
        (None, Some(user)) => user.clone(),
        (None, None) => "a terminal".to_owned(),
    }
}

/// Writes the record and the objects that it is about before the first of them, so that a killed run leaves its trace. A
/// run that writes none of them has nothing to leave.
pub(super) async fn begin(
    application: &Application,
    cluster: &Cluster,
    prepared: &Prepared,
) -> Result<(Record, Packed), Failure> {
    let target = &prepared.release.target;
    let objects = Packed::new(&prepared.release.objects, prepared.history.next, &prepared.history.records)?;
    let mut record = Record {
        revision: prepared.history.next,
        app: target.app.clone(),
        environment: target.environment.value.clone(),
        state: RecordState::Running,
        commit: target.commit.clone(),
        branch: target.branch.as_ref().map(|branch| branch.value.clone()),
        pull_request: target.pull_request.clone(),
        tag: target.tag.value.clone(),
        images: prepared.release.images.clone(),
        color: prepared.release.color.clone(),
        by: holder(target),
        at: jiff::Timestamp::now(),
        applied: Vec::new(),
        jobs: prepared.jobs.clone(),
        made_namespace: made_namespace(cluster, prepared).await?,
        given: prepared.given,
        source: prepared.source,
        objects: Some(objects.kept.clone()),
        ancestors: ancestors(application, prepared),
    };
    if prepared.writes_nothing() {
        return Ok((record, objects));
    }
    cluster.save_record(&target.namespace.value, &record, &objects).await?;
    if let Err(error) = cluster.save_objects(&target.namespace.value, &record, &objects).await {
        // nothing was applied: the record must not look like that of a run that was killed
        record.state = RecordState::Failed;
        record.objects = None;
        let told = cluster.save_record(&target.namespace.value, &record, &objects).await;
        return Err(told.err().unwrap_or(error).into());
    }
    Ok((record, objects))
}

/// The commits before the one that is deployed; of one that is gone back to, and not in this clone, what its record knew.
fn ancestors(application: &Application, prepared: &Prepared) -> Vec<String> {
    let Some(commit) = &prepared.release.target.commit else { return Vec::new() };
    let found = source::ancestors(&application.checkout.facts.root, &commit.sha);
    let is_same = |record: &&Record| record.commit.as_ref().is_some_and(|known| known.sha == commit.sha);
    let recorded = prepared.history.records.iter().rev().filter(is_same).map(|record| &record.ancestors);
    recorded.chain([&found]).max_by_key(|ancestors| ancestors.len()).cloned().unwrap_or_default()
}

/// Writes the record of a deploy that has ended, and deletes those that are too many: a hundred failures leave no hundred
/// records. Both at once, unless the last proof goes: that waits until the new one is written.
pub(super) async fn complete(
    delivery: &Delivery<'_>,
    prepared: &Prepared,
    (newest, objects): (&Record, &Packed),
) -> Result<(), ClusterError> {
    let Delivery { context, cluster, .. } = delivery;
    let save = cluster.save_record(&prepared.release.target.namespace.value, newest, objects);
    if context.stop.is_set() {
        return save.await;
    }
    let all: Vec<&Record> = prepared.history.records.iter().chain([newest]).collect();
    let last_proof = prepared.history.last_succeeded().map(|record| record.revision);
    if surplus(delivery, &all).iter().any(|record| Some(record.revision) == last_proof) {
        save.await?;
        trim(delivery, prepared, &all).await;
        return Ok(());
    }
    join(save, trim(delivery, prepared, &all)).await.0
}

fn surplus<'r>(delivery: &Delivery<'_>, all: &[&'r Record]) -> Vec<&'r Record> {
    plan::surplus(all, delivery.application.checkout.settings.deploy.history.value)
}

/// Deletes the records that are too many; what is only kept too long changes nothing about how a deploy has ended.
pub(super) async fn trim(delivery: &Delivery<'_>, prepared: &Prepared, all: &[&Record]) {
    let gone = surplus(delivery, all);
    let stay: Vec<&Record> =
        { all.iter() }.filter(|record| gone.iter().all(|gone| gone.revision != record.revision)).copied().collect();
    let namespace = &prepared.release.target.namespace.value;
    if let Err(error) = delivery.cluster.delete_records(namespace, &gone, &stay).await {
        delivery.context.tell(Note::attention("record", format!("old records stay: {error}")));
    }
}

/// The uid of the namespace where shipway made it: asked at the first deploy into it, and handed on from record to record,
/// so that a mark which somebody else put there later does not count.
async fn made_namespace(cluster: &Cluster, prepared: &Prepared) -> Result<Option<String>, Failure> {
    let target = &prepared.release.target;
    match prepared.history.records.last() {
        Some(record) => Ok(record.made_namespace.clone()),
        None => {
            let live = match cluster.namespace_as_read() {
                Some(live) => Some(live),
                None => cluster.namespace(&target.namespace.value).await?,
            };
            Ok(live.filter(|live| live.marks.created).map(|live| live.uid))
        }
    }
}

/// Notes which Jobs were seen to end: one that completed is not run again, and one that failed is. What only looks like a
/// failure may come to a good end yet, and one that is taken as good, suspended or deleted, has done nothing.
pub(super) fn note_jobs(record: &mut Record, states: &[(ObjectId, Verdict, Progress)]) {
    for (id, verdict, _) in states {
        if let Some(run) = record.jobs.iter_mut().find(|run| run.is(id)) {
            run.done = *verdict == Verdict::Ready;
            run.failed = matches!(verdict, Verdict::Failed { problem } if problem.code == "job-failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::JobRun, operations::failure::interrupted};

    #[test]
    fn only_what_a_job_says_itself_is_its_end() {
        let failed = |code| Verdict::Failed { problem: Problem::new(code, Exit::Rollout, "x") };
        for (verdict, done, is_failed) in [
            (Verdict::Ready, true, false),
            (failed("job-failed"), false, true),
            // its pod goes on trying
            (failed("image-not-found"), false, false),
            (Verdict::Waiting { problem: None }, false, false),
            // suspended, or deleted while it ran
            (Verdict::Assumed { why: "x".into() }, false, false),
            (Verdict::Gone { problem: Problem::new("gone", Exit::Rollout, "x") }, false, false),
        ] {
            let mut record = Record { jobs: vec![run(None)], ..Record::sample(1, RecordState::Running) };
            let states = [state("here", "other", Verdict::Ready), state("here", "m-1", verdict)];
            note_jobs(&mut record, &states);
            assert_eq!((record.jobs[0].done, record.jobs[0].failed), (done, is_failed), "{:?}", states[1]);
        }
        let jobs = vec![run(Some("here")), run(Some("there"))];
        let mut record = Record { jobs, ..Record::sample(1, RecordState::Running) };
        note_jobs(&mut record, &[state("here", "m-1", failed("job-failed")), state("there", "m-1", Verdict::Ready)]);
        let ends: Vec<_> = record.jobs.iter().map(|run| (run.done, run.failed)).collect();
        assert_eq!(ends, [(false, true), (true, false)]);
    }

    fn run(namespace: Option<&str>) -> JobRun {
        let (job, name, hash) = ("m".into(), "m-1".into(), "h".into());
        JobRun { job, name, namespace: namespace.map(str::to_owned), hash, done: false, failed: false }
    }

    fn state(namespace: &str, name: &str, verdict: Verdict) -> (ObjectId, Verdict, Progress) {
        let (group, kind) = ("batch".into(), "Job".into());
        let id = ObjectId { group, kind, namespace: Some(namespace.into()), name: name.into() };
        (id, verdict, Progress::default())
    }

    #[test]
    fn a_lost_lock_is_told_as_such_and_other_problems_stay() {
        let refused = Problem::new("conflict", Exit::Cluster, "refused");
        let Failure(told) = lost(Failure(vec![interrupted("before the switch"), refused.clone()]));
        assert_eq!((told[0].code, told[0].exit), ("lock-lost", Exit::Locked));
        assert!(told[0].text.ends_with("interrupted before the switch"));
        assert_eq!(told[1], refused);
    }
}
