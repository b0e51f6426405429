//! All that is known of each Kubernetes kind, a file each: its resource, when it is applied, where its pod template
//! stands, what it creates, and when it is ready.
//!
//! Adding a kind: its file, its name in `kinds!`, a folder of fixtures.

mod command;
mod container;
mod conventions;
mod creation;
pub(crate) mod event_time;
mod finding;
mod image_pull;
mod observation;
mod overwritten;
mod plain;
mod probe;
pub(crate) mod read;
mod removed;
mod slim;
mod status_rule;
mod workload;

use serde_json::Value;

use crate::model::{Reference, Resource, Stage};

pub(crate) use job::has_ended;
pub(crate) use observation::{Baseline, Judgement, Observation};
pub(crate) use persistent_volume_claim::stays_true;
pub(crate) use pod::{
    BEFORE_PULLING, advance, awaiting, begun, endings, image_ids, is_alive, is_ready, is_ready_unasked, last_run,
    may_be_killed_within, ready_since, reason, started_last, tells,
};
pub(crate) use removed::{Removed, removed};
pub(crate) use service::ready_endpoints;
pub(crate) use slim::slim;
pub(crate) use workload::wants_pods;

/// What is known of one kind.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Empty for the core group.
    pub group: &'static str,
    /// The version that current clusters prefer.
    pub version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    pub namespaced: bool,
    pub stage: Stage,
    /// The path of the pod template, which holds the pods' `metadata` and `spec`; the empty path for a Pod itself, none
    /// for kinds that run nothing.
    pub template: Option<&'static [&'static str]>,
    /// True where values of `data` must not be shown.
    pub confidential: bool,
    /// Group and kind of what the cluster creates for it and a judge must see.
    pub children: &'static [(&'static str, &'static str)],
    pub judge: fn(&Observation<'_>) -> Judgement,
}

impl Kind {
    /// The resource in its preferred version.
    pub(crate) fn resource(&self) -> Resource {
        self.resource_in(self.version)
    }

    /// The resource in the version that a manifest names.
    pub(crate) fn resource_in(&self, version: &str) -> Resource {
        Resource {
            group: self.group.to_owned(),
            version: version.to_owned(),
            kind: self.kind.to_owned(),
            plural: self.plural.to_owned(),
            namespaced: self.namespaced,
        }
    }
}

macro_rules! kinds {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        const JUDGED: &[&Kind] = &[$(&$name::KIND),*];
    };
}

kinds![
    cron_job,
    custom_resource_definition,
    daemon_set,
    deployment,
    horizontal_pod_autoscaler,
    http_route,
    ingress,
    job,
    namespace,
    persistent_volume_claim,
    pod,
    pod_disruption_budget,
    replica_set,
    replication_controller,
    service,
    stateful_set,
];

/// The built-in kind, in whatever version; none for custom resources.
pub(crate) fn find(group: &str, kind: &str) -> Option<&'static Kind> {
    JUDGED.iter().copied().chain(plain::KINDS).find(|known| known.kind == kind && known.group == group)
}

/// Judges what was seen of an object; custom resources by the configuration's rule, else by convention.
pub(crate) fn judge(observation: &Observation<'_>) -> Judgement {
    let id = &observation.applied.id;
    let judgement = match find(&id.group, &id.kind) {
        Some(kind) => (kind.judge)(observation),
        None => match observation.rules.status.iter().find(|rule| rule.kind.value.is_of(id)) {
            Some(rule) => status_rule::judge(observation, rule),
            None => conventions::judge(observation),
        },
    };
    judgement.with_a_hint()
}

/// The images that an object's pods are to run, each once; what is no reference is left out.
pub(crate) fn images(object: &Value) -> Vec<Reference> {
    let id = read::id(object);
    let path = find(&id.group, &id.kind).and_then(|kind| kind.template);
    let Some(template) = path.and_then(|path| read::at(object, path)) else { return Vec::new() };
    let mut images: Vec<Reference> = Vec::new();
    for list in ["initContainers", "containers"] {
        let named = read::list(template, &["spec", list]).iter();
        for image in named.filter_map(|container| read::text(container, &["image"]).parse().ok()) {
            if !images.contains(&image) {
                images.push(image);
            }
        }
    }
    images
}

/// True where applied is ready: there is nothing to watch.
pub(crate) fn is_plain(group: &str, kind: &str) -> bool {
    plain::KINDS.iter().any(|known| known.kind == kind && known.group == group)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeSet, HashMap},
        fs,
        path::{Path, PathBuf},
    };

    use super::*;
    use crate::{
        model::{
            Applied, GroupKind, JsonPath, Origin, Problem, Question, Reply, Rules, SourceText, Sourced,
            StatusCondition, StatusReading, StatusRule, Verdict,
        },
        yaml,
    };

    const RULES: Rules = Rules { timeout: 600.0, max_time: 3600.0, settle: 5.0, restarts: 2, status: Vec::new() };

    /// `# key: value` lines at a fixture's head.
    struct Header(HashMap<String, String>);

    impl Header {
        fn read(text: &str) -> Self {
            let lines = text.lines().map_while(|line| line.strip_prefix("# "));
            Self(lines.filter_map(|line| line.split_once(": ")).map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
        }

        fn get(&self, key: &str) -> Option<&str> {
            self.0.get(key).map(String::as_str)
        }
    }

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kinds")
    }

    fn fixtures() -> Vec<PathBuf> {
        let folders = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> =
            folders.flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    fn custom_resource() -> Resource {
        let text = String::new;
        Resource { group: text(), version: text(), kind: text(), plural: text(), namespaced: true }
    }

    fn applied(live: &Value) -> Applied {
        let id = read::id(live);
        Applied {
            resource: find(&id.group, &id.kind).map_or_else(custom_resource, Kind::resource),
            id,
            uid: read::uid(live).to_owned(),
            generation: read::number(live, &["metadata", "generation"]).unwrap_or(0),
            resource_version: String::new(),
            hash: String::new(),
            ours: None,
            template: None,
            at: None,
        }
    }

    /// What the registry replies about every image, and every container's log.
    fn replies(header: &Header, objects: &[Value]) -> HashMap<Question, Reply> {
        let log = header.get("log").map(|line| Reply::Log(vec![line.to_owned()]));
        let pods = objects.iter().filter(|object| read::is_kind(object, "Pod"));
        let question = |pod| [true, false].map(|previous| pod::last_log(pod, "web", previous));
        let logs = pods.flat_map(question).filter_map(|question| Some((question, log.clone()?)));
        let status =
            header.get("status").map(|none| (Question::HasStatus(custom_resource()), Reply::HasStatus(none != "none")));
        logs.chain(image_replies(header, objects)).chain(status).collect()
    }

    fn image_replies(header: &Header, objects: &[Value]) -> HashMap<Question, Reply> {
        let reply = match header.get("reply") {
            None => return HashMap::new(),
            Some("missing") => Reply::ImageMissing,
            Some("found") => Reply::ImageFound,
            Some("denied") => Reply::ImageDenied,
            Some("unknown") => Reply::ImageUnknown("no answer".to_owned()),
            Some(other) => panic!("unknown reply {other}"),
        };
        let images = objects.iter().flat_map(images);
        images.map(|image| (Question::ImageExists(image), reply.clone())).collect()
    }

    /// The rule for the fixture's kind: `# ready: .status.phase = Running, Idle`, `# failed:` alike, `# reason: .status.message`.
    fn rules(header: &Header, live: &Value) -> Vec<StatusRule> {
        let conditions = |key| {
            let (path, wanted) = header.get(key)?.rsplit_once(" = ")?;
            let wanted = wanted.split(", ").map(str::to_owned).collect();
            Some(StatusCondition { path: JsonPath::parse(path).unwrap(), wanted })
        };
        let (ready, failed) = (conditions("ready"), conditions("failed"));
        let reading = match header.get("ignore") {
            Some(_) => StatusReading::Ignored,
            None if ready.is_none() && failed.is_none() => return Vec::new(),
            None => StatusReading::Conditions {
                ready: ready.into_iter().collect(),
                failed: failed.into_iter().collect(),
                reason: header.get("reason").and_then(JsonPath::parse),
            },
        };
        let id = read::id(live);
        let kind = Sourced::new(GroupKind { group: id.group, kind: id.kind }, Origin::Default);
        vec![StatusRule { kind, reading }]
    }

    /// The objects of a list; another object alone.
    fn opened(object: Value) -> Vec<Value> {
        match object.get("items").and_then(Value::as_array) {
            Some(items) if read::is_kind(&object, "List") => items.clone(),
            _ => vec![object],
        }
    }

    fn as_watched(object: &mut Value) {
        let id = read::id(object);
        find(&id.group, &id.kind).into_iter().for_each(|kind| slim(&kind.resource(), object));
    }

    /// More is told than that something is wrong with an object: evidence, or what is wrong in its words.
    fn has_facts(problem: &Problem) -> bool {
        // where the object is on its way out, there is no more to tell
        if problem.code == "gone" {
            return true;
        }
        let object = problem.object.as_ref().map(ToString::to_string).unwrap_or_default();
        !problem.evidence.is_empty() || problem.text.trim_start_matches(&object).contains([':', '`'])
    }

    /// A finding without facts, or without a remedy of its own.
    fn unexplained(judgement: &Judgement) -> Vec<String> {
        let problem = judgement.verdict.problem();
        let waits = matches!(judgement.verdict, Verdict::Waiting { .. });
        let without_facts = problem.filter(|problem| !waits && !has_facts(problem));
        let has_own = |problem: &&Problem| problem.hints.first().is_some_and(|hint| hint != observation::ANY_HINT);
        let without_hint = problem.into_iter().chain(&judgement.warnings).filter(|problem| !has_own(problem));
        let facts = without_facts.into_iter().map(|problem| format!("no facts: {problem:?}"));
        facts.chain(without_hint.map(|problem| format!("no hint of its own: {problem:?}"))).collect()
    }

    /// What the fixture wants told beside the text: `# fact: node node1`, `# hint: logs web-0`, `# reads: web previous`,
    /// `# awaits: the job to end`; or left out of the facts: `# untold: failed to sync`.
    fn untold(header: &Header, judgement: &Judgement) -> Vec<String> {
        let told = judgement.verdict.problem().or(judgement.clue.as_ref());
        let facts = told.iter().flat_map(|problem| &problem.evidence);
        let facts: Vec<String> =
            facts.flat_map(|fact| fact.lines.iter().map(move |line| format!("{} {line}", fact.label))).collect();
        let hints: Vec<String> = told.iter().flat_map(|problem| problem.hints.clone()).collect();
        let reads = judgement.questions.iter().chain(&judgement.logs).filter_map(|question| match question {
            Question::LastLog { container, previous: true, .. } => Some(format!("{container} previous")),
            Question::LastLog { container, previous: false, .. } => Some(format!("{container} current")),
            _ => None,
        });
        let unwanted = header.get("untold").filter(|part| facts.iter().any(|line| line.contains(part)));
        let unwanted = unwanted.map(|part| format!("told all the same: {part}"));
        let awaits: Vec<String> = judgement.progress.awaiting.iter().cloned().collect();
        let lists = [("fact", facts), ("hint", hints), ("reads", reads.collect()), ("awaits", awaits)];
        let missing = lists.into_iter().filter_map(|(key, found)| {
            let wanted = header.get(key)?;
            (!found.iter().any(|line| line.contains(wanted))).then(|| format!("{key} {found:?}"))
        });
        missing.chain(unwanted).collect()
    }

    /// What the fixture says against what its judge says; empty where both agree.
    fn difference(path: &Path) -> String {
        let text = fs::read_to_string(path).unwrap();
        let header = Header::read(&text);
        let source = SourceText { name: "fixture".into(), text: text.as_str().into() };
        let read = yaml::documents(&source).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let mut objects: Vec<Value> = read.documents.into_iter().flat_map(|document| opened(document.value)).collect();
        // as a watch hands them on
        objects.iter_mut().for_each(as_watched);
        let (mut events, others): (Vec<&Value>, Vec<&Value>) =
            objects.iter().skip(1).partition(|object| read::is_kind(object, "Event"));
        // as a rollout has them
        events.retain(|event| tells(event));
        events.sort_by_cached_key(|event| event_time::of(event));
        let live = &objects[0];
        let judgement = judge(&Observation {
            live: Some(live),
            applied: &applied(live),
            body: live,
            images: &[],
            children: &others,
            events: &events,
            replies: &replies(&header, &objects),
            rules: &Rules { status: rules(&header, live), ..RULES },
            baseline: &Baseline::new(),
            changed: true,
            renewed: Some(jiff::Timestamp::UNIX_EPOCH),
            backed: header.get("backed").is_some(),
            aimless: header.get("aimless").is_some(),
            cut_off: false,
            closing: header.get("closing").is_some(),
            saved: false,
        });
        let said = match &judgement.verdict {
            Verdict::Suspect { .. } => "suspect",
            verdict => verdict.word(),
        };
        let stem = path.file_stem().unwrap().to_string_lossy();
        let problem = judgement.verdict.problem();
        let mut wrong = Vec::new();
        if !stem.starts_with(&format!("{said}-")) {
            wrong.push(format!("is {said}: {:?}", judgement.verdict));
        }
        let code = problem.map(|problem| problem.code);
        if code != header.get("code") {
            wrong.push(format!("code {code:?}"));
        }
        if let Some(part) = header.get("text")
            && !problem.is_some_and(|problem| problem.text.contains(part))
        {
            wrong.push(format!("text {:?}", problem.map(|problem| &problem.text)));
        }
        if let Some(count) = header.get("count")
            && problem.map(|problem| problem.count.to_string()).as_deref() != Some(count)
        {
            wrong.push(format!("count {:?}", problem.map(|problem| problem.count)));
        }
        wrong.extend(unexplained(&judgement));
        wrong.extend(untold(&header, &judgement));
        let warning = judgement.warnings.first().map(|warning| warning.code);
        if warning != header.get("warning") {
            wrong.push(format!("warning {warning:?}"));
        }
        if wrong.is_empty() { String::new() } else { format!("{stem}: {}\n", wrong.join("; ")) }
    }

    #[test]
    fn judges_say_what_the_fixtures_are_named() {
        let files = fixtures();
        assert!(files.len() >= 150, "only {} fixtures", files.len());
        let wrong: String = files.iter().map(|path| difference(path)).collect();
        assert!(wrong.is_empty(), "{wrong}");
    }

    #[test]
    fn every_fixture_folder_is_of_a_judged_kind() {
        let known: BTreeSet<String> = JUDGED.iter().map(|kind| kind.kind.to_lowercase()).collect();
        for folder in fs::read_dir(folder()).unwrap() {
            let name = folder.unwrap().file_name().to_string_lossy().into_owned();
            let kind = name.replace('_', "");
            let is_custom = matches!(name.as_str(), "conventions" | "status_rule");
            assert!(known.contains(&kind) || is_custom, "{name} is no judged kind");
        }
    }

    #[test]
    fn kinds_are_listed_once_and_their_children_are_known() {
        let all: Vec<&Kind> = JUDGED.iter().copied().chain(plain::KINDS).collect();
        let names: BTreeSet<(&str, &str)> = all.iter().map(|kind| (kind.group, kind.kind)).collect();
        assert_eq!(names.len(), all.len());
        for kind in all {
            for (group, child) in kind.children {
                assert!(find(group, child).is_some(), "{} has the child {group}/{child}", kind.kind);
            }
        }
    }

    #[test]
    fn resources_have_the_path_of_the_api() {
        for (group, kind, api_version, plural, namespaced) in [
            ("apps", "Deployment", "apps/v1", "deployments", true),
            ("", "Endpoints", "v1", "endpoints", true),
            ("", "Namespace", "v1", "namespaces", false),
            ("networking.k8s.io", "NetworkPolicy", "networking.k8s.io/v1", "networkpolicies", true),
            ("autoscaling", "HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers", true),
        ] {
            let resource = find(group, kind).unwrap().resource();
            assert_eq!(resource.api_version(), api_version);
            assert_eq!((resource.plural.as_str(), resource.namespaced), (plural, namespaced));
        }
        assert!(find("example.com", "Deployment").is_none());
    }
}
