//! Hooks: what is applied, and waited for, at a moment of the deploy. shipway's own annotation stands before Argo CD's,
//! and that before Helm's, as Argo CD itself has it.

use serde_json::Value;

use crate::model::{FieldPath, HookRules, Object, Stage};

const PHASE: &str = "shipway.dev/phase";
const ARGO_HOOK: &str = "argocd.argoproj.io/hook";
const ARGO_WAVE: &str = "argocd.argoproj.io/sync-wave";
const ARGO_DELETE: &str = "argocd.argoproj.io/hook-delete-policy";
const HELM_HOOK: &str = "helm.sh/hook";
const HELM_WEIGHT: &str = "helm.sh/hook-weight";
const HELM_DELETE: &str = "helm.sh/hook-delete-policy";

/// What an object's annotations make of it.
#[derive(Debug, PartialEq)]
pub(super) enum Part {
    /// Nothing is said: its kind decides.
    Usual,
    Hook(Stage, HookRules),
    /// It has no moment in this deploy; the text says which it has.
    PassedOver(String),
}

/// An annotation's value that means nothing.
#[derive(Debug, PartialEq)]
pub(super) struct Unknown {
    pub path: FieldPath,
    pub key: &'static str,
    pub value: String,
    pub known: &'static str,
}

/// What the object is in a deploy; `first` where no release of the app has succeeded yet in this environment.
pub(super) fn part(object: &Object, first: bool) -> Result<Part, Unknown> {
    let is_job = object.id.group == "batch" && object.id.kind == "Job";
    if let Some(phase) = own_phase(object).filter(|_| is_job) {
        return own(phase);
    }
    if let Some(hook) = annotation(object, ARGO_HOOK) {
        return argo(object, hook);
    }
    match annotation(object, HELM_HOOK) {
        Some(hook) => helm(object, hook, first),
        None => Ok(Part::Usual),
    }
}

/// A text with the place it was read from.
#[derive(Debug)]
struct Word<'o> {
    path: FieldPath,
    key: &'static str,
    text: &'o str,
}

impl<'o> Word<'o> {
    /// The parts between commas.
    fn parts(&self) -> impl Iterator<Item = &'o str> + use<'o> {
        self.text.split(',').map(str::trim).filter(|part| !part.is_empty())
    }

    fn unknown(&self, value: &str, known: &'static str) -> Unknown {
        Unknown { path: self.path.clone(), key: self.key, value: value.to_owned(), known }
    }
}

fn word<'o>(object: &'o Object, map: &str, key: &'static str) -> Option<Word<'o>> {
    let path = FieldPath::default().key("metadata").key(map).key(key);
    let text = path.find(&object.body).and_then(Value::as_str)?;
    Some(Word { path, key, text })
}

fn annotation<'o>(object: &'o Object, key: &'static str) -> Option<Word<'o>> {
    word(object, "annotations", key)
}

fn own_phase(object: &Object) -> Option<Word<'_>> {
    word(object, "labels", PHASE).or_else(|| annotation(object, PHASE))
}

fn own(phase: Word<'_>) -> Result<Part, Unknown> {
    let stage = match phase.text {
        "before" => Stage::Before,
        "after" => Stage::After,
        "on-failure" => Stage::OnFailure,
        other => return Err(phase.unknown(other, "before, after or on-failure")),
    };
    Ok(Part::Hook(stage, HookRules::default()))
}

/// <https://argo-cd.readthedocs.io/en/stable/user-guide/resource_hooks/>
fn argo(object: &Object, hook: Word<'_>) -> Result<Part, Unknown> {
    let mut stages = Vec::new();
    for moment in hook.parts() {
        stages.push(match moment {
            "PreSync" => Stage::Before,
            "Sync" => Stage::Workload,
            "PostSync" => Stage::After,
            "SyncFail" => Stage::OnFailure,
            "Skip" | "PreDelete" | "PostDelete" => continue,
            other => {
                return Err(hook.unknown(other, "PreSync, Sync, PostSync, SyncFail, Skip, PreDelete or PostDelete"));
            }
        });
    }
    let rules = HookRules {
        wave: number(annotation(object, ARGO_WAVE))?,
        delete_succeeded: has(annotation(object, ARGO_DELETE), "HookSucceeded"),
        delete_failed: has(annotation(object, ARGO_DELETE), "HookFailed"),
    };
    Ok(at_first(stages, rules, &hook))
}

/// <https://helm.sh/docs/topics/charts_hooks/>
fn helm(object: &Object, hook: Word<'_>, first: bool) -> Result<Part, Unknown> {
    let mut stages = Vec::new();
    for moment in hook.parts() {
        match (moment, first) {
            ("pre-install", true) | ("pre-upgrade", false) => stages.push(Stage::Before),
            ("post-install", true) | ("post-upgrade", false) => stages.push(Stage::After),
            ("pre-install" | "post-install" | "pre-upgrade" | "post-upgrade", _) => {}
            ("pre-delete" | "post-delete" | "pre-rollback" | "post-rollback" | "test" | "test-success", _) => {}
            // Helm 2's word for what Helm 3 reads from a folder
            ("crd-install", _) => stages.push(Stage::Foundation),
            (other, _) => {
                return Err(hook.unknown(
                    other,
                    "pre-install, post-install, pre-upgrade, post-upgrade, pre-rollback, post-rollback, pre-delete, \
                     post-delete or test",
                ));
            }
        }
    }
    let rules = HookRules {
        wave: number(annotation(object, HELM_WEIGHT))?,
        delete_succeeded: has(annotation(object, HELM_DELETE), "hook-succeeded"),
        delete_failed: has(annotation(object, HELM_DELETE), "hook-failed"),
    };
    Ok(at_first(stages, rules, &hook))
}

/// An object is applied once in a deploy: at the first of its moments.
fn at_first(stages: Vec<Stage>, rules: HookRules, hook: &Word<'_>) -> Part {
    match stages.into_iter().min() {
        Some(stage) => Part::Hook(stage, rules),
        None => Part::PassedOver(format!("{}: {}", hook.key, hook.text)),
    }
}

fn number(wave: Option<Word<'_>>) -> Result<i32, Unknown> {
    let Some(wave) = wave else { return Ok(0) };
    wave.text.trim().parse().map_err(|_| wave.unknown(wave.text, "a whole number in quotes"))
}

fn has(policy: Option<Word<'_>>, word: &str) -> bool {
    policy.is_some_and(|policy| policy.parts().any(|part| part == word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{ObjectId, Resource};

    fn object(kind: &str, annotations: Value) -> Object {
        let group = if kind == "Job" { "batch" } else { "" };
        let resource = Resource {
            group: group.to_owned(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            plural: String::new(),
            namespaced: true,
        };
        let id = ObjectId { group: group.to_owned(), kind: kind.to_owned(), namespace: None, name: "a".to_owned() };
        Object { id, resource, body: json!({"metadata": {"annotations": annotations}}), from: Vec::new() }
    }

    fn hook(stage: Stage, wave: i32, delete_succeeded: bool, delete_failed: bool) -> Part {
        Part::Hook(stage, HookRules { wave, delete_succeeded, delete_failed })
    }

    #[test]
    fn annotations_of_three_tools_say_when() {
        let passed = |text: &str| Part::PassedOver(text.to_owned());
        let rows = [
            ("Job", json!({}), Part::Usual, Part::Usual),
            (
                "Job",
                json!({PHASE: "before"}),
                hook(Stage::Before, 0, false, false),
                hook(Stage::Before, 0, false, false),
            ),
            ("ConfigMap", json!({PHASE: "before"}), Part::Usual, Part::Usual),
            (
                "Job",
                json!({ARGO_HOOK: "PreSync", ARGO_WAVE: "-2", ARGO_DELETE: "BeforeHookCreation,HookSucceeded"}),
                hook(Stage::Before, -2, true, false),
                hook(Stage::Before, -2, true, false),
            ),
            (
                "ConfigMap",
                json!({ARGO_HOOK: "Sync", HELM_HOOK: "pre-install"}),
                hook(Stage::Workload, 0, false, false),
                hook(Stage::Workload, 0, false, false),
            ),
            (
                "Job",
                json!({ARGO_HOOK: "SyncFail, PostSync", ARGO_DELETE: "HookFailed"}),
                hook(Stage::After, 0, false, true),
                hook(Stage::After, 0, false, true),
            ),
            (
                "Job",
                json!({ARGO_HOOK: "Skip"}),
                passed("argocd.argoproj.io/hook: Skip"),
                passed("argocd.argoproj.io/hook: Skip"),
            ),
            (
                "Job",
                json!({HELM_HOOK: "pre-install,pre-upgrade", HELM_WEIGHT: "5", HELM_DELETE: "hook-succeeded"}),
                hook(Stage::Before, 5, true, false),
                hook(Stage::Before, 5, true, false),
            ),
            (
                "Secret",
                json!({HELM_HOOK: "pre-install"}),
                hook(Stage::Before, 0, false, false),
                passed("helm.sh/hook: pre-install"),
            ),
            (
                "Job",
                json!({HELM_HOOK: "post-upgrade"}),
                passed("helm.sh/hook: post-upgrade"),
                hook(Stage::After, 0, false, false),
            ),
            ("Pod", json!({HELM_HOOK: "test"}), passed("helm.sh/hook: test"), passed("helm.sh/hook: test")),
        ];
        for (kind, annotations, at_first, later) in rows {
            let object = object(kind, annotations);
            assert_eq!(part(&object, true), Ok(at_first), "{:?}", object.body);
            assert_eq!(part(&object, false), Ok(later), "{:?}", object.body);
        }
    }

    #[test]
    fn a_value_that_means_nothing_is_told() {
        for (annotations, value) in [
            (json!({PHASE: "later"}), "later"),
            (json!({ARGO_HOOK: "PreSynk"}), "PreSynk"),
            (json!({HELM_HOOK: "pre-instal"}), "pre-instal"),
            (json!({HELM_HOOK: "pre-install", HELM_WEIGHT: "first"}), "first"),
        ] {
            let unknown = part(&object("Job", annotations), true).unwrap_err();
            assert_eq!(unknown.value, value, "{unknown:?}");
        }
    }
}
