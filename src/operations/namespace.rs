//! The target's namespace before a deploy writes into it: made where it is not there, with what its pods need of others.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    Context,
    application::Application,
    failure::{self, Failure, interrupted},
};
use crate::{
    cluster::{self, Cluster, History},
    config::CopySecrets,
    model::{
        Applied, Change, Evidence, Exit, FieldPath, LiveNamespace, NamespaceMarks, Note, ObjectChange, ObjectId,
        ObjectOutcome, Problem, Rendered, short_duration,
    },
    plan,
};

/// What is there of the namespace, and what is to be done about it.
pub(super) struct Ground {
    name: String,
    live: Option<LiveNamespace>,
    /// As it was found or made.
    body: Option<Value>,
    maker: Maker,
    /// What shipway writes on a namespace of its own.
    marks: NamespaceMarks,
    copies: Vec<Copy>,
}

/// Who makes a namespace that is not there.
enum Maker {
    Manifest(Box<Rendered>),
    Shipway,
    Nobody,
}

/// What a deploy made before anything else.
pub(super) enum Made {
    Nothing,
    /// The Namespace, as its manifest has it.
    Applied(Arc<Applied>),
    /// The Namespace, by what the configuration says.
    Created(ObjectId),
}

impl Made {
    pub(super) fn applied(&self) -> Option<&Arc<Applied>> {
        match self {
            Self::Applied(applied) => Some(applied),
            Self::Nothing | Self::Created(_) => None,
        }
    }

    pub(super) fn id(&self) -> Option<&ObjectId> {
        match self {
            Self::Nothing => None,
            Self::Applied(applied) => Some(&applied.id),
            Self::Created(id) => Some(id),
        }
    }
}

struct Copy {
    source: Value,
    change: ObjectChange,
}

/// Looks, checks, and writes nothing. `rendered` is the target's own Namespace as its manifest has it, if there is one.
///
/// # Errors
/// The namespace is not there and nothing makes it, or it is another branch's; a Secret that is to be copied is not
/// there or may not be read.
pub(super) async fn look(
    application: &Application,
    cluster: &Cluster,
    rendered: impl FnOnce() -> Result<Option<Rendered>, Failure>,
) -> Result<Ground, Failure> {
    let (settings, target) = (&application.checkout.settings, &application.target);
    let name = target.namespace.value.clone();
    let marks = plan::marks(settings, target, jiff::Timestamp::now());
    let preview = plan::preview(settings, target);
    let live = cluster.namespace(&name).await?;
    if let Some(live) = &live {
        plan::may_enter(&marks, live, None)?;
    }
    if let Some(live) = live.as_ref().filter(|live| live.leaving && !preview.create_namespace) {
        return Err(Problem { exit: Exit::Cluster, ..held_up(live) }.into());
    }
    let maker = match &live {
        Some(live) if !(live.leaving && preview.create_namespace) => Maker::Nobody,
        _ if preview.create_namespace => Maker::Shipway,
        _ => Maker::Manifest(Box::new(rendered()?.ok_or_else(|| missing(&name))?)),
    };
    let copies = match &preview.copy_secrets {
        Some(wanted) => copies(application, cluster, wanted, matches!(maker, Maker::Nobody)).await?,
        None => Vec::new(),
    };
    let body = live.as_ref().map(|live| live.body.clone());
    Ok(Ground { name, live, body, maker, marks, copies })
}

fn missing(name: &str) -> Problem {
    Problem::new("namespace-missing", Exit::Cluster, format!("namespace {name} is not there"))
        .about(id_of(name))
        .hint(format!("add a manifest `kind: Namespace` with `name: {name}`: shipway applies it first"))
        .hint("or write `create_namespace: true` at the environment in shipway.yaml")
}

/// Reads what is to be copied, and what is there of it.
async fn copies(
    application: &Application,
    cluster: &Cluster,
    wanted: &CopySecrets,
    is_there: bool,
) -> Result<Vec<Copy>, Failure> {
    let found = join_all(wanted.names.iter().map(async |name| {
        refuse_twin(application, wanted, name)?;
        let source = source(cluster, wanted, name).await?;
        let namespace = &application.target.namespace.value;
        let live = if is_there { cluster.secret(namespace, name).await? } else { None };
        let (change, remark) = match &live {
            None => (Change::Created, format!("copied from {}", wanted.from.value)),
            Some(live) if !cluster::is_copy(live) => {
                (Change::Skipped, "it was not made by shipway, and is not overwritten".to_owned())
            }
            Some(live) if cluster::is_same_secret(&source, live) => (Change::Unchanged, String::new()),
            Some(_) => (Change::Changed, format!("copied from {}", wanted.from.value)),
        };
        let object = ObjectId { namespace: Some(namespace.clone()), kind: "Secret".into(), ..id_of(name) };
        let remark = Some(remark).filter(|remark| !remark.is_empty());
        Ok::<Copy, Failure>(Copy { source, change: ObjectChange { object, change, fields: Vec::new(), remark } })
    }))
    .await;
    failure::all(found)
}

async fn source(cluster: &Cluster, wanted: &CopySecrets, name: &str) -> Result<Value, Failure> {
    let from = &wanted.from.value;
    let Some(found) = cluster.secret(from, name).await? else {
        let text = format!("secret/{name} is to be copied from namespace {from}, and is not there");
        return Err(Problem::new("secret-missing", Exit::Cluster, text)
            .hint(format!(
                "`kubectl -n {from} create secret`, or take it out of `copy_secrets` ({})",
                wanted.from.origin
            ))
            .into());
    };
    let kind = found["type"].as_str().unwrap_or_default();
    if kind == "kubernetes.io/service-account-token" || kind.starts_with("shipway.dev/") {
        let text = format!("secret/{name} of namespace {from} ({kind}) means nothing in another namespace");
        return Err(Problem::new("secret-type", Exit::Input, text)
            .hint(format!("take it out of `copy_secrets` ({})", wanted.from.origin))
            .into());
    }
    Ok(found)
}

/// A Secret with two makers would change at every deploy.
fn refuse_twin(application: &Application, wanted: &CopySecrets, name: &str) -> Result<(), Failure> {
    let is_twin = |object: &crate::model::Object| {
        object.id.group.is_empty() && object.id.kind == "Secret" && object.id.name == name
    };
    let Some(twin) = application.manifests.objects().find(is_twin) else { return Ok(()) };
    let text = format!("secret/{name} is copied from namespace {}, and this manifest makes it, too", wanted.from.value);
    let problem = Problem::new("object-twice", Exit::Input, text).hint("remove one of the two");
    let place = application.manifests.place(&twin.from, &FieldPath::parse("metadata.name"));
    Err(place.map_or_else(|| problem.clone(), |place| problem.clone().at(place)).into())
}

impl Ground {
    /// What would be done, for a plan.
    pub(super) fn changes(&self) -> Vec<ObjectChange> {
        let made = matches!(self.maker, Maker::Shipway).then(|| self.creation());
        made.into_iter().chain(self.copies.iter().map(|copy| copy.change.clone())).collect()
    }

    fn creation(&self) -> ObjectChange {
        let remark = Some("create_namespace".to_owned());
        ObjectChange { object: id_of(&self.name), change: Change::Created, fields: Vec::new(), remark }
    }

    /// Makes the namespace where it is not there: everything else needs it, the lock too.
    pub(super) async fn make(
        &mut self,
        context: &Context,
        cluster: &Cluster,
        patience: Duration,
    ) -> Result<Made, Failure> {
        match &self.maker {
            Maker::Nobody => Ok(Made::Nothing),
            Maker::Manifest(namespace) => {
                let (applied, body) = cluster.make(namespace).await?;
                self.body = Some(body);
                Ok(Made::Applied(Arc::new(applied)))
            }
            Maker::Shipway => {
                wait_until_gone(context, cluster, self.live.as_ref(), patience).await?;
                self.live = match cluster.create_namespace(&self.name, &self.marks).await? {
                    Some(made) => {
                        context.tell(Note::new("apply", format!("namespace {} created{}", self.name, self.lifetime())));
                        Some(made)
                    }
                    // another run was quicker: it is as if it had been there
                    None => cluster.namespace(&self.name).await?,
                };
                if let Some(live) = &self.live {
                    plan::may_enter(&self.marks, live, None)?;
                }
                self.body = self.live.as_ref().map(|live| live.body.clone());
                Ok(Made::Created(id_of(&self.name)))
            }
        }
    }

    fn lifetime(&self) -> String {
        let now = jiff::Timestamp::now();
        let left = self.marks.expires.map(|expires| expires.duration_since(now).as_secs().unsigned_abs());
        // of a time in hours nobody wants the seconds that have just passed
        let left = left.map(|left| if left >= 3600 { left.next_multiple_of(60) } else { left });
        left.map_or_else(String::new, |left| format!(", expires in {}", short_duration(left)))
    }

    /// The Namespace as it was found or made.
    pub(super) fn body(&self) -> Option<Value> {
        self.body.clone()
    }

    /// Refuses a namespace that another branch's deploys went to.
    pub(super) fn refuse_others(&self, history: &History) -> Result<(), Failure> {
        match &self.live {
            Some(live) => Ok(plan::may_enter(&self.marks, live, history.records.last())?),
            None => Ok(()),
        }
    }

    /// Under the lock, before the first object: renews the time to live, and copies Secrets.
    pub(super) async fn settle(
        &self,
        context: &Context,
        application: &Application,
        cluster: &Cluster,
    ) -> Result<(), Failure> {
        if let Some(live) = &self.live {
            if live.marks.created && is_outdated(&live.marks, &self.marks) {
                cluster.mark_namespace(&self.name, &self.marks).await?;
            } else if self.marks.expires.is_some() && !live.marks.created {
                let text = format!("namespace {} was not made by shipway: its `ttl` does not count", self.name);
                context.tell(Note::attention("plan", text));
            }
        }
        for copy in &self.copies {
            if context.stop.is_set() {
                return Err(interrupted("before Secrets were copied").into());
            }
            let (object, remark) = (&copy.change.object, copy.change.remark.as_deref().unwrap_or_default());
            match copy.change.change {
                Change::Created | Change::Changed => {
                    cluster.copy_secret(&copy.source, &application.target).await?;
                    context.tell(Note::new("apply", format!("{object} {remark}")));
                }
                Change::Skipped => context.tell(Note::attention("plan", format!("{object} stays: {remark}"))),
                Change::Unchanged | Change::Pruned => {}
            }
        }
        Ok(())
    }

    /// What was done, for the outcome.
    pub(super) fn outcomes(&self) -> Vec<ObjectOutcome> {
        let outcome = |change: ObjectChange| {
            let verdict = if change.change == Change::Skipped { "assumed" } else { "ready" };
            ObjectOutcome { id: change.object, change: change.change, verdict, why: None, context: None }
        };
        self.changes().into_iter().map(outcome).collect()
    }
}

/// The same time to live for a preview that is gone back in: whoever does that uses it.
///
/// # Errors
/// The namespace is another branch's.
pub(super) async fn renew(application: &Application, cluster: &Cluster, history: &History) -> Result<(), Failure> {
    let marks = plan::marks(&application.checkout.settings, &application.target, jiff::Timestamp::now());
    let name = &application.target.namespace.value;
    if marks.expires.is_none() {
        return Ok(());
    }
    let Some(live) = cluster.namespace(name).await? else { return Ok(()) };
    plan::may_enter(&marks, &live, history.records.last())?;
    if live.marks.created && is_outdated(&live.marks, &marks) {
        cluster.mark_namespace(name, &marks).await?;
    }
    Ok(())
}

/// A time to live that has just been written needs no renewal.
fn is_outdated(live: &NamespaceMarks, ours: &NamespaceMarks) -> bool {
    let seconds = |marks: &NamespaceMarks| marks.expires.map(|expires| expires.as_second());
    seconds(live) != seconds(ours) || live.branch != ours.branch || live.user != ours.user
}

/// A namespace that is on its way out is waited for, as long as a rollout may stand still.
async fn wait_until_gone(
    context: &Context,
    cluster: &Cluster,
    live: Option<&LiveNamespace>,
    patience: Duration,
) -> Result<(), Failure> {
    let Some(leaving) = live.filter(|live| live.leaving) else { return Ok(()) };
    context.tell(Note::attention(
        "apply",
        format!("namespace {} is being deleted: waiting until it is gone", leaving.name),
    ));
    match gone(context, cluster, &leaving.name, &leaving.uid, patience).await? {
        None => Ok(()),
        Some(held) => Err(held_up(&held).into()),
    }
}

const POLL: Duration = Duration::from_millis(500);

/// Waits until the namespace with this uid is gone; what is there of it where it is not in time.
pub(super) async fn gone(
    context: &Context,
    cluster: &Cluster,
    name: &str,
    uid: &str,
    patience: Duration,
) -> Result<Option<LiveNamespace>, Failure> {
    let started = Instant::now();
    loop {
        let Some(live) = cluster.namespace(name).await?.filter(|live| live.uid == uid) else { return Ok(None) };
        if started.elapsed() >= patience {
            return Ok(Some(live));
        }
        tokio::select! {
            () = sleep(POLL) => {}
            () = context.stop.wait() => return Err(interrupted("while the namespace was deleted; that goes on").into()),
        }
    }
}

/// Of objects that vanish with their namespace, the namespace is what is told.
pub(super) async fn behind(cluster: &Cluster, name: &str, problems: Vec<Problem>) -> Vec<Problem> {
    let vanishes = |problem: &Problem| matches!(problem.code, "gone" | "namespace-terminating");
    if !problems.iter().any(vanishes) {
        return problems;
    }
    let text = match cluster.namespace(name).await {
        Ok(Some(live)) if live.leaving => format!("namespace/{name} is being deleted, and all that is in it"),
        Ok(None) => format!("namespace/{name} was deleted, and all that was in it"),
        // an object alone, or nothing to be known
        Ok(Some(_)) | Err(_) => return problems,
    };
    let (vanished, others): (Vec<_>, Vec<_>) = problems.into_iter().partition(vanishes);
    let lines: Vec<String> = vanished.into_iter().map(|problem| problem.text).collect();
    let cause = Problem::new("namespace-terminating", Exit::Rollout, text)
        .about(id_of(name))
        .with(Evidence::new("seen", lines))
        .hint("the same command again, once it is gone");
    std::iter::once(cause).chain(others).collect()
}

/// What keeps a namespace from going, in the server's words.
pub(super) fn held_up(live: &LiveNamespace) -> Problem {
    let text = format!("namespace {} is being deleted, and is still there", live.name);
    Problem::new("namespace-terminating", Exit::TimedOut, text)
        .about(id_of(&live.name))
        .with(Evidence::new("held by", live.remains.iter().cloned()))
        .hint("whoever set a finalizer must take it away; the same command again waits on")
}

pub(super) fn id_of(name: &str) -> ObjectId {
    ObjectId { group: String::new(), kind: "Namespace".to_owned(), namespace: None, name: name.to_owned() }
}
