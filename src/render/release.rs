//! The objects of a release: images, namespace, labels, colour, configuration hash and stage, in the order of a deploy.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::{
    Manifests, RenderError,
    color::{self, Colors},
    configuration::{Configuration, encode_string_data, is_configuration, sha256_hex},
    hooks, images, jobs,
    scope::{self, Scope},
    template,
    versions::Versions,
};
use crate::{
    kinds,
    model::{
        Allow, BlueGreen, Change, DocumentRef, FieldPath, HookRules, Image, ImagePath, JobRun, Note, Object,
        ObjectChange, ObjectId, PathStep, Release, Rendered, Repository, Stage, Target,
    },
    yaml,
};

/// What a release is made of beside target and manifests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rendering<'r> {
    /// The app's own images, as the registry has them.
    pub images: &'r [Image],
    pub blue_green: Option<&'r BlueGreen>,
    /// The colour to deploy to; none: the one that does not serve.
    pub color: Option<&'r str>,
    /// The selector of the Service as the cluster has it; none before the first deploy.
    pub live_selector: Option<&'r BTreeMap<String, String>>,
    pub allow: &'r Allow,
    /// Where images stand outside of pod templates.
    pub image_paths: &'r [ImagePath],
    /// ConfigMaps and Secrets of the app that are in the cluster and not among the manifests: they count in hashes.
    pub elsewhere: &'r [Object],
    /// The release's number, which Jobs are named by; none keeps their names.
    pub revision: Option<u64>,
    /// The Jobs of earlier releases, the newest first.
    pub runs: &'r [JobRun],
    /// True where the manifests come from another renderer: their objects bear a label that says so.
    pub given: bool,
    /// What the app's own manifests brought: it stays theirs, whatever else brings it too.
    pub own: &'r BTreeSet<ObjectId>,
    /// True where no release has succeeded yet: Helm's hooks tell an installation from an upgrade.
    pub is_first: bool,
}

/// A release, and what of the manifests is not part of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Prepared {
    pub release: Release,
    pub skipped: Vec<ObjectChange>,
    pub notes: Vec<Note>,
    /// The Jobs of this release.
    pub jobs: Vec<JobRun>,
}

const APP_LABEL: &str = "shipway.dev/app";
const ENVIRONMENT_LABEL: &str = "shipway.dev/env";
/// On what was applied from other manifests than the app's own: each of the two prunes its own.
pub(crate) const SOURCE_LABEL: &str = "shipway.dev/source";
pub(crate) const GIVEN: &str = "files";
const CONFIGURATION_ANNOTATION: &str = "shipway.dev/config";
const LARGEST_OBJECT: usize = 3 * 1024 * 1024;
/// To find the place of a fault costs reading its file again.
const MOST_ERRORS: usize = 50;

/// Makes the release.
///
/// # Errors
/// Every fault of every object, those of the manifests with them.
pub(crate) fn release(
    target: &Target,
    manifests: &Manifests,
    rendering: &Rendering<'_>,
) -> Result<Prepared, Vec<RenderError>> {
    worked(target, manifests, rendering).finish()
}

/// What [`release`] can make of manifests with faults: nothing to apply, but enough to be rehearsed.
pub(crate) fn sound(target: &Target, manifests: &Manifests, rendering: &Rendering<'_>) -> Vec<Rendered> {
    worked(target, manifests, rendering).objects
}

fn worked<'r>(target: &'r Target, manifests: &'r Manifests, rendering: &'r Rendering<'r>) -> Work<'r> {
    let mut work = Work::new(target, manifests, rendering);
    work.gather_configuration();
    for object in manifests.objects() {
        if let Err(error) = work.take(object) {
            work.errors.push(error);
        }
        if work.errors.len() >= MOST_ERRORS {
            break;
        }
    }
    work
}

struct Work<'r> {
    target: &'r Target,
    manifests: &'r Manifests,
    rendering: &'r Rendering<'r>,
    colors: Option<Colors<'r>>,
    configuration: Configuration,
    versions: Versions,
    objects: Vec<Rendered>,
    seen: HashMap<ObjectId, Vec<DocumentRef>>,
    used: BTreeSet<Repository>,
    colored: bool,
    skipped: Vec<ObjectChange>,
    notes: Vec<Note>,
    jobs: Vec<JobRun>,
    errors: Vec<RenderError>,
}

impl<'r> Work<'r> {
    fn new(target: &'r Target, manifests: &'r Manifests, rendering: &'r Rendering<'r>) -> Self {
        Self {
            target,
            manifests,
            rendering,
            colors: rendering.blue_green.map(|of| Colors::new(of, rendering.color, rendering.live_selector)),
            configuration: Configuration::default(),
            versions: Versions::default(),
            objects: Vec::new(),
            seen: HashMap::new(),
            used: BTreeSet::new(),
            colored: false,
            skipped: Vec::new(),
            notes: Vec::new(),
            jobs: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Pods may stand before what they use.
    fn gather_configuration(&mut self) {
        self.rendering.elsewhere.iter().for_each(|object| self.configuration.add(object));
        for mut object in self.manifests.objects().filter(is_configuration) {
            if scope::place_in(&mut object, self.target, self.rendering.allow, self.manifests).is_ok() {
                encode_string_data(&mut object);
                self.configuration.add(&object);
            }
        }
        if let Some(colors) = &self.colors {
            let place = |object: &mut Object| {
                encode_string_data(object);
                scope::place_in(object, self.target, self.rendering.allow, self.manifests).is_ok()
            };
            self.versions = Versions::gather(self.manifests, colors, self.target, place);
        }
    }

    fn take(&mut self, mut object: Object) -> Result<(), RenderError> {
        let (images, paths) = (self.rendering.images, self.rendering.image_paths);
        let faults =
            images::uses(&object, paths).iter().filter_map(|of| images::fault(self.manifests, of)).collect::<Vec<_>>();
        self.errors.extend(faults);
        self.used.append(&mut images::substitute(&mut object, (images, paths), &mut self.notes));
        if let Scope::PassedOver(remark) =
            scope::place_in(&mut object, self.target, self.rendering.allow, self.manifests)?
        {
            self.skip(object.id, remark);
            return Ok(());
        }
        if let Some(colors) = &self.colors {
            match colors.of(&object) {
                Some(color) if color != colors.target => {
                    let remark = colors.remark(color);
                    self.skip(object.id, remark);
                    return Ok(());
                }
                Some(_) => self.colored = true,
                None if colors.is_switched(&object) => colors.point(&mut object, self.manifests)?,
                None => color::refuse_placeholder(&object, self.manifests)?,
            }
        } else {
            color::refuse_placeholder(&object, self.manifests)?;
        }
        let (stage, hook) = match self.part(&object)? {
            hooks::Part::Usual => (stage_of_kind(&object), HookRules::default()),
            hooks::Part::Hook(stage, rules) => (stage, rules),
            hooks::Part::PassedOver(remark) => {
                self.skip(object.id, remark);
                return Ok(());
            }
        };
        self.refuse_twin(&object)?;
        self.stamp(&mut object)?;
        encode_string_data(&mut object);
        let colored = self.colors.as_ref().is_some_and(|colors| colors.of(&object).is_some());
        for object in self.versions.of(object, colored) {
            self.lay_to_rest(object, stage, hook)?;
        }
        Ok(())
    }

    fn lay_to_rest(&mut self, object: Object, stage: Stage, hook: HookRules) -> Result<(), RenderError> {
        let rendered = Rendered { hook, ..at_rest(object, stage) };
        let Some(rendered) = self.name_run(rendered) else { return Ok(()) };
        if rendered.json.len() > LARGEST_OBJECT {
            let place = self.manifests.boxed_place(&rendered.from, &FieldPath::default());
            return Err(RenderError::TooLarge { object: rendered.id.into(), size: rendered.json.len(), place });
        }
        self.objects.push(rendered);
        Ok(())
    }

    fn skip(&mut self, object: ObjectId, remark: String) {
        self.skipped.push(ObjectChange { object, change: Change::Skipped, fields: Vec::new(), remark: Some(remark) });
    }

    /// Two objects may have become one by the namespace that was filled in.
    fn refuse_twin(&mut self, object: &Object) -> Result<(), RenderError> {
        let Some(first) = self.seen.insert(object.id.clone(), object.from.clone()) else {
            return Ok(());
        };
        let place = |from: &[DocumentRef]| self.manifests.boxed_place(from, &FieldPath::default());
        Err(RenderError::Twice { object: object.id.clone().into(), first: place(&first), place: place(&object.from) })
    }

    /// Labels on the object and on the pods, never in a selector; the configuration's hash on pods that are rolled.
    fn stamp(&self, object: &mut Object) -> Result<(), RenderError> {
        let metadata = FieldPath::default().key("metadata");
        let label = metadata.key("labels").key(APP_LABEL);
        if let Some(app) = label.find(&object.body).and_then(Value::as_str).filter(|app| *app != self.target.app) {
            return Err(RenderError::OtherApp {
                object: object.id.clone().into(),
                app: app.to_owned(),
                place: self.manifests.boxed_place(&object.from, &label),
            });
        }
        let app = &self.target.app;
        set(&mut object.body, &metadata.key("labels"), APP_LABEL, app);
        set(&mut object.body, &metadata.key("labels"), ENVIRONMENT_LABEL, &self.target.environment.value);
        if self.rendering.given && !self.rendering.own.contains(&object.id) {
            set(&mut object.body, &metadata.key("labels"), SOURCE_LABEL, GIVEN);
        }
        for template in template::templates(object) {
            let metadata = template.key("metadata");
            set(&mut object.body, &metadata.key("labels"), APP_LABEL, app);
            if is_rolled(object)
                && let Some(hash) = self.configuration.hash(object, &template, self.target)
            {
                set(&mut object.body, &metadata.key("annotations"), CONFIGURATION_ANNOTATION, &hash);
            }
        }
        Ok(())
    }

    /// Gives a Job its name in this release; none where the same Job has run to its end before. What runs after a failure
    /// belongs to that one deploy.
    fn name_run(&mut self, rendered: Rendered) -> Option<Rendered> {
        let Some(revision) = self.rendering.revision.filter(|_| is_job(&rendered.id)) else { return Some(rendered) };
        let same = |run: &&JobRun| run.job == rendered.id.name && run.hash == rendered.hash;
        let earlier = self.rendering.runs.iter().filter(|_| rendered.stage != Stage::OnFailure).find(same).cloned();
        let new = || JobRun {
            job: rendered.id.name.clone(),
            name: jobs::name(&rendered.id.name, revision),
            namespace: None,
            hash: rendered.hash.clone(),
            done: false,
            failed: false,
        };
        let run = JobRun { namespace: rendered.id.namespace.clone(), ..earlier.unwrap_or_else(new) };
        self.jobs.push(run.clone());
        if run.done {
            self.skip(rendered.id, format!("has run already, as {}", run.name));
            return None;
        }
        Some(jobs::renamed(rendered, &run.name))
    }

    fn part(&self, object: &Object) -> Result<hooks::Part, RenderError> {
        hooks::part(object, self.rendering.is_first).map_err(|unknown| RenderError::Hook {
            object: object.id.clone().into(),
            annotation: format!("{}: {}", unknown.key, unknown.value),
            known: unknown.known,
            place: self.manifests.boxed_place(&object.from, &unknown.path),
        })
    }

    fn finish(mut self) -> Result<Prepared, Vec<RenderError>> {
        // what was not read to its end proves nothing
        if self.errors.is_empty() && !self.manifests.lack_some() {
            let found = || images::texts(&images::images(self.manifests, self.rendering.image_paths));
            let unused = self.rendering.images.iter().filter(|image| !self.used.contains(&image.reference.repository));
            self.errors.extend(unused.map(|image| RenderError::UnusedImage {
                repository: image.reference.repository.clone(),
                found: found(),
            }));
            if let Some(colors) = self.colors.as_ref().filter(|_| !self.colored) {
                let (label, color) = (colors.blue_green.label.clone(), colors.target.to_owned());
                self.errors.push(RenderError::NoColor { label, color });
            }
        }
        self.errors.extend_from_slice(self.manifests.faults());
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        // stable: within a wave of a stage the order of the files
        self.objects.sort_by_key(|object| (object.stage, object.hook.wave));
        let release = Release {
            target: self.target.clone(),
            images: self.rendering.images.to_vec(),
            objects: self.objects,
            color: self.colors.map(|colors| colors.target.to_owned()),
        };
        Ok(Prepared { release, skipped: self.skipped, notes: self.notes, jobs: self.jobs })
    }
}

/// Sets an entry of a map, which is made where it is not there yet.
fn set(body: &mut Value, map: &FieldPath, key: &str, value: &str) {
    let map = map.0.iter().try_fold(body, |at, step| match step {
        PathStep::Index(index) => at.get_mut(index),
        PathStep::Key(key) => Some(fields(at)?.entry(key).or_insert(Value::Null)),
    });
    if let Some(fields) = map.and_then(fields) {
        fields.insert(key.to_owned(), value.into());
    }
}

/// The fields of a mapping; what is none becomes an empty one.
fn fields(value: &mut Value) -> Option<&mut Map<String, Value>> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}

fn is_job(id: &ObjectId) -> bool {
    id.group == "batch" && id.kind == "Job"
}

/// True for what replaces its pods when the template changes. The template of a Job cannot change at all.
fn is_rolled(object: &Object) -> bool {
    match (object.id.group.as_str(), object.id.kind.as_str()) {
        ("apps", kind) => kind != "ReplicaSet",
        (group, kind) => kinds::find(group, kind).is_none(),
    }
}

/// A custom resource that runs pods is a workload; any other is configuration, which workloads may wait for.
fn stage_of_kind(object: &Object) -> Stage {
    match kinds::find(&object.id.group, &object.id.kind) {
        Some(kind) => kind.stage,
        None if template::templates(object).is_empty() => Stage::Configuration,
        None => Stage::Workload,
    }
}

/// The same object gives the same text, in whatever order its fields were written.
pub(super) fn at_rest(mut object: Object, stage: Stage) -> Rendered {
    object.body.sort_all_objects();
    let json = object.text();
    let (hash, hook) = (sha256_hex(&json), HookRules::default());
    Rendered { id: object.id, resource: object.resource, stage, hook, hash, json, from: object.from }
}

/// The manifests that would be applied, in their order, as `kubectl apply -f -` reads them. Without `secrets` the values
/// of Secrets are `***`, which no server takes for a value: it is not base64.
pub(crate) fn print(release: &Release, secrets: bool) -> String {
    let shown = |object: &Rendered| {
        let mut body = object.body();
        if !secrets && kinds::find(&object.id.group, &object.id.kind).is_some_and(|kind| kind.confidential) {
            body.get_mut("data")
                .and_then(Value::as_object_mut)
                .into_iter()
                .flatten()
                .for_each(|(_, v)| *v = "***".into());
        }
        body
    };
    let bodies: Vec<Value> = release.objects.iter().map(shown).collect();
    yaml::print(&bodies)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use serde_json::json;

    use super::*;
    use crate::{
        model::{Explain, Layers, Origin, SourceText, Sourced},
        render::read,
    };

    const WEB: &str = "# the web server
apiVersion: apps/v1
kind: Deployment
metadata:
  name: demo
  labels: {app: demo}
spec:
  replicas: 3
  selector:
    matchLabels: {app: demo}
  template:
    metadata:
      labels: {app: demo}
    spec:
      containers:
      - name: web
        image: registry.example.com/team/demo:latest
        envFrom:
        - configMapRef: {name: flags}
      - name: proxy
        image: envoy:1.31
";
    const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: demo}\nspec: {selector: {app: demo}}\n";
    const NAMESPACES: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: demo}\n---\n\
                              apiVersion: v1\nkind: Namespace\nmetadata: {name: demo-qa}\n";
    const FLAGS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: flags}\ndata: {CART: 'on'}\n";
    const BLUE: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: demo-blue}
spec:
  selector: {matchLabels: {app: demo, color: blue}}
  template:
    metadata: {labels: {app: demo, color: blue}}
    spec: {containers: [{name: web, image: registry.example.com/team/demo}]}
";
    const SWITCH: &str =
        "apiVersion: v1\nkind: Service\nmetadata: {name: demo-bg}\nspec: {selector: {app: demo, color: switch}}\n";
    const ALLOW: &Allow = &Allow { namespaces: Vec::new(), cluster_scoped: Vec::new() };

    fn target() -> Target {
        let namespace = Sourced::new("demo-qa".to_owned(), Origin::Default);
        Target { namespace, ..Target::sample("qa") }
    }

    fn manifests(texts: &[&str]) -> Manifests {
        let base = texts.iter().enumerate();
        let base = base.map(|(n, text)| SourceText { name: format!("k/{n}.yaml").into(), text: (*text).into() });
        read(&Layers { base: base.collect(), overlay: Vec::new() }).unwrap_or_else(|errors| panic!("{errors:?}"))
    }

    fn image() -> Image {
        let digest = format!("sha256:{}", "05ee9b3c".repeat(8));
        let text = format!("registry.example.com/team/demo:master-fc598063@{digest}");
        Image { reference: text.parse().unwrap(), platforms: Vec::new() }
    }

    fn rendering<'r>(images: &'r [Image]) -> Rendering<'r> {
        Rendering {
            images,
            blue_green: None,
            color: None,
            live_selector: None,
            allow: ALLOW,
            image_paths: &[],
            elsewhere: &[],
            revision: None,
            runs: &[],
            given: false,
            own: const { &BTreeSet::new() },
            is_first: true,
        }
    }

    fn prepared(texts: &[&str]) -> Prepared {
        release(&target(), &manifests(texts), &rendering(&[image()])).unwrap_or_else(|errors| panic!("{errors:?}"))
    }

    fn refused(texts: &[&str]) -> Vec<RenderError> {
        release(&target(), &manifests(texts), &rendering(&[image()])).map(|_| panic!("not refused")).unwrap_err()
    }

    fn names(prepared: &Prepared) -> Vec<String> {
        prepared.release.objects.iter().map(|object| object.id.to_string()).collect()
    }

    fn body(prepared: &Prepared, name: &str) -> Value {
        let object = prepared.release.objects.iter().find(|object| object.id.to_string() == name);
        object.unwrap_or_else(|| panic!("{name}: {:?}", names(prepared))).body()
    }

    #[test]
    fn a_release_is_stamped_filled_in_and_ordered() {
        let prepared = prepared(&[WEB, SERVICE, NAMESPACES, FLAGS]);
        assert_eq!(names(&prepared), ["namespace/demo-qa", "configmap/flags", "service/demo", "deployment/demo"]);
        let skipped: Vec<_> = prepared.skipped.iter().map(|s| (s.object.to_string(), s.remark.clone())).collect();
        assert_eq!(skipped, [("namespace/demo".to_owned(), Some("not the target's namespace".to_owned()))]);

        let web = body(&prepared, "deployment/demo");
        let containers = &web["spec"]["template"]["spec"]["containers"];
        assert_eq!(containers[0]["image"], image().reference.to_string());
        assert_eq!(containers[1]["image"], "envoy:1.31");
        assert_eq!(web["metadata"]["namespace"], "demo-qa");
        assert_eq!(
            web["metadata"]["labels"],
            json!({"app": "demo", "shipway.dev/app": "demo", "shipway.dev/env": "qa"})
        );
        assert_eq!(web["spec"]["template"]["metadata"]["labels"], json!({"app": "demo", "shipway.dev/app": "demo"}));
        assert_eq!(web["spec"]["selector"]["matchLabels"], json!({"app": "demo"}));
        assert_eq!(body(&prepared, "service/demo")["spec"]["selector"], json!({"app": "demo"}));
        assert_eq!(prepared.release.objects[3].id.namespace.as_deref(), Some("demo-qa"));
        assert_eq!(body(&prepared, "namespace/demo-qa")["metadata"].get("namespace"), None);
    }

    #[test]
    fn the_text_does_not_depend_on_the_order_of_fields() {
        let turned = "kind: Service\nspec: {selector: {app: demo}}\nmetadata: {name: demo}\napiVersion: v1\n";
        let hash = |service: &str| prepared(&[WEB, service]).release.objects[0].hash.clone();
        assert_eq!(hash(SERVICE), hash(turned));
        assert_ne!(hash(SERVICE), hash(&SERVICE.replace("app: demo", "app: demo2")));
    }

    #[test]
    fn a_changed_configuration_rolls_what_uses_it() {
        let hash = |texts: &[&str]| {
            let web = body(&prepared(texts), "deployment/demo");
            let annotations = &web["spec"]["template"]["metadata"]["annotations"];
            annotations.get(CONFIGURATION_ANNOTATION).and_then(Value::as_str).map(str::to_owned)
        };
        let first = hash(&[WEB, FLAGS]);
        assert_eq!(first.as_ref().map(String::len), Some(32));
        assert_eq!(hash(&[FLAGS, WEB]), first);
        assert_ne!(hash(&[WEB, &FLAGS.replace("'on'", "'off'")]), first);
        assert_eq!(hash(&[WEB, FLAGS, &FLAGS.replace("flags", "other")]), first);
        assert_eq!(hash(&[WEB]), None);
        assert_eq!(hash(&[WEB, &FLAGS.replace("flags", "other")]), None);
    }

    #[test]
    fn string_data_becomes_data() {
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: new, b: text}\ndata: {a: b2xk, c: eA==}\n";
        let secret = body(&prepared(&[WEB, secret]), "secret/s");
        let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        assert_eq!(secret["data"], json!({"a": encode("new"), "b": encode("text"), "c": "eA=="}));
        assert_eq!(secret.get("stringData"), None);
    }

    #[test]
    fn nothing_leaves_the_namespace() {
        let elsewhere = SERVICE.replace("name: demo}", "name: demo, namespace: other}");
        let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: demo}\n";
        for (text, line, hint) in [
            (elsewhere.as_str(), 3, "`allow: {namespaces: [other]}`"),
            (role, 2, "`allow: {cluster_scoped: [ClusterRole.rbac.authorization.k8s.io/demo]}`"),
        ] {
            let errors = refused(&[WEB, text]);
            assert!(errors[0].hints()[0].contains(hint), "{:?}", errors[0].hints());
            assert_eq!(errors[0].place().unwrap().line, line);
        }
        let (manifests, images) = (manifests(&[WEB, &elsewhere, role]), [image()]);
        for entry in ["ClusterRole.rbac.authorization.k8s.io", "ClusterRole.rbac.authorization.k8s.io/demo"] {
            let allow = Allow { namespaces: vec!["other".into()], cluster_scoped: vec![entry.into()] };
            let rendering = Rendering { allow: &allow, ..rendering(&images) };
            let prepared = release(&target(), &manifests, &rendering).unwrap();
            assert_eq!(names(&prepared), ["clusterrole/demo", "service/demo", "deployment/demo"]);
            assert_eq!(prepared.release.objects[1].id.namespace.as_deref(), Some("other"));
        }
    }

    #[test]
    fn faults_of_a_release_are_told() {
        let app = SERVICE.replace("name: demo}", "name: demo, labels: {shipway.dev/app: shop}}");
        let twin = SERVICE.replace("name: demo}", "name: demo, namespace: demo-qa}");
        let job = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: j\n  labels: {shipway.dev/phase: later}\n";
        for (texts, said, place) in [
            (&[WEB, &app][..], "another app: shipway.dev/app=shop", Some("k/1.yaml:3:33")),
            (&[WEB, SERVICE, &twin], "service/demo stands twice", Some("k/2.yaml:1:1")),
            (&[WEB, &FLAGS.replace("'on'", &"x".repeat(LARGEST_OBJECT))], "takes at most 3 MiB", Some("k/1.yaml:1:1")),
            (&[WEB, job], "`shipway.dev/phase: later` is not known", Some("k/1.yaml:5:12")),
            (&[SERVICE], "no manifest uses the image registry.example.com/team/demo", None),
            (
                &[&WEB.replace("latest", "'{TAG}'").replace("registry", "'registry").replace(":'{TAG}'", ":{TAG}'")],
                "has a placeholder",
                Some("k/0.yaml:17:9"),
            ),
        ] {
            let errors = refused(texts);
            let [error] = &errors[..] else { panic!("{errors:?}") };
            assert!(error.to_string().contains(said), "{error}");
            assert_eq!(error.place().map(|place| place.to_string()).as_deref(), place, "{error}");
        }
    }

    fn job(name: &str, phase: &str) -> String {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}, annotations: {{shipway.dev/phase: {phase}}}}}\n"
        )
    }

    #[test]
    fn a_job_goes_on_under_the_name_of_its_last_run_but_one_for_a_failure_is_new_each_time() {
        let texts = [WEB.to_owned(), job("migrate", "before"), job("tell", "on-failure")];
        let (manifests, images) = (manifests(&texts.each_ref().map(String::as_str)), [image()]);
        let made = |revision, runs: &[JobRun]| {
            let rendering = Rendering { revision: Some(revision), runs, ..rendering(&images) };
            release(&target(), &manifests, &rendering).unwrap()
        };
        let first = made(1, &[]);
        assert_eq!(names(&first), ["job/migrate-1", "deployment/demo", "job/tell-1"]);
        assert_eq!(names(&made(2, &first.jobs)), ["job/migrate-1", "deployment/demo", "job/tell-2"]);
        // an earlier record does not say where they run
        let unplaced: Vec<JobRun> =
            { first.jobs.iter() }.map(|run| JobRun { namespace: None, ..run.clone() }).collect();
        let placed = made(2, &unplaced);
        assert_eq!(names(&placed)[0], "job/migrate-1");
        assert!(placed.jobs.iter().all(|run| run.namespace.as_deref() == Some("demo-qa")), "{:?}", placed.jobs);
        let done: Vec<JobRun> = first.jobs.into_iter().map(|run| JobRun { done: true, ..run }).collect();
        assert_eq!(names(&made(3, &done)), ["deployment/demo", "job/tell-3"]);
    }

    #[test]
    fn hooks_have_their_stage() {
        let texts = [job("z", "after"), WEB.to_owned(), job("a", "before"), job("m", "on-failure"), SERVICE.to_owned()];
        let prepared = prepared(&texts.each_ref().map(String::as_str));
        assert_eq!(names(&prepared), ["service/demo", "job/a", "deployment/demo", "job/z", "job/m"]);
    }

    #[test]
    fn helm_hooks_are_of_an_installation_or_an_upgrade_and_run_by_weight() {
        let hook = |kind: &str, name: &str, moment: &str, weight: i32| {
            let version = if kind == "Job" { "batch/v1" } else { "v1" };
            format!(
                "apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n  annotations: {{helm.sh/hook: '{moment}', \
                 helm.sh/hook-weight: '{weight}'}}\n"
            )
        };
        let texts = [
            hook("Job", "migrate", "pre-install,pre-upgrade", 5),
            hook("ConfigMap", "scripts", "pre-install,pre-upgrade", -5),
            hook("Secret", "once", "pre-install", 0),
            hook("Pod", "check", "test", 0),
            WEB.to_owned(),
        ];
        let (manifests, images) = (manifests(&texts.each_ref().map(String::as_str)), [image()]);
        let made = |is_first| {
            let rendering = Rendering { is_first, ..rendering(&images) };
            let prepared = release(&target(), &manifests, &rendering).unwrap();
            let skipped: Vec<String> = prepared.skipped.iter().map(|skipped| skipped.object.to_string()).collect();
            (names(&prepared), skipped)
        };
        let first = ["configmap/scripts", "secret/once", "job/migrate", "deployment/demo"].map(str::to_owned).to_vec();
        assert_eq!(made(true), (first, vec!["pod/check".to_owned()]));
        let later = ["configmap/scripts", "job/migrate", "deployment/demo"].map(str::to_owned).to_vec();
        assert_eq!(made(false), (later, vec!["secret/once".to_owned(), "pod/check".to_owned()]));
    }

    #[test]
    fn a_pinned_digest_is_replaced_with_a_word() {
        let digest = format!("demo@sha256:{}", "9c1f0d2e".repeat(8));
        let prepared = prepared(&[&WEB.replace("demo:latest", &digest)]);
        assert_eq!(prepared.notes[0].text, "deployment/demo: the digest 9c1f0d2e in the manifest is replaced");
    }

    #[test]
    fn a_deploy_goes_to_one_colour_and_leaves_the_traffic() {
        let blue_green =
            BlueGreen { service: "demo-bg".into(), label: "color".into(), colors: ["blue".into(), "green".into()] };
        let green = BLUE.replace("blue", "green");
        let (manifests, images) = (manifests(&[BLUE, &green, SWITCH, SERVICE]), [image()]);
        for (live, asked, deployed, selector, remark) in [
            (None, None, "blue", "blue", "this deploy goes to blue"),
            (Some("blue"), None, "green", "blue", "serves"),
            (Some("green"), None, "blue", "green", "serves"),
            (Some("green"), Some("green"), "green", "green", "this deploy goes to green"),
        ] {
            let live = live.map(|color: &str| {
                BTreeMap::from([("app".to_owned(), "demo".to_owned()), ("color".to_owned(), color.to_owned())])
            });
            let rendering = Rendering {
                blue_green: Some(&blue_green),
                color: asked,
                live_selector: live.as_ref(),
                ..rendering(&images)
            };
            let prepared = release(&target(), &manifests, &rendering).unwrap();
            let expected =
                ["service/demo-bg".to_owned(), "service/demo".to_owned(), format!("deployment/demo-{deployed}")];
            assert_eq!(names(&prepared), expected);
            assert_eq!(prepared.release.color.as_deref(), Some(deployed));
            let service = body(&prepared, "service/demo-bg");
            assert_eq!(service["spec"]["selector"], json!({"app": "demo", "color": selector}));
            assert_eq!(prepared.skipped[0].remark.as_deref(), Some(remark));
        }
    }

    #[test]
    fn a_colour_keeps_its_configuration() {
        let blue_green =
            BlueGreen { service: "demo-bg".into(), label: "color".into(), colors: ["blue".into(), "green".into()] };
        let images = [image()];
        let uses =
            "envFrom: [{configMapRef: {name: flags}}, {secretRef: {name: s}}, {secretRef: {name: elsewhere}}], name";
        let blue = BLUE.replace("{name: web", &format!("{{{uses}: web"));
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n";
        let ingress =
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i}\nspec: {tls: [{secretName: s}]}\n";
        let names_of = |texts: &[&str]| {
            let rendering = Rendering { blue_green: Some(&blue_green), color: Some("blue"), ..rendering(&images) };
            let prepared = release(&target(), &manifests(texts), &rendering).unwrap();
            let blue = body(&prepared, "deployment/demo-blue");
            let sources = blue["spec"]["template"]["spec"]["containers"][0]["envFrom"].clone();
            (names(&prepared), sources)
        };
        let (objects, sources) = names_of(&[&blue, SWITCH, FLAGS, secret]);
        let [flags, secret_name] = &objects[..2] else { panic!("{objects:?}") };
        assert!(flags.starts_with("configmap/flags-") && secret_name.starts_with("secret/s-"), "{objects:?}");
        assert_eq!(format!("configmap/{}", sources[0]["configMapRef"]["name"].as_str().unwrap()), *flags);
        assert_eq!(format!("secret/{}", sources[1]["secretRef"]["name"].as_str().unwrap()), *secret_name);
        assert_eq!(sources[2]["secretRef"]["name"], "elsewhere");

        let (changed, _) = names_of(&[&blue, SWITCH, &FLAGS.replace("'on'", "'off'"), secret]);
        assert!(changed[0] != *flags && changed[1] == *secret_name, "{changed:?}");
        let (labelled, _) =
            names_of(&[&blue, SWITCH, &FLAGS.replace("{name: flags}", "{name: flags, labels: {a: b}}"), secret]);
        assert_eq!(labelled[0], *flags);
        // what else names it goes on finding it
        let (shared, _) = names_of(&[&blue, SWITCH, FLAGS, secret, ingress]);
        assert!(shared.contains(&"secret/s".to_owned()) && shared.contains(secret_name), "{shared:?}");
        // nothing to keep: somebody else fills it, or no colour uses it
        let empty = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n";
        assert!(names_of(&[&blue, SWITCH, FLAGS, empty]).0.contains(&"secret/s".to_owned()));
        assert!(names_of(&[BLUE, SWITCH, FLAGS]).0.contains(&"configmap/flags".to_owned()));
    }

    #[test]
    fn a_colour_without_manifests_is_told() {
        let blue_green =
            BlueGreen { service: "demo".into(), label: "color".into(), colors: ["blue".into(), "green".into()] };
        let images = [image()];
        let refuse = |texts: &[&str], color| {
            let rendering = Rendering { blue_green: Some(&blue_green), color: Some(color), ..rendering(&images) };
            release(&target(), &manifests(texts), &rendering).map(|_| panic!("not refused")).unwrap_err()
        };
        assert!(matches!(refuse(&[BLUE], "green")[..], [RenderError::NoColor { .. }]));
        assert!(matches!(refuse(&[BLUE, SERVICE], "blue")[..], [RenderError::NoColorInSelector { .. }]));
    }

    #[test]
    fn a_placeholder_that_nobody_fills_in_is_refused() {
        let switched = |label: &str| {
            let selector = format!("spec: {{selector: {{app: demo, {label}: switch}}}}");
            let service = SERVICE.replace("spec: {selector: {app: demo}}", &selector);
            let images = [image()];
            release(&target(), &manifests(&[WEB, &service]), &rendering(&images)).unwrap_err()
        };
        for (label, hint) in [
            ("color", "write in shipway.yaml `blue_green: {service: demo}`"),
            ("slot", "write in shipway.yaml `blue_green: {service: demo, label: slot}`"),
        ] {
            let errors = switched(label);
            assert!(matches!(errors[..], [RenderError::ColorPlaceholder { .. }]), "{errors:?}");
            assert_eq!(errors[0].hints(), [hint]);
        }
    }

    #[test]
    fn what_is_printed_is_read_back() {
        let prepared = prepared(&[WEB, SERVICE, FLAGS]);
        let printed = SourceText { name: "-".into(), text: print(&prepared.release, true).into() };
        let read = yaml::documents(&printed).unwrap();
        let bodies: Vec<_> = prepared.release.objects.iter().map(Rendered::body).collect();
        assert_eq!(read.documents.into_iter().map(|document| document.value).collect::<Vec<_>>(), bodies);
        assert!(printed.text.contains("CART: \"on\""));
    }

    #[test]
    fn without_a_registry_the_tag_alone_is_written() {
        let image = Image { reference: "registry.example.com/team/demo:v1".parse().unwrap(), platforms: Vec::new() };
        let images = [image];
        let prepared = release(&target(), &manifests(&[WEB]), &rendering(&images)).unwrap();
        let web = body(&prepared, "deployment/demo");
        assert_eq!(web["spec"]["template"]["spec"]["containers"][0]["image"], "registry.example.com/team/demo:v1");
    }
}
