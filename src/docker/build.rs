//! One build: its attributes, its run, its outcome.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher as _, Hasher as _},
    path::{Path, PathBuf},
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};
use tonic::{Status, Streaming};

use crate::model::{BuildEvent, BuildSecret, Listener, Login, Platform, Reference, Stop, hex};

use super::{
    DockerError, Engine,
    control::Control,
    failure::explain,
    filesync::FileSync,
    messages::{CacheOptions, SolveRequest, SolveResponse, StatusResponse},
    progress::Progress,
    session::{self, Identity, Services},
};

/// How often what was sent of the context is told, at most.
const CONTEXT_INTERVAL: Duration = Duration::from_millis(250);
/// How long the last status messages of a build that ended are awaited.
const LAST_STATUS: Duration = Duration::from_secs(2);

/// One image to build.
#[derive(Clone, Debug)]
pub(crate) struct BuildRequest {
    /// The name and tag that the image gets.
    pub reference: Reference,
    /// The folder that COPY reads from.
    pub context: PathBuf,
    /// The Dockerfile itself; it may stand outside the context.
    pub dockerfile: PathBuf,
    /// The stage to build; the last one without it.
    pub target: Option<String>,
    pub args: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    pub secrets: Vec<BuildSecret>,
    pub platform: Option<Platform>,
    /// What the engine keeps its copy of the context under: the same for each build of this checkout, Dockerfile and
    /// target on this machine, and for no other.
    pub shared_key: String,
}

/// An image that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Built {
    /// As the engine names it: the configuration's digest, or the manifest's where the engine keeps images in containerd.
    pub image_id: String,
    /// Instructions that ran or were cached.
    pub steps: usize,
    pub cached: usize,
}

impl BuildRequest {
    /// # Errors
    /// A context or Dockerfile that is not there.
    pub(super) fn check(&self) -> Result<(), DockerError> {
        if !self.context.is_dir() {
            return Err(DockerError::ContextMissing(self.context.clone()));
        }
        if !self.dockerfile.is_file() {
            return Err(DockerError::DockerfileMissing(self.dockerfile.clone()));
        }
        Ok(())
    }

    /// Folder and name of the Dockerfile.
    fn dockerfile_parts(&self) -> Result<(&Path, &str), DockerError> {
        let folder = self.dockerfile.parent().filter(|folder| !folder.as_os_str().is_empty());
        let name = self.dockerfile.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| DockerError::NotUtf8(self.dockerfile.clone()))?;
        Ok((folder.unwrap_or(Path::new(".")), name))
    }

    /// Relative to the context where it stands in it.
    fn shown_dockerfile(&self) -> String {
        self.dockerfile.strip_prefix(&self.context).unwrap_or(&self.dockerfile).display().to_string()
    }

    fn solve(&self, session: &str, dockerfile: &str) -> SolveRequest {
        let mut attributes = HashMap::from([("filename".to_owned(), dockerfile.to_owned())]);
        attributes.extend(self.target.clone().map(|target| ("target".to_owned(), target)));
        attributes.extend(self.platform.as_ref().map(|platform| ("platform".to_owned(), platform.to_string())));
        attributes.extend(self.args.iter().map(|(name, value)| (format!("build-arg:{name}"), value.clone())));
        attributes.extend(self.labels.iter().map(|(name, value)| (format!("label:{name}"), value.clone())));
        SolveRequest {
            reference: random_id(),
            exporter: "moby".to_owned(),
            exporter_attributes: HashMap::from([("name".to_owned(), self.reference.to_string())]),
            session: session.to_owned(),
            frontend: "dockerfile.v0".to_owned(),
            frontend_attributes: attributes,
            cache: Some(CacheOptions {}),
        }
    }
}

impl Engine {
    /// Builds an image and gives it the request's name; what was built before is taken from the engine's cache.
    /// `logins` serve for base images.
    ///
    /// # Errors
    /// A context that cannot be read, an instruction or base image that fails, an engine that does not do.
    pub(crate) async fn build(
        &self,
        request: &BuildRequest,
        logins: &[Login],
        listener: &dyn Listener,
        stop: &Stop,
    ) -> Result<Built, DockerError> {
        request.check()?;
        let started = Instant::now();
        let (folder, name) = request.dockerfile_parts()?;
        let image = request.reference.clone();
        listener.on(BuildEvent::Started { image, dockerfile: request.shown_dockerfile() }.into());
        let files = FileSync::new(&request.context, folder);
        // its end closes the connections, by which the engine stops what it runs for us
        let mut tasks = JoinSet::new();
        let stream = self.buildkit().await?;
        let control = Control::open(stream, &mut tasks).await.map_err(|error| DockerError::engine(&error))?;
        let identity = Identity { id: random_id(), shared_key: hex(&Sha256::digest(&request.shared_key)) };
        let services = Services { files: files.clone(), logins: logins.to_vec(), secrets: request.secrets.clone() };
        session::open(&control, &identity, services, &mut tasks).map_err(|status| refused(&status))?;
        let solve = request.solve(&identity.id, name);
        let mut run =
            Run { request, logins, files, listener, progress: Progress::new(&request.reference, listener), told: 0 };
        let response = tokio::select! {
            () = stop.wait() => return Err(DockerError::Stopped),
            response = run.solve(&control, solve) => response?,
        };
        let (steps, cached) = run.progress.counts();
        let image_id = response.exporter_response.get("containerimage.digest").cloned().unwrap_or_default();
        let done = BuildEvent::Done {
            image: request.reference.clone(),
            id: image_id.clone(),
            steps,
            cached,
            seconds: started.elapsed().as_secs_f64(),
        };
        listener.on(done.into());
        Ok(Built { image_id, steps, cached })
    }
}

/// A build on its way.
struct Run<'a> {
    request: &'a BuildRequest,
    logins: &'a [Login],
    files: FileSync,
    listener: &'a dyn Listener,
    progress: Progress<'a>,
    /// Bytes of context that were told.
    told: u64,
}

impl Run<'_> {
    async fn solve(&mut self, control: &Control, request: SolveRequest) -> Result<SolveResponse, DockerError> {
        let status = control.status(request.reference.clone());
        let solve = control.solve(request);
        tokio::pin!(status, solve);
        let mut messages: Option<Streaming<StatusResponse>> = None;
        let mut listening = true;
        let mut ticks = interval(CONTEXT_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let outcome = loop {
            tokio::select! {
                outcome = &mut solve => break outcome,
                opened = &mut status, if listening && messages.is_none() => match opened {
                    Ok(stream) => messages = Some(stream),
                    Err(_) => listening = false,
                },
                message = next(&mut messages), if messages.is_some() => match message {
                    Some(message) => self.progress.update(message),
                    None => (messages, listening) = (None, false),
                },
                _ = ticks.tick() => self.tell_context(),
            }
        };
        // what the engine still has to say of it
        let _ = tokio::time::timeout(LAST_STATUS, async {
            if listening && messages.is_none() {
                messages = status.await.ok();
            }
            while let Some(message) = next(&mut messages).await {
                self.progress.update(message);
            }
        })
        .await;
        self.tell_context();
        outcome.map_err(|status| match self.files.failure() {
            Some(failure) => failure,
            None => explain(&status, &self.progress, self.request, self.logins),
        })
    }

    fn tell_context(&mut self) {
        let (files, bytes) = self.files.sent();
        if bytes != self.told {
            self.told = bytes;
            self.listener.on(BuildEvent::Context { image: self.request.reference.clone(), files, bytes }.into());
        }
    }
}

async fn next(messages: &mut Option<Streaming<StatusResponse>>) -> Option<StatusResponse> {
    messages.as_mut()?.message().await.ok().flatten()
}

fn refused(status: &Status) -> DockerError {
    DockerError::Engine(status.message().to_owned())
}

/// 128 random bits: the standard library seeds its hashers from the operating system.
fn random_id() -> String {
    let word = || std::hash::RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", word(), word())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> BuildRequest {
        BuildRequest {
            reference: "localhost:5000/demo:1".parse().unwrap(),
            context: "/c".into(),
            dockerfile: "/c/docker/Web".into(),
            target: Some("runtime".into()),
            args: BTreeMap::from([("A".into(), "1".into())]),
            labels: BTreeMap::from([("l".into(), "2".into())]),
            secrets: Vec::new(),
            platform: Some(Platform("linux/arm64".into())),
            shared_key: String::new(),
        }
    }

    #[test]
    fn settings_become_attributes() {
        let solve = request().solve("session", "Web");
        let mut attributes: Vec<_> = solve.frontend_attributes.iter().map(|(k, v)| format!("{k}={v}")).collect();
        attributes.sort();
        let expected = ["build-arg:A=1", "filename=Web", "label:l=2", "platform=linux/arm64", "target=runtime"];
        assert_eq!(attributes, expected);
        assert_eq!(solve.exporter_attributes["name"], "localhost:5000/demo:1");
    }

    #[test]
    fn the_dockerfiles_folder_is_found() {
        let mut request = request();
        assert_eq!(request.dockerfile_parts().unwrap(), (Path::new("/c/docker"), "Web"));
        request.dockerfile = "Dockerfile".into();
        assert_eq!(request.dockerfile_parts().unwrap(), (Path::new("."), "Dockerfile"));
    }

    #[test]
    fn ids_differ() {
        assert_ne!(random_id(), random_id());
        assert_eq!(random_id().len(), 32);
    }
}
