//! What a login must be allowed to do (RBAC).

use std::{collections::BTreeMap, fmt};

/// One verb on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// None: in the whole cluster.
    pub namespace: Option<String>,
    /// Empty for the core group.
    pub group: String,
    /// `deployments`
    pub resource: String,
    pub verb: &'static str,
}

/// `patch deployments`
impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)
    }
}

/// Resources with all the verbs on each: `create, patch configmaps; delete services`.
pub fn in_short(rights: &[Right]) -> String {
    let one = |((_, resource), verbs): ((&str, &str), Vec<&str>)| format!("{} {resource}", verbs.join(", "));
    by_resource(rights.iter()).into_iter().map(one).collect::<Vec<_>>().join("; ")
}

/// The smallest Role and ClusterRole that give these rights, each with its binding, as lines of YAML to paste.
pub fn roles(name: &str, user: &str, rights: &[Right]) -> Vec<String> {
    let mut places: Vec<Option<&str>> = rights.iter().map(|right| right.namespace.as_deref()).collect();
    places.sort_unstable();
    places.dedup();
    let mut lines = Vec::new();
    for place in places {
        let kind = if place.is_some() { "Role" } else { "ClusterRole" };
        let head = |kind: &str| {
            let mut lines = vec!["apiVersion: rbac.authorization.k8s.io/v1".to_owned(), format!("kind: {kind}")];
            lines.extend(["metadata:".to_owned(), format!("  name: {name}")]);
            lines.extend(place.map(|namespace| format!("  namespace: {namespace}")));
            lines
        };
        if !lines.is_empty() {
            lines.push("---".to_owned());
        }
        lines.extend(head(kind));
        lines.push("rules:".to_owned());
        let here = rights.iter().filter(|right| right.namespace.as_deref() == place);
        for ((group, resource), verbs) in by_resource(here) {
            let group = if group.is_empty() { "\"\"" } else { group };
            lines.push(format!("  - apiGroups: [{group}]"));
            lines.push(format!("    resources: [{resource}]"));
            lines.push(format!("    verbs: [{}]", verbs.join(", ")));
        }
        lines.push("---".to_owned());
        lines.extend(head(&format!("{kind}Binding")));
        let role = ["roleRef:", "  apiGroup: rbac.authorization.k8s.io"].map(str::to_owned);
        lines.extend(role.into_iter().chain([format!("  kind: {kind}"), format!("  name: {name}")]));
        lines.extend(subject(user));
    }
    lines
}

fn subject(user: &str) -> Vec<String> {
    let account = user.strip_prefix("system:serviceaccount:").and_then(|account| account.split_once(':'));
    let lines = match account {
        Some((namespace, name)) => {
            vec![
                "  - kind: ServiceAccount".to_owned(),
                format!("    name: {name}"),
                format!("    namespace: {namespace}"),
            ]
        }
        None => vec![
            "  - kind: User".to_owned(),
            format!("    name: {user:?}"),
            "    apiGroup: rbac.authorization.k8s.io".to_owned(),
        ],
    };
    std::iter::once("subjects:".to_owned()).chain(lines).collect()
}

fn by_resource<'r>(rights: impl Iterator<Item = &'r Right>) -> BTreeMap<(&'r str, &'r str), Vec<&'r str>> {
    let mut found: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for right in rights {
        let verbs = found.entry((&right.group, &right.resource)).or_default();
        if !verbs.contains(&right.verb) {
            verbs.push(right.verb);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(namespace: Option<&str>, group: &str, resource: &str, verb: &'static str) -> Right {
        Right { namespace: namespace.map(str::to_owned), group: group.into(), resource: resource.into(), verb }
    }

    #[test]
    fn rights_are_told_by_resource() {
        let rights = [
            right(Some("demo"), "", "configmaps", "create"),
            right(Some("demo"), "", "configmaps", "patch"),
            right(Some("demo"), "apps", "deployments", "watch"),
        ];
        assert_eq!(in_short(&rights), "create, patch configmaps; watch deployments");
        let expected = "apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: shipway-demo
  namespace: demo
rules:
  - apiGroups: [\"\"]
    resources: [configmaps]
    verbs: [create, patch]
  - apiGroups: [apps]
    resources: [deployments]
    verbs: [watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: shipway-demo
  namespace: demo
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: shipway-demo
subjects:
  - kind: ServiceAccount
    name: deployer
    namespace: ci";
        assert_eq!(roles("shipway-demo", "system:serviceaccount:ci:deployer", &rights).join("\n"), expected);
    }

    #[test]
    fn rights_over_the_cluster_need_a_role_of_the_cluster() {
        let lines = roles("shipway-demo", "alice", &[right(None, "", "nodes", "get")]);
        assert_eq!(lines[1], "kind: ClusterRole");
        assert!(!lines.iter().any(|line| line.contains("namespace")));
        assert!(lines.contains(&"    name: \"alice\"".to_owned()));
    }
}
