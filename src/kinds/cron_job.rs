//! CronJob: ready when the server took it; its Jobs are judged when they run.

use super::{Judgement, Kind, Observation, observation::present};
use crate::model::Stage;

pub(super) const KIND: Kind = Kind {
    group: "batch",
    version: "v1",
    kind: "CronJob",
    plural: "cronjobs",
    namespaced: true,
    stage: Stage::Workload,
    template: Some(&["spec", "jobTemplate", "spec", "template"]),
    confidential: false,
    children: &[],
    judge,
};

fn judge(o: &Observation<'_>) -> Judgement {
    present(o).map_or_else(|answer| *answer, |_| Judgement::ready())
}
