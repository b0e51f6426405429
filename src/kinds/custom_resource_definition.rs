//! CustomResourceDefinition: ready when its names are accepted and it is served.

use super::{Judgement, Kind, Observation, observation::present, read};
use crate::model::Stage;

pub(super) const KIND: Kind = Kind {
    group: "apiextensions.k8s.io",
    version: "v1",
    kind: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
    namespaced: false,
    stage: Stage::Foundation,
    template: None,
    confidential: false,
    children: &[],
    judge,
};

fn judge(o: &Observation<'_>) -> Judgement {
    let live = match present(o) {
        Ok(live) => live,
        Err(answer) => return *answer,
    };
    if let Some(refused) = read::condition(live, "NamesAccepted").filter(|condition| condition.status == "False") {
        let problem = o.problem("names-taken", format!("is not accepted: {}", refused.said()));
        return Judgement::failed(
            problem.hint("`kubectl get customresourcedefinitions` shows whose they are: choose other `spec.names`"),
        );
    }
    if read::true_condition(live, "Established").is_some() {
        return Judgement::ready();
    }
    Judgement::waiting("the definition to be served", None)
}
