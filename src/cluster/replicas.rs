//! Counts of pods that change hands.

use http::Method;
use serde_json::{Value, json};

use super::{
    connect::Cluster,
    error::{ClusterError, FieldOwner, Reason},
    request::{APPLY_PATCH, Call, Failure, built_in, object_path},
};
use crate::model::{HANDOVER, Rendered, Selection, managed_fields};

/// As the server names it in a conflict.
const REPLICAS: &str = "spec.replicas";

impl Cluster {
    /// The autoscalers of a namespace (one LIST); none where the login may not see them or the server has no such kind.
    pub(crate) async fn autoscalers(&self, namespace: Option<&str>) -> Result<Option<Vec<Value>>, ClusterError> {
        let resource = built_in("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers");
        let selection = Selection { resource, namespace: namespace.map(str::to_owned), labels: None, fields: None };
        match self.list(&selection).await {
            Ok(found) => Ok(Some(found)),
            Err(ClusterError::NotServed { .. }) => Ok(Some(Vec::new())),
            Err(error) if error.reason() == Some(Reason::Forbidden) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a second owner of the count that is there, so that it stays when shipway names none any more. Where somebody
    /// else owns it by now (409), it stays by itself.
    pub(crate) async fn hand_over(&self, object: &Rendered, count: i64) -> Result<(), ClusterError> {
        let id = &object.id;
        let body = json!({
            "apiVersion": object.resource.api_version(),
            "kind": id.kind,
            "metadata": {"name": id.name, "namespace": id.namespace},
            "spec": {"replicas": count},
        });
        let path = object_path(&object.resource, id, &[("fieldManager", HANDOVER)]);
        let call = Call::write(Method::PATCH, path, APPLY_PATCH, body.to_string()).about(id);
        match self.ask_text(&call).await {
            Ok(_) => Ok(()),
            Err(Failure::Status(status)) if status.code == 409 => Ok(()),
            Err(failure) => Err(self.explain(failure, Some(id))),
        }
    }
}

/// True where the count in a conflict was set after `live` was read: it stays, and is not sent.
pub(super) fn is_set_meanwhile(owners: &[FieldOwner], live: Option<&Value>) -> bool {
    let Some(live) = live else { return false };
    let known = |owner: &FieldOwner| {
        managed_fields(live).any(|entry| {
            entry["manager"] == owner.manager.as_str() && entry.pointer("/fieldsV1/f:spec/f:replicas").is_some()
        })
    };
    owners.iter().any(|owner| owner.field == REPLICAS && !known(owner))
}

/// True for a count that was set by scaling: who sends one in spite of that has decided to.
pub(super) fn is_scaled(owner: &FieldOwner, live: Option<&Value>) -> bool {
    let scaled = |entry: &Value| {
        entry["manager"] == owner.manager.as_str()
            && entry["subresource"] == "scale"
            && entry.pointer("/fieldsV1/f:spec/f:replicas").is_some()
    };
    owner.field == REPLICAS && live.is_some_and(|live| managed_fields(live).any(scaled))
}

/// The same without a count.
pub(super) fn without_count(object: &Rendered) -> Rendered {
    let mut body = object.body();
    if let Some(spec) = body.get_mut("spec").and_then(Value::as_object_mut) {
        spec.shift_remove("replicas");
    }
    Rendered { json: body.to_string(), ..object.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_set_after_reading_is_told_from_one_that_was_known() {
        let live = json!({"metadata": {"managedFields": [
            {"manager": "kubectl", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]}});
        let owner = |manager: &str| FieldOwner { field: REPLICAS.into(), manager: manager.into(), since: None };
        for (manager, meanwhile, scaled) in [("kubectl", false, true), ("kube-controller-manager", true, false)] {
            assert_eq!(is_set_meanwhile(&[owner(manager)], Some(&live)), meanwhile, "{manager}");
            assert_eq!(is_scaled(&owner(manager), Some(&live)), scaled, "{manager}");
        }
        let other = FieldOwner { field: "spec.paused".into(), ..owner("kubectl-edit") };
        assert!(!is_set_meanwhile(&[other], Some(&live)));
    }
}
