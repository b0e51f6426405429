//! Images in every pod template: parsed as references, never replaced as text.

use std::collections::BTreeSet;

use super::{Manifests, RenderError, template};
use crate::model::{
    DocumentRef, FieldPath, Image, ImagePath, Note, Object, ObjectId, Reference, ReferenceError, Repository,
};

/// One place where a manifest names an image.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ImageUse {
    /// As it is written.
    pub text: String,
    pub reference: Result<Reference, ReferenceError>,
    pub object: ObjectId,
    pub path: FieldPath,
    /// With `path` the argument of [`Manifests::place`].
    pub from: Vec<DocumentRef>,
}

/// All images of the manifests: containers, init containers, ephemeral containers and image volumes of every pod
/// template, and what the configuration names beside them, in the order of the files.
pub(super) fn images(manifests: &Manifests, paths: &[ImagePath]) -> Vec<ImageUse> {
    manifests.objects().flat_map(|object| uses(&object, paths)).collect()
}

pub(super) fn uses(object: &Object, paths: &[ImagePath]) -> Vec<ImageUse> {
    let mut places: Vec<FieldPath> = Vec::new();
    for template in template::templates(object) {
        let containers = template::containers(&object.body, &template);
        let containers = containers.into_iter().map(|(path, _)| path.key("image"));
        let volumes = template::volumes(&object.body, &template);
        let volumes = volumes.into_iter().map(|(path, _)| path.key("image").key("reference"));
        places.extend(containers.chain(volumes));
    }
    for path in paths.iter().filter(|path| path.is_of(&object.id)).flat_map(|path| path.find(&object.body)) {
        if !places.contains(&path) {
            places.push(path);
        }
    }
    let found = places.into_iter().filter_map(|path| {
        let text = path.find(&object.body)?.as_str()?.to_owned();
        let reference = text.parse();
        Some(ImageUse { text, reference, object: object.id.clone(), path, from: object.from.clone() })
    });
    found.collect()
}

/// The repository of the app's own image: the only one that the manifests name without a tag or with `latest`.
pub(crate) fn app_image(manifests: &Manifests, paths: &[ImagePath]) -> Result<Repository, Vec<RenderError>> {
    let uses = images(manifests, paths);
    let faults: Vec<_> = uses.iter().filter_map(|of| fault(manifests, of)).collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    let floating = |of: &ImageUse| of.reference.as_ref().ok().filter(|r| r.is_floating()).map(|r| r.repository.clone());
    let mut repositories: Vec<Repository> =
        uses.iter().filter_map(floating).collect::<BTreeSet<_>>().into_iter().collect();
    match repositories.pop() {
        Some(only) if repositories.is_empty() => Ok(only),
        Some(last) => {
            repositories.push(last);
            Err(vec![RenderError::SeveralAppImages { repositories }])
        }
        None => Err(vec![RenderError::NoAppImage { found: texts(&uses) }]),
    }
}

/// Images whose name is nowhere in the manifests: told before anybody is asked for them. Whether the others are used a
/// release tells.
pub(crate) fn unused<'r>(
    manifests: &Manifests,
    repositories: impl Iterator<Item = &'r Repository>,
    paths: &[ImagePath],
) -> Vec<RenderError> {
    let name = |repository: &Repository| repository.path.rsplit('/').next().map(str::to_owned).unwrap_or_default();
    let unknown: Vec<&Repository> = repositories.filter(|of| !manifests.mention(&name(of))).collect();
    if unknown.is_empty() || manifests.lack_some() {
        return Vec::new();
    }
    let uses = images(manifests, paths);
    // one of these may be meant
    if uses.iter().any(|of| fault(manifests, of).is_some()) {
        return Vec::new();
    }
    let told =
        |repository: &Repository| RenderError::UnusedImage { repository: repository.clone(), found: texts(&uses) };
    unknown.into_iter().map(told).collect()
}

/// What the manifests name, each once.
pub(super) fn texts(uses: &[ImageUse]) -> Vec<String> {
    uses.iter().map(|of| of.text.clone()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Why an image cannot be deployed as it is written.
pub(super) fn fault(manifests: &Manifests, of: &ImageUse) -> Option<RenderError> {
    let place = || manifests.boxed_place(&of.from, &of.path);
    let object = of.object.clone().into();
    if is_placeholder(&of.text) {
        return Some(RenderError::Placeholder { object, text: of.text.clone(), place: place() });
    }
    let source = of.reference.as_ref().err()?.clone();
    Some(RenderError::Image { object, source, place: place() })
}

/// What scripts put into an image for `sed` to find.
fn is_placeholder(text: &str) -> bool {
    let tag = text.rsplit_once(':').map_or("", |(_, tag)| tag);
    text.contains(['{', '}', '$', '<', '>', '%'])
        || text.contains("@@")
        || (tag.starts_with("__") && tag.ends_with("__"))
}

/// Puts the app's images into an object, each as `repository:tag@digest`; answers with the repositories it found.
pub(super) fn substitute(
    object: &mut Object,
    (images, paths): (&[Image], &[ImagePath]),
    notes: &mut Vec<Note>,
) -> BTreeSet<Repository> {
    let mut found = BTreeSet::new();
    for of in uses(object, paths) {
        let Ok(written) = &of.reference else { continue };
        let Some(image) = images.iter().find(|image| image.reference.repository == written.repository) else {
            continue;
        };
        if let Some(pinned) = &written.digest {
            let text = format!("{}: the digest {} in the manifest is replaced", object.id, pinned.short());
            notes.push(Note::attention("image", text));
        }
        if let Some(value) = of.path.find_mut(&mut object.body) {
            *value = image.reference.to_string().into();
        }
        found.insert(written.repository.clone());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Explain, Layers, SourceText},
        render::read,
    };

    fn manifests(documents: &[&str]) -> Manifests {
        let text = SourceText { name: "k/a.yaml".into(), text: documents.join("\n---\n").into() };
        read(&Layers { base: vec![text], overlay: Vec::new() }).unwrap_or_else(|errors| panic!("{errors:?}"))
    }

    fn deployment(image: &str) -> String {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  template:\n    spec:\n      \
             containers:\n      - name: web\n        image: {image}"
        )
    }

    #[test]
    fn images_are_found_in_every_pod_template() {
        let manifests = manifests(&[
            "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{image: a}],
              initContainers: [{image: b}], ephemeralContainers: [{image: c}],
              volumes: [{name: v, image: {reference: d}}]}}",
            "{apiVersion: batch/v1, kind: CronJob, metadata: {name: a},
              spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: e}]}}}}}}",
            "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: a},
              spec: {template: {spec: {containers: [{image: f}]}}}}",
            "{apiVersion: ray.io/v1, kind: RayCluster, metadata: {name: a},
              spec: {workerGroupSpecs: [{template: {spec: {containers: [{image: g}]}}}]}}",
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {image: h}}",
        ]);
        let found: Vec<_> = images(&manifests, &[]).iter().map(|of| of.text.clone()).collect();
        assert_eq!(found, ["a", "b", "c", "d", "e", "f", "g"]);
        let uses = images(&manifests, &[]);
        assert_eq!(uses[5].path.to_string(), "spec.template.spec.containers[0].image");
        assert_eq!(manifests.place(&uses[3].from, &uses[3].path).unwrap().line, 3);
    }

    #[test]
    fn other_places_are_those_that_are_named() {
        let workflow = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: a}\nspec:\n  templates:\n  \
             - container: {image: team/app}\n  - script: {image: python}\n";
        let paths = ["spec.templates[].container", "spec.templates[].container.image", "spec.templates[].script"]
            .map(|path| ImagePath::new("Workflow.argoproj.io", path).unwrap());
        let manifests = manifests(&[workflow]);
        let texts = |paths| images(&manifests, paths).iter().map(|of| of.text.clone()).collect::<Vec<_>>();
        assert_eq!(texts(&[]), [""; 0]);
        assert_eq!(texts(&paths[..2]), ["team/app"]);
        assert_eq!(texts(&paths), ["team/app", "python"]);
        assert_eq!(app_image(&manifests, &paths[..1]).unwrap().to_string(), "team/app");
        let mut object = manifests.objects().next().unwrap();
        let image = Image { reference: "team/app:v1".parse().unwrap(), platforms: Vec::new() };
        let used = substitute(&mut object, (&[image], &paths), &mut Vec::new());
        assert_eq!(used.len(), 1);
        assert_eq!(object.body["spec"]["templates"][0]["container"]["image"], "team/app:v1");
    }

    #[test]
    fn the_app_image_is_the_only_one_that_floats() {
        for (images, expected) in [
            (&["registry.example.com/team/app:latest", "busybox:1.36"][..], Ok("registry.example.com/team/app")),
            (&["team/app", "docker.io/team/app:latest"], Ok("team/app")),
            (&["busybox:1.36", "team/app:v1"], Err("write in shipway.yaml which one is built")),
            (&["team/app", "team/other:latest"], Err("`images: [{name: team/app}]`")),
        ] {
            let texts: Vec<_> = images
                .iter()
                .enumerate()
                .map(|(n, image)| deployment(image).replace("name: web}", &format!("name: w{n}}}")))
                .collect();
            let texts: Vec<_> = texts.iter().map(String::as_str).collect();
            match (app_image(&manifests(&texts), &[]), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.to_string(), expected),
                (Err(errors), Err(hint)) => assert!(errors[0].hints()[0].contains(hint), "{:?}", errors[0].hints()),
                (found, expected) => panic!("{images:?}: {found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn placeholders_are_refused_with_what_to_write() {
        for (image, said, hint) in [
            ("'registry.example.com/team/app:{TAG}'", "placeholder", "`image: registry.example.com/team/app`"),
            ("team/app:$IMAGE", "placeholder", "`image: team/app`"),
            ("team/app:__VERSION__", "placeholder", "`image: team/app`"),
            ("$IMAGE", "placeholder", "`image: registry.example.com/team/app`"),
            ("'{{ .Values.image }}:latest'", "placeholder", "shipway puts in the tag"),
            ("team/App:latest", "cannot be read", ""),
        ] {
            let errors = app_image(&manifests(&[&deployment(image)]), &[]).unwrap_err();
            let [error] = &errors[..] else { panic!("{errors:?}") };
            assert!(error.to_string().contains(said), "{error}");
            assert!(error.hints().join("").contains(hint), "{:?}", error.hints());
            assert_eq!(error.place().unwrap().to_string(), "k/a.yaml:9:9");
        }
    }
}
