//! A second API server with a store of its own, for stories about several clusters: objects, no nodes, and controllers
//! only where a story starts them. It has the bench's certificates, so the bench's login counts there, too.

use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::Bench;

/// On a busy machine.
const START: Duration = Duration::from_secs(90);

/// Ends with the story.
pub struct SecondCluster {
    folder: tempfile::TempDir,
    processes: Vec<Child>,
    /// What the API server is started with.
    server: Vec<String>,
    port: u16,
}

/// Of the processes, which the API server is: the store has to be there first.
const SERVER: usize = 1;

impl SecondCluster {
    /// Starts it, and waits until it is ready.
    pub fn start(bench: &Bench) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [etcd, peer, port] = free_ports();
        let mut cluster = Self { folder, processes: Vec::new(), server: Vec::new(), port };
        // what the bench is made of is built by its first use
        bench.kubectl(&["version"]);
        let certificates = Path::new(&bench.variable("KUBECONFIG")).parent().expect("a folder").join("certificates");
        let file = |name: &str| certificates.join(name).display().to_string();
        let (client, peer) = (format!("http://127.0.0.1:{etcd}"), format!("http://127.0.0.1:{peer}"));
        let data = cluster.folder.path().join("etcd").display().to_string();
        cluster.run(&[
            "etcd",
            "--data-dir",
            &data,
            "--unsafe-no-fsync",
            "--initial-cluster",
            &format!("default={peer}"),
            "--listen-client-urls",
            &client,
            "--advertise-client-urls",
            &client,
            "--listen-peer-urls",
            &peer,
            "--initial-advertise-peer-urls",
            &peer,
        ]);
        let server = [
            "apiserver",
            "--etcd-servers",
            &client,
            "--secure-port",
            &port.to_string(),
            "--bind-address",
            "127.0.0.1",
            "--advertise-address",
            "127.0.0.1",
            "--endpoint-reconciler-type",
            "none",
            "--tls-cert-file",
            &file("apiserver.crt"),
            "--tls-private-key-file",
            &file("apiserver.key"),
            "--client-ca-file",
            &file("authority.crt"),
            "--service-account-key-file",
            &file("service-accounts.key"),
            "--service-account-signing-key-file",
            &file("service-accounts.key"),
            "--service-account-issuer",
            "https://kubernetes.default.svc",
            "--service-cluster-ip-range",
            "10.217.0.0/24",
            "--authorization-mode",
            "RBAC",
            // no controller makes the ServiceAccounts that it asks for
            "--disable-admission-plugins",
            "ServiceAccount",
        ];
        cluster.server = server.map(str::to_owned).to_vec();
        cluster.run(&server);
        cluster.write_kubeconfig(bench);
        cluster.wait();
        cluster
    }

    /// Kills the API server as it is, with all that it is at. Its store goes on.
    pub fn kill_server(&mut self) {
        let server = &mut self.processes[SERVER];
        server.kill().expect("a server to kill");
        server.wait().expect("a server that ends");
    }

    /// Starts it again on the same store, and waits until it is ready.
    pub fn restart_server(&mut self) {
        let arguments: Vec<&str> = self.server.iter().map(String::as_str).collect();
        self.processes[SERVER] = self.spawn(&arguments);
        self.wait();
    }

    fn run(&mut self, arguments: &[&str]) {
        let started = self.spawn(arguments);
        self.processes.push(started);
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        let log = File::create(self.folder.path().join(format!("{}.log", arguments[0]))).expect("a file");
        Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/cluster"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("the bench's binary starts")
    }

    /// Starts some of Kubernetes' own controllers there.
    pub fn start_controllers(&mut self, names: &[&str]) {
        let text = std::fs::read_to_string(self.kubeconfig()).expect("a kubeconfig");
        let mut kubeconfig: Value = serde_json::from_str(&text).expect("JSON");
        kubeconfig["current-context"] = "west".into();
        let own = self.folder.path().join("west").display().to_string();
        std::fs::write(&own, kubeconfig.to_string()).expect("a kubeconfig");
        let names = names.join(",");
        self.run(&[
            "controller-manager",
            "--kubeconfig",
            &own,
            "--controllers",
            &names,
            "--leader-elect=false",
            "--secure-port",
            "0",
        ]);
    }

    /// Plays the node of a namespace: takes its pods, and says of each that it runs its image and is ready.
    pub fn play_node(&self, namespace: &str) -> PlayedNode {
        let ended = Arc::new(AtomicBool::new(false));
        let (until, kubeconfig) = (Arc::clone(&ended), self.kubeconfig().display().to_string());
        let namespace = namespace.to_owned();
        let thread = std::thread::spawn(move || {
            let kubectl = |arguments: &[&str], input: &str| {
                let to = ["--kubeconfig", &kubeconfig, "--context", "west", "--namespace", &namespace];
                Bench.try_kubectl(&[&to, arguments].concat(), input)
            };
            let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "played"}});
            kubectl(&["create", "-f", "-"], &node.to_string());
            let mut address = 0_u8;
            while !until.load(Ordering::Relaxed) {
                let pods = kubectl(&["get", "pod", "-o", "json"], "").stdout;
                let pods: Value = serde_json::from_slice(&pods).unwrap_or_default();
                for pod in pods["items"].as_array().into_iter().flatten() {
                    let name = pod["metadata"]["name"].as_str().expect("a name");
                    if !pod["metadata"]["deletionTimestamp"].is_null() {
                        kubectl(&["delete", "pod", name, "--force", "--grace-period=0", "--wait=false"], "");
                    } else if pod["status"]["phase"] != "Running" {
                        address += 1;
                        let target = json!({"apiVersion": "v1", "kind": "Node", "name": "played"});
                        let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target});
                        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/binding");
                        kubectl(&["create", "--raw", &path, "-f", "-"], &binding.to_string());
                        let patch = running(pod, address).to_string();
                        kubectl(&["patch", "pod", name, "--subresource=status", "--type=merge", "-p", &patch], "");
                    }
                }
                std::thread::sleep(Duration::from_millis(250));
            }
        });
        PlayedNode { ended, thread: Some(thread) }
    }

    /// One file with the contexts `east` (the bench), `west` (this one) and `nowhere`, where nobody answers.
    fn write_kubeconfig(&self, bench: &Bench) {
        let text = bench.kubectl(&["config", "view", "--raw", "-o", "json"]);
        let theirs: Value = serde_json::from_str(&text).expect("JSON from kubectl");
        let authority = &theirs["clusters"][0]["cluster"]["certificate-authority-data"];
        let [nowhere, ..] = free_ports::<1>();
        let own = |port: u16| format!("https://127.0.0.1:{port}");
        let servers = [
            ("east", theirs["clusters"][0]["cluster"]["server"].as_str().expect("a server").to_owned()),
            ("west", own(self.port)),
            ("nowhere", own(nowhere)),
        ];
        let cluster = |(name, server): &(&str, String)| json!({"name": name, "cluster": {"server": server, "certificate-authority-data": authority}});
        let context = |(name, _): &(&str, String)| json!({"name": name, "context": {"cluster": name, "user": "admin"}});
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": servers.iter().map(cluster).collect::<Vec<_>>(),
            "contexts": servers.iter().map(context).collect::<Vec<_>>(),
            "users": [{"name": "admin", "user": theirs["users"][0]["user"]}],
            "current-context": "east",
        });
        std::fs::write(self.kubeconfig(), kubeconfig.to_string()).expect("a kubeconfig");
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Asks one of the contexts with kubectl.
    pub fn kubectl(&self, context: &str, arguments: &[&str], input: &str) -> std::process::Output {
        let kubeconfig = self.kubeconfig().display().to_string();
        Bench.try_kubectl(&[&["--kubeconfig", &kubeconfig, "--context", context], arguments].concat(), input)
    }

    /// The same, which must succeed; as JSON for `get`.
    pub fn get(&self, context: &str, arguments: &[&str]) -> Value {
        let output = self.kubectl(context, &[&["get", "-o", "json"], arguments].concat(), "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON from kubectl")
    }

    fn wait(&self) {
        let started = Instant::now();
        loop {
            let ready = self.kubectl("west", &["get", "--raw", "/readyz"], "");
            if ready.status.success() {
                return;
            }
            let log = std::fs::read_to_string(self.folder.path().join("apiserver.log")).unwrap_or_default();
            let end: Vec<&str> = log.lines().rev().take(5).collect();
            let said = String::from_utf8_lossy(&ready.stderr);
            assert!(started.elapsed() < START, "the second API server is not ready: {said}\n{end:#?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// The status that a node gives a pod whose containers run and are ready.
fn running(pod: &Value, address: u8) -> Value {
    let now = &pod["metadata"]["creationTimestamp"];
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now});
    let container = |container: &Value| {
        let image = container["image"].as_str().expect("an image");
        let (name, digest) = image.split_once('@').expect("a digest");
        let repository = name.rsplit_once(':').expect("a tag").0;
        json!({
            "name": container["name"], "image": name, "imageID": format!("{repository}@{digest}"), "ready": true,
            "started": true, "restartCount": 0, "state": {"running": {"startedAt": now}},
        })
    };
    let containers = pod["spec"]["containers"].as_array().expect("containers").iter();
    let ip = format!("10.99.0.{address}");
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
    json!({"status": {
        "phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "startTime": now, "conditions": conditions,
        "containerStatuses": containers.map(container).collect::<Vec<_>>(),
    }})
}

/// Ends when it is dropped.
pub struct PlayedNode {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for PlayedNode {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for SecondCluster {
    fn drop(&mut self) {
        // the API server first: without its store it would complain
        for process in self.processes.iter_mut().rev() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Ports that are free at the moment.
fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let listeners: [TcpListener; COUNT] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
    listeners.map(|listener| listener.local_addr().expect("an address").port())
}
