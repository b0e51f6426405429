//! Recorded streams and answers for the snapshots.

mod answers;
mod states;

use jiff::Timestamp;

use crate::model::{
    Answer, ApplyEvent, BuildEvent, Change, Commit, Connection, Digest, Event, Evidence, Exit, FieldChange, Image,
    ImagePlatform, LayerState, LockEvent, Note, ObjectChange, ObjectId, ObjectOutcome, Origin, Outcome, Platform,
    PodStep, PodsOnImage, Problem, Progress, PushEvent, Reference, RolloutEvent, SourceEvent, Sourced, Stamped,
    StepState, SwitchEvent, Target, TrafficStatus, Verdict,
};

pub(super) use answers::{clusters, environments, history, plan, problems};
pub(super) use states::{others, others_status, saved, status, watch, wide};

/// 2026-11-20 12:01:00 UTC and so many seconds.
pub(super) fn at(seconds: f64) -> Timestamp {
    let start: Timestamp = "2026-11-20T12:01:00Z".parse().expect("a timestamp");
    start + jiff::SignedDuration::from_secs_f64(seconds)
}

fn stamped(seconds: f64, event: impl Into<Event>) -> Stamped {
    Stamped { v: 1, at: at(seconds), event: event.into() }
}

pub(super) fn object(kind: &str, name: &str) -> ObjectId {
    let group = if matches!(kind, "Deployment" | "StatefulSet") { "apps" } else { "" };
    ObjectId { group: group.into(), kind: kind.into(), namespace: Some("demo".into()), name: name.into() }
}

fn digest(start: &str) -> Digest {
    format!("sha256:{start}{}", "0".repeat(64 - start.len())).parse().expect("a digest")
}

fn reference(text: &str, start: &str) -> Reference {
    text.parse::<Reference>().expect("a reference").with_digest(digest(start))
}

fn new_image() -> Reference {
    reference("registry.example.com/team/demo:master-fc598063", "05ee9b3c")
}

fn old_image() -> Reference {
    reference("registry.example.com/team/demo:master-1a2b3c4d", "9c1f0d2e")
}

fn image() -> Image {
    let platform =
        ImagePlatform { platform: Platform("linux/amd64".into()), manifest: digest("aa"), config: digest("bb") };
    Image { reference: new_image(), platforms: vec![platform] }
}

fn commit() -> Commit {
    Commit { sha: format!("fc598063{}", "0".repeat(32)), subject: "Fix the cart".into(), author: "".into(), time: 0 }
}

fn target() -> Target {
    let rule = || Origin::Rule("branch master is the default branch".into());
    Target {
        app: "demo".into(),
        environment: Sourced::new("production".into(), rule()),
        namespace: Sourced::new("demo".into(), Origin::Default),
        branch: Some(Sourced::new("master".into(), Origin::Git("HEAD".into()))),
        git_tag: None,
        commit: Some(commit()),
        tag: Sourced::new("master-fc598063".into(), Origin::Default),
        pull_request: None,
        run_url: None,
        user: None,
        confirm: true,
    }
}

fn connection() -> Connection {
    Connection {
        server: "https://203.0.113.1:6443".into(),
        context: Some("prod".into()),
        user: Some("ci-deployer".into()),
        origin: "shipway.yaml:9".into(),
    }
}

fn start() -> Vec<Stamped> {
    vec![
        stamped(0.0, SourceEvent::Target { target: Box::new(target()) }),
        stamped(0.1, SourceEvent::Connection { connection: connection() }),
        stamped(0.3, SourceEvent::Order { order: "follows 1a2b3c4d by 2 commits".into() }),
        stamped(0.4, SourceEvent::Image { image: image() }),
    ]
}

fn change(kind: &str, name: &str, change: Change, fields: Vec<FieldChange>) -> ObjectChange {
    ObjectChange { object: object(kind, name), change, fields, remark: None }
}

fn field(path: &str, before: Option<&str>, after: Option<&str>, remark: Option<&str>) -> FieldChange {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    FieldChange { path: path.into(), before: owned(before), after: owned(after), remark: owned(remark) }
}

fn image_field() -> FieldChange {
    let tagged = |tag: &str, digest: &str| format!("team/demo:{tag}@{digest}");
    let (before, after) = (tagged("master-1a2b3c4d", "9c1f0d2e"), tagged("master-fc598063", "05ee9b3c"));
    field("containers[web].image", Some(&before), Some(&after), None)
}

fn progress(ready: usize, wanted: usize, old: usize, awaiting: Option<&str>) -> Progress {
    Progress { wanted, ready, old, awaiting: awaiting.map(str::to_owned) }
}

fn rollout(seconds: f64, name: &str, verdict: Verdict, progress: Progress) -> Stamped {
    stamped(seconds, RolloutEvent::Changed { object: object("Deployment", name), verdict, progress, seconds })
}

const WAITING: Verdict = Verdict::Waiting { problem: None };
const PULLING: &str = "pod web-6c9f5-x2k4 pulling image";

/// A deploy that waits for the lock and ends well.
pub(super) fn deploy() -> (Vec<Stamped>, Outcome) {
    let mut events = start();
    events.extend([
        stamped(0.5, LockEvent::Waiting { holder: "ci run 812".into(), since: Some(at(0.0)) }),
        stamped(4.5, LockEvent::Taken { waited: 4.0 }),
        stamped(
            4.6,
            ApplyEvent::Adopted {
                object: object("Service", "demo"),
                managers: vec!["kubectl-client-side-apply".into()],
            },
        ),
        stamped(4.7, ApplyEvent::Object { change: change("ConfigMap", "flags", Change::Created, vec![]) }),
        stamped(6.1, ApplyEvent::Object { change: change("Deployment", "web", Change::Changed, vec![image_field()]) }),
        stamped(
            6.1,
            ApplyEvent::Object { change: change("Deployment", "worker", Change::Changed, vec![image_field()]) },
        ),
        stamped(6.2, ApplyEvent::Object { change: change("Service", "demo", Change::Unchanged, vec![]) }),
        stamped(6.3, ApplyEvent::Done { created: 1, changed: 2, unchanged: 4, seconds: 0.4 }),
    ]);
    events.extend(waits());
    let ready = |kind, name, change| ObjectOutcome {
        id: object(kind, name),
        change,
        verdict: "ready",
        why: None,
        context: None,
    };
    let outcome = Outcome {
        app: Some("demo".into()),
        environment: Some("production".into()),
        namespace: Some("demo".into()),
        commit: Some(commit().sha),
        tag: Some("master-fc598063".into()),
        images: vec![PodsOnImage {
            name: "registry.example.com/team/demo".into(),
            tag: "master-fc598063".into(),
            digest: Some(digest("05ee9b3c")),
            pods: 5,
        }],
        objects: vec![ready("Deployment", "web", Change::Changed), ready("ConfigMap", "flags", Change::Created)],
        truth: Some("deployed master-fc598063 to production in 42 s · http://203.0.113.10".into()),
        seconds: 42.0,
        ..Outcome::new(Exit::Done)
    };
    (events, outcome)
}

/// From the first pod to the end.
fn waits() -> Vec<Stamped> {
    vec![
        rollout(6.5, "web", WAITING, progress(0, 3, 3, Some(PULLING))),
        rollout(6.6, "worker", WAITING, progress(0, 2, 2, Some("pod worker-77d6-lk2p9 starting"))),
        rollout(9.5, "worker", Verdict::Ready, progress(2, 2, 0, None)),
        rollout(10.0, "web", WAITING, progress(2, 3, 1, Some(PULLING))),
        stamped(
            40.0,
            RolloutEvent::Waiting {
                object: object("Deployment", "web"),
                progress: progress(2, 3, 1, Some(PULLING)),
                seconds: 30.0,
            },
        ),
        rollout(41.0, "web", Verdict::Ready, progress(3, 3, 0, None)),
        stamped(41.1, RolloutEvent::Settling { seconds: 5.0 }),
        stamped(46.1, RolloutEvent::Proof { image: new_image(), proven: 5, pods: 5 }),
        stamped(46.3, LockEvent::Released),
    ]
}

pub(super) fn crash_loop() -> Problem {
    let problem =
        Problem::new("crash-loop", Exit::Rollout, "deployment/web does not start: container `web` exits with code 3")
            .about(object("Deployment", "web"))
            .with(Evidence::new("pod", ["web-677bb-kgwgt, third exit after 18 s"]))
            .with(Evidence::new("node", ["node1"]))
            .with(Evidence::new("since", ["2026-11-20T12:01:03Z"]))
            .with(Evidence::new("image", ["team/demo@05ee9b3c"]))
            .with(Evidence::new("last log", ["boom: no database", "   at connect (db.rb:12)"]))
            .with(Evidence::new("events", ["back-off restarting failed container (x3)"]))
            .hint("`kubectl -n demo logs web-677bb-kgwgt --container web --previous` shows all of its log")
            .hint("`shipway rollback --env qa` brings master-1a2b3c4d back");
    Problem { count: 3, ..problem }
}

/// A deploy whose pods crash.
pub(super) fn failure() -> (Vec<Stamped>, Outcome) {
    let mut events = start();
    let suspect = Verdict::Suspect { problem: crash_loop(), grace: 10.0 };
    events.extend([
        stamped(1.0, LockEvent::Taken { waited: 0.0 }),
        stamped(1.2, ApplyEvent::Object { change: change("Deployment", "web", Change::Changed, vec![image_field()]) }),
        stamped(1.3, ApplyEvent::Done { created: 0, changed: 1, unchanged: 6, seconds: 0.1 }),
        rollout(1.4, "web", WAITING, progress(0, 3, 3, None)),
        rollout(8.0, "web", suspect.clone(), progress(0, 3, 3, Some("pod web-677bb-kgwgt waits to start again"))),
        rollout(9.0, "web", suspect, progress(0, 3, 3, Some("pod web-677bb-kgwgt runs, is not ready yet"))),
        rollout(18.0, "web", Verdict::Failed { problem: crash_loop() }, progress(0, 3, 3, None)),
    ]);
    let why = Some(crash_loop());
    let outcome = Outcome {
        app: Some("demo".into()),
        environment: Some("qa".into()),
        objects: vec![ObjectOutcome {
            id: object("Deployment", "web"),
            change: Change::Changed,
            verdict: "failed",
            why,
            context: None,
        }],
        problems: vec![crash_loop()],
        truth: Some("the old version still serves: 3/3 pods run team/demo@9c1f0d2e (1a2b3c4d)".into()),
        seconds: 19.0,
        ..Outcome::new(Exit::Rollout)
    };
    (events, outcome)
}

fn step(seconds: f64, id: &str, name: &str, state: StepState, took: Option<f64>) -> Stamped {
    let image = "registry.example.com/team/demo:master-fc598063".parse().expect("a reference");
    stamped(seconds, BuildEvent::Step { image, id: id.into(), name: name.into(), state, seconds: took })
}

/// A build and its push.
pub(super) fn build_and_push() -> (Vec<Stamped>, Outcome) {
    let plain = || "registry.example.com/team/demo:master-fc598063".parse::<Reference>().expect("a reference");
    let layer = |seconds, layer: &str, state, sent, total| {
        stamped(seconds, PushEvent::Layer { reference: plain(), layer: layer.into(), state, sent, total })
    };
    let install = "[runtime 3/4] RUN bundle install --deployment --without development test";
    let events = vec![
        stamped(0.0, BuildEvent::Started { image: plain(), dockerfile: "Dockerfile".into() }),
        stamped(0.2, BuildEvent::Context { image: plain(), files: 12, bytes: 48_200 }),
        step(0.5, "a", "[runtime 1/4] FROM docker.io/library/ruby:3.4", StepState::Cached, None),
        step(0.6, "b", "[runtime 2/4] COPY Gemfile Gemfile.lock ./", StepState::Cached, None),
        step(0.7, "c", install, StepState::Running, None),
        stamped(
            2.0,
            BuildEvent::Log {
                image: plain(),
                id: "c".into(),
                lines: vec!["Fetching rake 13.2.1".into(), "Installing rake 13.2.1".into()],
            },
        ),
        step(13.0, "c", install, StepState::Done, Some(12.3)),
        step(13.1, "d", "[runtime 4/4] COPY . .", StepState::Running, None),
        step(13.2, "d", "[runtime 4/4] COPY . .", StepState::Done, Some(0.1)),
        stamped(
            14.0,
            BuildEvent::Done { image: plain(), id: digest("cc").to_string(), steps: 4, cached: 2, seconds: 14.0 },
        ),
        stamped(14.1, PushEvent::Started { reference: plain() }),
        layer(14.2, "4abcf206", LayerState::Exists, 0, 0),
        layer(14.3, "91d30c5b", LayerState::Pushing, 0, 40_100_000),
        layer(15.3, "91d30c5b", LayerState::Pushing, 12_300_000, 40_100_000),
        layer(17.3, "91d30c5b", LayerState::Pushed, 40_100_000, 40_100_000),
        stamped(17.5, PushEvent::Done { reference: plain(), digest: digest("05ee9b3c"), seconds: 3.4 }),
    ];
    let outcome = Outcome { answer: Answer::Pushed(vec![image()]), seconds: 17.5, ..Outcome::new(Exit::Done) };
    (events, outcome)
}

fn side(color: &str, serves: bool, image: Reference) -> TrafficStatus {
    let tag = image.tag.clone();
    TrafficStatus {
        service: object("Service", "demo-bg"),
        color: color.into(),
        serves,
        pods: 3,
        tag,
        image: Some(image),
    }
}

/// A switch, and one that has nothing to do.
pub(super) fn switch() -> (Vec<Stamped>, Outcome) {
    let service = || object("Service", "demo-bg");
    let colors = vec![side("blue", true, old_image()), side("green", false, new_image())];
    let mut events = start()[..2].to_vec();
    events.extend([
        stamped(0.5, SwitchEvent::Planned { service: service(), from: "blue".into(), to: "green".into(), colors }),
        stamped(0.6, SwitchEvent::Checked { color: "green".into(), ready: 3 }),
        stamped(0.7, SwitchEvent::Selector { service: service(), color: "green".into() }),
        stamped(0.8, SwitchEvent::Endpoints { new: 1, old: 2, seconds: 0.1 }),
        stamped(1.1, SwitchEvent::Endpoints { new: 3, old: 0, seconds: 0.4 }),
        stamped(
            2.0,
            SwitchEvent::Unneeded {
                service: service(),
                color: "green".into(),
                why: "the newest proven release is green".into(),
            },
        ),
    ]);
    let truth = Some("green serves · back: shipway switch --back".into());
    (events, Outcome { truth, seconds: 1.2, ..Outcome::new(Exit::Done) })
}

/// A stream that holds a note of each weight and what steers a terminal.
pub(super) fn notes() -> (Vec<Stamped>, Outcome) {
    let events = vec![
        stamped(0.0, Note::new("image", "pinned to a digest in kubernetes/demo.yaml:7, replaced")),
        stamped(
            0.1,
            Note::attention("target", "the default branch is not known here: qa is meant (`--env` says otherwise)"),
        ),
        stamped(
            0.2,
            Note::new(
                "apply",
                "a name with \u{1b}[31mcolour\u{1b}[0m, the password hunter2-hunter2 and \u{202e}direction",
            ),
        ),
        stamped(0.3, RolloutEvent::Warning { problem: crash_loop() }),
        stamped(
            0.4,
            RolloutEvent::Log {
                object: object("Job", "migrate-7"),
                pod: "migrate-7-x2k4p".into(),
                container: "migrate".into(),
                lines: vec!["adding the column `colour`".into(), "\u{1b}[2Jdone".into()],
            },
        ),
    ];
    (events, Outcome { seconds: 3.0, ..Outcome::new(Exit::Interrupted) })
}

/// A pod's step, so many seconds after the start.
fn pod(seconds: f64, workload: &str, name: &str, step: PodStep, time: i64) -> Stamped {
    let time = at(0.0) + jiff::SignedDuration::from_secs(time);
    stamped(seconds, RolloutEvent::Pod { object: object("Deployment", workload), pod: name.into(), step, time })
}

/// The same deploy with what its pods went through.
pub(super) fn deploy_with_pods() -> (Vec<Stamped>, Outcome) {
    let (mut events, outcome) = deploy();
    events.extend([
        pod(46.4, "web", "web-5d7c9-old7q", PodStep::Created, -3600),
        pod(46.4, "web", "web-5d7c9-old7q", PodStep::Ready, -3590),
        pod(46.4, "web", "web-5d7c9-old7q", PodStep::Leaving, 41),
        pod(46.4, "web", "web-5d7c9-old7q", PodStep::Gone, 43),
        pod(46.4, "web", "web-6c9f5-x2k4", PodStep::Created, 6),
        pod(46.4, "web", "web-6c9f5-x2k4", PodStep::Scheduled, 9),
        pod(46.4, "web", "web-6c9f5-x2k4", PodStep::Pulled, 37),
        pod(46.4, "web", "web-6c9f5-x2k4", PodStep::Started, 39),
        pod(46.4, "web", "web-6c9f5-x2k4", PodStep::Ready, 41),
        pod(46.4, "worker", "worker-77d6-lk2p9", PodStep::Created, 6),
        pod(46.4, "worker", "worker-77d6-lk2p9", PodStep::Started, 7),
        pod(46.4, "worker", "worker-77d6-lk2p9", PodStep::Ready, 9),
    ]);
    (events, outcome)
}

/// A line that a hook wrote.
pub(super) fn log(line: &str) -> Stamped {
    let (pod, container, lines) = ("migrate-7-x2k4p".into(), "migrate".into(), vec![line.to_owned()]);
    stamped(0.4, RolloutEvent::Log { object: object("Job", "migrate-7"), pod, container, lines })
}

/// So many workloads, some of them ready.
pub(super) fn many_workloads(count: usize) -> Vec<Stamped> {
    let one = |number: usize| {
        let name = format!("worker-{number}");
        match number % 5 {
            0 => rollout(2.0, &name, WAITING, progress(1, 3, 2, Some(&format!("pod {name}-6c9f5-x2k4 starting")))),
            _ => rollout(2.0, &name, Verdict::Ready, progress(3, 3, 0, None)),
        }
    };
    (0..count).map(one).collect()
}
