//! What happens during a run, as data: the reports find the words.
//!
//! One enum a phase; `event` in the JSON form is `phase.what`. New fields are added, none is renamed.

use serde::{Serialize, Serializer};

use super::{
    Connection, Digest, EnvironmentStatus, Image, ObjectChange, ObjectId, PodStep, Problem, Progress, Reference,
    StatusChange, Target, TrafficStatus, Verdict,
};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Event {
    Source(SourceEvent),
    Build(BuildEvent),
    Push(PushEvent),
    Lock(LockEvent),
    Apply(ApplyEvent),
    Rollout(Box<RolloutEvent>),
    Switch(SwitchEvent),
    Status(StatusEvent),
    Note(Note),
    Within(Box<Within>),
}

/// What happens in one of several clusters.
#[derive(Clone, Debug, PartialEq)]
pub struct Within {
    pub context: String,
    pub event: Event,
}

/// The event's own fields, and `context` beside them.
impl Serialize for Within {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serde_json::to_value(&self.event).map_err(serde::ser::Error::custom)?;
        fields["context"] = self.context.as_str().into();
        fields.serialize(serializer)
    }
}

impl Event {
    /// The event itself, in whichever cluster it happens.
    pub fn itself(&self) -> &Event {
        match self {
            Self::Within(within) => within.event.itself(),
            event => event,
        }
    }
}

/// What is being done, to what, and why there.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event")]
pub enum SourceEvent {
    #[serde(rename = "target")]
    Target { target: Box<Target> },
    #[serde(rename = "connection")]
    Connection { connection: Connection },
    /// How the commit stands to the deployed one, in words: `follows 1a2b3c4d by 2 commits`.
    #[serde(rename = "order")]
    Order { order: String },
    #[serde(rename = "image")]
    Image { image: Image },
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event")]
pub enum BuildEvent {
    #[serde(rename = "build.started")]
    Started { image: Reference, dockerfile: String },
    /// Bytes of context sent so far.
    #[serde(rename = "build.context")]
    Context { image: Reference, files: u64, bytes: u64 },
    /// A step began, ended, or was found in the cache. `id` is the step's digest and stays the same.
    #[serde(rename = "build.step")]
    Step { image: Reference, id: String, name: String, state: StepState, seconds: Option<f64> },
    /// Lines that a step printed.
    #[serde(rename = "build.log")]
    Log { image: Reference, id: String, lines: Vec<String> },
    #[serde(rename = "build.done")]
    Done { image: Reference, id: String, steps: usize, cached: usize, seconds: f64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    Running,
    Done,
    Cached,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event")]
pub enum PushEvent {
    #[serde(rename = "push.started")]
    Started { reference: Reference },
    /// One layer's progress; `total` is 0 where it is not known. `state`: pushing, pushed, exists.
    #[serde(rename = "push.layer")]
    Layer { reference: Reference, layer: String, state: LayerState, sent: u64, total: u64 },
    #[serde(rename = "push.done")]
    Done { reference: Reference, digest: Digest, seconds: f64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerState {
    Pushing,
    Pushed,
    Exists,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event")]
pub enum LockEvent {
    #[serde(rename = "lock.waiting")]
    Waiting {
        holder: String,
        /// Since when it holds the lock, by the holder's clock.
        since: Option<jiff::Timestamp>,
    },
    #[serde(rename = "lock.taken")]
    Taken { waited: f64 },
    #[serde(rename = "lock.released")]
    Released,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event")]
pub enum ApplyEvent {
    /// An object was written, or found equal.
    #[serde(rename = "apply.object")]
    Object { change: ObjectChange },
    /// Fields taken over from another manager at the first deploy.
    #[serde(rename = "apply.adopted")]
    Adopted { object: ObjectId, managers: Vec<String> },
    #[serde(rename = "apply.done")]
    Done { created: usize, changed: usize, unchanged: usize, seconds: f64 },
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event")]
pub enum RolloutEvent {
    /// A workload's verdict or counts changed.
    #[serde(rename = "rollout.changed")]
    Changed { object: ObjectId, verdict: Verdict, progress: Progress, seconds: f64 },
    /// Nothing changed for a while: what is awaited.
    #[serde(rename = "rollout.waiting")]
    Waiting { object: ObjectId, progress: Progress, seconds: f64 },
    /// What happened to a pod of a workload; `time` is the server's.
    #[serde(rename = "rollout.pod")]
    Pod { object: ObjectId, pod: String, step: PodStep, time: jiff::Timestamp },
    /// What a hook's container wrote.
    #[serde(rename = "rollout.log")]
    Log { object: ObjectId, pod: String, container: String, lines: Vec<String> },
    /// A finding that is not (yet) a failure.
    #[serde(rename = "rollout.warning")]
    Warning { problem: Problem },
    /// All is ready; the settle window runs.
    #[serde(rename = "rollout.settling")]
    Settling { seconds: f64 },
    /// Pods proven to run what was pushed, of all new pods.
    #[serde(rename = "rollout.proof")]
    Proof { image: Reference, proven: usize, pods: usize },
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event")]
pub enum SwitchEvent {
    #[serde(rename = "switch.planned")]
    Planned { service: ObjectId, from: String, to: String, colors: Vec<TrafficStatus> },
    #[serde(rename = "switch.checked")]
    Checked { color: String, ready: usize },
    #[serde(rename = "switch.selector")]
    Selector { service: ObjectId, color: String },
    #[serde(rename = "switch.endpoints")]
    Endpoints { new: usize, old: usize, seconds: f64 },
    #[serde(rename = "switch.unneeded")]
    Unneeded { service: ObjectId, color: String, why: String },
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event")]
pub enum StatusEvent {
    /// An environment as it is now, and what of it is new.
    #[serde(rename = "status.environment")]
    Environment { status: Box<EnvironmentStatus>, changes: Vec<StatusChange> },
    /// An environment that is not there any more, as it was seen last.
    #[serde(rename = "status.gone")]
    Gone { status: Box<EnvironmentStatus> },
}

/// A remark. `attention` marks one that a person should read.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename = "note")]
pub struct Note {
    /// The phase it belongs to: `plan`, `image`, `apply`.
    pub step: &'static str,
    pub text: String,
    pub attention: bool,
    /// What belongs below the text, to be copied: YAML.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

/// An event with the moment it was told: what a report is made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stamped {
    pub v: u8,
    pub at: jiff::Timestamp,
    #[serde(flatten)]
    pub event: Event,
}

/// Whom rooms tell what happens. There is one implementation: it stamps; the report removes secrets.
pub trait Listener: Send + Sync {
    fn on(&self, event: Event);
    /// False once nobody reads any more what is told.
    fn is_heard(&self) -> bool {
        true
    }
}

impl From<RolloutEvent> for Event {
    fn from(event: RolloutEvent) -> Self {
        Self::Rollout(Box::new(event))
    }
}

macro_rules! from_phase {
    ($($phase:ident($kind:ty)),* $(,)?) => {$(
        impl From<$kind> for Event {
            fn from(event: $kind) -> Self {
                Self::$phase(event)
            }
        }
    )*};
}
from_phase!(
    Source(SourceEvent),
    Build(BuildEvent),
    Push(PushEvent),
    Lock(LockEvent),
    Apply(ApplyEvent),
    Switch(SwitchEvent),
    Status(StatusEvent),
    Note(Note),
);

impl Note {
    pub fn new(step: &'static str, text: impl Into<String>) -> Self {
        Self { step, text: text.into(), attention: false, lines: Vec::new() }
    }

    pub fn attention(step: &'static str, text: impl Into<String>) -> Self {
        Self { attention: true, ..Self::new(step, text) }
    }

    pub fn with(self, lines: Vec<String>) -> Self {
        Self { lines, ..self }
    }
}
