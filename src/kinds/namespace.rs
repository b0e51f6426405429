//! Namespace: ready when it is active.

use super::{Judgement, Kind, Observation, observation::present, read};
use crate::model::Stage;

pub(super) const KIND: Kind = Kind {
    group: "",
    version: "v1",
    kind: "Namespace",
    plural: "namespaces",
    namespaced: false,
    stage: Stage::Foundation,
    template: None,
    confidential: false,
    children: &[],
    judge,
};

fn judge(o: &Observation<'_>) -> Judgement {
    match present(o) {
        Ok(live) if read::text(live, &["status", "phase"]) == "Terminating" => {
            Judgement::failed(o.problem("gone", "is being deleted").hint("`shipway deploy`, once it is gone"))
        }
        Ok(live) if read::text(live, &["status", "phase"]) == "Active" => Judgement::ready(),
        Ok(_) => Judgement::waiting("the namespace to be active", None),
        Err(answer) => *answer,
    }
}
