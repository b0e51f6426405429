//! What the engine says of a failed build, as an error with its place. Texts differ between versions, and old ones
//! wrap them: only their ends are relied upon.

use std::path::Path;

use prost::Message as _;
use serde::Deserialize;
use tonic::Status;

use crate::model::{Login, Place};

use super::{
    BuildRequest, DockerError,
    error::RegistryTrouble,
    messages::RpcStatus,
    progress::{FailedStep, Progress},
    session::registry_name,
};

/// Explains a Solve that failed.
pub(super) fn explain(
    status: &Status,
    progress: &Progress<'_>,
    request: &BuildRequest,
    logins: &[Login],
) -> DockerError {
    let dockerfile = &request.dockerfile;
    let text = tail(status.message());
    if let Some(error) = dockerfile_error(text, dockerfile) {
        return error;
    }
    match progress.failed() {
        Some(step) => match base_image(step.name) {
            Some(image) => base_image_error(image, tail(step.error), logins),
            None => instruction_error(&step, status, dockerfile),
        },
        None => DockerError::Engine(text.to_owned()),
    }
}

/// What BuildKit finds wrong before any step runs.
fn dockerfile_error(text: &str, dockerfile: &Path) -> Option<DockerError> {
    let place = syntax_place(text, dockerfile);
    let why = match text.to_lowercase() {
        lower if lower.starts_with("dockerfile parse error") => text.split_once(": ").map_or(text, |(_, why)| why),
        lower if lower.starts_with("target stage") => text,
        _ => return None,
    };
    Some(DockerError::Dockerfile { why: why.to_owned(), place })
}

fn base_image_error(image: &str, why: &str, logins: &[Login]) -> DockerError {
    let registry = image.split('/').next().unwrap_or_default();
    let login = logins.iter().find(|login| registry_name(&login.registry) == registry);
    let trouble = match (registry_trouble(why), login) {
        (RegistryTrouble::NoLogin, Some(login)) => {
            RegistryTrouble::WrongLogin { user: login.user.clone(), origin: login.origin.clone() }
        }
        (trouble, _) => trouble,
    };
    DockerError::BaseImage { image: image.to_owned(), why: base_image_cause(image, why).to_owned(), trouble }
}

fn instruction_error(step: &FailedStep<'_>, status: &Status, dockerfile: &Path) -> DockerError {
    let why = tail(step.error);
    let instruction = step.name.split_once("] ").map_or(step.name, |(_, instruction)| instruction);
    let missing = why.strip_suffix(": not found").and_then(|rest| rest.strip_suffix(" not found"));
    let found = || place(status, dockerfile).or_else(|| instruction_place(instruction, dockerfile));
    if let Some(id) = missing.and_then(|missing| missing.strip_prefix("secret ")) {
        return DockerError::SecretMissing { step: instruction.to_owned(), id: id.to_owned(), place: found() };
    }
    let why = match (why.rsplit_once("exit code: "), missing) {
        (Some((_, code)), _) => format!("exit code {code}"),
        (None, Some(path)) => format!("{path} is not in the build context"),
        (None, None) => why.to_owned(),
    };
    DockerError::Build {
        step: instruction.to_owned(),
        why,
        place: found(),
        is_missing_file: missing.is_some(),
        log: step.log.clone(),
    }
}

/// `[internal] load metadata for docker.io/library/ruby:3`, `[1/3] FROM docker.io/library/ruby:3@sha256:..`
fn base_image(step: &str) -> Option<&str> {
    let image = step.strip_prefix("[internal] load metadata for ").or_else(|| step.strip_prefix("FROM "));
    image.or_else(|| step.split_once("] FROM ").map(|(_, image)| image))
}

/// The last two causes of a chain, who and what, without the image's own name.
fn base_image_cause<'a>(image: &str, text: &'a str) -> &'a str {
    let text = text.strip_prefix(image).map_or(text, |rest| rest.trim_start_matches(": "));
    let mut starts = text.rmatch_indices(": ").map(|(at, _)| at + 2);
    starts.nth(1).and_then(|start| text.get(start..)).unwrap_or(text)
}

fn registry_trouble(why: &str) -> RegistryTrouble {
    let says = |words: &[&str]| words.iter().any(|word| why.contains(word));
    if says(&["authorization", "unauthorized", "no basic auth", "denied", "401", "403"]) {
        RegistryTrouble::NoLogin
    } else if says(&["x509", "HTTP response to HTTPS"]) {
        RegistryTrouble::Untrusted
    } else if says(&["dial tcp", "no such host", "timeout", "connection refused", "EOF", "connection reset"]) {
        RegistryTrouble::Unreachable
    } else if says(&["not found", "404"]) {
        RegistryTrouble::Unknown
    } else {
        RegistryTrouble::Other
    }
}

/// The text without the wrappers that engines put around the cause.
fn tail(text: &str) -> &str {
    const WRAPPERS: [&str; 6] = [
        "failed to solve: ",
        "failed to solve with frontend dockerfile.v0: ",
        "failed to solve with frontend gateway.v0: ",
        "failed to create LLB definition: ",
        "failed to build LLB: ",
        "failed to compute cache key: ",
    ];
    let mut rest = text;
    loop {
        let unwrapped = WRAPPERS.iter().find_map(|wrapper| rest.strip_prefix(wrapper));
        let coded = || rest.strip_prefix("rpc error: code = ")?.split_once(" desc = ").map(|(_, rest)| rest);
        match unwrapped.or_else(coded) {
            Some(inner) => rest = inner,
            None => return rest.trim(),
        }
    }
}

/// `dockerfile parse error line 3: ..`, and newer ones `.. on line 3: ..`
fn syntax_place(text: &str, dockerfile: &Path) -> Option<Box<Place>> {
    let after = text.get("dockerfile parse error".len()..)?.trim_start().trim_start_matches("on ");
    let digits = after.strip_prefix("line ")?.split(':').next()?;
    Some(place_of_line(dockerfile, digits.trim().parse().ok()?))
}

fn place_of_line(dockerfile: &Path, line: usize) -> Box<Place> {
    let text = std::fs::read_to_string(dockerfile).unwrap_or_default();
    let snippet = text.lines().nth(line.saturating_sub(1)).map(str::to_owned);
    Box::new(Place { file: dockerfile.display().to_string(), line, column: 1, snippet })
}

/// `errdefs.Source` of BuildKit, which comes as JSON.
#[derive(Deserialize)]
struct Source {
    #[serde(default)]
    ranges: Vec<Range>,
}

#[derive(Deserialize)]
struct Range {
    #[serde(default)]
    start: Position,
}

#[derive(Default, Deserialize)]
struct Position {
    #[serde(default)]
    line: usize,
}

/// Where the failing instruction stands, if the engine says so.
fn place(status: &Status, dockerfile: &Path) -> Option<Box<Place>> {
    let details = RpcStatus::decode(status.details()).ok()?;
    let source = details.details.iter().find(|detail| detail.type_url.contains("errdefs.Source"))?;
    let source: Source = serde_json::from_slice(&source.value).ok()?;
    let line = source.ranges.first()?.start.line;
    (line > 0).then(|| place_of_line(dockerfile, line))
}

/// The one line of the Dockerfile that reads as the step does; old engines name no place.
fn instruction_place(instruction: &str, dockerfile: &Path) -> Option<Box<Place>> {
    let text = std::fs::read_to_string(dockerfile).ok()?;
    let wanted = collapsed(instruction);
    let mut matching = instructions(&text).into_iter().filter(|(_, found)| collapsed(found) == wanted);
    let (line, _) = matching.next()?;
    matching.next().is_none().then(|| place_of_line(dockerfile, line))
}

fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Instructions with the line that each starts at, continued lines joined.
fn instructions(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut continued = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if line.trim_start().starts_with('#') || line.is_empty() {
            continue;
        }
        let piece = line.strip_suffix('\\').unwrap_or(line);
        match found.last_mut().filter(|_| continued) {
            Some((_, whole)) => whole.push_str(piece),
            None => found.push((number + 1, piece.to_owned())),
        }
        continued = piece.len() < line.len();
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::model::{Event, Listener, Masked, Reference};

    use super::{
        super::messages::{StatusResponse, Vertex},
        *,
    };

    struct Deaf;
    impl Listener for Deaf {
        fn on(&self, _: Event) {}
    }

    /// The error's text and the line it points at.
    fn explained(message: &str, step: &str, error: &str) -> (String, Option<usize>) {
        let folder = tempfile::tempdir().unwrap();
        let dockerfile = folder.path().join("Dockerfile");
        std::fs::write(&dockerfile, "FROM a\n# why\nRUN make \\\n  # not this\n  all\nRUN true\nRUN true\n").unwrap();
        let image: Reference = "demo:1".parse().unwrap();
        let mut progress = Progress::new(&image, &Deaf);
        let vertex = Vertex { digest: "d".into(), name: step.into(), error: error.into(), ..Vertex::default() };
        progress.update(StatusResponse { vertexes: vec![vertex], logs: vec![] });
        let request = BuildRequest {
            reference: image.clone(),
            context: folder.path().to_owned(),
            dockerfile: dockerfile.clone(),
            target: None,
            args: BTreeMap::new(),
            labels: BTreeMap::new(),
            secrets: Vec::new(),
            platform: None,
            shared_key: String::new(),
        };
        let error = explain(&Status::unknown(message), &progress, &request, &[]);
        let place = match &error {
            DockerError::Build { place, .. } | DockerError::Dockerfile { place, .. } => place.as_deref(),
            _ => None,
        };
        (error.to_string(), place.map(|place| place.line))
    }

    #[test]
    fn failures_name_instruction_reason_and_line() {
        for (message, step, error, text, line) in [
            (
                "executor failed running [/bin/sh -c make all]: exit code: 2",
                "[2/4] RUN make   all",
                "executor failed running [/bin/sh -c make all]: exit code: 2",
                "`RUN make   all` fails: exit code 2",
                Some(3),
            ),
            (
                "failed to solve: process ..",
                "[web 3/4] RUN true",
                "process \"/bin/sh -c true\" did not complete successfully: exit code: 137",
                "`RUN true` fails: exit code 137",
                None,
            ),
            (
                "failed to compute cache key: \"/nope\" not found: not found",
                "[2/2] COPY nope /",
                "failed to compute cache key: \"/nope\" not found: not found",
                "`COPY nope /` fails: \"/nope\" is not in the build context",
                None,
            ),
            (
                "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 2: unknown instruction: FOO",
                "",
                "",
                "error in the Dockerfile: unknown instruction: FOO",
                Some(2),
            ),
            (
                "failed to solve: dockerfile parse error on line 3: unknown instruction: FOO",
                "",
                "",
                "error in the Dockerfile: unknown instruction: FOO",
                Some(3),
            ),
            (
                "rpc error: code = Unknown desc = failed to solve with frontend dockerfile.v0: target stage zz could not be found",
                "",
                "",
                "error in the Dockerfile: target stage zz could not be found",
                None,
            ),
            (
                "..",
                "[internal] load metadata for localhost:5000/x:1",
                "localhost:5000/x:1: not found",
                "cannot get the base image localhost:5000/x:1: not found",
                None,
            ),
            (
                "..",
                "[internal] load metadata for docker.io/library/ruby:3",
                "failed to do request: Head \"https://x/v2\": dial tcp: lookup x: no such host",
                "cannot get the base image docker.io/library/ruby:3: lookup x: no such host",
                None,
            ),
        ] {
            assert_eq!(explained(message, step, error), (text.to_owned(), line), "{message}");
        }
    }

    #[test]
    fn the_login_that_a_base_image_was_tried_with_is_named() {
        let login = Login {
            registry: "https://index.docker.io/v1/".into(),
            user: "me".into(),
            password: Masked::new("x"),
            identity_token: false,
            origin: "~/.docker/config.json".into(),
        };
        for (image, trouble) in [
            ("docker.io/me/x:1", RegistryTrouble::WrongLogin { user: "me".into(), origin: login.origin.clone() }),
            ("quay.io/me/x:1", RegistryTrouble::NoLogin),
        ] {
            match base_image_error(image, "pull access denied", std::slice::from_ref(&login)) {
                DockerError::BaseImage { trouble: found, .. } => assert_eq!(found, trouble, "{image}"),
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn the_trouble_of_a_registry_is_told_apart() {
        for (why, trouble) in [
            ("pulling failed with status code [manifests 1]: 401 Unauthorized", RegistryTrouble::NoLogin),
            ("pull access denied, repository does not exist or may require authorization", RegistryTrouble::NoLogin),
            ("localhost:1/x: not found", RegistryTrouble::Unknown),
            ("dial tcp 127.0.0.1:1: connect: connection refused", RegistryTrouble::Unreachable),
            ("x509: certificate signed by unknown authority", RegistryTrouble::Untrusted),
            ("unexpected", RegistryTrouble::Other),
        ] {
            assert_eq!(registry_trouble(why), trouble, "{why}");
        }
    }
}
