//! Each kind of workload on a real kubelet: what holds it up is named, and what only looks like a failure is none.

use serde_json::{Value, json};

use crate::support::{
    Project, Run, at_once,
    cases::{Case, DEPLOY, check, describe, described, fails, succeeds, times_out},
    workloads::{RUNS, container, deployment, is_up, job, merged, object, pod_of, template, up_after, workload},
};

fn kubectl(project: &Project, arguments: &[&str]) -> String {
    project.bench.kubectl(&[&["-n", &project.namespace("qa")], arguments].concat())
}

/// Deploys these objects in the place of those before.
fn redeploy(project: &Project, objects: Vec<Value>) -> Run {
    describe(project, objects);
    project.run(DEPLOY)
}

/// Of several replicas; `more` is laid over its spec.
fn set(kind: &str, script: &str, more: Value) -> Value {
    workload(kind, template(container(script, json!({})), json!({})), merged(json!({"serviceName": "web"}), more))
}

fn stateful(script: &str, more: Value) -> Value {
    set("StatefulSet", script, merged(json!({"replicas": 3}), more))
}

fn daemon(script: &str, more: Value) -> Value {
    workload("DaemonSet", template(container(script, json!({})), json!({})), more)
}

/// The names of the pods whose template holds this text.
fn pods_with(project: &Project, text: &str) -> Vec<String> {
    let pods = project.bench.get(&project.namespace("qa"), &["pods"]);
    let items = pods["items"].as_array().cloned().unwrap_or_default();
    let has = |pod: &&Value| pod["spec"]["containers"][0]["command"].to_string().contains(text);
    items.iter().filter(has).map(|pod| pod["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect()
}

fn a_stateful_set_gets_stuck_and_is_mended() {
    // ready by its probe alone: for the moment in which a container runs before it ends, its controller goes on to the next
    let probed = |script: &str| {
        let container = container(script, json!({"readinessProbe": is_up()}));
        vec![workload("StatefulSet", template(container, json!({})), json!({"serviceName": "web", "replicas": 3}))]
    };
    let project = described("stuck", probed(&up_after(0, RUNS)));
    project.run(DEPLOY).expect(0);
    let run = redeploy(&project, probed("echo no disk; exit 9")).expect(6);
    run.says("error[crash-loop]")
        .says("web-2")
        .never_says("3/3 new ready")
        .says("no disk")
        .says("the old version still serves: 2 pods")
        .within(60.0);
    assert_eq!(pods_with(&project, "no disk"), ["web-2"]);
    // the controller leaves the broken pod as it is, whatever the template says now
    let run = redeploy(&project, probed(&up_after(0, "exec sleep 20000"))).expect(6);
    let remedy = format!("kubectl -n {} delete pod web-2", project.namespace("qa"));
    run.says("error[rollout-stuck]").says("web-2").says(&remedy).says("still serves: 2 pods").within(60.0);
    kubectl(&project, &["delete", "pod", "web-2"]);
    project.run(DEPLOY).expect(0).says("ready: 3/3");
    assert_eq!(pods_with(&project, "20000").len(), 3);
}

fn a_partition_is_rolled_out_as_far_as_it_goes() {
    let project = described("partition", vec![stateful(RUNS, json!({}))]);
    project.run(DEPLOY).expect(0);
    let strategy = json!({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}});
    let run = redeploy(&project, vec![stateful("exec sleep 20000", strategy)]).expect(0);
    run.says("warning[partition]").says("leaves 2 pods as they are").says("ready: 1/1");
    assert_eq!(pods_with(&project, "20000"), ["web-2"]);
}

fn on_delete_is_told(story: &'static str, kind: &'static str, pods: usize) {
    let strategy = json!({"updateStrategy": {"type": "OnDelete"}, "replicas": pods, "serviceName": "web"});
    let of = |script: &str| {
        let mut object = set(kind, script, strategy.clone());
        if kind == "DaemonSet" {
            object["spec"]
                .as_object_mut()
                .expect("a spec")
                .retain(|key, _| !matches!(key.as_str(), "replicas" | "serviceName"));
        }
        vec![object]
    };
    let project = described(story, of(RUNS));
    project.run(DEPLOY).expect(0).says(&format!("ready: {pods}/{pods}"));
    let run = redeploy(&project, of("exec sleep 20000")).expect(0);
    run.says("taken as good").says("when they are deleted (updateStrategy OnDelete)");
    run.says(&format!("kubectl -n {} delete pod", project.namespace("qa"))).within(30.0);
    assert!(pods_with(&project, "20000").is_empty());
}

#[test]
fn stateful_sets() {
    at_once(&[a_stateful_set_gets_stuck_and_is_mended, a_partition_is_rolled_out_as_far_as_it_goes, || {
        on_delete_is_told("ondelete", "StatefulSet", 2)
    }]);
}

fn a_daemon_set_is_updated() {
    let project = described("daemon", vec![daemon(RUNS, json!({}))]);
    project.run(DEPLOY).expect(0).says("ready: 1/1");
    redeploy(&project, vec![daemon("exec sleep 20000", json!({}))]).expect(0).says("ready: 1/1").within(30.0);
    assert_eq!(pods_with(&project, "20000").len(), 1);
    let run = redeploy(&project, vec![daemon("echo no socket; exit 5", json!({}))]).expect(6);
    run.says("error[crash-loop]").says("no socket");
    // one that replaces its pods itself needs no help
    redeploy(&project, vec![daemon("exec sleep 30000", json!({}))]).expect(0).says("ready: 1/1");
}

/// Its pod counts as updated again, under the generation that it was made in.
fn a_template_of_before_is_what_runs() {
    let on_delete = |script: &str| vec![daemon(script, json!({"updateStrategy": {"type": "OnDelete"}}))];
    let project = described("daemonback", on_delete(RUNS));
    project.run(DEPLOY).expect(0).says("ready: 1/1");
    redeploy(&project, on_delete("exec sleep 20000")).expect(0).says("warning[on-delete]");
    let run = redeploy(&project, on_delete(RUNS)).expect(0);
    run.says("ready: 1/1").never_says("its pods to be seen");
}

/// Its controller sees no owner that can be scaled, and does not call a budget observed that it cannot work out.
fn a_budget_cannot_be_kept() {
    let budget = |spec: Value| {
        let selector = json!({"selector": {"matchLabels": {"app": "web"}}});
        object("policy/v1", "PodDisruptionBudget", "web", merged(selector, spec))
    };
    let project = described("budgetfails", vec![daemon(RUNS, json!({}))]);
    project.run(DEPLOY).expect(0);
    let run = redeploy(&project, vec![budget(json!({"maxUnavailable": 1})), daemon(RUNS, json!({}))]).expect(0);
    run.says("warning[budget-failing]").says("does not implement the scale subresource").within(30.0);
    let run = redeploy(&project, vec![budget(json!({"minAvailable": 0})), daemon(RUNS, json!({}))]).expect(0);
    run.never_says("budget-failing").within(30.0);
}

#[test]
fn daemon_sets() {
    at_once(&[
        a_daemon_set_is_updated,
        || on_delete_is_told("daemondelete", "DaemonSet", 1),
        a_template_of_before_is_what_runs,
        a_budget_cannot_be_kept,
    ]);
}

fn recreate(script: &str) -> Value {
    set_strategy(deployment(script, json!({})), json!({"type": "Recreate"}))
}

fn set_strategy(mut deployment: Value, strategy: Value) -> Value {
    deployment["spec"]["strategy"] = strategy;
    deployment
}

fn a_deployment_is_recreated() {
    let project = described("recreated", vec![recreate(RUNS)]);
    project.run(DEPLOY).expect(0);
    redeploy(&project, vec![recreate("exec sleep 20000")]).expect(0).says("ready: 1/1");
    assert_eq!(pods_with(&project, "20000").len(), 1);
}

/// New pods take a while, so that something can happen meanwhile.
fn slow(replicas: Option<usize>, script: &str) -> Value {
    let more = replicas.map_or(json!({}), |replicas| json!({"replicas": replicas}));
    workload(
        "Deployment",
        template(container(&up_after(4, script), json!({"readinessProbe": is_up()})), json!({})),
        more,
    )
}

fn a_deployment_is_paused_by_hand() {
    let project = described("byhand", vec![slow(Some(2), RUNS)]);
    project.run(DEPLOY).expect(0);
    describe(&project, vec![slow(Some(2), "exec sleep 20000")]);
    let running = project.start(DEPLOY);
    running.until_says("old: pod");
    kubectl(&project, &["rollout", "pause", "deployment/web"]);
    let run = running.wait().expect(6);
    run.says("error[paused]").says("is paused").within(60.0);
    run.says(&format!("kubectl -n {} rollout resume deployment/web", project.namespace("qa")));
}

/// A budget minds evictions; a rollout evicts nothing.
fn a_budget_forbids_evictions() {
    let selector = json!({"matchLabels": {"app": "web"}});
    let budget = object("policy/v1", "PodDisruptionBudget", "web", json!({"maxUnavailable": 0, "selector": selector}));
    let project = described("budget", vec![budget.clone(), slow(Some(2), RUNS)]);
    project.run(DEPLOY).expect(0);
    let run = redeploy(&project, vec![budget, slow(Some(2), "exec sleep 20000")]).expect(0);
    run.says("ready: 2/2").says("warning[forbids-eviction]").says("lets no pod be evicted");
}

fn autoscaler(more: Value) -> Value {
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let spec = json!({"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 5});
    object("autoscaling/v2", "HorizontalPodAutoscaler", "web", merged(spec, more))
}

fn an_autoscaler_scales_during_a_rollout() {
    let project = described("scaled", vec![autoscaler(json!({})), slow(None, RUNS)]);
    project.run(DEPLOY).expect(0);
    describe(&project, vec![autoscaler(json!({})), slow(None, "exec sleep 20000")]);
    let running = project.start(DEPLOY);
    running.until_says("0/1 new ready · 1 old");
    let scale = ["patch", "deployment", "web", "--subresource=scale", "--field-manager=kube-controller-manager"];
    kubectl(&project, &[&scale[..], &["--type=merge", "-p", r#"{"spec": {"replicas": 3}}"#]].concat());
    running.wait().expect(0).says("ready: 3/3").within(60.0);
    assert_eq!(project.bench.get(&project.namespace("qa"), &["deployment", "web"])["spec"]["replicas"], 3);
}

fn an_autoscaler_reads_no_metrics() {
    let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}});
    let scaler = autoscaler(json!({"metrics": [metric]}));
    let requests = json!({"resources": {"requests": {"cpu": "1m"}}});
    let web = |script: &str| deployment(script, requests.clone());
    let project = described("blind", vec![scaler.clone(), web(RUNS)]);
    project.run(DEPLOY).expect(0);
    kubectl(&project, &["wait", "hpa/web", "--for=condition=ScalingActive=false", "--timeout=60s"]);
    let run = redeploy(&project, vec![scaler, web("exec sleep 20000")]).expect(0);
    run.says("warning[not-scaling]").says("FailedGetResourceMetric").says("ready: 1/1");
}

#[test]
fn deployments() {
    at_once(&[
        a_deployment_is_recreated,
        a_deployment_is_paused_by_hand,
        a_budget_forbids_evictions,
        an_autoscaler_scales_during_a_rollout,
        an_autoscaler_reads_no_metrics,
    ]);
}

/// The log that is shown is that of the pod that is named.
fn a_job_fails_for_good_after_its_third_pod() {
    let project = described("backoff", vec![job("echo this is $HOSTNAME; exit 5", json!({"backoffLimit": 2}))]);
    let run = project.run(&[DEPLOY, &["--output", "json"]].concat()).expect(6);
    let outcome = run.outcome();
    let problems = outcome["problems"].as_array().expect("problems");
    assert_eq!(problems.len(), 1, "{}", run.transcript());
    assert_eq!(problems[0]["code"], "job-failed");
    assert!(problems[0]["text"].as_str().is_some_and(|text| text.contains("BackoffLimitExceeded")), "{outcome}");
    let evidence = |label: &str| {
        let mut found = problems[0]["evidence"].as_array().expect("evidence").iter();
        found.find(|found| found["label"] == label).expect(label)["lines"][0].as_str().expect("a line").to_owned()
    };
    assert_eq!(evidence("last log"), format!("this is {}", evidence("pod")));
    let pods = project.bench.get(&project.namespace("qa"), &["pods", "--sort-by=.metadata.creationTimestamp"]);
    assert_eq!(pods["items"].as_array().map(Vec::len), Some(3));
    assert_eq!(pods["items"][2]["metadata"]["name"], evidence("pod"));
    run.within(100.0);
}

fn cron_job(more: Value) -> Value {
    let template = template(container("true", json!({})), json!({"restartPolicy": "Never"}));
    let spec = json!({"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}});
    object("batch/v1", "CronJob", "web", merged(spec, more))
}

#[test]
fn jobs() {
    let on_code = json!({"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}]});
    let sidecar = merged(container(RUNS, json!({"restartPolicy": "Always"})), json!({"name": "proxy"}));
    let mut with_sidecar = job("echo done", json!({}));
    with_sidecar["spec"]["template"]["spec"]["initContainers"] = json!([sidecar]);
    let slow = deployment(&up_after(12, RUNS), json!({"readinessProbe": is_up()}));
    let cases = vec![
        succeeds("ttlbeside", vec![job("true", json!({"ttlSecondsAfterFinished": 0})), slow], "job/web-1 ready: 1/1"),
        fails(
            "ttlfails",
            vec![job("echo no table; exit 5", json!({"ttlSecondsAfterFinished": 0}))],
            "job-failed",
            "exits with code 5",
        ),
        fails(
            "policyfails",
            vec![job("echo no use; exit 42", json!({"backoffLimit": 6, "podFailurePolicy": on_code}))],
            "job-failed",
            "PodFailurePolicy",
        ),
        succeeds("jobproxy", vec![with_sidecar], "ready: 1/1"),
        Case { within: 30.0, ..succeeds("cron", vec![cron_job(json!({}))], "cronjob/web ready") },
        Case { within: 30.0, ..succeeds("cronrests", vec![cron_job(json!({"suspend": true}))], "cronjob/web ready") },
        Case {
            code: 5,
            within: 30.0,
            ..fails("cronwrong", vec![cron_job(json!({"schedule": "at noon"}))], "invalid", "spec.schedule")
        },
    ];
    std::thread::scope(|scope| {
        scope.spawn(a_job_fails_for_good_after_its_third_pod);
        check(cases);
    });
}

fn pod(script: &str) -> Value {
    let template = template(container(script, json!({})), json!({"restartPolicy": "Never"}));
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "labels": {"app": "web"}}, "spec": template["spec"]})
}

fn controller(script: &str) -> Value {
    let template = template(container(script, json!({})), json!({}));
    object(
        "v1",
        "ReplicationController",
        "web",
        json!({"replicas": 1, "selector": {"app": "web"}, "template": template}),
    )
}

/// Files of a pod's own, that outlive a container.
fn with_files(script: &str, container_name: &str, more: Value) -> Value {
    let mount = json!({"volumeMounts": [{"name": "files", "mountPath": "/files"}]});
    let volumes = json!({"volumes": [{"name": "files", "emptyDir": {}}]});
    let named = merged(container(script, json!({"name": container_name})), mount);
    if container_name == "web" {
        return workload("Deployment", template(named, merged(volumes, more)), json!({}));
    }
    pod_of(RUNS, merged(merged(volumes, json!({"initContainers": [named]})), more))
}

#[test]
fn containers_that_fall_and_stand_up_again() {
    let twice = "[ -e /files/b ] && exec sleep 10000; [ -e /files/a ] && touch /files/b; touch /files/a; echo no database; exit 7";
    let once = "[ -e /files/a ] && exec sleep 10000; touch /files/a; echo no database; exit 7";
    let prepares = twice.replace("exec sleep 10000", "exit 0");
    let helper = merged(container("echo no upstream; exit 6", json!({})), json!({"name": "helper"}));
    let mut two = deployment(RUNS, json!({}));
    two["spec"]["template"]["spec"]["containers"].as_array_mut().expect("containers").push(helper);
    let native = merged(container(RUNS, json!({"restartPolicy": "Always"})), json!({"name": "proxy"}));
    let hungry = "(x=aaaaaaaa; while :; do x=$x$x; done); echo the child is gone; exec sleep 10000";
    check(vec![
        fails("second", vec![two], "crash-loop", "`helper` exits with code 6"),
        succeeds("native", vec![pod_of(RUNS, json!({"initContainers": [native]}))], "ready: 1/1"),
        succeeds("initagain", vec![with_files(&prepares, "prepare", json!({}))], "warning[restarts]"),
        succeeds("again", vec![with_files(once, "web", json!({}))], "warning[restarts]"),
        succeeds("againtwice", vec![with_files(twice, "web", json!({}))], "exits with code 7"),
        succeeds(
            "childoom",
            vec![deployment(hungry, json!({"resources": {"limits": {"memory": "24Mi"}}}))],
            "ready: 1/1",
        ),
        succeeds("podends", vec![pod("echo done")], "pod/web ready"),
        fails("podfails", vec![pod("echo no table; exit 5")], "pod-failed", "no table"),
        fails("replicaset", vec![set_kind("ReplicaSet", "echo boom; exit 3")], "crash-loop", "exits with code 3"),
        fails("controller", vec![controller("echo boom; exit 3")], "crash-loop", "exits with code 3"),
    ]);
}

fn set_kind(kind: &str, script: &str) -> Value {
    workload(kind, template(container(script, json!({})), json!({})), json!({}))
}

#[test]
fn probes_say_why() {
    let http = json!({"httpGet": {"path": "/missing", "port": 8080}, "periodSeconds": 1, "failureThreshold": 2});
    let grpc = json!({"grpc": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 2, "initialDelaySeconds": 1});
    let serves = "exec httpd -f -p 8080 -h /tmp";
    let exec = |seconds: u32, failures: u32| json!({"exec": {"command": ["/bin/false"]}, "periodSeconds": seconds, "failureThreshold": failures});
    let five = workload(
        "Deployment",
        template(container("echo no licence; exit 3", json!({})), json!({})),
        json!({"replicas": 5}),
    );
    check(vec![
        fails(
            "httplive",
            vec![deployment(serves, json!({"livenessProbe": http, "readinessProbe": http}))],
            "liveness-killing",
            "HTTP probe failed with statuscode: 404",
        ),
        fails(
            "grpcstart",
            vec![deployment(serves, json!({"startupProbe": grpc}))],
            "liveness-killing",
            "Startup probe failed: ",
        ),
        fails(
            "livecode",
            vec![deployment("trap 'exit 3' TERM; sleep 10000 & wait", json!({"livenessProbe": exec(1, 2)}))],
            "liveness-killing",
            "Liveness probe failed",
        ),
        // its probe fails in each run, which ends before it has failed often enough
        fails(
            "liveends",
            vec![deployment(
                "sleep 4; echo no database; exit 1",
                json!({"livenessProbe": exec(5, 5), "readinessProbe": exec(5, 5)}),
            )],
            "crash-loop",
            "exits with code 1",
        ),
        times_out(
            "httpready",
            vec![deployment(serves, json!({"readinessProbe": http}))],
            "not-ready",
            "Readiness probe failed: HTTP probe failed with statuscode: 404",
        ),
        // at that moment one of them may run again
        fails("five", vec![five], "crash-loop", " more alike)"),
    ]);
}

fn service(name: &str, more: Value) -> Value {
    let spec = json!({"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]});
    object("v1", "Service", name, merged(spec, more))
}

#[test]
fn entrances_that_lead_nowhere() {
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let rule = json!({"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}});
    let ingress =
        object("networking.k8s.io/v1", "Ingress", "web", json!({"ingressClassName": "nobodys", "rules": [rule]}));
    let nobody = vec![deployment(RUNS, json!({})), service("nobody", json!({}))];
    let balanced = vec![deployment(RUNS, json!({})), service("web", json!({"type": "LoadBalancer"}))];
    check(vec![
        Case { within: 110.0, ..succeeds("balancer", balanced, "warning[no-address]") },
        Case { within: 40.0, ..succeeds("selectsnone", nobody, "warning[selects-nothing]") },
        Case {
            within: 40.0,
            ..succeeds(
                "ingress",
                vec![deployment(RUNS, json!({})), service("web", json!({})), ingress],
                "ingress/web ready",
            )
        },
    ]);
}
