//! What the login may do: asked of the API server's authorizer, never guessed.

use futures::{StreamExt as _, TryStreamExt as _};
use http::Method;
use serde_json::{Value, json};

use super::{
    connect::Cluster,
    error::ClusterError,
    request::{Call, JSON},
    survey::PARALLEL,
};
use crate::model::Right;

const AUTHORIZATION: &str = "/apis/authorization.k8s.io/v1";

impl Cluster {
    /// Those of the rights that the login does not have (one SelfSubjectAccessReview each, in parallel).
    pub(crate) async fn lacks(&self, wanted: &[Right]) -> Result<Vec<Right>, ClusterError> {
        let answers: Vec<(Right, bool)> = futures::stream::iter(wanted)
            .map(|right| async move {
                let review = json!({
                    "apiVersion": "authorization.k8s.io/v1",
                    "kind": "SelfSubjectAccessReview",
                    "spec": {"resourceAttributes": {
                        "namespace": right.namespace,
                        "group": right.group,
                        "resource": right.resource,
                        "verb": right.verb,
                    }},
                });
                let answer = self.review("selfsubjectaccessreviews", &review).await?;
                Ok::<_, ClusterError>((right.clone(), answer["status"]["allowed"] == true))
            })
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        Ok(answers.into_iter().filter(|(_, allowed)| !allowed).map(|(right, _)| right).collect())
    }

    /// What the login may do in one namespace (one SelfSubjectRulesReview).
    pub(crate) async fn rules(&self, namespace: &str) -> Result<Rules, ClusterError> {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": namespace},
        });
        let mut answer = self.review("selfsubjectrulesreviews", &review).await?;
        Ok(Rules { namespace: namespace.to_owned(), status: answer["status"].take() })
    }

    /// The name that the server knows the login by; none where it does not say.
    pub(crate) async fn whoami(&self) -> Option<String> {
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
        let answer = self.ask(&asking(path.to_owned(), &review)).await.ok()?;
        answer.pointer("/status/userInfo/username").and_then(Value::as_str).map(str::to_owned)
    }

    async fn review(&self, what: &str, review: &Value) -> Result<Value, ClusterError> {
        self.ask(&asking(format!("{AUTHORIZATION}/{what}"), review)).await
    }
}

/// What a login may do in a namespace.
#[derive(Debug)]
pub(crate) struct Rules {
    namespace: String,
    status: Value,
}

impl Rules {
    /// Those of the rights that no rule gives. None where an authorizer does not tell all its rules. A rule for objects by
    /// name counts as the whole.
    pub(crate) fn lack(&self, wanted: &[Right]) -> Vec<Right> {
        not_given(&self.status, &self.namespace, wanted)
    }
}

/// A POST that changes nothing.
fn asking(path: String, review: &Value) -> Call {
    let mut call = Call::write(Method::POST, path, JSON, review.to_string());
    call.repeatable = true;
    call
}

fn not_given(status: &Value, namespace: &str, wanted: &[Right]) -> Vec<Right> {
    if status["incomplete"] == true {
        return Vec::new();
    }
    let rules = status["resourceRules"].as_array().map_or(&[][..], Vec::as_slice);
    let has = |rule: &Value, key: &str, value: &str| {
        rule[key].as_array().is_some_and(|list| list.iter().any(|found| found == value || found == "*"))
    };
    let gives = |rule: &Value, right: &Right| {
        has(rule, "apiGroups", &right.group)
            && has(rule, "resources", &right.resource)
            && has(rule, "verbs", right.verb)
    };
    let here = wanted.iter().filter(|right| right.namespace.as_deref() == Some(namespace));
    here.filter(|right| !rules.iter().any(|rule| gives(rule, right))).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_rule_gives() {
        let right = |resource: &str, verb: &'static str| Right {
            namespace: Some("demo".into()),
            group: String::new(),
            resource: resource.into(),
            verb,
        };
        let rules = json!([
            {"verbs": ["*"], "apiGroups": [""], "resources": ["pods"]},
            {"verbs": ["get", "list"], "apiGroups": ["*"], "resources": ["secrets"], "resourceNames": ["a"]},
        ]);
        let wanted = [right("pods", "watch"), right("secrets", "list"), right("secrets", "patch")];
        let status = json!({"resourceRules": rules, "incomplete": false});
        assert_eq!(not_given(&status, "demo", &wanted), [right("secrets", "patch")]);
        assert_eq!(not_given(&status, "other", &wanted), []);
        assert_eq!(not_given(&json!({"resourceRules": rules, "incomplete": true}), "demo", &wanted), []);
    }
}
