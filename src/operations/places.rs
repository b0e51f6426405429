//! From a field the server complains about, or an image that nothing uses, to the line of the file it stands in.
//! Where there are several, they are told in the order of the files.

use super::failure::Failure;
use crate::{
    cluster::ClusterError,
    config::ImageSettings,
    model::{Exit, FieldPath, Origin, Problem, Rendered},
    render::{Manifests, RenderError},
};

/// Faults of the manifests; what the configuration is to blame for gets its place there.
pub(super) fn of_rendering(errors: Vec<RenderError>, images: &[ImageSettings]) -> Failure {
    let named = |error: &RenderError| {
        let RenderError::UnusedImage { repository, .. } = error else { return None };
        let image = images.iter().find(|image| image.repository.value == *repository)?;
        match &image.repository.origin {
            Origin::File(place) => Some(place.clone()),
            _ => None,
        }
    };
    let placed = |error: RenderError| match named(&error) {
        Some(place) => Problem::from(error).at(place),
        None => Problem::from(error),
    };
    in_order(errors.into_iter().map(placed).collect())
}

/// By file, line and column; what has no place comes last. Faults of the manifests decide the exit code.
pub(super) fn in_order(mut problems: Vec<Problem>) -> Failure {
    let key = |problem: &Problem| {
        let place = problem.place.as_ref().map(|place| (place.file.clone(), place.line, place.column));
        (problem.exit != Exit::Input, place.is_none(), place)
    };
    problems.sort_by_cached_key(key);
    Failure(problems)
}

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
            let text = format!("{} `{}`", finding.text, manifests.as_written(&object.from, &finding.path));
            let problem = placed(Problem { text, ..problem.clone() }, &finding.path);
            match finding.nearest {
                Some(nearest) => problem.hint(format!("did you mean `{nearest}`?")),
                None => problem,
            }
        })
        .collect()
}
