//! Nothing leaves the target's namespace unless `allow` lists it.

use super::{Manifests, RenderError};
use crate::model::{Allow, FieldPath, Object, Target};

pub(super) enum Scope {
    Inside,
    /// A Namespace of another environment, say.
    PassedOver(String),
}

/// Fills in the target's namespace where none is written, and decides whether the object may be touched.
pub(super) fn place_in(
    object: &mut Object,
    target: &Target,
    allow: &Allow,
    manifests: &Manifests,
) -> Result<Scope, RenderError> {
    if object.resource.namespaced {
        into_namespace(object, target, allow, manifests)
    } else {
        of_cluster(object, target, allow, manifests)
    }
}

fn into_namespace(
    object: &mut Object,
    target: &Target,
    allow: &Allow,
    manifests: &Manifests,
) -> Result<Scope, RenderError> {
    let ours = &target.namespace.value;
    match &object.id.namespace {
        Some(namespace) if namespace != ours && !allow.namespaces.contains(namespace) => {
            return Err(RenderError::OtherNamespace {
                object: object.id.clone().into(),
                namespace: namespace.clone(),
                target: ours.clone(),
                place: manifests.boxed_place(&object.from, &FieldPath::parse("metadata.namespace")),
            });
        }
        Some(_) => {}
        None => {
            object.id.namespace = Some(ours.clone());
            if let Some(metadata) = object.body.get_mut("metadata").and_then(|metadata| metadata.as_object_mut()) {
                metadata.insert("namespace".to_owned(), ours.clone().into());
            }
        }
    }
    Ok(Scope::Inside)
}

fn of_cluster(
    object: &mut Object,
    target: &Target,
    allow: &Allow,
    manifests: &Manifests,
) -> Result<Scope, RenderError> {
    // kubectl passes over a namespace that is written on such an object; the server would refuse it
    if let Some(metadata) = object.body.get_mut("metadata").and_then(|metadata| metadata.as_object_mut()) {
        metadata.shift_remove("namespace");
    }
    let id = &object.id;
    let all = if id.group.is_empty() { id.kind.clone() } else { format!("{}.{}", id.kind, id.group) };
    let one = format!("{all}/{}", id.name);
    if allow.cluster_scoped.iter().any(|entry| *entry == all || *entry == one) {
        return Ok(Scope::Inside);
    }
    let is_namespace = id.group.is_empty() && id.kind == "Namespace";
    match is_namespace {
        true if id.name == target.namespace.value => Ok(Scope::Inside),
        true => Ok(Scope::PassedOver("not the target's namespace".to_owned())),
        false => Err(RenderError::ClusterScoped {
            object: id.clone().into(),
            entry: one,
            target: target.namespace.value.clone(),
            place: manifests.boxed_place(&object.from, &FieldPath::parse("kind")),
        }),
    }
}
