//! What verbs answer with, and findings of each shape.

use super::{at, change, commit, connection, crash_loop, deploy, field, image, image_field, new_image, object, target};
use crate::model::{
    Change, DeployHistory, EnvironmentEntry, Environments, Event, Exit, Hook, HookPhase, ObjectChange, Outcome,
    PastDeploy, Place, Plan, Problem, RecordState, Stamped, Within,
};

pub(in crate::report) fn plan() -> Plan {
    let debug = field("env[DEBUG]", Some("\"1\""), None, Some("set by hand (kubectl-set, 3 days ago)"));
    let skipped = ObjectChange {
        remark: Some("not the target's namespace".into()),
        ..change("Namespace", "demo-qa", Change::Skipped, vec![])
    };
    Plan {
        target: target(),
        connection: connection(),
        images: vec![image()],
        hooks: vec![Hook { object: object("Job", "migrate"), phase: HookPhase::Before }],
        changes: vec![
            change("Deployment", "web", Change::Changed, vec![image_field(), debug]),
            change("ConfigMap", "flags", Change::Created, vec![]),
            skipped,
            change("Service", "demo", Change::Unchanged, vec![]),
            change("Secret", "regcred", Change::Unchanged, vec![]),
            change("CronJob", "old-report", Change::Pruned, vec![]),
        ],
        order: Some("follows 1a2b3c4d by 2 commits".into()),
        lock: "free".into(),
        color: None,
        warnings: vec![
            Problem::new("shallow", Exit::Input, "the history is shallow: whether this is a step back is not known")
                .hint("`git fetch --unshallow`"),
        ],
    }
}

pub(in crate::report) fn history() -> DeployHistory {
    let deploy = |revision, state, age, tag: &str, by: &str| PastDeploy {
        revision,
        state,
        current: false,
        at: at(-f64::from(age)),
        age: i64::from(age),
        commit: Some(commit()),
        branch: Some("master".into()),
        pull_request: None,
        tag: tag.into(),
        images: vec![new_image()],
        color: None,
        by: by.into(),
        source: None,
    };
    use RecordState::{Failed, Running, Succeeded};
    let back = PastDeploy {
        current: true,
        source: Some(98),
        ..deploy(101, Succeeded, 610, "v2", "ci run https://ci.example.com/team/demo/-/pipelines/812")
    };
    let colored =
        PastDeploy { color: Some("green".into()), commit: None, ..deploy(98, Succeeded, 500_000, "v2", "bob") };
    DeployHistory {
        app: "demo".into(),
        environment: "production".into(),
        namespace: "demo".into(),
        context: None,
        deploys: vec![
            deploy(102, Running, 8, "master-fc598063", "alice"),
            back,
            deploy(100, Failed, 7300, "master-fc598063", "alice"),
            colored,
        ],
    }
}

pub(in crate::report) fn environments() -> Environments {
    let entry = |environment: &str, namespace: &str, tag: &str, age| EnvironmentEntry {
        tag: Some(tag.into()),
        age: Some(age),
        by: Some("alice".into()),
        ..EnvironmentEntry::new(environment, namespace, None)
    };
    let preview = |namespace: &str, tag: &str, left| EnvironmentEntry {
        created: true,
        expires_in: Some(left),
        ..entry("preview", namespace, tag, 260_000)
    };
    let denied =
        Problem::new("cluster-denied", Exit::Cluster, "`deployer` may not list secrets in namespace `demo-staging`");
    Environments {
        app: "demo".into(),
        environments: vec![
            EnvironmentEntry { color: Some("green".into()), ..entry("production", "demo", "master-fc598063", 7300) },
            EnvironmentEntry { problem: Some(denied), ..EnvironmentEntry::new("staging", "demo-staging", None) },
            entry("qa", "demo-qa", "feature_cart-0c2a77d1", 610),
            preview("demo-feature-cart-6d2d", "feature_cart-0c2a77d1", 200_000),
            preview(
                "demo-feature-a-very-long-name-of-a-branch-10b8",
                "feature_a_very_long_name_of_a_branch-77d1ab00",
                -5,
            ),
            EnvironmentEntry { leaving: true, ..preview("demo-old", "old-1a2b3c4d", 10) },
            EnvironmentEntry::new("load", "demo-load", None),
        ],
    }
}

const LONG_LINE: &str = "  production: {branches: [master, main], namespace: demo, context: prod, confirm: yes, on_failure: rollback, more: 1}";

/// One problem of each shape.
pub(in crate::report) fn problems() -> Vec<Problem> {
    let place = |line: usize, column, snippet: &str| Place {
        file: "kubernetes/demo.yaml".into(),
        line,
        column,
        snippet: Some(snippet.into()),
    };
    vec![
        crash_loop(),
        Problem::new("manifest", Exit::Input, "unknown field `spec.replica`")
            .at(place(11, 3, "  replica: 3"))
            .hint("did you mean `replicas`?"),
        Problem::new("manifest", Exit::Input, "`extensions/v1beta1` is not served any more")
            .at(place(1, 13, "apiVersion: extensions/v1beta1"))
            .hint("write `apiVersion: apps/v1`, and a `selector` that matches the pod template's labels"),
        Problem::new("settings", Exit::Input, "`confirm` is true or false").at(place(120, 74, LONG_LINE)),
        Problem::new(
            "cluster-unreachable",
            Exit::Cluster,
            "https://203.0.113.1:6443 does not answer: connection refused (os error 111), asked three times within 10 s",
        )
        .hint("`kubectl --context prod version` tells whether the cluster is up; shipway uses context prod (shipway.yaml:9)"),
        Problem { count: 4, ..Problem::new("unschedulable", Exit::Rollout, "0/3 nodes have 8 cpus free").about(object("Deployment", "a-workload-with-a-name-that-is-much-longer-than-usual")) },
    ]
}

/// A deploy to two clusters: the first, then the second, of which not all is done.
pub(in crate::report) fn clusters() -> (Vec<Stamped>, Outcome) {
    let (events, outcome) = deploy();
    let within = |context: &str, stamped: Stamped| {
        let event = Event::Within(Box::new(Within { context: context.to_owned(), event: stamped.event }));
        Stamped { event, ..stamped }
    };
    let count = events.len() * 2 / 3;
    let first = events.iter().cloned().map(|stamped| within("east", stamped));
    let second = events.iter().take(count).cloned().map(|stamped| within("west", stamped));
    let problem =
        Problem::new("cluster-unreachable", Exit::Cluster, "west: https://203.0.113.2:6443 cannot be reached");
    let outcome = Outcome {
        exit: Exit::Cluster,
        problems: vec![problem],
        truth: Some("east: deployed master-fc598063 to production in 42 s".into()),
        ..outcome
    };
    (first.chain(second).collect(), outcome)
}
