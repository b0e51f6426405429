//! `history`: what was deployed to an environment, when, by whom, and how it ended.

use futures::future::try_join;

use super::{
    Context,
    application::Application,
    clusters,
    failure::{Failure, conclude},
    prepare,
};
use crate::model::{Answer, DeployHistory, Outcome, PastDeploy, Record, RecordState, Traffic};

pub(crate) async fn run(context: &Context) -> Outcome {
    conclude(async |outcome| {
        let application = Application::without_manifests(context)?;
        let target = &application.target;
        outcome.app = Some(target.app.clone());
        outcome.environment = Some(target.environment.value.clone());
        outcome.namespace = Some(target.namespace.value.clone());
        let several = application.contexts().len() > 1;
        let (mut found, problems) =
            clusters::ask(application, async |application| read(context, &application).await).await;
        // where one cluster does not answer, the others' history is shown all the same
        outcome.answer = match several {
            true => Answer::Histories(found),
            false => found.pop().map_or(Answer::Nothing, |history| Answer::History(Box::new(history))),
        };
        if problems.is_empty() { Ok(()) } else { Err(Failure(problems)) }
    })
    .await
}

async fn read(context: &Context, application: &Application) -> Result<DeployHistory, Failure> {
    let target = &application.target;
    let cluster = application.connect_quietly(context).await?;
    let (history, traffic) = try_join(prepare::history(application, &cluster), application.traffic(&cluster)).await?;
    let context = application.checkout.settings.context.as_ref();
    Ok(DeployHistory {
        app: target.app.clone(),
        environment: target.environment.value.clone(),
        namespace: target.namespace.value.clone(),
        context: context.map(|context| context.value.clone()),
        deploys: past(history.records, traffic.as_ref()),
    })
}

fn past(records: Vec<Record>, traffic: Option<&Traffic>) -> Vec<PastDeploy> {
    let serves = |record: &&Record| {
        let live = traffic.and_then(|traffic| traffic.color.as_ref());
        record.state == RecordState::Succeeded && live.is_none_or(|live| record.color.as_ref() == Some(live))
    };
    let current = records.iter().rev().find(serves).map(|record| record.revision);
    let now = jiff::Timestamp::now();
    let deploy = |record: Record| PastDeploy { current: Some(record.revision) == current, ..past_deploy(record, now) };
    records.into_iter().rev().map(deploy).collect()
}

/// What a record tells of its deploy.
pub(super) fn past_deploy(record: Record, now: jiff::Timestamp) -> PastDeploy {
    PastDeploy {
        current: false,
        revision: record.revision,
        state: record.state,
        at: record.at,
        age: now.as_second() - record.at.as_second(),
        commit: record.commit,
        branch: record.branch,
        pull_request: record.pull_request,
        tag: record.tag,
        images: record.images.into_iter().map(|image| image.reference).collect(),
        color: record.color,
        by: record.by,
        source: record.source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ObjectId;

    #[test]
    fn what_is_current() {
        use RecordState::{Failed, Succeeded};
        let record = |revision, state, color: &str| {
            let color = Some(color.to_owned()).filter(|color| !color.is_empty());
            Record { color, ..Record::sample(revision, state) }
        };
        let traffic = |color: &str| Traffic {
            service: ObjectId { group: String::new(), kind: "Service".into(), namespace: None, name: "web".into() },
            selector: [].into_iter().collect(),
            resource_version: String::new(),
            color: Some(color.to_owned()),
        };
        let current = |records: Vec<Record>, traffic: Option<Traffic>| -> Vec<u64> {
            let deploys = past(records, traffic.as_ref());
            deploys.iter().filter(|deploy| deploy.current).map(|deploy| deploy.revision).collect()
        };
        let plain = vec![record(1, Succeeded, ""), record(2, Succeeded, ""), record(3, Failed, "")];
        assert_eq!(past(plain.clone(), None).iter().map(|deploy| deploy.revision).collect::<Vec<_>>(), [3, 2, 1]);
        assert_eq!(current(plain, None), [2]);
        let colors = vec![record(1, Succeeded, "blue"), record(2, Succeeded, "green")];
        assert_eq!(current(colors.clone(), Some(traffic("blue"))), [1]);
        assert_eq!(current(colors, Some(traffic("green"))), [2]);
        assert_eq!(current(Vec::new(), None), [] as [u64; 0]);
    }
}
