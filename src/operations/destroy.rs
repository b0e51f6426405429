//! `destroy`: removes an environment, or all previews whose time is over.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt as _, stream};
use tokio::time::{Instant, sleep};

use super::{
    Context,
    application::Application,
    checkout::Checkout,
    clusters, consent,
    failure::{Failure, all, conclude, interrupted},
    namespace, prune, record, rights, sites,
};
use crate::{
    cluster::{Cluster, ClusterError},
    kinds::{self, Kind},
    model::{
        ApplyEvent, Change, Evidence, Exit, Live, LiveNamespace, Note, ObjectId, ObjectOutcome, Origin, Outcome,
        Problem, Record, Resource, Sourced, Target, short_duration,
    },
    plan::{self, Destruction},
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// All previews whose time is over.
    pub(crate) expired: bool,
    /// True where the environment was named, and not only chosen by what is checked out.
    pub(crate) named: bool,
    /// Volumes, namespaces and definitions too, where the namespace stays.
    pub(crate) all: bool,
}

pub(crate) async fn run(context: &Context, options: Options) -> Outcome {
    conclude(async |outcome| {
        let mut checkout = Checkout::read(context)?;
        // nothing of the tree is deployed
        checkout.settings.allow_dirty = true;
        outcome.app = Some(checkout.settings.app.value.clone());
        if options.expired {
            return expired(context, &checkout, &options, outcome).await;
        }
        if !options.named {
            let text = "nothing says which environment is to be destroyed";
            let hint = "name it: `shipway destroy ENV`, or its branch: `shipway destroy --branch BRANCH`";
            return Err(Problem::new("usage", Exit::Input, text).hint(hint).into());
        }
        let target = checkout.target()?;
        plan::destroyable(&target)?;
        let application = Application::bare(checkout, target);
        let several = application.contexts().len() > 1;
        clusters::each(context, application, outcome, async |context, application, outcome, leads| {
            let cluster = application.connect(context).await?;
            if leads {
                application.announce(context, outcome);
            }
            let wanted = plan::marks(&application.checkout.settings, &application.target, jiff::Timestamp::now());
            let live = cluster.namespace(&application.target.namespace.value).await?;
            if let Some(live) = &live {
                plan::may_enter(&wanted, live, None)?;
            }
            // one answer counts for all clusters
            if leads && (several || live.is_some()) {
                consent::destroy(context, application)?;
            }
            let Some(live) = live else {
                outcome.truth = Some(format!("namespace {} is not there", application.target.namespace.value));
                return Ok(());
            };
            let patience = patience(&application.checkout);
            let end = End { context, application, cluster: &cluster, all: options.all, expired: false, patience };
            let done = end.carry_out(live).await?;
            outcome.objects = done.objects;
            outcome.truth = Some(done.truth);
            Ok(())
        })
        .await
    })
    .await
}

/// Destroys at once what may go; one that cannot does not hold up the others.
async fn expired(
    context: &Context,
    checkout: &Checkout,
    options: &Options,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    let mut found = Vec::new();
    for site in sites::of(context, checkout) {
        let cluster = site.connect(context, checkout).await?;
        let now = jiff::Timestamp::now();
        let previews = cluster.namespaces_of(&checkout.settings.app.value).await?;
        let over = previews.into_iter().filter(|live| plan::is_expired(&live.marks, now));
        found.extend(over.map(|live| (cluster.clone(), live)));
    }
    let asked = checkout.settings.environment.as_ref().map(|asked| &asked.value);
    found.retain(|(_, live)| asked.is_none() || live.marks.environment.as_ref() == asked);
    if found.is_empty() {
        outcome.truth = Some("no preview has expired".to_owned());
        return Ok(());
    }
    let patience = patience(checkout);
    let names: Vec<&str> = found.iter().map(|(_, live)| live.name.as_str()).collect();
    consent::destroy_all(context, &checkout.settings, &names)?;
    let ends = found.into_iter().map(async |(cluster, live)| -> Result<_, Failure> {
        let mut checkout = checkout.clone();
        let application = {
            let target = target_of(&checkout, &live);
            plan::destroyable(&target)?;
            // whoever holds the lock deploys, and begins the time anew
            checkout.settings.deploy.timeout.value = 0.0;
            Application::bare(checkout, target)
        };
        let end =
            End { context, application: &application, cluster: &cluster, all: options.all, expired: true, patience };
        match end.carry_out(live).await {
            Ok(done) => {
                context.tell(Note::new("destroy", done.truth));
                Ok(done.objects)
            }
            Err(Failure(problems)) if problems.iter().all(|problem| problem.exit == Exit::Locked) => {
                let text = format!("namespace {} stays: {}", application.target.namespace.value, problems[0].text);
                context.tell(Note::attention("destroy", text));
                Ok(Vec::new())
            }
            Err(failure) => Err(failure),
        }
    });
    let ended: Vec<Result<Vec<ObjectOutcome>, Failure>> = stream::iter(ends).buffer_unordered(AT_ONCE).collect().await;
    let gone = |objects: &[ObjectOutcome]| objects.iter().any(|object| object.id.kind == "Namespace");
    let count = ended.iter().flatten().filter(|objects| gone(objects)).count();
    outcome.truth = Some(format!("{count} expired {} destroyed", if count == 1 { "preview" } else { "previews" }));
    outcome.objects = all(ended)?.into_iter().flatten().collect();
    Ok(())
}

/// Previews that are destroyed at once.
const AT_ONCE: usize = 8;
/// Deletions in flight at once.
const PARALLEL: usize = 32;
const POLL: Duration = Duration::from_millis(500);

/// As long as a rollout may stand still.
fn patience(checkout: &Checkout) -> Duration {
    Duration::from_secs_f64(checkout.settings.deploy.timeout.value)
}

/// A preview as its own namespace describes it.
fn target_of(checkout: &Checkout, live: &LiveNamespace) -> Target {
    let settings = &checkout.settings;
    let rule = |text: String| Sourced::new(text, Origin::Rule("the namespace's labels".to_owned()));
    let environment = live.marks.environment.clone().unwrap_or_default();
    Target {
        app: settings.app.value.clone(),
        confirm: settings.environment_named(&environment).is_some_and(|environment| environment.confirm),
        environment: rule(environment),
        namespace: rule(live.name.clone()),
        branch: live.marks.branch.clone().map(rule),
        git_tag: None,
        commit: None,
        tag: rule(String::new()),
        pull_request: None,
        run_url: settings.run_url.as_ref().map(|url| url.value.clone()),
        user: settings.user.as_ref().map(|user| user.value.clone()),
    }
}

/// One environment on its way out.
#[derive(Clone, Copy)]
struct End<'e> {
    context: &'e Context,
    application: &'e Application,
    cluster: &'e Cluster,
    all: bool,
    /// It goes because its time is over: looked at again under the lock.
    expired: bool,
    /// How long it may take to be gone.
    patience: Duration,
}

struct Done {
    objects: Vec<ObjectOutcome>,
    truth: String,
}

impl End<'_> {
    /// Removes it, and ends when it is gone.
    async fn carry_out(&self, live: LiveNamespace) -> Result<Done, Failure> {
        let started = Instant::now();
        let mut done = Done { objects: Vec::new(), truth: String::new() };
        if !live.leaving {
            let lease = record::take_lease(self.context, self.application, self.cluster).await?;
            let mut destruction = Destruction::default();
            let guarded = lease.guard(self.cluster);
            let holder = End { cluster: &guarded, ..*self };
            let ended = holder.under_lock(&live, &mut destruction, &mut done.objects).await;
            // what follows writes nothing: the lock may go with its namespace
            match ended {
                Ok(true) if destruction.namespace_stays.is_some() => lease.remove().await,
                ended => record::let_go(lease, ended.map(drop)).await?,
            }
            if let Some(why) = &destruction.namespace_stays {
                self.wait_for_objects(&destruction.delete, started).await?;
                let what = if done.objects.is_empty() { String::new() } else { format!("destroyed {}; ", self.name()) };
                done.truth = format!("{what}namespace {} stays: {why}", live.name);
                return Ok(done);
            }
        }
        self.wait_for_namespace(&live).await?;
        let seconds = short_duration(started.elapsed().as_secs());
        done.truth = format!("destroyed {} (namespace {}) in {seconds}", self.name(), live.name);
        let id = namespace::id_of(&live.name);
        done.objects.push(ObjectOutcome { id, change: Change::Pruned, verdict: "gone", why: None, context: None });
        Ok(done)
    }

    fn name(&self) -> &str {
        &self.application.target.environment.value
    }

    /// Decides what goes, now that nobody else writes, and deletes it; false where nothing was to go.
    async fn under_lock(
        &self,
        live: &LiveNamespace,
        destruction: &mut Destruction,
        objects: &mut Vec<ObjectOutcome>,
    ) -> Result<bool, Failure> {
        let target = &self.application.target;
        let Some(live) = self.cluster.namespace(&live.name).await?.filter(|now| now.uid == live.uid) else {
            return Ok(false);
        };
        if self.expired && !plan::is_expired(&live.marks, jiff::Timestamp::now()) {
            destruction.namespace_stays = Some("its time began anew meanwhile".to_owned());
            return Ok(false);
        }
        let records = self.cluster.history(&live.name, &target.app, &target.environment.value).await?.records;
        if !self.expired {
            let marks = plan::marks(&self.application.checkout.settings, target, jiff::Timestamp::now());
            plan::may_enter(&marks, &live, records.last())?;
        }
        let mut found = self.cluster.everything_in(&live.name, Some("shipway.dev/app")).await?;
        found.extend(self.recorded(&live.name, &records, &found).await?);
        *destruction = plan::destruction(target, &live, &records, found, self.all);
        for (id, why) in &destruction.kept {
            self.context.tell(Note::attention("destroy", format!("{id} is kept: {why}")));
        }
        self.foresee(&live, destruction).await?;
        self.delete(&destruction.delete, objects).await?;
        match destruction.namespace_stays {
            Some(_) => self.delete_own(&destruction.own).await?,
            None => self.delete_namespace(&live).await?,
        }
        Ok(true)
    }

    /// Refuses before anything is deleted where the login may not delete all of it.
    async fn foresee(&self, live: &LiveNamespace, destruction: &Destruction) -> Result<(), Failure> {
        // in a Role this is the namespace of the Role
        let id = ObjectId { namespace: Some(live.name.clone()), ..namespace::id_of(&live.name) };
        let resource = kinds::find("", "Namespace").map(Kind::resource);
        let space = resource.as_ref().filter(|_| destruction.namespace_stays.is_none()).map(|resource| (&id, resource));
        let gone =
            destruction.delete.iter().chain(&destruction.own).map(|live| (&live.id, &live.resource)).chain(space);
        rights::foresee_destruction(self.cluster, (&self.application.target.app, &live.name), gone).await
    }

    /// What records name and labels do not show: objects outside of the namespace, also those that a run began to write
    /// before it was killed, and those whose labels are gone.
    async fn recorded(&self, namespace: &str, records: &[Record], found: &[Live]) -> Result<Vec<Live>, Failure> {
        let records: Vec<&Record> = records.iter().collect();
        let mut begun = prune::begun(self.cluster, namespace, &records).await?;
        begun.retain(|object| object.id.namespace.as_deref() != Some(namespace));
        let named = records.iter().flat_map(|record| &record.applied).map(|applied| (&applied.id, &applied.resource));
        let named = named.chain(begun.iter().map(|object| (&object.id, &object.resource)));
        let mut wanted: BTreeMap<&ObjectId, &Resource> = named.filter(|(id, _)| id.kind != "Namespace").collect();
        for live in found {
            wanted.remove(&live.id);
        }
        let read = wanted.into_iter().map(async |(id, resource)| -> Result<Option<Live>, Failure> {
            let body = match self.cluster.get(resource, id).await {
                // a kind whose definition is gone has no objects
                Err(ClusterError::NotServed { .. }) => None,
                body => body?,
            };
            let live = Live { id: id.clone(), resource: resource.clone(), body };
            Ok(Some(live).filter(|live| live.body.is_some() && plan::is_recorded(live, &records, &begun)))
        });
        let read: Vec<_> = stream::iter(read).buffered(PARALLEL).collect().await;
        Ok(all(read)?.into_iter().flatten().collect())
    }

    /// Deletes at once what is left to shipway by the rules of pruning.
    async fn delete(&self, gone: &[Live], objects: &mut Vec<ObjectOutcome>) -> Result<(), Failure> {
        let deletions = gone.iter().map(async |live| -> Result<Option<ObjectOutcome>, Failure> {
            if self.context.stop.is_set() {
                return Err(interrupted("before all was deleted").into());
            }
            if !prune::delete_one(self.cluster, live, self.all, &[]).await? {
                return Ok(None);
            }
            self.context.tell(ApplyEvent::Object { change: prune::change(live) });
            Ok(Some(ObjectOutcome {
                id: live.id.clone(),
                change: Change::Pruned,
                verdict: "gone",
                why: None,
                context: None,
            }))
        });
        let deleted: Vec<_> = stream::iter(deletions).buffered(PARALLEL).collect().await;
        objects.extend(deleted.iter().flatten().flatten().cloned());
        all(deleted).map(drop)
    }

    /// Copied Secrets and records: with them the environment is forgotten.
    async fn delete_own(&self, own: &[Live]) -> Result<(), Failure> {
        let deletions = own.iter().map(async |live| Ok(self.cluster.delete_exactly(live).await.map(drop)?));
        let deleted: Vec<Result<(), Failure>> = stream::iter(deletions).buffered(PARALLEL).collect().await;
        all(deleted).map(drop)
    }

    /// Deletes this very namespace; its status is written all the time, so it is read again.
    async fn delete_namespace(&self, live: &LiveNamespace) -> Result<(), Failure> {
        let mut live = live.clone();
        for _ in 0..TRIES {
            match self.cluster.delete_namespace(&live).await {
                Err(ClusterError::Stale { .. }) => {}
                done => return Ok(done.map(drop)?),
            }
            match self.cluster.namespace(&live.name).await? {
                Some(again) if again.uid == live.uid && again.marks.created => live = again,
                _ => return Ok(()),
            }
        }
        Err(ClusterError::Stale { object: Box::new(namespace::id_of(&live.name)) }.into())
    }

    async fn wait_for_namespace(&self, live: &LiveNamespace) -> Result<(), Failure> {
        let Some(held) = namespace::gone(self.context, self.cluster, &live.name, &live.uid, self.patience).await?
        else {
            return Ok(());
        };
        // what cannot be asked any more is left out: the server's own words stand there too
        let remaining = self.cluster.everything_in(&live.name, None).await.unwrap_or_default();
        Err(namespace::held_up(&held).with(Evidence::new("finalizers", remaining.iter().filter_map(finalizers))).into())
    }

    /// Waits until the objects are gone, and the pods of this app.
    async fn wait_for_objects(&self, deleted: &[Live], started: Instant) -> Result<(), Failure> {
        loop {
            let read = deleted.iter().map(async |live| -> Result<Option<Live>, Failure> {
                let body = self.cluster.get(&live.resource, &live.id).await?;
                let uid = live.body.as_ref().map(|body| &body["metadata"]["uid"]);
                let same = body.filter(|body| Some(&body["metadata"]["uid"]) == uid);
                Ok(same.map(|body| Live { body: Some(body), ..live.clone() }))
            });
            let read: Vec<_> = stream::iter(read).buffered(PARALLEL).collect().await;
            let left: Vec<Live> = all(read)?.into_iter().flatten().collect();
            if left.is_empty() {
                return Ok(());
            }
            if started.elapsed() >= self.patience {
                let text = format!("{} is being deleted, and is still there", left[0].id);
                return Err(Problem::new("still-there", Exit::TimedOut, text)
                    .about(left[0].id.clone())
                    .with(Evidence::new("finalizers", left.iter().filter_map(finalizers)))
                    .hint("whoever set a finalizer must take it away; the same command again waits on")
                    .into());
            }
            tokio::select! {
                () = sleep(POLL) => {}
                () = self.context.stop.wait() => return Err(interrupted("while objects were deleted; that goes on").into()),
            }
        }
    }
}

const TRIES: usize = 5;

/// `configmap/held: example.com/hold`
fn finalizers(live: &Live) -> Option<String> {
    let finalizers = live.body.as_ref()?["metadata"]["finalizers"].as_array()?;
    let names: Vec<&str> = finalizers.iter().filter_map(serde_json::Value::as_str).collect();
    (!names.is_empty()).then(|| format!("{}: {}", live.id, names.join(", ")))
}
