//! What runs where, in each state that an environment can be in.

use super::{at, commit, new_image, object, old_image, progress, rollout, side, stamped};
use crate::model::{
    Address, Answer, Commit, EnvironmentStatus, Evidence, Exit, Health, LockStatus, Outcome, PastDeploy, PodStatus,
    Problem, Progress, RecordState, Reference, RolloutEvent, Stamped, Status, StatusChange, StatusEvent, Verdict,
    WorkloadStatus,
};

fn workload(name: &str, progress: Progress, images: Vec<Reference>) -> WorkloadStatus {
    WorkloadStatus {
        object: object("Deployment", name),
        verdict: "ready",
        progress,
        images,
        problem: None,
        pods: vec![],
        color: None,
        remark: None,
    }
}

fn deploy(tag: &str, age: i64, by: &str) -> PastDeploy {
    PastDeploy {
        revision: 12,
        state: RecordState::Succeeded,
        current: false,
        at: at(-(age as f64)),
        age,
        commit: Some(Commit { author: "A. Developer".into(), time: at(-300_000.0).as_second(), ..commit() }),
        branch: Some("master".into()),
        tag: tag.into(),
        images: vec![new_image()],
        color: None,
        by: by.into(),
        source: None,
        pull_request: None,
    }
}

fn environment(name: &str, health: Health, workloads: Vec<WorkloadStatus>) -> EnvironmentStatus {
    let namespace = if name == "production" { "demo".to_owned() } else { format!("demo-{name}") };
    EnvironmentStatus { health, workloads, ..EnvironmentStatus::new(Some(name), &namespace, None) }
}

fn address(kind: &str, url: &str) -> Address {
    Address { object: object(kind, "demo"), url: url.into() }
}

fn pod(name: &str, ready: bool, restarts: u32, reason: Option<&str>) -> PodStatus {
    let restarted = (restarts > 0).then_some(200);
    PodStatus { name: name.into(), ready, restarts, restarted, reason: reason.map(str::to_owned) }
}

/// Two colours, both well.
fn production() -> EnvironmentStatus {
    let colored = |name: &str, image, remark: &str| WorkloadStatus {
        color: Some(name.into()),
        remark: Some(remark.into()),
        ..workload(name, progress(3, 3, 0, None), vec![image])
    };
    let worker = WorkloadStatus {
        pods: vec![pod("worker-5d4f-aaaaa", true, 7, None)],
        ..workload("worker", progress(1, 1, 0, None), vec![new_image()])
    };
    EnvironmentStatus {
        deploy: Some(deploy("master-fc598063", 7300, "ci run https://ci.example.com/team/demo/-/pipelines/812")),
        colors: vec![side("blue", false, old_image()), side("green", true, new_image())],
        addresses: vec![
            address("Service", "http://203.0.113.10"),
            address("Ingress", "https://demo.example.com/shop"),
            address("Ingress", "https://www.example.com"),
        ],
        ..environment(
            "production",
            Health::Healthy,
            vec![colored("blue", old_image(), "way back"), colored("green", new_image(), "serves"), worker],
        )
    }
}

/// A crash loop after a deploy that failed, and a pod that still starts.
fn failing() -> EnvironmentStatus {
    let crash =
        Problem::new("crash-loop", Exit::Rollout, "deployment/web does not start: container `web` exits with code 3")
            .with(Evidence::new("pod", ["web-677bb-kgwgt (and 4 more alike), 5th exit after 1 s"]))
            .with(Evidence::new(
                "last log",
                ["reading settings", "connecting to db.internal:5432", "boom: no database", "at connect (db.rb:12)"],
            ));
    let broken = |end: &str, restarts| pod(&format!("web-677bb-{end}"), false, restarts, Some("CrashLoopBackOff"));
    let web = WorkloadStatus {
        verdict: "failed",
        problem: Some(crash),
        pods: vec![broken("kgwgt", 5), broken("22222", 4), broken("33333", 5), broken("44444", 4), broken("55555", 4)],
        ..workload("web", progress(1, 6, 1, None), vec![])
    };
    let worker = WorkloadStatus {
        verdict: "waiting",
        pods: vec![pod("worker-77d6-lk2p9", false, 2, Some("pulling image and starting"))],
        ..workload("worker", progress(1, 2, 0, Some("pod worker-77d6-lk2p9 pulling image and starting")), vec![])
    };
    let good = deploy("feature_cart-77d1ab00", 90_000, "bob");
    EnvironmentStatus {
        deploy: Some(PastDeploy { state: RecordState::Failed, ..deploy("feature_cart-0c2a77d1", 610, "alice") }),
        proven: Some(good),
        addresses: vec![address("Service", "port 30080 of every node")],
        ..environment("qa", Health::Failing, vec![web, worker])
    }
}

/// One that is being deployed to at the moment.
fn at_work() -> EnvironmentStatus {
    let web = WorkloadStatus {
        verdict: "waiting",
        ..workload("web", progress(1, 3, 2, Some("pod web-6c9f5-x2k4 starting")), vec![new_image()])
    };
    EnvironmentStatus {
        deploy: Some(PastDeploy { state: RecordState::Running, ..deploy("master-fc598063", 12, "alice") }),
        proven: Some(deploy("master-1a2b3c4d", 90_000, "bob")),
        lock: Some(LockStatus {
            by: "alice".into(),
            since: Some(at(-14.0)),
            seconds: Some(14),
            waiting: 1,
            silent: false,
        }),
        ..environment("load", Health::Progressing, vec![web])
    }
}

/// One that a run was killed at.
fn cut_off() -> EnvironmentStatus {
    let lock = LockStatus { by: "bob".into(), since: Some(at(-9000.0)), seconds: Some(9000), waiting: 0, silent: true };
    EnvironmentStatus {
        deploy: Some(PastDeploy {
            state: RecordState::Running,
            commit: None,
            ..deploy("feature_a_very_long_name_of_a_branch-77d1ab00", 9000, "bob")
        }),
        lock: Some(lock),
        ..environment("cut", Health::Healthy, vec![workload("web", progress(1, 1, 0, None), vec![old_image()])])
    }
}

/// One that may not be read.
fn unasked() -> EnvironmentStatus {
    let text = "https://203.0.113.1:6443: `deployer` may not list secrets in namespace `demo-staging`";
    let hint =
        r#"give `deployer` a Role in `demo-staging` with: {apiGroups: [""], resources: ["secrets"], verbs: ["list"]}"#;
    EnvironmentStatus {
        problem: Some(Problem::new("cluster-denied", Exit::Cluster, text).hint(hint)),
        ..environment("staging", Health::Unknown, vec![])
    }
}

fn preview() -> EnvironmentStatus {
    EnvironmentStatus {
        namespace: "demo-feature-a-very-long-name-of-a-branch-10b8".into(),
        deploy: Some(deploy("feature_a_very_long_name_of_a_branch-77d1ab00", 260_000, "alice")),
        expires: Some(at(200_000.0)),
        expires_in: Some(200_000),
        ..environment("preview", Health::Healthy, vec![workload("web", progress(1, 1, 0, None), vec![new_image()])])
    }
}

fn elsewhere(context: &str) -> EnvironmentStatus {
    let report = WorkloadStatus {
        object: object("CronJob", "a-report-with-a-name-that-is-longer-than-usual-and-then-some"),
        ..workload("", Progress::default(), vec![old_image()])
    };
    EnvironmentStatus {
        context: Some(context.into()),
        deploy: Some(deploy("v2.1.0", 400_000, "bob")),
        ..environment("edge", Health::Healthy, vec![report])
    }
}

pub(in crate::report) fn status() -> (Vec<Stamped>, Outcome) {
    let environments = vec![
        production(),
        failing(),
        at_work(),
        cut_off(),
        unasked(),
        preview(),
        elsewhere("east"),
        elsewhere("west"),
        environment("new", Health::Absent, vec![]),
    ];
    let status = Status { app: Some("demo".into()), environments };
    let truth = Some("failing: qa; not ready yet: load; not known: staging".into());
    (Vec::new(), Outcome { answer: Answer::Status(Box::new(status)), truth, ..Outcome::new(Exit::Cluster) })
}

/// As `status -f` has it.
pub(in crate::report) fn saved() -> (Vec<Stamped>, Outcome) {
    let EnvironmentStatus { workloads, .. } = failing();
    let environment =
        EnvironmentStatus { health: Health::Failing, workloads, ..EnvironmentStatus::new(None, "demo-qa", None) };
    let status = Status { app: None, environments: vec![environment] };
    let truth = Some("failing: what was saved".into());
    (Vec::new(), Outcome { answer: Answer::Status(Box::new(status)), truth, ..Outcome::new(Exit::Rollout) })
}

fn seen(seconds: f64, status: EnvironmentStatus, changes: Vec<StatusChange>) -> Stamped {
    stamped(seconds, StatusEvent::Environment { status: Box::new(status), changes })
}

/// A rollout that comes to its end, and a pod that crashes later, seen by `--watch`.
pub(in crate::report) fn watch() -> (Vec<Stamped>, Outcome) {
    let web = object("Deployment", "web");
    let changed = || StatusChange::Workload { object: web.clone() };
    let done = EnvironmentStatus {
        deploy: Some(deploy("master-fc598063", 20, "alice")),
        ..environment("load", Health::Healthy, vec![workload("web", progress(3, 3, 0, None), vec![new_image()])])
    };
    let mut crashed = done.clone();
    crashed.health = Health::Failing;
    let workloads = failing().workloads;
    crashed.workloads = workloads.into_iter().take(1).collect();
    let events = vec![
        seen(0.0, EnvironmentStatus { health: Health::Healthy, lock: None, ..at_work() }, vec![StatusChange::Seen]),
        seen(
            1.0,
            at_work(),
            vec![StatusChange::Lock, StatusChange::Deploy, changed(), StatusChange::Health { from: Health::Healthy }],
        ),
        seen(
            9.0,
            done,
            vec![
                StatusChange::Lock,
                StatusChange::Deploy,
                changed(),
                StatusChange::Health { from: Health::Progressing },
            ],
        ),
        seen(20.0, preview(), vec![StatusChange::Seen]),
        stamped(60.0, StatusEvent::Gone { status: Box::new(preview()) }),
        seen(
            75.0,
            crashed.clone(),
            vec![
                StatusChange::Restarted { object: web.clone(), pod: "web-677bb-kgwgt".into() },
                changed(),
                StatusChange::Health { from: Health::Healthy },
            ],
        ),
        seen(80.0, unasked(), vec![StatusChange::Seen]),
    ];
    let status = Status { app: Some("demo".into()), environments: vec![crashed, unasked()] };
    (events, Outcome { answer: Answer::Status(Box::new(status)), ..Outcome::new(Exit::Interrupted) })
}

/// An environment of so many workloads, one of which fails.
pub(in crate::report) fn wide(count: usize) -> Vec<Stamped> {
    let mut workloads: Vec<WorkloadStatus> = (1..count)
        .map(|number| workload(&format!("web-{number}"), progress(2, 2, 0, None), vec![new_image()]))
        .collect();
    workloads.extend(failing().workloads.into_iter().take(1));
    vec![seen(0.0, EnvironmentStatus { workloads, ..failing() }, vec![StatusChange::Seen])]
}

/// An environment in which whatever others wrote is this text.
fn others_environment(text: &str, problem: &Problem) -> EnvironmentStatus {
    let mut last = deploy(text, 610, text);
    last.commit.iter_mut().for_each(|commit| (commit.subject, commit.author) = (text.to_owned(), text.to_owned()));
    let web = WorkloadStatus {
        verdict: "failed",
        problem: Some(problem.clone()),
        pods: vec![pod(text, false, 2, Some(text))],
        remark: Some(text.to_owned()),
        ..workload("web", progress(0, 1, 1, Some(text)), vec![])
    };
    EnvironmentStatus {
        deploy: Some(last),
        addresses: vec![address("Ingress", text)],
        lock: Some(LockStatus { by: text.into(), since: None, seconds: None, waiting: 1, silent: true }),
        problem: Some(problem.clone()),
        ..environment(text, Health::Failing, vec![web])
    }
}

/// Events that tell of it.
pub(in crate::report) fn others(text: &str, problem: &Problem) -> Vec<Stamped> {
    let awaiting = [format!("pod {text} {text}"), text.to_owned()];
    let [pod, other] = awaiting.map(|awaiting| progress(0, 1, 0, Some(&awaiting)));
    let suspect = Verdict::Suspect { problem: problem.clone(), grace: 5.0 };
    vec![
        rollout(9.0, "web", Verdict::Waiting { problem: None }, pod.clone()),
        rollout(9.1, text, Verdict::Waiting { problem: None }, other),
        rollout(9.2, "worker", suspect, pod),
        stamped(9.3, RolloutEvent::Warning { problem: problem.clone() }),
        seen(
            9.4,
            others_environment(text, problem),
            vec![StatusChange::Seen, StatusChange::Deploy, StatusChange::Lock],
        ),
    ]
}

pub(in crate::report) fn others_status(text: &str, problem: &Problem) -> Answer {
    let environments = vec![others_environment(text, problem)];
    Answer::Status(Box::new(Status { app: Some(text.to_owned()), environments }))
}
