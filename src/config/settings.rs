//! What is meant, after flags, variables, file and defaults are laid over each other.

use std::collections::BTreeMap;

use super::file::OnFailure;
use crate::model::{
    Allow, BlueGreen, ConnectionOptions, ImagePath, Origin, Platform, Repository, Rules, Sourced, StatusRule, Variables,
};

/// What was typed. None and false are what was not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    pub env: Option<String>,
    pub branch: Option<String>,
    pub commit: Option<String>,
    pub tag: Option<String>,
    pub namespace: Option<String>,
    pub context: Option<String>,
    pub server: Option<String>,
    /// `10m`, `90s`
    pub timeout: Option<String>,
    pub yes: bool,
    pub allow_dirty: bool,
    pub allow_older: bool,
    /// Prune with `-f`, too.
    pub prune: bool,
    /// Prune volumes, namespaces and definitions.
    pub prune_all: bool,
    /// Prune much, and workloads of a guarded environment.
    pub yes_prune: bool,
    /// Other deployers whose fields are taken over.
    pub adopt: Vec<String>,
    pub rerun_hooks: bool,
}

/// One image that is built.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ImageSettings {
    pub repository: Sourced<Repository>,
    /// Relative to the folder of shipway.yaml, the repository's root without one.
    pub context: String,
    pub dockerfile: String,
    pub target: Option<String>,
    pub args: BTreeMap<String, String>,
    pub secrets: Vec<SecretSettings>,
    /// None: the engine's own.
    pub platform: Option<Platform>,
}

/// A secret of a build; its value is not read yet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SecretSettings {
    pub id: String,
    /// Its origin is the place in the file.
    pub source: Sourced<SecretSource>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SecretSource {
    /// Relative as `context` is; `~` is the home folder.
    File(String),
    Variable(String),
}

impl ImageSettings {
    /// The only image of a repository without configuration.
    pub(crate) fn conventional(repository: Sourced<Repository>) -> Self {
        Self {
            repository,
            context: ".".into(),
            dockerfile: "Dockerfile".into(),
            target: None,
            args: BTreeMap::new(),
            secrets: Vec::new(),
            platform: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EnvironmentSettings {
    /// Its origin is the place in the file.
    pub name: Sourced<String>,
    /// Patterns; `*` is any number of any characters.
    pub branches: Vec<String>,
    pub tags: Vec<String>,
    /// May hold `{app}`, `{branch}` and `{user}`.
    pub namespace: Option<Sourced<String>>,
    pub context: Option<Sourced<String>>,
    /// True where a person must agree.
    pub confirm: bool,
    /// None: as for all.
    pub on_failure: Option<Sourced<OnFailure>>,
    /// Of several clusters; empty where there is one.
    pub contexts: Vec<Sourced<String>>,
    pub preview: PreviewSettings,
}

/// What is done about the namespace itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PreviewSettings {
    /// Make it where it is not there.
    pub create_namespace: bool,
    /// Seconds after the last deploy.
    pub ttl: Option<Sourced<f64>>,
    pub copy_secrets: Option<CopySecrets>,
}

/// Secrets of another namespace that the pods here need.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CopySecrets {
    pub from: Sourced<String>,
    pub names: Vec<String>,
}

/// Lengths are seconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeploySettings {
    pub timeout: Sourced<f64>,
    pub max_time: Sourced<f64>,
    pub settle: Sourced<f64>,
    pub restarts: Sourced<u32>,
    /// False: the registry cannot be reached from here; deploy by tag.
    pub registry_check: Sourced<bool>,
    /// Delete what is gone from the manifests.
    pub prune: Sourced<bool>,
    /// How a run ends that gives way to a newer one.
    pub superseded: Sourced<GivingWay>,
    pub on_failure: Sourced<OnFailure>,
    /// How many records are kept, at least 1.
    pub history: Sourced<usize>,
    /// Unrenewed for so long, the lock of a killed run is free again. Whole seconds, at least 1.
    pub lock_expiry: Sourced<f64>,
}

/// What giving way to a newer run is to the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GivingWay {
    /// Exit 0.
    Fine,
    /// Exit 9.
    Failure,
}

impl GivingWay {
    /// As it is written in the file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Failure => "fail",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub app: Sourced<String>,
    /// Asked for by flag or variable; none is decided by branch or git tag.
    pub environment: Option<Sourced<String>>,
    /// Asked for by flag or variable.
    pub namespace: Option<Sourced<String>>,
    /// The source branch, on a pull request. None on a git tag build and on a detached HEAD outside CI.
    pub branch: Option<Sourced<String>>,
    /// The full hash. None outside a repository.
    pub commit: Option<Sourced<String>>,
    /// The head of a pull request, where it is not what is checked out.
    pub head: Option<Sourced<String>>,
    pub git_tag: Option<Sourced<String>>,
    /// A template with `{branch}`, `{sha8}`, `{sha}`; from a flag or variable it is taken as it is.
    pub tag: Sourced<String>,
    pub run_url: Option<Sourced<String>>,
    /// `github`, `gitlab`, ..; none outside CI.
    pub ci: Option<Sourced<&'static str>>,
    /// Who pushed, or who is logged in here.
    pub user: Option<Sourced<String>>,
    /// As configured; empty where the manifests decide.
    pub images: Vec<ImageSettings>,
    /// Where images stand outside of pod templates.
    pub image_paths: Sourced<Vec<ImagePath>>,
    /// Put values into the texts of the manifests.
    pub substitute: Sourced<bool>,
    /// Environments for which `latest` is moved too.
    pub latest: Vec<String>,
    /// Folders and files, in order; relative as `context` is.
    pub manifests: Sourced<Vec<String>>,
    /// In the file's order; empty means the default rule (production and qa).
    pub environments: Vec<EnvironmentSettings>,
    pub blue_green: Option<BlueGreen>,
    /// Where that stands.
    pub blue_green_origin: Option<Origin>,
    pub deploy: DeploySettings,
    pub allow: Allow,
    /// Each kind once.
    pub status: Vec<StatusRule>,
    /// Asked for by flag or variable; goes before the environment's.
    pub context: Option<Sourced<String>>,
    pub server: Option<Sourced<String>>,
    pub yes: bool,
    pub allow_dirty: bool,
    pub allow_older: bool,
    /// Prune with `-f`, too.
    pub prune: bool,
    /// Prune volumes, namespaces and definitions.
    pub prune_all: bool,
    /// Prune much, and workloads of a guarded environment.
    pub yes_prune: bool,
    /// Other deployers whose fields are taken over.
    pub adopt: Vec<String>,
    /// Run hooks again that have succeeded.
    pub rerun_hooks: bool,
}

impl Settings {
    pub(crate) fn environment_named(&self, name: &str) -> Option<&EnvironmentSettings> {
        self.environments.iter().find(|environment| environment.name.value == name)
    }

    /// What a rollout is judged by.
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            timeout: self.deploy.timeout.value,
            max_time: self.deploy.max_time.value,
            settle: self.deploy.settle.value,
            restarts: self.deploy.restarts.value,
            status: self.status.clone(),
        }
    }

    /// What becomes of a deploy to an environment that failed.
    pub(crate) fn on_failure(&self, environment: &str) -> &Sourced<OnFailure> {
        let own = self.environment_named(environment).and_then(|found| found.on_failure.as_ref());
        own.unwrap_or(&self.deploy.on_failure)
    }

    /// True where the tag was asked for, and not made of branch and commit.
    pub(crate) fn tag_is_asked(&self) -> bool {
        matches!(self.tag.origin, Origin::Flag(_) | Origin::Variable(_))
    }

    /// The contexts of an environment on several clusters; none where it has one, or one was asked for.
    pub(crate) fn contexts(&self, environment: &str) -> Vec<Sourced<String>> {
        match (&self.context, self.environment_named(environment)) {
            (None, Some(found)) => found.contexts.clone(),
            _ => Vec::new(),
        }
    }

    /// How the cluster of an environment is reached, the first of several.
    pub(crate) fn connection(&self, environment: &str, variables: &Variables) -> ConnectionOptions {
        let of_environment = || {
            let found = self.environment_named(environment)?;
            found.context.clone().or_else(|| found.contexts.first().cloned())
        };
        ConnectionOptions {
            context: self.context.clone().or_else(of_environment),
            server: self.server.clone(),
            variables: variables.clone(),
        }
    }
}
