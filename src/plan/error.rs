use crate::model::{Exit, Explain, RecordState};

/// Why a release does not go anywhere, or not there.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("no environment is named `{name}` ({origin})")]
    UnknownEnvironment { name: String, origin: String, known: Vec<String> },
    #[error("no branch is known: HEAD is detached, and no CI system says which branch this is")]
    NoBranch,
    #[error("{what} goes to no environment")]
    NoEnvironment { what: String, key: &'static str, pattern: String },
    #[error("the default branch is unclear: {ci} says `{theirs}`, {git} says `{ours}`")]
    UnclearDefault { ci: String, theirs: String, git: String, ours: String },
    #[error("a pull request never goes to {environment}")]
    PullRequest { environment: String },
    #[error("this is a pull request from a fork, or one that may be: {system} does not rule it out")]
    Fork { system: &'static str },
    #[error("`{text}` is no name for a namespace (a-z, 0-9 and `-`, at most 63)")]
    Namespace { text: String },
    #[error(
        "`{template}` is too long: it leaves no room for what it puts in (a namespace's name has at most 63 characters)"
    )]
    LongNamespace { template: String },
    #[error("{environment} would go to {namespace}, which is the namespace of {other}")]
    TakenNamespace { environment: String, namespace: String, other: String },
    #[error("namespace {namespace} is that of {what} {theirs}, and this is {what} {ours}")]
    OthersNamespace { namespace: String, what: &'static str, theirs: String, ours: String },
    #[error("{environment} is never destroyed")]
    Guarded { environment: String },
    #[error("no user is known, and the namespace is named after one")]
    NoUser,
    #[error("`{text}` is no image tag (letters, digits, `_`, `.`, `-`; at most 128)")]
    Tag { text: String },
    #[error("tracked files are changed, and {environment} takes only what is committed")]
    Dirty { environment: String },
    #[error("{ours} is older than {deployed}, which is deployed to {environment}")]
    Backwards { ours: String, deployed: String, environment: String },
    #[error("no release succeeded before the current one")]
    NoWayBack,
    #[error("{}", no_release(*revision, *state))]
    NoRelease { revision: u64, state: Option<RecordState>, known: Vec<String> },
    #[error("{tag} was never proven here")]
    NoCounterpart { tag: String, known: Vec<String> },
    #[error("{color} holds revision {revision} already, and only its traffic goes elsewhere")]
    OnlyTraffic { color: String, revision: u64 },
    #[error("`{color}` is no colour of this app ({known})")]
    UnknownColor { color: String, known: String },
    #[error("no release of this app has been proven yet")]
    NothingProven,
    #[error("nothing can be switched back to: {service} serves no colour of this app")]
    NothingServes { service: String },
    #[error("{color} does not hold the newest proven release any more: release {revision} was deployed over it")]
    Overwritten { color: String, revision: u64 },
    #[error("{color} is not ready: {}", readiness(*ready, *wanted))]
    NotReady { color: String, ready: usize, wanted: usize },
}

impl Explain for PlanError {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownEnvironment { .. } => "environment-unknown",
            Self::NoBranch => "no-branch",
            Self::NoEnvironment { .. } => "no-environment",
            Self::UnclearDefault { .. } => "default-branch",
            Self::PullRequest { .. } | Self::Fork { .. } => "pull-request",
            Self::Namespace { .. } | Self::LongNamespace { .. } | Self::TakenNamespace { .. } | Self::NoUser => {
                "namespace"
            }
            Self::OthersNamespace { .. } => "namespace-taken",
            Self::Guarded { .. } => "guarded",
            Self::Tag { .. } => "tag",
            Self::Dirty { .. } => "dirty",
            Self::Backwards { .. } => "backwards",
            Self::NoWayBack => "no-way-back",
            Self::NoRelease { .. } | Self::NoCounterpart { .. } => "revision-unknown",
            Self::OnlyTraffic { .. } => "only-traffic",
            Self::UnknownColor { .. } => "color-unknown",
            Self::NothingProven | Self::NothingServes { .. } | Self::Overwritten { .. } => "nothing-proven",
            Self::NotReady { .. } => "not-ready",
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Backwards { .. } => Exit::Superseded,
            Self::NothingProven | Self::NothingServes { .. } | Self::Overwritten { .. } | Self::NotReady { .. } => {
                Exit::Rollout
            }
            _ => Exit::Input,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::UnknownEnvironment { known, .. } => format!("there are {}", known.join(", ")),
            Self::NoBranch => "name it with `--branch BRANCH`, or the environment with `--env ENV`".into(),
            Self::NoEnvironment { key, pattern, .. } => {
                format!("add `{key}: [\"{pattern}\"]` to an environment in shipway.yaml, or name one with `--env ENV`")
            }
            Self::UnclearDefault { theirs, .. } => {
                format!(
                    "say it in shipway.yaml: `environments: {{production: {{branches: [{theirs}]}}, qa: {{branches: [\"*\"]}}}}`"
                )
            }
            Self::PullRequest { .. } => "merge it, and deploy the branch it goes to".into(),
            Self::Fork { .. } => "if its code may run there, name the environment: `--env ENV`".into(),
            Self::LongNamespace { .. } => "shorten `namespace:` in shipway.yaml, or name one with `--namespace`".into(),
            Self::TakenNamespace { .. } => "rename the branch, or change `namespace:` in shipway.yaml".into(),
            Self::OthersNamespace { .. } => {
                "`shipway destroy` for the other, or name another namespace with `--namespace`".into()
            }
            Self::Guarded { .. } => {
                "it is production, or has `confirm: true` in shipway.yaml; delete it with kubectl if it must go".into()
            }
            Self::NoUser => "set USER, or name a namespace with `--namespace`".into(),
            Self::Namespace { .. } => "name one with `--namespace`, or `namespace:` in shipway.yaml".into(),
            Self::Tag { .. } => "see `tag:` in shipway.yaml, and `--tag`".into(),
            Self::Dirty { .. } => "commit the changes, or say `--allow-dirty`".into(),
            Self::Backwards { .. } => "`--allow-older` deploys it all the same".into(),
            Self::NoWayBack => "`shipway deploy --tag TAG` deploys any tag that is at the registry".into(),
            Self::NoRelease { known, .. } if known.is_empty() => "`shipway history` shows what there is".into(),
            Self::NoRelease { known, .. } => format!("there are {}", known.join(", ")),
            Self::NoCounterpart { known, .. } if known.is_empty() => {
                "`shipway deploy` with `--context` brings a release there".into()
            }
            Self::NoCounterpart { known, .. } => {
                format!("with `--context`, `shipway rollback N` goes back to one of {}", known.join(", "))
            }
            Self::OnlyTraffic { .. } => "`shipway switch --back` moves the traffic there".into(),
            Self::UnknownColor { .. } => "see `blue_green.colors` in shipway.yaml".into(),
            Self::NothingProven | Self::Overwritten { .. } | Self::NothingServes { .. } => {
                "`shipway deploy` first".into()
            }
            Self::NotReady { .. } => "`shipway status` shows why; `shipway deploy` brings it up".into(),
        };
        vec![hint]
    }
}

fn no_release(revision: u64, state: Option<RecordState>) -> String {
    match state {
        None => format!("there is no revision {revision} to go back to"),
        Some(RecordState::Running) => format!("revision {revision} was never proven: its run has not ended"),
        Some(_) => format!("revision {revision} failed, and was never proven"),
    }
}

fn readiness(ready: usize, wanted: usize) -> String {
    match wanted {
        0 => "it is scaled to 0, or not deployed".to_owned(),
        wanted => format!("{ready} of {wanted} pods are"),
    }
}
