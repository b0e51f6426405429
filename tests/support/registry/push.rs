//! Images that a story makes: pushed through the registry's API, in a few requests and without an engine.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Bench;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A repository at one of the bench's registries.
pub struct Store {
    address: String,
    login: Option<String>,
    path: String,
}

/// What an image is made of. Two of the same content have the same digest.
#[derive(Clone, Copy)]
pub struct Content<'c> {
    pub architecture: &'c str,
    /// Told apart from all others by this.
    pub note: &'c str,
    /// The only file, `/program`, instead of the bench's base.
    pub program: Option<&'c [u8]>,
    /// Written on the manifest alone, so that images with one configuration may differ.
    pub annotation: &'c str,
}

impl<'c> Content<'c> {
    pub fn new(note: &'c str) -> Self {
        Self { architecture: "amd64", note, program: None, annotation: "" }
    }
}

pub fn digest_of(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

impl Store {
    /// At the open registry.
    pub fn open(path: &str) -> Self {
        Self { address: Bench.variable("REGISTRY"), login: None, path: path.to_owned() }
    }

    /// At the one that asks for a login.
    pub fn guarded(path: &str) -> Self {
        let login = format!("{}:{}", Bench.variable("REGISTRY_USER"), Bench.password());
        Self { address: Bench.variable("REGISTRY_LOGIN"), login: Some(login), path: path.to_owned() }
    }

    /// Pushes an image under a tag; answers its digest.
    pub fn push(&self, tag: &str, content: Content<'_>) -> String {
        let (layers, ids) = match content.program {
            Some(program) => {
                let layer = tar("program", program);
                (json!([self.blob(LAYER, &layer)]), json!([digest_of(&layer)]))
            }
            None => self.base(),
        };
        let config = json!({
            "architecture": content.architecture, "os": "linux",
            "config": {"Env": ["PATH=/bin"], "Labels": {"note": content.note}},
            "rootfs": {"type": "layers", "diff_ids": ids},
        });
        let config = self.blob(CONFIG, config.to_string().as_bytes());
        let annotations = json!({"note": content.annotation});
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers, "annotations": annotations});
        self.manifest(tag, MANIFEST, &manifest)
    }

    /// Pushes an index under a tag; answers its digest. Each entry: architecture and digest, of an image that is there.
    pub fn index(&self, tag: &str, entries: &[(&str, &str)]) -> String {
        let entry = |(architecture, digest): &(&str, &str)| {
            let body = self.get(&format!("manifests/{digest}"), MANIFEST);
            let platform = json!({"os": "linux", "architecture": architecture});
            json!({"mediaType": MANIFEST, "digest": digest, "size": body.len(), "platform": platform})
        };
        let manifests: Vec<Value> = entries.iter().map(entry).collect();
        self.manifest(tag, INDEX, &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}))
    }

    /// The bench's base: its layers, and their ids in the configuration.
    fn base(&self) -> (Value, Value) {
        let base = Self::open("base/busybox");
        let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("JSON from the registry");
        let mut manifest = json(&base.get("manifests/1", DOCKER_MANIFEST));
        let config = manifest["config"]["digest"].as_str().expect("a configuration");
        let mut config = json(&base.get(&format!("blobs/{config}"), "*/*"));
        for layer in manifest["layers"].as_array().into_iter().flatten() {
            let digest = layer["digest"].as_str().expect("a digest");
            if self.login.is_none() {
                self.ask("POST", &format!("blobs/uploads/?mount={digest}&from=base/busybox"), "", &[]);
            } else {
                self.blob("", &base.get(&format!("blobs/{digest}"), "*/*"));
            }
        }
        (manifest["layers"].take(), config["rootfs"]["diff_ids"].take())
    }

    fn get(&self, what: &str, accept: &str) -> Vec<u8> {
        self.ask("GET", what, &format!("Accept: {accept}\r\n"), &[]).1
    }

    /// Uploads it; answers its descriptor.
    fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = digest_of(bytes);
        let (head, _) = self.ask("POST", "blobs/uploads/", "", &[]);
        let place = head.lines().find_map(|line| line.strip_prefix("Location: ")).expect("a place for the blob");
        let (_, place) = place.split_once(&format!("/v2/{}/", self.path)).expect("a place in this repository");
        self.ask("PUT", &format!("{place}&digest={digest}"), "Content-Type: application/octet-stream\r\n", bytes);
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    fn manifest(&self, tag: &str, media_type: &str, manifest: &Value) -> String {
        let body = manifest.to_string();
        self.ask("PUT", &format!("manifests/{tag}"), &format!("Content-Type: {media_type}\r\n"), body.as_bytes());
        digest_of(body.as_bytes())
    }

    /// One request; answers head and body.
    fn ask(&self, method: &str, what: &str, headers: &str, body: &[u8]) -> (String, Vec<u8>) {
        let address = self.address.replace("localhost", "127.0.0.1");
        let mut stream = TcpStream::connect(&address).expect("the bench's registry");
        let login = self.login.as_ref().map(|login| format!("Authorization: Basic {}\r\n", STANDARD.encode(login)));
        let head = format!(
            "{method} /v2/{}/{what} HTTP/1.0\r\nHost: {address}\r\n{headers}{}Content-Length: {}\r\n\r\n",
            self.path,
            login.unwrap_or_default(),
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).expect("a request");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let is_good = head.split(' ').nth(1).is_some_and(|status| status.starts_with('2'));
        assert!(is_good, "{method} {what}: {head}\n{}", String::from_utf8_lossy(&answer[end..]));
        (head, answer.split_off(end + 4))
    }
}

/// An archive of one executable file (POSIX ustar).
fn tar(name: &str, bytes: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 512;
    let mut header = [0; BLOCK];
    let size = format!("{:011o}\0", bytes.len());
    for (at, field) in [
        (0, name.as_bytes()),
        (100, b"0000755\0"),
        (108, b"0000000\0"),
        (116, b"0000000\0"),
        (124, size.as_bytes()),
        (136, b"00000000000\0"),
        (148, b"        "),
        (156, b"0"),
        (257, b"ustar\x0000"),
    ] {
        header[at..at + field.len()].copy_from_slice(field);
    }
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let padding = vec![0; bytes.len().next_multiple_of(BLOCK) - bytes.len() + 2 * BLOCK];
    [&header, bytes, &padding].concat()
}
