//! HorizontalPodAutoscaler: ready when it is there; a metric that cannot be read is a warning.

use super::{Judgement, Kind, Observation, command::describe, observation::present, read, workload::warning};
use crate::model::Stage;

pub(super) const KIND: Kind = Kind {
    group: "autoscaling",
    version: "v2",
    kind: "HorizontalPodAutoscaler",
    plural: "horizontalpodautoscalers",
    namespaced: true,
    stage: Stage::Workload,
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
    let aimless = read::condition(live, "AbleToScale").filter(|condition| condition.status == "False");
    let blind = read::condition(live, "ScalingActive").filter(|condition| condition.status == "False");
    let blind = blind.filter(|condition| condition.reason != "ScalingDisabled");
    Judgement::ready().warn(aimless.or(blind).map(|condition| {
        let warning = warning(o, "not-scaling", format!("does not scale: {}", condition.said()));
        warning.hint(format!("{} shows what it reads", describe(&o.applied.id)))
    }))
}
