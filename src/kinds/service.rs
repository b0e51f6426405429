//! Service: ready when it can be reached: an address for a load balancer, and at least one ready endpoint.

use super::{Judgement, Kind, Observation, observation::present, read, workload::warning};
use crate::model::{Problem, Stage};

pub(super) const KIND: Kind = Kind {
    group: "",
    version: "v1",
    kind: "Service",
    plural: "services",
    namespaced: true,
    stage: Stage::Service,
    template: None,
    confidential: false,
    children: &[("discovery.k8s.io", "EndpointSlice")],
    judge,
};

/// Seconds for an address, which many clusters never assign.
const ADDRESS: f64 = 60.0;

fn judge(o: &Observation<'_>) -> Judgement {
    let live = match present(o) {
        Ok(live) => live,
        Err(answer) => return *answer,
    };
    let selects = read::at(live, &["spec", "selector"]).is_some();
    if o.backed && selects && !o.children.iter().any(|slice| ready_endpoints(slice).next().is_some()) {
        return Judgement::waiting("its first ready endpoint", Some(no_endpoints(o)));
    }
    let balanced = read::text(live, &["spec", "type"]) == "LoadBalancer";
    if balanced && read::list(live, &["status", "loadBalancer", "ingress"]).is_empty() {
        let problem = o.problem("no-address", "has no address: nothing has given its load balancer one");
        let problem =
            problem.hint("a cluster without a cloud's controller assigns none: use `type: NodePort`, or an Ingress");
        return Judgement {
            patience: Some(ADDRESS),
            ..Judgement::waiting("an address of its load balancer", Some(problem))
        };
    }
    // the cluster makes a slice for each selector, empty where no pod has these labels
    let slices = || o.children.iter().map(|slice| read::list(slice, &["endpoints"]));
    let reaches_nobody = o.aimless && selects && slices().next().is_some() && slices().all(<[_]>::is_empty);
    Judgement::ready().warn(reaches_nobody.then(|| {
        let problem = warning(o, "selects-nothing", "selects nothing: no pod has the labels of its `spec.selector`");
        problem.hint("correct the selector, or the labels of the pods")
    }))
}

fn no_endpoints(o: &Observation<'_>) -> Problem {
    o.problem("no-endpoints", "reaches no ready pod").hint("its `spec.selector` has to match the labels of ready pods")
}

/// The endpoints of an EndpointSlice that get traffic: `ready` left out counts as true (discovery.k8s.io/v1).
pub(crate) fn ready_endpoints(slice: &serde_json::Value) -> impl Iterator<Item = &serde_json::Value> {
    read::list(slice, &["endpoints"])
        .iter()
        .filter(|endpoint| read::at(endpoint, &["conditions", "ready"]).is_none_or(|ready| ready == true))
}
