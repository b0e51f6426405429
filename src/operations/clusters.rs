//! An environment on several clusters: the first is deployed to and proven, then all others at once.

use std::{pin::pin, sync::Arc};

use futures::future::{Either, join_all, select};

use super::{
    Context,
    application::Application,
    failure::{Failure, conclude},
};
use crate::model::{Event, Exit, Listener, Outcome, Problem, Sourced, Stop, Within};

/// Tells what happens in one of several clusters.
struct InContext {
    context: String,
    listener: Arc<dyn Listener>,
}

impl Listener for InContext {
    fn on(&self, event: Event) {
        self.listener.on(Event::Within(Box::new(Within { context: self.context.clone(), event })));
    }
}

/// Does `verb` in each cluster of the environment; its last argument is true in the first, which leads. A failure there
/// ends it all; one of the others leaves the rest to finish, and fails the whole.
pub(super) async fn each(
    context: &Context,
    mut application: Application,
    outcome: &mut Outcome,
    verb: impl AsyncFn(&Context, &mut Application, &mut Outcome, bool) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let contexts = application.contexts();
    let Some((first, others)) = contexts.split_first().filter(|(_, others)| !others.is_empty()) else {
        return verb(context, &mut application, outcome, true).await;
    };
    let mut leading = application.at(first);
    let ended = verb(&within(context, &first.value, &context.stop), &mut leading, outcome, true).await;
    mark(outcome, &first.value);
    ended.map_err(|failure| told(failure, &first.value))?;
    let ends = others.iter().map(|name| {
        let mut application = application.at(name);
        let verb = &verb;
        async move {
            // a lock that is lost in one cluster stops nothing in another
            let stop = Stop::default();
            let context_within = within(context, &name.value, &stop);
            let work = conclude(async |outcome| verb(&context_within, &mut application, outcome, false).await);
            let mut ended = match select(pin!(work), pin!(context.stop.wait())).await {
                Either::Left((ended, _)) => ended,
                Either::Right(((), work)) => {
                    stop.set();
                    work.await
                }
            };
            mark(&mut ended, &name.value);
            let Failure(problems) = told(Failure(std::mem::take(&mut ended.problems)), &name.value);
            (ended, problems)
        }
    });
    let mut problems = Vec::new();
    for (ended, found) in join_all(ends).await {
        add(outcome, ended);
        problems.extend(found);
    }
    // to have given way in one cluster is a good end only where no other has failed
    problems.sort_by_key(|problem: &Problem| problem.exit == Exit::Done);
    if problems.is_empty() { Ok(()) } else { Err(Failure(problems)) }
}

/// Asks each cluster of the environment at once: what was found, in the order of the clusters, and why others gave no
/// answer.
pub(super) async fn ask<T>(
    application: Application,
    question: impl AsyncFn(Application) -> Result<T, Failure>,
) -> (Vec<T>, Vec<Problem>) {
    let several = application.contexts().len() > 1;
    let asked = application.on_each().into_iter().map(async |application| {
        let context = application.checkout.settings.context.as_ref().map(|context| context.value.clone());
        let named = context.filter(|_| several);
        question(application).await.map_err(|failure| match named {
            Some(context) => told(failure, &context),
            None => failure,
        })
    });
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for answer in join_all(asked).await {
        match answer {
            Ok(answer) => found.push(answer),
            Err(Failure(told)) => problems.extend(told),
        }
    }
    (found, problems)
}

fn within(context: &Context, name: &str, stop: &Stop) -> Context {
    let listener = Arc::new(InContext { context: name.to_owned(), listener: Arc::clone(&context.listener) });
    Context { listener, stop: stop.clone(), ..context.clone() }
}

/// Says of everything in the outcome which cluster it is about.
fn mark(outcome: &mut Outcome, context: &str) {
    for object in outcome.objects.iter_mut().filter(|object| object.context.is_none()) {
        object.context = Some(context.to_owned());
    }
    outcome.truth = outcome.truth.take().map(|truth| format!("{context}: {truth}"));
}

/// Says of each problem which cluster it is about.
pub(super) fn told(Failure(problems): Failure, context: &str) -> Failure {
    let told = |problem: Problem| Problem { text: format!("{context}: {}", problem.text), ..problem };
    Failure(problems.into_iter().map(told).collect())
}

/// One outcome of both: objects of each, pods on an image counted together.
fn add(outcome: &mut Outcome, other: Outcome) {
    outcome.objects.extend(other.objects);
    for image in other.images {
        match outcome.images.iter_mut().find(|known| known.name == image.name && known.digest == image.digest) {
            Some(known) => known.pods += image.pods,
            None => outcome.images.push(image),
        }
    }
    let truths: Vec<String> = [outcome.truth.take(), other.truth].into_iter().flatten().collect();
    outcome.truth = (!truths.is_empty()).then(|| truths.join("; "));
}

impl Application {
    /// The contexts of its environment; none where it has one cluster, or one was asked for.
    pub(super) fn contexts(&self) -> Vec<Sourced<String>> {
        self.checkout.settings.contexts(&self.target.environment.value)
    }

    /// The app on the cluster that leads.
    pub(super) fn on_first(&self) -> Self {
        self.contexts().first().map_or_else(|| self.clone(), |context| self.at(context))
    }

    /// The app on each cluster of its environment.
    fn on_each(self) -> Vec<Self> {
        match self.contexts().as_slice() {
            [] => vec![self],
            contexts => contexts.iter().map(|context| self.at(context)).collect(),
        }
    }

    /// The same on the cluster of a context.
    fn at(&self, context: &Sourced<String>) -> Self {
        let mut application = self.clone();
        application.checkout.settings.context = Some(context.clone());
        application
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Change, ObjectId, ObjectOutcome, PodsOnImage};

    fn outcome(truth: &str) -> Outcome {
        let id = ObjectId { group: String::new(), kind: "ConfigMap".into(), namespace: None, name: "a".into() };
        let object = ObjectOutcome { id, change: Change::Created, verdict: "ready", why: None, context: None };
        let image = PodsOnImage { name: "team/demo".into(), tag: "t".into(), digest: None, pods: 2 };
        let truth = Some(truth.to_owned());
        Outcome { objects: vec![object], images: vec![image], truth, ..Outcome::new(Exit::Done) }
    }

    #[test]
    fn one_outcome_has_the_objects_of_all_clusters() {
        let (mut one, mut other) = (outcome("deployed in 3 s"), outcome("deployed in 4 s"));
        mark(&mut one, "east");
        mark(&mut other, "west");
        add(&mut one, other);
        let contexts: Vec<_> = one.objects.iter().map(|object| object.context.as_deref()).collect();
        assert_eq!(contexts, [Some("east"), Some("west")]);
        assert_eq!((one.images.len(), one.images[0].pods), (1, 4));
        assert_eq!(one.truth.as_deref(), Some("east: deployed in 3 s; west: deployed in 4 s"));
    }
}
