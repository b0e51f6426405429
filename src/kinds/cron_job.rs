//! CronJob: ready when the server took it; its Jobs are judged when they run.

use super::{Judgement, Kind, Observation};
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

fn judge<'o>(_: &Observation<'o>) -> Judgement<'o> {
    Judgement::ready()
}
