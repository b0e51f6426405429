//! A Job's name in a release: its template cannot be changed, so each release has one of its own.

use super::release::at_rest;
use crate::model::{FieldPath, Object, Rendered};

/// A Job's pods are labelled with its name, and a label's value has 63 characters at most.
const LONGEST: usize = 54;

/// `migrate-7`
pub(super) fn name(job: &str, revision: u64) -> String {
    let cut: String = job.chars().take(LONGEST).collect();
    format!("{}-{revision}", cut.trim_end_matches(['-', '.']))
}

pub(super) fn renamed(rendered: Rendered, name: &str) -> Rendered {
    let mut body = rendered.body();
    if let Some(place) = FieldPath::parse("metadata.name").find_mut(&mut body) {
        *place = name.into();
    }
    let mut id = rendered.id;
    name.clone_into(&mut id.name);
    let object = Object { id, resource: rendered.resource, body, from: rendered.from };
    Rendered { hook: rendered.hook, ..at_rest(object, rendered.stage) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_stay_names() {
        assert_eq!(name("migrate", 7), "migrate-7");
        let long = name(&format!("{}-tail", "a".repeat(53)), 123_456_789);
        assert_eq!(long, format!("{}-123456789", "a".repeat(53)));
        assert!(long.len() <= 63);
    }
}
