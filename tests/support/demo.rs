//! The demo application: a server that drains before it stops, and a steady stream of requests.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
    sync::OnceLock,
};

use super::{Bench, Project, manifests};

static BINARY: OnceLock<PathBuf> = OnceLock::new();

/// Builds the demo application once; answers its binary.
fn binary() -> &'static Path {
    BINARY.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo");
        let output = Command::new(folder.join("build")).output().expect("demo/build runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        folder.join("bin/demo")
    })
}

/// Puts the demo server into the project as its image. `note` makes each image another one.
pub fn add_server(project: &Project, note: &str) {
    let server = std::fs::read(binary()).expect("the demo server");
    std::fs::create_dir_all(project.root().join("bin")).expect("a folder");
    let file = project.root().join("bin/demo");
    std::fs::write(&file, server).expect("a file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&file, mode).expect("an executable file");
    project.write(
        "Dockerfile",
        &format!("FROM scratch\nCOPY bin/demo /demo\nLABEL note={note}\nENTRYPOINT [\"/demo\"]\n"),
    );
}

/// A Deployment of the server that loses no request when it is replaced.
pub fn deployment(name: &str, image: &str, color: Option<&str>) -> String {
    let environment = "          env:\n            - name: SHUTDOWN_DELAY\n              value: \"3\"\n";
    let colored =
        color.map_or(String::new(), |color| format!("            - name: COLOR\n              value: {color}\n"));
    let text = manifests::deployment(name, image)
        .replace("terminationGracePeriodSeconds: 1\n", "terminationGracePeriodSeconds: 20\n")
        .replace("path: /\n", "path: /appstatus\n")
        .replace("          ports:\n", &format!("{environment}{colored}          ports:\n"));
    match color {
        None => text,
        Some(color) => labelled(&text, name, color),
    }
}

/// The same with the selector's and the pods' labels of a colour.
fn labelled(text: &str, name: &str, color: &str) -> String {
    let mut colored = String::new();
    for line in text.lines() {
        let indent = &line[..line.len() - line.trim_start().len()];
        if indent.len() >= 6 && line.trim() == format!("app: {name}") {
            colored.push_str(&format!("{indent}app: web\n{indent}color: {color}\n"));
        } else {
            colored.push_str(&format!("{line}\n"));
        }
    }
    colored
}

/// Steady requests at a NodePort on this machine, until they are ended.
pub struct Load {
    child: Child,
    /// A line for each who answers for the first time.
    answering: BufReader<ChildStderr>,
}

impl Load {
    pub fn start(bench: &Bench, namespace: &str, service: &str) -> Self {
        let service = bench.get(namespace, &["service", service]);
        let port = service["spec"]["ports"][0]["nodePort"].as_u64().expect("a node port");
        let mut child = Command::new(binary())
            .args(["load", "--every", "20ms", "--seconds", "120", &format!("http://127.0.0.1:{port}/")])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the load starts");
        let answering = BufReader::new(child.stderr.take().expect("its standard error"));
        Self { child, answering }
    }

    /// Waits until one with this text answers: a node takes the endpoints of a Service a moment after the server has them.
    pub fn until_answers(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            let read = self.answering.read_line(&mut line).expect("its standard error is text");
            assert!(read > 0, "the load ended before {text} answered");
        }
    }

    /// Ends the requests; fails if one of them failed or none was sent. Answers what was counted.
    pub fn end(self) -> String {
        let ended = Command::new("kill").arg(self.child.id().to_string()).status().expect("kill runs");
        assert!(ended.success(), "the load ended by itself");
        let output = self.child.wait_with_output().expect("the load ends");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "requests failed: {text}");
        text
    }
}
