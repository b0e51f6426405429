//! What the cluster is seen to do, and what follows from it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Applied, Image, ObjectId, Problem, Reference, Resource, StatusRule};

/// The state of one object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Not there yet; the problem, if any, is one that waiting can mend.
    Waiting {
        problem: Option<Problem>,
    },
    /// Looks like a failure; becomes one if it stays so for `grace` seconds.
    Suspect {
        problem: Problem,
        grace: f64,
    },
    Ready,
    /// Nothing is known about the kind: applied, taken as good, and counted so.
    Assumed {
        why: String,
    },
    Failed {
        problem: Problem,
    },
    /// It was there and is not any more.
    Gone {
        problem: Problem,
    },
}

impl Verdict {
    /// `waiting`, `ready`, `assumed`, `failed`, `gone`: as in the JSON outcome.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting { .. } | Self::Suspect { .. } => "waiting",
            Self::Ready => "ready",
            Self::Assumed { .. } => "assumed",
            Self::Failed { .. } => "failed",
            Self::Gone { .. } => "gone",
        }
    }

    pub fn holds(&self) -> bool {
        matches!(self, Self::Ready | Self::Assumed { .. })
    }

    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Waiting { problem } => problem.as_ref(),
            Self::Suspect { problem, .. } | Self::Failed { problem } | Self::Gone { problem } => Some(problem),
            Self::Ready | Self::Assumed { .. } => None,
        }
    }
}

/// Counts for one line of a report. All zero for kinds without pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// New pods wanted.
    pub wanted: usize,
    /// New pods ready.
    pub ready: usize,
    /// Old pods still there.
    pub old: usize,
    /// What is awaited: `pod web-6c9f5-x2k4 pulling image`.
    pub awaiting: Option<String>,
}

/// The rules a rollout is judged by; all lengths are seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Without progress.
    pub timeout: f64,
    /// Altogether.
    pub max_time: f64,
    /// How long all must stay ready.
    pub settle: f64,
    /// Restarts that are forgiven before a crash loop is told.
    pub restarts: u32,
    /// How custom resources tell their state, where the configuration says it.
    pub status: Vec<StatusRule>,
}

/// One list-and-watch: a kind in a namespace, narrowed by labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selection {
    pub resource: Resource,
    pub namespace: Option<String>,
    /// A label selector as in the API: `shipway.dev/app=demo`. None for all.
    pub labels: Option<String>,
    /// A field selector: `metadata.name=web`.
    pub fields: Option<String>,
}

/// Leaves of an object only what is looked at.
pub type Slim = fn(&Resource, &mut Value);

/// What a watch tells. Objects carry `apiVersion` and `kind`, whatever the list looked like.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// The full list, at the start and after the history was lost (410).
    Listed {
        selection: Selection,
        objects: Vec<Value>,
    },
    Changed {
        selection: Selection,
        object: Value,
    },
    Deleted {
        selection: Selection,
        object: Value,
    },
    /// The connection is gone; the watch tries again by itself.
    Interrupted {
        selection: Selection,
        text: String,
    },
    /// The watch goes on where it was cut; what it missed comes next.
    Resumed {
        selection: Selection,
    },
}

/// What a rollout is to be judged on.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    pub applied: Arc<Applied>,
    /// As it was sent to the cluster.
    pub body: Value,
    /// True where this deploy changed it: false is an object that only has to be ready.
    pub changed: bool,
    /// True where an earlier deploy proved it as it is, and each look since has found it well: its pods have shown that they
    /// stay up.
    pub settled: bool,
    /// True where what its containers write is shown as they run.
    pub shows_log: bool,
    pub images: Vec<Image>,
}

/// What happens to a pod, in the usual order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PodStep {
    Created,
    Scheduled,
    Pulled,
    /// A container runs.
    Started,
    Ready,
    /// A container ended.
    Ended,
    /// A container runs again.
    Restarted,
    /// It was asked to end.
    Leaving,
    Gone,
}

impl PodStep {
    /// As JSON has it, too.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Scheduled => "scheduled",
            Self::Pulled => "pulled",
            Self::Started => "started",
            Self::Ready => "ready",
            Self::Ended => "ended",
            Self::Restarted => "restarted",
            Self::Leaving => "leaving",
            Self::Gone => "gone",
        }
    }
}

/// One run of a container whose log has begun.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogSource {
    /// What the pod runs for: the Job.
    pub object: ObjectId,
    pub pod: ObjectId,
    pub container: String,
}

/// What a judge wants to know and cannot see.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Question {
    /// Is this image at the registry?
    ImageExists(Reference),
    /// What stands in this image?
    ImageContent(Reference),
    /// May objects of this kind have a status at all?
    HasStatus(Resource),
    /// The last lines of a container's `run` (how often it was restarted), or of the instance before that one.
    LastLog { pod: ObjectId, container: String, run: i64, previous: bool },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    ImageFound,
    Image(Box<Image>),
    ImageMissing,
    /// The registry refuses us: nothing follows for the node.
    ImageDenied,
    ImageUnknown(String),
    HasStatus(bool),
    Log(Vec<String>),
    LogUnavailable(String),
}

impl Selection {
    /// True where the object is of this selection's kind.
    pub fn is_of(&self, group: &str, kind: &str) -> bool {
        self.resource.group == group && self.resource.kind == kind
    }
}
