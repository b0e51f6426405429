//! shipway.yaml as it is written. The schema is made of these types, and files are checked against the schema.

use std::collections::BTreeMap;

use serde::Deserialize;

#[cfg(test)]
use schemars::JsonSchema;

/// The configuration of shipway. All keys are optional.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(JsonSchema), schemars(title = "shipway.yaml"))]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// The app's name: the last part of the remote's URL without one.
    pub app: Option<String>,
    /// What is built. Without this the only image of the manifests that has no tag or `latest`.
    pub images: Option<Vec<ImageFile>>,
    /// Places of images in objects that run no pods of their own.
    pub image_paths: Option<Vec<ImagePathFile>>,
    /// The image tag, of `{branch}`, `{sha8}` and `{sha}`. Default: `{branch}-{sha8}`.
    pub tag: Option<String>,
    /// Environments for which the tag `latest` is moved too.
    pub latest: Option<Vec<String>>,
    /// Folders or files, in this order. Default: `kubernetes`.
    pub manifests: Option<Vec<String>>,
    /// Put `${shipway.env}`, `.namespace`, `.branch_slug`, `.tag` and `.commit` into the texts of the manifests. Default: false.
    pub substitute: Option<bool>,
    /// Where branches and git tags go. The first match wins, top to bottom.
    pub environments: Option<BTreeMap<String, Option<EnvironmentFile>>>,
    /// Two colours behind one Service.
    pub blue_green: Option<BlueGreenFile>,
    /// How a deploy is done and judged.
    pub deploy: Option<DeployFile>,
    /// What beyond the target's namespace the manifests may touch.
    pub allow: Option<AllowFile>,
    /// How custom resources tell that they are ready or have failed, where conventions do not say it.
    pub status: Option<Vec<StatusFile>>,
}

/// An image that is built and pushed.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ImageFile {
    /// The repository, as in `registry.example.com/team/demo`. The manifests name it with any tag or none.
    pub name: String,
    /// The folder that is sent to the build, relative to this file. Default: `.`
    pub context: Option<String>,
    /// Relative to this file. Default: `Dockerfile` in the context.
    pub dockerfile: Option<String>,
    /// The stage of the Dockerfile that is built. Default: the last.
    pub target: Option<String>,
    /// Build arguments. Values are texts: quote what looks like a number.
    pub args: Option<BTreeMap<String, String>>,
    /// For `RUN --mount=type=secret`. They are in no layer of the image.
    pub secrets: Option<Vec<SecretFile>>,
    /// As in `linux/amd64`. Default: the engine's own.
    pub platform: Option<String>,
}

/// A secret of a build, out of a file or out of a variable.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct SecretFile {
    /// As the Dockerfile names it: `RUN --mount=type=secret,id=token`.
    pub id: String,
    /// Relative to this file; `~` is the home folder.
    pub file: Option<String>,
    /// The name of a variable.
    pub env: Option<String>,
}

/// Where in the objects of a kind an image stands.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ImagePathFile {
    /// `Kind.group`, as in `Workflow.argoproj.io`.
    pub kind: String,
    /// To an image or to a container, as in `spec.templates[].container`.
    pub path: String,
}

/// One place that is deployed to.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct EnvironmentFile {
    /// Patterns of branches; `*` is any number of any characters, `/` too.
    pub branches: Option<Vec<String>>,
    /// Patterns of git tags.
    pub tags: Option<Vec<String>>,
    /// May hold `{app}`, `{branch}` and `{user}`. Default: `{app}` for production, `{app}-` and the environment's name for others.
    pub namespace: Option<String>,
    /// The context in the kubeconfig.
    pub context: Option<String>,
    /// Contexts of several clusters, instead of `context`: the first is deployed to and proven, then all others at once.
    pub contexts: Option<Vec<String>>,
    /// Ask before anything is changed. Default: true for production.
    pub confirm: Option<bool>,
    /// After a failure here. Default: as `deploy.on_failure`.
    pub on_failure: Option<OnFailure>,
    /// Make the namespace where it is not there. Default: false.
    pub create_namespace: Option<bool>,
    /// How long after its last deploy a namespace that shipway made may be removed by `destroy --expired`, as in `72h`.
    pub ttl: Option<Length>,
    /// Secrets that are copied into the namespace before each deploy, as logins to registries.
    pub copy_secrets: Option<CopySecretsFile>,
}

/// Secrets of another namespace of the same cluster.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct CopySecretsFile {
    /// The namespace they are in.
    pub from: String,
    /// Their names, there and here.
    pub names: Vec<String>,
}

/// Two Deployments, of which one carries the traffic.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct BlueGreenFile {
    /// The Service whose selector is switched.
    pub service: String,
    /// The label in its selector and on the pods. Default: `color`.
    pub label: Option<String>,
    /// Default: `[blue, green]`
    pub colors: Option<[String; 2]>,
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct DeployFile {
    /// How long nothing may move. Default: `10m`.
    pub timeout: Option<Length>,
    /// How long it may take altogether. Default: `60m`.
    pub max_time: Option<Length>,
    /// How long all must stay ready. Default: `5s`.
    pub settle: Option<Length>,
    /// Restarts of a container that are forgiven. Default: 2.
    pub restarts: Option<u32>,
    /// Ask the registry for the image before the cluster is touched. Default: true.
    pub registry_check: Option<bool>,
    /// Delete what is gone from the manifests, once the new version is healthy. Default: true.
    pub prune: Option<bool>,
    /// How a run ends that gives way to a newer one of its branch: `ok` (exit 0) or `fail` (exit 9). Default: `ok`.
    pub superseded: Option<String>,
    /// After a failure leave all as it is, or apply the last good release again. Default: `hold`.
    pub on_failure: Option<OnFailure>,
    /// How many deploys are remembered, at least 1. Default: 10.
    pub history: Option<u32>,
}

/// What becomes of a deploy that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnFailure {
    Hold,
    Rollback,
}

impl OnFailure {
    /// As it is written.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Rollback => "rollback",
        }
    }
}

/// A length of time: seconds, or a text such as `90s`, `10m`, `1h30m`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(untagged)]
pub(super) enum Length {
    Seconds(f64),
    Text(String),
}

/// How the objects of a custom kind tell their state.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct StatusFile {
    /// `Kind.group`, as in `Database.example.com`; every version of it.
    pub kind: String,
    /// Ready when each of these JSONPaths leads to its value, or to one of a list; `*` is any value.
    pub ready: Option<BTreeMap<String, WantedFile>>,
    /// Failed when one of these does.
    pub failed: Option<BTreeMap<String, WantedFile>>,
    /// The JSONPath of what is told when it waits or has failed, as in `.status.message`.
    pub reason: Option<String>,
    /// Applied is good enough. Default: false.
    pub ignore: Option<bool>,
}

/// A value, or several of which one is meant.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(untagged)]
pub(super) enum WantedFile {
    One(ScalarFile),
    OneOf(Vec<ScalarFile>),
}

/// `Running`, `true`, `3`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(untagged)]
pub(super) enum ScalarFile {
    Text(String),
    Flag(bool),
    Number(serde_json::Number),
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct AllowFile {
    /// Other namespaces.
    pub namespaces: Option<Vec<String>>,
    /// `Kind.group` or `Kind.group/name`, as in `ClusterRole.rbac.authorization.k8s.io/demo`.
    pub cluster_scoped: Option<Vec<String>>,
}
