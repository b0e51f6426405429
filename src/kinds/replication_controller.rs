//! ReplicationController: ready when every replica is available.

use super::{Kind, replica_set::judge};
use crate::model::Stage;

pub(super) const KIND: Kind = Kind {
    group: "",
    version: "v1",
    kind: "ReplicationController",
    plural: "replicationcontrollers",
    namespaced: true,
    stage: Stage::Workload,
    template: Some(&["spec", "template"]),
    confidential: false,
    children: &[("", "Pod")],
    judge,
};
