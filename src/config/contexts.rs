//! Environments that are deployed to several clusters.

use crate::model::{FieldPath, Sourced};

use super::{ConfigError, document::Document, file::EnvironmentFile};

/// The contexts of an environment, in their order; none where it has one cluster.
///
/// # Errors
/// `context` beside `contexts`, no name, or one name twice.
pub(super) fn read(
    document: &Document<'_>,
    environment: &FieldPath,
    written: &mut EnvironmentFile,
) -> Result<Vec<Sourced<String>>, ConfigError> {
    let Some(names) = written.contexts.take() else { return Ok(Vec::new()) };
    let path = environment.key("contexts");
    if written.context.is_some() {
        return Err(document.wrong(&path, "stands beside `context`", Some("keep one of the two".to_owned())));
    }
    if names.is_empty() {
        return Err(document.wrong(&path, "names no context", Some("write it as in `[east, west]`".to_owned())));
    }
    let mut contexts: Vec<Sourced<String>> = Vec::with_capacity(names.len());
    for (index, name) in names.into_iter().enumerate() {
        let place = path.index(index);
        if contexts.iter().any(|known| known.value == name) {
            return Err(document.wrong(&place, "stands twice", None));
        }
        contexts.push(Sourced::new(name, document.origin(&place)));
    }
    Ok(contexts)
}
