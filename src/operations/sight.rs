//! Looks at every environment of an app at once, each with a few lists.

use futures::future::{join, join_all};
use jiff::Timestamp;
use tokio::time::{Duration, timeout};

use super::{
    Context,
    checkout::Checkout,
    evidence,
    failure::Failure,
    follow::Witnesses,
    picture::{Papers, Place, paint, without_objects},
    sites::{self, Site},
};
use crate::{
    cluster::{Cluster, ClusterError},
    kinds,
    model::{
        EnvironmentStatus, Health, LiveNamespace, Note, Problem, Question, Reply, Seen, Selection, WorkloadStatus,
    },
    registry::Registry,
    rollout::{Judged, Standing},
};

/// What a look at the environments needs.
pub(super) struct Sight<'s> {
    pub(super) context: &'s Context,
    pub(super) checkout: &'s Checkout,
    pub(super) registry: Registry,
}

/// How often replies may raise further questions: the log of the instance before, then that of the present one.
const ROUNDS: usize = 3;
/// Of one environment; findings are alike beyond that.
const MOST_QUESTIONS: usize = 10;
const EVIDENCE: Duration = Duration::from_secs(3);

impl<'s> Sight<'s> {
    pub(super) fn new(context: &'s Context, checkout: &'s Checkout) -> Self {
        let own = checkout.settings.images.iter().map(|image| image.repository.value.registry.clone());
        let registry = Registry::new(&context.variables, &context.redactor, own);
        Self { context, checkout, registry }
    }

    pub(super) fn sites(&self) -> Vec<Site> {
        sites::of(self.context, self.checkout)
    }

    pub(super) fn app(&self) -> &str {
        &self.checkout.settings.app.value
    }

    /// Every environment, on each of its clusters.
    pub(super) async fn all(&self) -> Vec<EnvironmentStatus> {
        let sites = self.sites();
        join_all(sites.iter().map(|site| self.of_site(site))).await.into_iter().flatten().collect()
    }

    /// The places of a cluster that the configuration names.
    pub(super) fn configured(&self, site: &Site) -> Vec<Place> {
        let place = |(environment, namespace): &(String, String)| Place {
            environment: environment.clone(),
            namespace: namespace.clone(),
            context: self.context_of(site, environment),
            live: None,
        };
        site.places.iter().map(place).collect()
    }

    /// Named only where an environment is on several clusters.
    fn context_of(&self, site: &Site, environment: &str) -> Option<String> {
        let several = self.checkout.settings.contexts(environment).len() > 1;
        site.context().filter(|_| several).map(str::to_owned)
    }

    async fn of_site(&self, site: &Site) -> Vec<EnvironmentStatus> {
        let places = self.configured(site);
        let cluster = match site.connect(self.context, self.checkout).await {
            Ok(cluster) => cluster,
            Err(error) => {
                let problem = Problem::from(error);
                return places.iter().map(|place| unknown(place, &problem)).collect();
            }
        };
        let asked = join_all(places.iter().map(|place| self.one(&cluster, place)));
        let (mut found, made) = join(asked, self.previews(&cluster)).await;
        for status in &mut found {
            let live = made.iter().find(|live| live.name == status.namespace);
            live.into_iter().for_each(|live| mark(status, live));
        }
        let others: Vec<Place> = made.iter().filter_map(|live| self.place_of(site, live)).collect();
        found.extend(join_all(others.iter().map(|place| self.one(&cluster, place))).await);
        found
    }

    /// True where a namespace may have been made for a branch.
    pub(super) fn has_previews(&self) -> bool {
        self.checkout.settings.environments.iter().any(|environment| environment.preview.create_namespace)
    }

    async fn previews(&self, cluster: &Cluster) -> Vec<LiveNamespace> {
        if !self.has_previews() {
            return Vec::new();
        }
        match cluster.namespaces_of(self.app()).await {
            Ok(mut live) => {
                live.sort_by(|one, other| one.name.cmp(&other.name));
                live
            }
            Err(error) => {
                self.tell_unseen(&error);
                Vec::new()
            }
        }
    }

    /// What else keeps a server from answering is told at each environment.
    pub(super) fn tell_unseen(&self, error: &ClusterError) {
        if error.is_denied() {
            let text = format!("previews of other branches are not looked for: {error}");
            self.context.tell(Note::attention("status", text));
        }
    }

    /// The place of a preview that the configuration alone does not name; none where it is not asked for.
    pub(super) fn place_of(&self, site: &Site, live: &LiveNamespace) -> Option<Place> {
        let environment = live.marks.environment.clone().unwrap_or_default();
        let asked = self.checkout.settings.environment.as_ref();
        let is_asked = asked.is_none_or(|asked| asked.value == environment);
        let is_known = site.places.iter().any(|(_, namespace)| *namespace == live.name);
        (is_asked && !is_known).then(|| Place {
            context: self.context_of(site, &environment),
            environment,
            namespace: live.name.clone(),
            live: Some(live.clone()),
        })
    }

    async fn one(&self, cluster: &Cluster, place: &Place) -> EnvironmentStatus {
        match self.look(cluster, place).await {
            Ok(status) => status,
            Err(Failure(problems)) => {
                let problem = problems.into_iter().next();
                EnvironmentStatus { health: Health::Unknown, problem, ..place.status() }
            }
        }
    }

    async fn look(&self, cluster: &Cluster, place: &Place) -> Result<EnvironmentStatus, Failure> {
        let papers = self.papers(cluster, place).await?;
        let Some(mut standing) = self.standing(place, &papers) else {
            return Ok(without_objects(place, &papers, Timestamp::now()));
        };
        let selections: Vec<Selection> = standing.selections().cloned().collect();
        let (events, objects): (Vec<_>, Vec<_>) =
            selections.into_iter().partition(|selection| selection.is_of("", "Event"));
        let mut refused = None;
        for (selection, seen) in lists(cluster, &objects).await {
            match seen {
                Ok(seen) => standing.absorb(seen),
                Err(error) if is_nothing(&error) => {
                    standing.absorb(Seen::Listed { selection: selection.clone(), objects: Vec::new() });
                }
                Err(error) => refused = Some(error),
            }
        }
        if let Some(error) = refused {
            let problem = papers.problem.clone().unwrap_or_else(|| error.into());
            let status = without_objects(place, &papers, Timestamp::now());
            return Ok(EnvironmentStatus { health: Health::Unknown, problem: Some(problem), ..status });
        }
        let judged = self.judge(cluster, &mut standing, &events).await;
        let surroundings = (&self.checkout.settings, cluster.connection().server.as_str());
        Ok(paint(surroundings, place, &papers, (&standing, judged), Timestamp::now()))
    }

    /// The records and the lock. Who may not read records still sees what runs.
    async fn papers(&self, cluster: &Cluster, place: &Place) -> Result<Papers, Failure> {
        let Place { namespace, environment, .. } = place;
        let records = cluster.history(namespace, self.app(), environment);
        let (records, lock) = join(records, cluster.lease_holder(namespace, self.app(), environment)).await;
        let lock = match lock {
            Err(error) if error.is_denied() => None,
            lock => lock?,
        };
        match records {
            Ok(history) => Ok(Papers { records: history.records, lock, problem: None }),
            Err(error) if error.is_denied() => Ok(Papers { records: Vec::new(), lock, problem: Some(error.into()) }),
            Err(error) => Err(error.into()),
        }
    }

    /// None where nothing is deployed.
    pub(super) fn standing(&self, place: &Place, papers: &Papers) -> Option<Standing> {
        let known = papers.known(place)?;
        let rules = self.checkout.settings.rules();
        Some(Standing::new((self.app(), &place.environment), &place.namespace, known, rules))
    }

    /// Where something does not hold, the events and the logs that explain it are asked for, too.
    async fn judge(&self, cluster: &Cluster, standing: &mut Standing, events: &[Selection]) -> Judged {
        let judged = standing.judge(Timestamp::now());
        if judged.workloads.iter().all(holds) {
            return judged;
        }
        for (_, seen) in lists(cluster, events).await {
            // they only explain
            seen.into_iter().for_each(|seen| standing.absorb(seen));
        }
        let mut judged = standing.judge(Timestamp::now());
        for _ in 0..ROUNDS {
            let questions: Vec<Question> = judged.questions.iter().take(MOST_QUESTIONS).cloned().collect();
            let replies = join_all(questions.into_iter().map(|question| self.answer(cluster, question))).await;
            if replies.is_empty() {
                break;
            }
            replies.into_iter().for_each(|(question, reply)| standing.reply(question, reply));
            judged = standing.judge(Timestamp::now());
        }
        judged
    }

    pub(super) async fn answer(&self, cluster: &Cluster, question: Question) -> (Question, Reply) {
        let witnesses = Witnesses { cluster, registry: &self.registry };
        let late = || match &question {
            Question::ImageExists(_) | Question::ImageContent(_) => {
                Reply::ImageUnknown("the registry does not answer in time".to_owned())
            }
            Question::HasStatus(_) => Reply::HasStatus(true),
            Question::LastLog { .. } => Reply::LogUnavailable("it does not come in time".to_owned()),
        };
        match timeout(EVIDENCE, evidence::answer(&witnesses, question.clone())).await {
            Ok(answered) => answered,
            Err(_) => (question.clone(), late()),
        }
    }
}

pub(super) fn unknown(place: &Place, problem: &Problem) -> EnvironmentStatus {
    EnvironmentStatus { health: Health::Unknown, problem: Some(problem.clone()), ..place.status() }
}

fn mark(status: &mut EnvironmentStatus, live: &LiveNamespace) {
    (status.leaving, status.expires) = (live.leaving, live.marks.expires);
    status.expires_in = live.marks.expires.map(|expires| expires.duration_since(Timestamp::now()).as_secs());
}

async fn lists<'l>(cluster: &Cluster, selections: &'l [Selection]) -> Vec<(&'l Selection, Result<Seen, ClusterError>)> {
    join_all(selections.iter().map(async |selection| (selection, cluster.look(selection, kinds::slim).await))).await
}

/// A kind that is not served has no objects, whatever a record says.
pub(super) fn is_nothing(error: &ClusterError) -> bool {
    error.is_missing() || matches!(error, ClusterError::NotServed { .. })
}

fn holds(workload: &WorkloadStatus) -> bool {
    matches!(workload.verdict, "ready" | "assumed")
}
