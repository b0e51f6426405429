//! `envs`: the environments of the app, those that are configured and those that were made for a branch.

use futures::future::join_all;

use super::{
    Context,
    checkout::Checkout,
    failure::{Failure, conclude},
    sites::{self, Site},
};
use crate::{
    cluster::Cluster,
    model::{Answer, EnvironmentEntry, Environments, LiveNamespace, Note, Outcome, Problem},
};

pub(crate) async fn run(context: &Context) -> Outcome {
    conclude(async |outcome| {
        let checkout = Checkout::read(context)?;
        let app = checkout.settings.app.value.clone();
        let sites = sites::of(context, &checkout);
        let asked = sites.iter().map(|site| entries(site, context, &checkout));
        let environments: Vec<EnvironmentEntry> = join_all(asked).await.into_iter().flatten().collect();
        outcome.app = Some(app.clone());
        all_unknown(&environments)?;
        outcome.answer = Answer::Environments(Box::new(Environments { app, environments }));
        Ok(())
    })
    .await
}

/// What is on one cluster.
async fn entries(site: &Site, context: &Context, checkout: &Checkout) -> Vec<EnvironmentEntry> {
    let settings = &checkout.settings;
    let new =
        |(environment, namespace): &(String, String)| EnvironmentEntry::new(environment, namespace, site.context());
    let cluster = match site.connect(context, checkout).await {
        Ok(cluster) => cluster,
        Err(error) => {
            let problem = Problem::from(error);
            let unknown = |place| EnvironmentEntry { problem: Some(problem.clone()), ..new(place) };
            return site.places.iter().map(unknown).collect();
        }
    };
    let live = live_namespaces(site, context, checkout, &cluster).await;
    let mut places = site.places.clone();
    for namespace in &live {
        let environment = namespace.marks.environment.clone().unwrap_or_default();
        let is_asked = settings.environment.as_ref().is_none_or(|asked| asked.value == environment);
        if is_asked && !places.iter().any(|(_, known)| *known == namespace.name) {
            places.push((environment, namespace.name.clone()));
        }
    }
    let read = places.iter().map(async |place| {
        let mut entry = new(place);
        if let Some(live) = live.iter().find(|live| live.name == entry.namespace) {
            mark(&mut entry, live);
        }
        if let Err(Failure(problems)) = fill(checkout, &cluster, &mut entry).await {
            entry.problem = problems.into_iter().next();
        }
        entry
    });
    join_all(read).await
}

/// The namespaces that shipway made for this app; those that are configured where a login may not list them.
async fn live_namespaces(site: &Site, context: &Context, checkout: &Checkout, cluster: &Cluster) -> Vec<LiveNamespace> {
    match cluster.namespaces_of(&checkout.settings.app.value).await {
        Ok(mut live) => {
            live.sort_by(|one, other| one.name.cmp(&other.name));
            live
        }
        Err(error) => {
            if error.is_denied() {
                let text = format!("previews of other branches are not looked for: {error}");
                context.tell(Note::attention("plan", text));
            }
            // what else keeps a server from answering is told at each environment
            let known = site.places.iter().map(|(_, namespace)| cluster.namespace(namespace));
            join_all(known).await.into_iter().filter_map(|live| live.ok().flatten()).collect()
        }
    }
}

fn mark(entry: &mut EnvironmentEntry, live: &LiveNamespace) {
    entry.created = live.marks.created;
    entry.leaving = live.leaving;
    entry.branch.clone_from(&live.marks.branch);
    entry.expires = live.marks.expires;
    entry.expires_in = live.marks.expires.map(|expires| expires.duration_since(jiff::Timestamp::now()).as_secs());
}

/// What the newest record tells, and which colour serves.
async fn fill(checkout: &Checkout, cluster: &Cluster, entry: &mut EnvironmentEntry) -> Result<(), Failure> {
    let settings = &checkout.settings;
    let history = cluster.history(&entry.namespace, &settings.app.value, &entry.environment).await?;
    let Some(latest) = history.records.into_iter().next_back() else { return Ok(()) };
    if let Some(blue_green) = &settings.blue_green {
        entry.color = cluster.traffic(&entry.namespace, blue_green).await?.and_then(|traffic| traffic.color);
    }
    entry.age = Some(jiff::Timestamp::now().as_second() - latest.at.as_second());
    entry.branch = latest.branch.or(entry.branch.take());
    entry.tag = Some(latest.tag);
    entry.by = Some(latest.by);
    entry.commit = latest.commit;
    Ok(())
}

/// Where nothing could be asked there is no list to show, only why.
fn all_unknown(entries: &[EnvironmentEntry]) -> Result<(), Failure> {
    let mut problems: Vec<Problem> = Vec::new();
    for entry in entries {
        match &entry.problem {
            None => return Ok(()),
            Some(problem) if problems.contains(problem) => {}
            Some(problem) => problems.push(problem.clone()),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure(problems)) }
}
