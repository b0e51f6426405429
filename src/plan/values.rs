//! What `${shipway.NAME}` in the manifests stands for.

use crate::model::Target;

use super::slug;

/// Names and values; none where this target has no such thing, a branch say.
pub(crate) fn values(target: &Target) -> Vec<(&'static str, Option<String>)> {
    let branch = target.branch.as_ref().or(target.git_tag.as_ref());
    vec![
        ("env", Some(target.environment.value.clone())),
        ("namespace", Some(target.namespace.value.clone())),
        ("branch_slug", branch.and_then(|branch| slug::slug(&branch.value, slug::LONGEST))),
        ("tag", Some(target.tag.value.clone())),
        ("commit", target.commit.as_ref().map(|commit| commit.sha.clone())),
    ]
}
