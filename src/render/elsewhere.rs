//! What pods use that is not among the manifests: a part of them was given (`-f`).

use std::collections::BTreeSet;

use super::{
    Manifests,
    configuration::{is_configuration, source_of, used},
    template,
};
use crate::model::{ObjectId, Target};

/// The ConfigMaps and Secrets that templates of the target's namespace name, and no manifest has.
pub(crate) fn configuration_elsewhere(manifests: &Manifests, target: &Target) -> Vec<ObjectId> {
    let ours = &target.namespace.value;
    let given: BTreeSet<_> = manifests
        .objects()
        .filter(is_configuration)
        .filter_map(|object| source_of(&object))
        .filter(|(namespace, ..)| namespace.as_ref().is_none_or(|namespace| namespace == ours))
        .map(|(_, kind, name)| (kind, name))
        .collect();
    let mut wanted = BTreeSet::new();
    for object in manifests.objects() {
        if object.id.namespace.as_ref().is_none_or(|namespace| namespace == ours) {
            for template in template::templates(&object) {
                wanted.extend(used(&object.body, &template));
            }
        }
    }
    let id = |(kind, name): &(&'static str, String)| ObjectId {
        group: String::new(),
        kind: (*kind).to_owned(),
        namespace: Some(ours.clone()),
        name: name.clone(),
    };
    wanted.difference(&given).map(id).collect()
}
