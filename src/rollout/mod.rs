//! What watches see becomes verdicts: a reducer without clock or network.

mod alike;
mod conclusion;
pub(crate) mod difference;
mod logs;
mod pods;
mod proof;
mod reducer;
mod saved;
mod selections;
mod settling;
mod standing;
mod track;
mod traffic;
mod view;

pub(crate) use conclusion::Conclusion;
pub(crate) use proof::Proof;
pub(crate) use reducer::{Effect, Input, Rollout};
pub(crate) use saved::judge_saved;
pub(crate) use standing::{Judged, Known, Standing};
pub(crate) use traffic::{endpoints, traffic_ready};

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        kinds::read,
        model::{
            Applied, Exit, Image, ObjectId, PodStep, Question, Reply, Resource, RolloutEvent, Rules, Seen, Selection,
            Verdict, Watched, our_template,
        },
    };

    const RULES: Rules = Rules { timeout: 600.0, max_time: 3600.0, settle: 5.0, restarts: 2, status: Vec::new() };
    const START: &str = "2026-05-04T12:00:00Z";

    fn digest(c: char) -> String {
        format!("sha256:{}", c.to_string().repeat(64))
    }

    fn image() -> Image {
        let reference = format!("registry.example.com/team/web:v2@{}", digest('b')).parse().unwrap();
        Image { reference, platforms: Vec::new() }
    }

    fn watched(api_version: &str, kind: &str, name: &str, spec: Value) -> Watched {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let plural = format!("{}s", kind.to_lowercase());
        let namespace = Some("demo".to_owned());
        let id = ObjectId { group: group.into(), kind: kind.into(), namespace, name: name.into() };
        let applied = Applied {
            id,
            resource: Resource {
                group: group.into(),
                version: version.into(),
                kind: kind.into(),
                plural,
                namespaced: true,
            },
            uid: format!("{name}-uid"),
            generation: 2,
            resource_version: "100".into(),
            hash: String::new(),
            ours: None,
            template: None,
            at: Some(START.into()),
        };
        let body = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "demo"}, "spec": spec});
        let (shows_log, images) = (kind == "Job", vec![image()]);
        Watched { applied: applied.into(), body, changed: true, settled: false, shows_log, images }
    }

    fn deployment(name: &str, replicas: usize) -> Watched {
        let container = json!({"name": "web", "image": image().reference.to_string()});
        let template = json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}});
        watched("apps/v1", "Deployment", name, json!({"replicas": replicas, "template": template}))
    }

    /// A Deployment as its controller has written it: `[observed generation, replicas, updated, available]`.
    fn live(watched: &Watched, [observed, replicas, updated, available]: [u64; 4]) -> Value {
        let mut body = watched.body.clone();
        body["metadata"]["uid"] = json!(watched.applied.uid);
        body["metadata"]["generation"] = json!(2);
        body["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": "2"});
        body["status"] = json!({"observedGeneration": observed, "replicas": replicas, "updatedReplicas": updated, "availableReplicas": available});
        body
    }

    fn owned(kind: &str, name: &str, owner: &str) -> Value {
        let api_version = if kind == "Pod" { "v1" } else { "apps/v1" };
        let owner = json!({"controller": true, "uid": format!("{owner}-uid")});
        let metadata = json!({"name": name, "namespace": "demo", "uid": format!("{name}-uid"), "creationTimestamp": "2026-05-04T12:00:01Z", "ownerReferences": [owner]});
        json!({"apiVersion": api_version, "kind": kind, "metadata": metadata})
    }

    fn replica_set(name: &str, owner: &str, revision: &str) -> Value {
        let mut set = owned("ReplicaSet", name, owner);
        set["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": revision});
        set
    }

    fn pod(name: &str, owner: &str, state: Value, restarts: u32) -> Value {
        let mut pod = owned("Pod", name, owner);
        let ready = state.get("running").is_some();
        let last = if restarts > 0 { json!({"terminated": {"exitCode": 3, "reason": "Error"}}) } else { json!({}) };
        pod["spec"] =
            json!({"restartPolicy": "Always", "containers": [{"name": "web", "image": image().reference.to_string()}]});
        let container = json!({"name": "web", "ready": ready, "restartCount": restarts, "state": state, "lastState": last, "imageID": format!("registry.example.com/team/web@{}", digest('b'))});
        let conditions = json!([{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": if ready {"True"} else {"False"}}]);
        pod["status"] = json!({"phase": "Running", "conditions": conditions, "containerStatuses": [container]});
        pod
    }

    fn running() -> Value {
        json!({"running": {}})
    }

    fn starting() -> Value {
        json!({"waiting": {"reason": "ContainerCreating"}})
    }

    fn backing_off() -> Value {
        json!({"waiting": {"reason": "CrashLoopBackOff"}})
    }

    fn no_image() -> Value {
        json!({"waiting": {"reason": "ErrImagePull", "message": "rpc error: code = NotFound desc = failed to resolve: not found"}})
    }

    /// A rollout with its own clock, and all that it did.
    struct Story {
        rollout: Rollout,
        now: Timestamp,
        asked: Vec<Question>,
        /// Whose log is shown.
        shown: Vec<String>,
        said: Vec<RolloutEvent>,
        end: Option<Conclusion>,
        wake: Option<Timestamp>,
    }

    impl Story {
        fn of(watched: Vec<Watched>, seen: &[Value]) -> Self {
            Self::under(RULES, watched, seen)
        }

        fn under(rules: Rules, watched: Vec<Watched>, seen: &[Value]) -> Self {
            let now: Timestamp = START.parse().unwrap();
            let mut story = Self {
                rollout: Rollout::new("demo", watched, rules, now),
                now,
                asked: Vec::new(),
                shown: Vec::new(),
                said: Vec::new(),
                end: None,
                wake: None,
            };
            story.input(Input::Tick);
            for selection in story.rollout.selections() {
                let of = |object: &&Value| story_kind(&selection, object);
                let objects = seen.iter().filter(of).cloned().collect();
                story.input(Input::Seen(Seen::Listed { selection, objects }));
            }
            story
        }

        fn input(&mut self, input: Input) {
            for effect in self.rollout.step(self.now, input) {
                match effect {
                    Effect::Say(event) => self.said.push(event),
                    Effect::Ask(question) => self.asked.push(question),
                    Effect::ShowLog(of) => self.shown.push(format!("{} {}", of.pod.name, of.container)),
                    Effect::WakeAt(moment) => {
                        assert!(moment > self.now, "wakes in the past");
                        self.wake = Some(moment);
                    }
                    Effect::Settled(end) => self.end = Some(*end),
                }
            }
        }

        fn selection(&self, object: &Value) -> Selection {
            self.rollout
                .selections()
                .into_iter()
                .find(|selection| story_kind(selection, &object))
                .expect("a watched kind")
        }

        fn see(&mut self, object: Value) {
            let selection = self.selection(&object);
            self.input(Input::Seen(Seen::Changed { selection, object }));
        }

        fn lose(&mut self, object: Value) {
            let selection = self.selection(&object);
            self.input(Input::Seen(Seen::Deleted { selection, object }));
        }

        /// Lets time pass as the rollout asked to be woken.
        fn pass(&mut self, seconds: f64) {
            let end = self.now + SignedDuration::from_secs_f64(seconds);
            while let Some(wake) = self.wake.filter(|wake| *wake <= end && self.end.is_none()) {
                self.now = wake;
                self.wake = None;
                self.input(Input::Tick);
            }
            self.now = end;
        }

        fn answer(&mut self, reply: Reply) {
            for question in std::mem::take(&mut self.asked) {
                self.input(Input::Replied(question, reply.clone()));
            }
        }

        fn end(&self) -> &Conclusion {
            self.end.as_ref().expect("an end")
        }

        /// Code, exit and text of the first finding.
        fn finding(&self) -> (&str, Exit, &str) {
            let problem = self.end().problems.first().expect("a finding");
            (problem.code, problem.exit, &problem.text)
        }
    }

    fn story_kind(selection: &Selection, object: &&Value) -> bool {
        let text = |path: &str| read::text(object, &path.split('.').collect::<Vec<_>>()).to_owned();
        let holds = |field: &str| match field.split_once("!=") {
            Some((path, value)) => text(path) != value,
            None => field.split_once('=').is_some_and(|(path, value)| text(path) == value),
        };
        let fields = selection.fields.as_deref();
        selection.resource.kind == object["kind"] && fields.is_none_or(|fields| fields.split(',').all(holds))
    }

    #[test]
    fn a_rollout_succeeds_when_all_pods_are_ready_and_stay_so() {
        let web = deployment("web", 2);
        let mut story = Story::of(vec![web.clone()], &[live(&web, [1, 2, 2, 2])]);
        assert!(story.end.is_none(), "the status is of before");
        story.see(replica_set("web-new", "web", "2"));
        story.see(live(&web, [2, 2, 2, 0]));
        story.see(pod("web-1", "web-new", starting(), 0));
        story.see(pod("web-2", "web-new", running(), 0));
        story.see(pod("web-1", "web-new", running(), 0));
        story.see(live(&web, [2, 2, 2, 2]));
        assert!(story.said.iter().any(|event| matches!(event, RolloutEvent::Settling { .. })));
        story.pass(4.9);
        assert!(story.end.is_none(), "still settling");
        story.pass(0.2);
        assert_eq!(story.end().problems, []);
        assert_eq!(story.end().states[0].1, Verdict::Ready);
        let proof = &story.end().proof[0];
        assert_eq!((proof.proven, proof.pods), (2, 2));
    }

    fn image_of_one_platform() -> Image {
        let platform = crate::model::ImagePlatform {
            platform: crate::model::Platform("linux/amd64".into()),
            manifest: digest('b').parse().unwrap(),
            config: digest('c').parse().unwrap(),
        };
        Image { platforms: vec![platform], ..image() }
    }

    /// One that is ready, whose pod reports another manifest than the deployed one.
    fn story_of_another_manifest() -> Story {
        let web = Watched { images: vec![image_of_one_platform()], ..unchanged(1, true) };
        let mut other = pod("web-1", "web-new", running(), 0);
        other["status"]["containerStatuses"][0]["imageID"] = json!(format!("docker-pullable://x@{}", digest('e')));
        Story::of(vec![web.clone()], &[live(&web, [2, 1, 1, 1]), replica_set("web-new", "web", "2"), other])
    }

    #[test]
    fn a_manifest_of_the_same_configuration_proves_a_pod() {
        let mut story = story_of_another_manifest();
        assert!(story.end.is_none(), "the registry is asked");
        let [Question::ImageContent(asked)] = &story.asked[..] else { panic!("{:?}", story.asked) };
        assert_eq!(asked.digest.as_ref().unwrap().as_str(), digest('e'));
        story.answer(Reply::Image(Box::new(image_of_one_platform())));
        assert_eq!(story.end().proof[0].proven, 1);

        for reply in [Reply::ImageMissing, Reply::Image(Box::new(image()))] {
            let mut story = story_of_another_manifest();
            story.answer(reply);
            assert_eq!((story.end().proof[0].proven, story.end().problems.len()), (0, 0));
            let warning = |event: &RolloutEvent| match event {
                RolloutEvent::Warning { problem } => Some((problem.code, problem.hints.len())),
                _ => None,
            };
            assert_eq!(story.said.iter().find_map(warning), Some(("not-confirmed", 1)));
        }
        let mut story = story_of_another_manifest();
        story.pass(4.0);
        assert_eq!((story.end().proof[0].proven, story.end().problems.len()), (0, 0), "nobody waits for long");
    }

    #[test]
    fn the_old_status_is_never_taken_for_the_new_one() {
        let web = deployment("web", 1);
        let seen =
            [live(&web, [1, 1, 1, 1]), replica_set("web-old", "web", "1"), pod("web-0", "web-old", running(), 0)];
        let mut story = Story::of(vec![web], &seen);
        story.pass(60.0);
        assert!(story.end.is_none());
        assert!(story.said.iter().any(|event| matches!(event, RolloutEvent::Waiting { .. })), "reminds each 30 s");
    }

    #[test]
    fn a_crash_loop_is_told_with_the_last_log() {
        let web = deployment("web", 1);
        let mut story = Story::of(vec![web.clone()], &[live(&web, [2, 1, 1, 0]), replica_set("web-new", "web", "2")]);
        story.see(pod("web-1", "web-new", backing_off(), 1));
        assert!(story.end.is_none() && story.asked.is_empty(), "two exits are forgiven");
        story.see(pod("web-1", "web-new", backing_off(), 2));
        assert!(story.end.is_none(), "the log is awaited");
        assert!(
            matches!(&story.asked[..], [Question::LastLog { container, previous: true, .. }] if container == "web")
        );
        story.answer(Reply::Log(vec!["boom: no database".into()]));
        let (code, exit, text) = story.finding();
        assert_eq!((code, exit), ("crash-loop", Exit::Rollout));
        assert_eq!(text, "deployment/web does not start: container `web` exits with code 3");
        let evidence = &story.end().problems[0].evidence;
        assert!(evidence.iter().any(|e| e.label == "last log" && e.lines == ["boom: no database"]));
        assert_eq!(evidence[0].lines, ["web-1, third exit"]);
    }

    #[test]
    fn what_a_node_says_in_the_place_of_a_log_is_no_log() {
        for lost in [
            "unable to retrieve container logs for containerd://1",
            "failed to try resolving symlinks in path \"/var/log/pods/demo/web/1.log\": lstat: no such file or directory",
        ] {
            let mut story = crashing_alike(&["web"]);
            story.answer(Reply::Log(vec![lost.into()]));
            assert!(matches!(&story.asked[..], [Question::LastLog { previous: false, .. }]), "{:?}", story.asked);
            story.answer(Reply::Log(vec!["boom: no database".into()]));
            let evidence = &story.end().problems[0].evidence;
            assert!(evidence.iter().any(|e| e.label == "last log" && e.lines == ["boom: no database"]), "{evidence:?}");
        }
    }

    /// Workloads of one pod each, which crash one after the other.
    fn crashing_alike(names: &[&str]) -> Story {
        let all: Vec<Watched> = names.iter().map(|name| deployment(name, 1)).collect();
        let sets = names.iter().map(|name| replica_set(&format!("{name}-new"), name, "2"));
        let seen: Vec<Value> = all.iter().map(|web| live(web, [2, 1, 1, 0])).chain(sets).collect();
        let mut story = Story::of(all, &seen);
        for name in names.iter().rev() {
            story.see(pod(&format!("{name}-1"), &format!("{name}-new"), backing_off(), 2));
        }
        story
    }

    #[test]
    fn of_findings_alike_one_log_is_read() {
        let mut story = crashing_alike(&["a", "b", "c"]);
        let [Question::LastLog { pod, .. }] = &story.asked[..] else { panic!("{:?}", story.asked) };
        assert_eq!(pod.name, "c-1", "the first that was seen");
        story.answer(Reply::Log(vec!["boom".into()]));
        let [problem] = &story.end().problems[..] else { panic!("{:?}", story.end().problems) };
        assert_eq!((problem.count, problem.object.as_ref().unwrap().name.as_str()), (3, "c"));
        let lines = |label| problem.evidence.iter().find(|found| found.label == label).map(|found| found.lines.clone());
        assert_eq!(lines("last log"), Some(vec!["boom".to_owned()]));
        assert_eq!(lines("also"), Some(vec!["deployment/a".to_owned(), "deployment/b".to_owned()]));

        let mut story = crashing_alike(&["a", "b", "c"]);
        story.answer(Reply::LogUnavailable("no node".into()));
        story.answer(Reply::LogUnavailable("no node".into()));
        assert!(story.asked.is_empty(), "{:?}", story.asked);
        assert_eq!(story.end().problems[0].count, 3);
    }

    #[test]
    fn a_log_that_does_not_come_holds_nothing_up() {
        let web = deployment("web", 1);
        let seen =
            [live(&web, [2, 1, 1, 0]), replica_set("web-new", "web", "2"), pod("web-1", "web-new", backing_off(), 2)];
        let mut story = Story::of(vec![web], &seen);
        story.pass(9.9);
        assert!(story.end.is_none());
        story.pass(0.2);
        assert_eq!(story.finding().0, "crash-loop");
    }

    #[test]
    fn a_log_is_told_although_a_watch_is_cut_meanwhile() {
        let web = deployment("web", 1);
        let crashed = pod("web-1", "web-new", backing_off(), 2);
        let seen = [live(&web, [2, 1, 1, 0]), replica_set("web-new", "web", "2"), crashed.clone()];
        let mut story = Story::of(vec![web], &seen);
        assert!(story.end.is_none(), "the log is awaited");
        let selection = story.selection(&crashed);
        story.input(Input::Seen(Seen::Interrupted { selection, text: "cut".into() }));
        story.answer(Reply::Log(vec!["boom: no database".into()]));
        let evidence = &story.end().problems[0].evidence;
        assert!(evidence.iter().any(|e| e.label == "last log" && e.lines == ["boom: no database"]), "{evidence:?}");
    }

    #[test]
    fn what_hangs_is_told_with_its_log_once_time_is_up() {
        let web = deployment("web", 1);
        let mut hangs = pod("web-1", "web-new", json!({"waiting": {"reason": "PodInitializing"}}), 0);
        hangs["spec"]["initContainers"] = json!([{"name": "prepare", "image": image().reference.to_string()}]);
        let init = json!({"name": "prepare", "ready": false, "restartCount": 0, "state": running(), "lastState": {}});
        hangs["status"]["initContainerStatuses"] = json!([init]);
        let seen = [live(&web, [2, 1, 1, 0]), replica_set("web-new", "web", "2"), hangs];
        let mut story = Story::of(vec![web], &seen);
        story.pass(599.0);
        assert!(story.asked.is_empty(), "nothing is read before time is up");
        story.pass(2.0);
        assert!(
            matches!(&story.asked[..], [Question::LastLog { container, previous: false, .. }] if container == "prepare")
        );
        story.answer(Reply::Log(vec!["waits for the database".into()]));
        let problem = &story.end().problems[0];
        assert_eq!((problem.code, problem.exit), ("timed-out", Exit::TimedOut));
        let told = |label: &str, line: &str| problem.evidence.iter().any(|e| e.label == label && e.lines == [line]);
        assert!(told("runs", "container `prepare`") && told("last log", "waits for the database"), "{problem:?}");
        assert!(problem.hints[0].contains("--container prepare`"), "{problem:?}");
    }

    #[test]
    fn a_crash_is_forgiven_while_another_workload_starts() {
        let (web, database) = (deployment("web", 1), deployment("database", 1));
        let seen = [
            live(&web, [2, 1, 1, 0]),
            replica_set("web-new", "web", "2"),
            pod("web-1", "web-new", backing_off(), 2),
            live(&database, [2, 1, 1, 0]),
            replica_set("database-new", "database", "2"),
            pod("database-1", "database-new", starting(), 0),
        ];
        let mut story = Story::of(vec![web.clone(), database.clone()], &seen);
        story.pass(10.0);
        assert!(story.end.is_none(), "the database may be what is missing");
        story.see(pod("web-1", "web-new", running(), 3));
        story.see(live(&web, [2, 1, 1, 1]));
        story.see(pod("database-1", "database-new", running(), 0));
        story.see(live(&database, [2, 1, 1, 1]));
        story.pass(6.0);
        assert_eq!(story.end().problems, []);

        let mut story = Story::of(vec![web.clone(), database.clone()], &seen[..3]);
        story.see(live(&database, [1, 0, 0, 0]));
        story.pass(10.0);
        assert!(story.end.is_none(), "its controller has not even seen it");
        story.pass(51.0);
        story.answer(Reply::LogUnavailable("gone".into()));
        story.answer(Reply::LogUnavailable("gone".into()));
        assert_eq!(story.finding().0, "crash-loop", "and not for ever");
    }

    /// A container with a probe that ended after a run in which the probe may have failed: `restarts` are tolerated.
    fn ended_late(restarts: u32, state: Value, last: Value) -> Story {
        let web = deployment("web", 1);
        let mut pod = pod("web-1", "web-new", state, restarts);
        pod["spec"]["containers"][0]["livenessProbe"] = json!({});
        pod["status"]["containerStatuses"][0]["lastState"] = last;
        let rules = Rules { restarts, ..RULES };
        Story::under(rules, vec![web.clone()], &[live(&web, [2, 1, 1, 0]), replica_set("web-new", "web", "2"), pod])
    }

    #[test]
    fn an_exit_too_many_is_one_although_its_probe_may_explain_it() {
        let end = |code: u32, reason: &str| {
            json!({"terminated": {"exitCode": code, "reason": reason,
                "startedAt": "2026-05-04T12:00:00Z", "finishedAt": "2026-05-04T12:00:30Z"}})
        };
        let answered = |mut story: Story| {
            story.answer(Reply::LogUnavailable("gone".into()));
            story.answer(Reply::LogUnavailable("gone".into()));
            story
        };
        // it runs again at once, and may be ready before its probe is heard of
        assert_eq!(answered(ended_late(0, end(1, "Error"), json!({}))).finding().0, "crash-loop");
        // memory is no matter of a probe
        assert_eq!(answered(ended_late(2, end(137, "OOMKilled"), json!({}))).finding().0, "oom-killed");
        // down for 10 s, and then for 20 s
        for (restarts, awaited) in [(1, 5.0), (2, 15.0)] {
            let mut story = ended_late(restarts, backing_off(), end(1, "Error"));
            story.pass(awaited - 0.5);
            assert!(story.end.is_none(), "{restarts}: {:?}", story.end);
            story.pass(1.0);
            assert_eq!(answered(story).finding().0, "crash-loop");
        }
    }

    #[test]
    fn an_image_that_never_was_there_fails_at_once() {
        let mut web = deployment("web", 1);
        web.images.clear();
        let mut story = Story::of(vec![web.clone()], &[live(&web, [2, 1, 1, 0]), replica_set("web-new", "web", "2")]);
        story.see(pod("web-1", "web-new", no_image(), 0));
        assert!(matches!(&story.asked[..], [Question::ImageExists(_)]));
        story.answer(Reply::ImageMissing);
        assert_eq!(story.finding().0, "image-not-found");
    }

    #[test]
    fn an_image_that_was_seen_gets_half_a_minute() {
        let web = deployment("web", 1);
        let seen =
            [live(&web, [2, 1, 1, 0]), replica_set("web-new", "web", "2"), pod("web-1", "web-new", no_image(), 0)];
        let mut story = Story::of(vec![web.clone()], &seen);
        story.answer(Reply::ImageMissing);
        story.pass(5.1);
        assert!(matches!(&story.asked[..], [Question::ImageExists(_)]), "the registry is asked again");
        story.answer(Reply::ImageMissing);
        story.pass(26.0);
        assert_eq!(story.finding().0, "image-not-found");

        let mut story = Story::of(vec![web.clone()], &seen);
        story.answer(Reply::ImageMissing);
        story.pass(5.0);
        story.see(pod("web-1", "web-new", running(), 0));
        story.see(live(&web, [2, 1, 1, 1]));
        story.pass(30.0);
        assert_eq!(story.end().problems, [], "registry lag is no failure");
    }

    #[test]
    fn yesterdays_failure_does_not_fail_todays_fix() {
        let web = deployment("web", 1);
        let mut first = live(&web, [2, 2, 1, 0]);
        first["status"]["conditions"] =
            json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
        let seen = [
            first,
            replica_set("web-old", "web", "1"),
            pod("web-0", "web-old", backing_off(), 40),
            replica_set("web-new", "web", "2"),
            pod("web-1", "web-new", starting(), 0),
        ];
        let mut story = Story::of(vec![web.clone()], &seen);
        story.pass(20.0);
        assert!(story.end.is_none());
        story.see(pod("web-1", "web-new", running(), 0));
        story.lose(pod("web-0", "web-old", backing_off(), 40));
        story.see(live(&web, [2, 1, 1, 1]));
        story.pass(6.0);
        assert_eq!(story.end().problems, []);
    }

    #[test]
    fn an_unchanged_workload_that_crashes_is_told_soon() {
        let mut web = deployment("web", 1);
        web.changed = false;
        let crashing =
            |state| [live(&web, [2, 1, 1, 0]), replica_set("web-new", "web", "2"), pod("web-1", "web-new", state, 7)];
        let mut story = Story::of(vec![web.clone()], &crashing(backing_off()));
        story.pass(9.0);
        assert!(story.end.is_none());
        story.pass(2.0);
        story.answer(Reply::LogUnavailable("gone".into()));
        story.answer(Reply::LogUnavailable("gone".into()));
        assert_eq!(story.finding().0, "crash-loop");

        let ended = json!({"terminated": {"exitCode": 3, "reason": "Error"}});
        let mut story = Story::of(vec![web.clone()], &crashing(ended));
        story.pass(5.0);
        story.see(pod("web-1", "web-new", backing_off(), 7));
        story.pass(6.0);
        story.answer(Reply::LogUnavailable("gone".into()));
        story.answer(Reply::LogUnavailable("gone".into()));
        assert_eq!(story.finding().0, "crash-loop", "it was down before that was called back-off");

        let after_a_month = json!({"terminated": {"exitCode": 255, "reason": "Unknown",
            "startedAt": "2026-04-04T12:00:00Z", "finishedAt": START}});
        let mut story = Story::of(vec![web.clone()], &crashing(after_a_month));
        story.pass(60.0);
        assert!(story.end.is_none(), "its earlier ends are long past: {:?}", story.end);

        let mut story = Story::of(vec![web.clone()], &crashing(backing_off()));
        story.pass(5.0);
        story.see(pod("web-1", "web-new", running(), 8));
        story.see(live(&web, [2, 1, 1, 1]));
        story.pass(6.0);
        assert_eq!(story.end().problems, [], "what was mended outside of the deploy comes up in time");
    }

    #[test]
    fn what_never_gets_ready_times_out_without_progress() {
        let web = deployment("web", 1);
        let mut not_ready = pod("web-1", "web-new", running(), 0);
        not_ready["status"]["conditions"][1]["status"] = json!("False");
        not_ready["status"]["containerStatuses"][0]["ready"] = json!(false);
        let seen = [live(&web, [2, 1, 1, 0]), replica_set("web-new", "web", "2"), not_ready];
        let mut story = Story::of(vec![web], &seen);
        story.pass(599.0);
        assert!(story.end.is_none());
        story.pass(2.0);
        assert!(matches!(&story.asked[..], [Question::LastLog { previous: false, .. }]));
        story.answer(Reply::Log(vec!["listening on 8081".into()]));
        let (code, exit, text) = story.finding();
        assert_eq!((code, exit), ("not-ready", Exit::TimedOut));
        assert_eq!(text, "deployment/web does not get ready: container `web` runs, but is not ready");
        assert_eq!(story.end().problems[0].evidence.last().unwrap().lines, ["listening on 8081"]);
        let reminders = story.said.iter().filter(|event| matches!(event, RolloutEvent::Waiting { .. })).count();
        assert_eq!(reminders, 19);
    }

    #[test]
    fn progress_puts_the_timeout_off_but_not_the_longest_time() {
        let web = deployment("web", 3);
        let mut story = Story::of(vec![web.clone()], &[live(&web, [2, 3, 3, 0]), replica_set("web-new", "web", "2")]);
        for name in ["web-1", "web-2"] {
            story.pass(500.0);
            story.see(pod(name, "web-new", starting(), 0));
        }
        story.pass(599.0);
        assert!(story.end.is_none());
        story.pass(2.0);
        assert_eq!(story.finding().1, Exit::TimedOut);
    }

    #[test]
    fn a_pod_that_dies_while_settling_is_no_success() {
        let web = deployment("web", 1);
        let seen =
            [live(&web, [2, 1, 1, 1]), replica_set("web-new", "web", "2"), pod("web-1", "web-new", running(), 0)];
        let mut story = Story::of(vec![web.clone()], &seen);
        story.pass(3.0);
        story.see(pod("web-1", "web-new", backing_off(), 0));
        story.see(live(&web, [2, 1, 1, 0]));
        story.pass(10.0);
        assert!(story.end.is_none());
        story.see(pod("web-1", "web-new", backing_off(), 2));
        story.answer(Reply::Log(vec!["late".into()]));
        assert_eq!(story.finding().0, "crash-loop");
    }

    /// One that this deploy found as it should be.
    #[test]
    fn a_probe_that_begins_to_fail_is_awaited_until_it_may_have_killed() {
        let told = |time: &str, message: &str| {
            let mut event = told_of_web_1("Unhealthy", time);
            event["type"] = json!("Warning");
            event["involvedObject"]["fieldPath"] = json!("spec.containers{web}");
            event["message"] = json!(message);
            event
        };
        let story = || {
            let web = deployment("web", 1);
            let mut pod = pod("web-1", "web-new", json!({"running": {"startedAt": "2026-05-04T12:00:02Z"}}), 0);
            pod["spec"]["containers"][0]["readinessProbe"] = json!({});
            pod["spec"]["containers"][0]["livenessProbe"] = json!({"periodSeconds": 2, "failureThreshold": 3});
            let mut story = Story::of(vec![web.clone()], &[replica_set("web-new", "web", "2"), pod]);
            story.see(live(&web, [2, 1, 1, 1]));
            story.pass(4.0);
            story
        };
        let mut failing = story();
        failing.see(told("12:00:04", "Liveness probe failed: "));
        failing.pass(8.5);
        assert!(failing.end.is_none(), "it fails thrice in 4 s, and its node has 5 s to tell");
        failing.pass(1.0);
        assert_eq!(failing.end().problems, []);
        // of an earlier run, of another probe, or none of its verdicts
        for (time, message) in [
            ("12:00:01", "Liveness probe failed: "),
            ("12:00:04", "Readiness probe failed: "),
            ("12:00:04", "Liveness probe errored and resulted in unknown state: "),
        ] {
            let mut story = story();
            story.see(told(time, message));
            story.pass(1.5);
            assert!(story.end.is_some(), "{message}");
        }
    }

    fn unchanged(replicas: usize, settled: bool) -> Watched {
        Watched { changed: false, settled, ..deployment("web", replicas) }
    }

    #[test]
    fn what_was_not_proven_yet_is_watched_for_a_while() {
        let running_well = |web: &Watched| {
            [live(web, [2, 1, 1, 1]), replica_set("web-new", "web", "2"), pod("web-1", "web-new", running(), 0)]
        };
        let web = unchanged(1, true);
        assert_eq!(Story::of(vec![web.clone()], &running_well(&web)).end().problems, [], "an earlier deploy proved it");

        let web = unchanged(1, false);
        let mut story = Story::of(vec![web.clone()], &running_well(&web));
        story.pass(4.9);
        assert!(story.end.is_none(), "still settling");
        story.pass(0.2);
        assert_eq!(story.end().problems, []);
    }

    #[test]
    fn what_had_to_get_well_first_is_watched_for_a_while() {
        let web = unchanged(1, true);
        let seen =
            [live(&web, [2, 1, 1, 0]), replica_set("web-new", "web", "2"), pod("web-1", "web-new", starting(), 0)];
        let mut story = Story::of(vec![web.clone()], &seen);
        story.see(pod("web-1", "web-new", running(), 0));
        story.see(live(&web, [2, 1, 1, 1]));
        story.pass(2.0);
        assert!(story.end.is_none(), "still settling");
        story.see(pod("web-1", "web-new", backing_off(), 0));
        story.see(live(&web, [2, 1, 1, 0]));
        story.pass(11.0);
        story.answer(Reply::LogUnavailable("gone".into()));
        story.answer(Reply::LogUnavailable("gone".into()));
        assert!(story.end.is_none() || story.finding().0 == "crash-loop", "{:?}", story.end);

        let story = Story::of(vec![web], &seen);
        assert!(!story.rollout.give_back()[0].settled, "another rollout of it knows");
    }

    /// A pod that no node takes.
    fn homeless(name: &str, owner: &str) -> Value {
        let mut pod = owned("Pod", name, owner);
        pod["status"] = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient cpu."}]});
        pod
    }

    #[test]
    fn a_pod_without_a_node_is_waited_for_while_others_get_theirs() {
        let web = deployment("web", 4);
        let mut story = Story::of(vec![web.clone()], &[live(&web, [2, 4, 2, 0]), replica_set("web-new", "web", "2")]);
        story.see(homeless("web-0", "web-new"));
        for number in 0..3 {
            story.see(homeless(&format!("web-{}", number + 1), "web-new"));
            story.pass(50.0);
            assert!(story.end.is_none(), "{number}: {:?}", story.end);
            story.see(pod(&format!("web-{number}"), "web-new", running(), 0));
        }
        story.pass(59.0);
        assert!(story.end.is_none());
        story.pass(2.0);
        assert_eq!(story.finding().0, "unschedulable");
    }

    #[test]
    fn a_pod_for_which_an_autoscaler_adds_a_node_is_waited_for() {
        let web = deployment("web", 1);
        let seen = [live(&web, [2, 1, 1, 0]), replica_set("web-new", "web", "2"), homeless("web-1", "web-new")];
        for (reason, waits) in [("TriggeredScaleUp", true), ("Nominated", true), ("NotTriggerScaleUp", false)] {
            let mut story = Story::of(vec![web.clone()], &seen);
            story.see(told_of_web_1(reason, "12:00:05"));
            story.pass(90.0);
            assert_eq!(story.end.is_none(), waits, "{reason}: {:?}", story.end);
        }
        let mut story = Story::of(vec![web.clone()], &seen);
        story.see(told_of_web_1("TriggeredScaleUp", "12:00:05"));
        story.pass(90.0);
        assert!(story.end.is_none());
        story.see(told_of_web_1("NotTriggerScaleUp", "12:15:05"));
        story.pass(61.0);
        assert_eq!(story.finding().0, "unschedulable", "the node did not come, and none will");
        let known = Known { named: vec![Arc::clone(&web.applied)], expected: Vec::new() };
        let standing = Standing::new(("demo", "qa"), "demo", known, RULES);
        let story = Story::of(vec![web], &[]);
        let told = |reason: &str| told_of_web_1(reason, "12:00:05");
        let usual = |reason: &str| story.rollout.selections().iter().any(|of| story_kind(of, &&told(reason)));
        assert!(!["Scheduled", "Created", "Started", "Killing"].into_iter().any(usual));
        let tells = |reason: &str| standing.selections().any(|of| story_kind(of, &&told(reason)));
        assert_eq!(["Pulled", "Pulling", "Nominated"].map(tells), [false, true, true], "what stands is not drawn");
    }

    fn told_of_web_1(reason: &str, time: &str) -> Value {
        let about = json!({"kind": "Pod", "namespace": "demo", "name": "web-1", "uid": "web-1-uid"});
        let metadata =
            json!({"name": format!("{reason}-{time}"), "namespace": "demo", "uid": format!("{reason}-{time}")});
        json!({"apiVersion": "v1", "kind": "Event", "metadata": metadata, "involvedObject": about, "type": "Normal",
            "reason": reason, "lastTimestamp": format!("2026-05-04T{time}Z"), "message": "of a node"})
    }

    #[test]
    fn a_volume_that_came_late_is_mounted_once_an_image_is_pulled() {
        let missing = |time: &str| {
            let mut event = told_of_web_1("FailedMount", time);
            event["type"] = json!("Warning");
            event["message"] = json!("MountVolume.SetUp failed for volume \"f\" : configmap \"f\" not found");
            event
        };
        let story = |told: &[Value]| {
            let web = deployment("web", 1);
            let seen = [live(&web, [2, 1, 1, 0]), replica_set("web-new", "web", "2")];
            let mut story = Story::of(vec![web], &seen);
            story.see(pod("web-1", "web-new", starting(), 0));
            told.iter().for_each(|event| story.see(event.clone()));
            story.pass(90.0);
            story
        };
        let (early, late) = (missing("12:00:05"), missing("12:00:20"));
        let pulling = told_of_web_1("Pulling", "12:00:21");
        assert_eq!(story(&[early.clone(), late.clone()]).finding().0, "config-missing");
        assert!(story(&[early.clone(), late.clone(), pulling.clone()]).end.is_none(), "its image takes long");
        assert!(story(&[pulling, early, late]).end.is_none(), "two watches tell it, in either order");
        assert_eq!(story(&[told_of_web_1("Pulled", "12:00:04"), missing("12:00:05")]).finding().0, "config-missing");
    }

    #[test]
    fn the_image_of_a_pod_is_told_to_be_there_once_and_is_no_evidence() {
        let web = deployment("web", 1);
        let seen = [live(&web, [2, 1, 1, 0]), replica_set("web-new", "web", "2")];
        let mut story = Story::of(vec![web], &seen);
        // its event may come first
        story.see(told_of_web_1("Pulled", "12:00:05"));
        story.see(pod("web-1", "web-new", starting(), 0));
        story.see(told_of_web_1("Pulled", "12:00:09"));
        story.pass(601.0);
        let pulled = |event: &RolloutEvent| match event {
            RolloutEvent::Pod { step: PodStep::Pulled, time, .. } => Some(time.to_string()),
            _ => None,
        };
        assert_eq!(story.said.iter().filter_map(pulled).collect::<Vec<_>>(), ["2026-05-04T12:00:05Z"]);
        assert!(!format!("{:?}", story.end()).contains("of a node"));
    }

    #[test]
    fn what_is_deleted_meanwhile_is_gone() {
        let web = deployment("web", 1);
        let mut story = Story::of(vec![web.clone()], &[live(&web, [2, 1, 1, 0])]);
        story.lose(live(&web, [2, 1, 1, 0]));
        assert_eq!(story.finding().0, "gone");
        assert!(matches!(story.end().states[0].1, Verdict::Gone { .. }));
    }

    #[test]
    fn what_another_changed_is_told() {
        let web = deployment("web", 1);
        let mut story = Story::of(vec![web.clone()], &[live(&web, [2, 1, 1, 0])]);
        let mut other = live(&web, [3, 1, 1, 0]);
        other["metadata"]["generation"] = json!(3);
        other["spec"]["template"]["spec"]["containers"][0]["image"] = json!("team/web:v1");
        let entry = |manager: &str, time: &str| json!({"manager": manager, "time": time, "fieldsV1": {"f:spec": {"f:template": {}}}});
        other["metadata"]["managedFields"] = json!([
            entry("helm", "2026-05-04T11:00:00Z"),
            entry("shipway", START),
            entry("kubectl-set", "2026-05-04T12:00:07Z")
        ]);
        story.see(other);
        let (code, _, text) = story.finding();
        assert_eq!(code, "overwritten");
        assert!(text.contains("was changed by kubectl-set after this deploy: it runs team/web:v1 now"), "{text}");
    }

    /// Of a Deployment that was applied with two variables: what becomes of it once the owners of its fields are these.
    fn after_another_wrote(ours: Value, others: &[Value]) -> Story {
        let entries = |ours: Value, others: &[Value]| {
            let ours = json!({"manager": "shipway", "operation": "Apply", "time": START, "fieldsV1": {"f:spec": ours}});
            let entries = [&[ours], others].concat();
            json!({"metadata": {"managedFields": entries}})
        };
        let mut web = deployment("web", 1);
        let applied = entries(json!({"f:replicas": {}, "f:template": {"A": {}, "B": {}}}), &[]);
        Arc::get_mut(&mut web.applied).unwrap().template = our_template(&applied);
        let mut now = live(&web, [3, 1, 1, 0]);
        now["metadata"]["generation"] = json!(3);
        now["metadata"]["managedFields"] = entries(ours, others)["metadata"]["managedFields"].take();
        let mut story = Story::of(vec![web.clone()], &[live(&web, [2, 1, 1, 0])]);
        story.see(now);
        story
    }

    #[test]
    fn what_another_took_over_of_the_template_is_told() {
        let by = |manager: &str, fields: Value| json!({"manager": manager, "operation": "Update", "time": "2026-05-04T12:00:07Z", "fieldsV1": {"f:spec": fields}});
        let changed = [by("kubectl-set", json!({"f:template": {"B": {}}}))];
        let story = after_another_wrote(json!({"f:replicas": {}, "f:template": {"A": {}}}), &changed);
        let (code, _, text) = story.finding();
        assert_eq!(code, "overwritten");
        assert!(
            text.ends_with("was changed by kubectl-set after this deploy: its pod template is another now"),
            "{text}"
        );
        let story = after_another_wrote(json!({"f:template": {"A": {}}}), &[]);
        let (code, _, text) = story.finding();
        assert_eq!(code, "overwritten", "who only takes away owns nothing");
        assert!(text.contains("was changed by another after this deploy"), "{text}");
        let added = [by("kubectl-rollout", json!({"f:template": {"f:metadata": {}}}))];
        let story = after_another_wrote(json!({"f:replicas": {}, "f:template": {"A": {}, "B": {}}}), &added);
        assert!(story.end.is_none(), "what others add takes nothing away");
        let scaled = [by("kubectl", json!({"f:replicas": {}}))];
        let story = after_another_wrote(json!({"f:template": {"A": {}, "B": {}}}), &scaled);
        assert!(story.end.is_none(), "a count is not of the template");
    }

    #[test]
    fn what_a_webhook_made_of_the_apply_is_no_others_change() {
        let web = deployment("web", 1);
        let mut scaled = live(&web, [3, 1, 1, 0]);
        scaled["metadata"]["generation"] = json!(3);
        scaled["spec"]["template"]["spec"]["containers"][0]["image"] = json!("mirror.example.com/team/web:v2");
        scaled["metadata"]["managedFields"] = json!([
            {"manager": "shipway", "time": START, "fieldsV1": {"f:spec": {"f:template": {}}}},
            {"manager": "kubectl", "time": "2026-05-04T12:00:07Z", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
        ]);
        let mut story = Story::of(vec![web.clone()], &[live(&web, [2, 1, 1, 0])]);
        story.see(scaled);
        assert!(story.end.is_none() && story.asked.is_empty());
    }

    /// A Deployment that stays as it is, whose controller was refused before; `other` is deployed with it.
    fn refused_before(other: &[Watched]) -> Story {
        let mut web = deployment("web", 1);
        web.changed = false;
        let mut set = replica_set("web-new", "web", "2");
        let message =
            "pods \"web-x\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0";
        set["status"]["conditions"] = json!([{"type": "ReplicaFailure", "status": "True", "lastTransitionTime": "2026-05-04T11:00:00Z", "message": message}]);
        let seen = [live(&web, [2, 0, 0, 0]), set];
        Story::of([&[web], other].concat(), &seen)
    }

    #[test]
    fn a_refusal_of_before_is_told_soon_where_nothing_was_changed() {
        let mut story = refused_before(&[]);
        story.pass(9.0);
        assert!(story.end.is_none());
        story.pass(2.0);
        assert_eq!((story.finding().0, story.finding().1), ("quota-exceeded", Exit::Rollout));
    }

    #[test]
    fn a_refusal_of_before_is_no_evidence_once_the_quota_was_raised() {
        let quota = watched("v1", "ResourceQuota", "small", json!({"hard": {"pods": "9"}}));
        let mut story = refused_before(std::slice::from_ref(&quota));
        story.pass(120.0);
        assert!(story.end.is_none(), "its controller has not tried again");
        let web = deployment("web", 1);
        story.see(replica_set("web-new", "web", "2"));
        story.see(pod("web-1", "web-new", running(), 0));
        story.see(live(&web, [2, 1, 1, 1]));
        story.pass(6.0);
        assert_eq!(story.end().problems, []);

        let mut quota = quota;
        Arc::make_mut(&mut quota.applied).at = Some("2026-05-04T12:00:05Z".to_owned());
        let mut story = refused_before(&[quota]);
        let about = json!({"kind": "ReplicaSet", "namespace": "demo", "name": "web-new", "uid": "web-new-uid"});
        let refused = |at: &str| {
            json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "demo", "uid": "e"},
                "involvedObject": about, "type": "Warning", "reason": "FailedCreate", "lastTimestamp": at,
                "message": "exceeded quota: small"})
        };
        story.see(refused("2026-05-04T12:00:05Z"));
        story.pass(20.0);
        assert!(story.end.is_none(), "it was refused once more before the quota was written");
        story.see(refused("2026-05-04T12:00:09Z"));
        story.pass(20.0);
        assert!(story.end.is_none(), "by the status of the quota, which follows");
        story.see(refused("2026-05-04T12:00:11Z"));
        story.pass(3.0);
        assert_eq!(story.finding().0, "quota-exceeded", "it has tried again");
    }

    #[test]
    fn what_a_claim_waits_for_counts_whenever_it_was_told() {
        let (mut claim, map) = (watched("v1", "PersistentVolumeClaim", "data", json!({})), deployment("web", 0));
        claim.changed = false;
        let mut pending = claim.body.clone();
        pending["metadata"]["uid"] = json!("data-uid");
        pending["status"] = json!({"phase": "Pending"});
        let about = json!({"kind": "PersistentVolumeClaim", "namespace": "demo", "name": "data", "uid": "data-uid"});
        let told = |reason: &str| {
            json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "demo", "uid": "e"},
            "involvedObject": about, "type": "Normal", "reason": reason, "lastTimestamp": "2026-05-03T12:00:00Z"})
        };
        let watched = vec![claim, map.clone()];
        let seen = |reason| [pending.clone(), live(&map, [2, 0, 0, 0]), told(reason)];
        assert_eq!(Story::of(watched.clone(), &seen("WaitForFirstConsumer")).end().problems, []);
        assert!(Story::of(watched, &seen("FailedBinding")).end.is_none(), "somebody may have made the volume");
    }

    #[test]
    fn the_account_that_each_namespace_gets_by_itself_is_waited_for() {
        let refused_for = |account: &str| {
            let web = deployment("web", 1);
            let mut set = replica_set("web-new", "web", "2");
            let message =
                format!("error looking up service account demo/{account}: serviceaccount \"{account}\" not found");
            set["status"]["conditions"] =
                json!([{"type": "ReplicaFailure", "status": "True", "lastTransitionTime": START, "message": message}]);
            let mut story = Story::of(vec![web.clone()], &[live(&web, [2, 0, 0, 0]), set]);
            story.pass(3.0);
            story
        };
        assert_eq!(refused_for("robot").finding().0, "service-account-missing");
        let mut story = refused_for("default");
        story.pass(55.0);
        assert!(story.end.is_none());
        story.pass(5.0);
        assert_eq!(story.finding().0, "service-account-missing");
    }

    #[test]
    fn a_paused_deployment_fails_after_two_looks() {
        let web = deployment("web", 1);
        let mut paused = live(&web, [2, 1, 0, 1]);
        paused["spec"]["paused"] = json!(true);
        let mut story = Story::of(vec![web], &[paused]);
        assert!(story.end.is_none());
        story.pass(2.1);
        assert_eq!(story.finding().0, "paused");
    }

    #[test]
    fn a_service_waits_for_an_endpoint_of_what_runs_behind_it() {
        let (web, service) =
            (deployment("web", 1), watched("v1", "Service", "front", json!({"selector": {"app": "web"}})));
        let idle = watched("v1", "Service", "idle", json!({"selector": {"app": "other"}}));
        let as_is = |watched: &Watched| {
            let mut body = watched.body.clone();
            body["metadata"]["uid"] = json!(watched.applied.uid);
            body
        };
        let seen = [
            live(&web, [2, 1, 1, 1]),
            replica_set("web-new", "web", "2"),
            pod("web-1", "web-new", running(), 0),
            as_is(&service),
            as_is(&idle),
        ];
        let mut story = Story::of(vec![web, service, idle], &seen);
        story.pass(20.0);
        assert!(story.end.is_none());
        let labels = json!({"kubernetes.io/service-name": "front"});
        let metadata = json!({"name": "front-x", "namespace": "demo", "uid": "slice", "labels": labels});
        let endpoint = json!({"addresses": ["10.0.0.1"], "conditions": {"ready": true}});
        story.see(json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata, "endpoints": [endpoint]}));
        story.pass(6.0);
        assert_eq!(story.end().problems, []);
    }

    #[test]
    fn a_service_waits_for_no_endpoint_of_what_somebody_has_scaled_to_nothing() {
        let (web, worker) = (deployment("web", 1), deployment("worker", 1));
        let service = watched("v1", "Service", "front", json!({"selector": {"app": "web"}}));
        let mut front = service.body.clone();
        front["metadata"]["uid"] = json!(service.applied.uid);
        let scaled = |replicas: u64| {
            let mut live = live(&web, [2, replicas, replicas, replicas]);
            live["spec"]["replicas"] = json!(replicas);
            live
        };
        let seen = [scaled(0), front, live(&worker, [1, 0, 0, 0])];
        let mut story = Story::of(vec![web.clone(), service, worker], &seen);
        let said = |story: &Story| {
            let of_front = story.said.iter().rev().find_map(|event| match event {
                RolloutEvent::Changed { object, verdict, .. } if object.kind == "Service" => Some(verdict.word()),
                _ => None,
            });
            of_front.expect("a word of it")
        };
        assert_eq!(said(&story), "ready", "nothing is meant to run");
        story.see(scaled(1));
        assert_eq!(said(&story), "waiting", "its pods are meant to run again");
        story.see(scaled(0));
        assert_eq!(said(&story), "ready");
    }

    #[test]
    fn pods_that_end_again_and_again_are_no_progress_for_long() {
        let web = deployment("web", 1);
        let ended = |number: usize| {
            let mut pod = owned("Pod", &format!("web-{number}"), "web-new");
            pod["status"] = json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."});
            pod
        };
        let mut story = Story::of(vec![web.clone()], &[live(&web, [2, 1, 1, 0]), replica_set("web-new", "web", "2")]);
        let mut before = ended(0);
        before["metadata"]["creationTimestamp"] = json!("2026-05-04T11:00:00Z");
        story.see(before);
        for number in 1..3 {
            story.see(ended(number));
        }
        story.pass(20.0);
        assert!(story.end.is_none(), "as many as are forgiven");
        story.see(ended(3));
        story.see(pod("web-4", "web-new", starting(), 0));
        assert!(story.end.is_none(), "two looks");
        story.pass(2.1);
        story.answer(Reply::LogUnavailable("gone".into()));
        let (code, exit, text) = story.finding();
        assert_eq!((code, exit), ("pod-failed", Exit::Rollout));
        assert_eq!(text, "deployment/web cannot keep its pods: Evicted: The node was low on memory.");

        // one after the other of many, each made good
        let many = deployment("web", 9);
        let mut story = Story::of(vec![many.clone()], &[live(&many, [2, 9, 9, 0]), replica_set("web-new", "web", "2")]);
        (0..9).for_each(|number| story.see(ended(number)));
        story.pass(20.0);
        assert!(story.end.is_none(), "{:?}", story.end);
    }

    fn job(conditions: Value) -> (Watched, Value) {
        let job = watched("batch/v1", "Job", "migrate", json!({"template": {}, "ttlSecondsAfterFinished": 1}));
        let mut live = job.body.clone();
        live["metadata"]["uid"] = json!("migrate-uid");
        live["status"] = json!({"conditions": conditions});
        (job, live)
    }

    #[test]
    fn a_failed_job_fails_at_once_with_the_log_of_its_pod() {
        let (watched, live) =
            job(json!([{"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded"}]));
        let mut pod = pod("migrate-1", "migrate", json!({"terminated": {"exitCode": 5}}), 0);
        pod["status"]["phase"] = json!("Failed");
        let mut story = Story::of(vec![watched], &[live, pod]);
        story.answer(Reply::Log(vec!["cannot migrate".into()]));
        let (code, _, text) = story.finding();
        assert_eq!(code, "job-failed");
        assert_eq!(text, "job/migrate failed: BackoffLimitExceeded: container `web` exits with code 5");
        assert!(story.end().problems[0].evidence.iter().any(|evidence| evidence.lines == ["cannot migrate"]));
    }

    #[test]
    fn each_run_of_a_jobs_container_is_shown_once_it_has_begun() {
        let (web, (watched, live_job)) = (deployment("web", 1), job(json!([])));
        let pod_of = |state, restarts| pod("migrate-1", "migrate", state, restarts);
        let mut story = Story::of(vec![web.clone(), watched], &[live(&web, [1, 1, 1, 1]), live_job]);
        story.see(pod("web-1", "web", running(), 0));
        story.see(pod_of(starting(), 0));
        assert!(story.shown.is_empty(), "{:?}", story.shown);
        story.see(pod_of(running(), 0));
        story.see(pod_of(running(), 0));
        assert_eq!(story.shown, ["migrate-1 web"]);
        story.see(pod_of(backing_off(), 1));
        story.see(pod_of(running(), 1));
        assert_eq!(story.shown, ["migrate-1 web"; 2]);
    }

    #[test]
    fn a_job_that_is_complete_and_then_deleted_stays_ready() {
        let (web, (watched, live_job)) = (deployment("web", 1), job(json!([{"type": "Complete", "status": "True"}])));
        let mut story = Story::of(vec![web.clone(), watched], &[live(&web, [1, 1, 1, 1]), live_job.clone()]);
        story.lose(live_job);
        assert!(story.end.is_none());
        assert!(story.rollout.selections().len() > 3);
        assert!(
            !story
                .said
                .iter()
                .any(|event| matches!(event, RolloutEvent::Changed { verdict: Verdict::Gone { .. }, .. }))
        );
    }

    #[test]
    fn a_job_that_goes_when_its_time_to_live_is_over_ends_as_it_did() {
        let ended = |kind: &str| {
            let (web, (watched, live_job)) = (deployment("web", 1), job(json!([{"type": kind, "status": "True"}])));
            let mut story = Story::of(vec![web.clone(), watched], &[live(&web, [1, 1, 1, 1]), live_job.clone()]);
            let mut going = live_job;
            going["metadata"]["deletionTimestamp"] = json!(START);
            story.see(going.clone());
            story.lose(going);
            (web, story)
        };
        let (web, mut story) = ended("Complete");
        assert!(story.end.is_none());
        story.see(replica_set("web-new", "web", "2"));
        story.see(pod("web-1", "web-new", running(), 0));
        story.see(live(&web, [2, 1, 1, 1]));
        story.pass(6.0);
        assert_eq!(story.end().problems, []);
        let job = story.end().states.iter().find(|(id, ..)| id.kind == "Job").expect("the job");
        assert_eq!(job.1, Verdict::Ready);
        let (_, story) = ended("Failed");
        assert_eq!(story.finding().0, "job-failed");
    }

    #[test]
    fn a_job_that_is_deleted_while_it_runs_is_gone_whatever_its_time_to_live() {
        let (watched, running) = job(json!([]));
        let mut story = Story::of(vec![watched.clone()], std::slice::from_ref(&running));
        story.lose(running.clone());
        assert_eq!(story.finding().0, "gone");
        // how it ended while the watch was cut is not known
        let mut story = Story::of(vec![watched], std::slice::from_ref(&running));
        let selection = story.selection(&running);
        story.input(Input::Seen(Seen::Listed { selection, objects: Vec::new() }));
        assert!(matches!(story.end().states[0].1, Verdict::Assumed { .. }), "{:?}", story.end);
    }

    #[test]
    fn the_log_of_a_failed_job_is_awaited_although_the_job_goes() {
        let (watched, live) = job(json!([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]));
        let mut pod = pod("migrate-1", "migrate", json!({"terminated": {"exitCode": 5}}), 0);
        pod["status"]["phase"] = json!("Failed");
        pod["metadata"]["labels"] = json!({"batch.kubernetes.io/job-name": "migrate"});
        let mut story = Story::of(vec![watched], &[live.clone(), pod.clone()]);
        story.lose(pod);
        story.lose(live);
        assert!(story.end.is_none());
        story.answer(Reply::Log(vec!["cannot migrate".into()]));
        assert!(story.end().problems[0].evidence.iter().any(|evidence| evidence.lines == ["cannot migrate"]));
    }

    #[test]
    fn a_job_is_explained_by_a_pod_that_was_deleted_with_it() {
        let (watched, running) = job(json!([]));
        let mut pod = owned("Pod", "migrate-x", "migrate");
        pod["metadata"]["labels"] = json!({"batch.kubernetes.io/job-name": "migrate"});
        let end = json!({"terminated": {"exitCode": 5, "reason": "Error"}});
        pod["status"] = json!({"phase": "Failed", "containerStatuses": [{"name": "web", "state": end}]});
        let mut story = Story::of(vec![watched], &[running]);
        story.see(pod.clone());
        story.lose(pod);
        story.see(job(json!([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}])).1);
        story.pass(11.0);
        let (code, _, text) = story.finding();
        assert_eq!(code, "job-failed");
        assert!(text.contains("container `web` exits with code 5"), "{text}");
    }

    #[test]
    fn one_cause_is_told_once() {
        let (mut web, mut worker) = (deployment("web", 2), deployment("worker", 1));
        web.images.clear();
        worker.images.clear();
        let seen = [
            live(&web, [2, 2, 2, 0]),
            replica_set("web-new", "web", "2"),
            pod("web-1", "web-new", no_image(), 0),
            pod("web-2", "web-new", no_image(), 0),
            live(&worker, [2, 1, 1, 0]),
            replica_set("worker-new", "worker", "2"),
            pod("worker-1", "worker-new", no_image(), 0),
        ];
        let mut story = Story::of(vec![web, worker], &seen);
        assert_eq!(story.asked.len(), 1, "one image is asked for once");
        story.answer(Reply::ImageMissing);
        assert_eq!(story.end().problems.len(), 1);
        assert_eq!(story.end().problems[0].count, 3);
    }

    #[test]
    fn nothing_is_judged_before_everything_was_listed() {
        let web = deployment("web", 1);
        let mut rollout = Rollout::new("demo", vec![web], RULES, START.parse().unwrap());
        let effects = rollout.step(START.parse().unwrap(), Input::Tick);
        assert!(effects.iter().all(|effect| matches!(effect, Effect::WakeAt(_))));
        let selections = rollout.selections();
        let kinds: Vec<&str> = selections.iter().map(|selection| selection.resource.kind.as_str()).collect();
        assert_eq!(kinds, ["Deployment", "ReplicaSet", "Pod", "Event", "Event"]);
        let late: Timestamp = "2026-05-04T12:10:01Z".parse().unwrap();
        let selection = selections[0].clone();
        let effects = rollout.step(late, Input::Seen(Seen::Interrupted { selection, text: "forbidden".into() }));
        let end = effects.iter().find_map(|effect| if let Effect::Settled(end) = effect { Some(end) } else { None });
        let problem = &end.expect("an end").problems[0];
        assert_eq!((problem.code, problem.exit), ("not-observed", Exit::TimedOut));
        assert!(problem.hints[0].contains("get, list and watch"), "{problem:?}");
        let effects = rollout.step(late, Input::Tick);
        assert!(effects.is_empty(), "it has ended");
    }

    #[test]
    fn neither_failure_nor_success_follows_from_what_was_seen_before_a_watch_was_cut() {
        let web = deployment("web", 1);
        let without_image = pod("web-1", "web-new", no_image(), 0);
        let mut story = Story::of(
            vec![web.clone()],
            &[live(&web, [2, 1, 1, 0]), replica_set("web-new", "web", "2"), without_image],
        );
        story.answer(Reply::ImageMissing);
        let pods = story.selection(&pod("web-1", "web-new", running(), 0));
        let cut = |story: &mut Story| {
            story.input(Input::Seen(Seen::Interrupted { selection: pods.clone(), text: "cut".into() }));
        };
        let resume = |story: &mut Story| story.input(Input::Seen(Seen::Resumed { selection: pods.clone() }));
        cut(&mut story);
        story.pass(60.0);
        assert!(story.end.is_none(), "{:?}", story.end);
        // what was missed comes a moment later
        resume(&mut story);
        story.pass(0.5);
        story.see(pod("web-1", "web-new", running(), 0));
        story.see(live(&web, [2, 1, 1, 1]));
        story.pass(2.0);
        cut(&mut story);
        story.pass(60.0);
        assert!(story.end.is_none(), "settled blindly");
        resume(&mut story);
        story.pass(0.5);
        story.see(pod("web-1", "web-new", backing_off(), 1));
        story.see(live(&web, [2, 1, 1, 0]));
        story.pass(10.0);
        assert!(story.end.is_none(), "{:?}", story.end);
        story.see(pod("web-1", "web-new", running(), 1));
        story.see(live(&web, [2, 1, 1, 1]));
        story.pass(10.0);
        assert_eq!(story.end().problems, []);
    }

    #[test]
    fn plain_objects_are_ready_without_a_look() {
        let flags = watched("v1", "ConfigMap", "flags", json!({}));
        let story = Story::of(vec![flags], &[]);
        assert_eq!(story.end().states.len(), 1);
        assert_eq!(story.end().states[0].1, Verdict::Ready);
    }

    #[test]
    fn a_balancer_that_gets_no_address_and_a_selector_without_pods_are_warnings() {
        let spec = json!({"type": "LoadBalancer", "selector": {"app": "nobody"}});
        let service = watched("v1", "Service", "web", spec);
        let mut body = service.body.clone();
        body["metadata"]["uid"] = json!(service.applied.uid);
        let slice = json!({"kind": "EndpointSlice", "metadata": {"name": "web-1", "namespace": "demo", "uid": "s",
            "labels": {"kubernetes.io/service-name": "web"}}, "endpoints": null});
        let mut story = Story::of(vec![service.clone()], &[body.clone(), slice.clone()]);
        story.pass(59.0);
        assert!(story.end.is_none());
        story.pass(2.0);
        let codes = |story: &Story| -> Vec<&'static str> {
            let code = |event: &RolloutEvent| match event {
                RolloutEvent::Warning { problem } => Some(problem.code),
                _ => None,
            };
            story.said.iter().filter_map(code).collect()
        };
        assert!(matches!(story.end().states[0].1, Verdict::Assumed { .. }));
        assert_eq!(codes(&story), ["no-address"]);

        body["spec"]["type"] = json!("ClusterIP");
        let story = Story::of(vec![service.clone()], &[body.clone(), slice.clone()]);
        assert_eq!((codes(&story).as_slice(), &story.end().states[0].1), (&["selects-nothing"][..], &Verdict::Ready));
        let mut none = deployment("nobody", 0);
        Arc::make_mut(&mut none.applied).uid = "other".into();
        let mut idle = live(&none, [2, 0, 0, 0]);
        idle["metadata"]["uid"] = json!("other");
        let story = Story::of(vec![service, none], &[body, slice, idle]);
        assert!(codes(&story).is_empty());
    }

    #[test]
    fn a_thousand_pods_are_not_looked_at_for_each_change() {
        let web = deployment("web", 1000);
        let mut story =
            Story::of(vec![web.clone()], &[live(&web, [2, 1000, 1000, 0]), replica_set("web-new", "web", "2")]);
        for number in 0..1000 {
            story.see(pod(&format!("web-{number}"), "web-new", starting(), 0));
        }
        for number in 0..1000 {
            story.see(pod(&format!("web-{number}"), "web-new", running(), 0));
        }
        story.see(live(&web, [2, 1000, 1000, 1000]));
        story.pass(6.0);
        assert_eq!(story.end().proof[0].proven, 1000);
        story.said.retain(|event| !matches!(event, RolloutEvent::Pod { .. }));
        assert!(story.said.len() < 100, "{} events", story.said.len());
    }

    #[test]
    fn saved_objects_are_judged_by_the_same_rules() {
        let web = deployment("web", 2);
        let objects = [
            live(&web, [2, 2, 2, 1]),
            replica_set("web-new", "web", "2"),
            pod("web-1", "web-new", running(), 0),
            pod("web-2", "web-new", backing_off(), 9),
        ];
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let status = judge_saved(&[list], &[]);
        assert_eq!(status.len(), 1);
        assert_eq!((status[0].verdict, status[0].progress.ready, status[0].progress.wanted), ("failed", 1, 2));
        assert_eq!(status[0].problem.as_ref().unwrap().code, "crash-loop");
        assert_eq!(status[0].pods.len(), 2);
        assert!(
            status[0].pods.iter().any(|pod| pod.reason.as_deref() == Some("CrashLoopBackOff") && pod.restarts == 9)
        );
        assert_eq!(judge_saved(&[live(&web, [2, 2, 2, 2])], &[])[0].verdict, "ready");
    }

    #[test]
    fn traffic_waits_for_ready_pods_and_moved_endpoints() {
        let labelled = |name: &str, color: &str, state: Value| {
            let mut pod = pod(name, color, state, 0);
            pod["metadata"]["labels"] = json!({"color": color});
            pod
        };
        let pods = [
            labelled("g-1", "green", running()),
            labelled("g-2", "green", starting()),
            labelled("b-1", "blue", running()),
        ];
        let selector = [("color".to_owned(), "green".to_owned())].into();
        let green = deployment("green", 2).body;
        let ready = traffic_ready(&selector, &pods, &[&green]);
        assert_eq!((ready.ready, ready.wanted), (1, 2));
        assert_eq!(ready.not_ready, ["g-2 pulling image and starting"]);
        let endpoint = |name: &str, ready: bool| json!({"addresses": ["10.0.0.1"], "conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": name}});
        let slice = |endpoints: Vec<Value>| json!({"kind": "EndpointSlice", "endpoints": endpoints});
        let slices = [
            slice(vec![endpoint("g-1", true), endpoint("g-2", false), endpoint("b-1", true)]),
            slice(vec![endpoint("g-1", true)]),
        ];
        assert_eq!(endpoints(&slices, &pods, &selector), traffic::Endpoints { new: 1, old: 1 });
    }
}
