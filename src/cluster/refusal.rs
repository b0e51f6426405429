//! The server's `Status` turned into an error with words of our own.
//!
//! `reason`, `code` and `details` decide. Where the API gives nothing but a text (webhooks, quotas, rights, a namespace
//! that goes away), its fixed parts are read; they are stable since Kubernetes 1.16.

use kube::core::response::{Status, StatusCause};

use super::error::{ClusterError, FieldFinding, Reason};
use crate::model::{FieldPath, ObjectId};

/// What the request was about.
#[derive(Clone, Copy, Default)]
pub(super) struct About<'a> {
    pub object: Option<&'a ObjectId>,
    /// `https://203.0.113.1:6443`
    pub server: &'a str,
    /// Where the login came from: `KUBECONFIG`.
    pub origin: &'a str,
}

/// The error that the status stands for.
pub(super) fn refused(status: &Status, about: About<'_>) -> ClusterError {
    if let (409, "Conflict", Some(object)) = (status.code, status.reason.as_str(), about.object) {
        return ClusterError::Stale { object: Box::new(object.clone()) };
    }
    let reason = reason_of(status, about.object);
    let fields = fields_of(status, is_confidential(about.object));
    let subject = about.object.map_or_else(|| about.server.to_owned(), ToString::to_string);
    let text = match reason {
        Reason::Unauthorized => format!("{} does not accept the login from {}", about.server, about.origin),
        Reason::Forbidden => forbidden(&status.message, &subject),
        Reason::NamespaceMissing => format!("{subject}: namespace `{}` does not exist", name_in(status)),
        Reason::NamespaceTerminating => format!("{subject}: its namespace is being deleted"),
        Reason::NotFound => format!("{subject} does not exist"),
        Reason::Exists => format!("{subject} exists already"),
        Reason::Invalid | Reason::Immutable if !fields.is_empty() => {
            let said: Vec<_> = fields.iter().map(|found| format!("`{}`: {}", found.path, found.text)).collect();
            format!("{subject}: {}", said.join("; "))
        }
        Reason::Quota | Reason::AdmissionDenied | Reason::AdmissionFailed => {
            format!("{subject}: {}", after_forbidden(&status.message))
        }
        _ if is_confidential(about.object) => format!("{subject}: the server refuses it ({})", status.code),
        _ if status.message.is_empty() => format!("{subject}: the server answers {}", status.code),
        _ => format!("{subject}: {}", first_line(&status.message)),
    };
    ClusterError::Refused {
        reason,
        object: about.object.cloned().map(Box::new),
        hints: hints(reason, status, &fields),
        text,
        fields,
    }
}

fn reason_of(status: &Status, object: Option<&ObjectId>) -> Reason {
    let message = status.message.as_str();
    let causes = status.details.iter().flat_map(|details| &details.causes);
    match status.code {
        401 => Reason::Unauthorized,
        _ if message.contains("failed calling webhook") => Reason::AdmissionFailed,
        _ if message.contains(" denied the request") || message.contains(" denied request:") => Reason::AdmissionDenied,
        403 if causes.clone().any(|cause| cause.reason == "NamespaceTerminating") => Reason::NamespaceTerminating,
        403 if message.contains("because it is being terminated") => Reason::NamespaceTerminating,
        403 if message.contains("exceeded quota") || message.contains("failed quota") => Reason::Quota,
        403 if rights(message).is_none() && message.contains("is forbidden: ") => Reason::AdmissionDenied,
        403 => Reason::Forbidden,
        404 if is_namespace_of_another(status, object) => Reason::NamespaceMissing,
        404 if name_in(status).is_empty() => Reason::NotServed,
        404 => Reason::NotFound,
        409 if status.is_already_exists() => Reason::Exists,
        410 => Reason::Gone,
        422 if causes.clone().any(is_immutable) => Reason::Immutable,
        422 => Reason::Invalid,
        429 | 503 | 504 => Reason::Busy,
        _ => Reason::Other,
    }
}

/// A 404 that names the namespace, for an object that is no namespace.
fn is_namespace_of_another(status: &Status, object: Option<&ObjectId>) -> bool {
    status.details.as_ref().is_some_and(|details| details.kind == "namespaces" && details.group.is_empty())
        && object.is_none_or(|object| object.kind != "Namespace")
}

fn is_immutable(cause: &StatusCause) -> bool {
    let message = &cause.message;
    message.contains("immutable")
        || message.contains("may not change once set")
        || message.contains("cannot be changed")
        || (message.starts_with("Forbidden: ") && message.contains("updates to "))
}

/// The causes as findings; of a Secret only the rule is told, never the value.
fn fields_of(status: &Status, confidential: bool) -> Vec<FieldFinding> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes
        .filter(|cause| cause.reason.starts_with("FieldValue") && !cause.field.is_empty())
        .map(|cause| FieldFinding::new(FieldPath::parse(&cause.field), rule(&cause.message, confidential)))
        .collect()
}

/// `Invalid value: {"matchLabels":{..}}: field is immutable` without the value, unless that is short and public.
fn rule(message: &str, confidential: bool) -> String {
    let Some((kind, rest)) = message.split_once(": ") else { return first_line(message) };
    if !matches!(kind, "Invalid value" | "Unsupported value" | "Duplicate value" | "Not found" | "Too long") {
        return first_line(rest);
    }
    match value_length(rest) {
        Some(length) if confidential || length > LONGEST_VALUE_SHOWN => first_line(&rest[length + 2..]),
        None if confidential || rest.len() > LONGEST_VALUE_SHOWN => kind.to_lowercase(),
        _ => first_line(&format!("{}{}", kind.to_lowercase(), &message[kind.len()..])),
    }
}

const LONGEST_VALUE_SHOWN: usize = 40;

/// Bytes of the value before the `: ` that ends it, brackets and quotes minded; none where nothing follows it.
fn value_length(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_i32, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth -= 1,
            ':' if depth <= 0 && text[at..].starts_with(": ") => return Some(at),
            _ => {}
        }
    }
    None
}

/// What a missing right is about, out of the authorizer's sentence.
#[derive(Debug, PartialEq)]
struct Rights<'t> {
    user: &'t str,
    verb: &'t str,
    resource: &'t str,
    group: &'t str,
    /// None at the cluster scope.
    namespace: Option<&'t str>,
}

/// `User "ci" cannot patch resource "deployments" in API group "apps" in the namespace "demo"`
fn rights(message: &str) -> Option<Rights<'_>> {
    let (_, rest) = message.split_once("User \"")?;
    let (user, rest) = rest.split_once("\" cannot ")?;
    let (verb, rest) = rest.split_once(" resource \"")?;
    let (resource, rest) = rest.split_once("\" in API group \"")?;
    let (group, rest) = rest.split_once('"')?;
    let namespace = rest.split_once("in the namespace \"").and_then(|(_, rest)| rest.split_once('"')).map(|(n, _)| n);
    Some(Rights { user, verb, resource, group, namespace })
}

fn forbidden(message: &str, subject: &str) -> String {
    match rights(message) {
        Some(Rights { user, verb, resource, namespace, .. }) => {
            let place = namespace.map_or("in the cluster".to_owned(), |name| format!("in namespace `{name}`"));
            format!("{subject}: `{user}` may not {verb} {resource} {place}")
        }
        None => format!("{subject}: {}", after_forbidden(message)),
    }
}

fn hints(reason: Reason, status: &Status, fields: &[FieldFinding]) -> Vec<String> {
    match reason {
        Reason::Unauthorized => vec!["log in again, or renew the token".to_owned()],
        Reason::Forbidden => rights(&status.message).map(role_rule).into_iter().collect(),
        Reason::NamespaceMissing => vec![format!("`kubectl create namespace {}`", name_in(status))],
        Reason::NamespaceTerminating => vec!["wait until the namespace is gone, then deploy again".to_owned()],
        Reason::Immutable => {
            let field = fields.first().map(|found| found.path.to_string()).unwrap_or_default();
            vec![format!("put `{field}` back as it is in the cluster, or delete the object yourself first")]
        }
        Reason::Invalid if status.message.contains("provided port is already allocated") => {
            let text = "another Service has this nodePort; where it is this one's old name, delete that Service first";
            vec![text.to_owned()]
        }
        _ => Vec::new(),
    }
}

/// The rule of a Role (or ClusterRole) that would do.
fn role_rule(rights: Rights<'_>) -> String {
    let Rights { user, verb, resource, group, namespace } = rights;
    let role = namespace.map_or("a ClusterRole".to_owned(), |name| format!("a Role in `{name}`"));
    format!("give `{user}` {role} with: {{apiGroups: [\"{group}\"], resources: [\"{resource}\"], verbs: [\"{verb}\"]}}")
}

/// `configmaps "c" is forbidden: exceeded quota: ..` from `exceeded quota` on.
fn after_forbidden(message: &str) -> String {
    first_line(message.split_once(" is forbidden: ").map_or(message, |(_, rest)| rest))
}

/// The name of what was not found.
fn name_in(status: &Status) -> &str {
    status.details.as_ref().map_or("", |details| details.name.as_str())
}

pub(super) fn is_confidential(object: Option<&ObjectId>) -> bool {
    object.is_some_and(|object| object.group.is_empty() && object.kind == "Secret")
}

/// Lower case at the start as all our texts, and no more than a line of it.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim_end_matches('.');
    line.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Explain;

    fn id(kind: &str, name: &str) -> ObjectId {
        ObjectId { group: String::new(), kind: kind.to_owned(), namespace: None, name: name.to_owned() }
    }

    fn explained(object: &ObjectId, status: serde_json::Value) -> ClusterError {
        let status: Status = serde_json::from_value(status).unwrap();
        refused(&status, About { object: Some(object), server: "https://k8s", origin: "KUBECONFIG" })
    }

    fn cause(message: &str, field: &str) -> serde_json::Value {
        let causes = json!([{"reason": "FieldValueInvalid", "message": message, "field": field}]);
        json!({"code": 422, "reason": "Invalid", "message": "web is invalid", "details": {"name": "web", "causes": causes}})
    }

    fn assert_explained(rows: &[(serde_json::Value, Reason, &str)]) {
        for (status, reason, text) in rows {
            let error = explained(&id("Deployment", "web"), status.clone());
            assert_eq!((error.reason(), error.to_string().as_str()), (Some(*reason), *text));
        }
    }

    #[test]
    fn statuses_as_the_server_writes_them() {
        let rows = [
            (
                json!({"code": 403, "reason": "Forbidden", "message": "deployments.apps \"web\" is forbidden: User \"ci\" cannot patch resource \"deployments\" in API group \"apps\" in the namespace \"demo\""}),
                Reason::Forbidden,
                "deployment/web: `ci` may not patch deployments in namespace `demo`",
            ),
            (
                json!({"code": 403, "reason": "Forbidden", "message": "configmaps \"c\" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=1, limited: configmaps=1"}),
                Reason::Quota,
                "deployment/web: exceeded quota: q, requested: configmaps=1, used: configmaps=1, limited: configmaps=1",
            ),
            (
                json!({"code": 404, "reason": "NotFound", "message": "namespaces \"nope\" not found", "details": {"name": "nope", "kind": "namespaces"}}),
                Reason::NamespaceMissing,
                "deployment/web: namespace `nope` does not exist",
            ),
            (
                json!({"code": 404, "reason": "NotFound", "message": "deployments.apps \"web\" not found", "details": {"name": "web", "group": "apps", "kind": "deployments"}}),
                Reason::NotFound,
                "deployment/web does not exist",
            ),
            (
                cause(
                    "Invalid value: {\"matchLabels\":{\"app\":\"b\"}, \"matchExpressions\": []}: field is immutable",
                    "spec.selector",
                ),
                Reason::Immutable,
                "deployment/web: `spec.selector`: field is immutable",
            ),
            (
                cause("Invalid value: 99999: must be between 1 and 65535, inclusive", "spec.ports[0].port"),
                Reason::Invalid,
                "deployment/web: `spec.ports[0].port`: invalid value: 99999: must be between 1 and 65535, inclusive",
            ),
            (
                json!({"code": 404, "reason": "NotFound", "message": "the server could not find the requested resource", "details": {}}),
                Reason::NotServed,
                "deployment/web: the server could not find the requested resource",
            ),
            (
                json!({"code": 401, "reason": "Unauthorized", "message": "Unauthorized"}),
                Reason::Unauthorized,
                "https://k8s does not accept the login from KUBECONFIG",
            ),
        ];
        assert_explained(&rows);
    }

    #[test]
    fn what_stands_before_the_server_is_told_apart() {
        let rows = [
            (
                json!({"code": 400, "reason": "BadRequest", "message": "admission webhook \"deny.example.com\" denied the request: no"}),
                Reason::AdmissionDenied,
                "deployment/web: admission webhook \"deny.example.com\" denied the request: no",
            ),
            (
                json!({"code": 403, "reason": "Forbidden", "message": "pods \"web\" is forbidden: violates PodSecurity \"restricted:latest\": privileged"}),
                Reason::AdmissionDenied,
                "deployment/web: violates PodSecurity \"restricted:latest\": privileged",
            ),
            (
                json!({"code": 500, "reason": "InternalError", "message": "Internal error occurred: failed calling webhook \"x\": timeout"}),
                Reason::AdmissionFailed,
                "deployment/web: Internal error occurred: failed calling webhook \"x\": timeout",
            ),
        ];
        assert_explained(&rows);
    }

    #[test]
    fn a_missing_right_tells_the_rule() {
        let status = json!({"code": 403, "reason": "Forbidden", "message": "nodes is forbidden: User \"ci\" cannot list resource \"nodes\" in API group \"\" at the cluster scope"});
        let hints = explained(&id("Node", "n"), status).hints();
        assert_eq!(
            hints,
            ["give `ci` a ClusterRole with: {apiGroups: [\"\"], resources: [\"nodes\"], verbs: [\"list\"]}"]
        );
    }

    #[test]
    fn a_secret_is_refused_without_its_values() {
        for message in
            ["Invalid value: \"hunter2\": must be shorter", "Invalid value: \"hunter2: a\"", "Invalid value: hunter2"]
        {
            let error = explained(&id("Secret", "s"), cause(message, "data[a]"));
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let status = json!({"code": 500, "message": "failed to convert: hunter2"});
        assert!(!explained(&id("Secret", "s"), status).to_string().contains("hunter2"));
    }
}
