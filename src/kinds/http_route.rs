//! HTTPRoute: ready when every gateway that it names has accepted it and found its backends.

use serde_json::Value;

use super::{Judgement, Kind, Observation, observation::present, read};
use crate::model::{Stage, Verdict};

pub(super) const KIND: Kind = Kind {
    group: "gateway.networking.k8s.io",
    version: "v1",
    kind: "HTTPRoute",
    plural: "httproutes",
    namespaced: true,
    stage: Stage::Service,
    template: None,
    confidential: false,
    children: &[],
    judge,
};

/// Seconds for a gateway's controller to look at it: where none runs, none ever will.
const NOTICE: f64 = 10.0;
/// Seconds for a backend that is made in the same deploy.
const BACKEND: f64 = 30.0;

/// `status.parents[].conditions` as the Gateway API has them: Accepted and ResolvedRefs.
fn judge(o: &Observation<'_>) -> Judgement {
    let live = match present(o) {
        Ok(live) => live,
        Err(answer) => return *answer,
    };
    let generation = read::number(live, &["metadata", "generation"]).unwrap_or(0).max(o.applied.generation);
    let parents = read::list(live, &["status", "parents"]);
    let conditions = || parents.iter().flat_map(|parent| read::list(parent, &["conditions"]));
    let is_of_before = |condition: &Value| {
        read::number(condition, &["observedGeneration"]).is_some_and(|observed| observed < generation)
    };
    if parents.is_empty() || conditions().any(is_of_before) {
        return Judgement { patience: Some(NOTICE), ..Judgement::waiting("a gateway to see it", None) };
    }
    let refused = conditions().find(|condition| {
        ["Accepted", "ResolvedRefs"].contains(&read::text(condition, &["type"]))
            && read::text(condition, &["status"]) == "False"
    });
    let Some(refused) = refused else {
        // `Unknown` is what a controller writes before it has looked
        let accepted = |parent: &Value| {
            let conditions = read::list(parent, &["conditions"]);
            let accepted = conditions.iter().find(|condition| read::text(condition, &["type"]) == "Accepted");
            accepted.is_some_and(|condition| read::text(condition, &["status"]) == "True")
        };
        return match parents.iter().all(accepted) {
            true => Judgement::ready(),
            false => Judgement { patience: Some(NOTICE), ..Judgement::waiting("a gateway to accept it", None) },
        };
    };
    let (reason, message) = (read::text(refused, &["reason"]), read::text(refused, &["message"]));
    let problem = o
        .problem("route-not-accepted", format!("is not accepted by its gateway: {reason}: {message}"))
        .hint("correct `parentRefs`, `hostnames` or `backendRefs`, as the gateway says");
    Judgement::new(Verdict::Suspect { problem, grace: BACKEND })
}
