//! What the engine says of a failed build, as an error with its place. Texts differ between versions, and old ones
//! wrap them: only their ends are relied upon.

use std::path::Path;

use prost::Message as _;
use serde::Deserialize;
use tonic::Status;

use crate::model::Place;

use super::{
    DockerError,
    error::RegistryTrouble,
    messages::RpcStatus,
    progress::{FailedStep, Progress},
};

/// Explains a Solve that failed.
pub(super) fn explain(status: &Status, progress: &Progress<'_>, dockerfile: &Path) -> DockerError {
    let text = tail(status.message());
    if let Some(place) = syntax_place(text, dockerfile) {
        let why = text.split_once(": ").map_or(text, |(_, why)| why);
        return DockerError::Dockerfile { why: why.to_owned(), place: Some(place) };
    }
    match progress.failed() {
        Some(step) => failed_step(&step, place(status, dockerfile)),
        None => match text.strip_prefix("dockerfile parse error") {
            Some(why) => DockerError::Dockerfile { why: why.trim_start_matches([':', ' ']).to_owned(), place: None },
            None => DockerError::Engine(text.to_owned()),
        },
    }
}

fn failed_step(step: &FailedStep<'_>, place: Option<Place>) -> DockerError {
    let why = tail(step.error);
    if let Some(image) = base_image(step.name) {
        let trouble = registry_trouble(why);
        return DockerError::BaseImage { image: image.to_owned(), why: last_cause(why).to_owned(), trouble };
    }
    let instruction = step.name.split_once("] ").map_or(step.name, |(_, instruction)| instruction);
    let why = match why.rsplit_once("exit code: ") {
        Some((_, code)) => format!("exit code {code}"),
        None => why.strip_suffix(": not found").unwrap_or(why).to_owned(),
    };
    DockerError::Build { step: instruction.to_owned(), why, place, log: step.log.clone() }
}

/// `[internal] load metadata for docker.io/library/ruby:3`, `[1/3] FROM docker.io/library/ruby:3@sha256:..`
fn base_image(step: &str) -> Option<&str> {
    let image = step.strip_prefix("[internal] load metadata for ");
    image.or_else(|| step.split_once("] FROM ").map(|(_, image)| image))
}

fn registry_trouble(why: &str) -> RegistryTrouble {
    let says = |words: &[&str]| words.iter().any(|word| why.contains(word));
    if says(&["authorization", "unauthorized", "no basic auth", "denied", "401", "403"]) {
        RegistryTrouble::NoLogin
    } else if says(&["x509", "HTTP response to HTTPS"]) {
        RegistryTrouble::Untrusted
    } else if says(&["dial tcp", "no such host", "timeout", "connection refused", "EOF", "connection reset"]) {
        RegistryTrouble::Unreachable
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

/// The last two causes of a chain: who, and what.
fn last_cause(text: &str) -> &str {
    let mut starts = text.rmatch_indices(": ").map(|(at, _)| at + 2);
    starts.nth(1).and_then(|start| text.get(start..)).unwrap_or(text)
}

/// `dockerfile parse error line 3: ..`, and newer ones `.. on line 3: ..`
fn syntax_place(text: &str, dockerfile: &Path) -> Option<Place> {
    let after = text.strip_prefix("dockerfile parse error")?.trim_start().trim_start_matches("on ");
    let digits = after.strip_prefix("line ")?.split(':').next()?;
    Some(place_of_line(dockerfile, digits.trim().parse().ok()?))
}

fn place_of_line(dockerfile: &Path, line: usize) -> Place {
    let text = std::fs::read_to_string(dockerfile).unwrap_or_default();
    let snippet = text.lines().nth(line.saturating_sub(1)).map(str::to_owned);
    Place { file: dockerfile.display().to_string(), line, column: 1, snippet }
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
fn place(status: &Status, dockerfile: &Path) -> Option<Place> {
    let details = RpcStatus::decode(status.details()).ok()?;
    let source = details.details.iter().find(|detail| detail.type_url.contains("errdefs.Source"))?;
    let source: Source = serde_json::from_slice(&source.value).ok()?;
    let line = source.ranges.first()?.start.line;
    (line > 0).then(|| place_of_line(dockerfile, line))
}
