//! From a field the server complains about to the line of the file it stands in.

use crate::{
    cluster::ClusterError,
    model::{FieldPath, Problem, Rendered},
    render::Manifests,
};

/// One problem a field, each with its place where the manifests have one.
pub(super) fn locate(manifests: &Manifests, object: &Rendered, error: ClusterError) -> Vec<Problem> {
    let findings: Vec<_> = error.fields().to_vec();
    let problem = Problem { object: Some(object.id.clone()), ..Problem::from(error) };
    let placed = |problem: Problem, path: &FieldPath| match manifests.place(&object.from, path) {
        Some(place) => problem.at(place),
        None => problem,
    };
    if findings.is_empty() {
        return vec![placed(problem, &FieldPath::default())];
    }
    findings
        .into_iter()
        .map(|finding| {
            let text = format!("{} `{}`", finding.text, finding.path);
            placed(Problem { text, ..problem.clone() }, &finding.path)
        })
        .collect()
}
